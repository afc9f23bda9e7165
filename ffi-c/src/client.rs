//! Clients: opened, looked at, closed.
//!
//! Invariant: a client leaves the table when its last callback has been run, so that what a program
//! does in its callbacks while the client closes is answered CLOSING, and nothing else.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use zoowarden::bridge::runtime;
use zoowarden::client::{Answer, Client, ClientConfig, Code, State};

use crate::answer::Reply;
use crate::call::{client, zoowarden_completion};
use crate::callbacks::{Callbacks, Completion, Delivery, Ran, User, is_inside_callback};
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard};
use crate::handle::Table;
use crate::input::{Place, empty, put_text, text};
use crate::options::{ClientOptions, hosts_of, options_of, zoowarden_options};
use crate::signals::spawn_without_signals;
use crate::watch::zoowarden_watch;

pub(crate) static CLIENTS: Table<Open> = Table::new(1, "client");

/// A client: one session with an ensemble, over one connection at a time. Closed with
/// zoowarden_client_close().
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct zoowarden_client {
    /// Of no meaning to a program; zero names no client.
    pub id: u64,
}

/// Where a client stands.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum zoowarden_state {
    /// Looking for a server, for the first time.
    ZOOWARDEN_STATE_CONNECTING = 1,
    /// Connected to a server that reads and writes.
    ZOOWARDEN_STATE_CONNECTED = 2,
    /// Connected to a server that only reads.
    ZOOWARDEN_STATE_CONNECTED_READ_ONLY = 3,
    /// The connection is lost; the session may live on, and another server is looked for.
    ZOOWARDEN_STATE_SUSPENDED = 4,
    /// The session is over; its ephemerals are gone.
    ZOOWARDEN_STATE_EXPIRED = 5,
    /// The servers refused the credentials; the client is of no use any more.
    ZOOWARDEN_STATE_AUTH_FAILED = 6,
    /// The client was closed.
    ZOOWARDEN_STATE_CLOSED = 7,
}

impl From<State> for zoowarden_state {
    fn from(state: State) -> Self {
        match state {
            State::Connecting => zoowarden_state::ZOOWARDEN_STATE_CONNECTING,
            State::Connected => zoowarden_state::ZOOWARDEN_STATE_CONNECTED,
            State::ConnectedReadOnly => zoowarden_state::ZOOWARDEN_STATE_CONNECTED_READ_ONLY,
            State::Suspended => zoowarden_state::ZOOWARDEN_STATE_SUSPENDED,
            State::Expired => zoowarden_state::ZOOWARDEN_STATE_EXPIRED,
            State::AuthFailed => zoowarden_state::ZOOWARDEN_STATE_AUTH_FAILED,
            State::Closed => zoowarden_state::ZOOWARDEN_STATE_CLOSED,
        }
    }
}

/// Called for each change of a client's state, in order with its other callbacks, and last with
/// ZOOWARDEN_STATE_CLOSED.
pub type zoowarden_state_fn =
    Option<unsafe extern "C" fn(client: zoowarden_client, state: i32, user: *mut c_void)>;

/// A session as zoowarden_client_session() tells it. Id and password are what
/// zoowarden_options_session() takes, to go on with the session in another process.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct zoowarden_session {
    /// 0 before the first connection.
    pub id: i64,
    /// Whoever has it can go on with the session.
    pub password: [u8; 16],
    /// As the server granted it, in milliseconds.
    pub timeout_ms: u32,
    /// The greatest zxid seen.
    pub last_zxid: i64,
}

/// An open client.
pub(crate) struct Open {
    pub(crate) client: Client,
    pub(crate) callbacks: Arc<Callbacks>,
    /// What `timeout_ms` 0 stands for.
    pub(crate) timeout_ms: u32,
    closing: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Open {
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

fn open(options: &ClientOptions) -> Result<zoowarden_client, Failure> {
    let id = CLIENTS.insert_with(|id| {
        let handle = zoowarden_client { id };
        let callbacks = Callbacks::new(handle, options.on_thread, options.observer)?;
        let thread = if options.on_thread {
            let callbacks = Arc::clone(&callbacks);
            let run = move || callbacks.run_until_closed();
            Some(spawn_without_signals("zoowarden-cb", run)?)
        } else {
            None
        };
        let states = Arc::clone(&callbacks);
        let config = ClientConfig {
            on_state: Some(Arc::new(move |state| states.push(Delivery::State(state)))),
            ..options.config.clone()
        };
        Ok(Arc::new(Open {
            client: Client::open_on(runtime(), config),
            callbacks,
            timeout_ms: options.timeout_ms,
            closing: AtomicBool::new(false),
            thread: Mutex::new(thread),
        }))
    })?;
    Ok(zoowarden_client { id })
}

/// Opens a client and returns at once; it connects, and connects again, in the background. Calls made
/// before it is connected wait. `*client` is closed with zoowarden_client_close(). `options` of zeros
/// stands for the defaults; options may be freed, or used again, afterwards.
///
/// # Safety
/// `client` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_open(
    options: zoowarden_options,
    client: *mut zoowarden_client,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(client, zoowarden_client { id: 0 }) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(client, "client") }?;
        let options = options_of(options)?;
        place.put(open(&options)?);
        Ok(())
    })
}

