//! What programs were linked and compiled with stays: names, kinds and sizes of symbols, layouts.

mod program;

use std::collections::BTreeMap;
use std::process::Command;

use program::{compiler, library, root, run};

/// Symbols of `tests/symbols.txt`: name, and whether it is a function, a number or an object.
fn promised() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("tests/symbols.txt")).expect("it is there");
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs
        .map(|(kind, name)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// Symbols of the library, in the same words.
fn exported() -> BTreeMap<String, String> {
    let table = run(Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library()));
    let symbol = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let kind = match words.next()? {
            "T" => "function",
            "R" => "number",
            "D" | "B" => "object",
            other => other,
        };
        Some((words.next()?.to_owned(), kind.to_owned()))
    };
    table.lines().filter_map(symbol).collect()
}

#[test]
fn the_library_exports_the_200_symbols_of_the_original_and_no_more() {
    let promised = promised();
    assert_eq!(promised.len(), 200);
    assert_eq!(exported(), promised);
}

/// Programs that are not position independent carry a copy of each object, of its size.
#[test]
fn objects_that_programs_copy_have_the_sizes_of_the_original() {
    let table = run(Command::new("nm")
        .args(["-D", "-S", "--defined-only"])
        .arg(library()));
    let mut seen = 0;
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, size, kind, name] = words[..] else {
            continue;
        };
        if kind == "T" {
            continue;
        }
        let want = if kind == "R" || name == "logLevel" {
            4
        } else {
            16
        };
        assert_eq!(u64::from_str_radix(size, 16), Ok(want), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 36);
}

#[test]
fn the_library_has_the_name_that_programs_look_for() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(library()));
    assert!(
        dynamic.contains("Library soname: [libzookeeper_mt.so.2]"),
        "{dynamic}"
    );
    assert!(
        !dynamic.contains("SYMBOLIC"),
        "programs could not own objects:\n{dynamic}"
    );
}

#[test]
fn layouts_in_the_headers_are_those_that_programs_were_compiled_with() {
    let layout = root().join("tests/layout.c");
    run(compiler().args(["-c", "-o", "/dev/null"]).arg(layout));
}

#[test]
fn headers_compile_as_c99_without_a_warning() {
    for threaded in ["-DTHREADED", "-UTHREADED"] {
        let mut command = compiler();
        command.args([
            threaded,
            "-std=c99",
            "-pedantic",
            "-fsyntax-only",
            "-x",
            "c",
        ]);
        run(command.arg(root().join("tests/includes.h")));
    }
}
