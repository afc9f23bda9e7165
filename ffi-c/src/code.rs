//! ZooKeeper's codes as a C enum.
//!
//! Invariant: both matches below are exhaustive, so a code that the core learns does not compile
//! here until it has a name in the header.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::{CStr, c_char};

use zoowarden::client::Code;

macro_rules! codes {
    ($($variant:ident $constant:ident $name:literal,)*) => {
        impl From<Code> for zoowarden_code {
            fn from(code: Code) -> Self {
                match code {
                    $(Code::$variant => zoowarden_code::$constant,)*
                }
            }
        }

        impl zoowarden_code {
            /// The name of the constant; `None` for a number that is none.
            fn name(number: i32) -> Option<&'static CStr> {
                if number == zoowarden_code::ZOOWARDEN_OK as i32 {
                    return Some(c"ZOOWARDEN_OK");
                }
                $(if number == zoowarden_code::$constant as i32 {
                    return Some($name);
                })*
                None
            }
        }
    };
}

codes! {
    SystemError ZOOWARDEN_SYSTEM_ERROR c"ZOOWARDEN_SYSTEM_ERROR",
    RuntimeInconsistency ZOOWARDEN_RUNTIME_INCONSISTENCY c"ZOOWARDEN_RUNTIME_INCONSISTENCY",
    DataInconsistency ZOOWARDEN_DATA_INCONSISTENCY c"ZOOWARDEN_DATA_INCONSISTENCY",
    ConnectionLoss ZOOWARDEN_CONNECTION_LOSS c"ZOOWARDEN_CONNECTION_LOSS",
    MarshallingError ZOOWARDEN_MARSHALLING_ERROR c"ZOOWARDEN_MARSHALLING_ERROR",
    Unimplemented ZOOWARDEN_UNIMPLEMENTED c"ZOOWARDEN_UNIMPLEMENTED",
    OperationTimeout ZOOWARDEN_OPERATION_TIMEOUT c"ZOOWARDEN_OPERATION_TIMEOUT",
    BadArguments ZOOWARDEN_BAD_ARGUMENTS c"ZOOWARDEN_BAD_ARGUMENTS",
    InvalidState ZOOWARDEN_INVALID_STATE c"ZOOWARDEN_INVALID_STATE",
    UnknownSession ZOOWARDEN_UNKNOWN_SESSION c"ZOOWARDEN_UNKNOWN_SESSION",
    NewConfigNoQuorum ZOOWARDEN_NEW_CONFIG_NO_QUORUM c"ZOOWARDEN_NEW_CONFIG_NO_QUORUM",
    ReconfigInProgress ZOOWARDEN_RECONFIG_IN_PROGRESS c"ZOOWARDEN_RECONFIG_IN_PROGRESS",
    NoNode ZOOWARDEN_NO_NODE c"ZOOWARDEN_NO_NODE",
    NoAuth ZOOWARDEN_NO_AUTH c"ZOOWARDEN_NO_AUTH",
    BadVersion ZOOWARDEN_BAD_VERSION c"ZOOWARDEN_BAD_VERSION",
    NoChildrenForEphemerals ZOOWARDEN_NO_CHILDREN_FOR_EPHEMERALS
        c"ZOOWARDEN_NO_CHILDREN_FOR_EPHEMERALS",
    NodeExists ZOOWARDEN_NODE_EXISTS c"ZOOWARDEN_NODE_EXISTS",
    NotEmpty ZOOWARDEN_NOT_EMPTY c"ZOOWARDEN_NOT_EMPTY",
    SessionExpired ZOOWARDEN_SESSION_EXPIRED c"ZOOWARDEN_SESSION_EXPIRED",
    InvalidCallback ZOOWARDEN_INVALID_CALLBACK c"ZOOWARDEN_INVALID_CALLBACK",
    InvalidAcl ZOOWARDEN_INVALID_ACL c"ZOOWARDEN_INVALID_ACL",
    AuthFailed ZOOWARDEN_AUTH_FAILED c"ZOOWARDEN_AUTH_FAILED",
    Closing ZOOWARDEN_CLOSING c"ZOOWARDEN_CLOSING",
    SessionMoved ZOOWARDEN_SESSION_MOVED c"ZOOWARDEN_SESSION_MOVED",
    NotReadOnly ZOOWARDEN_NOT_READ_ONLY c"ZOOWARDEN_NOT_READ_ONLY",
    EphemeralOnLocalSession ZOOWARDEN_EPHEMERAL_ON_LOCAL_SESSION
        c"ZOOWARDEN_EPHEMERAL_ON_LOCAL_SESSION",
    NoWatcher ZOOWARDEN_NO_WATCHER c"ZOOWARDEN_NO_WATCHER",
    RequestTimeout ZOOWARDEN_REQUEST_TIMEOUT c"ZOOWARDEN_REQUEST_TIMEOUT",
    ReconfigDisabled ZOOWARDEN_RECONFIG_DISABLED c"ZOOWARDEN_RECONFIG_DISABLED",
    SessionClosedRequireSaslAuth ZOOWARDEN_SESSION_CLOSED_REQUIRE_SASL_AUTH
        c"ZOOWARDEN_SESSION_CLOSED_REQUIRE_SASL_AUTH",
    QuotaExceeded ZOOWARDEN_QUOTA_EXCEEDED c"ZOOWARDEN_QUOTA_EXCEEDED",
    ThrottledOp ZOOWARDEN_THROTTLED_OP c"ZOOWARDEN_THROTTLED_OP",
}

