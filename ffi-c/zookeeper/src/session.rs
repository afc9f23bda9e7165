//! Opening and closing a handle, and what can be asked about it.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use libc::{sockaddr, socklen_t, timeval};
use tokio::runtime::Builder;
use zoowarden::client::{Client, ClientConfig};
use zoowarden::proto::{Request, SessionId, Text};

use crate::codes::{ZBADARGUMENTS, ZINVALIDSTATE, ZOK, ZUNIMPLEMENTED};
use crate::deliver::{VoidCompletion, to_void_completion};
use crate::handle::{Handle, Opening, clientid_t, find, guarded, no_watcher, zhandle_t};
use crate::logging::{Level, LogCallback, say};
use crate::servers::{self, Errno, Servers};
use crate::watches::{Watcher, WatcherFn};
use crate::{address, paths, requests};

/// Flags of `zookeeper_init`.
const READ_ONLY: c_int = 1;
const NO_LOG_CLIENTENV: c_int = 2;

/// Set by `zoo_deterministic_conn_order`, for handles opened later.
static IN_ORDER: AtomicBool = AtomicBool::new(false);

/// Opens a handle; NULL with errno set if the arguments are of no use.
///
/// # Safety
/// `host` ends in NUL; `clientid` is NULL or points at one; `watcher` may be called from another
/// thread until the handle is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zookeeper_init(
    host: *const c_char,
    watcher: WatcherFn,
    recv_timeout: c_int,
    clientid: *const clientid_t,
    context: *mut c_void,
    flags: c_int,
) -> *mut zhandle_t {
    // SAFETY: the caller's promise.
    unsafe { zookeeper_init2(host, watcher, recv_timeout, clientid, context, flags, None) }
}

/// The same; what the handle says goes to `log_callback`.
///
/// # Safety
/// As for [`zookeeper_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zookeeper_init2(
    host: *const c_char,
    watcher: WatcherFn,
    recv_timeout: c_int,
    clientid: *const clientid_t,
    context: *mut c_void,
    flags: c_int,
    log_callback: LogCallback,
) -> *mut zhandle_t {
    let opened = std::panic::catch_unwind(|| {
        // SAFETY: the caller's promise.
        let (host, id) = unsafe { (paths::text(host), clientid.as_ref()) };
        let host = host.ok_or(libc::EINVAL)?;
        let hosts = servers::parse(&host).inspect_err(|_| {
            let text =
                format!("no usable server in {host:?}: host:port,host:port/chroot is needed");
            say(log_callback, Level::Error, line!(), "zookeeper_init", &text);
        })?;
        let opening = Opening {
            own: Watcher {
                function: watcher,
                context,
            },
            id: id.copied().unwrap_or(clientid_t {
                client_id: 0,
                passwd: [0; 16],
            }),
            timeout_ms: recv_timeout,
            servers: Servers::new(&hosts),
            log: log_callback,
        };
        let config = ClientConfig {
            read_only: flags & READ_ONLY != 0,
            shuffle: !IN_ORDER.load(Ordering::Relaxed),
            session_timeout_ms: u32::try_from(recv_timeout).unwrap_or(0),
            // What is too much is the server's to say, as with ZooKeeper's own library.
            request_bytes_max: usize::MAX,
            session: id
                .filter(|id| id.client_id != 0)
                .map(|id| (SessionId(id.client_id), id.passwd)),
            ..ClientConfig::new(hosts)
        };
        open(opening, config, &host, flags)
    });
    match opened {
        Ok(Ok(zh)) => zh,
        Ok(Err(errno)) => failed(errno),
        Err(_) => failed(libc::EINVAL),
    }
}

fn open(
    opening: Opening,
    mut config: ClientConfig,
    host: &str,
    flags: c_int,
) -> Result<*mut zhandle_t, Errno> {
    let log = opening.log;
    if flags & NO_LOG_CLIENTENV == 0 {
        let text = concat!(
            "Client environment:zookeeper.version=zoowarden ",
            env!("CARGO_PKG_VERSION")
        );
        say(log, Level::Info, line!(), "log_env", text);
    }
    let text = format!(
        "Initiating client connection, host={host} sessionTimeout={} sessionId={:#x}",
        opening.timeout_ms, opening.id.client_id
    );
    say(log, Level::Info, line!(), "zookeeper_init", &text);
    let errno = |error: std::io::Error| error.raw_os_error().unwrap_or(libc::EAGAIN);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(errno)?;
    let handle = Handle::new(opening);
    let heard = Arc::downgrade(&handle);
    config.on_state = Some(Arc::new(move |state| {
        if let Some(handle) = Weak::upgrade(&heard) {
            handle.enter(state);
        }
    }));
    let client = Client::open_on(runtime.handle(), config);
    handle.start(runtime, client).map_err(errno)?;
    Ok(handle.pointer())
}

fn failed(errno: Errno) -> *mut zhandle_t {
    // SAFETY: errno of this thread.
    unsafe { *libc::__errno_location() = errno };
    null_mut()
}

/// Ends the session and the handle.
#[unsafe(no_mangle)]
pub extern "C" fn zookeeper_close(zh: *mut zhandle_t) -> c_int {
    guarded(|| {
        let handle = find(zh)?;
        let text = format!(
            "Closing zookeeper sessionId={:#x}",
            handle.client().session_id().0
        );
        handle.say(Level::Info, line!(), "zookeeper_close", &text);
        handle.close()
    })
}

/// The state of a handle; 0 for one that is closed or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_state(zh: *mut zhandle_t) -> c_int {
    find(zh).map_or(0, |handle| handle.state())
}

