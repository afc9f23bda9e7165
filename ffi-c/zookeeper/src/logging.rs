//! What the library says for itself: levels, a stream or a callback, and `log_message`.
//!
//! What does not live here: the variadic end, which is `log.c`.
//!
//! Invariant: `logLevel` is read and written by C only. A program that is not position independent
//! owns the object by a copy relocation, and code generation in Rust may assume otherwise.

use std::ffi::{CString, c_char, c_int};
use std::sync::atomic::AtomicI32;

use libc::FILE;

use crate::handle::{self, zhandle_t};

/// Receives one finished line, without a line end; the text lives for the call only.
pub type LogCallback = Option<unsafe extern "C" fn(message: *const c_char)>;

/// `ZooLogLevel`: what is worth saying.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub(crate) enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
}

/// The greatest level that is said; 0 is silence. INFO until told otherwise.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is ZooKeeper's")]
pub static logLevel: AtomicI32 = AtomicI32::new(Level::Info as i32);

unsafe extern "C" {
    fn zoowarden_log_level() -> c_int;
    fn zoowarden_set_log_level(level: c_int);
    fn zoowarden_log_stream() -> *mut FILE;
    fn zoowarden_set_log_stream(stream: *mut FILE);
    fn zoowarden_log_message(
        callback: LogCallback,
        level: c_int,
        line: c_int,
        function: *const c_char,
        format: *const c_char,
        ...
    );
}

/// Says one line if the level asks for it. `function` is the C function that the user called.
pub(crate) fn say(callback: LogCallback, level: Level, line: u32, function: &str, text: &str) {
    // SAFETY: reads an int.
    if (level as c_int) > unsafe { zoowarden_log_level() } {
        return;
    }
    let (Ok(function), Ok(text)) = (CString::new(function), CString::new(text)) else {
        return;
    };
    let line = c_int::try_from(line).unwrap_or(c_int::MAX);
    // SAFETY: all three texts end in NUL, and the format takes one of them.
    unsafe {
        zoowarden_log_message(
            callback,
            level as c_int,
            line,
            function.as_ptr(),
            c"%s".as_ptr(),
            text.as_ptr(),
        );
    }
}

/// Chooses what is said, for the whole process: 0 (nothing) to 4 (`ZOO_LOG_LEVEL_DEBUG`).
/// Anything else is 4, for the enum is unsigned.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_set_debug_level(level: c_int) {
    let level = if level < 0 {
        Level::Debug as c_int
    } else {
        level.min(Level::Debug as c_int)
    };
    // SAFETY: writes an int.
    unsafe { zoowarden_set_log_level(level) }
}

/// Chooses where lines without a callback go, for the whole process; NULL is stderr.
///
/// # Safety
/// `stream` is NULL or stays open for as long as the library is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zoo_set_log_stream(stream: *mut FILE) {
    // SAFETY: a pointer is stored.
    unsafe { zoowarden_set_log_stream(stream) }
}

/// Where lines without a callback go.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_get_log_stream() -> *mut FILE {
    // SAFETY: a pointer is read.
    unsafe { zoowarden_log_stream() }
}

/// The callback that lines of this handle go to, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_get_log_callback(zh: *const zhandle_t) -> LogCallback {
    handle::find(zh)
        .ok()
        .and_then(|handle| handle.log_callback())
}

/// Sends the lines of this handle to a callback; NULL gives them back to the stream.
#[unsafe(no_mangle)]
pub extern "C" fn zoo_set_log_callback(zh: *mut zhandle_t, callback: LogCallback) {
    if let Ok(handle) = handle::find(zh) {
        handle.set_log_callback(callback);
    }
}

/// `log_message(callback, level, line, function, format, ...)`, which the LOG_* macros call.
///
/// # Safety
/// As for `printf`.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn log_message() {
    core::arch::naked_asm!("jmp {}", sym zoowarden_log_message)
}

/// `log_message(callback, level, line, function, format, ...)`, which the LOG_* macros call.
///
/// # Safety
/// As for `printf`.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn log_message() {
    core::arch::naked_asm!("b {}", sym zoowarden_log_message)
}
