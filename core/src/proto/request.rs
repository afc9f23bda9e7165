//! What a client asks for.

use crate::proto::{Acl, Malformed, MultiOp, ReadOp, Reader, Text};

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
    Reconfig,
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
        auth: &'a [u8],
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
            path: r.text()?,
            data: r.buffer()?,
            version: r.i32()?,
        },
        OpCode::SetAcl => Request::SetAcl {
            path: r.text()?,
            acl: Acl::decode_list(r)?,
            version: r.i32()?,
        },
        OpCode::Check => Request::Check {
            path: r.text()?,
            version: r.i32()?,
        },
        OpCode::Multi => Request::Multi(MultiOp::decode_all(r)?),
        OpCode::Reconfig => {
            let _joining = r.text_or_null()?;
            let _leaving = r.text_or_null()?;
            let _members = r.text_or_null()?;
            let _config = r.i64()?;
            Request::Reconfig
        }
        OpCode::CloseSession => Request::CloseSession,
        _ => return Err(Malformed("not a write")),
    })
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
                scheme: r.text()?,
                auth: r.buffer()?.unwrap_or_default(),
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
            mode: add_watch_mode(r)?,
        },
        OpCode::WhoAmI => Request::WhoAmI,
        _ => return Err(Malformed("not a read")),
    })
}

fn add_watch_mode(r: &mut Reader<'_>) -> Result<AddWatchMode, Malformed> {
    match r.i32()? {
        0 => Ok(AddWatchMode::Persistent),
        1 => Ok(AddWatchMode::PersistentRecursive),
        _ => Err(Malformed("unknown watch mode")),
    }
}
