//! Answers on their way to C: into completions, and into what a waiting caller passed.
//!
//! Invariants: texts and vectors come from malloc, because C frees them; what a completion is given
//! is freed when it returns; an answer that does not fit its request is ZMARSHALLINGERROR.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use bytes::Bytes;
use zoowarden::client::{Acl, Answer};

use crate::calls::{Outcome, Tell};
use crate::codes::{ZMARSHALLINGERROR, ZOK};
use crate::records::{
    ACL, ACL_vector, Id, Stat, String_vector, allocate_ACL_vector, allocate_String_vector,
    deallocate_ACL_vector, deallocate_String_vector,
};

/// `void_completion_t`
pub type VoidCompletion = Option<unsafe extern "C" fn(rc: c_int, data: *const c_void)>;
/// `stat_completion_t`
pub type StatCompletion =
    Option<unsafe extern "C" fn(rc: c_int, stat: *const Stat, data: *const c_void)>;
/// `data_completion_t`
pub type DataCompletion = Option<
    unsafe extern "C" fn(
        rc: c_int,
        value: *const c_char,
        value_len: c_int,
        stat: *const Stat,
        data: *const c_void,
    ),
>;
/// `strings_completion_t`
pub type StringsCompletion =
    Option<unsafe extern "C" fn(rc: c_int, strings: *const String_vector, data: *const c_void)>;
/// `strings_stat_completion_t`
pub type StringsStatCompletion = Option<
    unsafe extern "C" fn(
        rc: c_int,
        strings: *const String_vector,
        stat: *const Stat,
        data: *const c_void,
    ),
>;
/// `string_completion_t`
pub type StringCompletion =
    Option<unsafe extern "C" fn(rc: c_int, value: *const c_char, data: *const c_void)>;
/// `string_stat_completion_t`
pub type StringStatCompletion = Option<
    unsafe extern "C" fn(rc: c_int, value: *const c_char, stat: *const Stat, data: *const c_void),
>;
/// `acl_completion_t`
pub type AclCompletion = Option<
    unsafe extern "C" fn(rc: c_int, acl: *mut ACL_vector, stat: *mut Stat, data: *const c_void),
>;

/// A pointer of the program that travels to the callback thread and back to the program.
#[derive(Clone, Copy)]
pub(crate) struct Opaque(*const c_void);

// SAFETY: the pointer is not followed; the program knows on which thread it gets it back.
unsafe impl Send for Opaque {}

impl Opaque {
    pub(crate) fn new<T>(pointer: *const T) -> Opaque {
        Opaque(pointer.cast())
    }

    pub(crate) fn get(self) -> *const c_void {
        self.0
    }
}

// --- what answers hold ---------------------------------------------------------------------------

pub(crate) fn to_path(answer: Answer) -> Result<(String, Option<Stat>), c_int> {
    match answer {
        Answer::Path(path) => Ok((path, None)),
        Answer::Created(path, stat) => Ok((path, Some(Stat::from(&stat)))),
        _ => Err(ZMARSHALLINGERROR),
    }
}

pub(crate) fn to_stat(answer: Answer) -> Result<Stat, c_int> {
    match answer {
        Answer::Stat(stat) => Ok(Stat::from(&stat)),
        _ => Err(ZMARSHALLINGERROR),
    }
}

pub(crate) fn to_data(answer: Answer) -> Result<(Option<Bytes>, Stat), c_int> {
    match answer {
        Answer::Data(data, stat) => Ok((data, Stat::from(&stat))),
        _ => Err(ZMARSHALLINGERROR),
    }
}

pub(crate) fn to_names(answer: Answer) -> Result<(Vec<String>, Option<Stat>), c_int> {
    match answer {
        Answer::Children(names, stat) => Ok((names, stat.as_ref().map(Stat::from))),
        _ => Err(ZMARSHALLINGERROR),
    }
}

pub(crate) fn to_acl(answer: Answer) -> Result<(Vec<Acl>, Stat), c_int> {
    match answer {
        Answer::Acl(acl, stat) => Ok((acl, Stat::from(&stat))),
        _ => Err(ZMARSHALLINGERROR),
    }
}

impl From<&zoowarden::client::Stat> for Stat {
    fn from(stat: &zoowarden::client::Stat) -> Stat {
        Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            ephemeralOwner: stat.ephemeral_owner,
            dataLength: stat.data_length,
            numChildren: stat.num_children,
            pzxid: stat.pzxid,
        }
    }
}

// --- into what the caller passed -----------------------------------------------------------------

