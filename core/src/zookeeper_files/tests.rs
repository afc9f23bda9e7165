use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use adler2::Adler32;
use bytes::BytesMut;

use super::compression::{Compressor, SnappyReader};
use super::*;
use crate::proto::{Acl, Id, Writer};
use crate::tree::Tree;
use crate::tree::stored::{At, Rebuild, Recorded, StoredStat};

const SESSION: i64 = 0x0100_0000_0000_0001;
const OTHER: i64 = 0x0100_0000_0000_0002;
const CONTAINER: i64 = i64::MIN;
const LAST: i64 = 0x0000_0003_0000_0042;

fn stat(zxid: i64) -> StoredStat {
    StoredStat {
        czxid: zxid,
        mzxid: zxid + 1,
        ctime_ms: 1_000 + zxid,
        mtime_ms: 2_000 + zxid,
        version: 3,
        created: 9,
        aversion: 4,
        owner: 0,
        pzxid: zxid + 2,
    }
}

fn owned(zxid: i64, owner: i64) -> StoredStat {
    StoredStat {
        owner,
        created: 0,
        pzxid: zxid,
        ..stat(zxid)
    }
}

fn digest_acl() -> Vec<Acl> {
    let id = Id::new("digest", "bob:hash");
    vec![
        Acl { perms: 3, id },
        Acl {
            perms: 1,
            id: Id::new("world", "anyone"),
        },
    ]
}

type Znode<'a> = (&'a str, Option<&'a [u8]>, Vec<Acl>, StoredStat);

/// A little of everything, with a session that owns something.
fn rebuild() -> Rebuild {
    let mut rebuild = Rebuild::new();
    let open = [Acl::open()];
    rebuild.session(SESSION, 4_000);
    rebuild.session(OTHER, 30_000);
    let znodes: [Znode<'_>; 12] = [
        ("", Some(b""), open.to_vec(), stat(0)),
        ("/zookeeper", Some(b""), open.to_vec(), stat(0)),
        ("/zookeeper/quota", Some(b""), open.to_vec(), stat(0)),
        (
            "/zookeeper/config",
            Some(b"server.1"),
            digest_acl(),
            stat(0),
        ),
        ("/a", None, digest_acl(), stat(7)),
        ("/a/\u{f6}\u{4e16}", Some(b"data"), Vec::new(), stat(8)),
        ("/e", Some(b"x"), open.to_vec(), owned(9, SESSION)),
        ("/c", Some(b"x"), open.to_vec(), owned(10, CONTAINER)),
        (
            "/t",
            Some(b"x"),
            open.to_vec(),
            owned(11, (0xff << 56) | 77),
        ),
        ("/zookeeper/quota/a", Some(b""), open.to_vec(), stat(12)),
        (
            "/zookeeper/quota/a/zookeeper_limits",
            Some(b"count=9,bytes=-1"),
            open.to_vec(),
            stat(12),
        ),
        (
            "/zookeeper/quota/a/zookeeper_stats",
            Some(b"count=2,bytes=4"),
            open.to_vec(),
            stat(12),
        ),
    ];
    for (path, data, acl, stat) in &znodes {
        rebuild.znode(path, *data, acl, stat).unwrap();
    }
    rebuild
}

fn tree() -> Tree {
    rebuild().finish(LAST, session_password).unwrap().0
}

fn dump(tree: &Tree, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    let dumped = write_snapshot(tree.clone(), format, &mut out).unwrap();
    assert_eq!(dumped.bytes, out.len() as u64);
    assert_eq!((dumped.znodes, dumped.sessions), (12, 2));
    out
}

/// Wraps what a tool would put into a log.
fn entry(header: (i64, i64, i32), record: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let (session, zxid, kind) = header;
    let mut body = BytesMut::new();
    let w = &mut Writer::new(&mut body);
    w.i64(session);
    w.i32(5);
    w.i64(zxid);
    w.i64(5_000 + zxid);
    w.i32(kind);
    record(w);
    let mut sum = Adler32::new();
    sum.write_slice(&body);
    let mut out = BytesMut::new();
    let w = &mut Writer::new(&mut out);
    w.i64(i64::from(sum.checksum()));
    w.buffer(Some(&body));
    w.u8(b'B');
    out.into()
}

