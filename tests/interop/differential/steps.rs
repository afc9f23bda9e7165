//! What a sequence is made of, and how it is printed.

use std::fmt;

use super::requests::text;
use super::wire::{Item, name, op};

/// A request of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `None` takes the connection's next one.
    pub xid: Option<i32>,
    pub operation: i32,
    pub items: Vec<Item>,
}

impl Request {
    pub fn new(operation: i32, items: Vec<Item>) -> Request {
        let xid = match operation {
            op::PING => Some(-2),
            op::AUTH => Some(-4),
            op::SET_WATCHES | op::SET_WATCHES2 => Some(-8),
            _ => None,
        };
        Request {
            xid,
            operation,
            items,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", name(self.operation), list(&self.items))
    }
}

fn list(items: &[Item]) -> String {
    let told: Vec<String> = items.iter().map(Item::to_string).collect();
    told.join(", ")
}

/// One step; it is over, as far as anybody can see, when the next one begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A new connection of a slot whose first frame is these items. The slot's connection before it
    /// is read to its end if the server is to close it, and let go if not.
    Connect { slot: usize, hello: Vec<Item> },
    /// Requests in one write; over when all are answered.
    Send { slot: usize, requests: Vec<Request> },
    /// A frame as it stands; over when the ping behind it is answered or the connection closed.
    Frame { slot: usize, items: Vec<Item> },
    /// A frame as it stands; over when the connection is closed.
    LastFrame { slot: usize, items: Vec<Item> },
    /// Bytes as they stand, and then nothing more; over when the server closes.
    Torn { slot: usize, items: Vec<Item> },
    /// Bytes as they stand on a connection of their own, and then nothing more if `finish`; over
    /// when the server closes.
    Stranger { items: Vec<Item>, finish: bool },
    /// The connection is closed without a word; the session stays.
    Drop { slot: usize },
    /// Waits until this slot has been told that this znode is gone.
    Await { slot: usize, path: String },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Connect { slot, hello } => write!(f, "[{slot}] connect({})", list(hello)),
            Step::Send { slot, requests } => {
                let told: Vec<String> = requests.iter().map(Request::to_string).collect();
                write!(f, "[{slot}] {}", told.join("\n      "))
            }
            Step::Frame { slot, items } => write!(f, "[{slot}] frame({}), ping", list(items)),
            Step::LastFrame { slot, items } => write!(f, "[{slot}] frame({})", list(items)),
            Step::Torn { slot, items } => write!(f, "[{slot}] bytes({}), no more", list(items)),
            Step::Stranger { items, .. } => write!(f, "[-] bytes({})", list(items)),
            Step::Drop { slot } => write!(f, "[{slot}] drop the connection"),
            Step::Await { slot, path } => write!(f, "[{slot}] hear that {path} is gone"),
        }
    }
}

/// Steps that begin on a fresh root, and after which all sessions are closed.
#[derive(Clone, Debug)]
pub struct Sequence {
    pub seed: u64,
    pub profile: &'static str,
    pub steps: Vec<Step>,
}

impl Sequence {
    /// Paths of requests that carry an access list which is not open to all; of sequential znodes the
    /// part before the number.
    pub fn closed_paths(&self) -> impl Iterator<Item = &str> {
        let lists = self.steps.iter().flat_map(|step| match step {
            Step::Send { requests, .. } => requests.iter().map(|r| &r.items[..]).collect(),
            Step::Frame { items, .. } => vec![&items[..]],
            _ => Vec::new(),
        });
        lists
            .filter(|items| is_closed(items))
            .flatten()
            .filter_map(|item| match item {
                Item::Text(text) if text.starts_with('~') => Some(text.as_str()),
                _ => None,
            })
    }

    /// How many requests, frames and connections it has.
    pub fn operations(&self) -> usize {
        let of = |step: &Step| match step {
            Step::Send { requests, .. } => requests.len(),
            Step::Frame { .. } => 2,
            _ => 1,
        };
        self.steps.iter().map(of).sum()
    }
}

/// Whether a list in a request gives less than everything to everybody. Everybody's own entry is the
/// only one of an open list.
fn is_closed(items: &[Item]) -> bool {
    let open = [Item::Int(1), Item::Int(31), text("world"), text("anyone")];
    let schemes = ["world", "auth", "digest", "ip", "sasl", "x509"];
    let entries = items.iter().filter(|item| match item {
        Item::Text(text) => schemes.contains(&text.as_str()),
        _ => false,
    });
    let open = items.windows(open.len()).filter(|window| **window == open);
    entries.count() > open.count()
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {number:>3} {step}")?;
        }
        Ok(())
    }
}
