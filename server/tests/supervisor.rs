//! What systemd hears of a server: ready when it serves, alive while it runs, stopping when asked.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// What a slow machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is killed when the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Path, socket: &str, watchdog_pid: Option<u32>) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoowarden"));
    command
        .args(["server", "--client-port", "0", "--data-dir", "data"])
        .current_dir(dir)
        .env("NOTIFY_SOCKET", socket)
        .env("WATCHDOG_USEC", "100000")
        .env_remove("WATCHDOG_PID")
        .stdout(Stdio::null());
    if let Some(pid) = watchdog_pid {
        command.env("WATCHDOG_PID", pid.to_string());
    }
    Server(command.spawn().expect("the binary was built for this test"))
}

fn hear(socket: &UnixDatagram) -> String {
    let mut message = [0; 1024];
    let bytes = socket
        .recv(&mut message)
        .expect("the server says something");
    String::from_utf8(message[..bytes].to_vec()).expect("it says UTF-8")
}

fn stop(server: &Server) {
    let id = i32::try_from(server.0.id()).ok().and_then(Pid::from_raw);
    kill_process(id.expect("it has an id"), Signal::TERM).expect("it runs");
}

/// Hears a whole life, of which the watchdog's messages are left out; tells whether there were any.
fn life(server: &mut Server, socket: &UnixDatagram) -> (Vec<String>, bool) {
    let (mut heard, mut alive) = (Vec::new(), false);
    loop {
        let message = hear(socket);
        if message == "WATCHDOG=1" {
            alive = true;
        } else {
            heard.push(message);
        }
        let is_ready = heard.len() == 1;
        if heard.len() == 2 {
            break;
        }
        // The message after "ready" may be of either kind; asking again does no harm.
        if is_ready {
            stop(server);
        }
    }
    assert!(server.0.wait().expect("it ends").success());
    (heard, alive)
}

#[test]
fn systemd_hears_that_a_server_is_ready_alive_and_stopping() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a new socket");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("more than 0");
    let path = path.display().to_string();
    let mut server = start(dir.path(), &path, None);
    assert_eq!(hear(&socket), "WATCHDOG=1", "alive before it serves");
    let (heard, _) = life(&mut server, &socket);
    let version = env!("CARGO_PKG_VERSION");
    let ready = format!("READY=1\nSTATUS=zoowarden {version} ready: clients connect to 127.0.0.1:");
    assert!(heard[0].starts_with(&ready), "{heard:?}");
    assert_eq!(heard[1], "STOPPING=1\nSTATUS=stopping");
}

#[test]
fn a_watchdog_of_another_process_and_an_abstract_socket_are_respected() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let name = format!("zoowarden-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let socket = UnixDatagram::bind_addr(&address).expect("a new name");
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("more than 0");
    let mut server = start(dir.path(), &format!("@{name}"), Some(std::process::id()));
    let (heard, alive) = life(&mut server, &socket);
    assert!(heard[0].starts_with("READY=1\n"), "{heard:?}");
    assert!(!alive);
}
