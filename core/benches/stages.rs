//! What each stage of one request costs: codec, pipeline, tree, log.
//!
//! `cargo bench -p zoowarden --features server --bench stages [-- <stage> [<times>]]`; prints
//! nanoseconds of processor time each. `cargo xtask counts` counts its instructions instead, which
//! are the same on a busy machine as on a quiet one.

mod player;

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use bytes::{Bytes, BytesMut};
use player::{DATA, Player, SESSION, create, set};
use zoowarden::proto::{
    Acl, Create, Frames, OpCode, Reply, Request, Stat, Text, Xid, Zxid, reply_frame,
};
use zoowarden::session::{Course, Held, Pipeline};
use zoowarden::storage::{Entry, EntryId, Log, LogOptions, MemoryDisk};

type Outcome = Result<(), Box<dyn Error>>;

/// Makes ready, and answers what is to be measured: it does its work once for each number.
type Stage = fn() -> Box<dyn FnMut(u64)>;

const STAGES: [(&str, Stage); 10] = [
    ("decode-get", decode_get),
    ("decode-set", decode_set),
    ("decode-create", decode_create),
    ("encode-data", encode_data),
    ("encode-stat", encode_stat),
    ("pipeline-read", pipeline_read),
    ("pipeline-write", pipeline_write),
    ("tree-get", tree_get),
    ("tree-set", tree_set),
    ("log-append", log_append),
];

const TIMES: u64 = 1_000_000;
/// Waiting for a thread costs more than anything that it does.
const LOG_TIMES: u64 = 20_000;

/// Znodes in the tree, and a stride that visits all of them in no order.
const ZNODES: u64 = 100_000;
const STRIDE: u64 = 0x9e37_79b1;

const FRAME_BYTES_MAX: usize = 1 << 20;

fn main() -> Outcome {
    // Cargo adds `--bench`.
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let wanted = words.next();
    let times = words.next().map(|times| times.parse::<u64>()).transpose()?;
    let fits = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    for (name, stage) in STAGES.into_iter().filter(|(name, _)| fits(name)) {
        let unsaid = if name == "log-append" {
            LOG_TIMES
        } else {
            TIMES
        };
        let times = times.unwrap_or(unsaid);
        let mut run = stage();
        let begun = busy_ns()?;
        (0..times).for_each(&mut run);
        let each = (busy_ns()? - begun) / times.max(1);
        println!("  {name:<16}{each:>6} ns each");
    }
    Ok(())
}

/// Cuts a frame off what was read, and decodes it.
fn decoded(request: &Request<'_>) -> Box<dyn FnMut(u64)> {
    let mut frame = BytesMut::new();
    request.frame(Xid(1), &mut frame);
    let frame = frame.freeze();
    let frames = Frames::new(FRAME_BYTES_MAX);
    let mut input = BytesMut::with_capacity(64 << 10);
    Box::new(move |_| {
        input.extend_from_slice(&frame);
        let frame = frames.next(&mut input).expect("a frame of ours is sound");
        let frame = frame.expect("all of it is there");
        let number = frame[4..].first_chunk().expect("a header has two numbers");
        let op = OpCode::from_number(i32::from_be_bytes(*number)).expect("an operation of ours");
        drop(black_box(Request::decode(op, &frame[8..])));
    })
}

fn decode_get() -> Box<dyn FnMut(u64)> {
    let path = Text::Borrowed("/services/web/instance-0000000017");
    decoded(&Request::GetData { path, watch: false })
}

fn decode_set() -> Box<dyn FnMut(u64)> {
    decoded(&Request::SetData {
        path: Text::Borrowed("/services/web/instance-0000000017"),
        data: Some(&DATA),
        version: -1,
    })
}

fn decode_create() -> Box<dyn FnMut(u64)> {
    decoded(&Request::Create(Create {
        op: OpCode::Create,
        path: Text::Borrowed("/services/web/instance-"),
        data: Some(&DATA),
        acl: Some(vec![Acl::open()]),
        flags: 3,
        ttl: None,
    }))
}

