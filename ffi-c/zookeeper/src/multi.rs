//! Transactions: `zoo_op_t`, `zoo_op_result_t`, and the requests that take them.
//!
//! Safety, for all: what an operation points at is as its `zoo_*_op_init` function demands and lives,
//! with the results, until the transaction has ended.

#![allow(clippy::missing_safety_doc, reason = "the module says it once for all")]
#![allow(clippy::too_many_arguments, reason = "the parameters are ZooKeeper's")]

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use zoowarden::client::Answer;
use zoowarden::proto::{MultiOp, MultiOutcome, OpCode, Request, Text};

use crate::calls::Outcome;
use crate::codes::{ZBADARGUMENTS, ZMARSHALLINGERROR, ZOK, ZUNIMPLEMENTED};
use crate::deliver::{Opaque, VoidCompletion, put, put_text};
use crate::handle::{Handle, find, guarded, zhandle_t};
use crate::paths;
use crate::records::{ACL_vector, Stat};
use crate::requests::{Creation, NO_TTL, Wanted, data, is_sequential};

/// One operation; `r#type` says which part of the union is filled in.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct zoo_op_t {
    /// A number of proto.h.
    pub r#type: c_int,
    /// What the operation needs.
    pub of: zoo_op_union,
}

/// The parts of a `zoo_op_t`, of which one is meant.
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_docs, reason = "the fields carry ZooKeeper's names")]
pub union zoo_op_union {
    pub create_op: zoo_create_op,
    pub delete_op: zoo_delete_op,
    pub set_op: zoo_set_op,
    pub check_op: zoo_delete_op,
}

/// create
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_docs, reason = "the fields carry ZooKeeper's names")]
pub struct zoo_create_op {
    pub path: *const c_char,
    pub data: *const c_char,
    pub datalen: c_int,
    pub buf: *mut c_char,
    pub buflen: c_int,
    pub acl: *const ACL_vector,
    pub flags: c_int,
    pub ttl: i64,
}

/// delete, and check
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_docs, reason = "the fields carry ZooKeeper's names")]
pub struct zoo_delete_op {
    pub path: *const c_char,
    pub version: c_int,
}

/// set
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_docs, reason = "the fields carry ZooKeeper's names")]
pub struct zoo_set_op {
    pub path: *const c_char,
    pub data: *const c_char,
    pub datalen: c_int,
    pub version: c_int,
    pub stat: *mut Stat,
}

/// What became of one operation.
#[derive(Clone, Copy)]
#[repr(C)]
#[allow(missing_docs, reason = "the fields carry ZooKeeper's names")]
pub struct zoo_op_result_t {
    pub err: c_int,
    pub value: *mut c_char,
    pub valuelen: c_int,
    pub stat: *mut Stat,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<zoo_op_t>() == 72 && offset_of!(zoo_op_t, of) == 8);
    assert!(offset_of!(zoo_create_op, ttl) == 56 && offset_of!(zoo_set_op, stat) == 24);
    assert!(size_of::<zoo_op_result_t>() == 32 && offset_of!(zoo_op_result_t, stat) == 24);
};

// --- the operations ------------------------------------------------------------------------------

const CREATE: c_int = OpCode::Create as c_int;
const CREATE2: c_int = OpCode::Create2 as c_int;
const CREATE_CONTAINER: c_int = OpCode::CreateContainer as c_int;
const CREATE_TTL: c_int = OpCode::CreateTtl as c_int;
const DELETE: c_int = OpCode::Delete as c_int;
const SET: c_int = OpCode::SetData as c_int;
const CHECK: c_int = OpCode::Check as c_int;

/// Creation of a znode, of a mode without a time to live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_create_op_init(
    op: *mut zoo_op_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    path_buffer: *mut c_char,
    path_buffer_len: c_int,
) {
    let container = mode == crate::constants::ZOO_CONTAINER;
    let create_op = zoo_create_op {
        path,
        data: value,
        datalen: value_len,
        buf: path_buffer,
        buflen: path_buffer_len,
        acl,
        flags: mode,
        ttl: NO_TTL,
    };
    let r#type = if container { CREATE_CONTAINER } else { CREATE };
    // SAFETY: the module's.
    unsafe {
        put(
            op,
            zoo_op_t {
                r#type,
                of: zoo_op_union { create_op },
            },
        );
    }
}