fn log(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0".to_vec();
    out.extend(entries.concat());
    out
}

fn create(path: &str, zxid: i64, parent_created: i32, is_ephemeral: bool) -> Vec<u8> {
    entry((SESSION, zxid, 1), |w| {
        w.text(path);
        w.buffer(Some(b"new"));
        Acl::encode_list(&[Acl::open()], w);
        w.bool(is_ephemeral);
        w.i32(parent_created);
    })
}

fn delete(path: &str, zxid: i64) -> Vec<u8> {
    entry((SESSION, zxid, 2), |w| w.text(path))
}

fn close(session: i64, zxid: i64, paths: Option<&[&str]>) -> Vec<u8> {
    entry((session, zxid, -11), |w| {
        if let Some(paths) = paths {
            w.texts(paths);
        }
    })
}

/// A directory with one snapshot and one log.
fn place(snapshot: Option<&[u8]>, log: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("version-2");
    fs::create_dir(&files).unwrap();
    if let Some(snapshot) = snapshot {
        fs::write(files.join(format!("snapshot.{LAST:x}")), snapshot).unwrap();
    }
    if !log.is_empty() {
        fs::write(files.join(format!("log.{:x}", LAST + 1)), log).unwrap();
    }
    dir
}

fn load(dir: &Path) -> Result<Loaded, FilesError> {
    read_directory(dir, dir, &Options::default(), &mut |_| {})
}

fn replayed(entries: &[Vec<u8>]) -> Loaded {
    let dir = place(Some(&dump(&tree(), Format::V3_8)), &log(entries));
    load(dir.path()).unwrap()
}

#[test]
fn a_tree_comes_back_from_a_snapshot_of_every_format() {
    let tree = tree();
    for format in [Format::V3_4, Format::V3_5, Format::V3_8, Format::V3_9] {
        let dir = place(Some(&dump(&tree, format)), &[]);
        let loaded = load(dir.path()).unwrap();
        assert_eq!(loaded.tree.digest(), tree.digest(), "{format:?}");
        assert_eq!(loaded.digests_compared, u64::from(format >= Format::V3_8));
        assert_eq!(loaded.tree.last_zxid().0, LAST);
        assert_eq!(loaded.tree.node_count(), tree.node_count());
    }
    let restored = read_snapshot(&dump(&tree, Format::V3_9)[..]).unwrap();
    assert_eq!(restored.tree.digest(), tree.digest());
    let error = read_snapshot(&dump(&tree, Format::V3_8)[..]).unwrap_err();
    assert!(error.to_string().contains("last zxid"), "{error}");
}

#[test]
fn a_snapshot_cut_anywhere_is_an_error_with_its_offset() {
    let whole = dump(&tree(), Format::V3_9);
    for cut in 0..whole.len() {
        match read_snapshot(&whole[..cut]) {
            Err(FormatError::Damaged { offset, .. }) => assert!(offset <= cut as u64),
            other => panic!("cut at {cut}: {other:?}"),
        }
    }
}

#[test]
fn a_flipped_bit_of_a_snapshot_is_found_or_says_nothing() {
    let tree = tree();
    let whole = dump(&tree, Format::V3_9);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            // The version of a digest may turn into one that is not compared.
            if let Ok(restored) = read_snapshot(&damaged[..]) {
                panic!("bit {bit} of byte {at}: {restored:?}");
            }
        }
    }
}

#[test]
fn a_log_cut_anywhere_loses_only_what_was_being_written() {
    let entries = [
        create("/a/1", LAST + 1, 10, false),
        create("/a/2", LAST + 2, 11, false),
        delete("/a/1", LAST + 3),
    ];
    let whole = log(&entries);
    let snapshot = dump(&tree(), Format::V3_8);
    for cut in 0..=whole.len() {
        for padding in [0, 64] {
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(cut + padding, 0);
            let dir = place(Some(&snapshot), &bytes);
            let expected = (1..=3).filter(|n| cut >= log(&entries[..*n]).len()).count();
            match load(dir.path()) {
                Ok(loaded) => assert_eq!(loaded.transactions, expected as u64, "cut at {cut}"),
                Err(error) => assert!(cut < 16 && padding > 0, "cut at {cut}: {error}"),
            }
        }
    }
}

