//! Requests as clients send them, right and wrong, on a few paths, so that they meet each other.

use fastrand::Rng;

use super::steps::Request;
use super::wire::{Item, op};

/// Open to everybody, as items.
fn open() -> Vec<Item> {
    entries(&[(31, "world", "anyone")])
}

fn entries(list: &[(i32, &str, &str)]) -> Vec<Item> {
    let count = i32::try_from(list.len()).expect("a short list");
    let mut items = vec![Item::Int(count)];
    for (perms, scheme, id) in list {
        items.extend([Item::Int(*perms), text(scheme), text(id)]);
    }
    items
}

pub fn text(text: &str) -> Item {
    Item::Text(text.to_owned())
}

/// One of these, each as likely as its weight.
pub fn weighted<T: Copy>(random: &mut Rng, choices: &[(u32, T)]) -> T {
    let sum = choices.iter().map(|choice| choice.0).sum();
    let mut at = random.u32(0..sum);
    for (weight, choice) in choices {
        if at < *weight {
            return *choice;
        }
        at -= weight;
    }
    unreachable!("the weights add up")
}

/// What a profile allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taste {
    /// Of a hundred paths, how many are no paths, or odd ones.
    pub odd_paths: u32,
    /// Of a hundred access lists, how many are not open to all.
    pub closed_lists: u32,
    /// Of a hundred reads, how many leave a watch.
    pub watches: u32,
}

/// Draws requests.
pub struct Requests<'r> {
    pub random: &'r mut Rng,
    pub taste: Taste,
}

const ODD_PATHS: [&str; 26] = [
    "",
    "/",
    "a",
    "~/",
    "~//a",
    "~/./a",
    "~/../a",
    "~/a/",
    "~/a/.",
    "~/...",
    "~/.a",
    "~/\0",
    "~/a\u{1}",
    "~/a\u{1f}",
    "~/\u{7f}",
    "~/\u{9f}",
    "~/\u{a0}",
    "~/\u{d7ff}",
    "~/\u{e000}",
    "~/\u{f8ff}",
    "~/\u{f900}",
    "~/\u{fff0}",
    "~/\u{ffff}",
    "~/\u{1f600}",
    "/zookeeper/config",
    "/zookeeper",
];