/// ZINVALIDSTATE if the session is over for good.
#[unsafe(no_mangle)]
pub extern "C" fn is_unrecoverable(zh: *mut zhandle_t) -> c_int {
    match find(zh) {
        Ok(handle) if !handle.is_unrecoverable() => ZOK,
        _ => ZINVALIDSTATE,
    }
}

/// The session; NULL if the handle is closed. Lives as long as the handle.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_client_id(zh: *mut zhandle_t) -> *const clientid_t {
    find(zh).map_or(null(), |handle| handle.id())
}

/// The session timeout, milliseconds; 0 for a handle that is closed.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_recv_timeout(zh: *mut zhandle_t) -> c_int {
    find(zh).map_or(0, |handle| handle.timeout_ms())
}

/// The context of the handle's own watcher.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_get_context(zh: *mut zhandle_t) -> *const c_void {
    find(zh).map_or(null(), |handle| handle.own().context.cast_const())
}

/// Replaces the context of the handle's own watcher, for watches left from now on.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_set_context(zh: *mut zhandle_t, context: *mut c_void) {
    if let Ok(handle) = find(zh) {
        handle.change_own(|own| own.context = context);
    }
}

/// Replaces the handle's own watcher, and returns the one before.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_set_watcher(zh: *mut zhandle_t, watcher: WatcherFn) -> WatcherFn {
    let before = find(zh)
        .map(|handle| handle.change_own(|own| std::mem::replace(&mut own.function, watcher)));
    before.unwrap_or(no_watcher().function)
}

/// For handles opened later: not 0 takes servers in the order of the list.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_deterministic_conn_order(yes_or_no: c_int) {
    IN_ORDER.store(yes_or_no != 0, Ordering::Relaxed);
}

/// Replaces the list of servers; the chroot stays what it was.
///
/// # Safety
/// `hosts` is NULL or ends in NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_set_servers(zh: *mut zhandle_t, hosts: *const c_char) -> c_int {
    guarded(|| {
        let handle = find(zh)?;
        // SAFETY: the caller's promise.
        let hosts = unsafe { paths::text(hosts) }.ok_or(ZBADARGUMENTS)?;
        let hosts = servers::parse(&hosts).map_err(|_| ZBADARGUMENTS)?;
        handle.servers.lock().replace(&hosts);
        handle.client().set_hosts(hosts);
        Ok(())
    })
}

/// How often names are looked up again, milliseconds. They are looked up for every connection
/// here, whatever is asked for; the number is only checked.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_set_servers_resolution_delay(zh: *mut zhandle_t, delay_ms: c_int) -> c_int {
    guarded(|| {
        find(zh)?;
        if delay_ms < -1 {
            Err(ZBADARGUMENTS)
        } else {
            Ok(())
        }
    })
}

/// Makes the next server of the list the one that `zoo_get_current_server` tells. Which one a lost
/// connection is followed by is the client's choice; it never is the one that was lost.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_cycle_next_server(zh: *mut zhandle_t) {
    if let Ok(handle) = find(zh) {
        handle.servers.lock().cycle();
    }
}

/// The server that is connected, or was chosen next; overwritten by the next call.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_get_current_server(zh: *mut zhandle_t) -> *const c_char {
    find(zh).map_or(null(), |handle| {
        let server = handle.servers.lock().current().to_owned();
        handle.server_text(&server)
    })
}

/// Fills in the address of the connected server; NULL if there is none, or no room for it.
///
/// # Safety
/// `addr` has `*addr_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zookeeper_get_connected_host(
    zh: *mut zhandle_t,
    addr: *mut sockaddr,
    addr_len: *mut socklen_t,
) -> *mut sockaddr {
    let server = find(zh).ok().and_then(|handle| handle.client().server());
    match server {
        // SAFETY: the caller's promise.
        Some(server) => unsafe { address::put(server, addr, addr_len) },
        None => null_mut(),
    }
}

/// Adds a credential, now and after each reconnect.
///
/// # Safety
/// `scheme` ends in NUL, `cert` has `cert_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_add_auth(
    zh: *mut zhandle_t,
    scheme: *const c_char,
    cert: *const c_char,
    cert_len: c_int,
    completion: VoidCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        if scheme.is_null() {
            return Err(ZBADARGUMENTS);
        }
        let handle = find(zh)?;
        if handle.is_unrecoverable() {
            return Err(ZINVALIDSTATE);
        }
        // SAFETY: the caller's promise.
        let (scheme, cert) = unsafe { (paths::text(scheme), requests::data(cert, cert_len)?) };
        let request = Request::Auth {
            scheme: Text::Owned(scheme.unwrap_or_default()),
            auth: Some(cert.unwrap_or_default()),
        };
        handle.ask(request, to_void_completion(completion, data))
    })
}

// --- what only Debian's library has any use for -----------------------------------------------------

/// The single-threaded interface: not served by a library with threads of its own.
#[unsafe(no_mangle)]
pub extern "C" fn zookeeper_interest(
    zh: *mut zhandle_t,
    _fd: *mut c_int,
    _interest: *mut c_int,
    _tv: *mut timeval,
) -> c_int {
    find(zh).err().unwrap_or(ZUNIMPLEMENTED)
}

/// The single-threaded interface: not served by a library with threads of its own.
#[unsafe(no_mangle)]
pub extern "C" fn zookeeper_process(zh: *mut zhandle_t, _events: c_int) -> c_int {
    find(zh).err().unwrap_or(ZUNIMPLEMENTED)
}

/// Exported by Debian's library and in no header: there is no list outside of the client to lock.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_lock_auth(_zh: *mut zhandle_t) {}

/// Exported by Debian's library and in no header: there is no list outside of the client to lock.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_unlock_auth(_zh: *mut zhandle_t) {}
