//! openraft's view of the log: the same entries, other names.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::{OptionalSend, entry::RaftEntry};
use tokio::sync::oneshot;

use crate::proto::{Malformed, Reader};
use crate::raft::types::{
    Entry, LogId, TypeConfig, Vote, entry_id, get_vote, log_id, payload, payload_bytes, vote_bytes,
};
use crate::storage::{self, Log};

/// Bytes of entries one read takes at most: a peer's append message is about as large.
const READ_BYTES_MAX: usize = 1 << 20;

/// The durable log as openraft wants it.
#[derive(Clone)]
pub(crate) struct LogStore {
    log: Arc<Log>,
}

impl LogStore {
    pub(crate) fn new(log: Arc<Log>) -> LogStore {
        LogStore { log }
    }

    async fn read(&self, from: u64, to: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let log = Arc::clone(&self.log);
        let entries = if log.is_cached(from) {
            log.read(from, to, bytes_max)?
        } else {
            let read = tokio::task::spawn_blocking(move || log.read(from, to, bytes_max));
            read.await.map_err(io::Error::other)??
        };
        entries
            .into_iter()
            .map(decode)
            .collect::<Result<Vec<_>, _>>()
            .map_err(invalid)
    }
}

fn decode(entry: storage::Entry) -> Result<Entry, Malformed> {
    Ok(Entry {
        log_id: log_id(entry.id),
        payload: payload(&entry.payload)?,
    })
}

fn invalid(malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(from) => from + 1,
            Bound::Unbounded => 0,
        };
        let end = self.log.state().last.map_or(0, |last| last.index + 1);
        let to = match range.end_bound() {
            Bound::Included(to) => to + 1,
            Bound::Excluded(to) => *to,
            Bound::Unbounded => end,
        };
        loop {
            // What is gone already may be missing at the beginning.
            let first = self.log.first();
            match self.read(from.max(first), to.min(end), usize::MAX).await {
                // It went meanwhile.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && self.log.first() > first => {}
                done => return done,
            }
        }
    }

    async fn limited_get_log_entries(&mut self, from: u64, to: u64) -> io::Result<Vec<Entry>> {
        self.read(from, to, READ_BYTES_MAX).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        let vote = self.log.state().vote;
        vote.map(|vote| get_vote(&mut Reader::new(&vote)))
            .transpose()
            .map_err(invalid)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let state = self.log.state();
        let purged = state.purged.map(log_id);
        Ok(LogState {
            last_purged_log_id: purged,
            last_log_id: state.last.map(log_id).or(purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let (done, saved) = oneshot::channel();
        let done = Box::new(move |result| drop(done.send(result)));
        self.log.save_vote(vote_bytes(vote), done);
        saved.await.map_err(io::Error::other)?
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        if let Some(committed) = committed {
            self.log.save_committed(entry_id(&committed));
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        let state = self.log.state();
        // What is purged was committed, but openraft would look for it in order to apply it.
        let committed = state
            .committed
            .filter(|committed| Some(*committed) > state.purged);
        Ok(committed.map(log_id))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries = entries.into_iter().map(|entry| storage::Entry {
            id: entry_id(&entry.log_id()),
            payload: payload_bytes(&entry.payload),
        });
        let done = Box::new(move |result| callback.io_completed(result));
        self.log.append(entries.collect(), done);
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        // Queued ahead of everything that follows, which is all that order needs.
        self.log
            .truncate_after(last.as_ref().map(entry_id), Box::new(|_| {}));
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.log.purge(entry_id(&upto), Box::new(|_| {}));
        Ok(())
    }
}
