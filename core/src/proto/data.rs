//! Records that several operations share: `Stat`, `ACL`, `Id`.

use crate::proto::{Malformed, Reader, Writer};

/// Permission bits of an ACL entry.
pub mod perms {
    /// Read data and list children.
    pub const READ: i32 = 1;
    /// Set data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Set the ACL.
    pub const ADMIN: i32 = 16;
    /// All five.
    pub const ALL: i32 = 31;
}

/// A znode's metadata as a client sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// zxid of the change that created the znode.
    pub czxid: i64,
    /// zxid of the last change of its data.
    pub mzxid: i64,
    /// Creation time, milliseconds since 1970.
    pub ctime: i64,
    /// Time of the last change of its data, milliseconds since 1970.
    pub mtime: i64,
    /// Number of data changes.
    pub version: i32,
    /// Number of children created and deleted: `2 * created - num_children`.
    pub cversion: i32,
    /// Number of ACL changes.
    pub aversion: i32,
    /// The owning session of an ephemeral, else 0 (containers and TTL znodes too).
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Direct children.
    pub num_children: i32,
    /// zxid of the last creation or deletion of a child.
    pub pzxid: i64,
}

impl Stat {
    /// Bytes of the encoding.
    pub const BYTES: usize = 68;

    /// Appends the record.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.i64(self.czxid);
        w.i64(self.mzxid);
        w.i64(self.ctime);
        w.i64(self.mtime);
        w.i32(self.version);
        w.i32(self.cversion);
        w.i32(self.aversion);
        w.i64(self.ephemeral_owner);
        w.i32(self.data_length);
        w.i32(self.num_children);
        w.i64(self.pzxid);
    }

    /// Reads the record.
    pub fn decode(r: &mut Reader<'_>) -> Result<Stat, Malformed> {
        Ok(Stat {
            czxid: r.i64()?,
            mzxid: r.i64()?,
            ctime: r.i64()?,
            mtime: r.i64()?,
            version: r.i32()?,
            cversion: r.i32()?,
            aversion: r.i32()?,
            ephemeral_owner: r.i64()?,
            data_length: r.i32()?,
            num_children: r.i32()?,
            pzxid: r.i64()?,
        })
    }
}

/// Who somebody is: a scheme and an id in it. A connection has several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// `world`, `ip`, `digest`, `super`, …
    pub scheme: Box<str>,
    /// The name within the scheme.
    pub id: Box<str>,
}

impl Id {
    /// An id of `scheme`.
    pub fn new(scheme: &str, id: &str) -> Id {
        Id {
            scheme: scheme.into(),
            id: id.into(),
        }
    }

    /// Appends the record.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.text(&self.scheme);
        w.text(&self.id);
    }

    /// Reads the record; a null scheme or id is malformed.
    pub fn decode(r: &mut Reader<'_>) -> Result<Id, Malformed> {
        Ok(Id {
            scheme: r.text()?.into(),
            id: r.text()?.into(),
        })
    }
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acl {
    /// Bits of [`perms`]; not validated, as in ZooKeeper.
    pub perms: i32,
    /// Who has them.
    pub id: Id,
}

impl Acl {
    /// Fewest bytes of an entry: the permissions and two empty strings.
    pub(crate) const BYTES_MIN: usize = 12;

    /// Everything to everybody: `world:anyone:cdrwa`.
    pub fn open() -> Acl {
        Acl {
            perms: perms::ALL,
            id: Id::new("world", "anyone"),
        }
    }

    /// Appends the record.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.i32(self.perms);
        self.id.encode(w);
    }

    /// Reads the record. A null scheme is `None`: the operation answers InvalidACL then, it does
    /// not refuse the bytes. A null id reads as an empty one: kazoo sends it so for `auth`.
    pub fn decode(r: &mut Reader<'_>) -> Result<Option<Acl>, Malformed> {
        let perms = r.i32()?;
        let scheme = r.text_or_null()?;
        let id = r.text_or_null()?.unwrap_or_default();
        Ok(scheme.map(|scheme| Acl {
            perms,
            id: Id {
                scheme: scheme.into(),
                id: id.into(),
            },
        }))
    }

    /// Appends a list.
    pub fn encode_list(list: &[Acl], w: &mut Writer<'_>) {
        w.length(list.len());
        for acl in list {
            acl.encode(w);
        }
    }

    /// Reads a list; `None` when an entry has a null scheme, empty when the list is null.
    pub fn decode_list(r: &mut Reader<'_>) -> Result<Option<Vec<Acl>>, Malformed> {
        Ok(r.vector(Acl::BYTES_MIN, Acl::decode)?.into_iter().collect())
    }
}
