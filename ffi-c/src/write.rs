//! Writes, each in both forms.

use std::ffi::{c_char, c_void};

use zoowarden::client::{Answer, Request};
use zoowarden::proto::{Create, OpCode};

use crate::answer::{zoowarden_acl, zoowarden_answer};
use crate::call::{client, zoowarden_completion};
use crate::client::zoowarden_client;
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard};
use crate::input::{acl, data, elements, empty, text};

/// `version` of a write: whatever the version is.
pub const ZOOWARDEN_ANY_VERSION: i32 = -1;

/// What kind of znode to create.
#[allow(non_camel_case_types, reason = "the name is C's")]
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum zoowarden_create_mode {
    /// Stays until it is deleted.
    ZOOWARDEN_PERSISTENT = 0,
    /// Is deleted with the session that created it.
    ZOOWARDEN_EPHEMERAL = 1,
    /// PERSISTENT, with ten digits behind its name that only grow.
    ZOOWARDEN_PERSISTENT_SEQUENTIAL = 2,
    /// EPHEMERAL, with ten digits behind its name that only grow.
    ZOOWARDEN_EPHEMERAL_SEQUENTIAL = 3,
    /// Is deleted some time after its last child.
    ZOOWARDEN_CONTAINER = 4,
    /// Is deleted `ttl_ms` after its last change, if it has no children.
    ZOOWARDEN_PERSISTENT_WITH_TTL = 5,
    /// PERSISTENT_WITH_TTL, with ten digits behind its name that only grow.
    ZOOWARDEN_PERSISTENT_SEQUENTIAL_WITH_TTL = 6,
}

/// How to create a znode. A struct of zeros, and NULL, stand for a persistent one open to everybody.
#[allow(non_camel_case_types, reason = "the name is C's")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_create_options {
    /// One of zoowarden_create_mode.
    pub mode: i32,
    /// For the modes with a TTL only: milliseconds, more than 0.
    pub ttl_ms: i64,
    /// Who may do what with it; NULL for everybody everything.
    pub acl: *const zoowarden_acl,
    /// Number of `acl`.
    pub acl_count: usize,
}

/// The create request of an operation, alone or in a transaction.
///
/// # Safety
/// `path` is null or a string, `bytes` has `length` bytes, `options` is null or points to one whose
/// ACL has as many entries as it says, with strings; all live for `'a`.
pub(crate) unsafe fn create<'a>(
    path: *const c_char,
    bytes: *const c_void,
    length: usize,
    options: *const zoowarden_create_options,
) -> Result<Create<'a>, Failure> {
    // SAFETY: as promised by the caller.
    let given = unsafe { elements(options, usize::from(!options.is_null()), "options") }?;
    let (mode, ttl_ms, entries, count) = match given.first() {
        Some(options) => (options.mode, options.ttl_ms, options.acl, options.acl_count),
        None => (0, 0, std::ptr::null(), 0),
    };
    let (op, ttl) = match mode {
        0..=3 => (OpCode::Create2, None),
        4 => (OpCode::CreateContainer, None),
        5 | 6 => (OpCode::CreateTtl, Some(ttl_ms)),
        other => {
            let text = format!("{other} is none of zoowarden_create_mode");
            return Err(Failure::bad_arguments(text));
        }
    };
    if ttl.is_none() && ttl_ms != 0 {
        return Err(Failure::bad_arguments(
            "a TTL is given, and the mode has none",
        ));
    }
    // SAFETY: as promised by the caller.
    let (path, data, acl) = unsafe {
        (
            text(path, "path")?,
            data(bytes, length)?,
            acl(entries, count)?,
        )
    };
    Ok(Create {
        op,
        path: path.into(),
        data,
        acl: Some(acl),
        flags: mode,
        ttl,
    })
}

/// # Safety
/// `path` is null or a string that lives for `'a`.
unsafe fn path_of<'a>(path: *const c_char) -> Result<std::borrow::Cow<'a, str>, Failure> {
    // SAFETY: as promised by the caller.
    Ok(unsafe { text(path, "path") }?.into())
}

