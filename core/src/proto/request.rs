//! What a client asks for.

use bytes::{BufMut, BytesMut};

use crate::proto::{Acl, Malformed, MultiOp, ReadOp, Reader, Text, Writer, Xid};

/// The kind of a request, as its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum OpCode {
    /// create
    Create = 1,
    /// delete
    Delete = 2,
    /// exists
    Exists = 3,
    /// getData
    GetData = 4,
    /// setData
    SetData = 5,
    /// getACL
    GetAcl = 6,
    /// setACL
    SetAcl = 7,
    /// getChildren
    GetChildren = 8,
    /// sync
    Sync = 9,
    /// ping
    Ping = 11,
    /// getChildren2
    GetChildren2 = 12,
    /// check, inside a multi
    Check = 13,
    /// multi
    Multi = 14,
    /// create2
    Create2 = 15,
    /// reconfig
    Reconfig = 16,
    /// checkWatches
    CheckWatches = 17,
    /// removeWatches
    RemoveWatches = 18,
    /// createContainer
    CreateContainer = 19,
    /// createTTL
    CreateTtl = 21,
    /// multiRead
    MultiRead = 22,
    /// auth
    Auth = 100,
    /// setWatches
    SetWatches = 101,
    /// sasl
    Sasl = 102,
    /// getEphemerals
    GetEphemerals = 103,
    /// getAllChildrenNumber
    GetAllChildrenNumber = 104,
    /// setWatches2
    SetWatches2 = 105,
    /// addWatch
    AddWatch = 106,
    /// whoAmI
    WhoAmI = 107,
    /// closeSession
    CloseSession = -11,
}

impl OpCode {
    /// Every operation a client may send.
    pub const ALL: [OpCode; 29] = [
        OpCode::Create,
        OpCode::Delete,
        OpCode::Exists,
        OpCode::GetData,
        OpCode::SetData,
        OpCode::GetAcl,
        OpCode::SetAcl,
        OpCode::GetChildren,
        OpCode::Sync,
        OpCode::Ping,
        OpCode::GetChildren2,
        OpCode::Check,
        OpCode::Multi,
        OpCode::Create2,
        OpCode::Reconfig,
        OpCode::CheckWatches,
        OpCode::RemoveWatches,
        OpCode::CreateContainer,
        OpCode::CreateTtl,
        OpCode::MultiRead,
        OpCode::Auth,
        OpCode::SetWatches,
        OpCode::Sasl,
        OpCode::GetEphemerals,
        OpCode::GetAllChildrenNumber,
        OpCode::SetWatches2,
        OpCode::AddWatch,
        OpCode::WhoAmI,
        OpCode::CloseSession,
    ];

    /// The operation of a number, or `None`: such a request is answered Unimplemented and the
    /// connection closed. deleteContainer and createSession are servers' own business and count
    /// as unknown when they come from a client.
    pub fn from_number(number: i32) -> Option<OpCode> {
        OpCode::ALL.into_iter().find(|op| *op as i32 == number)
    }

    /// The number on the wire.
    pub fn number(self) -> i32 {
        self as i32
    }