/// The same, with a `Stat` in the answer: in no header, and no transaction takes it, as in Debian's
/// library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_create2_op_init(
    op: *mut zoo_op_t,
    path: *const c_char,
    value: *const c_char,
    value_len: c_int,
    acl: *const ACL_vector,
    mode: c_int,
    path_buffer: *mut c_char,
    path_buffer_len: c_int,
) {
    let (buffer, len) = (path_buffer, path_buffer_len);
    // SAFETY: the module's.
    unsafe {
        zoo_create_op_init(op, path, value, value_len, acl, mode, buffer, len);
        if let Some(op) = op.as_mut() {
            op.r#type = CREATE2;
        }
    }
}

/// Deletion of a znode of a version, -1 for any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_delete_op_init(
    op: *mut zoo_op_t,
    path: *const c_char,
    version: c_int,
) {
    let delete_op = zoo_delete_op { path, version };
    // SAFETY: the module's.
    unsafe {
        put(
            op,
            zoo_op_t {
                r#type: DELETE,
                of: zoo_op_union { delete_op },
            },
        );
    }
}

/// New data of a znode of a version, -1 for any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_set_op_init(
    op: *mut zoo_op_t,
    path: *const c_char,
    buffer: *const c_char,
    buffer_len: c_int,
    version: c_int,
    stat: *mut Stat,
) {
    let set_op = zoo_set_op {
        path,
        data: buffer,
        datalen: buffer_len,
        version,
        stat,
    };
    // SAFETY: the module's.
    unsafe {
        put(
            op,
            zoo_op_t {
                r#type: SET,
                of: zoo_op_union { set_op },
            },
        );
    }
}

/// The demand that a znode is there with a version.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_check_op_init(op: *mut zoo_op_t, path: *const c_char, version: c_int) {
    let check_op = zoo_delete_op { path, version };
    // SAFETY: the module's.
    unsafe {
        put(
            op,
            zoo_op_t {
                r#type: CHECK,
                of: zoo_op_union { check_op },
            },
        );
    }
}

/// One operation for the wire. A path that is none, and a mode that is none, are told as
/// ZMARSHALLINGERROR, as C's client tells whatever goes wrong while it writes down a transaction.
unsafe fn operation<'a>(op: &'a zoo_op_t) -> Result<MultiOp<'a>, c_int> {
    // SAFETY: the type says which part was filled in; the rest is the module's.
    unsafe {
        Ok(match op.r#type {
            CREATE | CREATE_CONTAINER => create(&op.of.create_op)?,
            DELETE => {
                let delete = &op.of.delete_op;
                MultiOp::Delete {
                    path: path(delete.path)?,
                    version: delete.version,
                }
            }
            CHECK => {
                let check = &op.of.check_op;
                MultiOp::Check {
                    path: path(check.path)?,
                    version: check.version,
                }
            }
            SET => {
                let set = &op.of.set_op;
                let data = data(set.data, set.datalen).map_err(|_| ZMARSHALLINGERROR)?;
                MultiOp::SetData {
                    path: path(set.path)?,
                    data,
                    version: set.version,
                }
            }
            // CREATE2 and CREATE_TTL among them.
            _ => return Err(ZUNIMPLEMENTED),
        })
    }
}

unsafe fn path<'a>(path: *const c_char) -> Result<Text<'a>, c_int> {
    // SAFETY: the module's.
    let path = unsafe { paths::path_text(path, false) };
    path.map(Text::Owned).ok_or(ZMARSHALLINGERROR)
}

unsafe fn create<'a>(op: &'a zoo_create_op) -> Result<MultiOp<'a>, c_int> {
    let creation = Creation {
        value: op.data,
        value_len: op.datalen,
        acl: op.acl,
        mode: op.flags,
        ttl: NO_TTL,
    };
    // SAFETY: the module's.
    let (path, request) = unsafe {
        let path = paths::path_text(op.path, is_sequential(op.flags)).ok_or(ZMARSHALLINGERROR)?;
        (
            path,
            creation
                .request("", Wanted::Path)
                .map_err(|_| ZMARSHALLINGERROR)?,
        )
    };
    Ok(MultiOp::Create(zoowarden::proto::Create {
        path: Text::Owned(path),
        ..request
    }))
}

// --- the results ---------------------------------------------------------------------------------

/// Where the results go: the program's array.
#[derive(Clone, Copy)]
struct Results {
    first: *mut zoo_op_result_t,
    count: usize,
}

// SAFETY: the program promises that the array lives until the end of the transaction.
unsafe impl Send for Results {}