/// How a call went: ZooKeeper's own numbers. The library itself answers BAD_ARGUMENTS for what can
/// be seen to be wrong without a server, CLOSING for a handle that was closed, INVALID_STATE for
/// what is not possible now (in the child of a fork too), THROTTLED_OP when one of its limits is
/// reached, OPERATION_TIMEOUT when `timeout_ms` has passed, and RUNTIME_INCONSISTENCY for a fault
/// of its own.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum zoowarden_code {
    /// It was done.
    ZOOWARDEN_OK = 0,
    /// The server cannot carry this out now (its disk is full), or answered a number that is no
    /// code; the text tells.
    ZOOWARDEN_SYSTEM_ERROR = -1,
    /// An operation of a transaction that was not evaluated because an earlier one failed; or a
    /// fault inside this library.
    ZOOWARDEN_RUNTIME_INCONSISTENCY = -2,
    /// The server found its data inconsistent.
    ZOOWARDEN_DATA_INCONSISTENCY = -3,
    /// The connection was lost while the request was on its way: whether a write was carried out is
    /// unknown, unless zoowarden_error_nothing_changed() says that it was not.
    ZOOWARDEN_CONNECTION_LOSS = -4,
    /// The request or the answer does not decode.
    ZOOWARDEN_MARSHALLING_ERROR = -5,
    /// The server does not know the operation, or it is switched off.
    ZOOWARDEN_UNIMPLEMENTED = -6,
    /// No answer within the time given: whether a write was carried out is unknown.
    ZOOWARDEN_OPERATION_TIMEOUT = -7,
    /// A handle, pointer, path, flag or number is not allowed.
    ZOOWARDEN_BAD_ARGUMENTS = -8,
    /// Not possible in this state.
    ZOOWARDEN_INVALID_STATE = -9,
    /// The session is not known.
    ZOOWARDEN_UNKNOWN_SESSION = -12,
    /// A new configuration would leave no quorum in contact.
    ZOOWARDEN_NEW_CONFIG_NO_QUORUM = -13,
    /// Another reconfiguration is under way.
    ZOOWARDEN_RECONFIG_IN_PROGRESS = -14,
    /// The znode, or the parent of the one to create, does not exist.
    ZOOWARDEN_NO_NODE = -101,
    /// The ACL denies it.
    ZOOWARDEN_NO_AUTH = -102,
    /// The expected version is not the current one.
    ZOOWARDEN_BAD_VERSION = -103,
    /// The parent is ephemeral.
    ZOOWARDEN_NO_CHILDREN_FOR_EPHEMERALS = -108,
    /// The znode exists.
    ZOOWARDEN_NODE_EXISTS = -110,
    /// The znode has children.
    ZOOWARDEN_NOT_EMPTY = -111,
    /// The session has expired; its ephemerals are gone.
    ZOOWARDEN_SESSION_EXPIRED = -112,
    /// A callback was not valid.
    ZOOWARDEN_INVALID_CALLBACK = -113,
    /// The ACL is empty, malformed or of an unknown scheme.
    ZOOWARDEN_INVALID_ACL = -114,
    /// Authentication failed.
    ZOOWARDEN_AUTH_FAILED = -115,
    /// The object of the handle was closed, or is being closed.
    ZOOWARDEN_CLOSING = -116,
    /// The session now belongs to another connection.
    ZOOWARDEN_SESSION_MOVED = -118,
    /// A write to a server that only reads.
    ZOOWARDEN_NOT_READ_ONLY = -119,
    /// An ephemeral znode on a session that only one server knows.
    ZOOWARDEN_EPHEMERAL_ON_LOCAL_SESSION = -120,
    /// There is no such watch, or it has ended.
    ZOOWARDEN_NO_WATCHER = -121,
    /// The request waited too long for its answer.
    ZOOWARDEN_REQUEST_TIMEOUT = -122,
    /// Reconfiguration is switched off.
    ZOOWARDEN_RECONFIG_DISABLED = -123,
    /// The server wants SASL before anything else.
    ZOOWARDEN_SESSION_CLOSED_REQUIRE_SASL_AUTH = -124,
    /// A hard quota would be exceeded.
    ZOOWARDEN_QUOTA_EXCEEDED = -125,
    /// Too much waits already, here or at the server; nothing was changed.
    ZOOWARDEN_THROTTLED_OP = -127,
}

/// The name of a code's constant: "ZOOWARDEN_NO_NODE"; "unknown code" for any other number. Static;
/// never freed.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_code_name(code: i32) -> *const c_char {
    zoowarden_code::name(code)
        .unwrap_or(c"unknown code")
        .as_ptr()
}

#[cfg(test)]
mod tests {
    use super::{Code, zoowarden_code};

    #[test]
    fn every_code_keeps_zookeepers_number_and_has_a_name() {
        for code in Code::ALL {
            let here = zoowarden_code::from(code);
            assert_eq!(here as i32, code.number(), "{code:?}");
            let name = zoowarden_code::name(here as i32).expect("a code has a name");
            assert_eq!(name.to_str(), Ok(format!("{here:?}").as_str()));
        }
        assert_eq!(zoowarden_code::name(-100), None);
    }
}
