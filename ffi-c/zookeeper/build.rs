//! Compiles the variadic part of the logging, and gives the library its name.

fn main() {
    println!("cargo::rerun-if-changed=src/log.c");
    cc::Build::new()
        .file("src/log.c")
        .warnings(true)
        .extra_warnings(true)
        .compile("zookeeper_mt_log");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libzookeeper_mt.so.2");
}
