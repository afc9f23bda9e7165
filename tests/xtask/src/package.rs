//! What users install: the wheel, the npm tarball, the C archive and the server's archive, made here
//! and, for the test, installed into empty environments where the README's quick starts are run.

use std::path::{Path, PathBuf};

use super::files;
use super::npm;
use super::process::{Run, cargo, root, target};
use super::quick_start::{Block, with_readme_server};
use super::report::Outcome;
use super::tally::Tally;
use super::tools;

/// How the packages are compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// For users.
    Release,
    /// For the test: what the other steps have built already.
    Debug,
}

impl Build {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Build::Release => &["--release"],
            Build::Debug => &[],
        }
    }

    /// The folder of results in the target folder.
    pub(crate) fn folder(self) -> PathBuf {
        target().join(match self {
            Build::Release => "release",
            Build::Debug => "debug",
        })
    }

    /// Where the packages go.
    fn packages(self) -> PathBuf {
        target().join(match self {
            Build::Release => "package",
            Build::Debug => "package-debug",
        })
    }
}

fn needed() -> [tools::Tool; 5] {
    [
        tools::PYTHON,
        tools::NODE,
        tools::NPM,
        tools::COMPILER,
        tools::PKG_CONFIG,
    ]
}

/// All packages, for users.
pub(crate) fn package() -> Outcome {
    let made = make(Build::Release);
    println!(
        "the packages lie in {}",
        Build::Release.packages().display()
    );
    made
}

/// All packages, installed one by one and tried by the README.
pub(crate) fn installed() -> Outcome {
    make(Build::Debug).and_then(|| {
        with_readme_server(|server| {
            let mut outcome = Outcome::Ran(Tally::default());
            for (what, run) in QUICK_STARTS {
                println!("--- {what}");
                outcome = outcome.and_then(|| match Block::of_readme(what) {
                    Ok(block) => run(&block.with_server(server)).and_then(passed),
                    Err(error) => Outcome::failed(&error),
                });
            }
            outcome
        })
    })
}

type QuickStart = (&'static str, fn(&Block) -> Outcome);

/// By the README's headings.
const QUICK_STARTS: [QuickStart; 5] = [
    ("Shell", shell),
    ("Rust", rust),
    ("Python", python),
    ("Node", node),
    ("C", c),
];

fn passed() -> Outcome {
    Outcome::Ran(Tally::PASS)
}

fn make(build: Build) -> Outcome {
    if let Some(missing) = tools::missing(&needed()) {
        return missing;
    }
    let packages = build.packages();
    if let Err(error) = files::empty(&packages) {
        return Outcome::failed(&format!("{}: {error}", packages.display()));
    }
    // Everything at once, so that all share their dependencies.
    cargo(&["build", "--workspace"])
        .args(build.flags())
        .run_check()
        .and_then(|| tarball(build))
        .and_then(|| archives(build))
        .and_then(|| wheel(build))
}

fn wheel(build: Build) -> Outcome {
    Run::new(target().join("python/venv/bin/maturin"))
        .folder(&root().join("bindings-python"))
        .args(&["build", "--locked", "--quiet", "--out"])
        .args(&[build.packages()])
        .args(build.flags())
        .run_check()
}

fn tarball(build: Build) -> Outcome {
    npm::compiled(build).and_then(|| {
        Run::new("npm")
            .folder(&npm::package())
            .args(&["pack", "--silent", "--pack-destination"])
            .args(&[build.packages()])
            .run_check()
    })
}

/// The C archive, with the drop-in for libzookeeper beside the library, and the server's.
fn archives(build: Build) -> Outcome {
    let name = format!("zoowarden-c-{}", env!("CARGO_PKG_VERSION"));
    let folder = build.packages().join(&name);
    Run::new("sh")
        .args(&["ffi-c/install.sh"])
        .args(&[&folder, &build.folder()])
        .run_check()
        .and_then(|| {
            Run::new("sh")
                .args(&["ffi-c/zookeeper/install.sh"])
                .args(&[&folder, &build.folder()])
                .run_check()
        })
        .and_then(|| archive(&build.packages(), &name))
        .and_then(|| server(build))
}

fn server(build: Build) -> Outcome {
    let name = format!("zoowarden-{}", env!("CARGO_PKG_VERSION"));
    let folder = build.packages().join(&name);
    let files = [
        (build.folder().join("zoowarden"), "zoowarden"),
        (root().join("README.md"), "README.md"),
        (root().join("LICENSE"), "LICENSE"),
    ];
    let copied = std::fs::create_dir_all(&folder).and_then(|()| {
        files
            .iter()
            .try_for_each(|(from, to)| std::fs::copy(from, folder.join(to)).map(drop))
    });
    match copied {
        Ok(()) => archive(&build.packages(), &name),
        Err(error) => Outcome::failed(&format!("{}: {error}", folder.display())),
    }
}

/// Packs a folder, and removes it.
fn archive(packages: &Path, name: &str) -> Outcome {
    let archive = format!(
        "{name}-{}-{}.tar.gz",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    Run::new("tar")
        .folder(packages)
        .args(&[
            "--create",
            "--gzip",
            "--remove-files",
            "--file",
            &archive,
            name,
        ])
        .run_check()
}

/// The package whose name begins so.
fn find(prefix: &str, suffix: &str) -> Result<PathBuf, Outcome> {
    let packages = Build::Debug.packages();
    let entries = std::fs::read_dir(&packages).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(prefix) && name.ends_with(suffix)
        })
        .ok_or_else(|| Outcome::failed(&format!("no {prefix}*{suffix} in {}", packages.display())))
}

