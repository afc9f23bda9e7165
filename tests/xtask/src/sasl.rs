//! SASL with others: our client (`tests/interop/sasl`) and Java's, against our server and Apache
//! ZooKeeper; and who may do what on both (`tests/interop/permissions`). kazoo's and C's have steps of
//! their own.

use std::io::Write;
use std::path::Path;

use super::Subject;
use super::process::{Run, cargo, target};
use super::report::{Outcome, Report};
use super::server::{Server, with_secured_server};
use super::tally::{self, Tally};
use super::tools;
use super::zkcli::{ZKCLI, first_difference};

const USERS: &str = "Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  \
    user_bob=\"bobsecret\"\n  user_j\u{fc}rgen=\"p\u{e4}ss\"\n  \
    user_\u{142}uk=\"za\u{17c}\u{f3}\";\n};\n";

/// All of it.
pub(crate) fn steps(report: &mut Report) {
    report.step("SASL", || sasl(Subject::Zoowarden));
    report.step("SASL with Apache ZooKeeper", || sasl(Subject::Reference));
    report.step("who may do what, as with Apache ZooKeeper", permissions);
}

/// Our client and Java's against one server.
fn sasl(subject: Subject) -> Outcome {
    if let Some(missing) = tools::missing(&[tools::JAVA, tools::ZKCLI]) {
        return missing;
    }
    // The whole workspace's features, as the server is built.
    let built = cargo(&["build", "--workspace", "--example", "sasl"]).run_check();
    built.and_then(|| {
        with_secured_server(subject, Some(USERS), |server| {
            Run::new(target().join("debug/examples/sasl"))
                .args(&[&server.address])
                .run_tests(tally::of_plain)
                .and_then(|| zkcli(server))
        })
    })
}

/// `tests/interop/permissions`: with the schemes that have to be asked for, and without.
fn permissions() -> Outcome {
    let built = cargo(&["build", "--workspace", "--example", "permissions"]).run_check();
    let compared = |users: Option<&str>, which: &str| {
        with_secured_server(Subject::Reference, users, |real| {
            with_secured_server(Subject::Zoowarden, users, |ours| {
                Run::new(target().join("debug/examples/permissions"))
                    .args(&[real.address.as_str(), ours.address.as_str(), which])
                    .run_tests(tally::of_plain)
            })
        })
    };
    built
        .and_then(|| compared(Some(USERS), "all"))
        .and_then(|| compared(None, "lists"))
}

/// Who types, what is typed, and what of the answers counts.
struct Session {
    who: &'static str,
    password: Option<&'static str>,
    typed: &'static str,
    said: &'static str,
}

/// Each is one test; later ones find what earlier ones left.
const SESSIONS: [Session; 3] = [
    Session {
        who: "a user",
        password: Some("bobsecret"),
        typed: "whoami\ncreate /cli x auth::cdrwa\ngetAcl /cli\nget /cli\nquit\n",
        said: "WatchedEvent state:SyncConnected type:None path:null\n\
               WatchedEvent state:SaslAuthenticated type:None path:null\n\
               'sasl,'bob\n: cdrwa\nCreated /cli\nip: 127.0.0.1\nsasl: bob\nx\n\
               WatchedEvent state:Closed type:None path:null",
    },
    Session {
        who: "a user with a wrong password",
        password: Some("wrong"),
        typed: "get /cli\nquit\n",
        said: "WatchedEvent state:SyncConnected type:None path:null\n\
               WatchedEvent state:AuthFailed type:None path:null",
    },
    Session {
        who: "nobody",
        password: None,
        typed: "get /cli\ncreate /other x auth::cdrwa\nquit\n",
        said: "WatchedEvent state:SyncConnected type:None path:null\n\
               Acl is not valid : /other\nInsufficient permission : /cli\n\
               KeeperErrorCode = InvalidACL for /other\n\
               WatchedEvent state:Closed type:None path:null",
    },
];

fn zkcli(server: &Server) -> Outcome {
    let mut tally = Tally::default();
    for session in &SESSIONS {
        let said = converse(server, session).map(|said| first_difference(session.said, &said));
        match said {
            Ok(None) => tally.passed += 1,
            Ok(Some(difference)) => {
                println!("FAILED: zkCli.sh as {}: {difference}", session.who);
                tally.failed += 1;
            }
            Err(error) => {
                println!("FAILED: zkCli.sh as {}: {error}", session.who);
                tally.failed += 1;
            }
        }
    }
    println!("{tally}");
    Outcome::Ran(tally)
}

/// What zkCli.sh says, without what it says for itself.
fn converse(server: &Server, session: &Session) -> std::io::Result<String> {
    let folder = target().join("interop/sasl");
    std::fs::create_dir_all(&folder)?;
    let typed = folder.join("typed");
    std::fs::write(&typed, session.typed)?;
    let mut flags = "-Duser.language=en".to_owned();
    if let Some(password) = session.password {
        let login = login_file(&folder, password)?;
        flags = format!("{flags} -Djava.security.auth.login.config={login}");
    }
    let run = Run::new(ZKCLI)
        .args(&["-server", &server.address])
        .stdin(std::fs::File::open(&typed)?)
        .env("LC_ALL", "C")
        .env("CLIENT_JVMFLAGS", flags);
    let (stdout, stderr) = run.capture()?;
    let chatter = [
        "",
        "WATCHER::",
        "Welcome to ZooKeeper!",
        "JLine support is disabled",
        "Auth scheme: User",
        // Which of the two depends on when a refused client hears of it.
        "Not connected",
        "KeeperErrorCode = AuthFailed for /cli",
    ];
    let starts = [
        "Connecting to ",
        "SLF4J:",
        "log4j:",
        "Picked up ",
        "/usr/bin/java",
    ];
    let lines = stdout.lines().chain(stderr.lines());
    let kept = lines.filter(|line| {
        !chatter.contains(line) && !starts.iter().any(|start| line.starts_with(start))
    });
    Ok(ordered(kept))
}

/// Events and messages are written by other threads and to another stream than answers: states of
/// the beginning first, then the rest in the order of the alphabet, the end last.
fn ordered<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let rank = |line: &&str| match *line {
        line if line.contains("state:SyncConnected") => 0,
        line if line.contains("state:SaslAuthenticated") => 1,
        line if line.contains("state:AuthFailed") => 1,
        line if line.contains("state:Closed") => 3,
        _ => 2,
    };
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_by_key(|line| (rank(line), *line));
    lines.join("\n")
}

fn login_file(folder: &Path, password: &str) -> std::io::Result<String> {
    let path = folder.join("client.conf");
    let mut file = std::fs::File::create(&path)?;
    writeln!(
        file,
        "Client {{ org.apache.zookeeper.server.auth.DigestLoginModule required\n  \
         username=\"bob\" password=\"{password}\"; }};"
    )?;
    Ok(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_stand_where_they_belong() {
        let lines = [
            "y",
            "a state:Closed",
            "b state:SyncConnected",
            "c state:AuthFailed",
            "x",
        ];
        let want = "b state:SyncConnected\nc state:AuthFailed\nx\ny\na state:Closed";
        assert_eq!(ordered(lines.into_iter()), want);
    }
}