    /// ZooKeeper's name of the operation.
    pub fn name(self) -> &'static str {
        match self {
            OpCode::Create => "create",
            OpCode::Delete => "delete",
            OpCode::Exists => "exists",
            OpCode::GetData => "getData",
            OpCode::SetData => "setData",
            OpCode::GetAcl => "getACL",
            OpCode::SetAcl => "setACL",
            OpCode::GetChildren => "getChildren",
            OpCode::Sync => "sync",
            OpCode::Ping => "ping",
            OpCode::GetChildren2 => "getChildren2",
            OpCode::Check => "check",
            OpCode::Multi => "multi",
            OpCode::Create2 => "create2",
            OpCode::Reconfig => "reconfig",
            OpCode::CheckWatches => "checkWatches",
            OpCode::RemoveWatches => "removeWatches",
            OpCode::CreateContainer => "createContainer",
            OpCode::CreateTtl => "createTTL",
            OpCode::MultiRead => "multiRead",
            OpCode::Auth => "auth",
            OpCode::SetWatches => "setWatches",
            OpCode::Sasl => "sasl",
            OpCode::GetEphemerals => "getEphemerals",
            OpCode::GetAllChildrenNumber => "getAllChildrenNumber",
            OpCode::SetWatches2 => "setWatches2",
            OpCode::AddWatch => "addWatch",
            OpCode::WhoAmI => "whoAmI",
            OpCode::CloseSession => "closeSession",
        }
    }

    /// Whether the operation changes the tree or the session table and so goes through the log.
    pub fn is_write(self) -> bool {
        match self {
            OpCode::Create
            | OpCode::Delete
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Check
            | OpCode::Multi
            | OpCode::Create2
            | OpCode::Reconfig
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::CloseSession => true,
            OpCode::Exists
            | OpCode::GetData
            | OpCode::GetAcl
            | OpCode::GetChildren
            | OpCode::Sync
            | OpCode::Ping
            | OpCode::GetChildren2
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::MultiRead
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::Sasl
            | OpCode::GetEphemerals
            | OpCode::GetAllChildrenNumber
            | OpCode::SetWatches2
            | OpCode::AddWatch
            | OpCode::WhoAmI => false,
        }
    }
}

/// create, create2, createContainer and createTTL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create<'a> {
    /// Which of the four; decides the form of the answer and the meaning of `flags`.
    pub op: OpCode,
    /// The znode to create; of a sequential one, the part before the number.
    pub path: Text<'a>,
    /// Null and empty differ and both are kept.
    pub data: Option<&'a [u8]>,
    /// `None` when an entry has a null scheme, which answers InvalidACL.
    pub acl: Option<Vec<Acl>>,
    /// The create mode's number.
    pub flags: i32,
    /// Milliseconds, of createTTL only.
    pub ttl: Option<i64>,
}

impl<'a> Create<'a> {
    /// Appends the record.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.text(&self.path);
        w.buffer(self.data);
        Acl::encode_list(self.acl.as_deref().unwrap_or_default(), w);
        w.i32(self.flags);
        if self.op == OpCode::CreateTtl {
            w.i64(self.ttl.unwrap_or_default());
        }
    }

    /// Reads the record of `op`.
    pub fn decode(op: OpCode, r: &mut Reader<'a>) -> Result<Create<'a>, Malformed> {
        Ok(Create {
            op,
            path: r.text()?,
            data: r.buffer()?,
            acl: Acl::decode_list(r)?,
            flags: r.i32()?,
            ttl: if op == OpCode::CreateTtl {
                Some(r.i64()?)
            } else {
                None
            },
        })
    }
}

/// setWatches and setWatches2: what a client that reconnects still wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetWatches<'a> {
    /// The greatest zxid the client saw before; later changes are reported at once.
    pub relative_zxid: i64,
    /// Watches left by getData, and by exists on a znode that existed.
    pub data: Vec<Text<'a>>,
    /// Watches left by exists on a znode that did not exist.
    pub exist: Vec<Text<'a>>,
    /// Watches left by getChildren.
    pub child: Vec<Text<'a>>,
    /// Persistent watches.
    pub persistent: Vec<Text<'a>>,
    /// Persistent recursive watches.
    pub persistent_recursive: Vec<Text<'a>>,
}

impl<'a> SetWatches<'a> {
    /// Persistent watches take setWatches2; without them the older form serves every server.
    fn op(&self) -> OpCode {
        if self.persistent.is_empty() && self.persistent_recursive.is_empty() {
            OpCode::SetWatches
        } else {
            OpCode::SetWatches2
        }
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.i64(self.relative_zxid);
        w.texts(&self.data);
        w.texts(&self.exist);
        w.texts(&self.child);
        if self.op() == OpCode::SetWatches2 {
            w.texts(&self.persistent);
            w.texts(&self.persistent_recursive);
        }
    }