fn wait_connected(open: &Open, timeout_ms: u32) -> Result<(), Failure> {
    let connected = open.wait_for(open.client.connected(), timeout_ms);
    connected.map_err(|failure| match failure.code {
        Code::OperationTimeout => Failure::refused(
            failure.code,
            "no server serves this client yet; are they running, and are the hosts right?",
        ),
        _ => failure,
    })
}

/// Opens a client of `hosts` ("a:2181,b:2181/chroot") with the defaults and waits until it is
/// connected, `timeout_ms` at most (0: as long as it takes). If that fails there is no client to close.
///
/// # Safety
/// `hosts` is a string, `client` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_connect(
    hosts: *const c_char,
    timeout_ms: u32,
    client: *mut zoowarden_client,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(client, zoowarden_client { id: 0 }) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let (place, hosts) = unsafe { (Place::required(client, "client")?, text(hosts, "hosts")?) };
        let mut options = ClientOptions::default();
        options.set_hosts(hosts)?;
        let handle = open(&options)?;
        let open = CLIENTS.get(handle.id)?;
        let connected = wait_connected(&open, timeout_ms);
        match connected {
            Ok(()) => place.put(handle),
            // The failure to connect is what matters.
            Err(_) => drop(close(handle)),
        }
        connected
    })
}

/// Waits until the client is connected. Fails with ZOOWARDEN_SESSION_EXPIRED,
/// ZOOWARDEN_AUTH_FAILED or ZOOWARDEN_CLOSING if it never will be, and with
/// ZOOWARDEN_OPERATION_TIMEOUT after `timeout_ms`; it goes on connecting then.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_client_wait_connected(
    client: zoowarden_client,
    timeout_ms: u32,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        wait_connected(&open, timeout_ms)
    })
}

/// As zoowarden_client_wait_connected(), without waiting.
///
/// # Safety
/// `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_wait_connected_async(
    client: zoowarden_client,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        let waiting = open.client.clone();
        let work = async move { waiting.connected().await.map(|()| Answer::Done) };
        open.start_work(work, completion, user)
    })
}

fn begin_to_close(client: zoowarden_client) -> Result<Arc<Open>, Failure> {
    let open = CLIENTS.get(client.id)?;
    if open.closing.swap(true, Ordering::SeqCst) {
        return Err(Failure::refused(
            Code::Closing,
            "the client is being closed",
        ));
    }
    Ok(open)
}

fn close(handle: zoowarden_client) -> Result<(), Failure> {
    let open = begin_to_close(handle)?;
    runtime().block_on(open.client.close());
    let reply = Reply::answered(Answer::Done, zoowarden_watch::NONE);
    open.callbacks.push_closed(None, reply);
    let thread = open
        .thread
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match thread {
        None => open.callbacks.finish(),
        // Our own thread would wait for itself; another client's might, in a circle.
        Some(_) if is_inside_callback() => {}
        Some(thread) => thread.join().expect("callbacks do not unwind"),
    }
    Ok(())
}

/// Closes the session, on the server too: its ephemerals are gone when this returns, unless no server
/// could be reached. Calls that wait are answered ZOOWARDEN_CLOSING, watches get
/// ZOOWARDEN_EVENT_ENDED. When this returns no callback of the client runs, nor will; called inside a
/// callback it does not wait for those that remain, which are run afterwards. With
/// ZOOWARDEN_DISPATCH_LOOP they are run inside this call; take the descriptor out of your loop first.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_client_close(client: zoowarden_client) -> zoowarden_code {
    guard(|| close(client))
}

