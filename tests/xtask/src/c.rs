//! The C library as its users get it: laid out, found by pkg-config and by CMake, run under valgrind.
//!
//! What lives here: what needs more than a compiler. The C programs run without all that in
//! `cargo test -p zoowarden-ffi-c`.

use std::path::{Path, PathBuf};

use super::process::{Run, cargo, root, target};
use super::report::Outcome;
use super::tools;

/// The C tests, and how often the one of leaks goes round under valgrind.
const PROGRAMS: [&str; 8] = [
    "operations",
    "watches",
    "abuse",
    "loop",
    "sessions",
    "nodes",
    "recipes",
    "leaks",
];
const LEAK_ROUNDS: &str = "20";

const STRICT: [&str; 6] = [
    "-std=c99",
    "-D_POSIX_C_SOURCE=200809L",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-g",
];

/// Errors and lost memory fail it; what the process keeps until its end does not.
const VALGRIND: [&str; 6] = [
    "--quiet",
    "--error-exitcode=9",
    "--leak-check=full",
    "--errors-for-leak-kinds=definite",
    "--show-leak-kinds=definite",
    "--fair-sched=yes",
];

pub(crate) fn library() -> Outcome {
    let needed = [
        tools::COMPILER,
        tools::CPP_COMPILER,
        tools::VALGRIND,
        tools::PKG_CONFIG,
        tools::CMAKE,
    ];
    if let Some(missing) = tools::missing(&needed) {
        return missing;
    }
    let folder = target().join("c");
    let prefix = folder.join("prefix");
    if let Err(error) = std::fs::create_dir_all(&folder) {
        return Outcome::failed(&format!("{}: {error}", folder.display()));
    }
    install(&prefix, &target().join("debug"))
        .and_then(|| with_pkg_config(&folder, &prefix))
        .and_then(|| with_cmake(&folder, &prefix))
        .and_then(|| under_valgrind(&folder, &prefix))
}

/// Builds the library and lays it out under `prefix`; `built` is the folder of build results.
pub(crate) fn install(prefix: &Path, built: &Path) -> Outcome {
    // The whole workspace's features, so that nothing is built a second time.
    let library = cargo(&["build", "--workspace", "--lib"]).run_check();
    library.and_then(|| {
        Run::new("sh")
            .args(&["ffi-c/install.sh"])
            .args(&[prefix, built])
            .run_check()
    })
}

fn pkg_config(prefix: &Path, arguments: &[&str]) -> Result<Vec<String>, Outcome> {
    let asked = Run::new("pkg-config")
        .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"))
        .args(arguments)
        .args(&["zoowarden"])
        .capture();
    match asked {
        Ok((flags, complaints)) if complaints.is_empty() && !flags.trim().is_empty() => {
            Ok(flags.split_whitespace().map(str::to_owned).collect())
        }
        Ok((_, complaints)) => Err(Outcome::failed(&format!("pkg-config: {complaints}"))),
        Err(error) => Err(Outcome::failed(&format!("pkg-config: {error}"))),
    }
}

/// Compiles a file of `ffi-c/` with what pkg-config says.
fn compile(source: &str, program: &Path, prefix: &Path, arguments: &[&str]) -> Outcome {
    let flags = match pkg_config(prefix, arguments) {
        Ok(flags) => flags,
        Err(outcome) => return outcome,
    };
    Run::new("cc")
        .args(&STRICT)
        .args(&[root().join("ffi-c").join(source)])
        .args(&[Path::new("-o"), program])
        .args(&flags)
        .args(&["-lpthread"])
        .run_check()
}

fn run(program: &Path, prefix: &Path) -> Outcome {
    Run::new(program)
        .env("LD_LIBRARY_PATH", prefix.join("lib"))
        .run_check()
}

fn with_pkg_config(folder: &Path, prefix: &Path) -> Outcome {
    let (shared, of_archive) = (folder.join("znodes-shared"), folder.join("znodes-static"));
    let source = "examples/znodes.c";
    compile(source, &shared, prefix, &["--cflags", "--libs"])
        .and_then(|| run(&shared, prefix))
        .and_then(|| {
            // The linker takes the archive if there is nothing else.
            let alone = folder.join("prefix-static");
            only_archive(prefix, &alone)
                .and_then(|| {
                    compile(
                        source,
                        &of_archive,
                        &alone,
                        &["--static", "--cflags", "--libs"],
                    )
                })
                .and_then(|| run(&of_archive, Path::new("/nowhere")))
        })
}

/// The same layout without the shared library.
fn only_archive(prefix: &Path, alone: &Path) -> Outcome {
    let copied = Run::new("sh")
        .args(&[
            "-c",
            "rm -rf \"$2\" && cp -r \"$1\" \"$2\" && rm \"$2\"/lib/*.so*",
            "sh",
        ])
        .args(&[prefix, alone]);
    copied.run_check()
}

fn with_cmake(folder: &Path, prefix: &Path) -> Outcome {
    let build: PathBuf = folder.join("cmake");
    let option = |name: &str, value: &Path| format!("-D{name}={}", value.display());
    let configured = Run::new("cmake")
        .args(&["-S", "ffi-c/tests/cmake", "-B"])
        .args(&[&build])
        .args(&[option("CMAKE_PREFIX_PATH", prefix)])
        .run_check();
    configured
        .and_then(|| {
            Run::new("cmake")
                .args(&["--build"])
                .args(&[&build])
                .run_check()
        })
        .and_then(|| Run::new(build.join("with-shared")).run_check())
        .and_then(|| Run::new(build.join("with-static")).run_check())
}

fn under_valgrind(folder: &Path, prefix: &Path) -> Outcome {
    let mut outcome = Outcome::Ran(super::tally::Tally::default());
    for name in PROGRAMS {
        let program = folder.join(name);
        let source = format!("tests/c/{name}.c");
        outcome = outcome
            .and_then(|| compile(&source, &program, prefix, &["--cflags", "--libs"]))
            .and_then(|| {
                Run::new("valgrind")
                    .env("LD_LIBRARY_PATH", prefix.join("lib"))
                    .args(&VALGRIND)
                    .args(&[&program])
                    .args(if name == "leaks" {
                        &[LEAK_ROUNDS] as &[&str]
                    } else {
                        &[]
                    })
                    .run_check()
            });
    }
    outcome
}
