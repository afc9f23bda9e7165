//! What watches and the connection report, shown as it comes.
//!
//! Events arrive on the client's I/O task, which must not wait for a terminal; so they go through a
//! bounded queue to a thread that prints them, in the order in which they came. What does not fit is
//! counted and the count is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use serde_json::json;
use zoowarden::client::{State, WatchEvent, WatchSink, WatcherId};
use zoowarden::proto::EventKind;

use super::Source;
use super::output::{Output, harmless};

/// Events that wait to be printed; what comes on top is dropped, and said to be.
const EVENTS_MAX: usize = 65_536;

/// What a watch is for; one znode has at most one of each in the shell, as in zkCli.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watching {
    Data,
    Children,
    Persistent,
    PersistentRecursive,
}

/// Prints above a line that is being typed.
pub(crate) type Above = Box<dyn FnMut(String) + Send>;

/// All watches of the shell, and the printer of what they report.
pub(crate) struct Events {
    sender: Mutex<Option<SyncSender<Message>>>,
    /// `printwatches`.
    shown: AtomicBool,
    source: Source,
    has_connected: AtomicBool,
    dropped: AtomicU64,
    watches: Mutex<Vec<Watch>>,
    printer: Mutex<Option<JoinHandle<()>>>,
}

struct Watch {
    path: String,
    watching: Watching,
    id: WatcherId,
    /// A one-shot watch that has reported.
    over: Arc<AtomicBool>,
}

enum Message {
    Line(String),
    Above(Above),
}

impl Events {
    /// Starts the printer.
    pub(crate) fn start(output: Arc<Output>, source: Source) -> Arc<Self> {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        let printer = std::thread::Builder::new()
            .name("zoowarden-events".to_owned())
            .spawn(move || print(&receiver, &output))
            .expect("a process can start one more thread");
        Arc::new(Self {
            sender: Mutex::new(Some(sender)),
            shown: AtomicBool::new(true),
            source,
            has_connected: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            watches: Mutex::new(Vec::new()),
            printer: Mutex::new(Some(printer)),
        })
    }

    /// From now on events are printed through this.
    pub(crate) fn print_above(&self, above: Above) {
        self.send(Message::Above(above));
    }

    /// `printwatches on` and `off`.
    pub(crate) fn show(&self, shown: bool) {
        self.shown.store(shown, Ordering::Relaxed);
    }

    /// Whether events are printed.
    pub(crate) fn are_shown(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }

    /// The printer's end, after everything that has come so far.
    pub(crate) fn finish(&self) {
        drop(self.sender.lock().take());
        if let Some(printer) = self.printer.lock().take() {
            // A printer that panicked has nothing more to print.
            let _ = printer.join();
        }
    }

    /// A new session begins: no watch is left, and its first connection is no news.
    pub(crate) fn begin(&self) {
        self.watches.lock().clear();
        self.has_connected.store(false, Ordering::Relaxed);
    }

    /// A change of the connection's state.
    pub(crate) fn state(&self, state: State) {
        let name = match state {
            // Nothing that zkCli tells, or what the first command's answer tells better.
            State::Connecting | State::Closed => return,
            State::Connected => "SyncConnected",
            State::ConnectedReadOnly => "ConnectedReadOnly",
            State::Suspended => "Disconnected",
            State::Expired => "Expired",
            State::AuthFailed => "AuthFailed",
        };
        if state.is_over() {
            self.watches.lock().clear();
        }
        let was_connected = self
            .has_connected
            .fetch_or(state.is_connected(), Ordering::Relaxed);
        let is_shown = match self.source {
            Source::CommandLine => false,
            // The first connection is what was asked for; only its loss is news.
            Source::Input | Source::Prompt => was_connected,
        };
        if is_shown {
            self.line(format!("WatchedEvent state:{name} type:None path:null"));
        }
    }

    /// Where a new watch reports to; `over` is set by a one-shot watch when it has reported.
    pub(crate) fn sink(
        self: &Arc<Self>,
        watching: Watching,
        json: bool,
    ) -> (WatchSink, Arc<AtomicBool>) {
        let events = Arc::clone(self);
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let one_shot = matches!(watching, Watching::Data | Watching::Children);
        let sink = move |event| {
            if let WatchEvent::Changed { .. } = event {
                is_over.store(one_shot, Ordering::Relaxed);
            }
            if let Some(line) = described(&event, json) {
                events.line(line);
            }
        };
        (Arc::new(sink), over)
    }

    /// Remembers a watch, to remove it on request.
    pub(crate) fn add(
        &self,
        path: &str,
        watching: Watching,
        id: Option<WatcherId>,
        over: Arc<AtomicBool>,
    ) {
        let Some(id) = id else {
            return;
        };
        let mut watches = self.watches.lock();
        watches.retain(|watch| !watch.over.load(Ordering::Relaxed));
        watches.push(Watch {
            path: path.to_owned(),
            watching,
            id,
            over,
        });
    }

    /// Whether such a watch stands already.
    pub(crate) fn has(&self, path: &str, watching: Watching) -> bool {
        self.watches.lock().iter().any(|watch| {
            watch.path == path && watch.watching == watching && !watch.over.load(Ordering::Relaxed)
        })
    }

