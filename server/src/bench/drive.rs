//! The life of one connection of the load: it asks, counts what is answered, and asks again.
//!
//! In a closed loop a request is due when an earlier one was answered. In an open loop requests are
//! due at a fixed rate, whatever is answered, and a latency counts from when its request was due:
//! a server that stalls is not spared the requests that would have met it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_timerfd::Delay;
use zoowarden::proto::{Request, Xid};

use super::plan::{Kind, Plan};
use super::tally::{Tally, Window};
use super::wire::Wire;

/// Between the end of a connection and the next attempt.
const PAUSE: Duration = Duration::from_millis(20);

/// How long answers that are still to come are waited for at the end.
const LINGER: Duration = Duration::from_secs(5);

/// What all connections know.
pub(super) struct Load {
    pub(super) servers: Vec<String>,
    pub(super) timeout_ms: i32,
    /// Requests of one connection on their way.
    pub(super) depth: usize,
    /// From one request of a connection to the next, in an open loop.
    pub(super) every: Option<Duration>,
    /// Requests answered, for the progress bar.
    pub(super) done: AtomicU64,
    /// Somebody pressed Ctrl-C.
    pub(super) stop: AtomicBool,
}

impl Load {
    /// The server of a connection, and of its later attempts.
    pub(super) fn server(&self, connection: u32, attempt: usize) -> &str {
        &self.servers[(connection as usize + attempt) % self.servers.len()]
    }

    fn is_over(&self, window: Window) -> bool {
        self.stop.load(Ordering::Relaxed) || window.end.is_some_and(|end| Instant::now() >= end)
    }
}

/// A request without an answer.
struct Sent {
    kind: Kind,
    due: Instant,
}

/// One connection.
pub(super) struct Drive {
    load: Arc<Load>,
    connection: u32,
    plan: Plan,
    tally: Rc<RefCell<Tally>>,
    window: Window,
    sent: VecDeque<Sent>,
    next_due: Instant,
    last_sent: Instant,
    xid: i32,
    /// The plan has nothing more.
    ended: bool,
}

impl Drive {
    pub(super) fn new(
        load: Arc<Load>,
        connection: u32,
        plan: Plan,
        tally: Rc<RefCell<Tally>>,
        window: Window,
    ) -> Drive {
        let now = Instant::now();
        // Spread evenly, so that not all connections are due at once.
        let phase = load.every.unwrap_or_default();
        let share = f64::from(connection % 1024) / 1024.0;
        Drive {
            connection,
            plan,
            tally,
            window,
            sent: VecDeque::with_capacity(load.depth),
            next_due: now + phase.mul_f64(share),
            last_sent: now,
            xid: 0,
            ended: false,
            load,
        }
    }

    /// Runs to the end of the window, or of the plan.
    pub(super) async fn run(mut self, wire: Wire) {
        let mut wire = Some(wire);
        let mut attempt = 0;
        while let Some(open) = wire.take() {
            self.plan.begin();
            if self.serve(open).await.is_ok() {
                return;
            }
            self.lose();
            while wire.is_none() && !self.load.is_over(self.window) {
                tokio::time::sleep(PAUSE).await;
                attempt += 1;
                let server = self.load.server(self.connection, attempt);
                wire = Wire::open(server, self.load.timeout_ms).await.ok();
            }
        }
    }

    /// Nobody will know what became of what was sent.
    fn lose(&mut self) {
        let mut tally = self.tally.borrow_mut();
        tally.lost += 1;
        tally.unanswered += self.sent.len() as u64;
        self.sent.clear();
    }

    /// Asks and counts until there is nothing more to do, or the connection is lost.
    async fn serve(&mut self, mut wire: Wire) -> io::Result<()> {
        let mut armed = Instant::now();
        let mut alarm = Delay::new(armed)?;
        let beat = Duration::from_millis(u64::from(wire.timeout_ms / 3).max(1));
        let mut linger = None;
        loop {
            let now = Instant::now();
            if self.ended || self.load.is_over(self.window) {
                let until = *linger.get_or_insert(now + LINGER);
                if self.sent.is_empty() || now >= until {
                    self.tally.borrow_mut().unanswered += self.sent.len() as u64;
                    wire.close().await;
                    return Ok(());
                }
            } else {
                self.ask(&mut wire, now, beat);
            }
            let wake = self.wake(now, beat, linger);
            // One that goes off too early costs less than setting it anew for each request.
            if wake < armed || armed <= now {
                alarm.reset(wake);
                armed = wake;
            }
            tokio::select! {
                exchanged = wire.exchange() => exchanged?,
                rung = &mut alarm => rung?,
            }
            self.count(&mut wire)?;
        }
    }

    /// Appends what is due, and a ping when nothing was for a while.
    fn ask(&mut self, wire: &mut Wire, now: Instant, beat: Duration) {
        while !self.plan.is_silent() && self.sent.len() < self.load.depth {
            let due = match self.load.every {
                None => now,
                Some(_) if self.next_due > now => break,
                Some(every) => {
                    let due = self.next_due;
                    self.next_due += every;
                    due
                }
            };
            // Numbers come round again; answers come in order, so nobody mistakes them.
            self.xid = self.xid.wrapping_add(1) & i32::MAX;
            let Some(kind) = self.plan.next(Xid(self.xid), &mut wire.out) else {
                self.ended = true;
                return;
            };
            self.sent.push_back(Sent { kind, due });
            self.last_sent = now;
        }
        if now - self.last_sent >= beat {
            Request::Ping.frame(Xid::PING, &mut wire.out);
            self.sent.push_back(Sent {
                kind: Kind::Ping,
                due: now,
            });
            self.last_sent = now;
        }
    }

    /// When to look again if nothing arrives.
    fn wake(&self, now: Instant, beat: Duration, linger: Option<Instant>) -> Instant {
        if let Some(linger) = linger {
            return linger;
        }
        let mut wake = self.last_sent + beat;
        if self.load.every.is_some() && self.sent.len() < self.load.depth {
            wake = wake.min(self.next_due);
        }
        if let Some(end) = self.window.end {
            wake = wake.min(end);
        }
        // Ctrl-C is noticed within this.
        wake.min(now + Duration::from_millis(100))
    }

    /// Counts the answers that have arrived.
    fn count(&mut self, wire: &mut Wire) -> io::Result<()> {
        let now = Instant::now();
        let mut done = 0;
        let mut tally = self.tally.borrow_mut();
        while let Some(header) = wire.next()? {
            if header.xid == Xid::NOTIFICATION {
                continue;
            }
            let Some(Sent { kind, due }) = self.sent.pop_front() else {
                return Err(io::Error::other("an answer to nothing"));
            };
            match header.error {
                0 => tally.answered(kind, due, now, self.window),
                error => tally.refused(error),
            }
            done += 1;
        }
        self.load.done.fetch_add(done, Ordering::Relaxed);
        Ok(())
    }
}
