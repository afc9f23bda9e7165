//! One server for all tests, a chroot for each, and the shell as a child process.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a slow machine may take for something that takes a fast one a moment.
pub const SOON: Duration = Duration::from_secs(30);

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

/// The binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_zoowarden")
}

/// The server of this run: the one that is named, or one of our own until the process ends.
pub fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("ZOOWARDEN_SHELL_SERVER") {
        Ok(address) => address,
        Err(_) => start_server(),
    })
}

/// Whether the server is ours, and so as new as the shell.
pub fn server_is_ours() -> bool {
    std::env::var_os("ZOOWARDEN_SHELL_SERVER").is_none()
}

/// Starts a server on a free port; its one line on stdout says which. It outlives every test, so a
/// watchdog ends it when this process has ended: values in statics are never dropped.
fn start_server() -> String {
    let folder = tempfile::tempdir().unwrap().keep();
    let mut server = Command::new(binary())
        .args(["server", "--client-port", "0", "--data-dir", "data"])
        .arg("-Dzookeeper.extendedTypesEnabled=true")
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    end_with_us(server.id(), &folder);
    let stdout = server.stdout.take().unwrap();
    // The watchdog sees to its end; nobody here waits for it.
    std::mem::forget(server);
    let said = read_until(stdout, |said| said.ends_with('\n'));
    let address = said
        .split_once("connect to ")
        .and_then(|(_, rest)| rest.split_once(','));
    address
        .expect("the ready line names the address")
        .0
        .to_owned()
}

/// The watchdog's input is a pipe from this process: it closes however this process ends.
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
