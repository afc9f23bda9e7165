//! Requests that change znodes: create in its forms, delete, set, permissions, configuration.
//!
//! Each exists twice: with a completion (`zoo_a…`), and waiting. Safety, for all: texts are NULL or
//! end in NUL, data has the length that is told, results may be written or are NULL, and a
//! completion may be called on another thread with the data that is passed.

#![allow(clippy::missing_safety_doc, reason = "the module says it once for all")]
#![allow(clippy::too_many_arguments, reason = "the parameters are ZooKeeper's")]

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use zoowarden::proto::{Request, Text};

use crate::codes::{ZBADARGUMENTS, ZINVALIDSTATE};
use crate::deliver::{
    DataCompletion, StatCompletion, StringCompletion, StringStatCompletion, VoidCompletion, put,
    put_data, put_text, to_data, to_data_completion, to_path, to_stat, to_stat_completion,
    to_string_completion, to_string_stat_completion, to_void_completion,
};
use crate::handle::{Asking, Handle, find, guarded, zhandle_t};
use crate::paths;
use crate::records::{ACL_vector, Stat};
use crate::requests::{Creation, NO_TTL, Wanted, acl, data, is_sequential};

/// The handle and the path of a request, if both can be used.
pub(crate) unsafe fn accepted(
    zh: *mut zhandle_t,
    path: *const c_char,
    sequential: bool,
) -> Result<(Arc<Handle>, String), c_int> {
    let handle = find(zh)?;
    // SAFETY: the module's.
    let path = unsafe { paths::path_text(path, sequential) }.ok_or(ZBADARGUMENTS)?;
    if handle.is_unrecoverable() {
        return Err(ZINVALIDSTATE);
    }
    Ok((handle, path))
}

// --- create --------------------------------------------------------------------------------------

/// Makes a znode; tells its path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_acreate(
    zh: *mut zhandle_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    completion: StringCompletion,
    data: *const c_void,
) -> c_int {
    // SAFETY: the module's.
    unsafe {
        zoo_acreate_ttl(
            zh, path, value, value_len, acl, mode, NO_TTL, completion, data,
        )
    }
}

/// The same, with a time to live in milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_acreate_ttl(
    zh: *mut zhandle_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    ttl: i64,
    completion: StringCompletion,
    data: *const c_void,
) -> c_int {
    let creation = Creation {
        value,
        value_len,
        acl,
        mode,
        ttl,
    };
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, is_sequential(mode)) }?;
        let request = unsafe { creation.request(&path, Wanted::Path) }?;
        handle.ask(
            Request::Create(request),
            to_string_completion(completion, data),
        )
    })
}

/// Makes a znode; tells its path and its `Stat`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_acreate2(
    zh: *mut zhandle_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    completion: StringStatCompletion,
    data: *const c_void,
) -> c_int {
    // SAFETY: the module's.
    unsafe {
        zoo_acreate2_ttl(
            zh, path, value, value_len, acl, mode, NO_TTL, completion, data,
        )
    }
}

/// The same, with a time to live in milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_acreate2_ttl(
    zh: *mut zhandle_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    ttl: i64,
    completion: StringStatCompletion,
    data: *const c_void,
) -> c_int {
    let creation = Creation {
        value,
        value_len,
        acl,
        mode,
        ttl,
    };
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, is_sequential(mode)) }?;
        let request = unsafe { creation.request(&path, Wanted::PathAndStat) }?;
        handle.ask(
            Request::Create(request),
            to_string_stat_completion(completion, data),
        )
    })
}

/// Makes a znode and waits; the path that was made goes to the buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_create(
    zh: *mut zhandle_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    path_buffer: *mut c_char,
    path_buffer_len: c_int,
) -> c_int {
    let (buffer, len) = (path_buffer, path_buffer_len);
    // SAFETY: the module's.
    unsafe { zoo_create_ttl(zh, path, value, value_len, acl, mode, NO_TTL, buffer, len) }
}

/// The same, with a time to live in milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_create_ttl(
    zh: *mut zhandle_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    ttl: i64,
    path_buffer: *mut c_char,
    path_buffer_len: c_int,
) -> c_int {
    let creation = Creation {
        value,
        value_len,
        acl,
        mode,
        ttl,
    };
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, is_sequential(mode)) }?;
        let request = unsafe { creation.request(&path, Wanted::Path) }?;
        let (made, _) = to_path(handle.wait(Request::Create(request))?)?;
        unsafe { put_text(&made, path_buffer, path_buffer_len) };
        Ok(())
    })
}

/// Makes a znode and waits; its `Stat` is told as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_create2(
    zh: *mut zhandle_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    path_buffer: *mut c_char,
    path_buffer_len: c_int,
    stat: *mut Stat,
) -> c_int {
    let (buffer, len) = (path_buffer, path_buffer_len);
    // SAFETY: the module's.
    unsafe {
        zoo_create2_ttl(
            zh, path, value, value_len, acl, mode, NO_TTL, buffer, len, stat,
        )
    }
}

