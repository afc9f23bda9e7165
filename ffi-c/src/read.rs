//! Reads, each in both forms.
//!
//! A read that sees everything that was acknowledged before it began: `zoowarden_sync_async`
//! without a completion, then the read. Both travel together.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use zoowarden::client::Request;
use zoowarden::proto::ReadOp;

use crate::answer::zoowarden_answer;
use crate::call::{client, zoowarden_completion};
use crate::client::{Open, zoowarden_client};
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard};
use crate::input::{elements, empty, text, text_or_null};
use crate::watch::{Watch, zoowarden_watcher};

/// One read of zoowarden_multi_read().
#[allow(non_camel_case_types, reason = "the name is C's")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_read {
    /// The znode.
    pub path: *const c_char,
    /// Its children's names if true, else its data.
    pub children: bool,
}

type Parts = (Arc<Open>, Option<Arc<Watch>>);

/// The client, and the one-shot watch that comes with the read.
///
/// # Safety
/// `watcher` is null or points to one.
unsafe fn parts(
    handle: zoowarden_client,
    watcher: *const zoowarden_watcher,
) -> Result<Parts, Failure> {
    let open = client(handle)?;
    // SAFETY: as promised by the caller.
    let watch = unsafe { Watch::new(watcher, true, &open) }?;
    Ok((open, watch))
}

/// # Safety
/// `path` is null or a string that lives for `'a`.
unsafe fn path_of<'a>(path: *const c_char) -> Result<std::borrow::Cow<'a, str>, Failure> {
    // SAFETY: as promised by the caller.
    Ok(unsafe { text(path, "path") }?.into())
}

/// # Safety
/// `reads` has `count` elements whose paths are null or strings; all live for `'a`.
unsafe fn multi_read<'a>(
    reads: *const zoowarden_read,
    count: usize,
) -> Result<Request<'a>, Failure> {
    // SAFETY: as promised by the caller.
    let reads = unsafe { elements(reads, count, "reads") }?;
    let operation = |read: &zoowarden_read| {
        // SAFETY: as promised by the caller.
        let path = unsafe { path_of(read.path) }?;
        Ok(if read.children {
            ReadOp::GetChildren { path }
        } else {
            ReadOp::GetData { path }
        })
    };
    let operations: Result<Vec<_>, Failure> = reads.iter().map(operation).collect();
    Ok(Request::MultiRead(operations?))
}

/// The data of a znode: `data`, `data_length`, `stat`. With a watcher also a one-shot `watch` of its
/// data and deletion.
///
/// # Safety
/// `path` is a string, `watcher` is NULL or points to one; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get(
    client: zoowarden_client,
    path: *const c_char,
    watcher: *const zoowarden_watcher,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetData {
            path: unsafe { path_of(path) }?,
            watch: false,
        };
        // SAFETY: as promised by the caller.
        let (open, watch) = unsafe { parts(client, watcher) }?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, watch, timeout_ms, answer) }
    })
}

/// As zoowarden_get(), without waiting.
///
/// # Safety
/// `path` is a string, `watcher` is NULL or points to one; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_async(
    client: zoowarden_client,
    path: *const c_char,
    watcher: *const zoowarden_watcher,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetData {
            path: unsafe { path_of(path) }?,
            watch: false,
        };
        // SAFETY: as promised by the caller.
        let (open, watch) = unsafe { parts(client, watcher) }?;
        open.start(request, watch, completion, user)
    })
}

/// Whether a znode exists: its `stat`, or ZOOWARDEN_NO_NODE. With a watcher also a one-shot `watch` of
/// its creation, data and deletion, in both cases; so with ZOOWARDEN_NO_NODE there is an answer to
/// free, too.
///
/// # Safety
/// `path` is a string, `watcher` is NULL or points to one; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_exists(
    client: zoowarden_client,
    path: *const c_char,
    watcher: *const zoowarden_watcher,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::Exists {
            path: unsafe { path_of(path) }?,
            watch: false,
        };
        // SAFETY: as promised by the caller.
        let (open, watch) = unsafe { parts(client, watcher) }?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, watch, timeout_ms, answer) }
    })
}

