//! Requests that read, and may leave a watch: exists, get, children, permissions, sync,
//! configuration.
//!
//! Each exists up to four times: with a completion (`zoo_a…`) or waiting, and with the handle's own
//! watcher or with a given one (`w`). Safety, for all: texts are NULL or end in NUL, results may be
//! written or are NULL, and completions and watchers may be called on another thread with what is
//! passed for them.

#![allow(clippy::missing_safety_doc, reason = "the module says it once for all")]
#![allow(clippy::too_many_arguments, reason = "the parameters are ZooKeeper's")]

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use zoowarden::proto::{OpCode, Request, Text};

use crate::codes::{ZBADARGUMENTS, ZINVALIDSTATE};
use crate::deliver::{
    AclCompletion, DataCompletion, StatCompletion, StringCompletion, StringsCompletion,
    StringsStatCompletion, acl_from_malloc, put, put_data, strings_from_malloc, to_acl,
    to_acl_completion, to_data, to_data_completion, to_names, to_stat, to_stat_completion,
    to_string_completion, to_strings_completion, to_strings_stat_completion,
};
use crate::handle::{Asking, Handle, Watch, find, guarded, zhandle_t};
use crate::records::{ACL_vector, Stat, String_vector};
use crate::requests;
use crate::watches::{List, Watcher, WatcherFn};
use crate::znodes::accepted;

/// Which watcher a request leaves.
#[derive(Clone, Copy)]
enum By {
    /// The handle's own, if the flag is not 0.
    Flag(c_int),
    /// This one, if there is one.
    Given(WatcherFn, *mut c_void),
}

impl By {
    fn watcher(self, handle: &Handle) -> Option<Watcher> {
        match self {
            By::Flag(0) => None,
            By::Flag(_) => {
                let own = handle.own();
                Watcher::given(own.function, own.context)
            }
            By::Given(function, context) => Watcher::given(function, context),
        }
    }
}

/// Where the configuration of the ensemble is; a chroot does not apply.
const CONFIG: &str = "/zookeeper/config";

/// Runs `go` with the handle and the request that reads a path.
unsafe fn reading(
    op: OpCode,
    zh: *mut zhandle_t,
    path: *const c_char,
    by: By,
    go: impl FnOnce(Arc<Handle>, Asking<'_>) -> Result<(), c_int>,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        let asking = asking(op, &path, by.watcher(&handle));
        go(handle, asking)
    })
}

fn reading_config(
    zh: *mut zhandle_t,
    by: By,
    go: impl FnOnce(Arc<Handle>, Asking<'_>) -> Result<(), c_int>,
) -> c_int {
    guarded(|| {
        let handle = find(zh)?;
        if handle.is_unrecoverable() {
            return Err(ZINVALIDSTATE);
        }
        let asking = asking(OpCode::GetData, CONFIG, by.watcher(&handle));
        go(handle, asking.of_the_whole_tree())
    })
}

fn asking(op: OpCode, path: &str, watcher: Option<Watcher>) -> Asking<'_> {
    let list = match op {
        OpCode::Exists => List::Exist,
        OpCode::GetChildren | OpCode::GetChildren2 => List::Child,
        _ => List::Data,
    };
    let watch = watcher.map(|watcher| Watch {
        list,
        path: path.to_owned(),
        watcher,
    });
    Asking::watching(requests::read(op, path, watch.is_some()), watch)
}

// --- exists --------------------------------------------------------------------------------------

/// Whether a znode is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aexists(
    zh: *mut zhandle_t,
    path: *const c_char,
    watch: c_int,
    completion: StatCompletion,
    data: *const c_void,
) -> c_int {
    let tell = to_stat_completion(completion, data);
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::Exists, zh, path, By::Flag(watch), |handle, ask| {
            handle.ask(ask, tell)
        })
    }
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_awexists(
    zh: *mut zhandle_t,
    path: *const c_char,
    watcher: WatcherFn,
    context: *mut c_void,
    completion: StatCompletion,
    data: *const c_void,
) -> c_int {
    let by = By::Given(watcher, context);
    let tell = to_stat_completion(completion, data);
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::Exists, zh, path, by, |handle, ask| {
            handle.ask(ask, tell)
        })
    }
}

unsafe fn exists(zh: *mut zhandle_t, path: *const c_char, by: By, stat: *mut Stat) -> c_int {
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::Exists, zh, path, by, |handle, asking| {
            put(stat, to_stat(handle.wait(asking)?)?);
            Ok(())
        })
    }
}

