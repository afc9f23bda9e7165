//! The server binary as a child process: where it is, starting it, signals, its end.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
pub use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

/// Below the range the system takes ports of its own from, above what kazoo's suite and xtask take.
const PORTS: Range<u16> = 28_000..32_000;

/// The binary under test: the one `ZOOWARDEN_BIN` names, or this build's, brought up to date once.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("ZOOWARDEN_BIN") {
        Some(named) => PathBuf::from(named),
        None => build(),
    })
}

/// Cargo does nothing if the binary is up to date, and does not know that a test needs it.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its own file");
    let folder = test.ancestors().nth(2).expect("target/<profile>/deps/test");
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells a test of its package would look like a change to the cargo started here, which
    // would build ring once more, and all that stands on it.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    // Of the whole workspace, so that features and with them the artefacts stay the same.
    cargo.args(["build", "--quiet", "--workspace", "--bin", "zoowarden"]);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(
        built.is_ok_and(|status| status.success()),
        "the server binary does not build"
    );
    folder.join("zoowarden")
}

/// A port that nobody listens on, and that no other run of tests is given until this process ends,
/// also while nothing listens. Every call gives another one.
pub fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    static RESERVED: Mutex<Vec<Socket>> = Mutex::new(Vec::new());
    let offset = std::process::id() as usize * 97;
    for _ in PORTS {
        let place = offset + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (place % PORTS.len()) as u16;
        if let Ok(socket) = reserve(port) {
            RESERVED.lock().push(socket);
            return port;
        }
    }
    panic!("no free port in {PORTS:?}");
}

/// Fails if anybody has bound the port. From then on, only whoever asks for reuse may bind it, as
/// servers do and this does not.
fn reserve(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    socket.bind(&address.into())?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// A server process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    /// Starts the binary with `arguments`; it writes `stdout` and `log` into `folder`, behind what
    /// an earlier life wrote.
    pub fn start(folder: &Path, arguments: &[&str]) -> Process {
        let append = |name: &str| -> File {
            let mut options = OpenOptions::new();
            let file = options.create(true).append(true).open(folder.join(name));
            file.expect("the test's own folder can be written")
        };
        let child = Command::new(binary())
            .args(arguments)
            .current_dir(folder)
            .env_remove("SERVER_JVMFLAGS")
            .env_remove("JVMFLAGS")
            .env("ZOOWARDEN_LOG", log_filter())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(append("stdout"))
            .stderr(append("log"))
            .spawn()
            .expect("the binary was built");
        Process { child }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by id.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok();
        let id = id.and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            // It may have ended meanwhile; whoever waits for it finds out.
            let _ = rustix::process::kill_process(id, signal);
        }
    }

    /// Ends it at once and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only if it has been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

fn log_filter() -> String {
    std::env::var("ZOOWARDEN_LOG").unwrap_or_else(|_| "info,openraft=warn".into())
}