impl Requests<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(0..100) < percent
    }

    /// A path; one in the sequence's root mostly.
    pub fn path(&mut self) -> String {
        if self.chance(self.taste.odd_paths) {
            return ODD_PATHS[self.random.usize(..ODD_PATHS.len())].to_owned();
        }
        let known = [
            (8, "~"),
            (30, "~/a"),
            (20, "~/b"),
            (4, "~/\u{e9}\u{65e5}"),
            (3, "~/x y"),
            (12, "~/a/a"),
            (8, "~/a/b"),
            (6, "~/b/a"),
            (4, "~/a/a/a"),
            (2, "~/a/a/b"),
            (1, "~/none/a"),
            (4, "~/s0000000000"),
            (4, "~/s0000000001"),
            (2, "~/s0000000002"),
            (2, "~/a/s0000000000"),
            (2, "~/a/s0000000001"),
        ];
        weighted(self.random, &known).to_owned()
    }

    /// What kind of watch may be left on a path: `None` for a standard one, else the mode of
    /// `addWatch`. Before 3.9 they take each other's place, so they do not meet here.
    fn mode(path: &str) -> Option<i32> {
        match path {
            "~/b" | "~/a/b" => Some(0),
            "~" | "~/a/a/b" => Some(1),
            _ => None,
        }
    }

    pub fn version(&mut self) -> i32 {
        let versions = [
            (50, -1),
            (16, 0),
            (10, 1),
            (6, 2),
            (4, 3),
            (1, -2),
            (1, i32::MAX),
            (1, i32::MIN),
        ];
        weighted(self.random, &versions)
    }

    pub fn data(&mut self) -> Item {
        match self.random.u32(0..20) {
            0..2 => Item::Null,
            2..4 => Item::Data(Vec::new()),
            4 => Item::Fill(b'x', self.random.usize(200..3000)),
            _ => Item::Data(vec![self.random.u8(b'a'..=b'z'); self.random.usize(1..12)]),
        }
    }

    /// A vector of ACL.
    pub fn acl(&mut self) -> Vec<Item> {
        if !self.chance(self.taste.closed_lists) {
            return open();
        }
        let alice = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";
        let perms = self.random.i32(0..32);
        match self.random.u32(0..24) {
            0 => entries(&[]),
            1 => vec![Item::Null],
            2 => entries(&[(31, "auth", "")]),
            3 => entries(&[(perms, "auth", "whoever")]),
            4 => entries(&[(31, "digest", alice)]),
            5 => entries(&[(perms, "digest", alice), (perms, "world", "anyone")]),
            6 => entries(&[(1, "world", "anyone"), (31, "digest", alice)]),
            7 => entries(&[(31, "ip", "127.0.0.1")]),
            8 => entries(&[(perms, "ip", "127.0.0.0/8")]),
            9 => entries(&[(31, "ip", "10.0.0.0/8"), (1, "ip", "127.0.0.1/31")]),
            10 => entries(&[(31, "world", "nobody")]),
            11 => entries(&[(31, "nosuch", "x")]),
            12 => entries(&[(31, "digest", "nocolon")]),
            13 => entries(&[(31, "digest", "a:b:c"), (31, "world", "anyone")]),
            14 => entries(&[(31, "super", "super")]),
            15 => entries(&[(31, "world", "anyone"), (31, "world", "anyone")]),
            16 => entries(&[(-1, "world", "anyone")]),
            17 => entries(&[(32, "world", "anyone"), (1, "auth", "x")]),
            18 => entries(&[(31, "ip", "300.1.1.1")]),
            19 => entries(&[(31, "ip", "127.0.0.1/33")]),
            20 => entries(&[(perms, "digest", "bob:wEBsPTbGgEiqpDtjMTtVpNgSp/s=")]),
            21 => entries(&[(31, "sasl", "bob"), (31, "world", "anyone")]),
            22 => entries(&[(31, "x509", "CN=bob")]),
            _ => entries(&[(perms, "world", "anyone")]),
        }
    }

    fn watch(&mut self, path: &str) -> Item {
        let wanted = Self::mode(path).is_none() && self.chance(self.taste.watches);
        match (wanted, self.random.u32(0..30)) {
            (true, 0) => Item::Byte(255),
            (true, _) => Item::Byte(1),
            (false, _) => Item::Byte(0),
        }
    }

    /// Any create. `createTTL` with ordinary flags and a TTL out of range ends 3.8.0 for good, so the
    /// two do not come together.
    pub fn create(&mut self) -> Request {
        let operations = [
            (12, op::CREATE),
            (9, op::CREATE2),
            (3, op::CREATE_CONTAINER),
            (4, op::CREATE_TTL),
        ];
        let operation = weighted(self.random, &operations);
        let flags = match operation {
            op::CREATE_TTL => [(8, 5), (4, 6), (1, 0), (1, 1), (1, 2), (1, 4), (1, 7)].as_slice(),
            op::CREATE_CONTAINER => &[(12, 4), (1, 0), (1, 2), (1, 5)],
            _ => &[
                (30, 0),
                (12, 1),
                (8, 2),
                (6, 3),
                (2, 4),
                (1, 5),
                (1, 6),
                (1, -1),
                (1, 7),
            ],
        };
        let flags = weighted(self.random, flags);
        let mut path = self.path();
        if matches!(flags, 2 | 3 | 6) && self.random.u32(0..4) > 0 {
            let paths = [(3, "~/s"), (1, "~/a/s"), (1, "~/"), (1, "~/a/")];
            path = weighted(self.random, &paths).to_owned();
        }
        let mut items = vec![Item::Text(path), self.data()];
        items.extend(self.acl());
        items.push(Item::Int(flags));
        if operation == op::CREATE_TTL {
            let lives = [1000, 1 << 39, (1 << 40) - 1];
            let odd = [0, -1, 1 << 40, i64::MAX, i64::MIN];
            let life = match (flags, self.random.u32(0..3)) {
                (5 | 6, 0) => odd[self.random.usize(..odd.len())],
                _ => lives[self.random.usize(..lives.len())],
            };
            items.push(Item::Long(life));
        }
        Request::new(operation, items)
    }

    /// Flags that are none, or that want a TTL, fail the whole multi since 3.9 (ZOOKEEPER-4026), so
    /// they stay out of it.
    fn create_as_one_of_several(&mut self) -> Request {
        loop {
            let create = self.create();
            let (known, life) = match create.operation {
                op::CREATE_TTL => (0..7, 1),
                _ => (0..5, 0),
            };
            let flags = create.items.iter().rev().nth(life);
            if matches!(flags, Some(Item::Int(flags)) if known.contains(flags)) {
                return create;
            }
        }
    }

    /// A path and a version.
    pub fn versioned(&mut self, operation: i32) -> Request {
        let items = vec![Item::Text(self.path()), Item::Int(self.version())];
        Request::new(operation, items)
    }

    pub fn set_data(&mut self) -> Request {
        let items = vec![
            Item::Text(self.path()),
            self.data(),
            Item::Int(self.version()),
        ];
        Request::new(op::SET_DATA, items)
    }

    pub fn set_acl(&mut self) -> Request {
        let mut items = vec![Item::Text(self.path())];
        items.extend(self.acl());
        items.push(Item::Int(self.version()));
        Request::new(op::SET_ACL, items)
    }

    /// A read of one path that may leave a watch.
    pub fn read(&mut self) -> Request {
        let operations = [
            (4, op::EXISTS),
            (6, op::GET_DATA),
            (3, op::GET_CHILDREN),
            (4, op::GET_CHILDREN2),
        ];
        let operation = weighted(self.random, &operations);
        let path = self.path();
        let watch = self.watch(&path);
        Request::new(operation, vec![Item::Text(path), watch])
    }

    /// What only looks, and has a path or nothing.
    pub fn look(&mut self) -> Request {
        let operations = [
            (6, op::GET_ACL),
            (4, op::SYNC),
            (4, op::PING),
            (4, op::GET_EPHEMERALS),
            (4, op::GET_ALL_CHILDREN_NUMBER),
            (2, op::WHO_AM_I),
            (1, op::RECONFIG),
        ];
        let operation = weighted(self.random, &operations);
        let items = match operation {
            op::PING | op::WHO_AM_I => Vec::new(),
            op::RECONFIG => vec![
                Item::Null,
                Item::Null,
                text("server.1=a:1:2;3"),
                Item::Long(-1),
            ],
            op::GET_EPHEMERALS if self.random.u32(0..6) == 0 => {
                vec![[Item::Null, text(""), text(" "), text("/")][self.random.usize(..4)].clone()]
            }
            _ => vec![Item::Text(self.path())],
        };
        Request::new(operation, items)
    }

    /// About a znode deeper than ours can have any.
    pub fn deep(&mut self) -> Request {
        let path = Item::Text(format!("~{}", "/d".repeat(450)));
        let (operation, items) = match self.random.u32(0..5) {
            0 => (op::DELETE, vec![path, Item::Int(-1)]),
            1 => (op::SET_DATA, vec![path, Item::Null, Item::Int(-1)]),
            2 => (op::EXISTS, vec![path, Item::Byte(0)]),
            3 => (op::GET_ACL, vec![path]),
            _ => {
                let mut items = vec![path, Item::Null];
                items.extend(open());
                items.push(Item::Int(0));
                (op::CREATE, items)
            }
        };
        Request::new(operation, items)
    }

    /// Watches without a read: made, asked for, taken back.
    pub fn watching(&mut self) -> Request {
        match self.random.u32(0..10) {
            0..4 => self.add_watch(),
            4..7 => self.watch_taken(),
            _ => self.set_watches(),
        }
    }

    fn add_watch(&mut self) -> Request {
        let path = ["~", "~/b", "~/a/b", "~/a/a/b"][self.random.usize(..4)].to_owned();
        let own = Self::mode(&path).unwrap_or_default();
        let mode = weighted(self.random, &[(20, own), (1, 2), (1, -1)]);
        Request::new(op::ADD_WATCH, vec![Item::Text(path), Item::Int(mode)])
    }

    /// Types 4 and 5 came with 3.9.
    fn watch_taken(&mut self) -> Request {
        let operation = weighted(
            self.random,
            &[(2, op::REMOVE_WATCHES), (1, op::CHECK_WATCHES)],
        );
        let path = self.path();
        // Before 3.9 the others take a persistent watch, too.
        let kind = match Self::mode(&path) {
            Some(_) => 3,
            None => weighted(
                self.random,
                &[(6, 1), (6, 2), (6, 3), (1, 0), (1, -1), (1, 99)],
            ),
        };
        Request::new(operation, vec![Item::Text(path), Item::Int(kind)])
    }

    fn set_watches(&mut self) -> Request {
        let operation = [op::SET_WATCHES, op::SET_WATCHES2][self.random.usize(..2)];
        let since = match self.random.u32(0..8) {
            0 => Item::Long(0),
            1 => Item::Long(i64::MAX),
            2..5 => Item::Seen(self.random.i64(-6..1)),
            _ => Item::Zxid(self.random.i64(0..40)),
        };
        let mut items = vec![since];
        let lists: usize = if operation == op::SET_WATCHES { 3 } else { 5 };
        for list in 0..lists {
            let count = self.random.u32(0..4);
            let paths: Vec<String> = (0..count)
                .map(|_| self.path())
                .filter(|path| Self::mode(path) == [None, None, None, Some(0), Some(1)][list])
                .collect();
            match paths.len() {
                0 if self.random.u32(0..300) == 0 => items.push(Item::Null),
                count => items.push(Item::Int(i32::try_from(count).expect("a short list"))),
            }
            items.extend(paths.into_iter().map(Item::Text));
        }
        Request::new(operation, items)
    }

    /// Several writes as one.
    pub fn multi(&mut self) -> Request {
        let mut items = Vec::new();
        for _ in 0..self.random.u32(0..6) {
            let request = match self.random.u32(0..20) {
                0..9 => self.create_as_one_of_several(),
                9..12 => self.versioned(op::DELETE),
                12..16 => self.set_data(),
                16..19 => self.versioned(op::CHECK),
                _ if self.random.u32(0..4) > 0 => continue,
                _ => self.no_part_of_a_multi(),
            };
            element(&mut items, request);
        }
        end_of_multi(&mut items);
        Request::new(op::MULTI, items)
    }

    /// What no multi may contain.
    fn no_part_of_a_multi(&mut self) -> Request {
        match self.random.u32(0..6) {
            0 => self.set_acl(),
            1 => self.look(),
            2 => self.versioned(op::DELETE_CONTAINER),
            3 => self.versioned(op::MULTI),
            4 => self.add_watch(),
            _ => self.read(),
        }
    }

    /// Several reads as one.
    pub fn multi_read(&mut self) -> Request {
        let mut items = Vec::new();
        for _ in 0..self.random.u32(0..5) {
            let operation = match self.random.u32(0..24) {
                0 => op::GET_CHILDREN2,
                1 => op::EXISTS,
                2..12 => op::GET_CHILDREN,
                _ => op::GET_DATA,
            };
            let path = Item::Text(self.path());
            let read = Request::new(operation, vec![path, Item::Byte(self.random.u8(0..2))]);
            element(&mut items, read);
        }
        if self.random.u32(0..40) == 0 {
            let write = self.set_data();
            element(&mut items, write);
        }
        end_of_multi(&mut items);
        Request::new(op::MULTI_READ, items)
    }

    /// Somebody says who it is. True if the server takes it badly.
    pub fn auth(&mut self) -> (Request, bool) {
        let choices = [
            (8, ("digest", "alice:secret", false)),
            (6, ("digest", "bob:builder", false)),
            (1, ("digest", "super:test", false)),
            (1, ("digest", "alone", false)),
            (1, ("digest", "", false)),
            (1, ("digest", "a:b:c", false)),
            (1, ("ip", "", false)),
            (1, ("nosuch", "x", true)),
            (1, ("world", "anyone", true)),
            (1, ("sasl", "x", true)),
            (1, ("x509", "CN=bob", true)),
            (1, ("super", "super", true)),
            (1, ("auth", "", true)),
            (1, ("", "alice:secret", true)),
        ];
        let (scheme, token, bad) = weighted(self.random, &choices);
        let token = Item::Data(token.as_bytes().to_vec());
        if self.random.u32(0..20) == 0 {
            return (Request::new(op::SASL, vec![token]), true);
        }
        let items = vec![Item::Int(0), text(scheme), token];
        (Request::new(op::AUTH, items), bad)
    }

    /// Limits of subtrees that lie in each other, and what is told of their use.
    pub fn quota(&mut self) -> Request {
        let place = weighted(self.random, &[(6, "~/a"), (3, "~/a/a"), (1, "~")]);
        let limits = format!("/zookeeper/quota{place}/zookeeper_limits");
        let stats = format!("/zookeeper/quota{place}/zookeeper_stats");
        let path = [&limits, &limits, &limits, &stats, &stats][self.random.usize(..5)];
        let values = [
            "count=3,bytes=30",
            "count=-1,bytes=-1=;byteHardLimit=30;countHardLimit=4",
            "count=-1,bytes=-1=;byteHardLimit=30",
            "count=-1,bytes=-1=;countHardLimit=3",
            "count=2,bytes=20=;byteHardLimit=40;countHardLimit=5",
            "count=-1,bytes=-1",
            "count=0,bytes=0",
        ];
        let value = values[self.random.usize(..values.len())]
            .as_bytes()
            .to_vec();
        let mut items = vec![text(path)];
        let operation = match self.random.u32(0..20) {
            0..7 => {
                items.push(Item::Data(value));
                items.extend(open());
                items.push(Item::Int(0));
                op::CREATE
            }
            7..10 if *path == limits => {
                items.extend([Item::Data(value), Item::Int(-1)]);
                op::SET_DATA
            }
            10..12 => {
                items.push(Item::Int(-1));
                op::DELETE
            }
            _ => {
                items.push(Item::Byte(0));
                op::GET_DATA
            }
        };
        Request::new(operation, items)
    }
}

/// Creates that open the room of a quota.
pub fn quota_room() -> Vec<Request> {
    let paths = ["~", "~/a", "~/a/a"].map(|path| format!("/zookeeper/quota{path}"));
    paths.map(|path| plain_create(&path, 0)).to_vec()
}

/// A create that everybody may do anything with.
pub fn plain_create(path: &str, flags: i32) -> Request {
    let mut items = vec![text(path), Item::Data(b"d".to_vec())];
    items.extend(open());
    items.push(Item::Int(flags));
    Request::new(op::CREATE, items)
}

fn element(items: &mut Vec<Item>, request: Request) {
    items.extend([Item::Int(request.operation), Item::Byte(0), Item::Int(-1)]);
    items.extend(request.items);
}

fn end_of_multi(items: &mut Vec<Item>) {
    items.extend([Item::Int(-1), Item::Byte(1), Item::Int(-1)]);
}
