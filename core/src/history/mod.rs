//! The change history: who changed which znode when, and what it was before.
//!
//! What lives here: the feed, called after apply; a bounded queue; one thread and its store of
//! generations in sled; and questions about them. What does not: who asks (a command of the
//! binary, an HTTP route), and anything that was promised to a client.
//!
//! Invariants:
//! * It is secondary: deleting `dataDir/history` costs the history and nothing else, at any time.
//! * Nothing waits for it: neither apply, nor a client, nor the start; the end waits
//!   [`CLOSE_LIMIT`] at most. What it does not take is a gap, recorded and counted.
//! * A store that cannot be used is moved aside with one line in the log, and begun anew.
//! * Values, lists and identities in it are as readable as the data directory is: what answers
//!   questions must ask who wants to know.

mod feed;
mod gap;
mod generation;
mod meter;
mod query;
mod queue;
mod record;
mod store;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::environment::Clock;
use crate::history::feed::Feed;
use crate::history::generation::{Generation, StoreError, guarded};
use crate::history::meter::Meter;
use crate::history::store::Bounds;
use crate::history::writer::{State, Writer};
use crate::proto::Zxid;
use crate::replica::Witness;

pub use feed::Stats;
pub use gap::{Gap, Reason};
pub use generation::Moment;
pub use query::{CHANGES_MAX, Former, Page, Past, Query};
pub use record::{Cause, Change, Operation};

/// How long the end of a server waits for what is on its way into the store.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// How long a question waits for what was applied before it.
const FRESH_LIMIT: Duration = Duration::from_secs(2);

/// How long a question may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// Bytes of values taken in a second, per entry that may be taken: 8 MiB at the default limit.
const BYTES_PER_ENTRY: u64 = 4 << 10;

/// What is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Changes of znodes taken in a second; above it, nothing is until a second stays within.
    pub entries_per_second_max: u32,
    /// Bytes kept of each value.
    pub value_bytes_max: u32,
    /// Bytes on disk. A little more while a part is written, a quarter less after one was dropped.
    pub bytes_max: u64,
    /// Age of what is kept, milliseconds. Dropped in quarters.
    pub age_ms_max: u64,
}

/// Why a question has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HistoryError {
    /// The store is not open: it is being opened, or the disk does not let it.
    #[error("the change history of this server is not available now: {0}")]
    Unavailable(String),
    /// The answer would be too large.
    #[error("{0}")]
    TooMuch(String),
}

/// What there is to read, and whether a reader met damage.
#[derive(Default)]
struct Shelf {
    generations: Mutex<Option<Vec<Arc<Generation>>>>,
    /// Rung when there is something to read.
    filled: Condvar,
    suspect: AtomicBool,
}

impl Shelf {
    fn put(&self, view: Vec<Arc<Generation>>) {
        *self.generations.lock() = Some(view);
        self.filled.notify_all();
    }

    fn clear(&self) {
        *self.generations.lock() = None;
    }

    /// What there is to read, after waiting up to `limit` for the store to be opened. Blocks.
    fn view(&self, limit: Duration) -> Option<Vec<Arc<Generation>>> {
        let mut generations = self.generations.lock();
        let missing = |generations: &mut Option<_>| generations.is_none();
        self.filled.wait_while_for(&mut generations, missing, limit);
        generations.clone()
    }

    fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::Relaxed)
    }

    fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Ordering::Relaxed)
    }
}

/// The history of a running server. Clones are the same one.
#[derive(Clone)]
pub struct History {
    feed: Arc<Feed>,
    shelf: Arc<Shelf>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "History({:?})", self.stats())
    }
}

impl History {
    /// Begins to keep the history of a server whose tree ends with `recovered`. Opens nothing
    /// before it comes back but a small file.
    pub(crate) fn start(
        data_dir: &Path,
        limits: Limits,
        clock: Arc<dyn Clock>,
        recovered: Zxid,
    ) -> std::io::Result<History> {
        let entries_max = u64::from(limits.entries_per_second_max);
        let meter = Meter::new(entries_max, entries_max * BYTES_PER_ENTRY);
        let value_bytes_max = usize::try_from(limits.value_bytes_max).unwrap_or(usize::MAX);
        let mark = store::read_mark(data_dir);
        let feed = Arc::new(Feed::new(meter, value_bytes_max, mark));
        let shelf = Arc::new(Shelf::default());
        let writer = Writer {
            data_dir: data_dir.to_owned(),
            bounds: Bounds {
                bytes_max: limits.bytes_max,
                age_ms_max: limits.age_ms_max,
            },
            clock,
            feed: Arc::clone(&feed),
            shelf: Arc::clone(&shelf),
            recovered,
            state: State::NEW,
            aside_ms: None,
        };
        let thread = std::thread::Builder::new().name("zoowarden-history".to_owned());
        thread.spawn(move || writer.run())?;
        Ok(History { feed, shelf })
    }

