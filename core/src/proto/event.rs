//! Watch notifications.

use bytes::{BufMut, BytesMut};

use crate::proto::{Malformed, Reader, Writer, Xid, Zxid};

/// What happened to a znode, as its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum EventKind {
    /// It was created.
    Created = 1,
    /// It was deleted.
    Deleted = 2,
    /// Its data was set.
    DataChanged = 3,
    /// A direct child was created or deleted.
    ChildrenChanged = 4,
}

/// One event as a client receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The change behind it, or -1 for one made up while watches are set again.
    pub zxid: Zxid,
    /// What happened.
    pub kind: EventKind,
    /// To which znode: absolute, without chroot.
    pub path: String,
}

impl Notification {
    /// `SyncConnected`: the only state that travels.
    const STATE: i32 = 3;

    /// Appends the whole frame for an event, length included.
    pub fn encode(zxid: Zxid, kind: EventKind, path: &str, out: &mut BytesMut) {
        let start = out.len();
        out.reserve(32 + path.len());
        out.put_i32(0);
        let mut w = Writer::new(out);
        w.i32(Xid::NOTIFICATION.0);
        w.i64(zxid.0);
        w.i32(0);
        w.i32(kind as i32);
        w.i32(Self::STATE);
        w.text(path);
        crate::proto::close_frame(out, start);
    }

    /// Reads the record behind a reply header with [`Xid::NOTIFICATION`].
    pub fn decode(zxid: Zxid, r: &mut Reader<'_>) -> Result<Notification, Malformed> {
        let kind = match r.i32()? {
            1 => EventKind::Created,
            2 => EventKind::Deleted,
            3 => EventKind::DataChanged,
            4 => EventKind::ChildrenChanged,
            _ => return Err(Malformed("unknown event")),
        };
        let _state = r.i32()?;
        Ok(Notification {
            zxid,
            kind,
            path: r.text()?.into_owned(),
        })
    }
}
