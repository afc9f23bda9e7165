//! A C toolchain for tests: the library laid out as it is installed, programs compiled against it.
//!
//! A missing compiler fails the test, with the command that brings it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The longest that one program may run.
const RUN_SECONDS_MAX: &str = "600";

/// Every warning is an error.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-O1"];

/// What the static library needs of the system.
const STATIC_NEEDS: [&str; 6] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl"];

#[derive(Clone, Copy)]
pub struct Language {
    pub name: &'static str,
    compiler: &'static str,
    flags: &'static [&'static str],
}

pub const C99: Language = Language {
    name: "c",
    compiler: "cc",
    flags: &["-std=c99", "-D_POSIX_C_SOURCE=200809L"],
};

/// The same files, as C++.
pub const CPP17: Language = Language {
    name: "cpp",
    compiler: "c++",
    flags: &["-x", "c++", "-std=c++17"],
};

#[derive(Clone, Copy, Debug)]
pub enum Library {
    Shared,
    Static,
}

/// A folder for this test's results, below the build's.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("ffi-c")
        .join(name);
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}

/// The library as `install.sh` lays it out.
fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = folder("prefix");
        let test = std::env::current_exe().expect("a running program has a path");
        let built = test.parent().expect("built into a folder");
        let mut install = Command::new("sh");
        install.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh"));
        succeed(install.arg(&prefix).arg(built));
        prefix
    })
}

/// Compiles one file of this crate, or an absolute one.
pub fn compile(source: &str, language: Language, library: Library) -> PathBuf {
    // One at a time: compilers are hungry, and two tests may want the same program.
    static COMPILING: Mutex<()> = Mutex::new(());
    let _one = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
    let (prefix, lib) = (prefix(), prefix().join("lib"));
    let stem = Path::new(source).file_stem().expect("a file has a name");
    let name = format!("{}-{}-{library:?}", stem.to_string_lossy(), language.name);
    let program = folder("programs").join(name);
    let mut command = Command::new(language.compiler);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(STRICT)
        .args(language.flags)
        .arg("-I")
        .arg(prefix.join("include"))
        .arg(source)
        // A library is no source, whatever the language flag said.
        .args(["-x", "none", "-o"])
        .arg(&program);
    match library {
        Library::Shared => {
            let path = format!("-Wl,-rpath,{}", lib.display());
            command
                .arg("-L")
                .arg(&lib)
                .args(["-lzoowarden_c", "-lpthread", &path]);
        }
        Library::Static => {
            command.arg(lib.join("libzoowarden_c.a")).args(STATIC_NEEDS);
        }
    }
    succeed(&mut command);
    program
}

/// Runs a program, for [`RUN_SECONDS_MAX`] at most, and gives what it printed.
pub fn run(program: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("timeout");
    command.arg(RUN_SECONDS_MAX).arg(program).args(arguments);
    let output = command.output().expect("coreutils are everywhere");
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    let name = program.display();
    assert!(
        output.status.success(),
        "{name}: {}\n{said}{complained}",
        output.status
    );
    said
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The first block of the README in a language.
pub fn readme_block(language: &str) -> String {
    let text = include_str!("../../README.md");
    let start = text
        .split_once(&format!("```{language}\n"))
        .expect("the README has such a block");
    start
        .1
        .split_once("```")
        .expect("a block ends")
        .0
        .to_owned()
}

fn succeed(command: &mut Command) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| {
        panic!("{program}: {error}; get it by: apt-get install gcc g++ libc6-dev")
    });
    let said = text(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}",
        output.status
    );
}
