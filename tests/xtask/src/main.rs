//! The project's chores: `cargo xtask <task>`.
//!
//! What lives here: running every suite, one step after the other, and adding up. What does not:
//! the suites themselves.
//!
//! Invariant: nothing is left out silently, and a step that ran no test has failed.

#![forbid(unsafe_code)]

mod bench;
mod c;
mod counts;
mod data;
mod differential;
mod files;
mod fleet;
mod foreign;
mod lanes;
mod legacy;
mod npm;
mod operators;
mod package;
mod process;
mod python;
mod quick_start;
mod report;
mod sasl;
mod server;
mod tally;
mod tools;
mod zkcli;

use std::process::ExitCode;

use process::cargo;
use report::{Outcome, Report};

const HELP: &str = "\
usage: cargo xtask <task>

  bench         ours and Apache ZooKeeper side by side: `cargo xtask bench --help`
  counts        instructions of each stage of a request, by callgrind
  package       the wheel, the npm tarball, the C archive and the server's, for users
  test          everything below, and the sums
  foreign       of these, all but the first three: in two lanes, side by side
  fmt           the formatting of all sources
  lint          clippy on all targets, and on each feature of the core alone
  rust          every Rust test: unit, conformance, cluster of processes, tidy
  tidy          the house rules alone
  c             the C library as it is installed: valgrind, pkg-config, CMake
  npm           the npm package and its tests; with --write, its native declarations anew
  libzookeeper  a session of the C client
  legacy        the drop-in libzookeeper_mt.so.2 beside Debian's: the same programs say the same
  zkcli         a scripted session of zkCli.sh
  shell         the same session typed into zoowarden shell; also, with its suite, on Apache ZooKeeper
  node          a session of node-zookeeper-client
  go            a session of go-zk
  curator       a session of Apache Curator, with its recipes
  fleet         our recipes and kazoo's, then Curator's, on the same paths
  tls           our client's TLS with Apache ZooKeeper; kazoo and zkCli at our TLS port
  operators     four-letter words and admin commands, compared with Apache ZooKeeper's
  zookeeper-data  Apache ZooKeeper's data imported, served, exported, and served by it again
  differential  the same random requests to Apache ZooKeeper and to ours; further arguments are
                --long, --ensemble, --seed N, --steps N, --sequences N, --operations N
  sasl          SASL: our client and zkCli.sh, against our server and Apache ZooKeeper; and tables
                of who may do what, compared
  kazoo         the Python client's own test suite; further arguments go to pytest
  python        the Python package: its tests, its types, its stubs
  kazoo-facade  kazoo's own suite over zoowarden.compat.kazoo
  packages      every package installed into an empty environment, where the README's quick starts run
  contract      what all our bindings must do, against Apache ZooKeeper

  --reference   run a foreign suite against Apache ZooKeeper itself
  --record      zkcli with --reference, and legacy: write down what Apache's or Debian's answers as
                what we expect

ZOOWARDEN_BIN names the binary that foreign clients meet; without it the debug build is used.
ZOOKEEPER_CLASSPATH names what another Apache ZooKeeper than Debian's is made of, a newer one say:
jars with colons between.
With CI=true a missing tool is a failure.";

/// What a foreign client is run against.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Zoowarden,
    /// Apache ZooKeeper as Debian packages it: what the suites are proven on.
    Reference,
}

impl Subject {
    /// What names it on this program's command line.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Zoowarden => &[],
            Self::Reference => &["--reference"],
        }
    }
}

