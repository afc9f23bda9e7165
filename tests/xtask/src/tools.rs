//! What a step needs from the machine, and the commands that bring it.

use std::process::{Command, Stdio};

use super::process;
use super::report::Outcome;
use super::server;

/// Something that is there or not.
pub(crate) struct Tool {
    name: &'static str,
    is_there: fn() -> bool,
    /// What to type on Debian to have it.
    bring: &'static str,
}

pub(crate) const RUSTFMT: Tool = Tool {
    name: "rustfmt",
    is_there: || answers("cargo", &["fmt", "--version"]),
    bring: "rustup component add rustfmt",
};

pub(crate) const CLIPPY: Tool = Tool {
    name: "clippy",
    is_there: || answers("cargo", &["clippy", "--version"]),
    bring: "rustup component add clippy",
};

pub(crate) const JAVA: Tool = Tool {
    name: "java",
    is_there: || answers("java", &["-version"]),
    bring: "apt-get install openjdk-17-jre-headless",
};

pub(crate) const ZKCLI: Tool = Tool {
    name: "zkCli.sh",
    is_there: || std::path::Path::new(super::zkcli::ZKCLI).exists(),
    bring: "apt-get install zookeeper",
};

pub(crate) const ZOOKEEPER: Tool = Tool {
    name: "Apache ZooKeeper",
    is_there: || has_jars(&["zookeeper"]),
    bring: "apt-get install libzookeeper-java",
};

pub(crate) const SNAPPY_JAVA: Tool = Tool {
    name: "snappy-java",
    is_there: || has_jars(&["snappy-java"]),
    bring: "apt-get install libsnappy-java libsnappy-jni",
};

pub(crate) const JETTY: Tool = Tool {
    name: "Jetty and Jackson",
    is_there: || has_jars(&["jetty9-server", "jackson-databind"]),
    bring: "apt-get install libjetty9-java libjackson2-databind-java",
};

pub(crate) const COMPILER: Tool = Tool {
    name: "a C compiler",
    is_there: || answers("cc", &["--version"]),
    bring: "apt-get install gcc libc6-dev",
};

pub(crate) const CPP_COMPILER: Tool = Tool {
    name: "a C++ compiler",
    is_there: || answers("c++", &["--version"]),
    bring: "apt-get install g++",
};

pub(crate) const VALGRIND: Tool = Tool {
    name: "valgrind",
    is_there: || answers("valgrind", &["--version"]),
    bring: "apt-get install valgrind",
};

pub(crate) const PKG_CONFIG: Tool = Tool {
    name: "pkg-config",
    is_there: || answers("pkg-config", &["--version"]),
    bring: "apt-get install pkg-config",
};

pub(crate) const CMAKE: Tool = Tool {
    name: "CMake",
    is_there: || answers("cmake", &["--version"]),
    bring: "apt-get install cmake make",
};

pub(crate) const LIBZOOKEEPER: Tool = Tool {
    name: "libzookeeper_mt",
    is_there: || std::path::Path::new("/usr/include/zookeeper/zookeeper.h").exists(),
    bring: "apt-get install libzookeeper-mt-dev",
};

pub(crate) const ZOOKEEPER_BIN: Tool = Tool {
    name: "cli_mt and load_gen",
    is_there: || std::path::Path::new("/usr/lib/zookeeper/bin/cli_mt").exists(),
    bring: "apt-get install zookeeper-bin",
};

pub(crate) const KAZOO: Tool = Tool {
    name: "kazoo and what its tests import",
    is_there: || {
        let python = process::target().join("interop/venv/bin/python");
        answers(
            &python.display().to_string(),
            &["-c", "import pytest, puresasl"],
        )
    },
    bring: "apt-get install python3-venv python3-dev gcc\n  \
            python3 -m venv target/interop/venv\n  \
            target/interop/venv/bin/pip install -r tests/interop/kazoo/requirements.txt",
};

pub(crate) const PYTHON: Tool = Tool {
    name: "Python, and what tests the Python package",
    is_there: || {
        let tools = process::target().join("python/venv/bin");
        ["pytest", "mypy", "stubtest"]
            .iter()
            .all(|tool| tools.join(tool).exists())
    },
    bring: "apt-get install python3-venv\n  \
            python3 -m venv target/python/venv\n  \
            target/python/venv/bin/pip install -r bindings-python/tests/requirements.txt",
};

pub(crate) const MATPLOTLIB: Tool = Tool {
    name: "matplotlib, which draws what was measured",
    is_there: || {
        let python = process::target().join("bench/venv/bin/python");
        answers(&python.display().to_string(), &["-c", "import matplotlib"])
    },
    bring: "apt-get install python3-venv\n  \
            python3 -m venv target/bench/venv\n  \
            target/bench/venv/bin/pip install -r tests/bench/requirements.txt",
};

pub(crate) const NODE: Tool = Tool {
    name: "node, version 20.4 or later",
    is_there: || {
        let enough = "const [major, minor] = process.versions.node.split('.'); \
                      process.exit(major > 20 || (major == 20 && minor >= 4) ? 0 : 1)";
        answers("node", &["--eval", enough])
    },
    bring: "apt-get install nodejs, or a later version from nodejs.org",
};

pub(crate) const NPM: Tool = Tool {
    name: "npm",
    is_there: || answers("npm", &["--version"]),
    bring: "apt-get install npm",
};

pub(crate) const NODE_CLIENT: Tool = Tool {
    name: "node and node-zookeeper-client",
    is_there: || {
        let package = "interop/node/node_modules/node-zookeeper-client";
        answers("node", &["--version"]) && process::target().join(package).exists()
    },
    bring: "apt-get install nodejs npm\n  \
            npm install --prefix target/interop/node node-zookeeper-client@1.1.3",
};

pub(crate) const GO: Tool = Tool {
    name: "go",
    is_there: || answers("go", &["version"]),
    bring: "apt-get install golang-go",
};

pub(crate) const JAVAC: Tool = Tool {
    name: "javac",
    is_there: || answers("javac", &["-version"]),
    bring: "apt-get install openjdk-17-jdk-headless",
};

pub(crate) const CURATOR: Tool = Tool {
    name: "Apache Curator",
    is_there: || {
        let recipes = "interop/curator/lib/curator-recipes.jar";
        process::target().join(recipes).exists()
    },
    bring: "apt-get install maven\n  \
            mvn -f tests/interop/curator/pom.xml dependency:copy-dependencies \
            -DoutputDirectory=$PWD/target/interop/curator/lib",
};

/// Whether Debian has put these jars here, or another class path than Debian's is named.
fn has_jars(names: &[&str]) -> bool {
    let has = |name: &&str| {
        let jar = format!("/usr/share/java/{name}.jar");
        std::path::Path::new(&jar).exists()
    };
    server::named_classpath().is_some() || names.iter().all(has)
}

/// The step is left out if any of these is not there.
pub(crate) fn missing(tools: &[Tool]) -> Option<Outcome> {
    let absent = tools.iter().filter(|tool| !(tool.is_there)());
    let told: Vec<String> = absent
        .map(|tool| format!("  {} is not here; get it by\n  {}", tool.name, tool.bring))
        .collect();
    if told.is_empty() {
        return None;
    }
    println!("{}", told.join("\n"));
    Some(Outcome::LeftOut(told.join("\n")))
}

fn answers(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    let quiet = command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}