/// Creates a znode: its `path` (with the digits of a sequential one) and `stat`. `data` NULL with length
/// 0 is null data. `options` may be NULL.
///
/// # Safety
/// `path` is a string, `data` has `data_length` bytes, `options` is NULL or points to one; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_create(
    client: zoowarden_client,
    path: *const c_char,
    data: *const c_void,
    data_length: usize,
    options: *const zoowarden_create_options,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::Create(unsafe { create(path, data, data_length, options) }?);
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_create(), without waiting.
///
/// # Safety
/// `path` is a string, `data` has `data_length` bytes, `options` is NULL or points to one; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_create_async(
    client: zoowarden_client,
    path: *const c_char,
    data: *const c_void,
    data_length: usize,
    options: *const zoowarden_create_options,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::Create(unsafe { create(path, data, data_length, options) }?);
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// Sets the data of a znode whose version is `version`, or ZOOWARDEN_ANY_VERSION: its `stat`.
///
/// # Safety
/// `path` is a string, `data` has `data_length` bytes; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_set(
    client: zoowarden_client,
    path: *const c_char,
    data: *const c_void,
    data_length: usize,
    version: i32,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = unsafe {
            Request::SetData {
                path: path_of(path)?,
                data: self::data(data, data_length)?,
                version,
            }
        };
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_set(), without waiting.
///
/// # Safety
/// `path` is a string, `data` has `data_length` bytes; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_set_async(
    client: zoowarden_client,
    path: *const c_char,
    data: *const c_void,
    data_length: usize,
    version: i32,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = unsafe {
            Request::SetData {
                path: path_of(path)?,
                data: self::data(data, data_length)?,
                version,
            }
        };
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// Deletes a znode without children whose version is `version`, or ZOOWARDEN_ANY_VERSION.
///
/// # Safety
/// `path` is a string; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_delete(
    client: zoowarden_client,
    path: *const c_char,
    version: i32,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::Delete {
            path: unsafe { path_of(path) }?,
            version,
        };
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_delete(), without waiting.
///
/// # Safety
/// `path` is a string; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_delete_async(
    client: zoowarden_client,
    path: *const c_char,
    version: i32,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::Delete {
            path: unsafe { path_of(path) }?,
            version,
        };
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// Sets the access control list of a znode whose `aversion` is `version`, or ZOOWARDEN_ANY_VERSION: its
/// `stat`. NULL with count 0 stands for everybody everything.
///
/// # Safety
/// `path` is a string, `acl` has `acl_count` entries with strings; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_set_acl(
    client: zoowarden_client,
    path: *const c_char,
    acl: *const zoowarden_acl,
    acl_count: usize,
    version: i32,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = unsafe {
            Request::SetAcl {
                path: path_of(path)?,
                acl: Some(self::acl(acl, acl_count)?),
                version,
            }
        };
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_set_acl(), without waiting.
///
/// # Safety
/// `path` is a string, `acl` has `acl_count` entries with strings; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_set_acl_async(
    client: zoowarden_client,
    path: *const c_char,
    acl: *const zoowarden_acl,
    acl_count: usize,
    version: i32,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = unsafe {
            Request::SetAcl {
                path: path_of(path)?,
                acl: Some(self::acl(acl, acl_count)?),
                version,
            }
        };
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// Creates a znode and all that are missing above it, persistent, empty, and open to everybody. Several
/// requests: it may be half done when it fails, and may be repeated.
///
/// # Safety
/// `path` is a string; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_ensure_path(
    client: zoowarden_client,
    path: *const c_char,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let path = unsafe { text(path, "path") }?.to_owned();
        let own = open.client.clone();
        let work = async move { own.ensure_path(&path).await.map(|()| Answer::Done) };
        // SAFETY: as promised by the caller.
        unsafe { open.wait_answer(work, timeout_ms, answer) }
    })
}

/// As zoowarden_ensure_path(), without waiting.
///
/// # Safety
/// `path` is a string; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_ensure_path_async(
    client: zoowarden_client,
    path: *const c_char,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let path = unsafe { text(path, "path") }?.to_owned();
        let own = open.client.clone();
        let work = async move { own.ensure_path(&path).await.map(|()| Answer::Done) };
        open.start_work(work, completion, user)
    })
}

/// Deletes a znode and everything below it. Several requests: it may be half done when it fails, and may
/// be repeated.
///
/// # Safety
/// `path` is a string; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_delete_recursive(
    client: zoowarden_client,
    path: *const c_char,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let path = unsafe { text(path, "path") }?.to_owned();
        let own = open.client.clone();
        let work = async move { own.delete_recursive(&path).await.map(|_| Answer::Done) };
        // SAFETY: as promised by the caller.
        unsafe { open.wait_answer(work, timeout_ms, answer) }
    })
}

/// As zoowarden_delete_recursive(), without waiting.
///
/// # Safety
/// `path` is a string; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_delete_recursive_async(
    client: zoowarden_client,
    path: *const c_char,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let path = unsafe { text(path, "path") }?.to_owned();
        let own = open.client.clone();
        let work = async move { own.delete_recursive(&path).await.map(|_| Answer::Done) };
        open.start_work(work, completion, user)
    })
}
