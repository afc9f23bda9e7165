//! The records of requests: one function each.

use super::record::Body;

/// Everything to everybody.
pub(crate) const OPEN: (i32, &str, &str) = (31, "world", "anyone");

/// The list that lets everybody do everything.
pub(crate) const OPEN_LIST: &[(i32, &str, &str)] = &[OPEN];

pub(crate) fn create(path: &str, data: Option<&[u8]>, flags: i32) -> Body {
    create_with(path, data, OPEN_LIST, flags)
}

pub(crate) fn create_with(
    path: &str,
    data: Option<&[u8]>,
    acl: &[(i32, &str, &str)],
    flags: i32,
) -> Body {
    Body::new().text(path).buffer(data).acl(acl).int(flags)
}

pub(crate) fn create_ttl(path: &str, flags: i32, ttl_ms: i64) -> Body {
    create(path, Some(b""), flags).long(ttl_ms)
}

/// delete and check.
pub(crate) fn versioned(path: &str, version: i32) -> Body {
    Body::new().text(path).int(version)
}

pub(crate) fn set_data(path: &str, data: Option<&[u8]>, version: i32) -> Body {
    Body::new().text(path).buffer(data).int(version)
}

pub(crate) fn set_acl(path: &str, acl: &[(i32, &str, &str)], version: i32) -> Body {
    Body::new().text(path).acl(acl).int(version)
}

/// exists, getData, getChildren and getChildren2.
pub(crate) fn read(path: &str, watch: bool) -> Body {
    Body::new().text(path).bool(watch)
}

/// sync, getACL, getEphemerals, getAllChildrenNumber.
pub(crate) fn path(path: &str) -> Body {
    Body::new().text(path)
}

/// addWatch, checkWatches and removeWatches.
pub(crate) fn watch(path: &str, mode_or_kind: i32) -> Body {
    Body::new().text(path).int(mode_or_kind)
}

pub(crate) fn auth(scheme: &str, auth: &[u8]) -> Body {
    Body::new().int(0).text(scheme).buffer(Some(auth))
}

pub(crate) fn set_watches(zxid: i64, data: &[&str], exist: &[&str], child: &[&str]) -> Body {
    Body::new().long(zxid).texts(data).texts(exist).texts(child)
}

/// multi and multiRead.
pub(crate) fn multi(ops: &[(i32, Body)]) -> Body {
    let body = ops.iter().fold(Body::new(), |body, (op, record)| {
        body.int(*op).bool(false).int(-1).raw(&record.0)
    });
    body.int(-1).bool(true).int(-1)
}
