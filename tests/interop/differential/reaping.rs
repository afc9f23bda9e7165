//! Znodes that go by themselves, as plays: nothing is drawn here.
//!
//! What goes has to be waited for before anything else happens, or zxids would depend on the moment.
//! That something stays is seen once two containers, made one after the other, have gone: the reaper
//! has been by meanwhile.

use super::hostile;
use super::requests::plain_create;
use super::steps::{Request, Sequence, Step};
use super::wire::{Item, op};

/// The kind of these sequences.
pub const PROFILE: &str = "reaping";

/// The one who writes.
const WRITER: usize = 0;

/// The one who hears of everything.
const WITNESS: usize = 1;

/// Another session, which ends.
const GUEST: usize = 2;

const CONTAINER: i32 = 4;
const TTL: i32 = 5;
const SEQUENTIAL_TTL: i32 = 6;

/// The permission that lets a session hear of a znode, and nothing else.
const READ: i32 = 1;

/// Longer than any run.
const LONG_MS: i64 = 1 << 39;

/// Long enough for what is done at once.
const SHORT_MS: i64 = 1000;

/// All plays; their numbers stand where others have a seed.
pub fn sequences() -> Vec<Sequence> {
    let plays: [fn(&mut Play); 10] = [
        last_child,
        never_used,
        inside_each_other,
        child_of_a_session,
        made_by_others,
        time_to_live,
        against_the_list,
        children_keep,
        made_anew,
        counted_by_a_quota,
    ];
    let numbered = (0..).zip(plays);
    let sequence = |(seed, write): (u64, fn(&mut Play))| {
        let mut play = Play::begin();
        write(&mut play);
        play.look();
        Sequence {
            seed,
            profile: PROFILE,
            steps: play.steps,
        }
    };
    numbered.map(sequence).collect()
}

struct Play {
    steps: Vec<Step>,
}

impl Play {
    fn begin() -> Play {
        let mut play = Play { steps: Vec::new() };
        for slot in [WRITER, WITNESS, GUEST] {
            let hello = hostile::opening(Item::Int(hostile::PATIENT_MS));
            play.steps.push(Step::Connect { slot, hello });
        }
        play.send(plain_create("~", 0));
        let recursive = vec![path("~"), Item::Int(1)];
        play.by(WITNESS, Request::new(op::ADD_WATCH, recursive));
        play
    }

    fn by(&mut self, slot: usize, request: Request) {
        let requests = vec![request];
        self.steps.push(Step::Send { slot, requests });
    }

    fn send(&mut self, request: Request) {
        self.by(WRITER, request);
    }

    fn delete(&mut self, znode: &str) {
        self.send(delete(znode));
    }

    fn exists(&mut self, znode: &str) {
        let items = vec![path(znode), Item::Byte(0)];
        self.send(Request::new(op::EXISTS, items));
    }

    /// Gives a znode a child and takes it away again.
    fn use_up(&mut self, znode: &str) {
        let child = format!("{znode}/x");
        self.send(plain_create(&child, 0));
        self.delete(&child);
    }

    /// Waits until it has gone.
    fn gone(&mut self, znode: &str) {
        let path = znode.to_owned();
        self.steps.push(Step::Await {
            slot: WITNESS,
            path,
        });
    }

    /// The reaper comes by.
    fn reaper(&mut self) {
        for sentinel in ["~/first", "~/second"] {
            self.send(container(sentinel));
            self.use_up(sentinel);
            self.gone(sentinel);
        }
    }

    fn look(&mut self) {
        self.exists("~");
        let items = vec![path("~"), Item::Byte(0)];
        self.send(Request::new(op::GET_CHILDREN2, items));
    }
}

fn path(path: &str) -> Item {
    Item::Text(path.to_owned())
}

fn delete(znode: &str) -> Request {
    Request::new(op::DELETE, vec![path(znode), Item::Int(-1)])
}

fn create(operation: i32, znode: &str, flags: i32) -> Request {
    Request {
        operation,
        ..plain_create(znode, flags)
    }
}

fn container(znode: &str) -> Request {
    create(op::CREATE_CONTAINER, znode, CONTAINER)
}

fn ttl(znode: &str, flags: i32, ttl_ms: i64) -> Request {
    let mut request = create(op::CREATE_TTL, znode, flags);
    request.items.push(Item::Long(ttl_ms));
    request
}

fn multi(requests: Vec<Request>) -> Request {
    let mut items = Vec::new();
    for request in requests {
        items.extend([Item::Int(request.operation), Item::Byte(0), Item::Int(-1)]);
        items.extend(request.items);
    }
    items.extend([Item::Int(-1), Item::Byte(1), Item::Int(-1)]);
    Request::new(op::MULTI, items)
}

