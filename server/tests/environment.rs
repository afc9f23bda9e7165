//! A server as a container's entry point starts it, and the question that its health check asks.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

/// A server that is killed when the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn ask(server: &str, word: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoowarden"));
    let asked: Output = command
        .args(["ask", server, word])
        .output()
        .expect("it was built");
    let said = String::from_utf8(asked.stdout).expect("it prints UTF-8");
    (asked.status.code(), said)
}

#[test]
fn the_variables_of_the_official_image_make_a_server_that_answers() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| dir.path().join(name);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    assert_eq!(ask(&address, "srvr").0, Some(1), "nobody is there yet");
    let mut server = Command::new(env!("CARGO_BIN_EXE_zoowarden"))
        .args(["server", "--from-environment"])
        .env("ZOO_CONF_DIR", at("conf"))
        .env("ZOO_DATA_DIR", at("data"))
        .env("ZOO_DATA_LOG_DIR", at("datalog"))
        .env("ZOO_ADMINSERVER_ENABLED", "false")
        .env("ZOO_4LW_COMMANDS_WHITELIST", "srvr, isro")
        .env(
            "ZOO_SERVERS",
            format!("server.1=127.0.0.1:2888:3888;{address}"),
        )
        .stdout(Stdio::piped())
        .spawn()
        .map(Server)
        .expect("the binary was built for this test");
    let stdout = server.0.stdout.take().expect("it is piped");
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("it prints UTF-8");
    assert!(
        line.contains(&format!("clients connect to {address}")),
        "{line}"
    );
    let (code, said) = ask(&address, "srvr");
    assert_eq!(code, Some(0));
    assert!(said.contains("Mode: standalone\n"), "{said}");
    assert_eq!(ask(&address, "isro"), (Some(0), "rw".into()));
    let (code, said) = ask(&address, "ruok");
    assert_eq!(code, Some(1));
    assert!(said.contains("whitelist"), "{said}");
}