    fn decode(op: OpCode, r: &mut Reader<'a>) -> Result<SetWatches<'a>, Malformed> {
        let mut watches = SetWatches {
            relative_zxid: r.i64()?,
            data: r.vector(4, Reader::text)?,
            exist: r.vector(4, Reader::text)?,
            child: r.vector(4, Reader::text)?,
            ..SetWatches::default()
        };
        if op == OpCode::SetWatches2 {
            watches.persistent = r.vector(4, Reader::text)?;
            watches.persistent_recursive = r.vector(4, Reader::text)?;
        }
        Ok(watches)
    }
}

/// How long and how far an addWatch looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddWatchMode {
    /// Data and children of one path, until removed.
    Persistent,
    /// A path and everything below it, until removed.
    PersistentRecursive,
}

impl AddWatchMode {
    fn number(self) -> i32 {
        match self {
            AddWatchMode::Persistent => 0,
            AddWatchMode::PersistentRecursive => 1,
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<AddWatchMode, Malformed> {
        match r.i32()? {
            0 => Ok(AddWatchMode::Persistent),
            1 => Ok(AddWatchMode::PersistentRecursive),
            _ => Err(Malformed("unknown watch mode")),
        }
    }
}

/// Which watches removeWatches and checkWatches mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatcherType {
    /// Left by getChildren.
    Children,
    /// Left by getData or exists.
    Data,
    /// All of them.
    Any,
    /// Persistent ones.
    Persistent,
    /// Persistent recursive ones.
    PersistentRecursive,
}

impl WatcherType {
    fn number(self) -> i32 {
        match self {
            WatcherType::Children => 1,
            WatcherType::Data => 2,
            WatcherType::Any => 3,
            WatcherType::Persistent => 4,
            WatcherType::PersistentRecursive => 5,
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<WatcherType, Malformed> {
        match r.i32()? {
            1 => Ok(WatcherType::Children),
            2 => Ok(WatcherType::Data),
            3 => Ok(WatcherType::Any),
            4 => Ok(WatcherType::Persistent),
            5 => Ok(WatcherType::PersistentRecursive),
            _ => Err(Malformed("unknown watcher type")),
        }
    }

    /// Whether this is the record of a checkWatches or a removeWatches whose path is null. Nobody
    /// watches there, which is an answer: ZooKeeper looks the null up and finds nothing.
    pub fn of_no_path(op: OpCode, body: &[u8]) -> bool {
        let r = &mut Reader::new(body);
        matches!(op, OpCode::CheckWatches | OpCode::RemoveWatches)
            && matches!(r.text_or_null(), Ok(None))
            && WatcherType::decode(r).is_ok()
    }
}

/// A request, borrowing from its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the variants and fields carry ZooKeeper's names"
)]
pub enum Request<'a> {
    Create(Create<'a>),
    Delete {
        path: Text<'a>,
        version: i32,
    },
    Exists {
        path: Text<'a>,
        watch: bool,
    },
    GetData {
        path: Text<'a>,
        watch: bool,
    },
    SetData {
        path: Text<'a>,
        data: Option<&'a [u8]>,
        version: i32,
    },
    GetAcl {
        path: Text<'a>,
    },
    SetAcl {
        path: Text<'a>,
        acl: Option<Vec<Acl>>,
        version: i32,
    },
    GetChildren {
        path: Text<'a>,
        watch: bool,
    },
    GetChildren2 {
        path: Text<'a>,
        watch: bool,
    },
    Sync {
        path: Text<'a>,
    },
    Ping,
    Check {
        path: Text<'a>,
        version: i32,
    },
    Multi(Vec<MultiOp<'a>>),
    MultiRead(Vec<ReadOp<'a>>),
    Reconfig {
        joining: Option<Text<'a>>,
        leaving: Option<Text<'a>>,
        members: Option<Text<'a>>,
        config: i64,
    },
    CheckWatches {
        path: Text<'a>,
        kind: WatcherType,
    },
    RemoveWatches {
        path: Text<'a>,
        kind: WatcherType,
    },
    Auth {
        scheme: Text<'a>,
        /// Null proves nothing, where the scheme wants a proof.
        auth: Option<&'a [u8]>,
    },
    SetWatches(SetWatches<'a>),
    Sasl {
        token: &'a [u8],
    },
    GetEphemerals {
        prefix: Option<Text<'a>>,
    },
    GetAllChildrenNumber {
        path: Text<'a>,
    },
    AddWatch {
        path: Text<'a>,
        mode: AddWatchMode,
    },
    WhoAmI,
    CloseSession,
}

impl<'a> Request<'a> {
    /// Which operation it is.
    pub fn op(&self) -> OpCode {
        match self {
            Request::Create(create) => create.op,
            Request::Delete { .. } => OpCode::Delete,
            Request::Exists { .. } => OpCode::Exists,
            Request::GetData { .. } => OpCode::GetData,
            Request::SetData { .. } => OpCode::SetData,
            Request::GetAcl { .. } => OpCode::GetAcl,
            Request::SetAcl { .. } => OpCode::SetAcl,
            Request::GetChildren { .. } => OpCode::GetChildren,
            Request::GetChildren2 { .. } => OpCode::GetChildren2,
            Request::Sync { .. } => OpCode::Sync,
            Request::Ping => OpCode::Ping,
            Request::Check { .. } => OpCode::Check,
            Request::Multi(_) => OpCode::Multi,
            Request::MultiRead(_) => OpCode::MultiRead,
            Request::Reconfig { .. } => OpCode::Reconfig,
            Request::CheckWatches { .. } => OpCode::CheckWatches,
            Request::RemoveWatches { .. } => OpCode::RemoveWatches,
            Request::Auth { .. } => OpCode::Auth,
            Request::SetWatches(watches) => watches.op(),
            Request::Sasl { .. } => OpCode::Sasl,
            Request::GetEphemerals { .. } => OpCode::GetEphemerals,
            Request::GetAllChildrenNumber { .. } => OpCode::GetAllChildrenNumber,
            Request::AddWatch { .. } => OpCode::AddWatch,
            Request::WhoAmI => OpCode::WhoAmI,
            Request::CloseSession => OpCode::CloseSession,
        }
    }

    /// Sets the watch flag, of a request that has one.
    pub fn set_watch(&mut self, on: bool) {
        match self {
            Request::Exists { watch, .. }
            | Request::GetData { watch, .. }
            | Request::GetChildren { watch, .. }
            | Request::GetChildren2 { watch, .. } => *watch = on,
            _ => {}
        }
    }

    /// Appends the whole frame: length, header, record. Header and length are the same for all
    /// operations.
    pub fn frame(&self, xid: Xid, out: &mut BytesMut) {
        let start = out.len();
        out.put_i32(0);
        let mut w = Writer::new(out);
        w.i32(xid.0);
        w.i32(self.op().number());
        self.encode(&mut w);
        crate::proto::close_frame(out, start);
    }

    fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Request::Create(create) => create.encode(w),
            Request::Delete { path, version } | Request::Check { path, version } => {
                w.text(path);
                w.i32(*version);
            }
            Request::Exists { path, watch }
            | Request::GetData { path, watch }
            | Request::GetChildren { path, watch }
            | Request::GetChildren2 { path, watch } => {
                w.text(path);
                w.bool(*watch);
            }
            Request::SetData {
                path,
                data,
                version,
            } => {
                w.text(path);
                w.buffer(*data);
                w.i32(*version);
            }
            Request::SetAcl { path, acl, version } => {
                w.text(path);
                Acl::encode_list(acl.as_deref().unwrap_or_default(), w);
                w.i32(*version);
            }
            Request::GetAcl { path }
            | Request::Sync { path }
            | Request::GetAllChildrenNumber { path } => w.text(path),
            Request::Multi(ops) => MultiOp::encode_all(ops, w),
            Request::MultiRead(ops) => ReadOp::encode_all(ops, w),
            Request::Reconfig {
                joining,
                leaving,
                members,
                config,
            } => {
                for text in [joining, leaving, members] {
                    w.text_or_null(text.as_deref());
                }
                w.i64(*config);
            }
            Request::CheckWatches { path, kind } | Request::RemoveWatches { path, kind } => {
                w.text(path);
                w.i32(kind.number());
            }
            Request::Auth { scheme, auth } => {
                w.i32(0);
                w.text(scheme);
                w.buffer(*auth);
            }
            Request::SetWatches(watches) => watches.encode(w),
            Request::Sasl { token } => w.buffer(Some(token)),
            Request::GetEphemerals { prefix } => w.text_or_null(prefix.as_deref()),
            Request::AddWatch { path, mode } => {
                w.text(path);
                w.i32(mode.number());
            }
            Request::Ping | Request::WhoAmI | Request::CloseSession => {}
        }
    }

    /// Reads the record of `op` that follows the request header. Bytes behind it are ignored, as
    /// ZooKeeper does.
    pub fn decode(op: OpCode, body: &'a [u8]) -> Result<Request<'a>, Malformed> {
        let r = &mut Reader::new(body);
        if op.is_write() {
            decode_write(op, r)
        } else {
            decode_read(op, r)
        }
    }
}

fn decode_write<'a>(op: OpCode, r: &mut Reader<'a>) -> Result<Request<'a>, Malformed> {
    Ok(match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
            Request::Create(Create::decode(op, r)?)
        }
        OpCode::Delete => Request::Delete {
            path: r.text()?,
            version: r.i32()?,
        },
        OpCode::SetData => Request::SetData {
            path: path_or_none(r)?,
            data: r.buffer()?,
            version: r.i32()?,
        },
        OpCode::SetAcl => Request::SetAcl {
            path: path_or_none(r)?,
            acl: Acl::decode_list(r)?,
            version: r.i32()?,
        },
        OpCode::Check => Request::Check {
            path: path_or_none(r)?,
            version: r.i32()?,
        },
        OpCode::Multi => Request::Multi(MultiOp::decode_all(r)?),
        OpCode::Reconfig => Request::Reconfig {
            joining: r.text_or_null()?,
            leaving: r.text_or_null()?,
            members: r.text_or_null()?,
            config: r.i64()?,
        },
        OpCode::CloseSession => Request::CloseSession,
        _ => return Err(Malformed("not a write")),
    })
}

