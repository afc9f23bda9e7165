//! What operators ask, asked of Apache ZooKeeper and of our server alike: four-letter words and
//! admin commands, compared after the same work.
//!
//! usage: `operators FOLDER CLASSPATH ZOOWARDEN`. Works in FOLDER, starts one server with `java` and
//! one with ZOOWARDEN, and ends them. Numbers, ids, times and places are made equal before texts
//! are compared; of JSON the keys are compared, and what kind of value each has.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what does not work fails its check")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use zoowarden::client::ClientConfig;
use zoowarden::{Client, CreateMode, Watcher};
use zoowarden_tests::http::get;
use zoowarden_tests::process::free_port;
use zoowarden_tests::wait::until;

/// Long enough for Java on a busy machine.
const STARTS: Duration = Duration::from_secs(60);

/// Bytes of a connection's line; those of one that only asks are shorter.
const SHORT_LINE: usize = 60;

/// Compared as texts.
const WORDS: [&str; 14] = [
    "ruok", "isro", "srvr", "stat", "cons", "dump", "wchs", "wchc", "wchp", "dirs", "gtmk", "crst",
    "srst", "conf",
];

/// Compared as JSON.
const COMMANDS: [&str; 25] = [
    "crst",
    "conf",
    "cons",
    "dirs",
    "dump",
    "gtmk",
    "stmk",
    "stmk?traceMask=306",
    "icfg",
    "isro",
    "lsnp",
    "lead",
    "orst",
    "obsr",
    "ruok",
    "srvr",
    "stat",
    "srst",
    "voting_view",
    "wchc",
    "wchp",
    "wchs",
    "zabstate",
    "nonsense",
    "hash",
];

/// Keys that only one of the two has, and why.
const ALLOWED: [(&str, &str); 3] = [
    ("non_mtlslocal_conn_count", "counts what Netty does"),
    ("non_mtlsremote_conn_count", "counts what Netty does"),
    (
        "digests.0",
        "there is none before the 128th change of ZooKeeper, and one at our first epoch",
    ),
];

/// A running server; dropping it kills it.
struct Server {
    _child: Child,
    clients: SocketAddr,
    http: SocketAddr,
}

impl Server {
    fn start(folder: &Path, mut command: Command) -> Server {
        fs::create_dir_all(folder).unwrap();
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (clients, http) = (at(free_port()), at(free_port()));
        let config = folder.join("zoo.cfg");
        let text = format!(
            "tickTime=2000\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n\
             4lw.commands.whitelist=*\nadmin.enableServer=true\nadmin.serverAddress=127.0.0.1\n\
             admin.serverPort={}\n",
            folder.join("data").display(),
            clients.port(),
            http.port()
        );
        fs::write(&config, text).unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let child = command
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        Server {
            _child: child.unwrap(),
            clients,
            http,
        }
    }

    async fn client(&self) -> Client {
        let mut config = ClientConfig::new(self.clients.to_string().parse().unwrap());
        config.session_timeout_ms = 20_000;
        Client::connect_with(config).await.unwrap()
    }

    async fn word(&self, word: &str) -> String {
        let mut stream = TcpStream::connect(self.clients).await.unwrap();
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn command(&self, name: &str) -> (u16, Value) {
        let answer = get(self.http, &format!("/commands/{name}")).await.unwrap();
        (answer.status, answer.json())
    }
}

/// What must stay until all has been asked.
struct Work {
    _clients: [Client; 2],
    _watchers: Vec<Watcher>,
}

/// The same work on either: what is asked afterwards must look the same.
async fn work(server: &Server) -> Work {
    until("the server serves", STARTS, async || {
        let serving = async {
            let mut stream = TcpStream::connect(server.clients).await.ok()?;
            stream.write_all(b"isro").await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            let answers = get(server.http, "/commands/ruok").await.is_ok();
            (answer == "rw" && answers).then_some(())
        };
        serving.await
    })
    .await;
    let (a, b) = (server.client().await, server.client().await);
    for path in ["/a", "/a/b", "/q"] {
        a.create(path, b"hello", CreateMode::Persistent)
            .await
            .unwrap();
    }
    for (client, path) in [(&a, "/a/e1"), (&a, "/e2"), (&b, "/e3")] {
        client
            .create(path, b"", CreateMode::Ephemeral)
            .await
            .unwrap();
    }
    let mut watchers = Vec::new();
    for (client, path) in [(&a, "/a"), (&a, "/a/b"), (&b, "/a")] {
        let (_, _, watcher) = client.get_and_watch(path).await.unwrap();
        watchers.push(watcher);
    }
    Work {
        _clients: [a, b],
        _watchers: watchers,
    }
}

/// Sessions stand in the order of their ids, and ours are drawn at random; here in the order of what is
/// told of each, line by line below its id.
fn by_what_is_told<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut ordered = Vec::new();
    let mut sessions: Vec<Vec<&str>> = Vec::new();
    for line in lines.iter().copied().chain([""]) {
        match sessions.last_mut() {
            _ if line.starts_with("0x") => sessions.push(vec![line]),
            Some(session) if line.starts_with('\t') => session.push(line),
            _ => {
                sessions.sort_by(|one, other| one[1..].cmp(&other[1..]));
                ordered.extend(sessions.drain(..).flatten());
                ordered.push(line);
            }
        }
    }
    ordered
}

