//! What documents and manifests say about the repository is true.

use super::source::{File, Tree};
use super::{Violation, allows, catches, holds};

const FRONT_DOCUMENTS: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
];

/// Where a relative path in a document may start.
const BASES: [&str; 2] = ["", "core/src/"];

/// Endings that make a backticked word without a slash the name of a file.
const FILE_ENDINGS: [&str; 5] = [".rs", ".md", ".toml", ".txt", ".c"];

/// Folders that exist on a user's machine, not in the repository.
const ELSEWHERE: [&str; 4] = ["target/", "data/", "./data", "version-2/"];

fn missing_files(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| FRONT_DOCUMENTS.contains(&file.path.as_str()))
    {
        for (offset, path) in mentioned_paths(&file.text) {
            let is_name = !path.contains('/') && tree.has_name(path);
            if !is_name && !BASES.iter().any(|base| tree.has(&format!("{base}{path}"))) {
                let message = format!("`{path}` does not exist");
                violations.push(Violation::at(&file.path, file.line_of(offset), &message));
            }
        }
    }
    violations
}

/// Backticked words and link targets that look like paths of the repository, with their offsets.
fn mentioned_paths(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let mut paths = Vec::new();
    for (number, piece) in text.split('`').enumerate() {
        if number % 2 == 1 && is_path(piece) {
            paths.push((at, piece));
        }
        at += piece.len() + 1;
    }
    for (offset, _) in text.match_indices("](") {
        let target = text[offset + 2..].split(')').next().unwrap_or_default();
        if !target.contains("://") && !target.starts_with('#') {
            paths.push((offset, target));
        }
    }
    paths
}

fn is_path(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let looks = word.contains('/') || FILE_ENDINGS.iter().any(|ending| word.ends_with(ending));
    let inside = !word.starts_with('/') && !ELSEWHERE.iter().any(|folder| word.starts_with(folder));
    looks && inside && word.chars().all(plain) && word.contains(|c: char| c.is_ascii_lowercase())
}

#[test]
fn files_that_documents_mention_exist() {
    let planted = [
        "see `core/src/nowhere/`",
        "see `nothing.rs`",
        "see [this](gone.md)",
    ];
    for text in planted {
        catches(missing_files, &[("README.md", text)]);
    }
    let paths = "`README.md`, `mod.rs`, `/a/b`, `target/debug/x`, `a b/c`, `I/O`";
    let innocent = format!("{paths}, [x](https://a/b) and [y](README.md)");
    let tree = Tree::planted(&[("README.md", &innocent), ("core/src/tree/mod.rs", "")]);
    assert_eq!(missing_files(&tree), []);
    holds(missing_files);
}

fn missing_front_documents(tree: &Tree) -> Vec<Violation> {
    let missing = FRONT_DOCUMENTS.iter().filter(|path| !tree.has(path));
    missing
        .map(|path| Violation::at(path, 1, "is not there"))
        .collect()
}

#[test]
fn the_front_documents_are_there() {
    let without_readme: Vec<(&str, &str)> = FRONT_DOCUMENTS[1..]
        .iter()
        .map(|path| (*path, ""))
        .collect();
    let violations = missing_front_documents(&Tree::planted(&without_readme));
    assert_eq!(violations, [Violation::at("README.md", 1, "is not there")]);
    holds(missing_front_documents);
}

fn unlinted_crates(tree: &Tree) -> Vec<Violation> {
    let manifests = tree
        .files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    let unlinted = manifests.filter(|file| !file.text.contains("[lints]\nworkspace = true"));
    let message = "the workspace's lints are not taken over";
    unlinted
        .map(|file| Violation::at(&file.path, 1, message))
        .collect()
}

#[test]
fn every_crate_takes_the_workspaces_lints() {
    catches(
        unlinted_crates,
        &[("core/Cargo.toml", "[package]\nname = \"a\"\n")],
    );
    allows(
        unlinted_crates,
        &[("core/Cargo.toml", "[lints]\nworkspace = true\n")],
    );
    holds(unlinted_crates);
}

/// The crates that reach users; what the tests use spares no one else anything.
const SHIPPED: [&str; 5] = [
    "core/",
    "server/",
    "ffi-c/",
    "bindings-python/",
    "bindings-node/",
];

fn unexplained_dependencies(tree: &Tree) -> Vec<Violation> {
    let shipped = |file: &&File| {
        SHIPPED
            .iter()
            .any(|folder| file.path == format!("{folder}Cargo.toml"))
    };
    tree.files
        .iter()
        .filter(shipped)
        .flat_map(unexplained)
        .collect()
}

fn unexplained(manifest: &File) -> Vec<Violation> {
    let mut section = "";
    let mut explained = false;
    let mut violations = Vec::new();
    for (index, line) in manifest.text.lines().enumerate() {
        let is_dependency =
            section == "[dependencies]" && line.contains(" = ") && !line.starts_with("zoowarden");
        if is_dependency && !line.starts_with(' ') && !explained {
            let message = "a dependency without a sentence above it: what does it spare us?";
            violations.push(Violation::at(&manifest.path, index + 1, message));
        }
        if line.starts_with('[') {
            section = line;
        }
        explained = line.starts_with('#');
    }
    violations
}

#[test]
fn every_dependency_has_its_sentence() {
    let planted = "[dependencies]\n# Why.\na = \"1\"\nb = { version = \"1\" }\n";
    catches(unexplained_dependencies, &[("core/Cargo.toml", planted)]);
    let innocent = concat!(
        "[dependencies]\n# Why.\na = \"1\"\n",
        "zoowarden = { workspace = true }\n",
        "[dev-dependencies]\nb = \"1\"\n"
    );
    allows(
        unexplained_dependencies,
        &[("core/Cargo.toml", innocent), ("tests/Cargo.toml", planted)],
    );
    holds(unexplained_dependencies);
}
