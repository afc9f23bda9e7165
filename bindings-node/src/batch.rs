//! Records for JavaScript, many in one buffer.
//!
//! ```text
//! batch:   record*
//! record:  id u32, kind u8, fields by kind
//! text, bytes:  length u32 (0xffffffff: null), content        list:  count u32, item*
//! ```
//!
//! All numbers little-endian. `ts/batch.ts` reads this and must be changed with it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use zoowarden::client::{Acl, Answer, Code, Error, Id, Outcome, Stat, State, WatchEvent};
use zoowarden::recipes::{Contender, Entry, TreeChange, Znode};

use crate::watch::Ear;

/// Space taken before the first record; most batches are small.
const BATCH_BYTES: usize = 256;

const NULL: u32 = u32::MAX;

/// Something that JavaScript is to hear.
pub(crate) enum Item {
    /// The answer of a request.
    Answer(u32, Answered),
    /// What a watch heard.
    Event(Arc<Ear>, WatchEvent),
    /// A watch has dropped events, counted in its ear.
    Overflow(Arc<Ear>),
    /// A watch will hear nothing any more.
    Ended(u32),
    /// A client's state changed.
    State(u32, State),
}

/// How a request ended.
pub(crate) type Answered = Result<Value, Failure>;

/// What a request came to.
pub(crate) enum Value {
    /// Nothing to say, only that it is done.
    Done,
    /// What a server answered.
    Answer(Answer),
    /// A znode with the path it was created under.
    Created(String, Stat),
    /// Data and metadata.
    Data(Bytes, Stat),
    /// A count.
    Number(f64),
    /// A number of 64 bits.
    Integer(i64),
    /// Yes or no.
    Flag(bool),
    /// A word.
    Text(String),
    /// What was looked for is not there.
    Nothing,
    /// Who stands in line.
    Contenders(Vec<Contender>),
    /// What was taken out of a queue, if there was something.
    Entry(Option<Entry>),
    /// What happened to a tree.
    Change(TreeChange),
}

/// Why a request failed.
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) nothing_changed: bool,
    /// For a multi: which operation.
    pub(crate) index: Option<usize>,
    pub(crate) path: String,
    pub(crate) operation: &'static str,
    pub(crate) text: String,
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::Done
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Value {
        Value::Number(count as f64)
    }
}

impl From<Answer> for Value {
    fn from(answer: Answer) -> Value {
        Value::Answer(answer)
    }
}

impl From<(Bytes, Stat)> for Value {
    fn from((data, stat): (Bytes, Stat)) -> Value {
        Value::Data(data, stat)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure {
            code: error.code(),
            nothing_changed: error.nothing_changed(),
            index: None,
            path: error.path().unwrap_or_default().to_owned(),
            operation: error.operation().unwrap_or_default(),
            text: error.to_string(),
        }
    }
}

/// One buffer with items from the front, until it has `bytes_max` bytes or there are no more.
pub(crate) fn encode(items: &mut VecDeque<Item>, bytes_max: usize) -> Vec<u8> {
    let mut batch = Batch(Vec::with_capacity(BATCH_BYTES));
    while batch.0.len() < bytes_max
        && let Some(item) = items.pop_front()
    {
        batch.item(item);
    }
    batch.0
}

/// One value for who reads it at once.
pub(crate) fn single(value: Value) -> Vec<u8> {
    encode(&mut [Item::Answer(0, Ok(value))].into(), usize::MAX)
}

struct Batch(Vec<u8>);

impl Batch {
    fn item(&mut self, item: Item) {
        match item {
            Item::Answer(id, answered) => {
                self.u32(id);
                match answered {
                    Ok(value) => self.value(value),
                    Err(failure) => self.failure(&failure),
                }
            }
            Item::Event(ear, event) => {
                ear.delivered();
                self.u32(ear.id);
                self.event(event);
            }
            Item::Overflow(ear) => {
                self.u32(ear.id);
                self.overflow(ear.take_dropped());
            }
            Item::Ended(id) => {
                self.u32(id);
                self.u8(103);
            }
            Item::State(id, state) => {
                self.u32(id);
                self.u8(104);
                self.state(state);
            }
        }
    }

    fn value(&mut self, value: Value) {
        match value {
            Value::Done => self.u8(0),
            Value::Answer(answer) => self.answer(answer),
            Value::Created(path, stat) => {
                self.u8(3);
                self.text(&path);
                self.stat(&stat);
            }
            Value::Data(data, stat) => {
                self.u8(5);
                self.stat(&stat);
                self.bytes(Some(&data));
            }
            Value::Number(number) => {
                self.u8(17);
                self.f64(number);
            }
            Value::Integer(value) => {
                self.u8(12);
                self.i64(value);
            }
            Value::Flag(value) => {
                self.u8(15);
                self.u8(u8::from(value));
            }
            Value::Text(text) => {
                self.u8(2);
                self.text(&text);
            }
            Value::Nothing | Value::Entry(None) => self.u8(14),
            Value::Contenders(contenders) => {
                self.u8(16);
                self.list(&contenders, Batch::contender);
            }
            Value::Entry(Some(entry)) => {
                self.u8(13);
                self.bytes(Some(&entry.data));
                self.u32(entry.priority.into());
                self.text(&entry.name);
            }
            Value::Change(change) => {
                self.u8(18);
                self.change(&change);
            }
        }
    }

    fn contender(&mut self, contender: &Contender) {
        self.text(&contender.name);
        self.bytes(Some(&contender.identifier));
        self.i64(contender.token.0);
    }

