//! Transactions: changes gathered here, carried out all or not at all.

#![allow(non_camel_case_types, reason = "the names are C's")]

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError};

use zoowarden::client::{Acl, Code, Request};
use zoowarden::proto::{Create, MultiOp, OpCode};

use crate::answer::zoowarden_answer;
use crate::call::{client, zoowarden_completion};
use crate::client::zoowarden_client;
use crate::code::zoowarden_code;
use crate::failure::{Failure, guard};
use crate::handle::Table;
use crate::input::{Place, data, empty, text};
use crate::write::{create, zoowarden_create_options};

/// Most changes in one transaction; what servers take ends long before, by bytes.
pub(crate) const CHANGES_MAX: usize = 1 << 20;

static TRANSACTIONS: Table<Mutex<Vec<Change>>> = Table::new(4, "transaction");

/// Changes that are carried out all or not at all. Ends with zoowarden_transaction_commit(),
/// its asynchronous form, or zoowarden_transaction_free().
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct zoowarden_transaction {
    /// Of no meaning to a program; zero names no transaction.
    pub id: u64,
}

/// One change, with everything it needs.
enum Change {
    Create {
        op: OpCode,
        path: String,
        data: Option<Vec<u8>>,
        acl: Option<Vec<Acl>>,
        flags: i32,
        ttl: Option<i64>,
    },
    Delete {
        path: String,
        version: i32,
    },
    Set {
        path: String,
        data: Option<Vec<u8>>,
        version: i32,
    },
    Check {
        path: String,
        version: i32,
    },
}

impl Change {
    fn operation(&self) -> MultiOp<'_> {
        match self {
            Change::Create {
                op,
                path,
                data,
                acl,
                flags,
                ttl,
            } => MultiOp::Create(Create {
                op: *op,
                path: path.into(),
                data: data.as_deref(),
                acl: acl.clone(),
                flags: *flags,
                ttl: *ttl,
            }),
            Change::Delete { path, version } => MultiOp::Delete {
                path: path.into(),
                version: *version,
            },
            Change::Set {
                path,
                data,
                version,
            } => MultiOp::SetData {
                path: path.into(),
                data: data.as_deref(),
                version: *version,
            },
            Change::Check { path, version } => MultiOp::Check {
                path: path.into(),
                version: *version,
            },
        }
    }
}

fn add(
    transaction: zoowarden_transaction,
    change: impl FnOnce() -> Result<Change, Failure>,
) -> zoowarden_code {
    guard(|| {
        let transaction = TRANSACTIONS.get(transaction.id)?;
        let change = change()?;
        let mut changes = transaction.lock().unwrap_or_else(PoisonError::into_inner);
        if changes.len() == CHANGES_MAX {
            let text = format!("{CHANGES_MAX} changes are the most of a transaction");
            return Err(Failure::refused(Code::ThrottledOp, text));
        }
        changes.push(change);
        Ok(())
    })
}

/// Begins a transaction; nothing is sent before it is committed, by any client. It ends with
/// zoowarden_transaction_commit(), its asynchronous form, or zoowarden_transaction_free().
///
/// # Safety
/// `transaction` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_transaction_new(
    transaction: *mut zoowarden_transaction,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(transaction, zoowarden_transaction { id: 0 }) };
    guard(|| {
        // SAFETY: as promised by the caller.
        let place = unsafe { Place::required(transaction, "transaction") }?;
        let id = TRANSACTIONS.insert(Arc::new(Mutex::new(Vec::new())))?;
        place.put(zoowarden_transaction { id });
        Ok(())
    })
}

/// Gives up a transaction that was not committed.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_transaction_free(transaction: zoowarden_transaction) -> zoowarden_code {
    guard(|| TRANSACTIONS.remove(transaction.id).map(drop))
}

/// Adds a creation, as zoowarden_create() takes it.
///
/// # Safety
/// `path` is a string, `data` has `data_length` bytes, `options` is NULL or points to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_transaction_create(
    transaction: zoowarden_transaction,
    path: *const c_char,
    data: *const c_void,
    data_length: usize,
    options: *const zoowarden_create_options,
) -> zoowarden_code {
    add(transaction, || {
        // SAFETY: as promised by the caller.
        let create = unsafe { create(path, data, data_length, options) }?;
        Ok(Change::Create {
            op: create.op,
            path: create.path.into_owned(),
            data: create.data.map(<[u8]>::to_vec),
            acl: create.acl,
            flags: create.flags,
            ttl: create.ttl,
        })
    })
}

/// Adds a deletion, as zoowarden_delete() takes it.
///
/// # Safety
/// `path` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_transaction_delete(
    transaction: zoowarden_transaction,
    path: *const c_char,
    version: i32,
) -> zoowarden_code {
    add(transaction, || {
        // SAFETY: as promised by the caller.
        let path = unsafe { text(path, "path") }?.to_owned();
        Ok(Change::Delete { path, version })
    })
}

/// Adds a change of data, as zoowarden_set() takes it.
///
/// # Safety
/// `path` is a string, `data` has `data_length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_transaction_set(
    transaction: zoowarden_transaction,
    path: *const c_char,
    data: *const c_void,
    data_length: usize,
    version: i32,
) -> zoowarden_code {
    add(transaction, || {
        // SAFETY: as promised by the caller.
        let (path, data) = unsafe { (text(path, "path")?, self::data(data, data_length)?) };
        Ok(Change::Set {
            path: path.to_owned(),
            data: data.map(<[u8]>::to_vec),
            version,
        })
    })
}

/// Adds a condition: the znode exists and has `version` (ZOOWARDEN_ANY_VERSION: any).
///
/// # Safety
/// `path` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_transaction_check(
    transaction: zoowarden_transaction,
    path: *const c_char,
    version: i32,
) -> zoowarden_code {
    add(transaction, || {
        // SAFETY: as promised by the caller.
        let path = unsafe { text(path, "path") }?.to_owned();
        Ok(Change::Check { path, version })
    })
}

fn take(transaction: zoowarden_transaction) -> Result<Vec<Change>, Failure> {
    let transaction = TRANSACTIONS.remove(transaction.id)?;
    let mut changes = transaction.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut changes))
}

fn request(changes: &[Change]) -> Request<'_> {
    Request::Multi(changes.iter().map(Change::operation).collect())
}

/// Carries out all changes as one, or none: `outcomes`, in their order. If one fails, its code is
/// answered, and there is an answer to free, too. Whatever is answered, the transaction has ended;
/// only with ZOOWARDEN_BAD_ARGUMENTS or ZOOWARDEN_CLOSING for `client` it is as it was.
///
/// # Safety
/// `answer` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_transaction_commit(
    transaction: zoowarden_transaction,
    client: zoowarden_client,
    timeout_ms: u32,
    answer: *mut *mut zoowarden_answer,
) -> zoowarden_code {
    // SAFETY: as promised by the caller.
    unsafe { empty(answer, std::ptr::null_mut()) };
    guard(|| {
        let open = self::client(client)?;
        let changes = take(transaction)?;
        // SAFETY: as promised by the caller.
        unsafe { open.wait(request(&changes), None, timeout_ms, answer) }
    })
}

/// As zoowarden_transaction_commit(), without waiting.
///
/// # Safety
/// `user` is what `completion` takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoowarden_transaction_commit_async(
    transaction: zoowarden_transaction,
    client: zoowarden_client,
    completion: zoowarden_completion,
    user: *mut c_void,
) -> zoowarden_code {
    guard(|| {
        let open = self::client(client)?;
        let changes = take(transaction)?;
        open.start(request(&changes), None, completion, user)
    })
}
