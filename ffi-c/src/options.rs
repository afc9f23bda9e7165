//! How a client shall be: set one by one, then used to open clients.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use zoowarden::client::{
    ClientConfig, ConnectString, ConnectStringError, OnExpiry, SaslLogin, SessionId, TlsConfig,
    TlsError, TlsOptions,
};

use crate::callbacks::User;
use crate::client::zoowarden_state_fn;
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard};
use crate::handle::Table;
use crate::input::{Place, ZOOWARDEN_FOREVER, data, elements, empty, text, text_or_null};
use crate::node::{PATIENT, with_node, zoowarden_node};

static TABLE: Table<Mutex<ClientOptions>> = Table::new(2, "set of client options");

/// How clients shall be opened. Freed with zoowarden_options_free(); may be used for many clients.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct zoowarden_options {
    /// Of no meaning to a program; zero stands for the defaults.
    pub id: u64,
}

/// Who runs a client's callbacks.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum zoowarden_dispatch {
    /// A thread of the client's own, "zoowarden-cb".
    ZOOWARDEN_DISPATCH_THREAD = 0,
    /// The program's loop: it watches zoowarden_client_descriptor() and calls
    /// zoowarden_client_dispatch().
    ZOOWARDEN_DISPATCH_LOOP = 1,
}

/// What becomes of a client whose session expires.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum zoowarden_on_expiry {
    /// It is over: every call is answered ZOOWARDEN_SESSION_EXPIRED.
    ZOOWARDEN_ON_EXPIRY_END = 0,
    /// It begins a new session; watches end, ephemerals are gone.
    ZOOWARDEN_ON_EXPIRY_RENEW = 1,
}

#[derive(Clone)]
pub(crate) struct ClientOptions {
    pub(crate) config: ClientConfig,
    pub(crate) on_thread: bool,
    pub(crate) observer: Option<(zoowarden_state_fn, User)>,
    pub(crate) timeout_ms: u32,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            config: ClientConfig::default(),
            on_thread: true,
            observer: None,
            timeout_ms: ZOOWARDEN_FOREVER,
        }
    }
}

impl ClientOptions {
    pub(crate) fn set_hosts(&mut self, hosts: &str) -> Result<(), Failure> {
        self.config.hosts = hosts_of(hosts)?;
        Ok(())
    }
}

/// A copy of the options of a handle; the defaults for zeros.
pub(crate) fn options_of(options: zoowarden_options) -> Result<ClientOptions, Failure> {
    if options.id == 0 {
        return Ok(ClientOptions::default());
    }
    let options = TABLE.get(options.id)?;
    let options = options.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(options.clone())
}

/// Reads a connect string.
pub(crate) fn hosts_of(hosts: &str) -> Result<ConnectString, Failure> {
    hosts
        .parse()
        .map_err(|error: ConnectStringError| Failure::bad_arguments(error.to_string()))
}

fn change(
    options: zoowarden_options,
    change: impl FnOnce(&mut ClientOptions) -> Result<(), Failure>,
) -> zoowarden_code {
    guard(|| {
        let options = TABLE.get(options.id)?;
        change(&mut options.lock().unwrap_or_else(PoisonError::into_inner))
    })
}

/// Makes a set of options with the defaults: one server at 127.0.0.1:2181, a session timeout of 10 s.
/// Freed with zoowarden_options_free().
///
/// # Safety
/// `options` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_options_new(options: *mut zoowarden_options) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(options, zoowarden_options { id: 0 }) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(options, "options") }?;
        let id = TABLE.insert(Arc::new(Mutex::new(ClientOptions::default())))?;
        place.put(zoowarden_options { id });
        Ok(())
    })
}

/// Frees a set of options; clients opened with it stay as they are.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_options_free(options: zoowarden_options) -> zoowarden_code {
    guard(|| TABLE.remove(options.id).map(drop))
}

/// The servers: "a:2181,b,[::1]:2182/chroot". The port is 2181 where none is named; with a chroot all
/// paths of the client are below it.
///
/// # Safety
/// `hosts` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_options_hosts(
    options: zoowarden_options,
    hosts: *const c_char,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    change(options, |options| {
        options.set_hosts(unsafe { text(hosts, "hosts") }?)
    })
}

/// The session timeout to ask for, in milliseconds: how long a session outlives the last word of its
/// client. Servers grant what their limits allow.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_options_session_timeout(
    options: zoowarden_options,
    timeout_ms: u32,
) -> zoowarden_code {
    change(options, |options| {
        options.config.session_timeout_ms = timeout_ms;
        Ok(())
    })
}

/// What `timeout_ms` 0 stands for in every blocking call of the client, in milliseconds. Without it:
/// ZOOWARDEN_FOREVER, and the session's own timers end a call whose connection dies.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_options_call_timeout(
    options: zoowarden_options,
    timeout_ms: u32,
) -> zoowarden_code {
    change(options, |options| {
        if timeout_ms == 0 {
            return Err(Failure::bad_arguments(
                "a timeout of 0 ms stands for itself",
            ));
        }
        options.timeout_ms = timeout_ms;
        Ok(())
    })
}

/// Whether the client may use a server that has no contact with a quorum and only reads. No without it.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_options_read_only(
    options: zoowarden_options,
    allowed: bool,
) -> zoowarden_code {
    change(options, |options| {
        options.config.read_only = allowed;
        Ok(())
    })
}

/// Whether the servers are tried in random order. Yes without it.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_options_shuffle(
    options: zoowarden_options,
    shuffle: bool,
) -> zoowarden_code {
    change(options, |options| {
        options.config.shuffle = shuffle;
        Ok(())
    })
}

