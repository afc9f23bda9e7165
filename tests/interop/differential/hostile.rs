//! Frames that no client sends.

use fastrand::Rng;

use super::requests::{Requests, text};
use super::steps::{Request, Step};
use super::wire::{Item, op};

/// Lengths and counts that are rarely right.
const ODD: [i32; 10] = [-1, -2, 0, 1, 5, 255, 65_536, 0x10_0000, i32::MAX, i32::MIN];

/// The timeout of sessions that are not to expire, however slow a machine is: some are left behind
/// when their slot opens another one.
pub const PATIENT_MS: i32 = 600_000;

/// Operations that nobody knows, or that servers keep for themselves. `createSession` is not among
/// them: 3.8.0 carries it out, and gives the session another timeout.
const UNKNOWN: [i32; 10] = [0, -1, 10, 23, 99, 108, 1000, -12, i32::MAX, i32::MIN];

/// A frame that is wrong somewhere, in a session.
pub fn frame(slot: usize, requests: &mut Requests<'_>) -> Step {
    let mut items = vec![Item::Int(7777)];
    match requests.random.u32(0..20) {
        0 => {
            items.push(Item::Int(UNKNOWN[requests.random.usize(..UNKNOWN.len())]));
            return Step::LastFrame { slot, items };
        }
        1 => {
            let some = requests.random.usize(0..8);
            let items = vec![Item::Raw(vec![0; some])];
            return Step::LastFrame { slot, items };
        }
        // A second handshake.
        2 => {
            let items = opening(Item::Int(PATIENT_MS));
            return Step::LastFrame { slot, items };
        }
        _ => {
            let request = sound(requests);
            items.push(Item::Int(request.operation));
            let mut record = request.items;
            // A persistent watch on null ends a thread of 3.8.0 when its connection closes, and a TTL
            // out of range where there should be none the whole server.
            let delicate = [op::ADD_WATCH, op::SET_WATCHES2, op::CREATE_TTL];
            let delicate = delicate.contains(&request.operation);
            for _ in 0..requests.random.u32(1..3) {
                match delicate {
                    true => lengthen(requests.random, &mut record),
                    false => spoil(requests.random, &mut record),
                }
            }
            items.extend(record);
        }
    }
    Step::Frame { slot, items }
}

fn sound(requests: &mut Requests<'_>) -> Request {
    match requests.random.u32(0..16) {
        0..4 => requests.create(),
        4 => requests.versioned(op::DELETE),
        5 | 6 => requests.set_data(),
        7 => requests.set_acl(),
        8 | 9 => requests.read(),
        10 => requests.look(),
        11 => requests.watching(),
        12 | 13 => requests.multi(),
        14 => requests.multi_read(),
        _ => requests.auth().0,
    }
}

/// Bytes too many or too few.
fn lengthen(random: &mut Rng, items: &mut Vec<Item>) {
    match random.bool() {
        true => items.truncate(random.usize(0..=items.len())),
        false => items.push(Item::Raw(vec![random.u8(..); random.usize(1..9)])),
    }
}

/// One stroke against a record that was right.
fn spoil(random: &mut Rng, items: &mut Vec<Item>) {
    let at = random.usize(0..=items.len());
    let odd = Item::Int(ODD[random.usize(..ODD.len())]);
    match random.u32(0..7) {
        0 | 1 => lengthen(random, items),
        2 if at < items.len() => items[at] = odd,
        3 if at < items.len() => drop(items.remove(at)),
        4 if at < items.len() => items[at] = Item::Null,
        5 if at < items.len() && matches!(items[at], Item::Text(_)) => {
            let texts: [&[u8]; 3] = [
                &[0, 0, 0, 2, b'/', 0xff],
                &[0, 0, 0, 9, b'/', b'a'],
                &[0, 0, 0, 3, 0xed, 0xa0, 0x80],
            ];
            items[at] = Item::Raw(texts[random.usize(..3)].to_vec());
        }
        6 if at < items.len() && matches!(items[at], Item::Byte(_)) => {
            items[at] = Item::Byte(random.u8(..));
        }
        _ => items.insert(at, odd),
    }
}