/// A text without what differs from run to run: numbers, ids, dates, places.
fn shape(text: &str) -> String {
    let mut out = String::new();
    // Who ends together with whom is a matter of time.
    let lines = text.lines().filter(|line| !line.contains(" expire at "));
    // ZooKeeper lists connections in no order.
    let (mut connections, mut lines): (Vec<_>, Vec<_>) =
        lines.partition(|line| line.starts_with(" /"));
    connections.sort_by_key(|line| line.len() < SHORT_LINE);
    lines.append(&mut connections);
    for line in by_what_is_told(&lines) {
        let line = match line.split_once(['=', ':']) {
            Some((key, _)) if key.ends_with("ersion") || key.starts_with("data") => key,
            _ => line,
        };
        // Whether a client has pinged by now is a matter of time.
        let line = line.replace("lop=PING", "lop=GETD");
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            if !c.is_ascii_digit() {
                out.push(c);
                continue;
            }
            out.push('#');
            let more = |c: &char| c.is_ascii_hexdigit() || "x.:/".contains(*c);
            while chars.next_if(more).is_some() {}
        }
        out.push('\n');
    }
    out
}

/// The keys of a value and the kinds of what they lead to; numbers among keys are made equal.
fn kinds(value: &Value, at: &str, out: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    out.insert(at.to_owned(), kind);
    match value {
        Value::Array(items) => {
            for item in items.iter().take(1) {
                kinds(item, &format!("{at}.0"), out);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let key = if key.parse::<i64>().is_ok() { "#" } else { key };
                kinds(field, &format!("{at}.{key}"), out);
            }
        }
        _ => {}
    }
}

fn compared(theirs: &Value, ours: &Value) -> Vec<String> {
    let (mut one, mut other) = (BTreeMap::new(), BTreeMap::new());
    kinds(theirs, "", &mut one);
    kinds(ours, "", &mut other);
    let keys = one.keys().chain(other.keys());
    let differing = keys.filter(|key| one.get(*key) != other.get(*key));
    let unexplained = differing.filter(|key| !ALLOWED.iter().any(|(part, _)| key.contains(part)));
    let mut unexplained = unexplained
        .map(|key| format!("{key}: {:?}, ours {:?}", one.get(key), other.get(key)))
        .collect::<Vec<_>>();
    unexplained.dedup();
    for key in ["command", "error"] {
        if theirs.get(key) != ours.get(key) {
            unexplained.push(format!("{key}: {:?}", (theirs.get(key), ours.get(key))));
        }
    }
    unexplained
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, classpath, binary] = &words[..] else {
        eprintln!("usage: operators FOLDER CLASSPATH ZOOWARDEN");
        return ExitCode::from(2);
    };
    // Nothing is left of an earlier run.
    let _ = fs::remove_dir_all(folder);
    let mut java = Command::new("java");
    java.args(["-cp", classpath]);
    java.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain");
    let mut zoowarden = Command::new(binary);
    zoowarden.args(["server", "--config"]);
    let theirs = Server::start(&Path::new(folder).join("theirs"), java);
    let ours = Server::start(&Path::new(folder).join("ours"), zoowarden);
    let _clients = (work(&theirs).await, work(&ours).await);
    let (mut passed, mut failed) = (0, 0);
    let mut tell = |what: String, differences: Vec<String>| {
        if differences.is_empty() {
            passed += 1;
            return;
        }
        failed += 1;
        println!("FAILED {what}");
        for difference in differences {
            println!("  {difference}");
        }
    };
    for word in WORDS {
        let (theirs, ours) = (theirs.word(word).await, ours.word(word).await);
        let differs = shape(&theirs) != shape(&ours);
        let texts = differs.then(|| format!("{theirs:?}\n  ours {ours:?}"));
        tell(word.to_owned(), texts.into_iter().collect());
    }
    for command in COMMANDS {
        let (theirs, ours) = (theirs.command(command).await, ours.command(command).await);
        let mut differences = compared(&theirs.1, &ours.1);
        if theirs.0 != ours.0 {
            differences.push(format!("status {}, ours {}", theirs.0, ours.0));
        }
        tell(format!("/commands/{command}"), differences);
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