fn encoded(reply: Reply<'static>) -> Box<dyn FnMut(u64)> {
    let reply = Ok(reply);
    let mut out = BytesMut::with_capacity(64 << 10);
    Box::new(move |_| {
        reply_frame(Xid(1), Zxid(1), &reply, &mut out);
        black_box(&out);
        out.clear();
    })
}

fn encode_data() -> Box<dyn FnMut(u64)> {
    encoded(Reply::Data(Some(&DATA), Stat::default()))
}

fn encode_stat() -> Box<dyn FnMut(u64)> {
    encoded(Reply::Stat(Stat::default()))
}

fn held(op: OpCode) -> Held {
    Held {
        xid: Xid(1),
        op,
        body: Bytes::from_static(&DATA),
        identities: Arc::from([]),
        course: Course::Ordinary,
        large_bytes: 0,
        arrived_us: 0,
    }
}

fn pipeline_read() -> Box<dyn FnMut(u64)> {
    let (mut pipeline, held) = (Pipeline::default(), held(OpCode::GetData));
    Box::new(move |_| drop(black_box(pipeline.arrive(held.clone()))))
}

fn pipeline_write() -> Box<dyn FnMut(u64)> {
    let (mut pipeline, held) = (Pipeline::default(), held(OpCode::SetData));
    Box::new(move |_| {
        drop(black_box(pipeline.arrive(held.clone())));
        black_box(pipeline.written());
    })
}

fn path(number: u64) -> String {
    let number = number.wrapping_mul(STRIDE) % ZNODES;
    format!("/d{}/n{number:09}", number % 100)
}

/// A tree, and the paths of its znodes in no order.
fn tree() -> (Player, Vec<String>) {
    let mut player = Player::new();
    for parent in 0..100 {
        player.play(OpCode::Create, &create(&format!("/d{parent}")));
    }
    let paths: Vec<String> = (0..ZNODES).map(path).collect();
    for path in &paths {
        player.play(OpCode::Create, &create(path));
    }
    (player, paths)
}

fn tree_get() -> Box<dyn FnMut(u64)> {
    let (player, paths) = tree();
    Box::new(move |number| {
        let path = Text::Borrowed(paths[(number % ZNODES) as usize].as_str());
        let request = Request::GetData { path, watch: false };
        drop(black_box(player.tree.read(SESSION, &request, &[], false)));
    })
}

fn tree_set() -> Box<dyn FnMut(u64)> {
    let (mut player, paths) = tree();
    let bodies: Vec<Vec<u8>> = paths.iter().map(|path| set(path)).collect();
    Box::new(move |number| player.play(OpCode::SetData, &bodies[(number % ZNODES) as usize]))
}

/// One entry of ten changes appended, and its durability told; the disk is memory.
fn log_append() -> Box<dyn FnMut(u64)> {
    let disk = Arc::new(MemoryDisk::new());
    let opened = Log::open(disk, Path::new("log"), LogOptions::new(1));
    let log = opened.expect("an empty disk holds a log");
    let payload = Bytes::from(vec![7; 2_000]);
    let mut next = 0;
    Box::new(move |_| {
        next += 1;
        let id = EntryId {
            term: 1,
            index: next,
        };
        let payload = payload.clone();
        let (sender, receiver) = channel();
        let done = Box::new(move |result| drop(sender.send(result)));
        log.append(vec![Entry { id, payload }], done);
        let answer = receiver.recv().expect("the log answers");
        answer.expect("memory does not fail");
        // What is written stays in memory otherwise.
        if next.is_multiple_of(1_000) {
            log.purge(
                EntryId {
                    term: 1,
                    index: next,
                },
                Box::new(|_| {}),
            );
        }
    })
}

/// Time that all threads of this process have run, nanoseconds.
fn busy_ns() -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = schedstat.split(' ').next().ok_or("schedstat is empty")?;
        sum += first.parse::<u64>()?;
    }
    Ok(sum)
}
