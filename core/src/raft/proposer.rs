//! One ordered lane per server: drafts on their way into the log.
//!
//! ```text
//!  connections ──push──▶ queue ──▶ I lead:   batch of my lane and of those that arrived ──▶ raft
//!                                └▶ I follow: runs over the one stream to the leader
//!  own apply ──progress──▶ forgets what is done
//! ```
//!
//! A draft stays in the queue until this server has applied it itself. Whenever its fate is
//! unknown — the leader changed, the stream broke, Raft refused a batch, a gap was met — all that
//! are not done are sent again, and every server drops the numbers it has seen. So nobody asks,
//! nothing is lost, nothing is doubled and the order holds.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::replica::Progress;
use crate::tree::{Draft, Lane, Run};

/// Bytes of drafts in one batch, unless a single push is larger.
const BATCH_BYTES_MAX: usize = 256 << 10;

/// Drafts in one batch, unless a single push is larger.
const BATCH_DRAFTS_MAX: u32 = 1024;

/// Bytes of drafts of other servers that may wait here; more wait in their sockets.
const INBOX_BYTES_MAX: usize = 8 << 20;

/// The drafts of this server, and on the leader those of the others.
#[derive(Debug)]
pub(crate) struct Proposer {
    own: Mutex<Own>,
    inbox: Mutex<Inbox>,
    /// Rung when there is something to send or to batch.
    pub(super) work: Notify,
    /// Rung when the inbox has room again.
    room: Notify,
    /// Goes up whenever runs may have been lost here: every lane that ends here must be sent
    /// again from its first draft that is not done.
    lost: watch::Sender<u64>,
    /// Goes up with every draft of this server that was done; tells a stall from progress.
    done: AtomicU64,
}

/// This server's lane.
#[derive(Debug)]
struct Own {
    lane: Lane,
    /// The number the next draft gets.
    next: u64,
    /// Pushed together, not done yet; oldest first.
    queue: VecDeque<Run>,
    /// How many of the queue's runs have been sent.
    sent: usize,
}

#[derive(Debug, Default)]
struct Inbox {
    runs: VecDeque<Run>,
    bytes: usize,
}

impl Proposer {
    pub(crate) fn new(lane: Lane) -> Proposer {
        Proposer {
            own: Mutex::new(Own {
                lane,
                next: 1,
                queue: VecDeque::new(),
                sent: 0,
            }),
            inbox: Mutex::new(Inbox::default()),
            work: Notify::new(),
            room: Notify::new(),
            lost: watch::Sender::new(0),
            done: AtomicU64::new(0),
        }
    }

    /// Takes drafts of this server, encoded, in order.
    pub(crate) fn push(&self, drafts: Bytes, count: u32) {
        if count == 0 {
            return;
        }
        let mut own = self.own.lock();
        let run = Run {
            lane: own.lane,
            first: own.next,
            count,
            drafts,
        };
        own.next += u64::from(count);
        own.queue.push_back(run);
        drop(own);
        self.work.notify_one();
    }

    /// Takes one draft of this server.
    pub(crate) fn push_draft(&self, draft: &Draft<'_>) {
        let mut drafts = BytesMut::new();
        draft.encode(&mut drafts);
        self.push(drafts.freeze(), 1);
    }

    /// This server's apply came this far.
    pub(crate) fn progress(&self, progress: Progress) {
        if let Some(done) = progress.done {
            let mut own = self.own.lock();
            while let Some(run) = own.queue.front() {
                if run.first + u64::from(run.count) > done + 1 {
                    break;
                }
                own.queue.pop_front();
                own.sent = own.sent.saturating_sub(1);
            }
            self.done.store(done, Ordering::Relaxed);
        }
        if progress.gap {
            self.resend();
        }
    }

    /// Everything that is not done goes out again.
    pub(crate) fn resend(&self) {
        self.own.lock().sent = 0;
        self.work.notify_one();
    }

    /// Forgets all drafts and numbers the next ones from 1 on a new lane.
    pub(crate) fn open_lane(&self, lane: Lane) {
        let mut own = self.own.lock();
        *own = Own {
            lane,
            next: 1,
            queue: VecDeque::new(),
            sent: 0,
        };
    }

    /// The lane, the number of its last draft, and how many drafts are not done.
    pub(crate) fn backlog(&self) -> (Lane, u64, u64) {
        let own = self.own.lock();
        (
            own.lane,
            own.next - 1,
            own.queue.iter().map(|run| u64::from(run.count)).sum(),
        )
    }

    /// The number of the last draft of this server that was done.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// The next runs of this server's lane that have not been sent; empty when there are none.
    pub(crate) fn take_unsent(&self) -> Vec<Run> {
        let mut own = self.own.lock();
        let mut taken = Taken::default();
        while let Some(run) = own.queue.get(own.sent) {
            if !taken.fits(run) {
                break;
            }
            let run = run.clone();
            taken.add(run);
            own.sent += 1;
        }
        taken.runs
    }

    /// Takes a run of another server's lane that ends here; waits for room.
    pub(crate) async fn receive(&self, run: Run) {
        loop {
            let room = self.room.notified();
            if self.inbox.lock().bytes < INBOX_BYTES_MAX {
                break;
            }
            room.await;
        }
        let mut inbox = self.inbox.lock();
        inbox.bytes += run.drafts.len();
        inbox.runs.push_back(run);
        drop(inbox);
        self.work.notify_one();
    }

