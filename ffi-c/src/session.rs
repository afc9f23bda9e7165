//! What concerns the session and the ensemble rather than one znode, and persistent watches.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use zoowarden::client::{AddWatchMode, Request, Root};

use crate::answer::zoowarden_answer;
use crate::call::{client, zoowarden_completion};
use crate::client::{Open, zoowarden_client};
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard};
use crate::input::{data, empty, text, text_or_null};
use crate::watch::{Watch, zoowarden_watch_mode, zoowarden_watcher};

/// # Safety
/// `path` is null or a string that lives for `'a`.
unsafe fn add_watch<'a>(path: *const c_char, mode: i32) -> Result<Request<'a>, Failure> {
    const PERSISTENT: i32 = zoowarden_watch_mode::ZOOWARDEN_WATCH_PERSISTENT as i32;
    const RECURSIVE: i32 = zoowarden_watch_mode::ZOOWARDEN_WATCH_PERSISTENT_RECURSIVE as i32;
    let mode = match mode {
        PERSISTENT => AddWatchMode::Persistent,
        RECURSIVE => AddWatchMode::PersistentRecursive,
        other => {
            let text = format!("{other} is none of zoowarden_watch_mode");
            return Err(Failure::bad_arguments(text));
        }
    };
    // SAFETY: as promised by the caller.
    let path = unsafe { text(path, "path") }?.into();
    Ok(Request::AddWatch { path, mode })
}

/// The client, and the watch that is the point of the call.
///
/// # Safety
/// `watcher` is null or points to one.
unsafe fn parts(
    handle: zoowarden_client,
    watcher: *const zoowarden_watcher,
) -> Result<(Arc<Open>, Option<Arc<Watch>>), Failure> {
    let open = client(handle)?;
    if watcher.is_null() {
        return Err(Failure::bad_arguments("watcher is NULL"));
    }
    // SAFETY: as promised by the caller.
    let watch = unsafe { Watch::new(watcher, false, &open) }?;
    Ok((open, watch))
}

/// Sets a watch that stays until zoowarden_watch_remove(), also over lost connections: `watch`. `mode` is
/// one of zoowarden_watch_mode; the znode need not exist.
///
/// # Safety
/// `path` is a string, `watcher` points to one; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_add_watch(
    client: zoowarden_client,
    path: *const c_char,
    mode: i32,
    watcher: *const zoowarden_watcher,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = unsafe { add_watch(path, mode) }?;
        // SAFETY: as promised by the caller.
        let (open, watch) = unsafe { parts(client, watcher) }?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, watch, timeout_ms, answer) }
    })
}

/// As zoowarden_add_watch(), without waiting.
///
/// # Safety
/// `path` is a string, `watcher` points to one; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_add_watch_async(
    client: zoowarden_client,
    path: *const c_char,
    mode: i32,
    watcher: *const zoowarden_watcher,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = unsafe { add_watch(path, mode) }?;
        // SAFETY: as promised by the caller.
        let (open, watch) = unsafe { parts(client, watcher) }?;
        open.start(request, watch, completion, user)
    })
}

