//! The README's quick starts: found by their headings, and run with the server that the README
//! starts.
//!
//! Invariant: what is run is what the README says, but for the server's address.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::process::{Run, forget_this_package, root};
use super::report::Outcome;
use super::tally::Tally;

/// The address that everything in the README names.
const ADDRESS: &str = "127.0.0.1:2181";

/// A quick start is one that is read at a glance.
const LINES_MAX: usize = 10;

/// The code under a heading, and what it prints.
pub(crate) struct Block {
    pub(crate) text: String,
    /// A line that its output must have; the README says it in a comment behind `// ` or `# `.
    expected: String,
}

impl Block {
    /// The first code behind `### <heading>`.
    pub(crate) fn of_readme(heading: &str) -> Result<Block, String> {
        let path = root().join("README.md");
        let readme =
            std::fs::read_to_string(&path).map_err(|error| format!("README.md: {error}"))?;
        let section = readme
            .split_once(&format!("\n### {heading}\n"))
            .ok_or_else(|| format!("README.md has no heading `### {heading}`"))?
            .1;
        let code = section
            .split_once("```")
            .and_then(|(_, rest)| rest.split_once('\n'))
            .and_then(|(_, rest)| rest.split_once("```"))
            .ok_or_else(|| format!("README.md has no code under `### {heading}`"))?
            .0;
        if code.lines().count() > LINES_MAX {
            return Err(format!(
                "README.md: the code under `### {heading}` has over {LINES_MAX} lines"
            ));
        }
        let comment = code.lines().rev().find_map(|line| {
            ["// ", "/* ", "  # "]
                .iter()
                .find_map(|mark| Some(line.rsplit_once(mark)?.1))
        });
        let expected = comment
            .map(|comment| comment.trim_end_matches("*/").trim().to_owned())
            .ok_or_else(|| {
                format!("README.md: the code under `### {heading}` does not say what it prints")
            })?;
        Ok(Block {
            text: code.to_owned(),
            expected,
        })
    }

    /// For a server elsewhere.
    pub(crate) fn with_server(mut self, address: &str) -> Block {
        self.text = self.text.replace(ADDRESS, address);
        self
    }

    /// Runs it as a curious reader does, twice; each time it must succeed and print what the README
    /// says.
    pub(crate) fn check(&self, run: impl Fn() -> Run) -> Outcome {
        self.check_once(run()).and_then(|| self.check_once(run()))
    }

    fn check_once(&self, run: Run) -> Outcome {
        match run.capture_status() {
            Ok((status, printed)) => {
                print!("{printed}");
                let said = printed.lines().any(|line| line.trim() == self.expected);
                match (status.success(), said) {
                    (true, true) => Outcome::Ran(Tally::default()),
                    (true, false) => {
                        Outcome::failed(&format!("it did not print `{}`", self.expected))
                    }
                    (false, _) => Outcome::failed(&format!("it ended with {status}")),
                }
            }
            Err(error) => Outcome::failed(&error.to_string()),
        }
    }
}

/// Starts a server as the README says, but for the release build and the port, in an empty folder;
/// gives its address; stops it, which must succeed.
pub(crate) fn with_readme_server(run: impl FnOnce(&str) -> Outcome) -> Outcome {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap_or_default();
    if !readme.contains("```sh\ncargo run --release\n```") {
        return Outcome::failed("README.md does not start a server by `cargo run --release`");
    }
    let folder = std::env::temp_dir().join(format!("zoowarden-readme-{}", std::process::id()));
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_this_package(&mut command);
    let started = command
        .current_dir(root())
        .args(["run", "--quiet", "--", "--client-port", "0", "--data-dir"])
        .arg(&folder)
        .stdout(Stdio::piped())
        .spawn();
    let mut server = match started {
        Ok(server) => server,
        Err(error) => return Outcome::failed(&format!("cargo run: {error}")),
    };
    let mut ready = String::new();
    let stdout = server.stdout.take().expect("stdout is piped");
    let mut stdout = BufReader::new(stdout);
    let read = stdout.read_line(&mut ready);
    let address = ready
        .split_once("clients connect to ")
        .and_then(|(_, rest)| rest.split_once(','))
        .map(|(address, _)| address.trim().to_owned());
    let outcome = match (read, address) {
        (Ok(_), Some(address)) => run(&address),
        _ => Outcome::failed(&format!("the server said {ready:?}")),
    };
    // `cargo run` has become the server.
    let told = Command::new("kill")
        .args(["-TERM", &server.id().to_string()])
        .status();
    let ended = server.wait();
    // What it wrote is of no use any more.
    let _ = std::fs::remove_dir_all(&folder);
    match (told, ended) {
        (Ok(told), Ok(ended)) if told.success() && ended.success() => outcome,
        (told, ended) => outcome.and_then(|| {
            Outcome::failed(&format!(
                "the server did not stop cleanly: {told:?}, {ended:?}"
            ))
        }),
    }
}
