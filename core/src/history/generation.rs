//! One store of sled on disk: a stretch of the history, dropped as a whole when it is old.
//!
//! sled 0.34 gives no room back at once for what is removed, stalls when much is removed, and its
//! flush reaches the operating system and not the disk. So nothing is ever removed from it, and
//! nothing is lost with it that anything depends on.
//!
//! ```text
//! tree    key                     value
//! changes path · 0 · zxid · place a record (`record.rs`)
//! gaps    first zxid              a gap (`gap.rs`)
//! about   "format"                the format of both, one byte
//!         "upto"                  the last zxid kept here: zxid, time_ms
//!         "begun"                 the first: zxid, time_ms
//! ```

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::history::gap::Gap;
use crate::history::record::{self, Change, FORMAT};
use crate::proto::{Malformed, Reader, Zxid};

/// Memory one generation uses for pages it has read, bytes.
const CACHE_BYTES: u64 = 2 << 20;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// What lies there is damaged or none of ours.
    #[error("{0}")]
    Damaged(String),
    /// The file system refuses; what lies there may be sound.
    #[error("{0}")]
    Unavailable(String),
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> StoreError {
        match error {
            sled::Error::Io(error) => error.into(),
            other => StoreError::Damaged(other.to_string()),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> StoreError {
        let is_damage = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::AlreadyExists
                | io::ErrorKind::NotFound
        );
        match is_damage {
            true => StoreError::Damaged(error.to_string()),
            false => StoreError::Unavailable(error.to_string()),
        }
    }
}

impl From<Malformed> for StoreError {
    fn from(error: Malformed) -> StoreError {
        StoreError::Damaged(error.to_string())
    }
}

/// Runs what calls sled. It panics on some damage instead of telling of it.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let what = "reading it failed in a way that only damage explains";
        Err(StoreError::Damaged(what.to_owned()))
    })
}

/// A moment in the order of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The change.
    pub zxid: Zxid,
    /// Its time, milliseconds since 1970 by the leader's clock.
    pub time_ms: i64,
}

impl Moment {
    fn encode(self) -> Vec<u8> {
        [self.zxid.0.to_be_bytes(), self.time_ms.to_be_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Result<Moment, Malformed> {
        let r = &mut Reader::new(bytes);
        Ok(Moment {
            zxid: Zxid(r.i64()?),
            time_ms: r.i64()?,
        })
    }
}

/// What the feed sends to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A change to keep.
    Change(Box<Change>),
    /// Changes that nobody kept.
    Gap(Gap),
    /// What is in the store belongs to other data.
    Foreign,
}

/// A stretch of the history.
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) dir: PathBuf,
    db: sled::Db,
    changes: sled::Tree,
    gaps: sled::Tree,
    about: sled::Tree,
}

impl Generation {
    /// Opens or begins the stretch in `dir`.
    pub(super) fn open(dir: &Path, number: u64) -> Result<Generation, StoreError> {
        let db = sled::Config::default()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None)
            .open()?;
        let about = db.open_tree("about")?;
        match about.get("format")? {
            Some(format) if *format == [FORMAT] => {}
            Some(_) => return Err(Malformed("the history has another format").into()),
            None if db.was_recovered() && !about.is_empty() => {
                return Err(Malformed("not a history").into());
            }
            None => {
                about.insert("format", &[FORMAT])?;
            }
        }
        Ok(Generation {
            number,
            dir: dir.to_owned(),
            changes: db.open_tree("changes")?,
            gaps: db.open_tree("gaps")?,
            about,
            db,
        })
    }

    /// Keeps `items`, in the order of zxids.
    pub(super) fn write(&self, items: &[Item]) -> Result<(), StoreError> {
        let mut changes = sled::Batch::default();
        let mut gaps = sled::Batch::default();
        let (mut first, mut last) = (None, None);
        for item in items {
            let (from, to) = match item {
                Item::Change(change) => {
                    let key = record::key(&change.path, change.zxid, change.place);
                    changes.insert(key, record::encode(change));
                    let at = Moment {
                        zxid: change.zxid,
                        time_ms: change.time_ms,
                    };
                    (at, at)
                }
                Item::Gap(gap) => {
                    gaps.insert(&gap.first.0.to_be_bytes(), gap.encode());
                    let at = |zxid, time_ms| Moment { zxid, time_ms };
                    (at(gap.first, gap.from_ms), at(gap.last, gap.to_ms))
                }
                Item::Foreign => continue,
            };
            first.get_or_insert(from);
            last = Some(to);
        }
        let (Some(first), Some(last)) = (first, last) else {
            return Ok(());
        };
        self.changes.apply_batch(changes)?;
        self.gaps.apply_batch(gaps)?;
        if self.about.get("begun")?.is_none() {
            self.about.insert("begun", first.encode())?;
        }
        self.about.insert("upto", last.encode())?;
        Ok(())
    }

    /// Hands everything to the operating system.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        Ok(())
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.db.size_on_disk()?)
    }

    /// The first change or gap kept here.
    pub(super) fn begun(&self) -> Result<Option<Moment>, StoreError> {
        self.moment("begun")
    }

    /// The last change or gap kept here.
    pub(super) fn upto(&self) -> Result<Option<Moment>, StoreError> {
        self.moment("upto")
    }

    fn moment(&self, key: &str) -> Result<Option<Moment>, StoreError> {
        let bytes = self.about.get(key)?;
        Ok(bytes.map(|bytes| Moment::decode(&bytes)).transpose()?)
    }

    /// Changes of `path`, and of what is below it if that is asked for, in the order of keys.
    pub(super) fn changes(
        &self,
        path: &str,
        is_recursive: bool,
    ) -> impl Iterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> {
        let own = [path.as_bytes(), &[0]].concat();
        let below = [path.trim_end_matches('/').as_bytes(), b"/"].concat();
        let below = is_recursive.then(|| self.changes.scan_prefix(below));
        // The key of the root itself begins as those below it do.
        let own = match path == "/" && is_recursive {
            true => None,
            false => Some(self.changes.scan_prefix(own)),
        };
        let both = own.into_iter().flatten().chain(below.into_iter().flatten());
        both.map(|entry| entry.map_err(StoreError::from))
    }

    /// All gaps, oldest first.
    pub(super) fn gaps(&self) -> impl Iterator<Item = Result<Gap, StoreError>> {
        self.gaps.iter().map(|entry| {
            let (key, bytes) = entry?;
            Ok(Gap::decode(&key, &bytes)?)
        })
    }
}
