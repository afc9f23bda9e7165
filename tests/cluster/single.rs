//! One server alone: what a crash, a torn write, a damaged disk and a second start may do.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::mode;
use zoowarden_tests::process::Process;
use zoowarden_tests::wait::{SOON, until};

const ROUNDS: usize = 10;
const WRITERS: usize = 4;
const ONLY: u8 = 1;

/// kill -9 under load, again and again: every acknowledged write is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_server_keeps_every_acknowledged_write() {
    let mut ensemble = Ensemble::start(Plan::of(1)).await;
    let load = Load::start(&ensemble, &[ONLY], WRITERS).await;
    for _ in 0..ROUNDS {
        load.expect_down(ONLY);
        ensemble.kill(ONLY);
        ensemble.start_server(ONLY);
        ensemble.wait_until_serving(ONLY).await;
        load.expect_up(ONLY);
        load.wait_until_home(WRITERS).await;
        load.wait_for_progress(100).await;
    }
    let books = load.finish().await;
    println!("{} writes acknowledged", books.total());
    books.check(ensemble.address(ONLY)).await;
    books.check_ephemerals(ensemble.address(ONLY)).await;
}

/// The segment a short log is in; the next one is reserved and empty.
fn segment(ensemble: &Ensemble) -> PathBuf {
    let entries = std::fs::read_dir(ensemble.data_dir(ONLY))
        .unwrap()
        .flatten();
    let segments = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("log.")
    });
    let written = segments.max_by_key(|path| end_of_writing(path));
    written.expect("a server that has run has a log")
}

/// The position behind the last byte that was written: segments are reserved ahead, as zeros.
fn end_of_writing(file: &Path) -> u64 {
    let bytes = std::fs::read(file).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last as u64 + 1)
}

/// Flips a byte in the middle of what was written to a segment; doing it again repairs it.
pub(crate) fn flip_a_byte_in_the_middle(file: &Path) -> u64 {
    let middle = end_of_writing(file) / 2;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    byte[0] ^= 0xff;
    file.write_all_at(&byte, middle).unwrap();
    middle
}

async fn written_and_killed() -> (Ensemble, zoowarden_tests::load::Books) {
    let mut ensemble = Ensemble::start(Plan::of(1)).await;
    let load = Load::start(&ensemble, &[ONLY], WRITERS).await;
    load.wait_for_progress(200).await;
    let books = load.finish().await;
    ensemble.kill(ONLY);
    (ensemble, books)
}

/// What a crash left half written behind the last acknowledged write is cut off, and the operator
/// is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torn_tail_is_cut_and_logged() {
    let (mut ensemble, books) = written_and_killed().await;
    let file = segment(&ensemble);
    let before = std::fs::read(&file).unwrap();
    ensemble.start_server(ONLY);
    ensemble.wait_until_serving(ONLY).await;
    let client = Client::open(ensemble.address(ONLY), SOON).await.unwrap();
    let large = vec![7; 200_000];
    client
        .create("/torn", &large, mode::PERSISTENT)
        .await
        .unwrap();
    ensemble.kill(ONLY);
    // As if the power had gone in the middle of the large write: its second half never came.
    let after = std::fs::read(&file).unwrap();
    let differ = (0..after.len()).filter(|at| before.get(*at) != Some(&after[*at]));
    let middle = differ.clone().nth(differ.count() / 2).unwrap();
    let torn = [&after[..middle], &before[middle..]].concat();
    std::fs::write(&file, torn).unwrap();
    ensemble.start_server(ONLY);
    ensemble.wait_until_serving(ONLY).await;
    books.check(ensemble.address(ONLY)).await;
    let client = Client::open(ensemble.address(ONLY), SOON).await.unwrap();
    assert_eq!(client.exists("/torn", false).await, Ok(None));
    let log = ensemble.log(ONLY);
    let told = log.lines().find(|line| line.contains("cut a torn tail"));
    let told = told.expect("the operator is told");
    assert!(told.contains(&file.display().to_string()), "{told}");
}

