//! The tree of files that rules look at, and as much reading of Rust as they need.
//!
//! Invariant: `code` has as many bytes and the same line breaks as `text`; comments and the insides
//! of literals are blanked out, so a word found in it is a word of the program.

use std::path::{Path, PathBuf};

/// Folders that hold nothing written by hand.
const FOLDERS_SKIPPED: [&str; 6] = [
    "target",
    ".git",
    "data",
    "node_modules",
    "__pycache__",
    ".venv",
];

/// A text file of the repository.
pub(crate) struct File {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text without comments and literals, for Rust files; empty for others.
    pub(crate) code: String,
    /// Byte ranges of `code` that only exist under `cfg(test)`.
    test_ranges: Vec<(usize, usize)>,
    /// The whole file is a test: by its folder, or by a `cfg(test)` on its `mod` line elsewhere.
    is_test: bool,
}

/// A word found in code.
pub(crate) struct Hit {
    pub(crate) offset: usize,
    pub(crate) line: usize,
    /// Found in code that only exists under test.
    pub(crate) in_test: bool,
}

/// A function with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// All text files of the repository, or of a planted one.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    /// Planted trees have no disk behind them.
    root: Option<PathBuf>,
}

impl Tree {
    /// The repository that this test was built from.
    pub(crate) fn of_repository() -> Self {
        let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = crate_root
            .parent()
            .expect("the tests crate lies inside the repository")
            .to_owned();
        let mut paths = Vec::new();
        collect(&root, &mut paths);
        paths.sort();
        let files = paths.iter().filter_map(|path| read(&root, path)).collect();
        let tree = Self::new(files, Some(root));
        assert!(
            tree.rust().count() > 10,
            "the repository was not found where it was expected"
        );
        tree
    }

    /// A tree made of `(path, text)`.
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        Self::new(
            files
                .iter()
                .map(|(path, text)| File::new(path, text))
                .collect(),
            None,
        )
    }

    fn new(mut files: Vec<File>, root: Option<PathBuf>) -> Self {
        let tests: Vec<String> = files.iter().flat_map(File::test_modules).collect();
        for file in &mut files {
            file.is_test |= tests.iter().any(|module| {
                file.path == format!("{module}.rs") || file.path.starts_with(&format!("{module}/"))
            });
        }
        Self { files, root }
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// Whether any file is called so, wherever it lies.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.files
            .iter()
            .any(|file| file.path.rsplit('/').next() == Some(name))
    }

    /// Whether a file or folder lies at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.files
            .iter()
            .any(|file| file.path == path || file.path.starts_with(&folder))
            || self
                .root
                .as_ref()
                .is_some_and(|root| root.join(path).exists())
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be listed") {
        let path = entry
            .expect("a folder of the repository can be listed")
            .path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_symlink() || FOLDERS_SKIPPED.contains(&name.as_str()) {
            continue;
        } else if path.is_dir() {
            collect(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

/// `None` for what is not text.
fn read(root: &Path, path: &Path) -> Option<File> {
    let text = String::from_utf8(std::fs::read(path).ok()?).ok()?;
    let relative = path.strip_prefix(root).expect("collected below the root");
    Some(File::new(
        &relative.to_string_lossy().replace('\\', "/"),
        &text,
    ))
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") {
            mask(text)
        } else {
            String::new()
        };
        let test_ranges = test_ranges(&code);
        let folders: Vec<&str> = path.split('/').collect();
        let is_test = folders[0] == "tests"
            || folders[..folders.len() - 1]
                .iter()
                .any(|name| *name == "tests" || *name == "benches");
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            test_ranges,
            is_test,
        }
    }

    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }

    /// Where `word` stands in the code as a whole word, or as it is if it begins or ends with
    /// punctuation.
    pub(crate) fn hits<'a>(&'a self, word: &'a str) -> impl Iterator<Item = Hit> + 'a {
        self.code
            .match_indices(word)
            .filter_map(move |(offset, _)| {
                let before = self.code[..offset].chars().next_back();
                let after = self.code[offset + word.len()..].chars().next();
                let glued_before = word.starts_with(is_ident) && before.is_some_and(is_ident);
                let glued_after = word.ends_with(is_ident) && after.is_some_and(is_ident);
                (!glued_before && !glued_after).then(|| self.hit(offset))
            })
    }

    fn hit(&self, offset: usize) -> Hit {
        let in_range = |(start, end): &(usize, usize)| (*start..*end).contains(&offset);
        let in_test = self.is_test || self.test_ranges.iter().any(in_range);
        Hit {
            offset,
            line: self.line_of(offset),
            in_test,
        }
    }

    /// Every function that has a body, nested ones included.
    pub(crate) fn functions(&self) -> Vec<Function> {
        self.hits("fn")
            .filter_map(|hit| self.function(&hit))
            .collect()
    }

    fn function(&self, hit: &Hit) -> Option<Function> {
        let rest = self.code[hit.offset + 2..].trim_start();
        let name: String = rest.chars().take_while(|c| is_ident(*c)).collect();
        if name.is_empty() {
            return None;
        }
        let open = body_start(&self.code, hit.offset)?;
        let close = matching_brace(&self.code, open)?;
        Some(Function {
            name,
            line: hit.line,
            lines: self.line_of(close) - hit.line + 1,
        })
    }

    /// Paths (without `.rs`) of the modules that this file declares in other files under
    /// `cfg(test)`.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let declared = self.test_ranges.iter().filter_map(|(start, end)| {
            let item = self.code[*start..*end].trim().strip_suffix(';')?;
            let (_, name) = item.rsplit_once("mod ")?;
            Some(format!("{folder}/{}", name.trim()))
        });
        declared.collect()
    }
}

