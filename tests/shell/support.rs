//! One server for all tests, a chroot for each, and the shell as a child process.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use zoowarden_tests::process::{Process, binary};
use zoowarden_tests::wait::SOON;

const LOOK: Duration = Duration::from_millis(10);

/// How a run of the shell ended, and what it said.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Stdout of a run that must have gone well.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// The only line of stdout, as JSON.
    pub fn json(self) -> Value {
        let text = self.ok();
        assert_eq!(text.lines().count(), 1, "one line of JSON: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Stderr of a run that must have ended with `code`.
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        self.stderr
    }
}

/// A part of the tree for one test.
pub struct Place {
    pub hosts: String,
}

impl Place {
    /// An empty chroot.
    pub fn new() -> Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let chroot = format!("/shell-{}-{number}", std::process::id());
        let server = server();
        run(server, &["create", &chroot], b"").ok();
        Place {
            hosts: format!("{server}{chroot}"),
        }
    }

    /// One command.
    pub fn run(&self, words: &[&str]) -> Run {
        run(&self.hosts, words, b"")
    }

    /// One command that must go well: its stdout without the line end.
    pub fn ok(&self, words: &[&str]) -> String {
        self.run(words).ok().trim_end().to_owned()
    }

    /// One command that reads standard input.
    pub fn run_with(&self, words: &[&str], input: &[u8]) -> Run {
        run(&self.hosts, words, input)
    }

    /// Commands from standard input.
    pub fn script(&self, lines: &str) -> Run {
        run(&self.hosts, &[], lines.as_bytes())
    }

    /// A command that goes on.
    pub fn start(&self, words: &[&str]) -> Child {
        let mut command = Command::new(binary());
        command.args(["shell", "-s", &self.hosts]).args(words);
        let piped = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        piped.spawn().unwrap()
    }
}

/// Runs the shell to its end.
pub fn run(hosts: &str, words: &[&str], input: &[u8]) -> Run {
    let mut arguments = vec!["shell", "-s", hosts];
    arguments.extend(words);
    run_binary(&arguments, input)
}

/// Runs the binary to its end.
pub fn run_binary(arguments: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read its input may have ended by now.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Reads a stream on a thread of its own until `enough` of it has come.
pub fn read_until(mut stream: impl Read + Send + 'static, enough: fn(&str) -> bool) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(bytes @ 1..) = stream.read(&mut buffer) {
            if sender.send(buffer[..bytes].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut text = String::new();
    let begun = Instant::now();
    while !enough(&text) {
        let rest = SOON.saturating_sub(begun.elapsed());
        let bytes = receiver
            .recv_timeout(rest)
            .unwrap_or_else(|_| panic!("in vain after {text:?}"));
        text += &String::from_utf8_lossy(&bytes);
    }
    text
}

/// The server of this run: the one that is named, or one of our own until the process ends.
pub fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<Own>)> = OnceLock::new();
    let (address, _) = SERVER.get_or_init(|| match std::env::var("ZOOWARDEN_SHELL_SERVER") {
        Ok(address) => (address, None),
        Err(_) => {
            let own = Own::start();
            (own.address(), Some(own))
        }
    });
    address
}

/// Whether the server is ours, and so as new as the shell.
pub fn server_is_ours() -> bool {
    std::env::var_os("ZOOWARDEN_SHELL_SERVER").is_none()
}

/// A server that a watchdog ends when this process has ended, because
/// values in statics are never dropped.
struct Own {
    folder: tempfile::TempDir,
    _process: Process,
}

impl Own {
    fn start() -> Own {
        let folder = tempfile::tempdir().unwrap();
        let ttl = "-Dzookeeper.extendedTypesEnabled=true";
        let arguments = ["server", "--client-port", "0", "--data-dir", "data", ttl];
        let process = Process::start(folder.path(), &arguments);
        end_with_us(process.id(), folder.path());
        Own {
            folder,
            _process: process,
        }
    }

    /// As its one line on stdout tells.
    fn address(&self) -> String {
        let begun = Instant::now();
        loop {
            let said =
                std::fs::read_to_string(self.folder.path().join("stdout")).unwrap_or_default();
            let address = said
                .split_once("connect to ")
                .and_then(|(_, rest)| rest.split_once(','));
            if let Some((address, _)) = address {
                return address.to_owned();
            }
            assert!(begun.elapsed() < SOON, "the server is not ready: {said}");
            std::thread::sleep(LOOK);
        }
    }
}

/// A watchdog whose input is a pipe from this process: the pipe closes however this process ends.
fn end_with_us(server: u32, folder: &Path) {
    let script = format!("read _; kill -KILL {server}; rm -rf '{}'", folder.display());
    let watchdog = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The pipe must stay open for as long as this process lives.
    std::mem::forget(watchdog);
}
