//! The Python package: built by cargo, put together in `target/python/package`, tested and checked
//! there by the tools of a virtual environment. Nothing is written beside the sources.

use std::path::PathBuf;

use super::Subject;
use super::files;
use super::foreign;
use super::process::{Run, cargo, root, target};
use super::report::Outcome;
use super::server;
use super::tally;
use super::tools;

/// Where Python finds the package: what goes into `PYTHONPATH`.
pub(crate) fn package() -> PathBuf {
    target().join("python/package")
}

/// pytest, mypy on all of it, and stubtest.
pub(crate) fn suite(more: &[String]) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::PYTHON]) {
        return missing;
    }
    build()
        .and_then(|| pytest(more))
        .and_then(mypy)
        .and_then(stubtest)
}

/// The bindings' contract by both Python clients, against Apache ZooKeeper.
pub(crate) fn contract() -> Outcome {
    if let Some(missing) = tools::missing(&[tools::PYTHON]) {
        return missing;
    }
    build().and_then(|| {
        server::with_server(Subject::Reference, |server| {
            tool("python")
                .env("PYTHONPATH", package())
                .env("ZOOWARDEN_CONTRACT_HOSTS", &server.address)
                .args(&["-m", "pytest", "-p", "no:cacheprovider"])
                .args(&["tests/test_contract.py"])
                .run_tests(tally::of_pytest)
        })
    })
}

/// kazoo's own suite over `zoowarden.compat.kazoo`; `more` goes to pytest.
pub(crate) fn kazoo(more: &[String]) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::KAZOO]) {
        return missing;
    }
    build().and_then(|| foreign::kazoo(Subject::Zoowarden, foreign::Over::Facade, more))
}

/// The extension and the sources, side by side as an installed package has them.
fn build() -> Outcome {
    // The whole workspace's features, so that nothing is built a second time.
    cargo(&["build", "--workspace", "--lib"])
        .run_check()
        .and_then(|| match put_together() {
            Ok(()) => Outcome::Ran(tally::Tally::default()),
            Err(error) => Outcome::failed(&format!("{}: {error}", package().display())),
        })
}

fn put_together() -> std::io::Result<()> {
    let package = package();
    files::empty(&package)?;
    files::copy(
        &root().join("bindings-python/python/zoowarden"),
        &package.join("zoowarden"),
    )?;
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let built = target().join(format!("debug/{prefix}_zoowarden{suffix}"));
    std::fs::copy(built, package.join("zoowarden/_zoowarden.abi3.so"))?;
    Ok(())
}

fn tool(name: &str) -> Run {
    Run::new(target().join("python/venv/bin").join(name))
        .folder(&root().join("bindings-python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
}

fn pytest(more: &[String]) -> Outcome {
    tool("python")
        .env("PYTHONPATH", package())
        .args(&["-m", "pytest", "-p", "no:cacheprovider", "--durations=5"])
        .args(more)
        .run_tests(tally::of_pytest)
}

fn mypy() -> Outcome {
    tool("mypy")
        .args(&["--config-file", "pyproject.toml", "--cache-dir"])
        .args(&[target().join("python/mypy")])
        .run_check()
}

/// Compares the stubs with what the extension really has.
fn stubtest() -> Outcome {
    tool("stubtest")
        .folder(&target().join("python"))
        .env("MYPYPATH", package())
        .env("PYTHONPATH", package())
        .args(&["zoowarden", "--mypy-config-file"])
        .args(&[root().join("bindings-python/pyproject.toml")])
        .run_check()
}
