//! The npm package: its add-on built, its TypeScript compiled, its tests run.

use std::path::{Path, PathBuf};

use super::process::{Run, cargo, root, target};
use super::report::Outcome;
use super::tally::{self, Tally};
use super::tools;

/// The compiler as npm installs it.
const TSC: &str = "node_modules/typescript/bin/tsc";

/// With `--write` among `more`, writes the declarations of the native half down instead of
/// comparing them.
pub(crate) fn npm(more: &[String]) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::NODE, tools::NPM]) {
        return missing;
    }
    let write = more.iter().any(|word| word == "--write");
    let installed = || {
        if package().join(TSC).exists() {
            return Outcome::Ran(Tally::default());
        }
        in_package("npm")
            .args(&["ci", "--silent", "--no-audit", "--no-fund"])
            .run_check()
    };
    let declared = || {
        let check: &[&str] = if write { &[] } else { &["--check"] };
        in_package("node")
            .args(&["scripts/declarations.mjs"])
            .args(&[declarations()])
            .args(check)
            .run_check()
    };
    add_on()
        .and_then(installed)
        .and_then(declared)
        .and_then(|| compile("tsconfig.json"))
        .and_then(|| compile("test/tsconfig.json"))
        .and_then(test)
}

fn package() -> PathBuf {
    root().join("bindings-node")
}

fn in_package(program: &str) -> Run {
    Run::new(program).folder(&package())
}

/// What the macros wrote down while the add-on was compiled.
fn declarations() -> PathBuf {
    target().join("debug/zoowarden-node-declarations/zoowarden-node")
}

/// Builds the add-on and puts it where the package looks for it.
fn add_on() -> Outcome {
    // The whole workspace's features, so that the Rust suites and this share what they build.
    let built = cargo(&["build", "--workspace", "--lib"]).run_check();
    built.and_then(|| {
        let library = format!(
            "debug/{}zoowarden_node{}",
            std::env::consts::DLL_PREFIX,
            std::env::consts::DLL_SUFFIX
        );
        let placed = place(&target().join(library), &package().join("zoowarden.node"));
        match placed {
            Ok(()) => Outcome::Ran(Tally::default()),
            Err(error) => Outcome::failed(&format!("the add-on cannot be copied: {error}")),
        }
    })
}

/// Replaced, not overwritten: a process that has it loaded keeps the old one.
fn place(from: &Path, to: &Path) -> std::io::Result<()> {
    let fresh = to.with_extension("new");
    std::fs::copy(from, &fresh)?;
    std::fs::rename(&fresh, to)
}

fn compile(project: &str) -> Outcome {
    in_package("node")
        .args(&[TSC, "--project", project])
        .run_check()
}

fn test() -> Outcome {
    let folder = package().join("build/test");
    let files = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())),
        Err(error) => return Outcome::failed(&format!("{}: {error}", folder.display())),
    };
    let mut suites: Vec<PathBuf> = files
        .filter(|path| path.to_string_lossy().ends_with(".test.js"))
        .collect();
    suites.sort();
    in_package("node")
        .env("ZOOWARDEN_DECLARATIONS", declarations())
        .args(&["--test", "--test-reporter=spec", "--expose-gc"])
        .args(&suites)
        .run_tests(tally::of_node)
}
