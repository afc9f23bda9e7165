//! The history's thread: takes what the feed left, and keeps it.
//!
//! ```text
//!             opened                        cannot be written
//!   waiting ─────────▶ open ─▶ write, flush ────────────────▶ waiting, longer each time
//!      ▲                 │ damaged or foreign
//!      └─────────────────┴─▶ moved aside, begun anew
//! ```
//!
//! While the store is not open the feed counts gaps. Nothing here is waited for by anybody who
//! serves clients.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::environment::Clock;
use crate::history::Shelf;
use crate::history::feed::Feed;
use crate::history::gap::{Gap, Reason};
use crate::history::generation::{Item, Moment, StoreError, guarded};
use crate::history::store::{self, Bounds, Store};
use crate::proto::Zxid;

/// How long what was written may stay in this process.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// How often age is looked at when nothing happens.
const IDLE: Duration = Duration::from_secs(30);

/// Gathers more between two writes, so that a change a millisecond is not a wake-up each.
const PAUSE: Duration = Duration::from_millis(10);

/// Between two tries to open the store: first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// From this pause on, it is worth telling: an earlier life of the server has let go by then.
const RETRY_TOLD: Duration = Duration::from_secs(1);

/// What the thread works with.
pub(super) struct Writer {
    pub(super) data_dir: PathBuf,
    pub(super) bounds: Bounds,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) feed: Arc<Feed>,
    pub(super) shelf: Arc<Shelf>,
    /// The last zxid of the tree when the server started.
    pub(super) recovered: Zxid,
    pub(super) state: State,
    /// When a store was last moved aside.
    pub(super) aside_ms: Option<u64>,
}

/// Whether there is a store.
pub(super) enum State {
    Open(Store),
    /// Since when, by the server's clock, and until the next try.
    Waiting {
        since_ms: u64,
        pause: Duration,
    },
}

impl State {
    /// Before the first try.
    pub(super) const NEW: State = State::Waiting {
        since_ms: 0,
        pause: Duration::ZERO,
    };
}

impl Writer {
    /// Works until the queue closes.
    pub(super) fn run(mut self) {
        let mut flushed_ms = self.clock.monotonic_ms();
        let mut is_dirty = false;
        loop {
            self.open_if_due();
            let limit = match &self.state {
                State::Waiting { since_ms, pause } => pause.saturating_sub(self.since(*since_ms)),
                State::Open(_) if is_dirty => FLUSH_EVERY.saturating_sub(self.since(flushed_ms)),
                State::Open(_) => IDLE,
            };
            let (items, closing) = self.feed.queue.take(limit);
            is_dirty |= !items.is_empty();
            self.keep(&items);
            self.feed.queue.done(items.len());
            if closing || self.shelf.is_suspect() || self.since(flushed_ms) >= FLUSH_EVERY {
                self.settle(is_dirty);
                is_dirty = false;
                flushed_ms = self.clock.monotonic_ms();
            }
            if closing {
                break;
            }
            if !items.is_empty() {
                std::thread::sleep(PAUSE);
            }
        }
        self.shelf.clear();
        let state = std::mem::replace(&mut self.state, State::NEW);
        // Dropping it is work for the store, too.
        let _ = guarded(move || {
            drop(state);
            Ok(())
        });
        self.feed.queue.end();
    }

    fn since(&self, then_ms: u64) -> Duration {
        Duration::from_millis(self.clock.monotonic_ms().saturating_sub(then_ms))
    }

    fn open_if_due(&mut self) {
        let State::Waiting { since_ms, pause } = self.state else {
            return;
        };
        if self.since(since_ms) < pause {
            return;
        }
        let opened = guarded(|| Store::open(&self.data_dir, self.bounds));
        let opened = match opened {
            Err(StoreError::Damaged(what)) => {
                self.set_aside(&what);
                guarded(|| Store::open(&self.data_dir, self.bounds))
            }
            opened => opened,
        };
        match opened {
            Ok(store) => self.begin(store),
            Err(error) => self.give_up(&error, pause),
        }
    }

