//! Recipes: the lock and the election.
//!
//! Both give a holding: an object of its own that outlives the call and says how it stands.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use zoowarden::bridge::runtime;
use zoowarden::client::{Answer, Code, Error, Stat};
use zoowarden::recipes::{Election, Holding, Lock, Loss, Options, Standing};

use crate::answer::zoowarden_answer;
use crate::call::{client, finished, wait_for};
use crate::callbacks::{Delivery, User};
use crate::client::{Open, zoowarden_client};
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard, tell};
use crate::handle::Table;
use crate::input::{Patience, Place, empty, text, text_or_null};

static HOLDINGS: Table<Held> = Table::new(6, "holding");

struct Held {
    holding: Holding,
    client: Arc<Open>,
}

/// Something held: a lock, or a leadership. Ends with zoowarden_holding_release(), also when it is
/// lost.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct zoowarden_holding {
    /// Of no meaning to a program; zero names no holding.
    pub id: u64,
}

impl zoowarden_holding {
    const NONE: zoowarden_holding = zoowarden_holding { id: 0 };
}

/// How a holding stands.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum zoowarden_standing {
    /// It is ours.
    ZOOWARDEN_STANDING_HELD = 1,
    /// It may be lost: there is no connection. Begin nothing that needs it.
    ZOOWARDEN_STANDING_UNCERTAIN = 2,
    /// Lost: it was released.
    ZOOWARDEN_STANDING_RELEASED = 3,
    /// Lost: somebody removed its znode.
    ZOOWARDEN_STANDING_REMOVED = 4,
    /// Lost: the session, or the client, has ended.
    ZOOWARDEN_STANDING_SESSION_ENDED = 5,
    /// Lost: there was no connection for a third of the session timeout.
    ZOOWARDEN_STANDING_OUT_OF_CONTACT = 6,
}

impl From<Standing> for zoowarden_standing {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Held => zoowarden_standing::ZOOWARDEN_STANDING_HELD,
            Standing::Uncertain => zoowarden_standing::ZOOWARDEN_STANDING_UNCERTAIN,
            Standing::Lost(loss) => match loss {
                Loss::Released => zoowarden_standing::ZOOWARDEN_STANDING_RELEASED,
                Loss::Removed => zoowarden_standing::ZOOWARDEN_STANDING_REMOVED,
                Loss::SessionEnded => zoowarden_standing::ZOOWARDEN_STANDING_SESSION_ENDED,
                Loss::OutOfContact => zoowarden_standing::ZOOWARDEN_STANDING_OUT_OF_CONTACT,
            },
        }
    }
}

/// Called once when an attempt to hold has ended. With a `code` other than ZOOWARDEN_OK `holding` is
/// zeros; else it is the caller's, who ends it with zoowarden_holding_release().
pub type zoowarden_holding_fn = Option<
    unsafe extern "C" fn(code: zoowarden_code, holding: zoowarden_holding, user: *mut c_void),
>;

/// Called once when a holding is lost, by whatever cause; `standing` is one of zoowarden_standing.
pub type zoowarden_loss_fn =
    Option<unsafe extern "C" fn(holding: zoowarden_holding, standing: i32, user: *mut c_void)>;

/// # Safety
/// `identifier` is null or a string.
unsafe fn options(identifier: *const c_char) -> Result<Options, Failure> {
    // SAFETY: as promised by the caller.
    let identifier = unsafe { text_or_null(identifier, "identifier") }?;
    Ok(Options {
        identifier: identifier.unwrap_or_default().as_bytes().to_vec(),
        ..Options::default()
    })
}

/// # Safety
/// `path` is null or a string, `identifier` is null or a string.
unsafe fn lock_of(
    open: &Open,
    path: *const c_char,
    identifier: *const c_char,
) -> Result<Lock, Failure> {
    // SAFETY: as promised by the caller.
    let (path, options) = unsafe { (text(path, "path")?, options(identifier)?) };
    Ok(Lock::with(&open.client, path, options))
}