/// Whether a znode is there; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_exists(
    zh: *mut zhandle_t,
    path: *const c_char,
    watch: c_int,
    stat: *mut Stat,
) -> c_int {
    // SAFETY: the module's.
    unsafe { exists(zh, path, By::Flag(watch), stat) }
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_wexists(
    zh: *mut zhandle_t,
    path: *const c_char,
    watcher: WatcherFn,
    context: *mut c_void,
    stat: *mut Stat,
) -> c_int {
    // SAFETY: the module's.
    unsafe { exists(zh, path, By::Given(watcher, context), stat) }
}

// --- get -----------------------------------------------------------------------------------------

/// The data of a znode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aget(
    zh: *mut zhandle_t,
    path: *const c_char,
    watch: c_int,
    completion: DataCompletion,
    data: *const c_void,
) -> c_int {
    let tell = to_data_completion(completion, data);
    let by = By::Flag(watch);
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::GetData, zh, path, by, |handle, ask| {
            handle.ask(ask, tell)
        })
    }
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_awget(
    zh: *mut zhandle_t,
    path: *const c_char,
    watcher: WatcherFn,
    context: *mut c_void,
    completion: DataCompletion,
    data: *const c_void,
) -> c_int {
    let by = By::Given(watcher, context);
    let tell = to_data_completion(completion, data);
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::GetData, zh, path, by, |handle, ask| {
            handle.ask(ask, tell)
        })
    }
}

/// Waits for data, and fills it in.
unsafe fn fill(
    handle: &Arc<Handle>,
    asking: Asking<'_>,
    buffer: *mut c_char,
    buffer_len: *mut c_int,
    stat: *mut Stat,
) -> Result<(), c_int> {
    if buffer_len.is_null() {
        return Err(ZBADARGUMENTS);
    }
    let (data, found) = to_data(handle.wait(asking)?)?;
    // SAFETY: the module's.
    unsafe {
        put_data(data.as_ref(), buffer, buffer_len);
        put(stat, found);
    }
    Ok(())
}

/// The data of a znode; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_get(
    zh: *mut zhandle_t,
    path: *const c_char,
    watch: c_int,
    buffer: *mut c_char,
    buffer_len: *mut c_int,
    stat: *mut Stat,
) -> c_int {
    // SAFETY: the module's.
    unsafe {
        reading(
            OpCode::GetData,
            zh,
            path,
            By::Flag(watch),
            |handle, asking| fill(&handle, asking, buffer, buffer_len, stat),
        )
    }
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_wget(
    zh: *mut zhandle_t,
    path: *const c_char,
    watcher: WatcherFn,
    context: *mut c_void,
    buffer: *mut c_char,
    buffer_len: *mut c_int,
    stat: *mut Stat,
) -> c_int {
    // SAFETY: the module's.
    unsafe {
        reading(
            OpCode::GetData,
            zh,
            path,
            By::Given(watcher, context),
            |handle, asking| fill(&handle, asking, buffer, buffer_len, stat),
        )
    }
}

// --- configuration -------------------------------------------------------------------------------

/// The configuration of the ensemble.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_agetconfig(
    zh: *mut zhandle_t,
    watch: c_int,
    completion: DataCompletion,
    data: *const c_void,
) -> c_int {
    let tell = to_data_completion(completion, data);
    reading_config(zh, By::Flag(watch), |handle, asking| {
        handle.ask(asking, tell)
    })
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_awgetconfig(
    zh: *mut zhandle_t,
    watcher: WatcherFn,
    context: *mut c_void,
    completion: DataCompletion,
    data: *const c_void,
) -> c_int {
    let tell = to_data_completion(completion, data);
    reading_config(zh, By::Given(watcher, context), |handle, asking| {
        handle.ask(asking, tell)
    })
}

/// The configuration of the ensemble; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_getconfig(
    zh: *mut zhandle_t,
    watch: c_int,
    buffer: *mut c_char,
    buffer_len: *mut c_int,
    stat: *mut Stat,
) -> c_int {
    reading_config(zh, By::Flag(watch), |handle, asking| {
        // SAFETY: the module's.
        unsafe { fill(&handle, asking, buffer, buffer_len, stat) }
    })
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_wgetconfig(
    zh: *mut zhandle_t,
    watcher: WatcherFn,
    context: *mut c_void,
    buffer: *mut c_char,
    buffer_len: *mut c_int,
    stat: *mut Stat,
) -> c_int {
    reading_config(zh, By::Given(watcher, context), |handle, asking| {
        // SAFETY: the module's.
        unsafe { fill(&handle, asking, buffer, buffer_len, stat) }
    })
}

// --- children ------------------------------------------------------------------------------------

/// The names of the children of a znode, in no order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aget_children(
    zh: *mut zhandle_t,
    path: *const c_char,
    watch: c_int,
    completion: StringsCompletion,
    data: *const c_void,
) -> c_int {
    let tell = to_strings_completion(completion, data);
    let by = By::Flag(watch);
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::GetChildren, zh, path, by, |handle, ask| {
            handle.ask(ask, tell)
        })
    }
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_awget_children(
    zh: *mut zhandle_t,
    path: *const c_char,
    watcher: WatcherFn,
    context: *mut c_void,
    completion: StringsCompletion,
    data: *const c_void,
) -> c_int {
    let by = By::Given(watcher, context);
    let tell = to_strings_completion(completion, data);
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::GetChildren, zh, path, by, |handle, ask| {
            handle.ask(ask, tell)
        })
    }
}

