//! Running a command under a time limit, its output shown as it comes and counted on the way.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::report::Outcome;
use super::tally::Tally;

/// The longest that one command may take, unless it says otherwise.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(25 * 60);

/// A command of a step.
pub(crate) struct Run {
    command: Command,
    time_max: Duration,
}

/// Cargo, in the repository's root.
pub(crate) fn cargo(args: &[&str]) -> Run {
    Run::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(args)
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask
        .ancestors()
        .nth(2)
        .expect("xtask lies two folders down")
        .to_owned()
}

/// Where steps may write: the folder of build results that this program lies in.
pub(crate) fn target() -> PathBuf {
    let this = std::env::current_exe().expect("a running program has a path");
    this.ancestors()
        .nth(2)
        .expect("built into target/<profile>/")
        .to_owned()
}

/// Takes away what cargo has told this program of its package. To a cargo started from here it would
/// look like a change, and have it build ring, and all that stands on it, once more.
pub(crate) fn forget_this_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
}

impl Run {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(root());
        forget_this_package(&mut command);
        Self {
            command,
            time_max: COMMAND_TIME_MAX,
        }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: &[S]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// For what takes longer than anything in CI may.
    pub(crate) fn time_max(mut self, time_max: Duration) -> Self {
        self.time_max = time_max;
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn stdin(mut self, input: impl Into<Stdio>) -> Self {
        self.command.stdin(input);
        self
    }

    /// A check that counts nothing: only its failure counts.
    pub(crate) fn run_check(self) -> Outcome {
        let told = format!("{:?}", self.command);
        match self.stream(|line| println!("{line}")) {
            Ok(status) if status.success() => Outcome::Ran(Tally::default()),
            Ok(status) => Outcome::failed(&format!("{told}: {status}")),
            Err(error) => Outcome::failed(&format!("{told}: {error}")),
        }
    }

    /// A runner of tests, which says by `parse`d lines what it came to.
    pub(crate) fn run_tests(self, parse: fn(&str) -> Option<Tally>) -> Outcome {
        let told = format!("{:?}", self.command);
        let mut tally = Tally::default();
        let status = self.stream(|line| {
            println!("{line}");
            tally = tally + parse(line).unwrap_or_default();
        });
        let complaint = match status {
            Ok(status) if !status.success() && tally.failed == 0 => status.to_string(),
            Ok(_) if !tally.ran_something() => "it ran no test".to_owned(),
            Ok(_) => return Outcome::Ran(tally),
            Err(error) => error.to_string(),
        };
        println!("FAILED: {told}: {complaint}");
        Outcome::Ran(tally + Tally::FAILURE)
    }

    /// Everything written to stdout and to stderr, as text.
    pub(crate) fn capture(mut self) -> std::io::Result<(String, String)> {
        let child = self
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&output.stdout), text(&output.stderr)))
    }

    /// How it ended, and everything written to stdout, as text; stderr goes straight through.
    pub(crate) fn capture_status(self) -> std::io::Result<(ExitStatus, String)> {
        let mut printed = String::new();
        let status = self.stream(|line| {
            printed.push_str(line);
            printed.push('\n');
        })?;
        Ok((status, printed))
    }

    /// Hands over each line of stdout; stderr goes straight through.
    fn stream(mut self, mut each: impl FnMut(&str)) -> std::io::Result<ExitStatus> {
        let mut child = self.command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let pid = child.id();
        let (done, is_done) = channel();
        let time_max = self.time_max;
        let guard = std::thread::spawn(move || kill_when_late(pid, time_max, &is_done));
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            each(String::from_utf8_lossy(&line).trim_end());
        }
        let status = child.wait();
        // Nobody listens any more if the guard has acted.
        let _ = done.send(());
        guard.join().expect("the guard does not panic");
        status
    }
}

fn kill_when_late(pid: u32, time_max: Duration, is_done: &Receiver<()>) {
    if is_done.recv_timeout(time_max) == Err(RecvTimeoutError::Timeout) {
        println!("FAILED: no end after {} s", time_max.as_secs());
        // It may have ended just now, which is as well.
        let _ = Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status();
    }
}