/// # Safety
/// As for [`lock_of`].
unsafe fn election_of(
    open: &Open,
    path: *const c_char,
    identifier: *const c_char,
) -> Result<Election, Failure> {
    // SAFETY: as promised by the caller.
    let (path, options) = unsafe { (text(path, "path")?, options(identifier)?) };
    Ok(Election::with(&open.client, path, options))
}

fn keep(holding: Holding, client: &Arc<Open>) -> Result<zoowarden_holding, Failure> {
    let id = HOLDINGS.insert(Arc::new(Held {
        holding,
        client: Arc::clone(client),
    }))?;
    Ok(zoowarden_holding { id })
}

/// Waits for a holding; `None` of `work` leaves the zeros.
fn hold(
    open: &Arc<Open>,
    work: impl Future<Output = Result<Option<Holding>, Error>>,
    timeout_ms: u32,
    place: &Place<zoowarden_holding>,
) -> Result<(), Failure> {
    if let Some(holding) = open.wait_for(work, timeout_ms)? {
        place.put(keep(holding, open)?);
    }
    Ok(())
}

/// Calls back when there is a holding, or none to come.
fn hold_later(
    open: &Arc<Open>,
    work: impl Future<Output = Result<Holding, Error>> + Send + 'static,
    function: zoowarden_holding_fn,
    user: *mut c_void,
) -> Result<(), Failure> {
    let function = function.ok_or_else(|| Failure::bad_arguments("the function is NULL"))?;
    open.callbacks.admit()?;
    let (open, user) = (Arc::clone(open), User(user));
    runtime().spawn(async move {
        let held = finished(work).await;
        let held = held.and_then(|holding| keep(holding, &open));
        open.callbacks.push(Delivery::Run(Box::new(move || {
            let user = user;
            let (code, holding) = match held {
                Ok(holding) => (zoowarden_code::ZOOWARDEN_OK, holding),
                Err(failure) => (tell(&failure), zoowarden_holding::NONE),
            };
            // SAFETY: the function and what `user` points to are good until this call; that is what
            // the header asks of the caller.
            unsafe { function(code, holding, user.0) };
        })));
    });
    Ok(())
}

/// Waits until the lock at `path` is ours, `timeout_ms` at most; after a failure we do not stand in
/// line any more. `identifier` is what others see of us (NULL: nothing). The path is created when it
/// is needed; kazoo's `Lock` on the same path excludes us and is excluded. Not reentrant.
///
/// # Safety
/// `path` is a string, `identifier` is NULL or a string, `holding` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_lock_acquire(
    client: zoowarden_client,
    path: *const c_char,
    identifier: *const c_char,
    timeout_ms: u32,
    holding: *mut zoowarden_holding,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(holding, zoowarden_holding::NONE) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(holding, "holding") }?;
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let lock = unsafe { lock_of(&open, path, identifier) }?;
        let work = async { lock.acquire().await.map(Some) };
        hold(&open, work, timeout_ms, &place)
    })
}

/// As zoowarden_lock_acquire(), without waiting.
///
/// # Safety
/// `path` is a string, `identifier` is NULL or a string, `user` is what `function` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_lock_acquire_async(
    client: zoowarden_client,
    path: *const c_char,
    identifier: *const c_char,
    function: zoowarden_holding_fn,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let lock = unsafe { lock_of(&open, path, identifier) }?;
        let work = async move { lock.acquire().await };
        hold_later(&open, work, function, user)
    })
}

/// The lock if nobody holds it or waits for it; else `*holding` is zeros.
///
/// # Safety
/// As for zoowarden_lock_acquire().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_lock_try_acquire(
    client: zoowarden_client,
    path: *const c_char,
    identifier: *const c_char,
    timeout_ms: u32,
    holding: *mut zoowarden_holding,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(holding, zoowarden_holding::NONE) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(holding, "holding") }?;
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let lock = unsafe { lock_of(&open, path, identifier) }?;
        hold(&open, lock.try_acquire(), timeout_ms, &place)
    })
}