    fn change(&mut self, change: &TreeChange) {
        match change {
            TreeChange::Added(path, znode) => {
                self.u8(0);
                self.text(path);
                self.znode(znode);
            }
            TreeChange::Updated(path, znode) => {
                self.u8(1);
                self.text(path);
                self.znode(znode);
            }
            TreeChange::Removed(path) => {
                self.u8(2);
                self.text(path);
            }
            TreeChange::Missed(count) => {
                self.u8(3);
                self.f64(*count as f64);
            }
            // Its error is the answer instead.
            TreeChange::Ended(_) => self.u8(4),
        }
    }

    fn znode(&mut self, znode: &Znode) {
        self.stat(&znode.stat);
        self.bytes(Some(&znode.data));
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Done => self.u8(0),
            Answer::Path(path) => {
                self.u8(2);
                self.text(&path);
            }
            Answer::Created(path, stat) => self.value(Value::Created(path, stat)),
            Answer::Stat(stat) => {
                self.u8(4);
                self.stat(&stat);
            }
            Answer::Data(data, stat) => {
                self.u8(5);
                self.stat(&stat);
                self.bytes(data.as_deref());
            }
            Answer::Acl(list, stat) => {
                self.u8(6);
                self.stat(&stat);
                self.list(&list, Batch::acl);
            }
            Answer::Children(names, stat) => {
                self.u8(7);
                self.stat(&stat.unwrap_or_default());
                self.list(&names, |batch, name| batch.text(name));
            }
            Answer::Multi(outcomes) => self.multi(&outcomes),
            Answer::Ephemerals(paths) => {
                self.u8(9);
                self.list(&paths, |batch, path| batch.text(path));
            }
            Answer::Count(count) => {
                self.u8(10);
                self.i32(count);
            }
            Answer::WhoAmI(ids) => {
                self.u8(11);
                self.list(&ids, Batch::id);
            }
            // Neither is asked for by this package.
            Answer::MultiRead(_) | Answer::Token(_) => self.u8(0),
        }
    }

    /// A multi that failed is a failure: that of the operation which was to blame.
    fn multi(&mut self, outcomes: &[Outcome]) {
        let blamed = |outcome: &Outcome| match outcome {
            Outcome::Failed(Some(code)) => Some(*code),
            _ => None,
        };
        let mut failed = outcomes.iter().enumerate();
        if let Some((index, code)) = failed.find_map(|(i, o)| Some((i, blamed(o)?))) {
            return self.failure(&Failure {
                code,
                nothing_changed: true,
                index: Some(index),
                path: String::new(),
                operation: "multi",
                text: format!(
                    "operation {index} of the transaction: {code} ({})",
                    code.name()
                ),
            });
        }
        self.u8(8);
        self.list(outcomes, |batch, outcome| match outcome {
            Outcome::Created(path) => {
                batch.u8(0);
                batch.text(path);
                batch.u8(0);
            }
            Outcome::CreatedWithStat(path, stat) => {
                batch.u8(0);
                batch.text(path);
                batch.u8(1);
                batch.stat(stat);
            }
            Outcome::Deleted => batch.u8(1),
            Outcome::Set(stat) => {
                batch.u8(2);
                batch.stat(stat);
            }
            // A server that says failed says of which operation, which has been handled above.
            Outcome::Checked | Outcome::Failed(_) => batch.u8(3),
        });
    }

    fn failure(&mut self, failure: &Failure) {
        self.u8(1);
        self.i32(failure.code.number());
        self.u8(u8::from(failure.nothing_changed));
        let index = failure.index.and_then(|index| i32::try_from(index).ok());
        self.i32(index.unwrap_or(-1));
        self.text(&failure.path);
        self.text(failure.operation);
        self.text(&failure.text);
    }

    fn event(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Changed { kind, path, zxid } => {
                self.u8(100);
                // 1 to 4, as on the wire.
                self.u8(kind as u8);
                self.i64(zxid.0);
                self.text(&path);
            }
            WatchEvent::State(state) => {
                self.u8(101);
                self.state(state);
            }
            WatchEvent::Overflow { dropped } => self.overflow(dropped),
        }
    }

    fn overflow(&mut self, dropped: u64) {
        self.u8(102);
        self.f64(dropped as f64);
    }

    fn state(&mut self, state: State) {
        self.u8(match state {
            State::Connecting => 0,
            State::Connected => 1,
            State::ConnectedReadOnly => 2,
            State::Suspended => 3,
            State::Expired => 4,
            State::AuthFailed => 5,
            State::Closed => 6,
        });
    }

    fn stat(&mut self, stat: &Stat) {
        self.i64(stat.czxid);
        self.i64(stat.mzxid);
        self.i64(stat.pzxid);
        self.f64(stat.ctime as f64);
        self.f64(stat.mtime as f64);
        self.i32(stat.version);
        self.i32(stat.cversion);
        self.i32(stat.aversion);
        self.i64(stat.ephemeral_owner);
        self.i32(stat.data_length);
        self.i32(stat.num_children);
    }

    fn acl(&mut self, acl: &Acl) {
        self.i32(acl.perms);
        self.id(&acl.id);
    }

    fn id(&mut self, id: &Id) {
        self.text(&id.scheme);
        self.text(&id.id);
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.length(items.len());
        for item in items {
            each(self, item);
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(Some(text.as_bytes()));
    }

    fn bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => {
                self.length(bytes.len());
                self.0.extend_from_slice(bytes);
            }
            None => self.u32(NULL),
        }
    }

    fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).expect("a reply is shorter than 4 GiB"));
    }

    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
}
