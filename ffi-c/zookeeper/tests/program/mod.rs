//! C programs of the tests: compiled against the headers, run with the library that was just built.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The crate's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The library that cargo built for this test. It lies beside the test's program.
pub fn library() -> PathBuf {
    let this = std::env::current_exe().expect("a running program has a path");
    let folder = this.parent().expect("a program lies in a folder");
    folder.join("libzookeeper_mt.so")
}

/// The compiler for programs with the flags of all of them.
pub fn compiler() -> Command {
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-D_GNU_SOURCE", "-DTHREADED", "-O1"]);
    command.args(["-Wall", "-Wextra", "-Werror"]);
    for include in ["include", "include/zookeeper"] {
        command.arg("-I").arg(root().join(include));
    }
    command
}

/// Runs a command that must succeed; gives what it wrote.
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("the command can be started");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}\n{stderr}",
        output.status
    );
    stdout
}
