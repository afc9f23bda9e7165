//! C programs that use the whole interface, against a server in this process.

mod program;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use program::{compiler, library, root, run};
use zoowarden::node::{Node, NodeConfig};
use zoowarden::server::config::Config;

/// `tests/expected.txt` is what Debian's library prints; `cargo xtask legacy` compares the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_does_everything_meets_what_it_meets_with_the_original_library() {
    let said = run_against_a_server("transcript").await;
    let path = root().join("tests/expected.txt");
    let expected = std::fs::read_to_string(&path).expect("it is there");
    for (number, (said, expected)) in said.lines().zip(expected.lines()).enumerate() {
        assert_eq!(said, expected, "line {}", number + 1);
    }
    assert_eq!(said.lines().count(), expected.lines().count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misuse_is_answered_with_a_code_and_nothing_is_left_behind() {
    let said = run_against_a_server("abuse").await;
    assert!(said.ends_with(" passed, 0 failed\n"), "{said}");
}

/// A folder with the library under the name that programs look for, and under that of the linker.
fn installed(name: &str) -> PathBuf {
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

/// Compiles all C files of a folder of the tests, and runs the program against a server of its own.
async fn run_against_a_server(folder: &str) -> String {
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