    /// Who is told of what is applied.
    pub(crate) fn witness(&self) -> Arc<dyn Witness> {
        Arc::clone(&self.feed) as Arc<dyn Witness>
    }

    /// Keeps what is on its way, and gives the directory back. Blocks, [`CLOSE_LIMIT`] at most.
    pub(crate) fn close(&self) {
        self.feed.close();
        if !self.feed.queue.wait_until_ended(CLOSE_LIMIT) {
            tracing::warn!("the change history did not end in time: its last seconds are lost");
        }
    }

    /// As [`History::close`], without waiting.
    pub(crate) fn give_up(&self) {
        self.feed.close();
    }

    /// Counters since the start of the server.
    pub fn stats(&self) -> Stats {
        self.feed.stats()
    }

    /// Changes of a znode or a subtree, with everything that was applied here before the question.
    pub async fn changes(&self, query: Query) -> Result<Page, HistoryError> {
        let pending = Arc::clone(&self.feed);
        self.ask(move |view| query::changes(view, pending.pending_gap(), &query))
            .await
    }

    /// A subtree as it was after the change `zxid`: each znode of it that has changed since.
    pub async fn past(&self, path: &str, zxid: Zxid) -> Result<Past, HistoryError> {
        let (path, pending) = (path.to_owned(), Arc::clone(&self.feed));
        let past = self.ask(move |view| query::past(view, pending.pending_gap(), &path, zxid));
        past.await?
            .map_err(|error| HistoryError::TooMuch(error.to_string()))
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&[Arc<Generation>]) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let (feed, shelf) = (Arc::clone(&self.feed), Arc::clone(&self.shelf));
        let asking = tokio::task::spawn_blocking(move || {
            if feed.queue.has_ended() {
                return Err("the server has stopped".to_owned());
            }
            feed.queue.wait_until_done(FRESH_LIMIT);
            let view = shelf.view(FRESH_LIMIT);
            let view = view.ok_or("its store cannot be opened, as the log tells")?;
            guarded(|| question(&view)).map_err(|error| {
                if let StoreError::Damaged(_) = error {
                    shelf.suspect.store(true, Ordering::Relaxed);
                }
                error.to_string()
            })
        });
        let answered = tokio::time::timeout(ANSWER_LIMIT, asking).await;
        let unavailable = |what: &str| HistoryError::Unavailable(what.to_owned());
        match answered {
            Ok(Ok(answer)) => answer.map_err(HistoryError::Unavailable),
            Ok(Err(_)) => Err(unavailable("the question failed")),
            Err(_) => Err(unavailable("the question took too long")),
        }
    }
}

/// The history of a server that does not run, as a copy: the original stays as it is.
pub struct Archive {
    generations: Vec<Arc<Generation>>,
    _copy: Copy,
}

/// A directory that is removed with the value.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        // Whoever cleans up the place for temporary files does it else.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Archive {
    /// Reads the history in `data_dir` by copying it into `scratch`, a directory that is not there
    /// yet. Blocks.
    ///
    /// # Errors
    /// There is no history, it is damaged, or it cannot be copied.
    pub fn open(data_dir: &Path, scratch: &Path) -> Result<Archive, HistoryError> {
        let unavailable = |what: String| HistoryError::Unavailable(what);
        let io = |error: std::io::Error| HistoryError::Unavailable(error.to_string());
        let source = data_dir.join(store::DIR);
        if !source.is_dir() {
            let what = format!("there is no {}", source.display());
            return Err(unavailable(what));
        }
        create_private(scratch).map_err(io)?;
        let copy = Copy(scratch.to_owned());
        copy_into(&source, scratch).map_err(io)?;
        let opened = guarded(|| store::open_to_read(scratch));
        Ok(Archive {
            generations: opened.map_err(|error| unavailable(error.to_string()))?,
            _copy: copy,
        })
    }

    /// As [`History::changes`]. Blocks.
    pub fn changes(&self, query: &Query) -> Result<Page, HistoryError> {
        let asked = guarded(|| query::changes(&self.generations, None, query));
        asked.map_err(|error| HistoryError::Unavailable(error.to_string()))
    }

    /// As [`History::past`]. Blocks.
    pub fn past(&self, path: &str, zxid: Zxid) -> Result<Past, HistoryError> {
        let asked = guarded(|| query::past(&self.generations, None, path, zxid));
        asked
            .map_err(|error| HistoryError::Unavailable(error.to_string()))?
            .map_err(|error| HistoryError::TooMuch(error.to_string()))
    }
}

fn create_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(dir)
}

/// Two levels of directories below the history's own, and no further.
fn copy_into(source: &Path, target: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(source)? {
        let entry = entry?;
        let to = target.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            create_private(&to)?;
            copy_into(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "history_test.rs"]
mod tests;