/// What becomes of the client when its session expires: one of zoowarden_on_expiry.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_options_on_expiry(
    options: zoowarden_options,
    on_expiry: i32,
) -> zoowarden_code {
    const END: i32 = zoowarden_on_expiry::ZOOWARDEN_ON_EXPIRY_END as i32;
    const RENEW: i32 = zoowarden_on_expiry::ZOOWARDEN_ON_EXPIRY_RENEW as i32;
    change(options, |options| {
        options.config.on_expiry = match on_expiry {
            END => OnExpiry::End,
            RENEW => OnExpiry::Renew,
            other => {
                let text = format!("{other} is none of zoowarden_on_expiry");
                return Err(Failure::bad_arguments(text));
            }
        };
        Ok(())
    })
}

/// Goes on with a session that another client, or another process, had: its id and its password of
/// 16 bytes, from zoowarden_client_session().
///
/// # Safety
/// `password` has 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_options_session(
    options: zoowarden_options,
    id: i64,
    password: *const u8,
) -> zoowarden_code {
    change(options, |options| {
        // SAFETY: as promised by the caller.
        let given = unsafe { elements(password, 16, "password") }?;
        let password = given.try_into().expect("16 elements were asked for");
        options.config.session = Some((SessionId(id), password));
        Ok(())
    })
}

/// Credentials that the client presents on every connection: for scheme "digest", "user:password".
/// May be called several times.
///
/// # Safety
/// `scheme` is a string, `credentials` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_options_auth(
    options: zoowarden_options,
    scheme: *const c_char,
    credentials: *const c_void,
    length: usize,
) -> zoowarden_code {
    change(options, |options| {
        // SAFETY: as promised by the caller.
        let (scheme, bytes) = unsafe { (text(scheme, "scheme")?, data(credentials, length)?) };
        let entry = (scheme.to_owned(), bytes.unwrap_or_default().to_vec());
        options.config.auth.push(entry);
        Ok(())
    })
}

/// Who the client is by SASL (DIGEST-MD5), proven on every connection before anything else is sent;
/// NULL for both: nobody. If a server refuses, or cannot prove that it knows the password too, every
/// call is answered ZOOWARDEN_AUTH_FAILED.
///
/// # Safety
/// `user` and `password` are strings, or both NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_options_sasl(
    options: zoowarden_options,
    user: *const c_char,
    password: *const c_char,
) -> zoowarden_code {
    change(options, |options| {
        // SAFETY: as promised by the caller.
        let given = unsafe {
            (
                text_or_null(user, "user")?,
                text_or_null(password, "password")?,
            )
        };
        options.config.sasl = match given {
            (None, None) => None,
            (Some(user), Some(password)) => Some(SaslLogin::new(user, password)),
            _ => {
                let what = "a user needs a password, and a password a user";
                return Err(Failure::bad_arguments(what.to_owned()));
            }
        };
        Ok(())
    })
}

/// Whom to tell of changes of the client's state; NULL for nobody. `user` must stay good until the
/// client is closed.
///
/// # Safety
/// `user` is what `function` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_options_states(
    options: zoowarden_options,
    function: zoowarden_state_fn,
    user: *mut c_void,
) -> zoowarden_code {
    change(options, |options| {
        options.observer = function.map(|function| (Some(function), User(user)));
        Ok(())
    })
}

/// Who runs the callbacks: one of zoowarden_dispatch. ZOOWARDEN_DISPATCH_THREAD without it.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_options_dispatch(
    options: zoowarden_options,
    dispatch: i32,
) -> zoowarden_code {
    const THREAD: i32 = zoowarden_dispatch::ZOOWARDEN_DISPATCH_THREAD as i32;
    const LOOP: i32 = zoowarden_dispatch::ZOOWARDEN_DISPATCH_LOOP as i32;
    change(options, |options| {
        options.on_thread = match dispatch {
            THREAD => true,
            LOOP => false,
            other => {
                let text = format!("{other} is none of zoowarden_dispatch");
                return Err(Failure::bad_arguments(text));
            }
        };
        Ok(())
    })
}

/// Connects inside this process, to this node, whatever hosts are named: no port and no socket is
/// used. The client sees a lost connection once the node is stopped.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_options_node(
    options: zoowarden_options,
    node: zoowarden_node,
) -> zoowarden_code {
    change(options, |options| {
        let (net, hosts) = with_node(node, PATIENT, async |node| {
            Ok((node.net(), node.connect_string()))
        })?;
        options.config.net = net;
        options.set_hosts(&hosts)
    })
}

/// Speaks TLS with the servers, whose names must be in their certificates. All files are PEM: `roots` has
/// the authorities to trust (NULL: those of the operating system), `certificate` and `key` say who we
/// are (both NULL: nobody). They are read now; ZOOWARDEN_BAD_ARGUMENTS says what is wrong with them.
///
/// # Safety
/// The strings are NULL or strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_options_tls(
    options: zoowarden_options,
    roots: *const c_char,
    certificate: *const c_char,
    key: *const c_char,
) -> zoowarden_code {
    change(options, |options| {
        // SAFETY: as promised by the caller.
        let (roots, certificate, key) = unsafe {
            (
                text_or_null(roots, "roots")?,
                text_or_null(certificate, "certificate")?,
                text_or_null(key, "key")?,
            )
        };
        let identity = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((Path::new(certificate), Path::new(key))),
            _ => {
                let text =
                    "a certificate is of no use without its key, nor a key without its certificate";
                return Err(Failure::bad_arguments(text));
            }
        };
        let wrong = |error: TlsError| Failure::bad_arguments(error.to_string());
        let tls = TlsOptions::from_files(roots.map(Path::new), identity).map_err(wrong)?;
        options.config.tls = Some(TlsConfig::new(tls).map_err(wrong)?);
        Ok(())
    })
}
