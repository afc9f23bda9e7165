//! How the shared library is linked: its name for the loader, and that it is never unloaded.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if linux {
        // The number changes when a program built against the header before would misbehave.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libzoowarden_c.so.0");
        // Its threads run until the process ends, so its code must stay.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
