//! What C programs pass, as requests of the protocol.

use std::ffi::{c_char, c_int};

use zoowarden::proto::{Acl, Create, Id, OpCode, Request, Text};

use crate::codes::ZBADARGUMENTS;
use crate::paths;
use crate::records::ACL_vector;

/// What the caller passed as data. A negative length is null data.
///
/// # Safety
/// `bytes` is NULL or has `len` bytes, which live for as long as the result is used.
pub(crate) unsafe fn data<'a>(bytes: *const c_char, len: c_int) -> Result<Option<&'a [u8]>, c_int> {
    match usize::try_from(len) {
        Err(_) => Ok(None),
        Ok(0) => Ok(Some(&[])),
        Ok(_) if bytes.is_null() => Err(ZBADARGUMENTS),
        // SAFETY: the caller's promise.
        Ok(len) => Ok(Some(unsafe {
            std::slice::from_raw_parts(bytes.cast(), len)
        })),
    }
}

/// What the caller passed as a list of permissions; the server refuses NULL, as an empty list.
///
/// # Safety
/// `acl` is NULL, or as its type says, with texts that are NULL or end in NUL.
pub(crate) unsafe fn acl(acl: *const ACL_vector) -> Option<Vec<Acl>> {
    // SAFETY: the caller's promise.
    let vector = unsafe { acl.as_ref() }?;
    let count = usize::try_from(vector.count).unwrap_or(0);
    if vector.data.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let entries = unsafe { std::slice::from_raw_parts(vector.data, count) };
    let taken = entries.iter().map(|entry| {
        // SAFETY: the caller's promise.
        let (scheme, id) = unsafe { (paths::text(entry.id.scheme), paths::text(entry.id.id)) };
        Acl {
            perms: entry.perms,
            id: Id::new(&scheme.unwrap_or_default(), &id.unwrap_or_default()),
        }
    });
    Some(taken.collect())
}

/// Which answer a creation wants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Path,
    PathAndStat,
}

/// No time to live.
pub(crate) const NO_TTL: i64 = -1;

/// The operation that makes a znode of a mode; a time to live belongs to two modes and to no other.
pub(crate) fn create_op(mode: c_int, ttl: i64, wanted: Wanted) -> Result<OpCode, c_int> {
    match (mode, ttl) {
        (0..=3, NO_TTL) if wanted == Wanted::Path => Ok(OpCode::Create),
        (0..=3, NO_TTL) => Ok(OpCode::Create2),
        (4, NO_TTL) => Ok(OpCode::CreateContainer),
        (5 | 6, 1..) => Ok(OpCode::CreateTtl),
        _ => Err(ZBADARGUMENTS),
    }
}

/// Whether the server appends a number to the name.
pub(crate) fn is_sequential(mode: c_int) -> bool {
    matches!(mode, 2 | 3 | 6)
}

/// What the four functions that create pass.
pub(crate) struct Creation {
    pub(crate) value: *const c_char,
    pub(crate) value_len: c_int,
    pub(crate) acl: *const ACL_vector,
    pub(crate) mode: c_int,
    pub(crate) ttl: i64,
}

impl Creation {
    /// # Safety
    /// As for [`data`] and [`acl`].
    pub(crate) unsafe fn request<'a>(
        &self,
        path: &'a str,
        wanted: Wanted,
    ) -> Result<Create<'a>, c_int> {
        Ok(Create {
            op: create_op(self.mode, self.ttl, wanted)?,
            path: Text::Borrowed(path),
            // SAFETY: the caller's promise.
            data: unsafe { data(self.value, self.value_len) }?,
            // SAFETY: the caller's promise.
            acl: Some(unsafe { acl(self.acl) }.unwrap_or_default()),
            flags: self.mode,
            ttl: (self.ttl != NO_TTL).then_some(self.ttl),
        })
    }
}

/// exists, getData or getChildren of a path.
pub(crate) fn read(op: OpCode, path: &str, watch: bool) -> Request<'_> {
    let path = Text::Borrowed(path);
    match op {
        OpCode::Exists => Request::Exists { path, watch },
        OpCode::GetChildren => Request::GetChildren { path, watch },
        OpCode::GetChildren2 => Request::GetChildren2 { path, watch },
        _ => Request::GetData { path, watch },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_belongs_to_its_modes_and_to_no_other() {
        let op = |mode, ttl| create_op(mode, ttl, Wanted::Path);
        assert_eq!(op(0, NO_TTL), Ok(OpCode::Create));
        assert_eq!(
            create_op(3, NO_TTL, Wanted::PathAndStat),
            Ok(OpCode::Create2)
        );
        assert_eq!(op(4, NO_TTL), Ok(OpCode::CreateContainer));
        assert_eq!(
            (op(5, 1), op(6, 1)),
            (Ok(OpCode::CreateTtl), Ok(OpCode::CreateTtl))
        );
        for (mode, ttl) in [
            (5, NO_TTL),
            (5, 0),
            (6, -5),
            (0, 10),
            (4, 10),
            (7, NO_TTL),
            (-1, NO_TTL),
        ] {
            assert_eq!(op(mode, ttl), Err(ZBADARGUMENTS), "{mode} {ttl}");
        }
    }
}