/// What 3.8.0 carries out although it is no client's to ask for; the states differ from there on.
pub fn forbidden(slot: usize, requests: &mut Requests<'_>) -> Step {
    let request = match requests.random.bool() {
        true => requests.versioned(op::CHECK),
        false => requests.versioned(op::DELETE_CONTAINER),
    };
    let mut items = vec![Item::Int(7777), Item::Int(request.operation)];
    items.extend(request.items);
    Step::Frame { slot, items }
}

/// Bytes behind which nothing comes, in a session.
pub fn torn(slot: usize, random: &mut Rng) -> Step {
    let length = match random.u32(0..6) {
        0 => i32::MIN,
        1 => -1,
        2 => i32::MAX,
        3 => 40_000,
        4 => 0,
        _ => 100,
    };
    let mut items = vec![Item::Int(length)];
    if random.bool() {
        items.extend([Item::Int(1), Item::Int(op::DELETE), text("~/a")]);
    }
    Step::Torn { slot, items }
}

/// A connection that never becomes a session's.
pub fn stranger(random: &mut Rng) -> Step {
    let raw = |bytes: &[u8]| vec![Item::Raw(bytes.to_vec())];
    let (items, finish) = match random.u32(0..10) {
        0 => (raw(b"ruok"), false),
        1 => (raw(b"isro"), false),
        2 => (raw(b"ruo"), true),
        3 => (raw(b"RUOK"), true),
        4 => (vec![Item::Int(-1)], true),
        5 => (vec![Item::Int(i32::MAX), Item::Long(0)], true),
        6 => (vec![Item::Int(44), Item::Int(0), Item::Long(0)], true),
        7 => (raw(b"GET / HTTP/1.1\r\n\r\n"), true),
        8 => (Vec::new(), true),
        // A request where the handshake was due.
        _ => {
            let items = [Item::Int(14), Item::Int(1), Item::Int(op::GET_DATA)];
            let path = [Item::Int(1), Item::Raw(b"/\0".to_vec())];
            ([items.as_slice(), &path].concat(), true)
        }
    };
    Step::Stranger { items, finish }
}

/// The handshake of a new session.
pub fn opening(timeout: Item) -> Vec<Item> {
    let password = Item::Data(vec![0; 16]);
    vec![
        Item::Int(0),
        Item::Long(0),
        timeout,
        Item::Long(0),
        password,
        Item::Byte(0),
    ]
}

/// The handshake that comes back to a slot's session.
pub fn attach(slot: usize, timeout_ms: i32) -> Vec<Item> {
    vec![
        Item::Int(0),
        Item::Seen(0),
        Item::Int(timeout_ms),
        Item::Session(slot),
        Item::Password(slot),
        Item::Byte(0),
    ]
}

/// A handshake that is wrong somewhere, or at least unusual. A session that comes of it is closed in
/// the end.
pub fn hello(slot: usize, random: &mut Rng) -> Vec<Item> {
    let mut hello = match random.bool() {
        true => attach(slot, PATIENT_MS),
        false => opening(Item::Int(PATIENT_MS)),
    };
    match random.u32(0..16) {
        0 => hello[0] = Item::Int(random.i32(..)),
        1 => hello[1] = Item::Seen(1 << 40),
        2 => hello[1] = Item::Long(i64::MAX),
        3 => hello[1] = Item::Long(-1),
        4 => hello[2] = Item::Int(i32::MAX),
        5 => hello[3] = Item::Long(0x1234_5678),
        6 => hello[3] = Item::Long(-1),
        7 => hello[4] = Item::Data(vec![7; 16]),
        8 => hello[4] = Item::Data(vec![0; random.usize(0..20)]),
        9 => hello[4] = Item::Null,
        10 => drop(hello.pop()),
        11 => hello[5] = Item::Byte(1),
        12 => hello[5] = Item::Byte(200),
        13 => hello.push(Item::Raw(vec![1; random.usize(1..6)])),
        14 => hello.truncate(random.usize(1..5)),
        _ => hello[4] = Item::Int(ODD[random.usize(..ODD.len())]),
    }
    hello
}