/// The same, with a time to live in milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_create2_ttl(
    zh: *mut zhandle_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    ttl: i64,
    path_buffer: *mut c_char,
    path_buffer_len: c_int,
    stat: *mut Stat,
) -> c_int {
    let creation = Creation {
        value,
        value_len,
        acl,
        mode,
        ttl,
    };
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, is_sequential(mode)) }?;
        let request = unsafe { creation.request(&path, Wanted::PathAndStat) }?;
        let (made, found) = to_path(handle.wait(Request::Create(request))?)?;
        unsafe { put_text(&made, path_buffer, path_buffer_len) };
        if let Some(found) = found {
            unsafe { put(stat, found) };
        }
        Ok(())
    })
}

// --- delete and set ------------------------------------------------------------------------------

fn delete(path: &str, version: c_int) -> Request<'_> {
    Request::Delete {
        path: Text::Borrowed(path),
        version,
    }
}

/// Deletes a znode of a version, -1 for any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_adelete(
    zh: *mut zhandle_t,
    path: *const c_char,
    version: c_int,
    completion: VoidCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        handle.ask(delete(&path, version), to_void_completion(completion, data))
    })
}

/// The same, and waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_delete(
    zh: *mut zhandle_t,
    path: *const c_char,
    version: c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        handle.wait(delete(&path, version)).map(drop)
    })
}

unsafe fn set<'a>(
    path: &'a str,
    buffer: *const c_char,
    len: c_int,
    version: c_int,
) -> Result<Request<'a>, c_int> {
    // SAFETY: the module's.
    let data = unsafe { data(buffer, len) }?;
    Ok(Request::SetData {
        path: Text::Borrowed(path),
        data,
        version,
    })
}

/// Sets the data of a znode of a version, -1 for any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aset(
    zh: *mut zhandle_t,
    path: *const c_char,
    buffer: *const c_char,
    buffer_len: c_int,
    version: c_int,
    completion: StatCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        let request = unsafe { set(&path, buffer, buffer_len, version) }?;
        handle.ask(request, to_stat_completion(completion, data))
    })
}

/// The same, and waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_set(
    zh: *mut zhandle_t,
    path: *const c_char,
    buffer: *const c_char,
    buffer_len: c_int,
    version: c_int,
) -> c_int {
    // SAFETY: the module's.
    unsafe { zoo_set2(zh, path, buffer, buffer_len, version, std::ptr::null_mut()) }
}

/// The same, and tells the new `Stat`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_set2(
    zh: *mut zhandle_t,
    path: *const c_char,
    buffer: *const c_char,
    buffer_len: c_int,
    version: c_int,
    stat: *mut Stat,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        let request = unsafe { set(&path, buffer, buffer_len, version) }?;
        let found = to_stat(handle.wait(request)?)?;
        unsafe { put(stat, found) };
        Ok(())
    })
}

// --- permissions ---------------------------------------------------------------------------------

unsafe fn set_acl(path: &str, version: c_int, list: *const ACL_vector) -> Request<'_> {
    Request::SetAcl {
        path: Text::Borrowed(path),
        // SAFETY: the module's.
        acl: Some(unsafe { acl(list) }.unwrap_or_default()),
        version,
    }
}

/// Sets the permissions of a znode whose permissions have a version, -1 for any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aset_acl(
    zh: *mut zhandle_t,
    path: *const c_char,
    version: c_int,
    acl: *mut ACL_vector,
    completion: VoidCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        let request = unsafe { set_acl(&path, version, acl) };
        handle.ask(request, to_void_completion(completion, data))
    })
}

/// The same, and waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_set_acl(
    zh: *mut zhandle_t,
    path: *const c_char,
    version: c_int,
    acl: *const ACL_vector,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        handle
            .wait(unsafe { set_acl(&path, version, acl) })
            .map(drop)
    })
}

// --- the ensemble's configuration ----------------------------------------------------------------

unsafe fn reconfig<'a>(
    zh: *mut zhandle_t,
    texts: [*const c_char; 3],
    config: i64,
) -> Result<(Arc<Handle>, Asking<'a>), c_int> {
    let handle = find(zh)?;
    if handle.is_unrecoverable() {
        return Err(ZINVALIDSTATE);
    }
    // SAFETY: the module's.
    let [joining, leaving, members] =
        texts.map(|text| unsafe { paths::text(text) }.map(Text::Owned));
    Ok((
        handle,
        Asking::from(Request::Reconfig {
            joining,
            leaving,
            members,
            config,
        }),
    ))
}

/// Changes the members of the ensemble; tells the new configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_areconfig(
    zh: *mut zhandle_t,
    joining: *const c_char,
    leaving: *const c_char,
    members: *const c_char,
    version: i64,
    completion: DataCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, asking) = unsafe { reconfig(zh, [joining, leaving, members], version) }?;
        handle.ask(asking, to_data_completion(completion, data))
    })
}

/// The same, and waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_reconfig(
    zh: *mut zhandle_t,
    joining: *const c_char,
    leaving: *const c_char,
    members: *const c_char,
    version: i64,
    buffer: *mut c_char,
    buffer_len: *mut c_int,
    stat: *mut Stat,
) -> c_int {
    guarded(|| {
        if buffer_len.is_null() {
            return Err(ZBADARGUMENTS);
        }
        // SAFETY: the module's.
        let (handle, asking) = unsafe { reconfig(zh, [joining, leaving, members], version) }?;
        let (data, found) = to_data(handle.wait(asking)?)?;
        unsafe {
            put_data(data.as_ref(), buffer, buffer_len);
            put(stat, found);
        }
        Ok(())
    })
}
