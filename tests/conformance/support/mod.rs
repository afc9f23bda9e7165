//! What every topic stands on: servers in this process, a client made of raw bytes, and the
//! records they exchange.
//!
//! The client checks promises on every stream it reads, whatever the test is about: replies in the
//! order of requests, zxids that never decrease, and every notification ahead of the first reply
//! that could show its change.

mod client;
mod ensemble;
mod record;
pub(crate) mod request;

pub(crate) use client::{Client, Frame, Hello, Refused, framed, open};
pub(crate) use ensemble::{AtEnd, Ensemble, until};
pub(crate) use record::{Body, Fields};
pub(crate) use request::OPEN_LIST;

/// Numbers of the operations, written down once more: the server's own table is under test.
pub(crate) mod op {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_ACL: i32 = 6;
    pub(crate) const SET_ACL: i32 = 7;
    pub(crate) const GET_CHILDREN: i32 = 8;
    pub(crate) const SYNC: i32 = 9;
    pub(crate) const PING: i32 = 11;
    pub(crate) const GET_CHILDREN2: i32 = 12;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const CREATE2: i32 = 15;
    pub(crate) const RECONFIG: i32 = 16;
    pub(crate) const CHECK_WATCHES: i32 = 17;
    pub(crate) const REMOVE_WATCHES: i32 = 18;
    pub(crate) const CREATE_CONTAINER: i32 = 19;
    pub(crate) const DELETE_CONTAINER: i32 = 20;
    pub(crate) const CREATE_TTL: i32 = 21;
    pub(crate) const MULTI_READ: i32 = 22;
    pub(crate) const AUTH: i32 = 100;
    pub(crate) const SET_WATCHES: i32 = 101;
    pub(crate) const SASL: i32 = 102;
    pub(crate) const GET_EPHEMERALS: i32 = 103;
    pub(crate) const GET_ALL_CHILDREN_NUMBER: i32 = 104;
    pub(crate) const SET_WATCHES2: i32 = 105;
    pub(crate) const ADD_WATCH: i32 = 106;
    pub(crate) const WHO_AM_I: i32 = 107;
    pub(crate) const CREATE_SESSION: i32 = -10;
    pub(crate) const CLOSE_SESSION: i32 = -11;
}

/// Numbers of the errors.
pub(crate) mod code {
    pub(crate) const RUNTIME_INCONSISTENCY: i32 = -2;
    pub(crate) const MARSHALLING: i32 = -5;
    pub(crate) const UNIMPLEMENTED: i32 = -6;
    pub(crate) const BAD_ARGUMENTS: i32 = -8;
    pub(crate) const NEW_CONFIG_NO_QUORUM: i32 = -13;
    pub(crate) const RECONFIG_IN_PROGRESS: i32 = -14;
    pub(crate) const NO_NODE: i32 = -101;
    pub(crate) const NO_AUTH: i32 = -102;
    pub(crate) const BAD_VERSION: i32 = -103;
    pub(crate) const NO_CHILDREN_FOR_EPHEMERALS: i32 = -108;
    pub(crate) const NODE_EXISTS: i32 = -110;
    pub(crate) const NOT_EMPTY: i32 = -111;
    pub(crate) const INVALID_ACL: i32 = -114;
    pub(crate) const AUTH_FAILED: i32 = -115;
    pub(crate) const EPHEMERAL_ON_LOCAL_SESSION: i32 = -120;
    pub(crate) const NO_WATCHER: i32 = -121;
    pub(crate) const RECONFIG_DISABLED: i32 = -123;
    pub(crate) const SESSION_CLOSED_REQUIRE_SASL_AUTH: i32 = -124;
    pub(crate) const QUOTA_EXCEEDED: i32 = -125;
    pub(crate) const THROTTLED_OP: i32 = -127;
}

/// Numbers of the create modes.
pub(crate) mod mode {
    pub(crate) const PERSISTENT: i32 = 0;
    pub(crate) const EPHEMERAL: i32 = 1;
    pub(crate) const SEQUENTIAL: i32 = 2;
    pub(crate) const EPHEMERAL_SEQUENTIAL: i32 = 3;
    pub(crate) const CONTAINER: i32 = 4;
    pub(crate) const TTL: i32 = 5;
    pub(crate) const TTL_SEQUENTIAL: i32 = 6;
}

/// What a notification says.
pub(crate) mod kind {
    pub(crate) const CREATED: i32 = 1;
    pub(crate) const DELETED: i32 = 2;
    pub(crate) const DATA_CHANGED: i32 = 3;
    pub(crate) const CHILDREN_CHANGED: i32 = 4;
}

/// Runs each body against one server and against three.
macro_rules! on_one_and_three {
    ($($body:ident),* $(,)?) => {
        mod one_server {
            $(#[test] fn $body() { super::$body($crate::support::Ensemble::one()) })*
        }
        mod three_servers {
            $(#[test] fn $body() { super::$body($crate::support::Ensemble::three()) })*
        }
    };
}
pub(crate) use on_one_and_three;