/// The names of the children of a znode, and its `Stat`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aget_children2(
    zh: *mut zhandle_t,
    path: *const c_char,
    watch: c_int,
    completion: StringsStatCompletion,
    data: *const c_void,
) -> c_int {
    let tell = to_strings_stat_completion(completion, data);
    let by = By::Flag(watch);
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::GetChildren2, zh, path, by, |handle, ask| {
            handle.ask(ask, tell)
        })
    }
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_awget_children2(
    zh: *mut zhandle_t,
    path: *const c_char,
    watcher: WatcherFn,
    context: *mut c_void,
    completion: StringsStatCompletion,
    data: *const c_void,
) -> c_int {
    let by = By::Given(watcher, context);
    let tell = to_strings_stat_completion(completion, data);
    // SAFETY: the module's.
    unsafe {
        reading(OpCode::GetChildren2, zh, path, by, |handle, ask| {
            handle.ask(ask, tell)
        })
    }
}

unsafe fn children(
    op: OpCode,
    zh: *mut zhandle_t,
    path: *const c_char,
    by: By,
    strings: *mut String_vector,
    stat: *mut Stat,
) -> c_int {
    // SAFETY: the module's.
    unsafe {
        reading(op, zh, path, by, |handle, asking| {
            let (names, found) = to_names(handle.wait(asking)?)?;
            // Nobody could free what nobody took.
            if !strings.is_null() {
                strings.write(strings_from_malloc(&names));
            }
            if let Some(found) = found {
                put(stat, found);
            }
            Ok(())
        })
    }
}

/// The names of the children of a znode; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_get_children(
    zh: *mut zhandle_t,
    path: *const c_char,
    watch: c_int,
    strings: *mut String_vector,
) -> c_int {
    let no_stat = std::ptr::null_mut();
    // SAFETY: the module's.
    unsafe {
        children(
            OpCode::GetChildren,
            zh,
            path,
            By::Flag(watch),
            strings,
            no_stat,
        )
    }
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_wget_children(
    zh: *mut zhandle_t,
    path: *const c_char,
    watcher: WatcherFn,
    context: *mut c_void,
    strings: *mut String_vector,
) -> c_int {
    let by = By::Given(watcher, context);
    let no_stat = std::ptr::null_mut();
    // SAFETY: the module's.
    unsafe { children(OpCode::GetChildren, zh, path, by, strings, no_stat) }
}

/// The names of the children of a znode, and its `Stat`; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_get_children2(
    zh: *mut zhandle_t,
    path: *const c_char,
    watch: c_int,
    strings: *mut String_vector,
    stat: *mut Stat,
) -> c_int {
    // SAFETY: the module's.
    unsafe {
        children(
            OpCode::GetChildren2,
            zh,
            path,
            By::Flag(watch),
            strings,
            stat,
        )
    }
}

/// The same, with a given watcher.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_wget_children2(
    zh: *mut zhandle_t,
    path: *const c_char,
    watcher: WatcherFn,
    context: *mut c_void,
    strings: *mut String_vector,
    stat: *mut Stat,
) -> c_int {
    let by = By::Given(watcher, context);
    // SAFETY: the module's.
    unsafe { children(OpCode::GetChildren2, zh, path, by, strings, stat) }
}

// --- permissions and sync ------------------------------------------------------------------------

fn get_acl(path: &str) -> Request<'_> {
    Request::GetAcl {
        path: Text::Borrowed(path),
    }
}

/// The permissions of a znode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_aget_acl(
    zh: *mut zhandle_t,
    path: *const c_char,
    completion: AclCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        handle.ask(get_acl(&path), to_acl_completion(completion, data))
    })
}

/// The permissions of a znode; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_get_acl(
    zh: *mut zhandle_t,
    path: *const c_char,
    acl: *mut ACL_vector,
    stat: *mut Stat,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        let (list, found) = to_acl(handle.wait(get_acl(&path))?)?;
        // SAFETY: the module's. Nobody could free what nobody took.
        unsafe {
            if !acl.is_null() {
                acl.write(acl_from_malloc(&list));
            }
            put(stat, found);
        }
        Ok(())
    })
}

/// Completes when the server has caught up with all that was committed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_async(
    zh: *mut zhandle_t,
    path: *const c_char,
    completion: StringCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, path) = unsafe { accepted(zh, path, false) }?;
        let request = Request::Sync {
            path: Text::Borrowed(&path),
        };
        handle.ask(request, to_string_completion(completion, data))
    })
}
