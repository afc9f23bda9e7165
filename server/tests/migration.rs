//! `zoowarden import` and `zoowarden export`: what they write, refuse and say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use zoowarden::proto::Acl;
use zoowarden::tree::Tree;
use zoowarden::tree::stored::{Rebuild, StoredStat};
use zoowarden::zookeeper_files::{Format, read_directory, session_password, write_snapshot};

const SESSION: i64 = 0x0100_0000_0000_0001;
const TTL: i64 = (0xff << 56) | 1_000;
const LAST: i64 = 0x42;

fn zoowarden(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zoowarden"))
        .args(words)
        .current_dir(dir)
        .output()
        .expect("the binary was built for this test")
}

/// Runs a command that must end with `code`; what it said on both streams.
fn said(dir: &Path, words: &[&str], code: i32) -> String {
    let output = zoowarden(dir, words);
    let streams = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(streams).expect("the binary prints UTF-8");
    assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
    text
}

fn tree() -> Tree {
    let mut rebuild = Rebuild::fresh();
    rebuild.session(SESSION, 30_000);
    for (path, owner) in [("/plain", 0), ("/mine", SESSION), ("/ttl", TTL)] {
        let stat = StoredStat {
            czxid: 7,
            owner,
            ..StoredStat::default()
        };
        let added = rebuild.znode(path, Some(b"x"), &[Acl::open()], &stat);
        added.expect("the parent is the root");
    }
    let finished = rebuild.finish(LAST, session_password);
    finished
        .expect("the session has an id that sessions have")
        .0
}

/// A directory with what ZooKeeper left in `zk`.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("tests may write to the temporary directory");
    let files = dir.path().join("zk/version-2");
    fs::create_dir_all(&files).expect("the directory is the test's");
    let file = fs::File::create(files.join(format!("snapshot.{LAST:x}")));
    let file = file.expect("the directory is the test's");
    write_snapshot(tree(), Format::V3_9, file).expect("there is room");
    dir
}

fn exported(dir: &Path) -> Tree {
    let loaded = read_directory(dir, dir, &Default::default(), &mut |_| {});
    loaded.expect("an export can be read").tree
}

#[test]
fn help_teaches_by_example() {
    for (command, parts) in [
        (
            "import",
            &[
                "--from",
                "--from-logs",
                "--data-dir",
                "--config",
                "Examples:",
            ][..],
        ),
        (
            "export",
            &[
                "--to",
                "--for",
                "--compression",
                "--drop-sessions",
                "Exit codes:",
            ],
        ),
    ] {
        let help = said(Path::new("/"), &[command, "--help"], 0);
        for part in parts {
            assert!(help.contains(part), "{command} without {part}:\n{help}");
        }
    }
}

#[test]
fn a_wrong_invocation_ends_with_2() {
    let dir = place();
    for words in [
        &["import", "--from", "zk"][..],
        &["import", "--data-dir", "ours"],
        &["export", "--data-dir", "ours"],
        &[
            "export",
            "--data-dir",
            "ours",
            "--to",
            "out",
            "--for",
            "2.0",
        ],
        &[
            "export",
            "--data-dir",
            "ours",
            "--to",
            "out",
            "--for",
            "3.5",
            "--compression",
            "gz",
        ],
        &["import", "--from", "zk", "--config", "none.cfg"],
    ] {
        said(dir.path(), words, 2);
    }
}

#[test]
fn what_comes_in_goes_out_as_it_was() {
    let dir = place();
    let text = said(
        dir.path(),
        &["import", "--from", "zk", "--data-dir", "ours"],
        0,
    );
    assert!(
        text.contains("7 znodes, 1 sessions with 1 ephemerals, last zxid 0x42"),
        "{text}"
    );
    assert!(text.contains("1 digests compared"), "{text}");
    for (i, words) in [
        &[][..],
        &["--for", "3.9"],
        &["--for", "3.5"],
        &["--compression", "gz"],
        &["--compression", "snappy"],
    ]
    .iter()
    .enumerate()
    {
        let to = format!("out-{i}");
        let command = ["export", "--data-dir", "ours", "--to", &to];
        said(dir.path(), &[&command, *words].concat(), 0);
        let back = exported(&dir.path().join(to));
        assert_eq!(back.digest(), tree().digest(), "{words:?}");
    }
    let command = [
        "export",
        "--data-dir",
        "ours",
        "--to",
        "bare",
        "--drop-sessions",
    ];
    said(dir.path(), &command, 0);
    let bare = exported(&dir.path().join("bare"));
    assert_eq!(bare.sessions().len(), 0);
    assert!(bare.stat("/mine").is_none() && bare.stat("/plain").is_some());
}

#[test]
fn a_directory_that_is_not_empty_is_refused() {
    let dir = place();
    let import = ["import", "--from", "zk", "--data-dir", "ours"];
    said(dir.path(), &import, 0);
    let text = said(dir.path(), &import, 1);
    assert!(text.contains("is not empty"), "{text}");
    let text = said(
        dir.path(),
        &["export", "--data-dir", "ours", "--to", "zk"],
        1,
    );
    assert!(text.contains("is not empty: it has version-2"), "{text}");
    let into_its_own = ["import", "--from", "zk", "--data-dir", "zk"];
    said(dir.path(), &into_its_own, 0);
    assert!(
        dir.path().join("zk/version-2").is_dir(),
        "ZooKeeper's files stay"
    );
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let dir = place();
    let text = said(
        dir.path(),
        &["export", "--data-dir", "none", "--to", "out"],
        1,
    );
    assert!(
        text.contains("holds no data of a Zoowarden server"),
        "{text}"
    );
    said(
        dir.path(),
        &["import", "--from", "none", "--data-dir", "ours"],
        1,
    );
    said(
        dir.path(),
        &["import", "--from", "zk", "--data-dir", "ours"],
        0,
    );
    let old = [
        "export",
        "--data-dir",
        "ours",
        "--to",
        "out",
        "--for",
        "3.4",
    ];
    let text = said(dir.path(), &old, 1);
    assert!(
        text.contains("/ttl is a container or a TTL znode"),
        "{text}"
    );
    assert!(!dir.path().join("out").exists());
}

#[test]
fn the_logs_are_looked_for_where_the_zoo_cfg_of_the_old_server_says() {
    let dir = place();
    let at = dir.path().display();
    let text = format!("dataDir={at}/zk\ndataLogDir={at}/logs\nclientPort=2181\n");
    fs::write(dir.path().join("zoo.cfg"), text).expect("the directory is the test's");
    fs::create_dir_all(dir.path().join("logs/version-2")).expect("the directory is the test's");
    let import = ["import", "--from", "zk", "--config", "zoo.cfg"];
    let text = said(dir.path(), &import, 0);
    assert!(
        text.contains("no log in ") && text.contains("logs/version-2"),
        "{text}"
    );
}

#[test]
fn a_damaged_source_is_named_with_file_and_offset() {
    let dir = place();
    let file = dir.path().join(format!("zk/version-2/snapshot.{LAST:x}"));
    let mut bytes = fs::read(&file).expect("it was written");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&file, bytes).expect("the directory is the test's");
    let text = said(
        dir.path(),
        &["import", "--from", "zk", "--data-dir", "ours"],
        1,
    );
    assert!(text.contains("snapshot.42: damaged at byte"), "{text}");
    assert!(!dir.path().join("ours").exists());
}
