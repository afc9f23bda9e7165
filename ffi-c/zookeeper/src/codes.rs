//! The numbers that functions return, and how they are told in words.

use std::ffi::{CStr, c_char, c_int};

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $(
            #[allow(dead_code, reason = "the table is whole; most codes pass through as numbers")]
            pub(crate) const $name: c_int = $number;
        )*

        fn text(code: c_int) -> Option<&'static CStr> {
            match code {
                $($number => Some($text),)*
                _ => None,
            }
        }
    };
}

// Programs print these and compare them, so they are as old as the interface.
codes! {
    ZOK = 0, c"ok";
    ZSYSTEMERROR = -1, c"system error";
    ZRUNTIMEINCONSISTENCY = -2, c"run time inconsistency";
    ZDATAINCONSISTENCY = -3, c"data inconsistency";
    ZCONNECTIONLOSS = -4, c"connection loss";
    ZMARSHALLINGERROR = -5, c"marshalling error";
    ZUNIMPLEMENTED = -6, c"unimplemented";
    ZOPERATIONTIMEOUT = -7, c"operation timeout";
    ZBADARGUMENTS = -8, c"bad arguments";
    ZINVALIDSTATE = -9, c"invalid zhandle state";
    ZNEWCONFIGNOQUORUM = -13, c"no quorum of new config is connected and up-to-date with the leader of last committed config - try invoking reconfiguration after new servers are connected and synced";
    ZRECONFIGINPROGRESS = -14, c"Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)";
    ZAPIERROR = -100, c"api error";
    ZNONODE = -101, c"no node";
    ZNOAUTH = -102, c"not authenticated";
    ZBADVERSION = -103, c"bad version";
    ZNOCHILDRENFOREPHEMERALS = -108, c"no children for ephemerals";
    ZNODEEXISTS = -110, c"node exists";
    ZNOTEMPTY = -111, c"not empty";
    ZSESSIONEXPIRED = -112, c"session expired";
    ZINVALIDCALLBACK = -113, c"invalid callback";
    ZINVALIDACL = -114, c"invalid acl";
    ZAUTHFAILED = -115, c"authentication failed";
    ZCLOSING = -116, c"zookeeper is closing";
    ZNOTHING = -117, c"(not error) no server responses to process";
    ZSESSIONMOVED = -118, c"session moved to another server, so operation is ignored";
    ZNOTREADONLY = -119, c"state-changing request is passed to read-only server";
    ZEPHEMERALONLOCALSESSION = -120, c"attempt to create ephemeral node on a local session";
    ZNOWATCHER = -121, c"the watcher couldn't be found";
    ZRECONFIGDISABLED = -123, c"attempts to perform a reconfiguration operation when reconfiguration feature is disable";
    ZSESSIONCLOSEDREQUIRESASLAUTH = -124, c"session closed by server because client is required to do SASL authentication";
    ZTHROTTLEDOP = -127, c"Operation was throttled due to high load";
}

/// A code in words. A positive number is an errno; what nobody knows is "unknown error". The text
/// is constant.
#[unsafe(no_mangle)]
pub extern "C" fn zerror(code: c_int) -> *const c_char {
    if code > 0 {
        // SAFETY: takes any number; the C library keeps the text.
        return unsafe { libc::strerror(code) };
    }
    text(code).unwrap_or(c"unknown error").as_ptr()
}
