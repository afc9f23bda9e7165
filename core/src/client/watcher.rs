//! Watchers as values: a bounded queue of events, read as a stream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use parking_lot::Mutex;

use crate::client::{Shared, WatchEvent, WatchSink, WatcherId};

/// Events that wait in a watcher to be read. What comes beyond is dropped, and counted in a
/// [`WatchEvent::Overflow`].
pub const WATCHER_EVENTS_MAX: usize = 8_192;

/// Events from the I/O task to whoever reads.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Mutex<Inner>>);

struct Inner {
    events: VecDeque<WatchEvent>,
    dropped: u64,
    persistent: bool,
    ended: bool,
    reader: Option<Waker>,
}

impl Queue {
    pub(crate) fn new(persistent: bool) -> Queue {
        Queue(Arc::new(Mutex::new(Inner {
            events: VecDeque::new(),
            dropped: 0,
            persistent,
            ended: false,
            reader: None,
        })))
    }

    pub(crate) fn sink(&self) -> WatchSink {
        let queue = self.clone();
        Arc::new(move |event| queue.push(event))
    }

    fn push(&self, event: WatchEvent) {
        let mut inner = self.0.lock();
        match event {
            WatchEvent::State(state) => {
                inner.ended |= state.is_over();
                if !inner.ended {
                    return;
                }
            }
            event if inner.events.len() < WATCHER_EVENTS_MAX && inner.dropped == 0 => {
                inner.ended |= !inner.persistent;
                inner.events.push_back(event);
            }
            _ => inner.dropped += 1,
        }
        let reader = inner.reader.take();
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        let mut inner = self.0.lock();
        if let Some(event) = inner.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        let dropped = std::mem::take(&mut inner.dropped);
        if dropped > 0 {
            return Poll::Ready(Some(WatchEvent::Overflow { dropped }));
        }
        if inner.ended {
            return Poll::Ready(None);
        }
        inner.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Changes of a path as they come. A stream of [`WatchEvent`]s: `Changed`, and `Overflow` when it
/// was read too slowly.
///
/// It ends, with `None`, after the one event of a one-shot watch, and when the session is over:
/// [`Client::state`](crate::client::Client::state) tells which. Dropping it removes the watch on the
/// server, if nobody else in this client waits for the same.
pub struct Watcher {
    shared: Arc<Shared>,
    id: Option<WatcherId>,
    events: Queue,
}

impl Watcher {
    pub(crate) fn new(shared: Arc<Shared>, id: Option<WatcherId>, events: Queue) -> Watcher {
        Watcher { shared, id, events }
    }

    /// The next event; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        std::future::poll_fn(|cx| self.events.poll(cx)).await
    }
}

impl Stream for Watcher {
    type Item = WatchEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        self.events.poll(cx)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.forget(id);
        }
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watcher({} waiting)", self.events.0.lock().events.len())
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::{Queue, WATCHER_EVENTS_MAX};
    use crate::client::{EventKind, State, WatchEvent, Zxid};

    fn change(zxid: i64) -> WatchEvent {
        WatchEvent::Changed {
            kind: EventKind::DataChanged,
            path: "/a".to_owned(),
            zxid: Zxid(zxid),
        }
    }

    fn read(queue: &Queue) -> Poll<Option<WatchEvent>> {
        queue.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn slow_reader_is_told_how_much_it_missed_and_where() {
        let queue = Queue::new(true);
        let count = WATCHER_EVENTS_MAX as i64;
        (0..count + 5).for_each(|zxid| queue.push(change(zxid)));
        for zxid in 0..count {
            assert_eq!(read(&queue), Poll::Ready(Some(change(zxid))));
        }
        let overflow = WatchEvent::Overflow { dropped: 5 };
        assert_eq!(read(&queue), Poll::Ready(Some(overflow)));
        queue.push(change(count + 5));
        assert_eq!(read(&queue), Poll::Ready(Some(change(count + 5))));
        assert_eq!(read(&queue), Poll::Pending);
    }

    #[test]
    fn one_shot_ends_after_its_event_and_any_watcher_with_its_session() {
        let once = Queue::new(false);
        once.push(change(1));
        assert_eq!(read(&once), Poll::Ready(Some(change(1))));
        assert_eq!(read(&once), Poll::Ready(None));
        let lasting = Queue::new(true);
        lasting.push(WatchEvent::State(State::Suspended));
        assert_eq!(read(&lasting), Poll::Pending);
        lasting.push(change(1));
        lasting.push(WatchEvent::State(State::Expired));
        assert_eq!(read(&lasting), Poll::Ready(Some(change(1))));
        assert_eq!(read(&lasting), Poll::Ready(None));
    }
}