/// A container goes with the last of its children, not before.
fn last_child(play: &mut Play) {
    play.send(container("~/c"));
    play.send(plain_create("~/c/a", 0));
    play.send(plain_create("~/c/b", 0));
    play.delete("~/c/a");
    play.reaper();
    play.exists("~/c");
    let list = vec![path("~"), Item::Byte(1)];
    play.by(GUEST, Request::new(op::GET_CHILDREN, list));
    play.delete("~/c/b");
    play.gone("~/c");
    play.by(GUEST, Request::new(op::PING, Vec::new()));
}

/// A container that never had a child stays.
fn never_used(play: &mut Play) {
    play.send(container("~/c"));
    play.reaper();
    play.exists("~/c");
    play.use_up("~/c");
    play.gone("~/c");
}

/// A container that was the last child of another one.
fn inside_each_other(play: &mut Play) {
    play.send(container("~/c"));
    play.send(container("~/c/d"));
    play.send(plain_create("~/c/d/x", 0));
    play.delete("~/c/d/x");
    play.gone("~/c/d");
    play.gone("~/c");
}

/// The last child is an ephemeral whose session ends.
fn child_of_a_session(play: &mut Play) {
    play.send(container("~/c"));
    play.by(GUEST, plain_create("~/c/e", 1));
    play.by(GUEST, Request::new(op::CLOSE_SESSION, Vec::new()));
    play.gone("~/c/e");
    play.gone("~/c");
}

/// What makes a container, and what does not, whatever the flags.
fn made_by_others(play: &mut Play) {
    for (number, operation) in [op::CREATE, op::CREATE2].into_iter().enumerate() {
        let znode = format!("~/plain{number}");
        play.send(create(operation, &znode, CONTAINER));
        play.use_up(&znode);
    }
    play.send(create(op::CREATE_CONTAINER, "~/flags", 0));
    play.use_up("~/flags");
    play.gone("~/flags");
    for operation in [op::CREATE, op::CREATE2, op::CREATE_CONTAINER] {
        let znode = format!("~/multi{operation}");
        play.send(multi(vec![create(operation, &znode, CONTAINER)]));
        play.use_up(&znode);
        play.gone(&znode);
    }
    play.reaper();
}

/// A number behind the name makes no difference, and neither does a multi.
fn time_to_live(play: &mut Play) {
    play.send(ttl("~/long", TTL, LONG_MS));
    play.send(ttl("~/short", TTL, 1));
    play.gone("~/short");
    play.send(ttl("~/s", SEQUENTIAL_TTL, 1));
    play.gone("~/s0000000002");
    play.send(multi(vec![ttl("~/one", TTL, 1)]));
    play.gone("~/one");
    play.exists("~/long");
}

/// Nobody's permission is asked: no session could delete what goes here.
fn against_the_list(play: &mut Play) {
    play.send(plain_create("~/p", 0));
    play.send(container("~/p/c"));
    play.send(plain_create("~/p/c/x", 0));
    let mut list = plain_create("~/p", -1).items;
    list.remove(1);
    list[2] = Item::Int(READ);
    play.send(Request::new(op::SET_ACL, list));
    play.delete("~/p/c/x");
    play.gone("~/p/c");
}

/// Children keep a znode whose time is over.
fn children_keep(play: &mut Play) {
    let child = plain_create("~/t/x", 0);
    play.send(multi(vec![ttl("~/t", TTL, 1), child]));
    play.reaper();
    play.exists("~/t");
    play.delete("~/t/x");
    play.gone("~/t");
}

/// The time of a znode is not that of another one on its path.
fn made_anew(play: &mut Play) {
    play.send(ttl("~/t", TTL, SHORT_MS));
    play.delete("~/t");
    play.send(plain_create("~/t", 0));
    play.send(ttl("~/later", TTL, SHORT_MS));
    play.gone("~/later");
    play.reaper();
    play.exists("~/t");
}

/// What goes gives its place back.
fn counted_by_a_quota(play: &mut Play) {
    let room = "/zookeeper/quota~";
    play.send(plain_create(room, 0));
    let mut limits = plain_create(&format!("{room}/zookeeper_limits"), 0);
    limits.items[1] = Item::Data(b"count=-1,bytes=-1=;byteHardLimit=9;countHardLimit=3".to_vec());
    play.send(limits);
    let stats = format!("{room}/zookeeper_stats");
    play.send(plain_create(&stats, 0));
    let usage = || {
        let items = vec![Item::Text(stats.clone()), Item::Byte(0)];
        Request::new(op::GET_DATA, items)
    };
    play.send(container("~/c"));
    play.use_up("~/c");
    play.gone("~/c");
    play.send(usage());
    play.send(ttl("~/t", TTL, 1));
    play.gone("~/t");
    play.send(usage());
    play.send(container("~/c"));
    play.send(plain_create("~/c/x", 0));
    play.send(plain_create("~/too-many", 0));
    play.send(usage());
    play.delete("~/c/x");
    play.gone("~/c");
    play.send(plain_create("~/enough", 0));
    play.send(usage());
}
