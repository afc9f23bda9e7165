//! A watch: its events wait in a bounded inbox until Python takes them.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::prelude::*;
use zoowarden::client::{WatchSink, WatcherId};
use zoowarden::{Client, State, WatchEvent};

use crate::failure::misuse;
use crate::fork::OfProcess;
use crate::port::{Inbox, Port};
use crate::session::state_name;

/// Events that wait for Python, per watch; further ones are counted and dropped.
pub(crate) const WATCH_EVENTS_MAX: usize = 8192;

/// An event: kind, path, zxid, and the state's name for the end of a session.
type Event = (i32, String, i64, Option<&'static str>);

/// `EventType.SESSION_LOST`
const SESSION_LOST: i32 = -1;

/// One watcher. Dropping it takes the watch back from the server.
#[pyclass(frozen, module = "zoowarden._zoowarden")]
pub(crate) struct Watch {
    inbox: Arc<Inbox<WatchEvent>>,
    state: OfProcess<Mutex<Registration>>,
}

enum Registration {
    /// Not asked for yet.
    Sink(WatchSink),
    Asked,
    Watching(Client, WatcherId),
    Over,
}

/// Ends the inbox when the client lets go of it.
struct Ending(Arc<Inbox<WatchEvent>>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[pymethods]
impl Watch {
    /// `on_ready()` is called from the port's drain when there is something to take, and once more
    /// when the watch is over.
    #[new]
    fn new(port: &Bound<'_, Port>, on_ready: Py<PyAny>) -> Self {
        let port = port.get();
        let slot = port.listener(on_ready);
        let inbox = Inbox::new(port.shared(), slot, WATCH_EVENTS_MAX);
        let ending = Ending(Arc::clone(&inbox));
        let sink: WatchSink = Arc::new(move |event| match event {
            // What passes by is told by the client's own listeners.
            WatchEvent::State(state) if !state.is_over() => {}
            WatchEvent::Overflow { dropped } => ending.0.put_dropped(dropped),
            event => ending.0.put(event),
        });
        Self {
            inbox,
            state: OfProcess::new(Mutex::new(Registration::Sink(sink))),
        }
    }

    /// `(events, dropped, ended)`: what has come, how many found no room after that, and whether
    /// nothing more will come.
    fn take(&self) -> (Vec<Event>, u64, bool) {
        let taken = self.inbox.take();
        let events = taken.items.into_iter().filter_map(event).collect();
        (events, taken.dropped, taken.ended)
    }

    /// Takes the watch back from the server, unless it is over.
    pub(crate) fn cancel(&self) -> PyResult<()> {
        let state = std::mem::replace(&mut *self.state.get()?.lock(), Registration::Over);
        if let Registration::Watching(client, id) = state {
            client.forget(id);
        }
        Ok(())
    }
}

impl Watch {
    /// The sink to ask with, once.
    pub(crate) fn sink(&self) -> PyResult<WatchSink> {
        let mut state = self.state.get()?.lock();
        match std::mem::replace(&mut *state, Registration::Asked) {
            Registration::Sink(sink) => Ok(sink),
            _ => Err(misuse("a watch is set once")),
        }
    }

    /// The client has taken the request.
    pub(crate) fn asked(&self, client: &Client, id: Option<WatcherId>) -> PyResult<()> {
        let mut state = self.state.get()?.lock();
        let next = match id {
            Some(id) => Registration::Watching(client.clone(), id),
            None => Registration::Over,
        };
        if !matches!(*state, Registration::Over) {
            *state = next;
        } else if let Registration::Watching(client, id) = next {
            client.forget(id);
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // In a forked child there is nothing to take back.
        let _ = self.cancel();
    }
}

fn event(event: WatchEvent) -> Option<Event> {
    match event {
        WatchEvent::Changed { kind, path, zxid } => Some((kind as i32, path, zxid.0, None)),
        WatchEvent::State(State::Closed) | WatchEvent::Overflow { .. } => None,
        WatchEvent::State(state) => {
            Some((SESSION_LOST, String::new(), -1, Some(state_name(state))))
        }
    }
}