impl Results {
    /// Points each result at what its operation brought along for it.
    unsafe fn prepare(self, ops: &[zoo_op_t]) {
        for (at, op) in ops.iter().enumerate() {
            let (value, valuelen, stat) = match op.r#type {
                // SAFETY: the type says which part was filled in.
                CREATE | CREATE_CONTAINER | CREATE2 | CREATE_TTL => unsafe {
                    let create = &op.of.create_op;
                    (create.buf, create.buflen, std::ptr::null_mut())
                },
                SET => (std::ptr::null_mut(), 0, unsafe { op.of.set_op.stat }),
                _ => (std::ptr::null_mut(), 0, std::ptr::null_mut()),
            };
            let result = zoo_op_result_t {
                err: ZOK,
                value,
                valuelen,
                stat,
            };
            // SAFETY: the module's.
            unsafe { self.first.add(at).write(result) }
        }
    }

    /// Fills in what became of each, and gives the code of the whole.
    unsafe fn fill(self, outcome: Outcome) -> c_int {
        let outcomes = match outcome {
            Ok(Answer::Multi(outcomes)) if outcomes.len() == self.count => outcomes,
            Ok(_) => return unsafe { self.fill_all(ZMARSHALLINGERROR) },
            Err(code) => return unsafe { self.fill_all(code) },
        };
        let mut first_error = ZOK;
        for (at, outcome) in outcomes.into_iter().enumerate() {
            // SAFETY: the module's.
            let result = unsafe { &mut *self.first.add(at) };
            match outcome {
                MultiOutcome::Created(path) | MultiOutcome::CreatedWithStat(path, _) => unsafe {
                    put_text(&path, result.value, result.valuelen);
                },
                MultiOutcome::Set(stat) => unsafe { put(result.stat, Stat::from(&stat)) },
                MultiOutcome::Failed(code) => result.err = code.map_or(ZOK, |code| code.number()),
                MultiOutcome::Deleted | MultiOutcome::Checked => {}
            }
            if first_error == ZOK {
                first_error = result.err;
            }
        }
        first_error
    }

    unsafe fn fill_all(self, code: c_int) -> c_int {
        for at in 0..self.count {
            // SAFETY: the module's.
            unsafe { (*self.first.add(at)).err = code };
        }
        code
    }
}

/// The handle, the request and the place of the results.
unsafe fn transaction<'a>(
    zh: *mut zhandle_t,
    count: c_int,
    ops: *const zoo_op_t,
    results: *mut zoo_op_result_t,
) -> Result<(Arc<Handle>, Request<'a>, Results), c_int> {
    let handle = find(zh)?;
    let count = usize::try_from(count).map_err(|_| ZBADARGUMENTS)?;
    if count > 0 && (ops.is_null() || results.is_null()) {
        return Err(ZBADARGUMENTS);
    }
    // SAFETY: the module's; not NULL unless it is empty.
    let ops = match count {
        0 => &[],
        _ => unsafe { std::slice::from_raw_parts(ops, count) },
    };
    let operations: Result<Vec<_>, _> = ops.iter().map(|op| unsafe { operation(op) }).collect();
    let operations = operations?;
    if handle.is_unrecoverable() {
        return Err(ZMARSHALLINGERROR);
    }
    let results = Results {
        first: results,
        count,
    };
    // SAFETY: the module's.
    unsafe { results.prepare(ops) };
    Ok((handle, Request::Multi(operations), results))
}

/// All operations or none; the results are there when the completion is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_amulti(
    zh: *mut zhandle_t,
    count: c_int,
    ops: *const zoo_op_t,
    results: *mut zoo_op_result_t,
    completion: VoidCompletion,
    data: *const c_void,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, request, results) = unsafe { transaction(zh, count, ops, results) }?;
        let data = Opaque::new(data);
        let tell = move |outcome| {
            // SAFETY: the module's; the completion is the program's own.
            unsafe {
                let code = { results }.fill(outcome);
                if let Some(completion) = completion {
                    completion(code, data.get());
                }
            }
        };
        handle.ask(request, Box::new(tell))
    })
}

/// All operations or none; waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_multi(
    zh: *mut zhandle_t,
    count: c_int,
    ops: *const zoo_op_t,
    results: *mut zoo_op_result_t,
) -> c_int {
    guarded(|| {
        // SAFETY: the module's.
        let (handle, request, results) = unsafe { transaction(zh, count, ops, results) }?;
        match unsafe { results.fill(handle.wait(request)) } {
            ZOK => Ok(()),
            code => Err(code),
        }
    })
}