    /// Takes out the watches of a path, of one kind or of all.
    pub(crate) fn take(&self, path: &str, wanted: &[Watching]) -> Vec<(WatcherId, Watching)> {
        let mut watches = self.watches.lock();
        watches.retain(|watch| !watch.over.load(Ordering::Relaxed));
        let (taken, kept) = std::mem::take(&mut *watches)
            .into_iter()
            .partition(|watch: &Watch| watch.path == path && wanted.contains(&watch.watching));
        *watches = kept;
        taken
            .into_iter()
            .map(|watch: Watch| (watch.id, watch.watching))
            .collect()
    }

    /// Prints one event, unless the user does not want to see any.
    pub(crate) fn line(&self, line: String) {
        if !self.are_shown() {
            return;
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 && !self.send(Message::Line(format!("{dropped} events were not shown"))) {
            self.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
        if !self.send(Message::Line(line)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn send(&self, message: Message) -> bool {
        let sender = self.sender.lock();
        sender
            .as_ref()
            .is_none_or(|sender| sender.try_send(message).is_ok())
    }
}

fn print(receiver: &Receiver<Message>, output: &Output) {
    let mut above: Option<Above> = None;
    while let Ok(message) = receiver.recv() {
        match (message, &mut above) {
            (Message::Above(printer), _) => above = Some(printer),
            (Message::Line(line), Some(above)) => above(harmless(&framed(&line)) + "\n"),
            (Message::Line(line), None) => {
                // A reader that has gone ends the shell by its next answer.
                let _ = output.line(&framed(&line)).and_then(|()| output.flush());
            }
        }
    }
}

/// zkCli's frame around what is not JSON.
fn framed(line: &str) -> String {
    match line.starts_with('{') {
        true => line.to_owned(),
        false => format!("\nWATCHER::\n\n{line}"),
    }
}

/// ZooKeeper's name of an event.
pub(crate) fn name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Created => "NodeCreated",
        EventKind::Deleted => "NodeDeleted",
        EventKind::DataChanged => "NodeDataChanged",
        EventKind::ChildrenChanged => "NodeChildrenChanged",
    }
}

/// An event as text or as JSON; states are told once for the whole shell, not by each watch.
fn described(event: &WatchEvent, json: bool) -> Option<String> {
    match event {
        WatchEvent::State(_) => None,
        WatchEvent::Overflow { dropped } => Some(format!("{dropped} events were lost")),
        WatchEvent::Changed { kind, path, zxid } if json => {
            let zxid = (zxid.0 > 0).then(|| zxid.to_string());
            let event = json!({ "event": name(*kind), "path": path, "zxid": zxid });
            Some(event.to_string())
        }
        WatchEvent::Changed { kind, path, .. } => {
            let name = name(*kind);
            Some(format!(
                "WatchedEvent state:SyncConnected type:{name} path:{path}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use zoowarden::proto::Zxid;

    use super::*;

    fn changed(zxid: i64) -> WatchEvent {
        WatchEvent::Changed {
            kind: EventKind::DataChanged,
            path: "/a".to_owned(),
            zxid: Zxid(zxid),
        }
    }

    #[test]
    fn events_read_as_in_zkcli_and_as_json() {
        let text = described(&changed(7), false).unwrap();
        let words = "WatchedEvent state:SyncConnected type:NodeDataChanged path:/a";
        assert_eq!(framed(&text), format!("\nWATCHER::\n\n{words}"));
        let json = described(&changed(7), true).unwrap();
        assert_eq!(
            framed(&json),
            r#"{"event":"NodeDataChanged","path":"/a","zxid":"0x7"}"#
        );
        let json = described(&changed(-1), true).unwrap();
        assert!(json.contains("\"zxid\":null"), "{json}");
    }

    #[test]
    fn more_events_than_can_wait_are_dropped_and_counted() {
        let events = Events::start(Arc::new(Output::of_process()), Source::Prompt);
        let (open, gate) = channel::<()>();
        let (printed, seen) = channel();
        events.print_above(Box::new(move |line| {
            // Opens for good when its other end is dropped.
            let _ = gate.recv();
            let _ = printed.send(line);
        }));
        let dropped = 10;
        // One is in the printer's hands or still waits; the queue holds the others.
        for _ in 0..EVENTS_MAX + 2 + dropped {
            events.line("{}".to_owned());
        }
        assert!(events.dropped.load(Ordering::Relaxed) >= dropped as u64);
        drop(open);
        let printed_one = seen.recv().is_ok();
        assert!(printed_one);
        events.finish();
        assert!(seen.try_iter().count() >= EVENTS_MAX - 2);
    }

    #[test]
    fn a_one_shot_watch_is_gone_once_it_has_reported() {
        let events = Events::start(Arc::new(Output::of_process()), Source::CommandLine);
        events.show(false);
        let (sink, over) = events.sink(Watching::Data, false);
        assert!(!over.load(Ordering::Relaxed));
        sink(changed(1));
        assert!(over.load(Ordering::Relaxed));
        let (sink, over) = events.sink(Watching::Persistent, false);
        sink(changed(1));
        assert!(!over.load(Ordering::Relaxed));
    }
}
