//! Which files of a data directory count, and the state they add up to.
//!
//! The newest snapshot that reads without an error, then every transaction behind it, from the log
//! that begins at or before it on. Source: `FileTxnSnapLog.restore`, `FileSnap.deserialize`,
//! reference/file-formats.md §1, §3, §4.

use std::fs::{self, File};
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::dump::{fill, session_password, stored};
use super::{Compression, DigestStamp, FilesError, FormatError, LogReader, SnapshotReader};
use super::{Transaction, log::check_end, snapshot::DIGEST_VERSION};
use crate::tree::Tree;
use crate::tree::stored::Rebuild;

const VERSION_DIR: &str = "version-2";
const SNAPSHOT: &str = "snapshot.";
const LOG: &str = "log.";
/// Snapshots that are tried, the newest first.
const SNAPSHOTS_TRIED_MAX: usize = 100;
/// Bytes in front of the first transaction of a log.
const LOG_HEADER_BYTES: u64 = 16;
/// Bytes read from a log at once.
const READ_BYTES: usize = 256 << 10;
/// Progress is told each time so many znodes or transactions were read.
const TELL_EVERY: u64 = 20_000;

/// What to put up with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Begin with an empty tree when there are logs and no snapshot, as `snapshot.trust.empty`.
    pub trusts_empty_snapshot: bool,
    /// Go on when the state differs from the digest that ZooKeeper recorded of it.
    pub ignores_digests: bool,
    /// Go on when the logs lack transactions between others.
    pub ignores_gaps: bool,
}