pub(crate) fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The items that follow a `#[cfg(test)]` or a `#[test]`, from the attribute to the closing brace
/// or semicolon.
fn test_ranges(code: &str) -> Vec<(usize, usize)> {
    let attributes = ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[tokio::test"];
    let starts = attributes
        .iter()
        .flat_map(|attribute| code.match_indices(attribute));
    starts
        .map(|(start, _)| (start, item_end(code, start)))
        .collect()
}

/// The end of the item that begins at `start`, its attributes included.
fn item_end(code: &str, start: usize) -> usize {
    match body_start(code, start) {
        Some(open) => matching_brace(code, open).map_or(code.len(), |close| close + 1),
        None => code[start..]
            .find(';')
            .map_or(code.len(), |semicolon| start + semicolon + 1),
    }
}

/// The first `{` after `from` that no bracket encloses, unless a `;` comes first.
fn body_start(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0;
    for (offset, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(offset),
            _ => {}
        }
    }
    None
}

fn matching_brace(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (offset, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(offset),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Blanks comments and the insides of literals, byte for byte; line breaks stay.
pub(crate) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = opaque_end(bytes, at);
        for byte in code[at..end].iter_mut().filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code)
        .expect("whole literals and comments are blanked, so characters stay whole")
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none does.
fn opaque_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_ident = at > 0 && is_ident_byte(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment_len(rest),
        [b'"', ..] => at + string_len(rest),
        [b'\'', ..] => at + char_len(rest),
        [b'r', b'"' | b'#', ..] if !after_ident => at + raw_string_len(rest),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !after_ident => match raw_string_len(&rest[1..]) {
            0 => at,
            len => at + 1 + len,
        },
        _ => at,
    }
}

fn is_ident_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Block comments nest.
fn block_comment_len(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn string_len(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a character literal, or 1 for the tick of a lifetime.
fn char_len(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|byte| *byte == b'\'');
        return end.map_or(rest.len(), |end| end + 4);
    }
    // One character of up to four bytes, then a tick; a lifetime has no tick behind its first
    // character.
    let width = rest.get(1).map_or(1, |first| match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    });
    if rest.get(1 + width) == Some(&b'\'') {
        width + 2
    } else {
        1
    }
}

/// The length of `r"..."` or `r#"..."#`, or 0 for a raw identifier.
fn raw_string_len(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let mut closing = vec![b'"'];
    closing.resize(hashes + 1, b'#');
    let body = &rest[2 + hashes..];
    let end = body
        .windows(closing.len())
        .position(|window| window == closing);
    end.map_or(rest.len(), |end| 2 + hashes + end + closing.len())
}

#[test]
fn masking_keeps_lines_and_hides_comments_and_literals() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("f(\"x\\\"y\") + z", "f(      ) + z"),
        ("let q = r#\"a\"b\"#; k", "let q =         ; k"),
        ("br\"ab\" z", "       z"),
        ("r#type + x", "r#type + x"),
        (
            "<'a> '\"' 'é' '\\'' '\\u{1}' z",
            "< a>                    z",
        ),
        ("\"a\nb\" c", "  \n   c"),
    ];
    for (text, code) in cases {
        let masked = mask(text);
        assert_eq!(
            masked.split_whitespace().collect::<Vec<_>>(),
            code.split_whitespace().collect::<Vec<_>>()
        );
        assert_eq!(masked.len(), text.len(), "{text}");
        assert_eq!(
            masked.matches('\n').count(),
            text.matches('\n').count(),
            "{text}"
        );
    }
}

#[test]
fn functions_are_found_with_their_length() {
    let generic = "fn a<T>(x: [u8; 2]) -> T\nwhere\n    T: Fn(),\n{\n    if x { y }\n}\n";
    let text = format!("{generic}trait T {{ fn b(); }}\n");
    let found = Tree::planted(&[("core/src/a.rs", &text)]).files[0].functions();
    let found: Vec<_> = found
        .iter()
        .map(|f| (f.name.as_str(), f.line, f.lines))
        .collect();
    assert_eq!(found, [("a", 1, 6)]);
}

#[test]
fn test_code_is_told_from_the_program() {
    let inline = "#[cfg(test)]\nmod tests { fn b() { x } }\n";
    let text = format!("fn a() {{ x }}\n{inline}#[cfg(test)]\nmod other;\nfn c() {{ x }}");
    let other = "fn d() { x }";
    let tree = Tree::planted(&[
        ("core/src/tree/acl.rs", &text),
        ("core/src/tree/acl/other.rs", other),
    ]);
    let flags = |file: &File| file.hits("x").map(|hit| hit.in_test).collect::<Vec<_>>();
    assert_eq!(flags(&tree.files[0]), [false, true, false]);
    assert_eq!(flags(&tree.files[1]), [true]);
}
