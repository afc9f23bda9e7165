//! The drop-in `libzookeeper_mt.so.2` beside Debian's: the same programs, unmodified, with one and
//! with the other, must say the same.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::Subject;
use super::files;
use super::process::{Run, cargo, root, target};
use super::report::Outcome;
use super::server::with_server;
use super::tally::{self, Tally};
use super::tools;
use super::zkcli::first_difference;

const CRATE: &str = "ffi-c/zookeeper";
const CLI: &str = "/usr/lib/zookeeper/bin/cli_mt";
const LOAD_GEN: &str = "/usr/lib/zookeeper/bin/load_gen";
const DEBIAN_LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/libzookeeper_mt.so.2";
const LOAD_ZNODES: u32 = 500;

/// The longest silence of a program that is talked to.
const LINE_TIME_MAX: Duration = Duration::from_secs(60);

/// Whose library a program runs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Library {
    Debian,
    DropIn,
}

impl Library {
    const BOTH: [Library; 2] = [Library::Debian, Library::DropIn];

    /// What the dynamic linker is told; without the drop-in's folder it finds Debian's.
    fn path(self) -> PathBuf {
        match self {
            Library::Debian => PathBuf::new(),
            Library::DropIn => prefix().join("lib"),
        }
    }
}

/// Whose headers a program is compiled with, and how: Debian's as an executable that does not move,
/// which owns copies of the library's objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Headers {
    Debian,
    Ours,
}

impl Headers {
    const BOTH: [Headers; 2] = [Headers::Debian, Headers::Ours];

    fn flags(self) -> Vec<String> {
        match self {
            Headers::Debian => vec!["-I/usr/include/zookeeper".to_owned()],
            Headers::Ours => pkg_config("--cflags"),
        }
    }

    /// The library behind the headers.
    fn link(self) -> Vec<String> {
        match self {
            Headers::Debian => ["-no-pie", "-fno-pie", "-lzookeeper_mt"]
                .map(str::to_owned)
                .to_vec(),
            Headers::Ours => pkg_config("--libs"),
        }
    }
}

/// What the installed package tells; nothing if it is not found, and then compiling fails.
fn pkg_config(what: &str) -> Vec<String> {
    let run = Run::new("pkg-config")
        .args(&[what, "zookeeper"])
        .env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    let (flags, _) = run.capture().unwrap_or_default();
    flags.split_whitespace().map(str::to_owned).collect()
}

fn folder() -> PathBuf {
    target().join("interop/legacy")
}

/// Where the package is installed.
fn prefix() -> PathBuf {
    folder().join("prefix")
}

/// Everything that needs Debian's packages. With `record`, what Debian's library makes of the
/// transcript program becomes what is expected.
pub(crate) fn legacy(subject: Subject, record: bool) -> Outcome {
    let needed = [
        tools::COMPILER,
        tools::CPP_COMPILER,
        tools::LIBZOOKEEPER,
        tools::ZOOKEEPER_BIN,
        tools::VALGRIND,
        tools::PKG_CONFIG,
        tools::CMAKE,
    ];
    if let Some(missing) = tools::missing(&needed) {
        return missing;
    }
    let built = cargo(&["build", "--workspace", "--lib"]).run_check();
    if record {
        return built
            .and_then(install)
            .and_then(|| record_transcript(subject));
    }
    built
        .and_then(install)
        .and_then(headers)
        .and_then(symbols)
        .and_then(|| transcripts(subject))
        .and_then(|| session(subject))
        .and_then(|| cli(subject))
        .and_then(|| load(subject))
        .and_then(|| memory(subject))
}

/// Puts library, headers, and what pkg-config and CMake read, where a package does and as it does.
fn install() -> Outcome {
    // What an earlier layout left must not stand in for what this one lacks.
    if let Err(error) = files::empty(&prefix()) {
        return Outcome::failed(&format!("{}: {error}", prefix().display()));
    }
    Run::new("sh")
        .args(&[root().join(CRATE).join("install.sh")])
        .args(&[prefix(), target().join("debug")])
        .run_check()
}

/// One test, told if it fails.
fn test(what: &str, difference: Option<String>) -> Outcome {
    match difference {
        None => Outcome::Ran(Tally {
            passed: 1,
            ..Tally::default()
        }),
        Some(difference) => Outcome::failed(&format!("{what}: {difference}")),
    }
}

