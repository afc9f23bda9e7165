//! ZooKeeper's codes by the names that JavaScript knows.

use napi_derive::napi;
use zoowarden::client::Code;

/// The name of a code. Exhaustive, so that a new code does not compile before it has one.
fn name(code: Code) -> &'static str {
    match code {
        Code::SystemError => "SYSTEM_ERROR",
        Code::RuntimeInconsistency => "RUNTIME_INCONSISTENCY",
        Code::DataInconsistency => "DATA_INCONSISTENCY",
        Code::ConnectionLoss => "CONNECTION_LOSS",
        Code::MarshallingError => "MARSHALLING_ERROR",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::OperationTimeout => "OPERATION_TIMEOUT",
        Code::BadArguments => "BAD_ARGUMENTS",
        Code::InvalidState => "INVALID_STATE",
        Code::UnknownSession => "UNKNOWN_SESSION",
        Code::NewConfigNoQuorum => "NEW_CONFIG_NO_QUORUM",
        Code::ReconfigInProgress => "RECONFIG_IN_PROGRESS",
        Code::NoNode => "NO_NODE",
        Code::NoAuth => "NO_AUTH",
        Code::BadVersion => "BAD_VERSION",
        Code::NoChildrenForEphemerals => "NO_CHILDREN_FOR_EPHEMERALS",
        Code::NodeExists => "NODE_EXISTS",
        Code::NotEmpty => "NOT_EMPTY",
        Code::SessionExpired => "SESSION_EXPIRED",
        Code::InvalidCallback => "INVALID_CALLBACK",
        Code::InvalidAcl => "INVALID_ACL",
        Code::AuthFailed => "AUTH_FAILED",
        Code::Closing => "CLOSING",
        Code::SessionMoved => "SESSION_MOVED",
        Code::NotReadOnly => "NOT_READ_ONLY",
        Code::EphemeralOnLocalSession => "EPHEMERAL_ON_LOCAL_SESSION",
        Code::NoWatcher => "NO_WATCHER",
        Code::RequestTimeout => "REQUEST_TIMEOUT",
        Code::ReconfigDisabled => "RECONFIG_DISABLED",
        Code::SessionClosedRequireSaslAuth => "SESSION_CLOSED_REQUIRE_SASL_AUTH",
        Code::QuotaExceeded => "QUOTA_EXCEEDED",
        Code::ThrottledOp => "THROTTLED_OP",
    }
}

/// A code of ZooKeeper.
#[napi(object, object_from_js = false)]
pub struct NativeCode {
    /// `"NO_NODE"`.
    pub name: &'static str,
    /// `-101`.
    pub errno: i32,
}

/// Every code there is; a test compares the list with that of `ts/error.ts`.
#[napi]
pub fn codes() -> Vec<NativeCode> {
    let list = Code::ALL.into_iter();
    list.map(|code| NativeCode {
        name: name(code),
        errno: code.number(),
    })
    .collect()
}