#[test]
fn a_damaged_log_is_an_error_or_ends_early_and_never_panics() {
    let whole = log(&[
        entry((OTHER, LAST + 1, -10), |w| w.i32(5_000)),
        create("/a/1", LAST + 2, 10, true),
        entry((SESSION, LAST + 3, 14), |w| {
            w.length(1);
            w.i32(2);
            let mut part = BytesMut::new();
            Writer::new(&mut part).text("/a/1");
            w.buffer(Some(&part));
        }),
        close(SESSION, LAST + 4, Some(&["/e"])),
    ]);
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let Ok(mut reader) = LogReader::begin(&damaged[..]) else {
                continue;
            };
            let mut count = 0;
            while let Ok(Some(_)) = reader.next_transaction() {
                count += 1;
            }
            assert!(
                count <= 4 && (at < 16 || count < 4),
                "bit {bit} of byte {at}"
            );
        }
    }
}

#[test]
fn transactions_of_any_bytes_never_panic() {
    let seed = 0x5eed;
    let mut random = fastrand::Rng::with_seed(seed);
    let kinds = [-11, -10, -1, 1, 2, 5, 7, 13, 14, 15, 16, 19, 20, 21, 99];
    for _ in 0..20_000 {
        let mut body = BytesMut::new();
        let w = &mut Writer::new(&mut body);
        w.i64(1);
        w.i32(1);
        w.i64(2);
        w.i64(3);
        w.i32(kinds[random.usize(..kinds.len())]);
        for _ in 0..random.usize(..12) {
            match random.u8(..3) {
                0 => w.i32(random.i32(-2..6)),
                1 => w.text("/a"),
                _ => w.i32(random.i32(..)),
            }
        }
        let _ = Transaction::decode(&body);
    }
}

