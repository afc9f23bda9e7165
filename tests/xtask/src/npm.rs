//! The npm package: built by cargo and the TypeScript compiler, put together and tested in
//! `target/npm/package`. Nothing is written beside the sources, unless `--write` asks for it.

use std::path::{Path, PathBuf};

use super::Subject;
use super::files::copy;
use super::package::Build;
use super::process::{Run, cargo, root, target};
use super::report::Outcome;
use super::server;
use super::tally::{self, Tally};
use super::tools;

/// The compiler as npm installs it.
const TSC: &str = "node_modules/typescript/bin/tsc";

/// What of the sources makes the package and its tests.
const SOURCES: [&str; 9] = [
    "README.md",
    "native.d.ts",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "bench",
    "scripts",
    "test",
    "ts",
];

/// All suites. With `--write` among `more`, the declarations of the native half are written down
/// anew first instead of being compared.
pub(crate) fn suite(more: &[String]) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::NODE, tools::NPM]) {
        return missing;
    }
    let write = more.iter().any(|word| word == "--write");
    build(write).and_then(|| test(&[], |_| true))
}

/// The bindings' contract, played against Apache ZooKeeper.
pub(crate) fn contract() -> Outcome {
    if let Some(missing) = tools::missing(&[tools::NODE, tools::NPM]) {
        return missing;
    }
    build(false).and_then(|| {
        server::with_server(Subject::Reference, |server| {
            let hosts = ("ZOOWARDEN_CONTRACT_HOSTS", server.address.as_str());
            test(&[hosts], |name| name == "contract.test.js")
        })
    })
}

/// Where the package is put together.
pub(crate) fn package() -> PathBuf {
    target().join("npm/package")
}

fn in_package(program: &str) -> Run {
    Run::new(program).folder(&package())
}

/// What the macros wrote down while the add-on was compiled.
fn declarations() -> PathBuf {
    target().join("debug/zoowarden-node-declarations/zoowarden-node")
}

fn build(write: bool) -> Outcome {
    // The whole workspace's features, so that nothing is built a second time.
    let built = cargo(&["build", "--workspace", "--lib"]).run_check();
    built
        .and_then(|| declare(write))
        .and_then(|| compiled(Build::Debug))
        .and_then(|| compile("test/tsconfig.json"))
}

/// The package as it is published, in its place; the add-on must have been built.
pub(crate) fn compiled(build: Build) -> Outcome {
    let installed = match put_together(build) {
        Ok(()) => install(),
        Err(error) => Outcome::failed(&format!("{}: {error}", package().display())),
    };
    installed.and_then(|| compile("tsconfig.json"))
}

/// Compares the declarations that are checked in, or writes them.
fn declare(write: bool) -> Outcome {
    let check: &[&str] = if write { &[] } else { &["--check"] };
    Run::new("node")
        .args(&["bindings-node/scripts/declarations.mjs"])
        .args(&[declarations()])
        .args(check)
        .run_check()
}

/// Sources and add-on side by side. What was installed and compiled before stays.
fn put_together(build: Build) -> std::io::Result<()> {
    let (from, to) = (root().join("bindings-node"), package());
    for name in ["build", "bench", "scripts", "test", "ts", "dist"] {
        if to.join(name).exists() {
            std::fs::remove_dir_all(to.join(name))?;
        }
    }
    for name in SOURCES {
        copy(&from.join(name), &to.join(name))?;
    }
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let add_on = build
        .folder()
        .join(format!("{prefix}zoowarden_node{suffix}"));
    // Replaced, not overwritten: a process that has it loaded keeps the old one.
    let fresh = to.join("zoowarden.new");
    std::fs::copy(add_on, &fresh)?;
    std::fs::rename(fresh, to.join("zoowarden.node"))
}

/// The compiler and Node's types, as the lock file has them.
fn install() -> Outcome {
    let lock = package().join("package-lock.json");
    let installed = package().join("node_modules/installed");
    if same(&lock, &installed) && package().join(TSC).exists() {
        return Outcome::Ran(Tally::default());
    }
    let install = in_package("npm")
        .args(&["ci", "--silent", "--no-audit", "--no-fund"])
        .run_check();
    install.and_then(|| match std::fs::copy(&lock, &installed) {
        Ok(_) => Outcome::Ran(Tally::default()),
        Err(error) => Outcome::failed(&format!("{}: {error}", installed.display())),
    })
}

fn same(a: &Path, b: &Path) -> bool {
    match (std::fs::read(a), std::fs::read(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn compile(project: &str) -> Outcome {
    in_package("node")
        .args(&[TSC, "--project", project])
        .run_check()
}

/// Runs the suites whose file names are `wanted`.
fn test(env: &[(&str, &str)], wanted: fn(&str) -> bool) -> Outcome {
    let folder = package().join("build/test");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(Result::ok),
        Err(error) => return Outcome::failed(&format!("{}: {error}", folder.display())),
    };
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut suites: Vec<String> = names
        .filter(|name| name.ends_with(".test.js") && wanted(name))
        .map(|name| format!("build/test/{name}"))
        .collect();
    suites.sort();
    let run = in_package("node")
        .env("ZOOWARDEN_DECLARATIONS", declarations())
        .env(
            "ZOOWARDEN_CONTRACT",
            root().join("tests/bindings/contract.json"),
        )
        .args(&["--test", "--test-reporter=spec", "--expose-gc"])
        .args(&suites);
    let run = env
        .iter()
        .fold(run, |run, (key, value)| run.env(key, value));
    run.run_tests(tally::of_node)
}
