//! What C hands over, read once at the door.
//!
//! Invariants: a null pointer where something must stand is BadArguments; nothing here keeps a
//! pointer; what cannot be checked (that a pointer which is not null points to what its type says)
//! is the caller's promise, stated in the header.

use std::ffi::{CStr, CString, c_char, c_void};
use std::time::Duration;

use zoowarden::client::{Acl, Id};

use crate::answer::zoowarden_acl;
use crate::failure::Failure;

/// Text for C: a NUL inside, which no C string can hold, becomes U+FFFD.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| {
        let without = text.replace('\0', "\u{fffd}");
        CString::new(without).expect("every NUL was replaced")
    })
}

/// A string that must be there.
///
/// # Safety
/// `pointer` is null or a NUL-terminated string that lives for `'a`.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Failure> {
    // SAFETY: as promised by the caller.
    unsafe { text_or_null(pointer, what) }?
        .ok_or_else(|| Failure::bad_arguments(format!("{what} is NULL")))
}

/// A string, or `None` for a null pointer.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn text_or_null<'a>(
    pointer: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, so it is a string, as promised by the caller.
    let text = unsafe { CStr::from_ptr(pointer) }.to_str();
    text.map(Some)
        .map_err(|_| Failure::bad_arguments(format!("{what} is not UTF-8")))
}

/// `count` elements; a null pointer is allowed only for none.
///
/// # Safety
/// `pointer` is null or the first of `count` elements that live for `'a`.
pub(crate) unsafe fn elements<'a, T>(
    pointer: *const T,
    count: usize,
    what: &str,
) -> Result<&'a [T], Failure> {
    let fits = count
        .checked_mul(size_of::<T>())
        .is_some_and(|bytes| isize::try_from(bytes).is_ok());
    if pointer.is_null() && count > 0 || !fits || !pointer.is_aligned() {
        let text = format!("{what}: {count} elements at {pointer:p}");
        return Err(Failure::bad_arguments(text));
    }
    if pointer.is_null() {
        return Ok(&[]);
    }
    // SAFETY: not null, aligned, of a size that can exist; the rest is promised by the caller.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// Data of a znode: a null pointer is null data, which ZooKeeper keeps apart from empty data.
///
/// # Safety
/// As for [`elements`].
pub(crate) unsafe fn data<'a>(
    pointer: *const c_void,
    length: usize,
) -> Result<Option<&'a [u8]>, Failure> {
    if i32::try_from(length).is_err() {
        return Err(Failure::bad_arguments(format!(
            "{length} bytes of data are too many"
        )));
    }
    // SAFETY: as promised by the caller.
    let bytes = unsafe { elements(pointer.cast::<u8>(), length, "data") }?;
    Ok((!pointer.is_null()).then_some(bytes))
}

/// An access control list; a null pointer is `world:anyone:cdrwa`. An empty one is taken as it is, for
/// the server to refuse.
///
/// # Safety
/// As for [`elements`], and every scheme and id is null or a string.
pub(crate) unsafe fn acl(pointer: *const zoowarden_acl, count: usize) -> Result<Vec<Acl>, Failure> {
    // SAFETY: as promised by the caller.
    let entries = unsafe { elements(pointer, count, "acl") }?;
    if pointer.is_null() {
        return Ok(vec![Acl::open()]);
    }
    let entry = |entry: &zoowarden_acl| {
        // SAFETY: as promised by the caller.
        let (scheme, id) = unsafe { (text(entry.scheme, "scheme")?, text(entry.id, "id")?) };
        Ok(Acl {
            perms: entry.perms,
            id: Id::new(scheme, id),
        })
    };
    entries.iter().map(entry).collect()
}

/// A place for a result; refused before anything is done if it is null.
pub(crate) struct Place<T>(*mut T);

impl<T> Place<T> {
    /// # Safety
    /// `pointer` is null or may be written until the call returns.
    pub(crate) unsafe fn required(pointer: *mut T, what: &str) -> Result<Place<T>, Failure> {
        if pointer.is_null() || !pointer.is_aligned() {
            return Err(Failure::bad_arguments(format!("{what} is NULL")));
        }
        Ok(Place(pointer))
    }

    /// A null pointer says that the result is not wanted.
    ///
    /// # Safety
    /// As for [`Place::required`].
    pub(crate) unsafe fn optional(pointer: *mut T) -> Place<T> {
        Place(if pointer.is_aligned() {
            pointer
        } else {
            std::ptr::null_mut()
        })
    }

    pub(crate) fn is_wanted(&self) -> bool {
        !self.0.is_null()
    }

    /// Writes without reading what was there, which may be uninitialised.
    pub(crate) fn put(&self, value: T) {
        if self.is_wanted() {
            // SAFETY: not null, aligned, and writable by the promise made when it was created.
            unsafe { self.0.write(value) };
        }
    }
}

/// Makes a result `nothing`. The first statement of every entry that has one, before the guard: what
/// is refused, in a forked process too, leaves no place as it was.
///
/// # Safety
/// `pointer` is null or writable.
pub(crate) unsafe fn empty<T>(pointer: *mut T, nothing: T) {
    // SAFETY: as promised by the caller.
    unsafe { Place::optional(pointer) }.put(nothing);
}

/// Copies `text` and a NUL to a buffer of `capacity` bytes, and tells how long the text is.
///
/// # Safety
/// `buffer` is null or has `capacity` writable bytes; `length` is null or writable.
pub(crate) unsafe fn put_text(
    text: &str,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> Result<(), Failure> {
    // SAFETY: as promised by the caller.
    unsafe { Place::optional(length) }.put(text.len());
    if buffer.is_null() || capacity <= text.len() {
        let needed = text.len() + 1;
        let text = format!("the buffer has {capacity} bytes, {needed} are needed");
        return Err(Failure::bad_arguments(text));
    }
    // SAFETY: `capacity` bytes are writable and more than the text is long.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), text.len());
        buffer.add(text.len()).write(0);
    }
    Ok(())
}

/// How long a call may wait: `None` is for ever.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) timeout_ms: u32,
}

/// `timeout_ms` of a function that waits: as long as it takes.
pub const ZOOWARDEN_FOREVER: u32 = u32::MAX;

impl Patience {
    /// Zero stands for `usual_ms`.
    pub(crate) fn new(timeout_ms: u32, usual_ms: u32) -> Patience {
        Patience {
            timeout_ms: if timeout_ms == 0 {
                usual_ms
            } else {
                timeout_ms
            },
        }
    }

    pub(crate) fn limit(self) -> Option<Duration> {
        (self.timeout_ms != ZOOWARDEN_FOREVER)
            .then(|| Duration::from_millis(u64::from(self.timeout_ms)))
    }

    pub(crate) fn late(self) -> Failure {
        Failure::late(self.timeout_ms)
    }
}