#[test]
fn a_length_that_lies_costs_no_memory_and_says_where() {
    let mut bytes = b"ZKSN\0\0\0\x02".to_vec();
    bytes.extend((-1_i64).to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend((200_i32 << 20).to_be_bytes());
    let error = read_snapshot(&bytes[..]).unwrap_err().to_string();
    assert!(error.contains("byte 28"), "{error}");
}

#[test]
fn a_create_that_is_there_already_raises_its_parent_and_sets_the_acl() {
    let loaded = replayed(&[create("/a/\u{f6}\u{4e16}", LAST + 1, 12, false)]);
    let parent = loaded.tree.stat("/a").unwrap();
    assert_eq!((parent.pzxid, parent.cversion), (LAST + 1, 2 * 12 - 1));
    let stat = loaded.tree.stat("/a/\u{f6}\u{4e16}").unwrap();
    assert_eq!((stat.czxid, stat.version), (8, 3), "the znode stays");
    let acl = loaded.tree.acl("/a/\u{f6}\u{4e16}").unwrap();
    assert_eq!(acl[..], [Acl::open()]);
}

#[test]
fn a_parents_count_never_goes_back() {
    let loaded = replayed(&[create("/a/1", LAST + 1, 4, false)]);
    let parent = loaded.tree.stat("/a").unwrap();
    assert_eq!((parent.pzxid, parent.cversion), (9, 2 * 9 - 2));
}

#[test]
fn a_count_that_was_not_recorded_is_one_more() {
    let old = entry((SESSION, LAST + 1, 1), |w| {
        w.text("/a/1");
        w.buffer(None);
        Acl::encode_list(&[Acl::open()], w);
        w.bool(false);
    });
    let loaded = replayed(&[old]);
    let parent = loaded.tree.stat("/a").unwrap();
    assert_eq!((parent.pzxid, parent.cversion), (LAST + 1, 2 * 10 - 2));
}

#[test]
fn a_delete_of_what_is_gone_still_raises_the_parent() {
    let loaded = replayed(&[delete("/a/gone", LAST + 1), delete("/gone/x", LAST + 2)]);
    assert_eq!(loaded.tree.stat("/a").unwrap().pzxid, LAST + 1);
    assert_eq!(loaded.tree.last_zxid().0, LAST + 2);
}

#[test]
fn a_snapshot_that_ran_ahead_is_put_right_by_the_log() {
    // The snapshot shows /a and its child as the log leaves them.
    let loaded = replayed(&[
        delete("/a/\u{f6}\u{4e16}", LAST + 1),
        delete("/a", LAST + 2),
        create("/a", LAST + 3, 20, false),
        create("/a/x", LAST + 4, 1, false),
    ]);
    let stat = loaded.tree.stat("/a").unwrap();
    assert_eq!((stat.czxid, stat.num_children), (LAST + 3, 1));
    assert_eq!((stat.cversion, stat.pzxid), (1, LAST + 4));
}

#[test]
fn a_session_takes_its_ephemerals_along() {
    for paths in [None, Some(&["/e"][..])] {
        let loaded = replayed(&[close(SESSION, LAST + 1, paths)]);
        assert!(loaded.tree.stat("/e").is_none());
        assert_eq!(loaded.tree.sessions().len(), 1);
        assert_eq!(loaded.tree.stat("/").unwrap().pzxid, LAST + 1);
    }
}

#[test]
fn a_digest_behind_a_session_without_paths_is_no_list() {
    let bytes = entry((SESSION, LAST + 1, -11), |w| {
        w.i32(2);
        w.u64(0x0000_0001_0000_0005);
    });
    let whole = log(&[bytes]);
    let mut reader = LogReader::begin(&whole[..]).unwrap();
    let transaction = reader.next_transaction().unwrap().unwrap();
    let digest = transaction.digest.unwrap();
    assert_eq!((digest.version, digest.digest), (2, 0x0000_0001_0000_0005));
}

#[test]
fn an_ephemeral_without_a_session_is_deleted_at_the_last_zxid() {
    let mut rebuild = rebuild();
    let orphan = owned(9, OTHER + 1);
    rebuild.znode("/o", None, &[], &orphan).unwrap();
    let (tree, mended) = rebuild.finish(LAST, session_password).unwrap();
    assert_eq!(mended.orphans, 1);
    assert!(tree.stat("/o").is_none() && tree.stat("/e").is_some());
    assert_eq!(tree.stat("/").unwrap().pzxid, LAST);
    assert!(tree.stat("/c").is_some() && tree.stat("/t").is_some());
    let bare = tree.clone().without_sessions();
    assert_eq!((bare.sessions().len(), bare.ephemerals_count()), (0, 0));
    assert!(bare.stat("/e").is_none() && bare.stat("/t").is_some());
    assert_eq!(bare.node_count() + 1, tree.node_count());
    assert_eq!(bare.last_zxid(), tree.last_zxid());
}

#[test]
fn a_multi_with_a_failed_part_changes_nothing() {
    let part = |kind: i32, record: &dyn Fn(&mut Writer<'_>)| {
        let mut body = BytesMut::new();
        record(&mut Writer::new(&mut body));
        (kind, body)
    };
    let gone = part(2, &|w| w.text("/c"));
    let failed = part(-1, &|w| w.i32(-101));
    let multi = |zxid, parts: &[&(i32, BytesMut)]| {
        entry((SESSION, zxid, 14), |w| {
            w.length(parts.len());
            for (kind, body) in parts {
                w.i32(*kind);
                w.buffer(Some(body));
            }
        })
    };
    let loaded = replayed(&[multi(LAST + 1, &[&gone, &failed])]);
    assert!(loaded.tree.stat("/c").is_some());
    assert_eq!(loaded.tree.last_zxid().0, LAST + 1);
    let loaded = replayed(&[multi(LAST + 1, &[&gone])]);
    assert!(loaded.tree.stat("/c").is_none());
}

#[test]
fn a_state_that_is_not_what_zookeeper_recorded_is_refused() {
    let wrong = entry((SESSION, LAST + 1, 2), |w| {
        w.text("/c");
        w.i32(2);
        w.u64(1);
    });
    let dir = place(Some(&dump(&tree(), Format::V3_8)), &log(&[wrong]));
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("--ignore-digests"), "{error}");
    let options = Options {
        ignores_digests: true,
        ..Options::default()
    };
    let loaded = read_directory(dir.path(), dir.path(), &options, &mut |_| {}).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_an_older_one() {
    let whole = dump(&tree(), Format::V3_8);
    let entries = [1, 2].map(|n| create(&format!("/n{n}"), LAST + n, 9, false));
    let dir = place(Some(&whole), &log(&entries));
    let damage = |zxid: i64| {
        let newer = dir.path().join(format!("version-2/snapshot.{zxid:x}"));
        fs::write(newer, &whole[..whole.len() / 2]).unwrap();
    };
    damage(LAST + 2);
    let loaded = load(dir.path()).unwrap();
    assert_eq!(loaded.tree.last_zxid().0, LAST + 2);
    let warning = &loaded.warnings[0];
    assert!(warning.contains("passed over"), "{warning}");
    damage(LAST + 3);
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("what came after is lost here"), "{error}");
}