/// A path that is checked as such: null is none, which answers BadArguments as an empty one does.
fn path_or_none<'a>(r: &mut Reader<'a>) -> Result<Text<'a>, Malformed> {
    Ok(r.text_or_null()?.unwrap_or_default())
}

fn decode_read<'a>(op: OpCode, r: &mut Reader<'a>) -> Result<Request<'a>, Malformed> {
    Ok(match op {
        OpCode::Exists => Request::Exists {
            path: r.text()?,
            watch: r.bool()?,
        },
        OpCode::GetData => Request::GetData {
            path: r.text()?,
            watch: r.bool()?,
        },
        OpCode::GetAcl => Request::GetAcl { path: r.text()? },
        OpCode::GetChildren => Request::GetChildren {
            path: r.text()?,
            watch: r.bool()?,
        },
        OpCode::GetChildren2 => Request::GetChildren2 {
            path: r.text()?,
            watch: r.bool()?,
        },
        OpCode::Sync => Request::Sync { path: r.text()? },
        OpCode::Ping => Request::Ping,
        OpCode::MultiRead => Request::MultiRead(ReadOp::decode_all(r)?),
        OpCode::CheckWatches => Request::CheckWatches {
            path: r.text()?,
            kind: WatcherType::decode(r)?,
        },
        OpCode::RemoveWatches => Request::RemoveWatches {
            path: r.text()?,
            kind: WatcherType::decode(r)?,
        },
        OpCode::Auth => {
            let _type = r.i32()?;
            Request::Auth {
                // No scheme is an unknown one.
                scheme: r.text_or_null()?.unwrap_or_default(),
                auth: r.buffer()?,
            }
        }
        OpCode::SetWatches | OpCode::SetWatches2 => Request::SetWatches(SetWatches::decode(op, r)?),
        OpCode::Sasl => Request::Sasl {
            token: r.buffer()?.unwrap_or_default(),
        },
        OpCode::GetEphemerals => Request::GetEphemerals {
            prefix: r.text_or_null()?,
        },
        OpCode::GetAllChildrenNumber => Request::GetAllChildrenNumber { path: r.text()? },
        OpCode::AddWatch => Request::AddWatch {
            path: r.text()?,
            mode: AddWatchMode::decode(r)?,
        },
        OpCode::WhoAmI => Request::WhoAmI,
        _ => return Err(Malformed("not a read")),
    })
}

