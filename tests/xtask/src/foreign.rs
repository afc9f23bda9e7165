//! The suites of clients that others wrote: each brought to a server and counted.

use std::net::{Ipv4Addr, TcpListener};

use super::Subject;
use super::process::{Run, root, target};
use super::python;
use super::report::Outcome;
use super::server::{self, reference_classpath, with_server};
use super::tally::{self, Tally};
use super::tools;

/// The version that our `srvr` tells.
const ZOOWARDEN_SPEAKS: &str = "3.9.3";

/// The ports that a block of kazoo's harness has.
const KAZOO_PORT_SPAN: u16 = 30;

/// Past this many failures the rest says nothing new and takes long.
const KAZOO_FAILURES_MAX: u32 = 20;
const KAZOO_TEST_SECONDS_MAX: u32 = 120;

/// `tests/interop/libzookeeper/session.c`, compiled and run.
pub(crate) fn libzookeeper(subject: Subject) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::COMPILER, tools::LIBZOOKEEPER]) {
        return missing;
    }
    let folder = target().join("interop/libzookeeper");
    if let Err(error) = std::fs::create_dir_all(&folder) {
        return Outcome::failed(&format!("{}: {error}", folder.display()));
    }
    let program = folder.join("session");
    let flags = ["-Wall", "-Wextra", "-Werror", "-O1", "-DTHREADED", "-o"];
    let compiled = Run::new("cc")
        .args(&flags)
        .args(&[&program])
        .args(&[
            "tests/interop/libzookeeper/session.c",
            "-lzookeeper_mt",
            "-lpthread",
        ])
        .run_check();
    compiled.and_then(|| {
        with_server(subject, |server| {
            Run::new(&program)
                .args(&[&server.address])
                .run_tests(tally::of_plain)
        })
    })
}

/// `tests/interop/node/session.js`.
pub(crate) fn node(subject: Subject) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::NODE_CLIENT]) {
        return missing;
    }
    with_server(subject, |server| {
        Run::new("node")
            .env("NODE_PATH", target().join("interop/node/node_modules"))
            .args(&["tests/interop/node/session.js", &server.address])
            .run_tests(tally::of_plain)
    })
}

/// `tests/interop/go/session.go`, built against a released go-zk.
pub(crate) fn go(subject: Subject) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::GO]) {
        return missing;
    }
    let folder = target().join("interop/go");
    let program = folder.join("session");
    let built = Run::new("go")
        .folder(&root().join("tests/interop/go"))
        .env("GOPATH", &folder)
        .env("GOFLAGS", "-mod=readonly -modcacherw")
        .args(&["build", "-o"])
        .args(&[&program])
        .run_check();
    built.and_then(|| {
        with_server(subject, |server| {
            Run::new(&program)
                .args(&[&server.address])
                .run_tests(tally::of_plain)
        })
    })
}

/// `tests/interop/curator/Session.java`, compiled and run with Curator's jars.
pub(crate) fn curator(subject: Subject) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::JAVA, tools::JAVAC, tools::CURATOR]) {
        return missing;
    }
    let folder = target().join("interop/curator");
    let classes = folder.join("classes");
    let classpath = format!("{}:{}/lib/*", classes.display(), folder.display());
    let compiled = Run::new("javac")
        .args(&[
            "-Xlint:deprecation,rawtypes,unchecked",
            "-Werror",
            "-cp",
            &classpath,
            "-d",
        ])
        .args(&[&classes])
        .args(&["tests/interop/curator/Session.java"])
        .run_check();
    compiled.and_then(|| {
        with_server(subject, |server| {
            Run::new("java")
                .args(&["-cp", &classpath, "Session", &server.address])
                .run_tests(tally::of_plain)
        })
    })
}

/// What carries kazoo's suite to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// kazoo itself.
    Kazoo,
    /// `zoowarden.compat.kazoo`, with a list of its own of what does not apply.
    Facade,
}

impl Over {
    /// kazoo's harness puts its servers on fixed ports from an offset on; these lie below the
    /// ephemeral range, and the first block that is free is taken. Both suites run at once, and a
    /// block looks free while its servers start anew: none may serve both.
    fn ports(self) -> [u16; 2] {
        match self {
            Self::Kazoo => [20000, 21000],
            Self::Facade => [22000, 23000],
        }
    }
}

/// The suite that kazoo carries, unmodified; `more` goes to pytest.
pub(crate) fn kazoo(subject: Subject, over: Over, more: &[String]) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::KAZOO]) {
        return missing;
    }
    let offset = over
        .ports()
        .into_iter()
        .find(|offset| ports_are_free(*offset));
    let Some(offset) = offset else {
        return Outcome::failed("no free block of ports for kazoo's servers");
    };
    // A server that does not even start would fail each test by its own time limit.
    let smoke = with_server(subject, |_| Outcome::Ran(Tally::default()));
    smoke.and_then(|| pytest(offset, subject, over, more))
}

fn pytest(offset: u16, subject: Subject, over: Over, more: &[String]) -> Outcome {
    let ours = root().join("tests/interop/kazoo");
    let facade = root().join("bindings-python/tests/kazoo_suite");
    let path = std::env::var("PATH").unwrap_or_default();
    let (plugins, modules): (&[&str], _) = match over {
        Over::Kazoo => (&["-p", "zoowarden_skips"], vec![ours.clone()]),
        // The facade takes kazoo's place before the list is looked at.
        Over::Facade => (
            &["-p", "zoowarden_facade", "-p", "zoowarden_skips"],
            vec![facade.clone(), ours.clone(), python::package()],
        ),
    };
    let modules = std::env::join_paths(modules).expect("no path of ours has a colon");
    let run = Run::new(target().join("interop/venv/bin/python"))
        .folder(&target().join("interop"))
        .env("PATH", format!("{}:{path}", ours.join("bin").display()))
        .env("PYTHONPATH", modules)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONWARNINGS", "ignore")
        // Runs the tests that kazoo keeps for its own CI, too.
        .env("CI", "true")
        .env("ZOOWARDEN_BIN", server::binary())
        .env("ZOOKEEPER_CLASSPATH", reference_classpath(""))
        .env("ZOOKEEPER_PORT_OFFSET", offset.to_string())
        .args(&["-m", "pytest", "-p", "no:cacheprovider", "-ra"])
        .args(plugins)
        .args(&["--tb=short", "--durations=5"])
        .args(&[format!("--timeout={KAZOO_TEST_SECONDS_MAX}")])
        .args(&[format!("--maxfail={KAZOO_FAILURES_MAX}")])
        .args(&["--pyargs", "kazoo.tests"])
        .args(more);
    let run = match over {
        Over::Kazoo => run,
        Over::Facade => run.env("ZOOWARDEN_SKIPS", facade.join("skips.txt")),
    };
    let run = match subject {
        Subject::Zoowarden => run.env("ZOOKEEPER_VERSION", ZOOWARDEN_SPEAKS),
        Subject::Reference => run
            .env("ZOOKEEPER_VERSION", server::reference_version())
            .env("ZOOWARDEN_REFERENCE", "/usr/bin/java")
            .env("ZOOWARDEN_RUN_SKIPPED", "1"),
    };
    run.run_tests(tally::of_pytest)
}

fn ports_are_free(offset: u16) -> bool {
    (offset..offset + KAZOO_PORT_SPAN)
        .all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}
