//! The C interface.

/// The version of this library as a NUL-terminated string with static lifetime: `"0.1.0"`.
#[unsafe(no_mangle)]
pub extern "C" fn zoowarden_version() -> *const std::ffi::c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}
