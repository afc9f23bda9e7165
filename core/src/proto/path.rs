//! The rules a path must obey, and how it falls into parts.

/// Most components a path may have. ZooKeeper has no such limit but its frame size; here it keeps
/// every walk down and up the tree short enough for any thread's stack.
pub const DEPTH_MAX: usize = 400;

/// Why a string is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing at all.
    #[error("path is empty")]
    Empty,
    /// The first character is another one.
    #[error("path does not start with /")]
    NotAbsolute,
    /// The last character is `/`.
    #[error("path ends with /")]
    TrailingSlash,
    /// `//`
    #[error("path has an empty component")]
    EmptyComponent,
    /// `.` or `..`
    #[error("path has a relative component")]
    RelativeComponent,
    /// A control, private-use, surrogate or special character, or one beyond the BMP.
    #[error("path has the forbidden character U+{0:04X}")]
    Character(u32),
    /// More than [`DEPTH_MAX`] components.
    #[error("path has more than {DEPTH_MAX} components")]
    TooDeep,
}

/// Checks every rule of ZooKeeper's `PathUtils.validatePath`.
pub fn validate(path: &str) -> Result<(), PathError> {
    match path.as_bytes() {
        [] => return Err(PathError::Empty),
        [b'/'] => return Ok(()),
        [b'/', .., b'/'] => return Err(PathError::TrailingSlash),
        [b'/', ..] => {}
        _ => return Err(PathError::NotAbsolute),
    }
    let mut depth = 0;
    for component in path[1..].split('/') {
        depth += 1;
        match component {
            "" => return Err(PathError::EmptyComponent),
            "." | ".." => return Err(PathError::RelativeComponent),
            _ => {}
        }
        if let Some(c) = component.chars().find(|c| is_forbidden(*c)) {
            return Err(PathError::Character(u32::from(c)));
        }
    }
    if depth > DEPTH_MAX {
        Err(PathError::TooDeep)
    } else {
        Ok(())
    }
}

/// Characters of rule 8 of the reference. A Java string holds anything beyond the BMP as two
/// surrogates, which are forbidden, so it is forbidden too.
fn is_forbidden(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fff0}'..='\u{ffff}'
            | '\u{10000}'..
    )
}

/// The parent of a path with at least one `/`, and the name in it: `/a/b` is `b` in `/a`, and `/a`
/// is `a` in `/`. The root is the empty name in `/`.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let slash = path.rfind('/')?;
    let parent = if slash == 0 { "/" } else { &path[..slash] };
    Some((parent, &path[slash + 1..]))
}

/// The components from the root down; none for the root.
pub fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|component| !component.is_empty())
}

/// The path itself, then its parent, up to and including the root.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match *path {
        "/" => None,
        path => split(path).map(|(parent, _)| parent),
    })
}

#[cfg(test)]
mod tests {
    use super::{DEPTH_MAX, PathError, ancestors, components, split, validate};

    #[test]
    fn rules_of_path_utils_hold() {
        for good in [
            "/",
            "/a",
            "/a/b",
            "/...",
            "/.a/a.",
            "/a b",
            "/ä/€",
            "/\u{fdff}",
        ] {
            assert_eq!(validate(good), Ok(()), "{good:?}");
        }
        let deep = "/a".repeat(DEPTH_MAX);
        assert_eq!(validate(&deep), Ok(()));
        let bad = [
            ("", PathError::Empty),
            ("a", PathError::NotAbsolute),
            ("/a/", PathError::TrailingSlash),
            ("//", PathError::TrailingSlash),
            ("/a//b", PathError::EmptyComponent),
            ("/a/./b", PathError::RelativeComponent),
            ("/..", PathError::RelativeComponent),
            ("/a\0", PathError::Character(0)),
            ("/\u{1}", PathError::Character(1)),
            ("/\u{85}", PathError::Character(0x85)),
            ("/\u{e000}", PathError::Character(0xe000)),
            ("/\u{fffd}", PathError::Character(0xfffd)),
            ("/\u{1f600}", PathError::Character(0x1f600)),
            (&format!("{deep}/b"), PathError::TooDeep),
        ];
        for (path, error) in bad {
            assert_eq!(validate(path), Err(error), "{path:?}");
        }
    }

    #[test]
    fn paths_fall_into_parts() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("/"), Some(("/", "")));
        assert_eq!(split("a"), None);
        assert_eq!(components("/a/b").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(components("/").count(), 0);
        assert_eq!(ancestors("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(ancestors("/").collect::<Vec<_>>(), ["/"]);
    }
}
