//! The order of one connection's requests.
//!
//! ```text
//!   arrive ──▶ nothing ahead ─────────────▶ Run     read at once, reply at once
//!          ──▶ a write ───────────────────▶ Propose into the lane at once, reply when applied
//!          ──▶ a read behind a write ─────▶ Wait    runs when the writes ahead are applied
//!          ──▶ a sync ────────────────────▶ Sync    asks for a read index, replies in its turn
//!          ──▶ a reconfig ────────────────▶ Propose as a write, but it is applied long before
//!                                                   its reply is known
//!          ──▶ anything behind these two ─▶ Wait
//!          ──▶ nobody knows it ───────────▶ Unknown in its turn, and nothing arrives behind it
//! ```
//!
//! Call `arrive` for each request in the order of the socket. When a write of this connection is
//! about to be applied, run what `before_write` gives, apply, then call `written` and push the
//! reply. When a read index is reached, call `synced`. After both, run what `next_step` gives until it
//! gives nothing.
//!
//! Invariants: replies leave in the order of arrival. A read sees every write ahead of it and none
//! behind it. Writes go out in the order of arrival. Nothing is proposed while a sync or a reconfig
//! is ahead.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::proto::{Code, Id, OpCode, Xid};

/// What becomes of a request when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// What its operation says.
    Ordinary,
    /// It ends a session that only this server knows, here. Nothing may arrive behind it.
    CloseHere,
    /// It is answered with this code, and nothing else happens.
    Refused(Code),
}

/// A request as it waits: undecoded, with the identities its connection had when it came.
#[derive(Clone, Debug)]
pub struct Held {
    /// The client's number.
    pub xid: Xid,
    /// The operation.
    pub op: OpCode,
    /// The record behind the header.
    pub body: Bytes,
    /// Who asked.
    pub identities: Arc<[Id]>,
    /// What becomes of it.
    pub course: Course,
    /// Its bytes, if it is one of the large requests that are counted; else 0.
    pub large_bytes: usize,
    /// When it came, microseconds of the caller's clock; handed back with the reply.
    pub arrived_us: u64,
}

/// A write that is answered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The client's number.
    pub xid: Xid,
    /// The operation.
    pub op: OpCode,
    /// See [`Held::large_bytes`].
    pub large_bytes: usize,
    /// When it came, microseconds of the caller's clock.
    pub arrived_us: u64,
}

impl Held {
    fn is_write(&self) -> bool {
        self.course == Course::Ordinary && self.op.is_write()
    }

    fn is_sync(&self) -> bool {
        self.course == Course::Ordinary && self.op == OpCode::Sync
    }

    fn as_written(&self) -> Written {
        Written {
            xid: self.xid,
            op: self.op,
            large_bytes: self.large_bytes,
            arrived_us: self.arrived_us,
        }
    }
}

/// What to do with a request now.
#[derive(Clone, Debug)]
pub enum Step {
    /// Carry it out here and reply.
    Run(Held),
    /// Put it into the lane; the reply comes when it is applied.
    Propose(Held),
    /// Ask the leader for a read index.
    Sync,
    /// The turn of a sync whose read index is reached: reply.
    Synced(Held),
    /// The turn of an operation nobody knows: say so, and end the connection.
    Unknown(Xid),
}

#[derive(Debug)]
enum Slot {
    Write(Written),
    Sync { held: Held, reached: bool },
    Waiting(Held),
    Unknown(Xid),
}

/// The requests of one connection that are not answered yet, oldest first.
#[derive(Debug, Default)]
pub struct Pipeline {
    slots: VecDeque<Slot>,
    /// Syncs and reconfigs among the slots. While there is one, later requests wait undecided.
    barriers: usize,
}

impl Pipeline {
    /// Requests not answered yet.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Syncs not answered yet.
    pub fn pending_syncs(&self) -> usize {
        let syncs = self.slots.iter();
        syncs
            .filter(|slot| matches!(slot, Slot::Sync { .. }))
            .count()
    }