#[test]
fn logs_without_a_snapshot_are_refused_unless_trusted() {
    let dir = place(None, &log(&[create("/n", 1, 1, false)]));
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("--trust-empty-snapshot"), "{error}");
    let options = Options {
        trusts_empty_snapshot: true,
        ..Options::default()
    };
    let loaded = read_directory(dir.path(), dir.path(), &options, &mut |_| {}).unwrap();
    assert!(loaded.tree.stat("/n").is_some());
    let nothing = place(None, &[]);
    assert!(load(nothing.path()).is_err());
}

/// Loads with everything that can be put up with.
fn load_anyway(dir: &Path) -> Loaded {
    let options = Options {
        ignores_gaps: true,
        ignores_digests: true,
        ..Options::default()
    };
    read_directory(dir, dir, &options, &mut |_| {}).unwrap()
}

#[test]
fn missing_transactions_are_refused_unless_told_otherwise() {
    let snapshot = dump(&tree(), Format::V3_8);
    let next_epoch = ((LAST >> 32) + 1) << 32;
    let cases = [
        (vec![LAST + 3], LAST + 1),
        (vec![LAST + 1, LAST + 3], LAST + 2),
        (vec![LAST + 1, next_epoch + 2], next_epoch + 1),
    ];
    for (zxids, missing) in cases {
        let entries = zxids.iter();
        let entries = entries.map(|zxid| create(&format!("/n{zxid}"), *zxid, 1, false));
        let dir = place(Some(&snapshot), &log(&entries.collect::<Vec<_>>()));
        let error = load(dir.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("0x{missing:x} to")), "{error}");
        assert!(error.contains("--ignore-gaps"), "{error}");
        let warnings = load_anyway(dir.path()).warnings;
        assert!(warnings[0].contains("no log has"), "{warnings:?}");
    }
    let whole = [
        create("/n", LAST + 1, 1, false),
        create("/m", next_epoch + 1, 1, false),
    ];
    assert_eq!(replayed(&whole).warnings, Vec::<String>::new());
}

#[test]
fn a_snapshot_that_ran_ahead_of_all_logs_is_refused() {
    let mut out = Vec::new();
    let snapshot = dump(&tree(), Format::V3_5);
    let mut reader = SnapshotReader::begin(&snapshot[..]).unwrap();
    let mut writer = SnapshotWriter::begin(&mut out, &[], &[]).unwrap();
    while let Some(znode) = reader.next_znode().unwrap() {
        let data = znode.data.as_deref();
        writer.znode(&znode.path, data, None, &znode.stat).unwrap();
    }
    let digest = Some(DigestStamp {
        zxid: LAST + 2,
        version: 2,
        digest: 1,
    });
    let last_zxid = None;
    writer.finish(&Trailer { digest, last_zxid }).unwrap();
    let dir = place(Some(&out), &log(&[create("/n", LAST + 1, 1, false)]));
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("the logs end at"), "{error}");
    assert!(load_anyway(dir.path()).tree.stat("/n").is_some());
}