#[cfg(test)]
mod tests {
    use super::{AddWatchMode, Create, OpCode, Request, SetWatches, WatcherType};
    use crate::proto::{Acl, Frames, MultiOp, ReadOp, Reader, Xid};
    use bytes::BytesMut;

    fn create(op: OpCode, ttl: Option<i64>) -> Create<'static> {
        Create {
            op,
            path: "/a".into(),
            data: Some(b"data"),
            acl: Some(vec![Acl::open()]),
            flags: 3,
            ttl,
        }
    }

    fn writes() -> Vec<Request<'static>> {
        let path = || "/a/b".into();
        vec![
            Request::Create(create(OpCode::Create, None)),
            Request::Create(create(OpCode::Create2, None)),
            Request::Create(create(OpCode::CreateContainer, None)),
            Request::Create(create(OpCode::CreateTtl, Some(77))),
            Request::Delete {
                path: path(),
                version: -1,
            },
            Request::SetData {
                path: path(),
                data: None,
                version: 4,
            },
            Request::SetAcl {
                path: path(),
                acl: Some(vec![Acl::open()]),
                version: 1,
            },
            Request::Check {
                path: path(),
                version: 9,
            },
            Request::Multi(vec![
                MultiOp::Create(create(OpCode::Create2, None)),
                MultiOp::Create(create(OpCode::CreateTtl, Some(1))),
                MultiOp::Delete {
                    path: path(),
                    version: 0,
                },
                MultiOp::SetData {
                    path: path(),
                    data: Some(b""),
                    version: 2,
                },
                MultiOp::Check {
                    path: path(),
                    version: -1,
                },
            ]),
            Request::Reconfig {
                joining: Some("server.1=x".into()),
                leaving: None,
                members: Some("".into()),
                config: -1,
            },
            Request::CloseSession,
        ]
    }

    fn reads() -> Vec<Request<'static>> {
        let path = || "/a/b".into();
        vec![
            Request::Exists {
                path: path(),
                watch: true,
            },
            Request::GetData {
                path: path(),
                watch: false,
            },
            Request::GetAcl { path: path() },
            Request::GetChildren {
                path: path(),
                watch: true,
            },
            Request::GetChildren2 {
                path: path(),
                watch: false,
            },
            Request::Sync { path: path() },
            Request::Ping,
            Request::MultiRead(vec![
                ReadOp::GetData { path: path() },
                ReadOp::GetChildren { path: path() },
            ]),
            Request::CheckWatches {
                path: path(),
                kind: WatcherType::Any,
            },
            Request::RemoveWatches {
                path: path(),
                kind: WatcherType::PersistentRecursive,
            },
            Request::Auth {
                scheme: "digest".into(),
                auth: Some(b"a:b"),
            },
            Request::SetWatches(SetWatches {
                relative_zxid: 3,
                data: vec!["/d".into()],
                exist: vec!["/e".into(), "/f".into()],
                ..SetWatches::default()
            }),
            Request::SetWatches(SetWatches {
                child: vec!["/c".into()],
                persistent_recursive: vec!["/r".into()],
                ..SetWatches::default()
            }),
            Request::Sasl { token: b"token" },
            Request::GetEphemerals { prefix: None },
            Request::GetAllChildrenNumber { path: path() },
            Request::AddWatch {
                path: path(),
                mode: AddWatchMode::PersistentRecursive,
            },
            Request::WhoAmI,
        ]
    }

    #[test]
    fn every_request_reads_as_it_was_written() {
        let mut seen = std::collections::BTreeSet::new();
        for request in writes().into_iter().chain(reads()) {
            let mut out = BytesMut::new();
            request.frame(Xid(5), &mut out);
            let frame = Frames::new(1 << 20).next(&mut out).unwrap().unwrap();
            let mut r = Reader::new(&frame);
            assert_eq!((r.i32(), r.i32()), (Ok(5), Ok(request.op().number())));
            assert_eq!(Request::decode(request.op(), r.rest()), Ok(request.clone()));
            seen.insert(request.op());
        }
        assert!(OpCode::ALL.iter().all(|op| seen.contains(op)));
    }
}
