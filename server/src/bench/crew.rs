//! The threads that make the load, and how they begin together.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::drive::{Drive, Load};
use super::fan_out::{self, Heard};
use super::plan::{Keys, Plan, Stream};
use super::tally::{Tally, Window};
use super::wire::Wire;

/// Connections that one thread opens at the same time.
const OPENING_MAX: usize = 64;

/// What the connections do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    /// Ask, each for itself.
    Ask(Stream),
    /// The first one asks for so many changes, the others hear of them.
    FanOut { changes: u32 },
}

/// What one thread brings back.
pub(super) struct Harvest {
    pub(super) tally: Tally,
    pub(super) heard: Heard,
}

/// Threads whose connections are being opened, or at work.
pub(super) struct Crew {
    threads: Vec<std::thread::JoinHandle<Result<Harvest, String>>>,
    opened: Arc<AtomicU32>,
    window: watch::Sender<Option<Window>>,
}

impl Crew {
    /// Starts to open the connections, spread over `threads`.
    pub(super) fn gather(
        load: &Arc<Load>,
        keys: &Arc<Keys>,
        work: Work,
        connections: u32,
        threads: u32,
    ) -> std::io::Result<Crew> {
        let opened = Arc::new(AtomicU32::new(0));
        let window = watch::Sender::new(None);
        let hands = (0..threads.min(connections)).map(|thread| {
            let hand = Hand {
                load: Arc::clone(load),
                keys: Arc::clone(keys),
                work,
                connections: (thread..connections).step_by(threads as usize).collect(),
                opened: Arc::clone(&opened),
                window: window.subscribe(),
            };
            std::thread::Builder::new()
                .name(format!("bench-{thread}"))
                .spawn(move || hand.work())
        });
        Ok(Crew {
            threads: hands.collect::<std::io::Result<_>>()?,
            opened,
            window,
        })
    }

    /// Connections that are open.
    pub(super) fn opened(&self) -> u32 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Whether a thread has ended: it could not open its connections, or its work is done.
    pub(super) fn any_has_ended(&self) -> bool {
        self.threads
            .iter()
            .any(std::thread::JoinHandle::is_finished)
    }

    /// Whether all have.
    pub(super) fn all_have_ended(&self) -> bool {
        self.threads
            .iter()
            .all(std::thread::JoinHandle::is_finished)
    }

    /// Lets all begin.
    pub(super) fn begin(&self, window: Window) {
        self.window.send_replace(Some(window));
    }

    /// Waits for all, and adds up what they saw.
    pub(super) fn harvest(self) -> Result<Harvest, String> {
        // Who still waits for the beginning gives up.
        drop(self.window);
        let mut sum = Harvest {
            tally: Tally::new(),
            heard: Heard::default(),
        };
        let mut failed = None;
        for thread in self.threads {
            match thread.join() {
                Ok(Ok(harvest)) => {
                    sum.tally.add(&harvest.tally);
                    sum.heard.add(harvest.heard);
                }
                Ok(Err(what)) => failed = Some(what),
                Err(_) => failed = Some("a thread of the load generator panicked".to_owned()),
            }
        }
        failed.map_or(Ok(sum), Err)
    }
}

/// One thread.
struct Hand {
    load: Arc<Load>,
    keys: Arc<Keys>,
    work: Work,
    connections: Vec<u32>,
    opened: Arc<AtomicU32>,
    window: watch::Receiver<Option<Window>>,
}

impl Hand {
    fn work(self) -> Result<Harvest, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, self.run())
    }

    async fn run(mut self) -> Result<Harvest, String> {
        let wires = self.open().await?;
        let window = match self.window.wait_for(Option::is_some).await {
            Ok(window) => window.expect("it was waited for"),
            Err(_) => return Err("it never began".to_owned()),
        };
        let tally = Rc::new(RefCell::new(Tally::new()));
        let heard = Rc::new(RefCell::new(Heard::default()));
        let mut tasks = Vec::new();
        tokio::time::sleep_until((window.begin - window.warmup).into()).await;
        for (connection, wire) in wires {
            tasks.push(self.start(connection, wire, window, &tally, &heard));
        }
        for task in tasks {
            if let Err(error) = task.await {
                return Err(format!("a connection's task panicked: {error}"));
            }
        }
        Ok(Harvest {
            tally: tally.replace(Tally::new()),
            heard: heard.take(),
        })
    }

    /// Opens this thread's connections; watchers set their watch, too.
    async fn open(&self) -> Result<Vec<(u32, Wire)>, String> {
        let opening = futures_util::stream::iter(self.connections.iter().copied())
            .map(|connection| async move {
                let server = self.load.server(connection, 0);
                let fail = |error: std::io::Error| format!("{server}: {error}");
                let opened = Wire::open(server, self.load.timeout_ms).await;
                let mut wire = opened.map_err(fail)?;
                if matches!(self.work, Work::FanOut { .. }) && connection > 0 {
                    fan_out::watch(&mut wire, &self.keys).await.map_err(fail)?;
                }
                self.opened.fetch_add(1, Ordering::Relaxed);
                Ok((connection, wire))
            })
            .buffer_unordered(OPENING_MAX);
        let opened: Vec<Result<(u32, Wire), String>> = opening.collect().await;
        opened.into_iter().collect()
    }

    fn start(
        &self,
        connection: u32,
        wire: Wire,
        window: Window,
        tally: &Rc<RefCell<Tally>>,
        heard: &Rc<RefCell<Heard>>,
    ) -> tokio::task::JoinHandle<()> {
        let load = Arc::clone(&self.load);
        match self.work {
            Work::Ask(stream) => {
                let plan = Plan::new(Arc::clone(&self.keys), stream, connection);
                let drive = Drive::new(load, connection, plan, Rc::clone(tally), window);
                tokio::task::spawn_local(drive.run(wire))
            }
            Work::FanOut { changes } => {
                let (tally, heard) = (Rc::clone(tally), Rc::clone(heard));
                let keys = Arc::clone(&self.keys);
                tokio::task::spawn_local(async move {
                    let ended = match connection {
                        0 => fan_out::speak(wire, &load, &keys, changes, &heard).await,
                        _ => fan_out::listen(wire, &load, changes, &heard).await,
                    };
                    if ended.is_err() {
                        tally.borrow_mut().lost += 1;
                    }
                })
            }
        }
    }
}

/// The time it takes to get from [`Crew::begin`] to the first request on every thread.
pub(super) const RUN_UP: Duration = Duration::from_millis(50);

/// A window that begins soon.
pub(super) fn window(warmup: Duration, duration: Option<Duration>) -> Window {
    let begin = Instant::now() + RUN_UP + warmup;
    Window {
        warmup,
        begin,
        end: duration.map(|duration| begin + duration),
    }
}