#[test]
fn a_digest_behind_a_gap_shows_that_nothing_is_missing() {
    let zxid = LAST + 3;
    let at = At {
        zxid,
        time_ms: 5_000 + zxid,
        session: SESSION,
    };
    let mut after = rebuild();
    let path = "/c".to_owned();
    after.replay(&at, &Recorded::Delete { path }).unwrap();
    let with_digest = |digest: u64| {
        let deleted = entry((SESSION, zxid, 2), |w| {
            w.text("/c");
            w.i32(2);
            w.u64(digest);
        });
        place(Some(&dump(&tree(), Format::V3_8)), &log(&[deleted]))
    };
    let dir = with_digest(after.digest());
    assert_eq!(load(dir.path()).unwrap().warnings, Vec::<String>::new());
    let dir = with_digest(after.digest() ^ 1);
    load(dir.path()).unwrap_err();
}

#[test]
fn a_directory_without_logs_is_told_of() {
    let dir = place(Some(&dump(&tree(), Format::V3_8)), &[]);
    // Packed by somebody, which hides it from real servers, too.
    let packed = dir.path().join(format!("version-2/log.{:x}.gz", LAST + 1));
    fs::write(packed, b"anything").unwrap();
    let warnings = load(dir.path()).unwrap().warnings;
    assert!(warnings[0].contains("dataLogDir"), "{warnings:?}");
}

#[test]
fn every_changed_byte_of_a_log_is_found() {
    let entries = [
        create("/a/1", LAST + 1, 10, false),
        create("/a/2", LAST + 2, 11, false),
        delete("/a/1", LAST + 3),
    ];
    let whole = log(&entries);
    let snapshot = dump(&tree(), Format::V3_5);
    for padding in [0, 100_000] {
        let mut padded = whole.clone();
        padded.resize(whole.len() + padding, 0);
        for at in 16..whole.len() {
            for mask in [0xff, 0x01, 0x80, 0x10, whole[at]] {
                let mut damaged = padded.clone();
                damaged[at] ^= mask;
                // Without its last byte an entry was being written when the server died.
                let is_torn = mask == whole[at] && at + 1 == whole.len();
                let dir = place(Some(&snapshot), &damaged);
                match load(dir.path()) {
                    Err(error) => assert!(error.to_string().contains("byte"), "{error}"),
                    Ok(loaded) => assert!(
                        mask == 0 || is_torn && loaded.transactions == 2,
                        "byte {at} ^ {mask:#x}: {} transactions",
                        loaded.transactions
                    ),
                }
            }
        }
    }
}

#[test]
fn a_hole_in_a_log_is_no_end() {
    let entries = (1..=9).map(|n| create(&format!("/a/{n}"), LAST + n, 9 + n as i32, false));
    let entries = entries.collect::<Vec<_>>();
    let mut whole = log(&entries);
    let (from, to) = (log(&entries[..2]).len(), log(&entries[..6]).len());
    whole[from..to].fill(0);
    let dir = place(Some(&dump(&tree(), Format::V3_5)), &whole);
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(error.contains(&format!("follow at byte {to}")), "{error}");
}

/// Takes the first list out of a snapshot: it was set when the lists had been written.
fn without_first_list(snapshot: &[u8]) -> Vec<u8> {
    let mut reader = SnapshotReader::begin(snapshot).unwrap();
    let mut out = Vec::new();
    let lists = [Arc::from([])];
    let sessions = reader.sessions().to_vec();
    let mut writer = SnapshotWriter::begin(&mut out, &sessions, &lists).unwrap();
    while let Some(znode) = reader.next_znode().unwrap() {
        let list = match znode.acl.as_deref() {
            Some([]) => Some(0),
            Some(list) if list == digest_acl() => Some(9),
            _ => None,
        };
        let (data, stat) = (znode.data.as_deref(), &znode.stat);
        writer.znode(&znode.path, data, list, stat).unwrap();
    }
    writer.finish(&Trailer::default()).unwrap();
    out
}

#[test]
fn a_list_that_a_snapshot_missed_is_taken_from_the_log() {
    let set_acl = |path: &'static str, zxid| {
        entry((SESSION, zxid, 7), move |w| {
            w.text(path);
            Acl::encode_list(&digest_acl(), w);
            w.i32(5);
        })
    };
    let snapshot = without_first_list(&dump(&tree(), Format::V3_8));
    let dir = place(Some(&snapshot), &log(&[set_acl("/a", LAST + 1)]));
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("/zookeeper/config: its ACL"), "{error}");
    let both = [
        set_acl("/a", LAST + 1),
        set_acl("/zookeeper/config", LAST + 2),
    ];
    let dir = place(Some(&snapshot), &log(&both));
    let loaded = load(dir.path()).unwrap();
    for path in ["/a", "/zookeeper/config"] {
        assert_eq!(loaded.tree.acl(path).unwrap()[..], digest_acl());
    }
}

