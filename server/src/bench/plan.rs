//! What a connection asks for next. Silent: a generator of frames that knows no socket and no time.

use std::sync::Arc;

use bytes::BytesMut;
use fastrand::Rng;
use zoowarden::proto::{Acl, Create, MultiOp, OpCode, Request, Text, Xid};

/// Modes of create, as their numbers on the wire.
const PERSISTENT: i32 = 0;
const EPHEMERAL: i32 = 1;
const PERSISTENT_SEQUENTIAL: i32 = 2;

/// What was asked for, as the report names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Set,
    Create,
    Delete,
    Multi,
    /// Keeps a session that is idle; told apart so that it does not count as work.
    Ping,
}

impl Kind {
    /// In the order of a report; a kind's place is its number.
    pub(super) const ALL: [Kind; 6] = [
        Kind::Get,
        Kind::Set,
        Kind::Create,
        Kind::Delete,
        Kind::Multi,
        Kind::Ping,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Get => "get",
            Kind::Set => "set",
            Kind::Create => "create",
            Kind::Delete => "delete",
            Kind::Multi => "multi",
            Kind::Ping => "ping",
        }
    }
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Keys {
    /// Where everything happens.
    pub(super) base: String,
    pub(super) paths: Vec<String>,
    pub(super) value: Vec<u8>,
}

impl Keys {
    pub(super) fn new(base: &str, count: u32, value_size: u32) -> Keys {
        Keys {
            base: base.to_owned(),
            paths: (0..count).map(|n| format!("{base}/k{n}")).collect(),
            value: vec![b'x'; value_size as usize],
        }
    }
}

/// A stream of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// getData and setData: of a hundred, how many read.
    Keys { reads: u8 },
    /// Create and delete in turn.
    Turnover { flags: i32 },
    /// setData of so many keys in a multi.
    Multi { batch: u32 },
    /// So many creates, and then nothing.
    Fill { count: u32 },
    /// Nothing at all.
    Silence,
}

impl Stream {
    pub(super) const CREATE: Stream = Stream::Turnover { flags: PERSISTENT };
    pub(super) const EPHEMERAL: Stream = Stream::Turnover { flags: EPHEMERAL };
    pub(super) const SEQUENTIAL: Stream = Stream::Turnover {
        flags: PERSISTENT_SEQUENTIAL,
    };
}

/// The requests of one connection.
pub(super) struct Plan {
    keys: Arc<Keys>,
    stream: Stream,
    random: Rng,
    /// The znode below which this connection creates, one for each session it had.
    parent: String,
    connection: u32,
    sessions: u32,
    /// Whether `parent` was asked for.
    has_parent: bool,
    /// Znodes asked for below `parent`.
    created: u32,
    /// Whether the last of them was deleted again.
    turned: bool,
}

impl Plan {
    pub(super) fn new(keys: Arc<Keys>, stream: Stream, connection: u32) -> Plan {
        Plan {
            keys,
            stream,
            random: Rng::with_seed(u64::from(connection)),
            parent: String::new(),
            connection,
            sessions: 0,
            has_parent: false,
            created: 0,
            turned: true,
        }
    }

    /// A new session begins: nobody knows which of the last one's requests were carried out.
    pub(super) fn begin(&mut self) {
        self.parent = format!("{}/c{}.{}", self.keys.base, self.connection, self.sessions);
        self.sessions += 1;
        self.has_parent = false;
        self.turned = true;
        if !matches!(self.stream, Stream::Fill { .. }) {
            self.created = 0;
        }
    }

    /// Whether nothing is ever asked for: what a session that is idle does.
    pub(super) fn is_silent(&self) -> bool {
        self.stream == Stream::Silence
    }

    /// Appends the next request; `None` when there is nothing more to ask for.
    pub(super) fn next(&mut self, xid: Xid, out: &mut BytesMut) -> Option<Kind> {
        match self.stream {
            Stream::Keys { reads } => Some(self.key(reads, xid, out)),
            Stream::Multi { batch } => Some(self.multi(batch, xid, out)),
            Stream::Turnover { .. } | Stream::Fill { .. } if !self.has_parent => {
                self.has_parent = true;
                let parent = self.parent.clone();
                Some(self.create(&parent, PERSISTENT, xid, out))
            }
            Stream::Turnover { flags } => Some(self.turn(flags, xid, out)),
            Stream::Fill { count } if self.created == count => None,
            Stream::Fill { .. } => {
                let path = format!("{}/n{}", self.parent, self.created);
                self.created += 1;
                Some(self.create(&path, PERSISTENT, xid, out))
            }
            Stream::Silence => None,
        }
    }