/// Waits until the server has seen everything that was acknowledged to anybody before the call: what is
/// read behind it is not older. To do both in one round trip, call zoowarden_sync_async() with a NULL
/// completion and then read.
///
/// # Safety
/// `path` is a string; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_sync(
    client: zoowarden_client,
    path: *const c_char,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::Sync {
            path: unsafe { text(path, "path") }?.into(),
        };
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_sync(), without waiting.
///
/// # Safety
/// `path` is a string; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_sync_async(
    client: zoowarden_client,
    path: *const c_char,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let request = Request::Sync {
            path: unsafe { text(path, "path") }?.into(),
        };
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// Presents credentials, now and on every later connection: for scheme "digest", "user:password".
///
/// # Safety
/// `scheme` is a string, `credentials` has `credentials_length` bytes; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_add_auth(
    client: zoowarden_client,
    scheme: *const c_char,
    credentials: *const c_void,
    credentials_length: usize,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let (scheme, bytes) = unsafe {
            (
                text(scheme, "scheme")?,
                data(credentials, credentials_length)?,
            )
        };
        let request = Request::Auth {
            scheme: scheme.into(),
            auth: Some(bytes.unwrap_or_default()),
        };
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_add_auth(), without waiting.
///
/// # Safety
/// `scheme` is a string, `credentials` has `credentials_length` bytes; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_add_auth_async(
    client: zoowarden_client,
    scheme: *const c_char,
    credentials: *const c_void,
    credentials_length: usize,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let (scheme, bytes) = unsafe {
            (
                text(scheme, "scheme")?,
                data(credentials, credentials_length)?,
            )
        };
        let request = Request::Auth {
            scheme: scheme.into(),
            auth: Some(bytes.unwrap_or_default()),
        };
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// The identities that the server gives to this client: `acl`, with `perms` 0.
///
/// # Safety
/// `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_who_am_i(
    client: zoowarden_client,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        let request = Request::WhoAmI;
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request, None, timeout_ms, answer) }
    })
}

/// As zoowarden_who_am_i(), without waiting.
///
/// # Safety
/// `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_who_am_i_async(
    client: zoowarden_client,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let request = Request::WhoAmI;
        let open = self::client(client)?;
        open.start(request, None, completion, user)
    })
}

/// `/zookeeper/config` is at the root of the tree for every client.
fn config() -> Request<'static> {
    Request::GetData {
        path: "/zookeeper/config".into(),
        watch: false,
    }
}

/// The ensemble's configuration as text, whatever the chroot: `data`, `stat`. With a watcher also a
/// one-shot `watch` of it.
///
/// # Safety
/// `watcher` is NULL or points to one; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_config(
    client: zoowarden_client,
    watcher: *const zoowarden_watcher,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe {
            let watch = Watch::new(watcher, true, &open)?;
            open.wait_from(Root::Tree, config(), watch, timeout_ms, answer)
        }
    })
}

/// As zoowarden_get_config(), without waiting.
///
/// # Safety
/// `watcher` is NULL or points to one; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_get_config_async(
    client: zoowarden_client,
    watcher: *const zoowarden_watcher,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let watch = unsafe { Watch::new(watcher, true, &open) }?;
        open.start_from(Root::Tree, config(), watch, completion, user)
    })
}

/// # Safety
/// The strings are null or live for `'a`.
unsafe fn reconfig<'a>(
    joining: *const c_char,
    leaving: *const c_char,
    members: *const c_char,
    version: i64,
) -> Result<Request<'a>, Failure> {
    // SAFETY: as promised by the caller.
    unsafe {
        Ok(Request::Reconfig {
            joining: text_or_null(joining, "joining")?.map(Into::into),
            leaving: text_or_null(leaving, "leaving")?.map(Into::into),
            members: text_or_null(members, "members")?.map(Into::into),
            config: version,
        })
    }
}

/// Changes the ensemble: servers that join ("server.4=..."), ids that leave ("2,3"), or all `members` at
/// once; NULL for what is not meant. Only if the configuration has `version`, -1 for any. Gives the
/// new configuration: `data`, `stat`.
///
/// # Safety
/// The strings are NULL or strings; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_reconfig(
    client: zoowarden_client,
    joining: *const c_char,
    leaving: *const c_char,
    members: *const c_char,
    version: i64,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe {
            let request = reconfig(joining, leaving, members, version)?;
            open.wait(request, None, timeout_ms, answer)
        }
    })
}

/// As zoowarden_reconfig(), without waiting.
///
/// # Safety
/// The strings are NULL or strings; `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_reconfig_async(
    client: zoowarden_client,
    joining: *const c_char,
    leaving: *const c_char,
    members: *const c_char,
    version: i64,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let request = unsafe { reconfig(joining, leaving, members, version) }?;
        open.start(request, None, completion, user)
    })
}
