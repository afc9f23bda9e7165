//! The committed header is what cbindgen makes of this crate.

#[test]
fn the_committed_header_is_the_generated_one() {
    let root = env!("CARGO_MANIFEST_DIR");
    let config = cbindgen::Config::from_root_or_default(root);
    let bindings = cbindgen::generate_with_config(root, config).expect("the crate parses");
    let mut generated = Vec::new();
    bindings.write(&mut generated);
    let generated = String::from_utf8(generated).expect("a header is text");
    // What Rust's documentation calls safety is what a C function requires.
    let generated = generated.replace("// # Safety\n// ", "// Requires: ");
    let path = format!("{root}/include/zoowarden.h");
    if std::env::var_os("ZOOWARDEN_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("the header can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/zoowarden.h is out of date: run \
         `ZOOWARDEN_WRITE_HEADER=1 cargo test -p zoowarden-ffi-c` and commit it"
    );
}