/// A damaged byte below what was acknowledged: the server says where and does not start; nothing
/// is dropped silently, and repairing the byte brings everything back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_log_refuses_to_start_with_file_and_offset() {
    let (mut ensemble, books) = written_and_killed().await;
    let file = segment(&ensemble);
    flip_a_byte_in_the_middle(&file);
    let before = contents(&ensemble.data_dir(ONLY));
    let logged = ensemble.log(ONLY).len();
    ensemble.start_server(ONLY);
    let status = ensemble.wait_until_ended(ONLY).await;
    let said = ensemble.log(ONLY)[logged..].to_owned();
    assert_eq!(status.code(), Some(1), "{said}");
    let place = format!("{}, byte ", file.display());
    assert!(said.contains(&place), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        contents(&ensemble.data_dir(ONLY)) == before,
        "something was changed"
    );

    flip_a_byte_in_the_middle(&file);
    ensemble.start_server(ONLY);
    ensemble.wait_until_serving(ONLY).await;
    books.check(ensemble.address(ONLY)).await;
}

/// Every file below a directory but the lock, which names whoever tried last, and sockets, which
/// hold nothing.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            contents.extend(self::contents(&path));
        } else if path.is_file() && entry.file_name() != "lock" {
            let bytes = std::fs::read(&path).unwrap();
            contents.insert(path, bytes);
        }
    }
    contents
}

/// Starts the binary in `dir` with `arguments` and tells how it ended: code, stdout, stderr.
async fn ends(dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut process = Process::start(dir, arguments);
    let status = until("the server gives up", SOON, async || process.ended()).await;
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_default();
    (status.code(), read("stdout"), read("log"))
}

/// A taken port: one line, code 1, and not even a directory is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taken_port_is_one_line_and_touches_nothing() {
    let _turn = zoowarden_tests::wait::turn().await;
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, stdout, said) = ends(dir.path(), &["--client-port", &port]).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
    assert!(!dir.path().join("data").exists());
}

/// A data directory that nobody may make: one line, code 1, and it is not made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_directory_is_one_line_if_it_may_not_be_made() {
    let _turn = zoowarden_tests::wait::turn().await;
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--client-port", "0", "-Dzookeeper.datadir.autocreate=false"];
    let (code, stdout, said) = ends(dir.path(), &arguments).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("data does not exist"), "{said}");
    assert!(!dir.path().join("data").exists());
}

/// A directory that another running server uses: one line, code 1, and the other goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directory_in_use_is_one_line_and_touches_nothing() {
    let ensemble = Ensemble::start(Plan::of(1)).await;
    let client = Client::open(ensemble.address(ONLY), SOON).await.unwrap();
    client.create("/kept", b"", mode::PERSISTENT).await.unwrap();
    let data = ensemble.data_dir(ONLY);
    let names = |data| contents(data).into_keys().collect::<Vec<_>>();
    let (before, lock) = (names(&data), std::fs::read(data.join("lock")).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let data_text = data.display().to_string();
    let arguments = ["--client-port", "0", "--data-dir", &data_text];
    let (code, stdout, said) = ends(dir.path(), &arguments).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&data_text), "{said}");
    assert_eq!(names(&data), before);
    assert_eq!(std::fs::read(data.join("lock")).unwrap(), lock);
    client
        .create("/still", b"", mode::PERSISTENT)
        .await
        .unwrap();
}

/// Without any configuration: ready, with one line that says where everything is; stopped by
/// SIGTERM with code 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fresh_server_says_where_it_is_and_stops_cleanly() {
    let _turn = zoowarden_tests::wait::turn().await;
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let mut process = Process::start(dir.path(), &["--client-port", "0"]);
    let line = until("the server is ready", SOON, async || {
        let stdout = std::fs::read_to_string(dir.path().join("stdout")).ok()?;
        stdout.strip_suffix('\n').map(str::to_owned)
    })
    .await;
    println!("ready after {:?}", start.elapsed());
    let data = dir.path().canonicalize().unwrap().join("data");
    assert!(line.contains(" ready: "), "{line}");
    assert!(
        line.ends_with(&format!("data in {}", data.display())),
        "{line}"
    );
    let address = line
        .split_whitespace()
        .find_map(|word| word.trim_end_matches(',').parse().ok());
    let address = address.expect("the line says where clients connect");
    let client = Client::open(address, SOON).await.unwrap();
    client
        .create("/first", b"", mode::PERSISTENT)
        .await
        .unwrap();
    process.signal(zoowarden_tests::process::Signal::TERM);
    let status = until("the server stops", SOON, async || process.ended()).await;
    assert!(status.success(), "{status}");
}