    /// What a leader puts into the next batch: runs of its own lane and of those that end here.
    pub(crate) fn take_batch(&self) -> Vec<Run> {
        let mut taken = Taken {
            runs: self.take_unsent(),
            ..Taken::default()
        };
        taken.count();
        let mut inbox = self.inbox.lock();
        while let Some(run) = inbox.runs.front() {
            if !taken.fits(run) {
                break;
            }
            inbox.bytes -= run.drafts.len();
            let run = inbox.runs.pop_front();
            run.into_iter().for_each(|run| taken.add(run));
        }
        drop(inbox);
        self.room.notify_waiters();
        taken.runs
    }

    /// Runs that ended here may be lost: their servers must send again, and so must this one.
    pub(crate) fn lose(&self) {
        let mut inbox = self.inbox.lock();
        inbox.runs.clear();
        inbox.bytes = 0;
        drop(inbox);
        self.room.notify_waiters();
        self.lost.send_modify(|lost| *lost += 1);
        self.resend();
    }

    /// Tells when runs that ended here may have been lost.
    pub(crate) fn watch_lost(&self) -> watch::Receiver<u64> {
        self.lost.subscribe()
    }
}

/// Runs gathered for one batch.
#[derive(Default)]
struct Taken {
    runs: Vec<Run>,
    bytes: usize,
    drafts: u32,
}

impl Taken {
    fn count(&mut self) {
        self.bytes = self.runs.iter().map(|run| run.drafts.len()).sum();
        self.drafts = self.runs.iter().map(|run| run.count).sum();
    }

    fn fits(&self, run: &Run) -> bool {
        self.runs.is_empty()
            || (self.bytes + run.drafts.len() <= BATCH_BYTES_MAX
                && self.drafts + run.count <= BATCH_DRAFTS_MAX)
    }

    fn add(&mut self, run: Run) {
        self.bytes += run.drafts.len();
        self.drafts += run.count;
        self.runs.push(run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ServerId;

    const LANE: Lane = Lane {
        server: ServerId(1),
        boot: 7,
    };

    fn numbers(runs: &[Run]) -> Vec<(u64, u32)> {
        runs.iter().map(|run| (run.first, run.count)).collect()
    }

    fn done(number: u64) -> Progress {
        Progress {
            done: Some(number),
            ..Progress::default()
        }
    }

    #[test]
    fn what_is_not_done_is_sent_again_in_order() {
        let proposer = Proposer::new(LANE);
        proposer.push(Bytes::from_static(b"a"), 2);
        proposer.push(Bytes::from_static(b"b"), 1);
        assert_eq!(numbers(&proposer.take_unsent()), [(1, 2), (3, 1)]);
        assert_eq!(numbers(&proposer.take_unsent()), []);
        proposer.push(Bytes::from_static(b"c"), 1);
        proposer.progress(done(1));
        proposer.resend();
        assert_eq!(
            numbers(&proposer.take_unsent()),
            [(1, 2), (3, 1), (4, 1)],
            "half a run is not done"
        );
        proposer.progress(done(2));
        proposer.resend();
        assert_eq!(numbers(&proposer.take_unsent()), [(3, 1), (4, 1)]);
        proposer.progress(done(4));
        assert_eq!(proposer.backlog(), (LANE, 4, 0));
    }

    #[test]
    fn a_gap_sends_everything_again() {
        let proposer = Proposer::new(LANE);
        proposer.push(Bytes::from_static(b"a"), 1);
        assert_eq!(numbers(&proposer.take_unsent()), [(1, 1)]);
        proposer.progress(Progress {
            gap: true,
            ..Progress::default()
        });
        assert_eq!(numbers(&proposer.take_unsent()), [(1, 1)]);
    }

    #[tokio::test]
    async fn a_batch_is_bounded_and_takes_other_lanes_too() {
        let proposer = Proposer::new(LANE);
        let other = Lane {
            server: ServerId(2),
            boot: 1,
        };
        let big = Bytes::from(vec![0; BATCH_BYTES_MAX]);
        proposer.push(big.clone(), 1);
        proposer.push(Bytes::from_static(b"a"), 1);
        proposer
            .receive(Run {
                lane: other,
                first: 1,
                count: 1,
                drafts: big,
            })
            .await;
        assert_eq!(
            numbers(&proposer.take_batch()),
            [(1, 1)],
            "a large push goes alone"
        );
        let batch = proposer.take_batch();
        assert_eq!(numbers(&batch), [(2, 1)]);
        assert_eq!(proposer.take_batch()[0].lane, other);
        assert!(proposer.take_batch().is_empty());
    }

    #[tokio::test]
    async fn lost_runs_are_told() {
        let proposer = Proposer::new(LANE);
        let mut lost = proposer.watch_lost();
        proposer.push(Bytes::from_static(b"a"), 1);
        assert_eq!(proposer.take_batch().len(), 1);
        proposer.lose();
        lost.changed().await.unwrap();
        assert_eq!(numbers(&proposer.take_batch()), [(1, 1)]);
    }
}
