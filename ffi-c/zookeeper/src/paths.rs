//! Which paths are sent, and which are refused before: the rules of ZooKeeper's C client.
//!
//! They are looser than the server's (`zoowarden::proto::path`), which has the last word.

use std::ffi::{CStr, c_char};

/// What a C program passed as a path, as text; bytes that are not UTF-8 are replaced.
///
/// # Safety
/// `path` is NULL or ends in NUL.
pub(crate) unsafe fn path_text(path: *const c_char, sequential: bool) -> Option<String> {
    // SAFETY: the caller's promise.
    let path = unsafe { text(path) }?;
    is_valid(&path, sequential).then_some(path)
}

/// What a C program passed as a text; `None` for NULL.
///
/// # Safety
/// `text` is NULL or ends in NUL.
pub(crate) unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

/// Absolute, no empty or relative part, no control characters. The server appends a number to the
/// name of a sequential znode, so its last part may be empty or made of dots.
pub(crate) fn is_valid(path: &str, sequential: bool) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    if rest.is_empty() {
        return true;
    }
    if rest.bytes().any(|byte| byte < 0x1f) {
        return false;
    }
    let (parents, last) = rest.rsplit_once('/').unwrap_or(("", rest));
    let parents_are_valid = parents.is_empty() && !rest.starts_with('/')
        || parents.split('/').all(|part| !is_empty_or_relative(part));
    parents_are_valid && (sequential || !is_empty_or_relative(last))
}

fn is_empty_or_relative(part: &str) -> bool {
    matches!(part, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    /// What Debian's library says, by the transcript.
    #[test]
    fn the_rules_are_those_of_the_c_client() {
        let never = [
            "",
            "a",
            "//",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/./a",
            "/../a",
            "/a/\u{1}",
            "/a/\u{1e}",
            "//a",
        ];
        let sequential_only = ["/a/", "/.", "/..", "/a/.", "/a/..", "/a/b/"];
        let always = [
            "/",
            "/a",
            "/a/.b",
            "/a/..b",
            "/a/b.",
            "/a/...",
            "/a/ b",
            "/a/\u{1f}",
            "/ä",
        ];
        for path in never {
            assert_eq!(
                (is_valid(path, false), is_valid(path, true)),
                (false, false),
                "{path:?}"
            );
        }
        for path in sequential_only {
            assert_eq!(
                (is_valid(path, false), is_valid(path, true)),
                (false, true),
                "{path:?}"
            );
        }
        for path in always {
            assert_eq!(
                (is_valid(path, false), is_valid(path, true)),
                (true, true),
                "{path:?}"
            );
        }
    }
}
