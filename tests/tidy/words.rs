//! What may not be written: unsafe code, unwraps, names that say nothing, places on one machine,
//! unfinished work.

use super::source::{File, Tree};
use super::{Violation, allows, catches, holds};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] = [
    "util", "utils", "common", "helper", "helpers", "misc", "types", "internal", "manager",
];

/// openraft's own word for the list of types that a user chooses.
const EMPTY_NAMES_ALLOWED: [&str; 1] = ["core/src/raft/types.rs"];

/// Generated, and full of registry addresses by nature.
const GENERATED: [&str; 2] = ["Cargo.lock", "package-lock.json"];

/// Words are put together here so that this file does not contain what it forbids.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
];

const REGISTRY_HOSTS: [&str; 7] = [
    concat!("crates", ".io/"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("pypi", ".org"),
    concat!("npmjs", ".org"),
    concat!("repo.maven", ".apache.org"),
    concat!("deb.debian", ".org"),
];

const UNFINISHED: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

fn code_hits(tree: &Tree, word: &str, message: &str, applies: fn(&str) -> bool) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.rust().filter(|file| applies(&file.path)) {
        let hits = file
            .hits(word)
            .filter(|hit| !hit.in_test || word != ".unwrap()");
        violations.extend(hits.map(|hit| Violation::at(&file.path, hit.line, message)));
    }
    violations
}

fn text_hits(
    tree: &Tree,
    words: &[&str],
    message: &str,
    counts: fn(&str, &str) -> bool,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in tree.files.iter().filter(|file| !is_generated(file)) {
        for word in words {
            for (offset, _) in file.text.match_indices(word) {
                let (before, after) = (&file.text[..offset], &file.text[offset + word.len()..]);
                if counts(before, after) {
                    let message = format!("`{word}`: {message}");
                    violations.push(Violation::at(&file.path, file.line_of(offset), &message));
                }
            }
        }
    }
    violations
}

fn is_generated(file: &File) -> bool {
    GENERATED.contains(&file.path.rsplit('/').next().unwrap_or_default())
}

fn unsafe_code(tree: &Tree) -> Vec<Violation> {
    let message = "unsafe code lives in ffi-c only";
    code_hits(tree, "unsafe", message, |path| !path.starts_with("ffi-c/"))
}

#[test]
fn unsafe_is_written_in_ffi_c_only() {
    catches(
        unsafe_code,
        &[("core/src/tree/a.rs", "fn a() { unsafe { b() } }")],
    );
    catches(
        unsafe_code,
        &[("tests/src/a.rs", "unsafe impl Send for A {}")],
    );
    let innocent = [
        ("ffi-c/src/a.rs", "unsafe {}"),
        ("core/src/lib.rs", "#![forbid(unsafe_code)] // unsafe"),
    ];
    allows(unsafe_code, &innocent);
    holds(unsafe_code);
}

fn unwraps(tree: &Tree) -> Vec<Violation> {
    let message = "return an error, or `expect` the reason why it holds";
    code_hits(tree, ".unwrap()", message, |_| true)
}

#[test]
fn unwrap_is_written_in_tests_only() {
    catches(
        unwraps,
        &[(
            "server/src/a.rs",
            "fn a() {\n    b()\n        .unwrap();\n}",
        )],
    );
    catches(
        unwraps,
        &[(
            "core/src/a.rs",
            "#[cfg(test)]\nmod tests { }\nfn a() { b().unwrap() }",
        )],
    );
    let test = "// .unwrap()\n#[cfg(test)]\nmod tests { fn a() { b().unwrap() } }";
    let single = "#[test]\nfn a() { b().unwrap() }";
    allows(
        unwraps,
        &[
            ("core/src/a.rs", test),
            ("core/src/a.rs", single),
            ("tests/src/a.rs", "b().unwrap()"),
        ],
    );
    holds(unwraps);
}

fn silent_ignores(tree: &Tree) -> Vec<Violation> {
    code_hits(
        tree,
        "#[ignore]",
        "say why: `#[ignore = \"reason\"]`",
        |_| true,
    )
}

#[test]
fn an_ignored_test_says_why() {
    catches(
        silent_ignores,
        &[("core/src/a.rs", "#[test]\n#[ignore]\nfn a() {}")],
    );
    allows(
        silent_ignores,
        &[(
            "core/src/a.rs",
            "#[test]\n#[ignore = \"needs a second disk\"]\nfn a() {}",
        )],
    );
    holds(silent_ignores);
}

fn empty_names(tree: &Tree) -> Vec<Violation> {
    let is_empty = |part: &str| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or_default());
    let files = tree
        .files
        .iter()
        .filter(|file| !EMPTY_NAMES_ALLOWED.contains(&file.path.as_str()));
    let named = files.filter(|file| file.path.split('/').any(is_empty));
    let message = "the name says nothing: call it by what is inside";
    named
        .map(|file| Violation::at(&file.path, 1, message))
        .collect()
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    for name in EMPTY_NAMES {
        let (file, folder) = (
            format!("core/src/tree/{name}.rs"),
            format!("core/src/{name}/mod.rs"),
        );
        catches(empty_names, &[(&file, ""), (&folder, "")]);
    }
    catches(
        empty_names,
        &[
            ("tests/interop/helpers.py", ""),
            ("bindings-node/src/types.ts", ""),
        ],
    );
    allows(
        empty_names,
        &[
            ("core/src/raft/types.rs", ""),
            ("core/src/tree/commons.rs", ""),
        ],
    );
    holds(empty_names);
}

fn machine_paths(tree: &Tree) -> Vec<Violation> {
    let message = "a path of one machine; ask the environment, or use a temporary directory";
    let starts = |before: &str, _: &str| {
        !before.ends_with(|c: char| c.is_alphanumeric() || "._-})".contains(c))
    };
    text_hits(tree, &MACHINE_PATHS, message, starts)
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    for path in MACHINE_PATHS {
        catches(
            machine_paths,
            &[
                (".ci/run", &format!("cd {path}x")),
                ("core/a.md", &format!("`{path}x`")),
            ],
        );
        allows(machine_paths, &[("core/a.md", &format!("$BASE{path}x"))]);
    }
    holds(machine_paths);
}

fn registry_hosts(tree: &Tree) -> Vec<Violation> {
    let message = "a registry's host; its client knows where to look";
    text_hits(tree, &REGISTRY_HOSTS, message, |_, _| true)
}

#[test]
fn no_registry_host_is_written_down() {
    for host in REGISTRY_HOSTS {
        catches(
            registry_hosts,
            &[
                (".ci/run", &format!("curl {host}/x")),
                ("core/Cargo.toml", host),
            ],
        );
        allows(registry_hosts, &[("Cargo.lock", host)]);
    }
    holds(registry_hosts);
}

fn unfinished(tree: &Tree) -> Vec<Violation> {
    let message = "finish it, or open an issue and leave it out";
    let whole_word = |before: &str, after: &str| {
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    };
    text_hits(tree, &UNFINISHED, message, whole_word)
}

#[test]
fn nothing_is_left_for_later() {
    for word in UNFINISHED {
        catches(
            unfinished,
            &[
                ("core/a.md", &format!("a {word}: b")),
                ("core/a.rs", &format!("// {word}")),
            ],
        );
        allows(
            unfinished,
            &[("core/a.rs", &format!("let {word}ist = a{word};"))],
        );
    }
    holds(unfinished);
}