/// An empty folder to install into.
fn empty(name: &str) -> Result<PathBuf, Outcome> {
    let folder = target().join("quick-start").join(name);
    files::empty(&folder)
        .map(|()| folder.clone())
        .map_err(|error| Outcome::failed(&format!("{}: {error}", folder.display())))
}

/// Writes a file of the quick start.
fn write(path: &Path, text: &str) -> Result<(), Outcome> {
    std::fs::write(path, text)
        .map_err(|error| Outcome::failed(&format!("{}: {error}", path.display())))
}

fn whole(outcome: Result<Outcome, Outcome>) -> Outcome {
    outcome.unwrap_or_else(|outcome| outcome)
}

/// The commands as they stand, with the archive's binary first in the path.
fn shell(block: &Block) -> Outcome {
    whole((|| {
        let folder = empty("shell")?;
        let archive = find(
            &format!("zoowarden-{}", env!("CARGO_PKG_VERSION")),
            ".tar.gz",
        )?;
        let path = std::env::var("PATH").unwrap_or_default();
        let script = format!("set -eu\n{}", block.text);
        let unpacked = Run::new("tar")
            .folder(&folder)
            .args(&["--extract", "--strip-components=1", "--file"])
            .args(&[archive]);
        Ok(unpacked.run_check().and_then(|| {
            block.check(|| {
                Run::new("sh")
                    .folder(&folder)
                    .env("PATH", format!("{}:{path}", folder.display()))
                    .args(&["-c", &script])
            })
        }))
    })())
}

/// A crate of its own that depends on the core as a user's would.
fn rust(block: &Block) -> Outcome {
    whole((|| {
        let folder = empty("rust")?;
        let manifest = format!(
            "[package]\nname = \"quick-start\"\nedition = \"2024\"\n\n[[bin]]\n\
             name = \"quick-start\"\npath = \"main.rs\"\n\n[dependencies]\n\
             zoowarden = {{ path = \"{}\" }}\n\
             tokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n\n[workspace]\n",
            root().join("core").display()
        );
        write(&folder.join("Cargo.toml"), &manifest)?;
        write(&folder.join("main.rs"), &block.text)?;
        // The same versions as ours, so that nothing is fetched.
        let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap_or_default();
        write(&folder.join("Cargo.lock"), &lock)?;
        Ok(block.check(|| {
            cargo(&["run", "--quiet", "--manifest-path"])
                .args(&[folder.join("Cargo.toml")])
                .env("CARGO_TARGET_DIR", target())
        }))
    })())
}

fn python(block: &Block) -> Outcome {
    whole((|| {
        let folder = empty("python")?;
        let wheel = find("zoowarden-", ".whl")?;
        let python = folder.join("venv/bin/python");
        let made = Run::new("python3")
            .folder(&folder)
            .args(&["-m", "venv", "venv"])
            .run_check();
        let installed = || {
            Run::new(&python)
                .args(&["-m", "pip", "install", "--quiet", "--no-index"])
                .args(&["--disable-pip-version-check"])
                .args(&[&wheel])
                .run_check()
        };
        Ok(made.and_then(installed).and_then(|| {
            block.check(|| Run::new(&python).folder(&folder).args(&["-c", &block.text]))
        }))
    })())
}

fn node(block: &Block) -> Outcome {
    whole((|| {
        let folder = empty("node")?;
        let tarball = find("zoowarden-", ".tgz")?;
        write(&folder.join("package.json"), "{\"private\": true}\n")?;
        write(&folder.join("quick-start.mjs"), &block.text)?;
        let installed = Run::new("npm")
            .folder(&folder)
            .args(&[
                "install",
                "--silent",
                "--offline",
                "--no-audit",
                "--no-fund",
            ])
            .args(&[tarball])
            .run_check();
        Ok(installed.and_then(|| {
            block.check(|| Run::new("node").folder(&folder).args(&["quick-start.mjs"]))
        }))
    })())
}

/// Compiled by what pkg-config tells of the unpacked archive.
fn c(block: &Block) -> Outcome {
    whole((|| {
        let folder = empty("c")?;
        let archive = find("zoowarden-c-", ".tar.gz")?;
        write(&folder.join("quick_start.c"), &block.text)?;
        let unpacked = Run::new("tar")
            .folder(&folder)
            .args(&["--extract", "--strip-components=1", "--file"])
            .args(&[archive])
            .run_check();
        let compile = "cc -Wall -Wextra -Werror quick_start.c \
                       $(pkg-config --cflags --libs zoowarden) -o quick_start";
        let compiled = || {
            Run::new("sh")
                .folder(&folder)
                .env("PKG_CONFIG_PATH", folder.join("lib/pkgconfig"))
                .args(&["-c", compile])
                .run_check()
        };
        Ok(unpacked.and_then(compiled).and_then(|| {
            block.check(|| {
                Run::new(folder.join("quick_start"))
                    .folder(&folder)
                    .env("LD_LIBRARY_PATH", folder.join("lib"))
            })
        }))
    })())
}