    /// Whether every request is answered.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes of the large requests that are not answered yet.
    pub fn large_bytes(&self) -> usize {
        let of = |slot: &Slot| match slot {
            Slot::Write(written) => written.large_bytes,
            Slot::Sync { held, .. } | Slot::Waiting(held) => held.large_bytes,
            Slot::Unknown(_) => 0,
        };
        self.slots.iter().map(of).sum()
    }

    /// Takes the next request of the socket. `None` says that it waits here.
    pub fn arrive(&mut self, held: Held) -> Option<Step> {
        if self.barriers > 0 {
            self.slots.push_back(Slot::Waiting(held));
            return None;
        }
        if held.is_sync() {
            self.barriers += 1;
            self.slots.push_back(Slot::Sync {
                held,
                reached: false,
            });
            return Some(Step::Sync);
        }
        if held.is_write() {
            self.barriers += usize::from(held.op == OpCode::Reconfig);
            self.slots.push_back(Slot::Write(held.as_written()));
            return Some(Step::Propose(held));
        }
        if self.slots.is_empty() {
            return Some(Step::Run(held));
        }
        self.slots.push_back(Slot::Waiting(held));
        None
    }

    /// Takes an operation nobody knows. Nothing may arrive behind it.
    pub fn arrive_unknown(&mut self, xid: Xid) -> Option<Step> {
        if self.slots.is_empty() {
            return Some(Step::Unknown(xid));
        }
        self.slots.push_back(Slot::Unknown(xid));
        None
    }

    /// Whether the connection ends with what is here: nothing more may arrive.
    pub fn ends(&self) -> bool {
        match self.slots.back() {
            Some(Slot::Unknown(_)) => true,
            Some(Slot::Waiting(held)) => held.course == Course::CloseHere,
            Some(Slot::Write(_) | Slot::Sync { .. }) | None => false,
        }
    }

    /// A request that was to run here is a write after all; nothing is ahead of it. Propose it.
    pub fn turns_into_write(&mut self, held: &Held) {
        self.slots.push_front(Slot::Write(held.as_written()));
    }

    /// A read that must run before the oldest write is applied, or it would see that write.
    pub fn before_write(&mut self) -> Option<Held> {
        match self.slots.front() {
            Some(Slot::Waiting(_)) => match self.slots.pop_front() {
                Some(Slot::Waiting(held)) => Some(held),
                _ => None,
            },
            _ => None,
        }
    }

    /// The oldest write has been applied: whose reply it is.
    pub fn written(&mut self) -> Option<Written> {
        let Some(Slot::Write(written)) = self.slots.front() else {
            return None;
        };
        let written = *written;
        self.barriers -= usize::from(written.op == OpCode::Reconfig);
        self.slots.pop_front();
        Some(written)
    }

