//! C programs that use the whole interface, against a server in this process.

mod program;

use program::{root, run_against_a_server};

/// `tests/expected.txt` is what Debian's library prints; `cargo xtask legacy` compares the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_does_everything_meets_what_it_meets_with_the_original_library() {
    let said = run_against_a_server("transcript").await;
    let path = root().join("tests/expected.txt");
    let expected = std::fs::read_to_string(&path).expect("it is there");
    for (number, (said, expected)) in said.lines().zip(expected.lines()).enumerate() {
        assert_eq!(said, expected, "line {}", number + 1);
    }
    assert_eq!(said.lines().count(), expected.lines().count());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misuse_is_answered_with_a_code_and_nothing_is_left_behind() {
    let said = run_against_a_server("abuse").await;
    assert!(said.ends_with(" passed, 0 failed\n"), "{said}");
}
