//! Pieces of records: texts and buffers that C programs own, and one byte order.

use std::ffi::{c_char, c_int, c_void};

/// `struct buffer`: bytes with their number; -1 is null, which differs from empty.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct buffer {
    /// Number of bytes, or -1.
    pub len: i32,
    /// From malloc, or NULL.
    pub buff: *mut c_char,
}

/// Frees a text and forgets it.
///
/// # Safety
/// `text` points at NULL or at a text from malloc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn deallocate_String(text: *mut *mut c_char) {
    // SAFETY: the caller's promise; freeing NULL does nothing.
    unsafe {
        if let Some(text) = text.as_mut() {
            libc::free(text.cast::<c_void>());
            *text = std::ptr::null_mut();
        }
    }
}

/// Frees the bytes of a buffer and forgets them.
///
/// # Safety
/// `bytes` points at a buffer whose bytes are NULL or from malloc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn deallocate_Buffer(bytes: *mut buffer) {
    // SAFETY: the caller's promise; freeing NULL does nothing.
    unsafe {
        if let Some(bytes) = bytes.as_mut() {
            libc::free(bytes.buff.cast::<c_void>());
            bytes.buff = std::ptr::null_mut();
        }
    }
}

/// A number in the byte order of the wire: most significant byte first.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_htonll(number: i64) -> i64 {
    number.to_be()
}

/// What a record's member needs when the record is given back.
pub(crate) trait Deallocate {
    /// Frees what the member owns; what it was is forgotten.
    ///
    /// # Safety
    /// Every pointer inside is NULL or from malloc.
    unsafe fn deallocate(&mut self);
}

impl Deallocate for i32 {
    unsafe fn deallocate(&mut self) {}
}

impl Deallocate for i64 {
    unsafe fn deallocate(&mut self) {}
}

impl Deallocate for *mut c_char {
    unsafe fn deallocate(&mut self) {
        // SAFETY: the trait's promise.
        unsafe { deallocate_String(self) }
    }
}

impl Deallocate for buffer {
    unsafe fn deallocate(&mut self) {
        // SAFETY: the trait's promise.
        unsafe { deallocate_Buffer(self) }
    }
}

/// Memory for `count` zeroed elements; NULL if `count` is not positive or there is no memory.
pub(crate) fn allocate_elements<T>(count: i32) -> *mut T {
    let Ok(count @ 1..) = usize::try_from(count) else {
        return std::ptr::null_mut();
    };
    // SAFETY: calloc checks the product and gives zeroed memory or NULL.
    unsafe { libc::calloc(count, size_of::<T>()).cast() }
}

/// Frees the elements of a vector, each and all.
///
/// # Safety
/// `data` is NULL or holds `count` elements, and comes from malloc, as all inside.
pub(crate) unsafe fn deallocate_elements<T: Deallocate>(count: i32, data: &mut *mut T) -> c_int {
    if !data.is_null() {
        for at in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: the caller's promise.
            unsafe { (*data.add(at)).deallocate() };
        }
        // SAFETY: the caller's promise.
        unsafe { libc::free(data.cast()) };
        *data = std::ptr::null_mut();
    }
    0
}