fn all(tests: impl IntoIterator<Item = Outcome>) -> Outcome {
    let none = Outcome::Ran(Tally::default());
    tests
        .into_iter()
        .fold(none, |sum, outcome| sum.and_then(|| outcome))
}

// --- headers and symbols ---------------------------------------------------------------------------

/// Both sets of headers have the layouts we promise, and compile as C99 and C++17.
fn headers() -> Outcome {
    let languages = [("cc", "c", "-std=c99"), ("c++", "c++", "-std=c++17")];
    let strict = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only"];
    all(Headers::BOTH.map(|headers| {
        let layout = Run::new("cc")
            .args(&["-std=c11", "-DTHREADED"])
            .args(&strict)
            .args(&headers.flags())
            .args(&[format!("{CRATE}/tests/layout.c")]);
        let compile = |(compiler, language, standard): (&str, &str, &str)| {
            Run::new(compiler)
                .args(&["-x", language, standard, "-pedantic", "-DTHREADED"])
                .args(&strict)
                .args(&headers.flags())
                .args(&[format!("{CRATE}/tests/includes.h")])
                .run_check()
        };
        layout
            .run_check()
            .and_then(|| all(languages.map(compile)))
            .and_then(|| test("headers", None))
    }))
}

/// Debian's library has the symbols of our list, in the same sections; the crate's own tests compare
/// the drop-in with the list.
fn symbols() -> Outcome {
    let path = root().join(CRATE).join("tests/symbols.txt");
    let promised = std::fs::read_to_string(&path).unwrap_or_default();
    let run = Run::new("nm").args(&["-D", "--defined-only", DEBIAN_LIBRARY]);
    let (table, _) = match run.capture() {
        Ok(said) => said,
        Err(error) => return Outcome::failed(&format!("nm: {error}")),
    };
    let mut exported: Vec<String> = table.lines().filter_map(symbol).collect();
    exported.sort();
    test("symbols", first_difference(&promised, &exported.join("\n")))
}

fn symbol(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().skip(1);
    let kind = match words.next()? {
        "T" => "function",
        "R" => "number",
        _ => "object",
    };
    Some(format!("{kind} {}", words.next()?))
}

// --- our programs ----------------------------------------------------------------------------------

/// Compiles a program against one set of headers; it is linked with the library behind them.
fn compile(name: &str, sources: &[String], headers: Headers) -> Result<PathBuf, Outcome> {
    let program = folder().join(format!("{name}-{headers:?}"));
    let compiled = Run::new("cc")
        .args(&["-std=c11", "-D_GNU_SOURCE", "-DTHREADED", "-O1", "-g"])
        .args(&["-Wall", "-Wextra", "-Werror"])
        .args(&headers.flags())
        .args(sources)
        .args(&headers.link())
        .args(&["-lpthread", "-o"])
        .args(&[&program])
        .run_check();
    match compiled {
        Outcome::Ran(tally) if tally.failed == 0 => Ok(program),
        failed => Err(failed),
    }
}

fn transcript_program(headers: Headers) -> Result<PathBuf, Outcome> {
    let parts = [
        "transcript",
        "tables",
        "znodes",
        "watches",
        "losses",
        "sessions",
    ];
    let sources = parts.map(|part| format!("{CRATE}/tests/transcript/{part}.c"));
    compile("transcript", &sources, headers)
}

fn expected() -> PathBuf {
    root().join(CRATE).join("tests/expected.txt")
}

/// What a program says with a library, on stdout, to a fresh server; an error is told.
fn said(subject: Subject, command: &[&Path], library: Library) -> Result<String, Outcome> {
    let mut text = Err("the server did not start".to_owned());
    let outcome = with_server(subject, |server| {
        let run = Run::new(command[0])
            .args(&command[1..])
            .args(&[&server.address]);
        let run = run.env("LD_LIBRARY_PATH", library.path());
        text = run
            .capture()
            .map_err(|error| error.to_string())
            .map(|(stdout, stderr)| {
                if !stderr.is_empty() {
                    println!("{stderr}");
                }
                stdout
            });
        Outcome::Ran(Tally::default())
    });
    match (outcome, text) {
        (Outcome::Ran(tally), Ok(text)) if tally.failed == 0 => Ok(text),
        (Outcome::Ran(tally), Err(error)) if tally.failed == 0 => Err(Outcome::failed(&error)),
        (outcome, _) => Err(outcome),
    }
}

