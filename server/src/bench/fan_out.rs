//! One connection changes a znode, all others watch it: how fast events spread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use zoowarden::proto::{AddWatchMode, Request, Text, Xid, Zxid};

use super::drive::Load;
use super::plan::Keys;
use super::tally::no_latencies;
use super::wire::Wire;

/// No event for so long: the rest will not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the speaker said and the listeners heard. The zxid tells which event belongs to which
/// change.
#[derive(Default)]
pub(super) struct Heard {
    said: HashMap<Zxid, Instant>,
    heard: Vec<(Zxid, Instant)>,
}

/// Events as the report shows them.
pub(super) struct Spread {
    pub(super) changes: usize,
    pub(super) events: usize,
    /// From the first change sent to the last event heard.
    pub(super) took: Duration,
    /// From a change sent to its event, nanoseconds.
    pub(super) latencies: Histogram<u64>,
}

impl Heard {
    /// Adds what another thread saw.
    pub(super) fn add(&mut self, other: Heard) {
        self.said.extend(other.said);
        self.heard.extend(other.heard);
    }

    /// Brings changes and events together.
    pub(super) fn spread(&self) -> Spread {
        let mut latencies = no_latencies();
        for (zxid, at) in &self.heard {
            if let Some(said) = self.said.get(zxid) {
                let nanos = at.saturating_duration_since(*said).as_nanos();
                latencies.saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX));
            }
        }
        let first = self.said.values().min();
        let last = self.heard.iter().map(|(_, at)| at).max();
        Spread {
            changes: self.said.len(),
            events: self.heard.len(),
            took: first.zip(last).map_or(Duration::ZERO, |(first, last)| {
                last.saturating_duration_since(*first)
            }),
            latencies,
        }
    }
}

/// Sets a persistent watch, which servers from 3.6 on know.
pub(super) async fn watch(wire: &mut Wire, keys: &Keys) -> io::Result<()> {
    let path = Text::Borrowed(&keys.paths[0]);
    let mode = AddWatchMode::Persistent;
    Request::AddWatch { path, mode }.frame(Xid(1), &mut wire.out);
    loop {
        if let Some(header) = wire.next()? {
            return match header.error {
                0 => Ok(()),
                error => Err(io::Error::other(format!("addWatch was refused: {error}"))),
            };
        }
        wire.exchange().await?;
    }
}

/// Changes the znode so many times.
pub(super) async fn speak(
    mut wire: Wire,
    load: &Load,
    keys: &Keys,
    changes: u32,
    heard: &RefCell<Heard>,
) -> io::Result<()> {
    let mut sent = VecDeque::new();
    let (mut asked, mut answered) = (0, 0);
    while answered < changes && !load.stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        while asked < changes && sent.len() < load.depth {
            asked += 1;
            Request::SetData {
                path: Text::Borrowed(&keys.paths[0]),
                data: Some(&keys.value),
                version: -1,
            }
            .frame(Xid(1), &mut wire.out);
            sent.push_back(now);
        }
        wire.exchange().await?;
        while let Some(header) = wire.next()? {
            let Some(at) = sent.pop_front() else {
                return Err(io::Error::other("an answer to nothing"));
            };
            if header.error != 0 {
                return Err(io::Error::other(format!("setData: {}", header.error)));
            }
            answered += 1;
            heard.borrow_mut().said.insert(header.zxid, at);
        }
    }
    wire.close().await;
    Ok(())
}

/// Hears of so many changes.
pub(super) async fn listen(
    mut wire: Wire,
    load: &Load,
    changes: u32,
    heard: &RefCell<Heard>,
) -> io::Result<()> {
    let mut count = 0;
    while count < changes && !load.stop.load(Ordering::Relaxed) {
        match tokio::time::timeout(PATIENCE, wire.exchange()).await {
            Ok(exchanged) => exchanged?,
            Err(_) => break,
        }
        let now = Instant::now();
        let mut heard = heard.borrow_mut();
        while let Some(header) = wire.next()? {
            if header.xid == Xid::NOTIFICATION {
                count += 1;
                heard.heard.push((header.zxid, now));
            }
        }
        load.done.fetch_add(1, Ordering::Relaxed);
    }
    wire.close().await;
    Ok(())
}