#[test]
fn a_snapshot_may_show_the_ephemeral_that_a_parent_became() {
    // In the snapshot /e is as the log leaves it.
    let before = [
        create("/e/child", LAST + 1, 1, false),
        delete("/e/child", LAST + 2),
        delete("/e", LAST + 3),
    ];
    let after = create("/e", LAST + 4, 30, true);
    let loaded = replayed(&[&before[..], &[after]].concat());
    assert_eq!(loaded.tree.stat("/e").unwrap().ephemeral_owner, SESSION);
    let dir = place(Some(&dump(&tree(), Format::V3_8)), &log(&before[..1]));
    let error = load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("/e: an ephemeral with children"), "{error}");
}

/// The digest of what a packed snapshot holds.
fn unpacked(compression: Compression, packed: &[u8]) -> Option<u64> {
    let reader: Box<dyn std::io::Read + '_> = match compression {
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        _ => Box::new(SnappyReader::new(packed)),
    };
    let reader = std::io::BufReader::with_capacity(512, reader);
    read_snapshot(reader).ok().map(|read| read.tree.digest())
}

#[test]
fn compressed_snapshots_read_like_plain_ones_and_damaged_ones_are_errors() {
    let tree = tree();
    let whole = dump(&tree, Format::V3_9);
    for compression in [Compression::Gzip, Compression::Snappy] {
        let mut packed = compression.writer(Vec::new());
        packed.write_all(&whole).unwrap();
        let packed = packed.finish().unwrap();
        for cut in 0..packed.len() {
            // Only what stands behind the data may be missing.
            let read = unpacked(compression, &packed[..cut]);
            assert!(
                read.is_none() || cut + 16 > packed.len(),
                "{compression:?} cut at {cut}"
            );
        }
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            let read = unpacked(compression, &damaged);
            assert!(
                read.is_none_or(|read| read == tree.digest()),
                "{compression:?} byte {at}"
            );
        }
        let name = format!("snapshot.{LAST:x}{}", compression.suffix());
        let dir = place(None, &[]);
        fs::write(dir.path().join("version-2").join(name), &packed).unwrap();
        assert_eq!(load(dir.path()).unwrap().tree.digest(), tree.digest());
    }
}

#[test]
fn snappy_blocks_of_any_size_come_back() {
    let seed = 7;
    let mut random = fastrand::Rng::with_seed(seed);
    for bytes in [0, 1, 32 << 10, (32 << 10) + 1, 100_000] {
        let data: Vec<u8> = (0..bytes).map(|_| random.u8(..4)).collect();
        let mut writer: Compressor<Vec<u8>> = Compression::Snappy.writer(Vec::new());
        writer.write_all(&data).unwrap();
        let packed = writer.finish().unwrap();
        let mut back = Vec::new();
        std::io::copy(&mut SnappyReader::new(&packed[..]), &mut back).unwrap();
        assert_eq!(back, data);
    }
}

#[test]
fn a_sessions_password_is_that_of_zookeeper() {
    let hex = |bytes: [u8; 16]| bytes.map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(
        hex(session_password(0x0100_0000_0000_0001)),
        "054cc74a37327db215e702e20c73f005"
    );
}

#[test]
fn lists_are_shared_in_a_snapshot() {
    let bytes = dump(&tree(), Format::V3_8);
    let mut reader = SnapshotReader::begin(&bytes[..]).unwrap();
    let mut lists: Vec<Arc<[Acl]>> = Vec::new();
    while let Some(znode) = reader.next_znode().unwrap() {
        let acl = znode.acl.unwrap();
        if !lists.iter().any(|list| Arc::ptr_eq(list, &acl)) {
            lists.push(acl);
        }
    }
    assert_eq!(lists.len(), 3);
}