/// As zoowarden_exists(), without waiting.
///
/// # Safety
/// `path` is a string, `watcher` is NULL or points to one; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_exists_async(
    client: zoowarden_client,
    path: *const c_char,
    watcher: *const zoowarden_watcher,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::Exists {
            path: unsafe { path_of(path) }?,
            watch: false,
        };
        // SAFETY: as promised by the caller.
        let (open, watch) = unsafe { parts(client, watcher) }?;
        open.start(request, watch, completion, user)
    })
}

/// The children of a znode: `names`, and its own `stat`. With a watcher also a one-shot `watch` of its
/// children and deletion.
///
/// # Safety
/// `path` is a string, `watcher` is NULL or points to one; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_children(
    client: zoowarden_client,
    path: *const c_char,
    watcher: *const zoowarden_watcher,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetChildren2 {
            path: unsafe { path_of(path) }?,
            watch: false,
        };
        // SAFETY: as promised by the caller.
        let (open, watch) = unsafe { parts(client, watcher) }?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, watch, timeout_ms, answer) }
    })
}

/// As zoowarden_get_children(), without waiting.
///
/// # Safety
/// `path` is a string, `watcher` is NULL or points to one; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_children_async(
    client: zoowarden_client,
    path: *const c_char,
    watcher: *const zoowarden_watcher,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetChildren2 {
            path: unsafe { path_of(path) }?,
            watch: false,
        };
        // SAFETY: as promised by the caller.
        let (open, watch) = unsafe { parts(client, watcher) }?;
        open.start(request, watch, completion, user)
    })
}

/// The access control list of a znode: `acl`, `stat`.
///
/// # Safety
/// `path` is a string; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_acl(
    client: zoowarden_client,
    path: *const c_char,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetAcl {
            path: unsafe { path_of(path) }?,
        };
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_get_acl(), without waiting.
///
/// # Safety
/// `path` is a string; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_acl_async(
    client: zoowarden_client,
    path: *const c_char,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetAcl {
            path: unsafe { path_of(path) }?,
        };
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// How many znodes are below a znode, at any depth: `count`.
///
/// # Safety
/// `path` is a string; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_all_children_number(
    client: zoowarden_client,
    path: *const c_char,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetAllChildrenNumber {
            path: unsafe { path_of(path) }?,
        };
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_get_all_children_number(), without waiting.
///
/// # Safety
/// `path` is a string; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_all_children_number_async(
    client: zoowarden_client,
    path: *const c_char,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetAllChildrenNumber {
            path: unsafe { path_of(path) }?,
        };
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// The paths of this session's ephemerals below `prefix` (NULL: all): `names`.
///
/// # Safety
/// `prefix` is NULL or a string; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_ephemerals(
    client: zoowarden_client,
    prefix: *const c_char,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetEphemerals {
            prefix: unsafe { text_or_null(prefix, "prefix") }?.map(Into::into),
        };
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_get_ephemerals(), without waiting.
///
/// # Safety
/// `prefix` is NULL or a string; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_ephemerals_async(
    client: zoowarden_client,
    prefix: *const c_char,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::GetEphemerals {
            prefix: unsafe { text_or_null(prefix, "prefix") }?.map(Into::into),
        };
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// Reads several znodes at one moment: `outcomes`, in the order of `reads`, each with its own code.
///
/// # Safety
/// `reads` has `reads_count` elements whose paths are strings; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_multi_read(
    client: zoowarden_client,
    reads: *const zoowarden_read,
    reads_count: usize,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = unsafe { multi_read(reads, reads_count) }?;
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_multi_read(), without waiting.
///
/// # Safety
/// `reads` has `reads_count` elements whose paths are strings; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_multi_read_async(
    client: zoowarden_client,
    reads: *const zoowarden_read,
    reads_count: usize,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = unsafe { multi_read(reads, reads_count) }?;
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}
