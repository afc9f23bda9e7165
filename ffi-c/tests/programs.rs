//! The C programs, the examples and the README's quick start: compiled without a warning, in every
//! language and with either library, and run.

mod toolchain;

use toolchain::{C99, CPP17, Language, Library, compile, readme_block, run};

const EXAMPLES: [&str; 5] = ["znodes", "watch", "transaction", "event_loop", "lock"];

fn run_test(name: &str, arguments: &[&str]) {
    for library in [Library::Shared, Library::Static] {
        let program = compile(&format!("tests/c/{name}.c"), C99, library);
        println!("{name} with {library:?}: {}", run(&program, arguments));
    }
}

#[test]
fn every_operation_works_in_both_forms() {
    run_test("operations", &[]);
}

#[test]
fn watches_tell_in_order_and_end_once() {
    run_test("watches", &[]);
}

#[test]
fn abuse_gets_a_code_and_never_a_crash() {
    run_test("abuse", &[]);
}

#[test]
fn a_foreign_loop_runs_the_callbacks() {
    run_test("loop", &[]);
}

#[test]
fn sessions_expire_move_and_are_renewed() {
    run_test("sessions", &[]);
}

#[test]
fn a_node_keeps_its_data_and_says_why_it_does_not_start() {
    run_test("nodes", &[]);
}

#[test]
fn locks_exclude_and_elections_elect() {
    run_test("recipes", &[]);
}

#[test]
fn limits_are_reached_told_and_left_behind() {
    run_test("limits", &[]);
}

#[test]
fn a_thousand_clients_and_nodes_leave_nothing_behind() {
    let program = compile("tests/c/leaks.c", C99, Library::Shared);
    println!("{}", run(&program, &[]));
}

fn examples_run_as(language: Language) {
    for example in EXAMPLES {
        for library in [Library::Shared, Library::Static] {
            let program = compile(&format!("examples/{example}.c"), language, library);
            let said = run(&program, &[]);
            assert!(!said.is_empty(), "{example} says what it does");
        }
    }
}

#[test]
fn examples_run_as_c99() {
    examples_run_as(C99);
}

#[test]
fn examples_run_as_cpp17() {
    examples_run_as(CPP17);
}

#[test]
fn the_quick_start_of_the_readme_runs() {
    let code = readme_block("c");
    let body = code.lines().filter(|line| !line.starts_with("#include"));
    assert!(body.count() <= 10, "at most ten lines");
    for language in [C99, CPP17] {
        let folder = toolchain::folder("readme");
        let source = folder.join(format!("quick_start.{}", language.name));
        std::fs::write(&source, &code).expect("the source can be written");
        let source = source.to_str().expect("a path of ours is UTF-8");
        let program = compile(source, language, Library::Shared);
        assert_eq!(run(&program, &[]), "/hello\n");
    }
}

#[test]
fn the_readme_names_every_example() {
    let text = include_str!("../README.md");
    for example in EXAMPLES {
        assert!(text.contains(&format!("examples/{example}.c")), "{example}");
    }
    let listed = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"));
    assert_eq!(listed.expect("there are examples").count(), EXAMPLES.len());
}