    fn key(&mut self, reads: u8, xid: Xid, out: &mut BytesMut) -> Kind {
        let path = Text::Borrowed(&self.keys.paths[self.random.usize(..self.keys.paths.len())]);
        if self.random.u8(..100) < reads {
            Request::GetData { path, watch: false }.frame(xid, out);
            return Kind::Get;
        }
        let data = Some(self.keys.value.as_slice());
        Request::SetData {
            path,
            data,
            version: -1,
        }
        .frame(xid, out);
        Kind::Set
    }

    fn multi(&mut self, batch: u32, xid: Xid, out: &mut BytesMut) -> Kind {
        let ops = (0..batch).map(|_| MultiOp::SetData {
            path: Text::Borrowed(&self.keys.paths[self.random.usize(..self.keys.paths.len())]),
            data: Some(&self.keys.value),
            version: -1,
        });
        Request::Multi(ops.collect()).frame(xid, out);
        Kind::Multi
    }

    fn turn(&mut self, flags: i32, xid: Xid, out: &mut BytesMut) -> Kind {
        self.turned = !self.turned;
        let sequential = flags == PERSISTENT_SEQUENTIAL;
        if self.turned {
            // A parent of our own, so the number that the server appended is known.
            let path = match sequential {
                true => format!("{}/n{:010}", self.parent, self.created),
                false => format!("{}/n{}", self.parent, self.created),
            };
            self.created += 1;
            let path = Text::Owned(path);
            Request::Delete { path, version: -1 }.frame(xid, out);
            return Kind::Delete;
        }
        let path = match sequential {
            true => format!("{}/n", self.parent),
            false => format!("{}/n{}", self.parent, self.created),
        };
        self.create(&path, flags, xid, out)
    }

    fn create(&self, path: &str, flags: i32, xid: Xid, out: &mut BytesMut) -> Kind {
        Request::Create(Create {
            op: OpCode::Create,
            path: Text::Borrowed(path),
            data: Some(&self.keys.value),
            acl: Some(vec![Acl::open()]),
            flags,
            ttl: None,
        })
        .frame(xid, out);
        Kind::Create
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(stream: Stream, many: usize) -> Vec<String> {
        let keys = Arc::new(Keys::new("/b", 2, 3));
        let mut plan = Plan::new(keys, stream, 7);
        plan.begin();
        let mut asked = Vec::new();
        for _ in 0..many {
            let mut out = BytesMut::new();
            let Some(kind) = plan.next(Xid(1), &mut out) else {
                break;
            };
            // Behind the length and the xid.
            let op = i32::from_be_bytes(*out[8..].first_chunk().unwrap());
            let op = OpCode::from_number(op).unwrap();
            let path = match Request::decode(op, &out[12..]).unwrap() {
                Request::Create(create) => create.path.into_owned(),
                Request::Delete { path, .. }
                | Request::GetData { path, .. }
                | Request::SetData { path, .. } => path.into_owned(),
                Request::Multi(ops) => format!("{} changes", ops.len()),
                other => panic!("{other:?}"),
            };
            asked.push(format!("{} {path}", kind.name()));
        }
        asked
    }

    #[test]
    fn every_znode_created_is_deleted_next() {
        assert_eq!(
            asked(Stream::CREATE, 5),
            [
                "create /b/c7.0",
                "create /b/c7.0/n0",
                "delete /b/c7.0/n0",
                "create /b/c7.0/n1",
                "delete /b/c7.0/n1"
            ]
        );
    }

    #[test]
    fn names_of_sequential_znodes_are_foreseen() {
        assert_eq!(
            asked(Stream::SEQUENTIAL, 5)[1..],
            [
                "create /b/c7.0/n",
                "delete /b/c7.0/n0000000000",
                "create /b/c7.0/n",
                "delete /b/c7.0/n0000000001"
            ]
        );
    }

    #[test]
    fn a_fill_ends() {
        assert_eq!(
            asked(Stream::Fill { count: 2 }, 9),
            ["create /b/c7.0", "create /b/c7.0/n0", "create /b/c7.0/n1"]
        );
    }

    #[test]
    fn keys_are_read_and_written_as_divided() {
        let asked = asked(Stream::Keys { reads: 90 }, 1000);
        let gets = asked
            .iter()
            .filter(|asked| asked.starts_with("get"))
            .count();
        assert!((850..950).contains(&gets), "{gets}");
        assert!(asked.iter().any(|asked| asked == "set /b/k1"));
    }

    #[test]
    fn a_multi_has_its_changes() {
        assert_eq!(asked(Stream::Multi { batch: 3 }, 1), ["multi 3 changes"]);
    }
}