/// The program with either set of headers, with either library: four times the same.
fn transcripts(subject: Subject) -> Outcome {
    let expected = std::fs::read_to_string(expected()).unwrap_or_default();
    let compare = |headers: Headers, library: Library| {
        let program = match transcript_program(headers) {
            Ok(program) => program,
            Err(outcome) => return outcome,
        };
        let what = format!("the transcript with {headers:?} headers and {library:?} library");
        println!("{what}");
        match said(subject, &[&program], library) {
            Ok(said) => test(&what, first_difference(&expected, &said)),
            Err(outcome) => outcome,
        }
    };
    all(Headers::BOTH.map(|headers| all(Library::BOTH.map(|library| compare(headers, library)))))
}

fn record_transcript(subject: Subject) -> Outcome {
    let run = |program: PathBuf| said(subject, &[&program], Library::Debian);
    match transcript_program(Headers::Debian).and_then(run) {
        Ok(said) => match std::fs::write(expected(), said) {
            Ok(()) => Outcome::Ran(Tally::default()),
            Err(error) => Outcome::failed(&format!("{}: {error}", expected().display())),
        },
        Err(outcome) => outcome,
    }
}

/// The session of `cargo xtask libzookeeper`, on the drop-in, built by CMake with our package.
fn session(subject: Subject) -> Outcome {
    let build = folder().join("cmake");
    let source = root().join("tests/interop/libzookeeper/session.c");
    let configured = Run::new("cmake")
        .args(&["-S", &format!("{CRATE}/tests/cmake"), "-B"])
        .args(&[&build])
        .args(&[
            format!("-DCMAKE_PREFIX_PATH={}", prefix().display()),
            format!("-DSESSION_C={}", source.display()),
        ])
        .run_check();
    let built = configured.and_then(|| {
        Run::new("cmake")
            .args(&["--build"])
            .args(&[&build])
            .run_check()
    });
    built.and_then(|| {
        with_server(subject, |server| {
            Run::new(build.join("session"))
                .args(&[&server.address])
                .env("LD_LIBRARY_PATH", Library::DropIn.path())
                .run_tests(tally::of_plain)
        })
    })
}

/// No invalid access, and nothing lost, in all that the transcript program does.
fn memory(subject: Subject) -> Outcome {
    let flags = [
        "valgrind",
        "--quiet",
        "--error-exitcode=9",
        "--exit-on-first-error=yes",
        "--leak-check=full",
        "--show-leak-kinds=definite,indirect",
        "--errors-for-leak-kinds=definite,indirect",
        "--child-silent-after-fork=yes",
    ];
    let program = match transcript_program(Headers::Ours) {
        Ok(program) => program,
        Err(outcome) => return outcome,
    };
    let mut command: Vec<&Path> = flags.iter().map(Path::new).collect();
    command.push(&program);
    let expected = std::fs::read_to_string(expected()).unwrap_or_default();
    match said(subject, &command, Library::DropIn) {
        // An error ends the program before its last line.
        Ok(said) => test(
            "the transcript under valgrind",
            first_difference(&expected, &said),
        ),
        Err(outcome) => outcome,
    }
}

// --- Debian's programs -------------------------------------------------------------------------------

/// A program that is talked to, line by line; dropping it kills it.
struct Talk {
    child: Child,
    lines: Receiver<String>,
}

