//! Sets the linker arguments of a Node add-on, and has its declarations written.

use std::path::PathBuf;

fn main() {
    napi_build::setup();
    // Seen by the macros while they expand. `scripts/declarations.mjs` makes `native.d.ts` of it.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    // target/<profile>/build/<package>-<hash>/out
    let profile = out.ancestors().nth(3).expect("cargo lays it out so");
    let folder = profile.join("zoowarden-node-declarations");
    std::fs::create_dir_all(&folder).expect("the target folder can be written");
    println!(
        "cargo::rustc-env=NAPI_TYPE_DEF_TMP_FOLDER={}",
        folder.display()
    );
}