/// Writes `value` if the caller wants it.
///
/// # Safety
/// `into` is NULL or may be written.
pub(crate) unsafe fn put<T>(into: *mut T, value: T) {
    if !into.is_null() {
        // SAFETY: the caller's promise.
        unsafe { into.write(value) }
    }
}

/// Copies a text, cut to the room there is, closed with NUL.
///
/// # Safety
/// `room` is NULL or has `len` bytes.
pub(crate) unsafe fn put_text(text: &str, room: *mut c_char, len: c_int) {
    let Ok(room_len @ 1..) = usize::try_from(len) else {
        return;
    };
    if room.is_null() {
        return;
    }
    let len = text.len().min(room_len - 1);
    // SAFETY: `len` and the NUL fit into the room.
    unsafe {
        text.as_ptr()
            .cast::<c_char>()
            .copy_to_nonoverlapping(room, len);
        room.add(len).write(0);
    }
}

/// Copies data, cut to the room there is. `len` tells the room and then what was copied; -1 is null.
///
/// # Safety
/// `len` may be read and written; `room` is NULL or has that many bytes.
pub(crate) unsafe fn put_data(data: Option<&Bytes>, room: *mut c_char, len: *mut c_int) {
    let Some(data) = data else {
        // SAFETY: the caller's promise.
        return unsafe { len.write(-1) };
    };
    // SAFETY: the caller's promise.
    let space = unsafe { usize::try_from(len.read()).unwrap_or(0) };
    let copied = if room.is_null() {
        0
    } else {
        space.min(data.len())
    };
    // SAFETY: `copied` bytes fit; it came from an int.
    unsafe {
        data.as_ptr()
            .cast::<c_char>()
            .copy_to_nonoverlapping(room, copied);
        len.write(c_int::try_from(copied).unwrap_or(c_int::MAX));
    }
}

/// A text in memory from malloc; NULL if there is none left.
fn text_from_malloc(text: &str) -> *mut c_char {
    // SAFETY: the room is as long as the text and its NUL.
    unsafe {
        let room: *mut c_char = libc::malloc(text.len() + 1).cast();
        if !room.is_null() {
            text.as_ptr()
                .cast::<c_char>()
                .copy_to_nonoverlapping(room, text.len());
            room.add(text.len()).write(0);
        }
        room
    }
}

/// A vector of texts that `deallocate_String_vector` frees.
pub(crate) fn strings_from_malloc(names: &[String]) -> String_vector {
    let mut vector = String_vector {
        count: 0,
        data: null_mut(),
    };
    let count = i32::try_from(names.len()).unwrap_or(i32::MAX);
    // SAFETY: the vector is ours; it has as many elements as it says.
    unsafe {
        allocate_String_vector(&raw mut vector, count);
        for (at, name) in names
            .iter()
            .enumerate()
            .take(usize::try_from(vector.count).unwrap_or(0))
        {
            vector.data.add(at).write(text_from_malloc(name));
        }
    }
    vector
}

/// A list of permissions that `deallocate_ACL_vector` frees.
pub(crate) fn acl_from_malloc(list: &[Acl]) -> ACL_vector {
    let mut vector = ACL_vector {
        count: 0,
        data: null_mut(),
    };
    let count = i32::try_from(list.len()).unwrap_or(i32::MAX);
    // SAFETY: the vector is ours; it has as many elements as it says.
    unsafe {
        allocate_ACL_vector(&raw mut vector, count);
        for (at, entry) in list
            .iter()
            .enumerate()
            .take(usize::try_from(vector.count).unwrap_or(0))
        {
            let id = Id {
                scheme: text_from_malloc(&entry.id.scheme),
                id: text_from_malloc(&entry.id.id),
            };
            vector.data.add(at).write(ACL {
                perms: entry.perms,
                id,
            });
        }
    }
    vector
}

// --- into completions ----------------------------------------------------------------------------

/// What `convert` makes of an outcome, and the code to tell.
fn converted<T>(outcome: Outcome, convert: fn(Answer) -> Result<T, c_int>) -> (c_int, Option<T>) {
    match outcome.and_then(convert) {
        Ok(value) => (ZOK, Some(value)),
        Err(code) => (code, None),
    }
}

fn pointer<T>(value: Option<&T>) -> *const T {
    value.map_or(null(), std::ptr::from_ref)
}

/// A text closed with NUL; what follows a NUL inside is lost, as C would lose it.
fn c_text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

// SAFETY of all below: the function is the program's own, called with what its type promises.

