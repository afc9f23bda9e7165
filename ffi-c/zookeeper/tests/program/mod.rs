//! C programs of the tests: compiled against the headers, run with the library that was just built.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use zoowarden::node::{Node, NodeConfig};
use zoowarden::server::config::Config;

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

/// A folder with the library under the name that programs look for, and under that of the linker.
pub fn installed(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("the tests' folder can be written");
    for link in ["libzookeeper_mt.so.2", "libzookeeper_mt.so"] {
        let link = folder.join(link);
        // It may be there from the last run.
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(library(), &link).expect("a link can be made");
    }
    folder
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

/// Compiles all C files of a folder of the tests, and runs the program against a server of its own.
pub async fn run_against_a_server(folder: &str) -> String {
    let libraries = installed(folder);
    let program = libraries.join("program");
    let sources = std::fs::read_dir(root().join("tests").join(folder)).expect("it is there");
    let sources = sources.map(|entry| entry.expect("it can be read").path());
    let sources = sources.filter(|path| path.extension().is_some_and(|ending| ending == "c"));
    run(compiler()
        .args(sources)
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(&libraries)
        .args(["-lzookeeper_mt", "-lpthread"]));
    let (node, address) = server().await;
    let mut command = Command::new(program);
    command
        .arg(address.to_string())
        .env("LD_LIBRARY_PATH", &libraries);
    let said = tokio::task::spawn_blocking(move || run(&mut command)).await;
    node.shutdown().await;
    said.expect("the program ran")
}

/// A server in memory with the limits of one that is run alone.
async fn server() -> (Node, SocketAddr) {
    let mut other = Config::default();
    other.ttl.extended_types_enabled = true;
    other.client_cnxns_per_ip_max = None;
    let config = NodeConfig {
        tick_ms: 2_000,
        session_timeout_ms_min: 4_000,
        client_address: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()),
        other,
        ..NodeConfig::default()
    };
    let node = Node::start(config).await.expect("the server starts");
    let address = node.client_address().expect("it listens");
    (node, address)
}