    fn begin(&mut self, store: Store) {
        let upto = guarded(|| store.upto()).ok().flatten();
        let mark = self.feed.mark();
        let known = upto.unwrap_or_default().zxid;
        // What the tree had at the start and the store has not was on its way when the server
        // ended. A store that never had anything has lost nothing.
        let lost = self.recovered.max(mark.zxid);
        if known > Zxid(0) && known < lost {
            self.keep_in(&store, &[Item::Gap(lost_gap(known, lost, mark))]);
        }
        self.shelf.put(store.view());
        self.state = State::Open(store);
        self.feed.set_open(true);
    }

    fn give_up(&mut self, error: &StoreError, pause: Duration) {
        let is_told = pause >= RETRY_TOLD;
        let pause = (pause * 2).clamp(RETRY_FIRST, RETRY_MAX);
        if !is_told && pause >= RETRY_TOLD {
            let dir = self.data_dir.display();
            tracing::warn!(%error, %dir,
                "the change history cannot be kept; it is tried again and again");
        }
        self.close_for(pause);
    }

    fn close_for(&mut self, pause: Duration) {
        self.feed.set_open(false);
        self.wait_for(pause);
    }

    fn wait_for(&mut self, pause: Duration) {
        self.shelf.clear();
        self.state = State::Waiting {
            since_ms: self.clock.monotonic_ms(),
            pause,
        };
    }

    fn set_aside(&mut self, what: &str) {
        // Where damage comes back at once, the disk is to blame.
        let is_again = self.aside_ms.is_some_and(|at| self.since(at) < RETRY_MAX);
        self.aside_ms = Some(self.clock.monotonic_ms());
        match is_again {
            true => self.close_for(RETRY_MAX),
            // What comes meanwhile waits in the queue.
            false => self.wait_for(Duration::ZERO),
        }
        self.feed.forget_mark();
        match store::set_aside(&self.data_dir) {
            Ok(aside) => tracing::warn!(aside = %aside.display(),
                "the change history cannot be used ({what}): it was moved aside and begins anew"),
            Err(error) => tracing::warn!(%error, dir = %self.data_dir.display(),
                "the change history cannot be used ({what}) and not be moved aside"),
        }
    }

    fn keep(&mut self, items: &[Item]) {
        if items.contains(&Item::Foreign) {
            self.set_aside("it belongs to other data");
            self.open_if_due();
        }
        let State::Open(store) = &self.state else {
            self.feed.lose(items, Reason::StoreFailed);
            return;
        };
        let written = guarded(|| store.write(items));
        if let Err(error) = written {
            self.feed.lose(items, Reason::StoreFailed);
            self.fail(error);
        }
    }

    fn keep_in(&self, store: &Store, items: &[Item]) {
        if let Err(error) = guarded(|| store.write(items)) {
            tracing::debug!(%error, "a gap of the change history was not kept");
        }
    }

    /// Flushes what was written, and drops what is beyond the bounds.
    fn settle(&mut self, is_dirty: bool) {
        if self.shelf.take_suspicion() {
            self.fail(StoreError::Damaged("reading it failed".to_owned()));
        }
        let now_ms = self.clock.wall_ms();
        let State::Open(store) = &mut self.state else {
            return;
        };
        let settled = guarded(|| {
            if is_dirty {
                store.flush()?;
            }
            store.turn(now_ms)
        });
        match settled {
            Ok(true) => self.shelf.put(store.view()),
            Ok(false) => {}
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: StoreError) {
        match error {
            StoreError::Damaged(what) => self.set_aside(&what),
            StoreError::Unavailable(what) => {
                tracing::warn!(
                    "the change history is not kept for now: {what}; tried again in a while"
                );
                self.close_for(RETRY_MAX);
            }
        }
    }
}

fn lost_gap(known: Zxid, lost: Zxid, mark: Moment) -> Gap {
    Gap {
        first: Zxid(known.0 + 1),
        last: lost,
        changes: None,
        from_ms: mark.time_ms,
        to_ms: mark.time_ms,
        reason: Reason::Lost,
    }
}