pub(crate) fn to_void_completion(completion: VoidCompletion, data: *const c_void) -> Tell {
    let data = Opaque::new(data);
    Box::new(move |outcome| {
        let code = outcome.err().unwrap_or(ZOK);
        if let Some(completion) = completion {
            unsafe { completion(code, data.get()) }
        }
    })
}

pub(crate) fn to_stat_completion(completion: StatCompletion, data: *const c_void) -> Tell {
    let data = Opaque::new(data);
    Box::new(move |outcome| {
        let (code, stat) = converted(outcome, to_stat);
        if let Some(completion) = completion {
            unsafe { completion(code, pointer(stat.as_ref()), data.get()) }
        }
    })
}

pub(crate) fn to_data_completion(completion: DataCompletion, data: *const c_void) -> Tell {
    let context = Opaque::new(data);
    Box::new(move |outcome| {
        let (code, found) = converted(outcome, to_data);
        let (data, stat) = found.map_or((None, None), |(data, stat)| (Some(data), Some(stat)));
        let (value, len) = match &data {
            Some(Some(bytes)) => {
                let len = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
                (bytes.as_ptr().cast(), len)
            }
            Some(None) => (null(), -1),
            None => (null(), 0),
        };
        if let Some(completion) = completion {
            unsafe { completion(code, value, len, pointer(stat.as_ref()), context.get()) }
        }
    })
}

pub(crate) fn to_strings_completion(completion: StringsCompletion, data: *const c_void) -> Tell {
    let data = Opaque::new(data);
    Box::new(move |outcome| {
        let (code, found) = converted(outcome, to_names);
        let mut strings = found.map(|(names, _)| strings_from_malloc(&names));
        if let Some(completion) = completion {
            unsafe { completion(code, pointer(strings.as_ref()), data.get()) }
        }
        if let Some(strings) = &mut strings {
            unsafe { deallocate_String_vector(strings) };
        }
    })
}

pub(crate) fn to_strings_stat_completion(
    completion: StringsStatCompletion,
    data: *const c_void,
) -> Tell {
    let data = Opaque::new(data);
    Box::new(move |outcome| {
        let (code, found) = converted(outcome, to_names);
        let stat = found.as_ref().and_then(|(_, stat)| *stat);
        let mut strings = found.map(|(names, _)| strings_from_malloc(&names));
        if let Some(completion) = completion {
            let (strings, stat) = (pointer(strings.as_ref()), pointer(stat.as_ref()));
            unsafe { completion(code, strings, stat, data.get()) }
        }
        if let Some(strings) = &mut strings {
            unsafe { deallocate_String_vector(strings) };
        }
    })
}

pub(crate) fn to_string_completion(completion: StringCompletion, data: *const c_void) -> Tell {
    let data = Opaque::new(data);
    Box::new(move |outcome| {
        let (code, found) = converted(outcome, to_path);
        let path = found.map(|(path, _)| c_text(&path));
        if let Some(completion) = completion {
            let path = path.as_ref().map_or(null(), |path| path.as_ptr());
            unsafe { completion(code, path, data.get()) }
        }
    })
}

pub(crate) fn to_string_stat_completion(
    completion: StringStatCompletion,
    data: *const c_void,
) -> Tell {
    let data = Opaque::new(data);
    Box::new(move |outcome| {
        let (code, found) = converted(outcome, to_path);
        let stat = found.as_ref().and_then(|(_, stat)| *stat);
        let path = found.map(|(path, _)| c_text(&path));
        if let Some(completion) = completion {
            let path = path.as_ref().map_or(null(), |path| path.as_ptr());
            unsafe { completion(code, path, pointer(stat.as_ref()), data.get()) }
        }
    })
}

pub(crate) fn to_acl_completion(completion: AclCompletion, data: *const c_void) -> Tell {
    let data = Opaque::new(data);
    Box::new(move |outcome| {
        let (code, found) = converted(outcome, to_acl);
        let mut stat = found.as_ref().map(|(_, stat)| *stat);
        let mut acl = found.map(|(acl, _)| acl_from_malloc(&acl));
        if let Some(completion) = completion {
            let acl = acl.as_mut().map_or(null_mut(), std::ptr::from_mut);
            let stat = stat.as_mut().map_or(null_mut(), std::ptr::from_mut);
            unsafe { completion(code, acl, stat, data.get()) }
        }
        if let Some(acl) = &mut acl {
            unsafe { deallocate_ACL_vector(acl) };
        }
    })
}
