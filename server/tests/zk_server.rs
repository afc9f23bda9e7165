//! `zkServer.sh`: the same answers and exit codes as ZooKeeper's script, around our server. The
//! lines were taken from Apache ZooKeeper 3.8.0 as Debian packages it, whose script was run on the
//! same files.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/zkServer.sh")
}

/// A folder with a zoo.cfg; a server that the test leaves behind is killed.
struct Room {
    dir: TempDir,
    port: u16,
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.pid_file().exists() {
            self.run(&["stop"], &[]);
        }
    }
}

impl Room {
    fn new() -> Room {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let cfg = format!(
            "tickTime=2000\ndataDir = {}  \nclientPort={port}\nclientPortAddress=127.0.0.1\n",
            dir.path().join("data").display()
        );
        let room = Room { dir, port };
        room.write("zoo.cfg", &cfg);
        room
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).expect("the test's own folder");
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.path().join("data/zookeeper_server.pid")
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(script())
            .args(arguments)
            .env("ZOOWARDEN", env!("CARGO_BIN_EXE_zoowarden"))
            .env("ZOOCFGDIR", self.dir.path())
            .env("ZOO_LOG_DIR", self.dir.path().join("logs"))
            .env("USER", "me")
            .env_remove("ZOOCFG")
            .env_remove("ZOOPIDFILE")
            .env_remove("SERVER_JVMFLAGS")
            .env_remove("JVMFLAGS")
            .envs(variables.iter().copied())
            .output()
            .expect("the script can be run")
    }

    /// Runs a verb; gives stdout and the exit code. stderr names the file and nothing else.
    fn say(&self, arguments: &[&str]) -> (String, i32) {
        let output = self.run(arguments, &[]);
        let cfg = self.dir.path().join("zoo.cfg");
        let expected = format!("Using config: {}\n", cfg.display());
        assert_eq!(text(&output.stderr), expected);
        (text(&output.stdout), code(&output))
    }

    fn found(&self) -> String {
        let port = self.port;
        format!("Client port found: {port}. Client address: 127.0.0.1. Client SSL: false.\n")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the script prints UTF-8")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

#[test]
fn a_server_is_started_asked_restarted_and_stopped() {
    let room = Room::new();
    let error = "Error contacting service. It is probably not running.\n";
    assert_eq!(room.say(&["status"]), (room.found() + error, 1));
    let none = "Stopping zookeeper ... no zookeeper to stop (could not find file ";
    let (said, ended) = room.say(&["stop"]);
    assert_eq!(
        (said, ended),
        (format!("{none}{})\n", room.pid_file().display()), 0)
    );

    let started = "Starting zookeeper ... STARTED\n";
    assert_eq!(room.say(&["start"]), (started.to_owned(), 0));
    let pid = std::fs::read_to_string(room.pid_file()).expect("the pid file");
    let mode = "Mode: standalone\n";
    assert_eq!(room.say(&["status"]), (room.found() + mode, 0));
    let again = format!("Starting zookeeper ... already running as process {pid}.\n");
    assert_eq!(room.say(&["start"]), (again, 1));
    let stopped = "Stopping zookeeper ... STOPPED\n";
    assert_eq!(room.say(&["restart"]), (format!("{stopped}{started}"), 0));
    let later = std::fs::read_to_string(room.pid_file()).expect("the pid file");
    assert_ne!(later, pid);
    assert_eq!(room.say(&["status"]), (room.found() + mode, 0));
    assert_eq!(room.say(&["stop"]), (stopped.to_owned(), 0));
    assert!(!room.pid_file().exists());
    let logs = std::fs::read_dir(room.dir.path().join("logs")).expect("the folder was made");
    let logs = logs.map(|entry| entry.expect("it can be read").file_name());
    let logs = logs
        .map(|name| name.display().to_string())
        .collect::<Vec<_>>();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(logs[0].starts_with("zookeeper-me-server-") && logs[0].ends_with(".out"));
}

#[test]
fn a_server_that_ends_at_once_has_failed_to_start() {
    let room = Room::new();
    room.write("zoo.cfg", "dataDir=data\nclientPort=x\n");
    let cfg = room.dir.path().join("other.cfg");
    let data = room.dir.path().join("data");
    let cfg_text = format!("dataDir={}\nclientPort=x\n", data.display());
    std::fs::write(&cfg, cfg_text).expect("the test's own folder");
    let output = room.run(&["start", "other.cfg"], &[]);
    assert_eq!(
        text(&output.stdout),
        "Starting zookeeper ... FAILED TO START\n"
    );
    assert_eq!(code(&output), 1);
    let using = format!("Using config: {}\n", cfg.display());
    assert_eq!(text(&output.stderr), using);
    std::fs::remove_file(room.pid_file()).expect("it was written");
    room.write("zoo.cfg", "");
}

#[test]
fn the_client_port_is_found_where_zookeeper_keeps_it() {
    let room = Room::new();
    let dir = room.dir.path().display();
    std::fs::create_dir(room.dir.path().join("data")).expect("a new folder");
    room.write("data/myid", "2\n");
    let port = room.port;
    let line = |client: &str| format!("dataDir={dir}/data\nserver.2=h:2:3;{client}\n");
    let unfound = "Unable to find either secure or unsecure client port in any configs. \
                   Terminating.\n";
    let looking = "Client port not found. Looking for secureClientPort in the static config.\n";
    let found = |address: &str, ssl: bool| {
        format!(
            "Client port found: {port}. Client address: {address}. Client SSL: {ssl}.\n\
             Error contacting service. It is probably not running.\n"
        )
    };
    room.write("dynamic", &format!("server.2=h:2:3;127.0.0.1:{port}\n"));
    let dynamic = format!("dataDir={dir}/data\ndynamicConfigFile={dir}/dynamic\n");
    let elsewhere =
        "Client port not found in static config file. Looking in dynamic config file.\n";
    let secure = format!("secureClientPort={port}\n{}", line("").replace(';', ""));
    for (cfg, said) in [
        (line(&port.to_string()), found("localhost", false)),
        (
            line(&format!("127.0.0.1:{port}")),
            found("127.0.0.1", false),
        ),
        (line(&format!("[::1]:{port}")), found("::1", false)),
        (dynamic, elsewhere.to_owned() + &found("127.0.0.1", false)),
        (
            line("").replace(';', ""),
            format!("{elsewhere}Client port not found in the server configs\n{looking}{unfound}"),
        ),
        (
            secure,
            format!(
                "{elsewhere}Client port not found in the server configs\n{looking}{}",
                found("localhost", true)
            ),
        ),
    ] {
        room.write("zoo.cfg", &cfg);
        assert_eq!(room.say(&["status"]), (said, 1), "{cfg}");
    }
}

#[test]
fn the_other_verbs_say_what_they_would_do() {
    let room = Room::new();
    let version = room.run(&["version"], &[]);
    assert_eq!(
        text(&version.stdout),
        format!("zoowarden {}\n", env!("CARGO_PKG_VERSION"))
    );
    let (command, ended) = room.say(&["print-cmd"]);
    assert_eq!(ended, 0);
    let cfg = room.dir.path().join("zoo.cfg").display().to_string();
    assert!(
        command.contains(&format!("server --config \"{cfg}\"")),
        "{command}"
    );
    let wrong = room.run(&["begin"], &[]);
    assert_eq!(code(&wrong), 1);
    let usage =
        "[--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}";
    assert!(text(&wrong.stderr).contains(usage));
    let missing = room.run(&["start"], &[("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")]);
    let data = room.dir.path().join("data").display().to_string();
    let said =
        format!("ZooKeeper data directory is missing at {data} fix the path or run initialize\n");
    assert_eq!((text(&missing.stdout), code(&missing)), (said, 1));
}

#[test]
fn in_the_foreground_the_script_becomes_the_server() {
    let room = Room::new();
    room.write("java.env", "SERVER_JVMFLAGS=-Dzookeeper.snapCount=few\n");
    let output = room.run(&["start-foreground"], &[]);
    assert_eq!(code(&output), 2, "the server's own exit code");
    assert!(text(&output.stderr).contains("zookeeper.snapCount=few"));
    let other = room.dir.path().join("elsewhere");
    std::fs::create_dir(&other).expect("a new folder");
    let output = room.run(
        &["--config", &other.display().to_string(), "start-foreground"],
        &[],
    );
    assert!(text(&output.stderr).contains("elsewhere/zoo.cfg"));
    assert_ne!(code(&output), 0);
}