/// As zoowarden_client_close(), without waiting; `completion` is the last callback of the client to be
/// called. With ZOOWARDEN_DISPATCH_LOOP go on dispatching until then.
///
/// # Safety
/// `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_close_async(
    client: zoowarden_client,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = begin_to_close(client)?;
        let callbacks = Arc::clone(&open.callbacks);
        let completion = Completion {
            function: completion,
            user: User(user),
        };
        let closing = open.client.clone();
        runtime().spawn(async move {
            closing.close().await;
            let reply = Reply::answered(Answer::Done, zoowarden_watch::NONE);
            callbacks.push_closed(Some(completion), reply);
        });
        Ok(())
    })
}

/// Where the client stands: one of zoowarden_state.
///
/// # Safety
/// `state` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_state(
    client: zoowarden_client,
    state: *mut i32,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(state, "state") }?;
        let now = self::client(client)?.client.state();
        place.put(zoowarden_state::from(now) as i32);
        Ok(())
    })
}

/// The client's session.
///
/// # Safety
/// `session` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_session(
    client: zoowarden_client,
    session: *mut zoowarden_session,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(session, "session") }?;
        let open = self::client(client)?;
        let client = &open.client;
        place.put(zoowarden_session {
            id: client.session_id().0,
            password: client.session_password(),
            timeout_ms: client.session_timeout_ms(),
            last_zxid: client.last_zxid().0,
        });
        Ok(())
    })
}

/// The address of the server that the client is connected to, "127.0.0.1:2181", or an empty string,
/// copied to `buffer`. `*length` is its length without the NUL (`length` may be NULL); with a
/// `capacity` that is too small ZOOWARDEN_BAD_ARGUMENTS. 64 bytes are enough.
///
/// # Safety
/// `buffer` has `capacity` writable bytes; `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_server(
    client: zoowarden_client,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> zoowarden_code {
    guard(|| {
        let server = self::client(client)?.client.server();
        let told = server.map(|server| server.to_string()).unwrap_or_default();
        // SAFETY: as promised by the caller.
        unsafe { put_text(&told, buffer, capacity, length) }
    })
}

/// The path that all paths of this client are below, or an empty string, copied to `buffer` as
/// zoowarden_client_server() does.
///
/// # Safety
/// `buffer` has `capacity` writable bytes; `length` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_chroot(
    client: zoowarden_client,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        unsafe { put_text(open.client.chroot(), buffer, capacity, length) }
    })
}

/// Tells the client of other servers of the same ensemble, as in zoowarden_options_hosts(); a chroot
/// must be the same. It stays where it is if its server is among them.
///
/// # Safety
/// `hosts` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_set_hosts(
    client: zoowarden_client,
    hosts: *const c_char,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let hosts = unsafe { text(hosts, "hosts") }?;
        open.client.set_hosts(hosts_of(hosts)?);
        Ok(())
    })
}

/// With ZOOWARDEN_DISPATCH_LOOP: a descriptor that poll() finds readable while callbacks wait. Only
/// poll it: it belongs to the library, which closes it when the client is closed. Without:
/// ZOOWARDEN_INVALID_STATE.
///
/// # Safety
/// `descriptor` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_descriptor(
    client: zoowarden_client,
    descriptor: *mut i32,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(descriptor, "descriptor") }?;
        let open = CLIENTS.get(client.id)?;
        place.put(open.callbacks.descriptor().ok_or_else(has_thread)?);
        Ok(())
    })
}

fn has_thread() -> Failure {
    let text = "the client has a thread for its callbacks; open it with ZOOWARDEN_DISPATCH_LOOP";
    Failure::refused(Code::InvalidState, text)
}

/// With ZOOWARDEN_DISPATCH_LOOP: runs callbacks that wait, `max` at most (0: all that wait now), on
/// this thread, and tells in `*count` how many (`count` may be NULL). Does not wait, but for one
/// case: once the session of a client that is being closed has ended, it runs all, and waits for those
/// whose calls are still on their way. ZOOWARDEN_INVALID_STATE if callbacks of this client are being run already: by
/// another thread, or by this one, because it was called inside a callback.
///
/// # Safety
/// `count` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_client_dispatch(
    client: zoowarden_client,
    max: usize,
    count: *mut usize,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::optional(count) };
        place.put(0);
        let open = CLIENTS.get(client.id)?;
        open.callbacks.descriptor().ok_or_else(has_thread)?;
        match open
            .callbacks
            .dispatch(if max == 0 { usize::MAX } else { max })
        {
            Ran::Some(ran) => {
                place.put(ran);
                Ok(())
            }
            Ran::Busy => {
                let text = "callbacks of this client are being run already";
                Err(Failure::refused(Code::InvalidState, text))
            }
        }
    })
}
