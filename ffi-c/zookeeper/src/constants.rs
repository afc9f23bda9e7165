//! The objects that programs link against: numbers, and lists of permissions.
//!
//! Invariant: sizes and values never change. A program that is not position independent carries a
//! copy of each, of the size that this library had when it was linked.

use std::ffi::{c_char, c_int};

use crate::records::{ACL, ACL_vector, Id};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub static $name: c_int = $value;
    )*};
}

numbers! {
    /// May read data and list children.
    ZOO_PERM_READ = 1;
    /// May set data.
    ZOO_PERM_WRITE = 2;
    /// May create children.
    ZOO_PERM_CREATE = 4;
    /// May delete children.
    ZOO_PERM_DELETE = 8;
    /// May set permissions.
    ZOO_PERM_ADMIN = 16;
    /// All five.
    ZOO_PERM_ALL = 0x1f;

    /// Interest in writing.
    ZOOKEEPER_WRITE = 1;
    /// Interest in reading.
    ZOOKEEPER_READ = 2;

    /// Stays until deleted.
    ZOO_PERSISTENT = 0;
    /// Goes with its session.
    ZOO_EPHEMERAL = 1;
    /// Stays; the server appends ten digits to the name.
    ZOO_PERSISTENT_SEQUENTIAL = 2;
    /// The flag that makes a mode sequential.
    ZOO_SEQUENCE = 2;
    /// Goes with its session; the server appends ten digits to the name.
    ZOO_EPHEMERAL_SEQUENTIAL = 3;
    /// Goes some time after its last child.
    ZOO_CONTAINER = 4;
    /// Goes when it was not changed for its time to live and has no children.
    ZOO_PERSISTENT_WITH_TTL = 5;
    /// The same, with ten digits appended to the name.
    ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL = 6;

    /// The session is over; the handle is good for nothing but `zookeeper_close`.
    ZOO_EXPIRED_SESSION_STATE = -112;
    /// The server refused a credential; the handle is good for nothing but `zookeeper_close`.
    ZOO_AUTH_FAILED_STATE = -113;
    /// Connecting to a server.
    ZOO_CONNECTING_STATE = 1;
    /// Connected; the session is being opened or attached.
    ZOO_ASSOCIATING_STATE = 2;
    /// In use.
    ZOO_CONNECTED_STATE = 3;
    /// In use, with a server that answers reads only.
    ZOO_READONLY_STATE = 5;
    /// The TLS handshake is going on.
    ZOO_SSL_CONNECTING_STATE = 7;
    /// Between two attempts to connect.
    ZOO_NOTCONNECTED_STATE = 999;

    /// A znode came to be.
    ZOO_CREATED_EVENT = 1;
    /// A znode is gone.
    ZOO_DELETED_EVENT = 2;
    /// The data of a znode changed.
    ZOO_CHANGED_EVENT = 3;
    /// The list of children of a znode changed.
    ZOO_CHILD_EVENT = 4;
    /// The state of the handle changed.
    ZOO_SESSION_EVENT = -1;
    /// A watch was given up by the server.
    ZOO_NOTWATCHING_EVENT = -2;
}

const fn id(scheme: *const c_char, id: *const c_char) -> Id {
    Id {
        scheme: scheme.cast_mut(),
        id: id.cast_mut(),
    }
}

const WORLD: Id = id(c"world".as_ptr(), c"anyone".as_ptr());
const AUTH: Id = id(c"auth".as_ptr(), c"".as_ptr());

// C programs may change these, so nothing in Rust ever reads them.
static mut OPEN: ACL = ACL {
    perms: 0x1f,
    id: WORLD,
};
static mut READ: ACL = ACL {
    perms: 0x01,
    id: WORLD,
};
static mut CREATOR: ACL = ACL {
    perms: 0x1f,
    id: AUTH,
};

const fn one(entry: *mut ACL) -> ACL_vector {
    ACL_vector {
        count: 1,
        data: entry,
    }
}

/// Everyone, also without credentials.
#[unsafe(no_mangle)]
pub static mut ZOO_ANYONE_ID_UNSAFE: Id = WORLD;

/// Whoever created the znode: the server puts the creator's identities in its place.
#[unsafe(no_mangle)]
pub static mut ZOO_AUTH_IDS: Id = AUTH;

/// Everyone may do everything.
#[unsafe(no_mangle)]
pub static mut ZOO_OPEN_ACL_UNSAFE: ACL_vector = one(&raw mut OPEN);

/// Everyone may read.
#[unsafe(no_mangle)]
pub static mut ZOO_READ_ACL_UNSAFE: ACL_vector = one(&raw mut READ);

/// Whoever created the znode may do everything.
#[unsafe(no_mangle)]
pub static mut ZOO_CREATOR_ALL_ACL: ACL_vector = one(&raw mut CREATOR);