/// Stands for election at `path` and waits until we lead, `timeout_ms` at most; after a failure we do
/// not stand any more. A leader must stop by itself when its holding is lost.
///
/// # Safety
/// As for zoowarden_lock_acquire().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_election_lead(
    client: zoowarden_client,
    path: *const c_char,
    identifier: *const c_char,
    timeout_ms: u32,
    holding: *mut zoowarden_holding,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(holding, zoowarden_holding::NONE) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(holding, "holding") }?;
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let election = unsafe { election_of(&open, path, identifier) }?;
        let work = async { election.lead().await.map(Some) };
        hold(&open, work, timeout_ms, &place)
    })
}

/// As zoowarden_election_lead(), without waiting.
///
/// # Safety
/// As for zoowarden_lock_acquire_async().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_election_lead_async(
    client: zoowarden_client,
    path: *const c_char,
    identifier: *const c_char,
    function: zoowarden_holding_fn,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        // SAFETY: as promised by the caller.
        let election = unsafe { election_of(&open, path, identifier) }?;
        let work = async move { election.lead().await };
        hold_later(&open, work, function, user)
    })
}

/// Who leads the election at `path`: its identifier as `data`, its token as `stat.czxid`.
/// ZOOWARDEN_NO_NODE if nobody does.
///
/// # Safety
/// `path` is a string; `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_election_leader(
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
        let election = unsafe { election_of(&open, path, std::ptr::null()) }?;
        let work = async {
            let leader = election.leader().await?;
            let leader = leader.ok_or_else(|| Error::new(Code::NoNode).because("nobody leads"))?;
            let stat = Stat {
                czxid: leader.token.0,
                ..Stat::default()
            };
            Ok(Answer::Data(Some(leader.identifier.into()), stat))
        };
        // SAFETY: as promised by the caller.
        unsafe { open.wait_answer(work, timeout_ms, answer) }
    })
}

/// How the holding stands now: one of zoowarden_standing.
///
/// # Safety
/// `standing` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_holding_standing(
    holding: zoowarden_holding,
    standing: *mut i32,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(standing, "standing") }?;
        let now = HOLDINGS.get(holding.id)?.holding.standing();
        place.put(zoowarden_standing::from(now) as i32);
        Ok(())
    })
}

/// The fencing token: greater than that of every earlier holder. Give it to whatever the holding
/// protects, and let that refuse a smaller one.
///
/// # Safety
/// `token` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_holding_token(
    holding: zoowarden_holding,
    token: *mut i64,
) -> zoowarden_code {
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(token, "token") }?;
        place.put(HOLDINGS.get(holding.id)?.holding.token().0);
        Ok(())
    })
}

/// Asks to be told when the holding is lost: `function` is called once, by release too, with the
/// client's other callbacks; it is not called any more once the client is closed.
///
/// # Safety
/// `user` is what `function` takes, until it was called or the client is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_holding_on_loss(
    holding: zoowarden_holding,
    function: zoowarden_loss_fn,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let function = function.ok_or_else(|| Failure::bad_arguments("the function is NULL"))?;
        let held = HOLDINGS.get(holding.id)?;
        let lost = held.holding.lost();
        let (callbacks, user) = (Arc::clone(&held.client.callbacks), User(user));
        runtime().spawn(async move {
            let standing = zoowarden_standing::from(Standing::Lost(lost.await)) as i32;
            callbacks.push(Delivery::Tell(Box::new(move || {
                let user = user;
                // SAFETY: the function and what `user` points to are good until this call; that is
                // what the header asks of the caller.
                unsafe { function(holding, standing, user.0) };
            })));
        });
        Ok(())
    })
}

/// Gives the holding back, and waits until its znode is gone: until then nobody else holds. It stops
/// being held at once, and the znode goes even if this answers ZOOWARDEN_OPERATION_TIMEOUT. The handle is
/// closed in any case; releasing what was lost is no error.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_holding_release(
    holding: zoowarden_holding,
    timeout_ms: u32,
) -> zoowarden_code {
    guard(|| {
        let held = HOLDINGS.remove(holding.id)?;
        let patience = Patience::new(timeout_ms, held.client.timeout_ms);
        wait_for(held.holding.release(), patience)
    })
}