struct Arguments {
    subject: Subject,
    record: bool,
    /// What follows the task and is not a flag of ours.
    rest: Vec<String>,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let task = words.next().unwrap_or_default();
    let (flags, rest): (Vec<String>, Vec<String>) =
        words.partition(|word| word == "--reference" || word == "--record");
    let has = |flag: &str| flags.iter().any(|word| word == flag);
    let subject = if has("--reference") {
        Subject::Reference
    } else {
        Subject::Zoowarden
    };
    let arguments = Arguments {
        subject,
        record: has("--record"),
        rest,
    };
    let mut report = Report::default();
    if !run(&task, &arguments, &mut report) {
        eprintln!("{HELP}");
        return ExitCode::from(2);
    }
    report.print();
    if report.is_green() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What `test` runs first, in this order: these use every core by themselves.
const FIRST: &[&str] = &["fmt", "lint", "rust"];

/// What `test` runs then, both lanes at once: the packages we make, and what others make of our
/// server.
const LANES: &[&[&str]] = &[
    &[
        "c",
        "legacy",
        "npm",
        "python",
        "kazoo-facade",
        "packages",
        "contract",
    ],
    &[
        "libzookeeper",
        "zkcli",
        "shell",
        "node",
        "go",
        "curator",
        "fleet",
        "tls",
        "operators",
        "zookeeper-data",
        "differential",
        "sasl",
        "kazoo",
    ],
];

/// Runs one task; false if there is none of this name.
fn run(task: &str, arguments: &Arguments, report: &mut Report) -> bool {
    let subject = arguments.subject;
    match task {
        "test" => {
            for task in FIRST {
                run(task, arguments, report);
            }
            run("foreign", arguments, report);
        }
        "foreign" => lanes::side_by_side(LANES, subject.flags(), report),
        "fmt" => report.step("formatting", fmt),
        "lint" => report.step("lints", lint),
        "tidy" => report.step("house rules", || {
            cargo(&["test", "--workspace", "--test", "tidy"]).run_tests(tally::of_cargo)
        }),
        "rust" => report.step("Rust suites: unit, conformance, cluster, tidy", rust),
        "libzookeeper" => report.step("libzookeeper", || foreign::libzookeeper(subject)),
        "zkcli" => report.step("zkCli.sh", || zkcli::session(subject, arguments.record)),
        "shell" => {
            report.step("zoowarden shell", || zkcli::shell(Subject::Zoowarden));
            report.step("zoowarden shell on Apache ZooKeeper", || {
                zkcli::shell(Subject::Reference)
            });
        }
        "node" => report.step("node-zookeeper-client", || foreign::node(subject)),
        "go" => report.step("go-zk", || foreign::go(subject)),
        "curator" => report.step("Apache Curator", || foreign::curator(subject)),
        "fleet" => {
            report.step("mixed fleet with kazoo", || fleet::kazoo(subject));
            report.step("mixed fleet with Curator", || fleet::curator(subject));
        }
        "tls" => report.step("TLS with Apache ZooKeeper", fleet::tls),
        "operators" => report.step("operators' questions", operators::compared),
        "zookeeper-data" => report.step("Apache ZooKeeper's data, in and out", data::moved),
        "differential" => report.step("the same requests as Apache ZooKeeper", || {
            differential::differential(&arguments.rest)
        }),
        "sasl" => sasl::steps(report),
        "kazoo" => report.step("kazoo's own suite", || {
            foreign::kazoo(subject, foreign::Over::Kazoo, &arguments.rest)
        }),
        "counts" => report.step("instructions of each stage", counts::counts),
        "bench" => report.step("side by side with Apache ZooKeeper", || {
            bench::bench(&arguments.rest)
        }),
        _ => return run_of_packages(task, arguments, report),
    }
    true
}

/// The same for what proves the packages we make.
fn run_of_packages(task: &str, arguments: &Arguments, report: &mut Report) -> bool {
    match task {
        "legacy" => report.step("drop-in libzookeeper_mt", || {
            legacy::legacy(arguments.subject, arguments.record)
        }),
        "npm" => report.step("the npm package", || npm::suite(&arguments.rest)),
        "c" => report.step("C library: valgrind, pkg-config, CMake", c::library),
        "python" => report.step("the Python package", || python::suite(&arguments.rest)),
        "kazoo-facade" => report.step("kazoo's suite over the facade", || {
            python::kazoo(&arguments.rest)
        }),
        "packages" => report.step(
            "packages, and the README's quick starts",
            package::installed,
        ),
        "package" => report.step("packages", package::package),
        "contract" => {
            report.step("the bindings' contract, with Apache ZooKeeper", contract);
            report.step("the same by the Python package", python::contract);
            report.step("the same by the npm package", npm::contract);
        }
        _ => return measured(task, arguments, report),
    }
    true
}

/// What tells figures instead of passing or failing tests, and is no part of `test`.
fn measured(task: &str, arguments: &Arguments, report: &mut Report) -> bool {
    match task {
        "bench" => report.step("side by side with Apache ZooKeeper", || {
            bench::bench(&arguments.rest)
        }),
        "counts" => report.step("instructions of each stage", counts::counts),
        _ => return false,
    }
    true
}

fn fmt() -> Outcome {
    match tools::missing(&[tools::RUSTFMT]) {
        Some(missing) => missing,
        None => cargo(&["fmt", "--all", "--check"]).run_check(),
    }
}

fn lint() -> Outcome {
    if let Some(missing) = tools::missing(&[tools::CLIPPY]) {
        return missing;
    }
    let strict = ["--", "--deny", "warnings"];
    let core = ["clippy", "--package", "zoowarden", "--no-default-features"];
    let all = cargo(&["clippy", "--workspace", "--all-targets"])
        .args(&strict)
        .run_check();
    let bare = || cargo(&core).args(&strict).run_check();
    let client = || {
        cargo(&core)
            .args(&["--features", "client"])
            .args(&strict)
            .run_check()
    };
    let server = || {
        cargo(&core)
            .args(&["--features", "server"])
            .args(&strict)
            .run_check()
    };
    all.and_then(bare).and_then(client).and_then(server)
}

/// Rust and C. Our own ensembles are met by the bindings' test suites; here the same steps meet the
/// model.
fn contract() -> Outcome {
    server::with_server(Subject::Reference, |server| {
        cargo(&[
            "test",
            "--workspace",
            "--test",
            "bindings",
            "--test",
            "contract",
            "--",
            "--ignored",
        ])
        .env("ZOOWARDEN_CONTRACT_HOSTS", &server.address)
        .run_tests(tally::of_cargo)
    })
}

/// The binary comes first: the cluster suites start it.
fn rust() -> Outcome {
    let suites = || cargo(&["test", "--workspace", "--no-fail-fast"]).run_tests(tally::of_cargo);
    server::build().and_then(suites)
}