impl Talk {
    /// What it writes to stderr is heard: both of Debian's programs speak there.
    fn begin(command: &mut Command, library: Library) -> std::io::Result<Self> {
        let mut child = command
            .env("LD_LIBRARY_PATH", library.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().expect("stderr is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                // Nobody listens any more if the talk is over.
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Ok(Self { child, lines })
    }

    fn say(&mut self, line: &str) -> std::io::Result<()> {
        let stdin = self.child.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{line}")
    }

    /// Lines up to one with `mark`, or up to the end.
    fn hear(&self, mark: &str) -> Result<Vec<String>, String> {
        let mut heard = Vec::new();
        loop {
            match self.lines.recv_timeout(LINE_TIME_MAX) {
                Ok(line) => {
                    let is_last = line.contains(mark);
                    heard.push(line);
                    if is_last {
                        return Ok(heard);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(heard),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("no {mark:?} after {LINE_TIME_MAX:?}: {heard:?}"));
                }
            }
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        // Both fail only if there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `talk` with both libraries, each against a fresh server, and compares what was heard.
fn both(
    what: &str,
    subject: Subject,
    talk: fn(Library, &str) -> Result<Vec<String>, String>,
) -> Outcome {
    let mut heard = Vec::new();
    let outcome = all(Library::BOTH.map(|library| {
        with_server(subject, |server| match talk(library, &server.address) {
            Ok(lines) => {
                heard.push(lines.join("\n"));
                Outcome::Ran(Tally::default())
            }
            Err(error) => Outcome::failed(&format!("{what} with {library:?} library: {error}")),
        })
    }));
    outcome.and_then(|| {
        println!("{what}: {} lines of each", heard[0].lines().count());
        test(what, first_difference(&heard[0], &heard[1]))
    })
}

/// Debian's shell, unmodified, with `tests/interop/zookeeper-bin/cli.txt` typed.
fn cli(subject: Subject) -> Outcome {
    both("cli_mt", subject, |library, address| {
        let path = root().join("tests/interop/zookeeper-bin/cli.txt");
        let typed = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let mut talk = Talk::begin(Command::new(CLI).arg(address), library)
            .map_err(|error| format!("{CLI}: {error}"))?;
        let mut heard = Vec::new();
        for (number, line) in typed.lines().enumerate() {
            talk.say(line).map_err(|error| error.to_string())?;
            if line == "quit" {
                break;
            }
            // Its answer is written by the thread that writes all others.
            let mark = format!("/mark-{number}");
            talk.say(&format!("aget {mark}"))
                .map_err(|error| error.to_string())?;
            heard.extend(talk.hear(&mark)?);
        }
        heard.extend(talk.hear("no line has this")?);
        // Two threads write, and the order between them is nobody's promise.
        let mut lines: Vec<String> = heard.iter().map(|line| timeless(line)).collect();
        lines.sort();
        Ok(lines)
    })
}

/// A line of cli_mt without what differs from run to run: times, session ids, and how many elections
/// a server took to start, which is the upper half of a zxid.
fn timeless(line: &str) -> String {
    let starts = ["time = ", "\tctime", "\tmtime", "Got a new session id"];
    if let Some(start) = starts.iter().find(|start| line.starts_with(**start)) {
        return (*start).to_owned();
    }
    match line.split_once("zxid=") {
        Some((name, zxid)) => format!("{name}zxid={}", &zxid[zxid.len().saturating_sub(8)..]),
        None => line.to_owned(),
    }
}

/// Debian's load generator, unmodified: it creates, writes and begins to read, is stopped, and cleans
/// up after itself.
fn load(subject: Subject) -> Outcome {
    both("load_gen", subject, |library, address| {
        let told = |line: &String| {
            line.split_once("ZOO_INFO@")
                .map(|(_, text)| text.to_owned())
        };
        let begin = |last: &str| {
            Talk::begin(
                Command::new(LOAD_GEN).args([address, "/load", last]),
                library,
            )
            .map_err(|error| format!("{LOAD_GEN}: {error}"))
        };
        let mut heard = begin(&LOAD_ZNODES.to_string())?.hear("Starting the read cycle")?;
        let cleaned = begin("clean")?.hear("Successfully deleted")?;
        heard.extend(
            cleaned
                .into_iter()
                .filter(|line| line.contains("Successfully")),
        );
        let own = |line: &String| line.starts_with("main@") || line.starts_with("doCreateNodes@");
        Ok(heard.iter().filter_map(told).filter(own).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::{symbol, timeless};

    #[test]
    fn symbols_are_told_by_kind_and_name() {
        assert_eq!(
            symbol("0001 T zoo_get"),
            Some("function zoo_get".to_owned())
        );
        assert_eq!(
            symbol("0001 R ZOO_EPHEMERAL"),
            Some("number ZOO_EPHEMERAL".to_owned())
        );
        assert_eq!(
            symbol("0001 D logLevel"),
            Some("object logLevel".to_owned())
        );
        assert_eq!(symbol("nothing"), None);
    }

    #[test]
    fn times_and_sessions_are_left_out_of_what_is_compared() {
        assert_eq!(timeless("time = 12 msec"), "time = ");
        assert_eq!(
            timeless("Got a new session id: 0x1"),
            "Got a new session id"
        );
        assert_eq!(timeless("/a: rc = 0"), "/a: rc = 0");
    }
}