    /// The connection is gone: nothing of it is answered any more.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.barriers = 0;
    }

    /// The read index of the oldest sync has been applied here.
    pub fn synced(&mut self) {
        for slot in &mut self.slots {
            if let Slot::Sync { reached, .. } = slot {
                *reached = true;
                return;
            }
        }
    }

    /// What can move on now: a read with nothing ahead of it, a sync whose turn has come, and
    /// after that what waited behind it.
    pub fn next_step(&mut self) -> Option<Step> {
        match self.slots.front()? {
            Slot::Waiting(held) if !held.is_write() && held.op != OpCode::Sync => {
                self.before_write().map(Step::Run)
            }
            Slot::Sync { reached: true, .. } => match self.slots.pop_front() {
                Some(Slot::Sync { held, .. }) => {
                    self.barriers -= 1;
                    Some(Step::Synced(held))
                }
                _ => None,
            },
            Slot::Unknown(xid) => {
                let xid = *xid;
                self.slots.pop_front();
                Some(Step::Unknown(xid))
            }
            _ if self.barriers == 0 => self.decide_waiting(),
            _ => None,
        }
    }

    /// Behind a sync writes and syncs waited undecided; now that it is gone the first of them is
    /// proposed, or asks, in its place.
    fn decide_waiting(&mut self) -> Option<Step> {
        let undecided = self.slots.iter_mut().find(|slot| match slot {
            Slot::Waiting(held) => held.is_write() || held.is_sync(),
            Slot::Write(_) | Slot::Sync { .. } | Slot::Unknown(_) => false,
        })?;
        let Slot::Waiting(held) = undecided else {
            return None;
        };
        let held = held.clone();
        if held.is_sync() {
            *undecided = Slot::Sync {
                held,
                reached: false,
            };
            self.barriers += 1;
            return Some(Step::Sync);
        }
        *undecided = Slot::Write(held.as_written());
        self.barriers += usize::from(held.op == OpCode::Reconfig);
        Some(Step::Propose(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests by letter: `r` read, `w` write, `s` sync, `c` reconfig, numbered by their place; `u` is unknown.
    fn held(letter: char, xid: usize) -> Held {
        let op = match letter {
            'w' => OpCode::SetData,
            'c' => OpCode::Reconfig,
            's' => OpCode::Sync,
            _ => OpCode::GetData,
        };
        let xid = Xid(i32::try_from(xid).unwrap());
        Held {
            xid,
            op,
            body: Bytes::new(),
            identities: Arc::new([]),
            course: Course::Ordinary,
            large_bytes: 0,
            arrived_us: 0,
        }
    }

    fn show(step: &Step) -> String {
        match step {
            Step::Run(held) => format!("run {}", held.xid.0),
            Step::Propose(held) => format!("propose {}", held.xid.0),
            Step::Sync => "sync".into(),
            Step::Synced(held) => format!("synced {}", held.xid.0),
            Step::Unknown(xid) => format!("unknown {}", xid.0),
        }
    }

    /// Plays a script: letters arrive, `A` applies a write, `I` reaches a read index.
    fn play(script: &str) -> String {
        let mut pipeline = Pipeline::default();
        let mut shown = Vec::new();
        for (place, letter) in script.chars().enumerate() {
            match letter {
                'A' => {
                    while let Some(read) = pipeline.before_write() {
                        shown.push(format!("run {}", read.xid.0));
                    }
                    let written = pipeline.written().expect("a write is under way");
                    shown.push(format!("reply {}", written.xid.0));
                }
                'I' => pipeline.synced(),
                'u' => {
                    let xid = Xid(i32::try_from(place).unwrap());
                    shown.extend(pipeline.arrive_unknown(xid).as_ref().map(show));
                    assert_eq!(pipeline.ends(), !pipeline.is_empty());
                }
                _ => shown.extend(pipeline.arrive(held(letter, place)).as_ref().map(show)),
            }
            if matches!(letter, 'A' | 'I') {
                while let Some(step) = pipeline.next_step() {
                    shown.push(show(&step));
                }
            }
        }
        shown.join(", ")
    }

    #[test]
    fn requests_take_effect_and_are_answered_in_order() {
        let cases = [
            ("rr", "run 0, run 1"),
            ("ru", "run 0, unknown 1"),
            ("wruA", "propose 0, reply 0, run 1, unknown 2"),
            ("swuIA", "sync, synced 0, propose 1, reply 1, unknown 2"),
            ("wr", "propose 0"),
            ("wrA", "propose 0, reply 0, run 1"),
            ("wrwA", "propose 0, propose 2, reply 0, run 1"),
            (
                "wrwrAA",
                "propose 0, propose 2, reply 0, run 1, reply 2, run 3",
            ),
            ("sIr", "sync, synced 0, run 2"),
            ("srwI", "sync, synced 0, run 1, propose 2"),
            ("wsrIA", "propose 0, sync, reply 0, synced 1, run 2"),
            ("wsAwI", "propose 0, sync, reply 0, synced 1, propose 3"),
            (
                "sswIIA",
                "sync, synced 0, sync, synced 1, propose 2, reply 2",
            ),
            ("srwrI", "sync, synced 0, run 1, propose 2"),
            (
                "wcrwAAA",
                "propose 0, propose 1, reply 0, reply 1, run 2, propose 3, reply 3",
            ),
            ("cwA", "propose 0, reply 0, propose 1"),
            (
                "scwIAA",
                "sync, synced 0, propose 1, reply 1, propose 2, reply 2",
            ),
            (
                "swrwIAA",
                "sync, synced 0, propose 1, propose 3, reply 1, run 2, reply 3",
            ),
        ];
        for (script, expected) in cases {
            assert_eq!(play(script), expected, "{script}");
        }
    }
}