/// How far reading has come.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// Znodes read from a snapshot.
    Znodes(&'a Path, u64),
    /// Transactions replayed, all logs together.
    Transactions(&'a Path, u64),
}

/// A state, and how it came about.
#[derive(Debug)]
pub struct Loaded {
    /// Everything. Sessions have the passwords that ZooKeeper gives them; nobody is attached.
    pub tree: Tree,
    /// The snapshot it began with.
    pub snapshot: Option<PathBuf>,
    /// Transactions replayed on top.
    pub transactions: u64,
    /// Digests recorded by ZooKeeper that were compared.
    pub digests_compared: u64,
    /// Ephemerals of sessions that do not exist, which were left out.
    pub orphans: usize,
    /// What somebody should know.
    pub warnings: Vec<String>,
}

/// Reads the state of a stopped server from its `dataDir` and `dataLogDir`. Blocks.
pub fn read_directory(
    data_dir: &Path,
    log_dir: &Path,
    options: &Options,
    tell: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, FilesError> {
    let (snapshots, logs) = Catalogue::both(data_dir, log_dir)?;
    let mut warnings = Vec::new();
    let base = match newest(&snapshots, tell, &mut warnings)? {
        Some(base) => base,
        None if logs.files.is_empty() => {
            return Err(snapshots.wrong("no snapshot and no log of ZooKeeper"));
        }
        None if options.trusts_empty_snapshot => Base::empty(),
        None => {
            return Err(snapshots.wrong(
                "there are logs and no snapshot: copy the newest snapshot here, or say \
                 --trust-empty-snapshot if the logs reach back to the beginning",
            ));
        }
    };
    let snapshot = base.file.clone();
    let mut replay = Replay::new(base);
    replay.all(&logs, tell)?;
    if logs.files.is_empty() {
        warnings.push(format!(
            "there is no log in {}: if the server had a dataLogDir, what came behind the snapshot is \
             there, and missing here",
            logs.dir.display()
        ));
    }
    judge(&replay, &snapshots, &logs, options, &mut warnings)?;
    let finished = replay.rebuild.finish(replay.zxid, session_password);
    let (tree, mended) = finished.map_err(|error| snapshots.wrong(&error.to_string()))?;
    Ok(Loaded {
        tree,
        snapshot,
        transactions: replay.transactions,
        digests_compared: replay.digests_compared,
        orphans: mended.orphans,
        warnings,
    })
}

/// Whether what was read is all there was. What can be put up with becomes a warning then.
fn judge(
    replay: &Replay,
    snapshots: &Catalogue,
    logs: &Catalogue,
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<(), FilesError> {
    if let Some((zxid, file)) = snapshots.files.last()
        && replay.zxid < *zxid
    {
        return Err(snapshots.wrong(&format!(
            "{} is damaged, and the logs behind the snapshot before it end at zxid 0x{:x}: what came \
             after is lost here. Take another server's directory; or move the damaged file away to \
             import what is left",
            file.display(),
            replay.zxid,
        )));
    }
    if let Some(gap) = replay.unproven_gap() {
        match options.ignores_gaps {
            true => warnings.push(gap),
            false => {
                let advice = "copy the logs that are missing here, take another server's directory, \
                              or say --ignore-gaps";
                return Err(logs.wrong(&format!("{gap}: {advice}")));
            }
        }
    }
    if let Some((zxid, false)) = replay.last_comparison {
        let what = format!(
            "behind zxid 0x{zxid:x} the znodes differ from the digest that ZooKeeper recorded"
        );
        match options.ignores_digests {
            true => warnings.push(what),
            false => {
                let advice = "take another server's directory, or say --ignore-digests";
                return Err(snapshots.wrong(&format!("{what}: {advice}")));
            }
        }
    }
    Ok(())
}

/// The snapshots, or the logs, of a directory.
struct Catalogue {
    dir: PathBuf,
    /// Zxid and file, in order.
    files: Vec<(i64, PathBuf)>,
}

impl Catalogue {
    fn both(data_dir: &Path, log_dir: &Path) -> Result<(Catalogue, Catalogue), FilesError> {
        // One directory may have two names.
        let real = |dir: &Path| fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        let (data_dir, log_dir) = (real(&version_dir(data_dir)), real(&version_dir(log_dir)));
        let snapshots = Catalogue::list(&data_dir, SNAPSHOT)?;
        let logs = Catalogue::list(&log_dir, LOG)?;
        if data_dir != log_dir {
            let misplaced = [
                Catalogue::list(&data_dir, LOG)?,
                Catalogue::list(&log_dir, SNAPSHOT)?,
            ];
            for catalogue in misplaced {
                if let Some((_, file)) = catalogue.files.first() {
                    let what = format!(
                        "{} does not belong here when snapshots and logs have directories of \
                         their own; ZooKeeper would not start",
                        file.display()
                    );
                    return Err(catalogue.wrong(&what));
                }
            }
        }
        Ok((snapshots, logs))
    }

    fn list(dir: &Path, prefix: &str) -> Result<Catalogue, FilesError> {
        let io = |error| FilesError::Io {
            path: dir.to_owned(),
            error,
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let zxid = name.to_str().and_then(|name| zxid_of(name, prefix));
            if let Some(zxid) = zxid {
                files.push((zxid, dir.join(name)));
            }
        }
        files.sort();
        Ok(Catalogue {
            dir: dir.to_owned(),
            files,
        })
    }

    fn wrong(&self, what: &str) -> FilesError {
        FilesError::Directory {
            dir: self.dir.clone(),
            what: what.to_owned(),
        }
    }
}

/// `version-2` below a directory, or the directory itself if that is its name.
fn version_dir(dir: &Path) -> PathBuf {
    if dir.ends_with(VERSION_DIR) {
        dir.to_owned()
    } else {
        dir.join(VERSION_DIR)
    }
}

fn zxid_of(name: &str, prefix: &str) -> Option<i64> {
    // A log that somebody packed is none for ZooKeeper either.
    let (_, stem) = match prefix {
        LOG => (Compression::None, name),
        _ => Compression::of_name(name),
    };
    i64::from_str_radix(stem.strip_prefix(prefix)?, 16).ok()
}

fn compression_of(file: &Path) -> Compression {
    let name = file.file_name().and_then(|name| name.to_str());
    Compression::of_name(name.unwrap_or_default()).0
}

/// What a replay begins with.
struct Base {
    file: Option<PathBuf>,
    zxid: i64,
    rebuild: Rebuild,
    stamp: Option<DigestStamp>,
}

impl Base {
    fn empty() -> Base {
        Base {
            file: None,
            zxid: 0,
            rebuild: Rebuild::fresh(),
            stamp: None,
        }
    }

    fn read(
        zxid: i64,
        file: &Path,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Base, FormatError> {
        let reader = compression_of(file).reader(File::open(file)?);
        let mut reader = SnapshotReader::begin(reader)?;
        let rebuild = fill(&mut reader, |znodes| {
            if znodes.is_multiple_of(TELL_EVERY) {
                tell(Progress::Znodes(file, znodes));
            }
        })?;
        Ok(Base {
            file: Some(file.to_owned()),
            zxid,
            rebuild,
            stamp: reader.finish()?.digest,
        })
    }
}

/// The newest snapshot that reads without an error.
fn newest(
    snapshots: &Catalogue,
    tell: &mut dyn FnMut(Progress<'_>),
    warnings: &mut Vec<String>,
) -> Result<Option<Base>, FilesError> {
    let tried = snapshots.files.iter().rev().take(SNAPSHOTS_TRIED_MAX);
    let mut first_error = None;
    for (zxid, file) in tried {
        match Base::read(*zxid, file, tell) {
            Ok(base) => return Ok(Some(base)),
            // Not to be read is not damaged.
            Err(error @ FormatError::Io(_)) => {
                let file = file.clone();
                return Err(FilesError::File { file, error });
            }
            Err(error) => {
                warnings.push(format!("{} is passed over: {error}", file.display()));
                first_error.get_or_insert(FilesError::File {
                    file: file.clone(),
                    error,
                });
            }
        }
    }
    first_error.map_or(Ok(None), Err)
}

/// Transactions on their way into a state.
struct Replay {
    rebuild: Rebuild,
    /// The last change in the state.
    zxid: i64,
    /// The last transaction that any log showed.
    seen: i64,
    stamp: Option<DigestStamp>,
    transactions: u64,
    digests_compared: u64,
    /// The zxid of the last digest compared, and whether it was the state's. A snapshot may show
    /// changes that come later in the log, so earlier ones prove nothing.
    last_comparison: Option<(i64, bool)>,
    gap: Option<Gap>,
}

/// Transactions that no log has.
struct Gap {
    /// The first gap.
    what: String,
    /// The transaction behind the last gap.
    upto: i64,
}

impl Replay {
    fn new(base: Base) -> Replay {
        let mut replay = Replay {
            rebuild: base.rebuild,
            zxid: base.zxid,
            seen: 0,
            stamp: base.stamp,
            transactions: 0,
            digests_compared: 0,
            last_comparison: None,
            gap: None,
        };
        replay.compare_stamp();
        replay
    }

    fn all(
        &mut self,
        logs: &Catalogue,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), FilesError> {
        let at_or_before = |(zxid, _): &&(i64, PathBuf)| *zxid <= self.zxid + 1;
        let first = logs.files.iter().rposition(|file| at_or_before(&file));
        let files = &logs.files[first.unwrap_or(0)..];
        for (i, (_, file)) in files.iter().enumerate() {
            let is_last = i + 1 == files.len();
            self.one(file, is_last, tell)
                .map_err(|error| FilesError::File {
                    file: file.clone(),
                    error,
                })?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        file: &Path,
        is_last: bool,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), FormatError> {
        let opened = File::open(file)?;
        if is_last && opened.metadata()?.len() < LOG_HEADER_BYTES {
            // Its server died while it began the file.
            return Ok(());
        }
        let mut reader = LogReader::begin(BufReader::with_capacity(READ_BYTES, &opened))?;
        loop {
            let at = reader.offset();
            let Some(transaction) = reader.next_transaction()? else {
                let end = reader.end().unwrap_or(at);
                (&opened).seek(SeekFrom::Start(end))?;
                return check_end(end, BufReader::with_capacity(READ_BYTES, &opened));
            };
            self.take(at, &transaction)?;
            if self.transactions > 0 && self.transactions.is_multiple_of(TELL_EVERY) {
                tell(Progress::Transactions(file, self.transactions));
            }
        }
    }

    fn take(&mut self, at: u64, transaction: &Transaction) -> Result<(), FormatError> {
        let zxid = transaction.at.zxid;
        if zxid < self.seen {
            let what = format!("zxid 0x{zxid:x} behind 0x{:x}", self.seen);
            return Err(FormatError::damaged(at, what));
        }
        self.seen = zxid;
        if zxid <= self.zxid {
            return Ok(());
        }
        self.notice_gap(zxid);
        for change in &transaction.changes {
            self.rebuild
                .replay(&transaction.at, change)
                .map_err(|error| stored(at, &error))?;
        }
        self.zxid = zxid;
        self.transactions += 1;
        if let Some(digest) = transaction.digest
            && digest.version == DIGEST_VERSION
        {
            self.compare(digest.digest);
        }
        self.compare_stamp();
        Ok(())
    }

    /// Every epoch counts from 1 on, failed requests too; how many an earlier one had, nobody says.
    fn notice_gap(&mut self, zxid: i64) {
        let expected = match zxid >> 32 == self.zxid >> 32 {
            true => self.zxid + 1,
            false => (zxid >> 32 << 32) + 1,
        };
        if zxid > expected {
            let last = zxid - 1;
            let what = format!("no log has the transactions 0x{expected:x} to 0x{last:x}");
            let gap = self.gap.get_or_insert(Gap { what, upto: 0 });
            gap.upto = zxid;
        }
    }

    /// What is missing at the end, or the first gap, unless a digest behind all of them shows that
    /// nothing is missing: requests that 3.9 cannot read take a number and leave no trace.
    fn unproven_gap(&self) -> Option<String> {
        if let Some(stamp) = self.stamp
            && stamp.zxid > self.zxid
        {
            return Some(format!(
                "the snapshot shows changes up to 0x{:x}, and the logs end at 0x{:x}",
                stamp.zxid, self.zxid
            ));
        }
        let gap = self.gap.as_ref()?;
        let is_proven = matches!(self.last_comparison, Some((zxid, true)) if zxid >= gap.upto);
        (!is_proven).then(|| gap.what.clone())
    }

    /// Compares the digest of the snapshot once the change that it belongs to is there.
    fn compare_stamp(&mut self) {
        if let Some(stamp) = self.stamp
            && stamp.zxid == self.zxid
        {
            self.compare(stamp.digest);
        }
    }

    fn compare(&mut self, digest: u64) {
        self.digests_compared += 1;
        self.last_comparison = Some((self.zxid, digest == self.rebuild.digest()));
    }
}
