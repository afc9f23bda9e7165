//! A single server for a foreign client to meet: ours, or Apache ZooKeeper.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::Subject;
use super::process::{cargo, target};
use super::report::Outcome;
use super::tally::Tally;
use super::tools;

/// Names the class path of another Apache ZooKeeper than Debian's, a newer one say.
const CLASSPATH: &str = "ZOOKEEPER_CLASSPATH";

/// Debian's classpath: the manifest of the first leaves out what Netty needs.
const DEBIAN_CLASSPATH: &str = "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar:\
    /usr/share/java/slf4j-nop.jar:/usr/share/java/netty-codec.jar:\
    /usr/share/java/netty-resolver.jar:/usr/share/java/netty-transport-native-unix-common.jar:\
    /usr/share/java/netty-tcnative.jar";

/// What a server that takes users is told besides; the superuser's password is `test`.
const SECURED: &str = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n\
    authProvider.2=org.apache.zookeeper.server.auth.X509AuthenticationProvider\n\
    DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n";
const DEBIAN_VERSION: &str = "3.8.0";

/// The login file in a server's folder, if it has one.
const JAAS: &str = "jaas.conf";

const READY_TIME_MAX: Duration = Duration::from_secs(30);
const STOP_TIME_MAX: Duration = Duration::from_secs(15);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
const PORTS: Range<u16> = 24000..28000;
/// A prime that does not divide their number.
const PORTS_APART: usize = 97;
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const LOG_LINES_SHOWN: usize = 30;

/// A running server; dropping it kills it and removes its directory.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    subject: Subject,
    /// `127.0.0.1:port`.
    pub(crate) address: String,
}

/// What Apache ZooKeeper is made of: what `ZOOKEEPER_CLASSPATH` says, or Debian's, with those of
/// Debian's jars that a step needs besides, each with a colon in front.
pub(crate) fn reference_classpath(debian_jars: &str) -> String {
    named_classpath().unwrap_or_else(|| format!("{DEBIAN_CLASSPATH}{debian_jars}"))
}

/// The class path of another Apache ZooKeeper than Debian's.
pub(crate) fn named_classpath() -> Option<String> {
    std::env::var(CLASSPATH)
        .ok()
        .filter(|path| !path.is_empty())
}

/// The version of Apache ZooKeeper, by the name of its jar.
pub(crate) fn reference_version() -> String {
    let named = named_classpath().unwrap_or_default();
    let mut jars = named.split(':').filter_map(|jar| {
        let name = Path::new(jar).file_name()?.to_str()?;
        let version = name.strip_prefix("zookeeper-")?.strip_suffix(".jar")?;
        version.starts_with(char::is_numeric).then_some(version)
    });
    jars.next().unwrap_or(DEBIAN_VERSION).to_owned()
}

/// The binary that foreign clients meet.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("ZOOWARDEN_BIN")
        .map_or_else(|| target().join("debug/zoowarden"), PathBuf::from)
}

/// Builds the binary, unless another one is named.
pub(crate) fn build() -> Outcome {
    if std::env::var_os("ZOOWARDEN_BIN").is_some() {
        return Outcome::Ran(Tally::default());
    }
    // The whole workspace's features, so that the tests do not build everything a second time.
    cargo(&["build", "--workspace", "--bin", "zoowarden"]).run_check()
}

/// Runs `suite` against a fresh server, which must also stop cleanly when told.
pub(crate) fn with_server(subject: Subject, suite: impl FnOnce(&Server) -> Outcome) -> Outcome {
    with_secured_server(subject, None, suite)
}

/// The same, with a server that takes the SASL users of a login file with this content.
pub(crate) fn with_secured_server(
    subject: Subject,
    jaas: Option<&str>,
    suite: impl FnOnce(&Server) -> Outcome,
) -> Outcome {
    if subject == Subject::Reference
        && let Some(missing) = tools::missing(&[tools::JAVA, tools::ZOOKEEPER])
    {
        return missing;
    }
    let built = if subject == Subject::Zoowarden {
        build()
    } else {
        Outcome::Ran(Tally::default())
    };
    built.and_then(|| match Server::start(subject, jaas) {
        Ok(server) => {
            let outcome = suite(&server);
            if !matches!(outcome, Outcome::Ran(tally) if tally.failed == 0) {
                server.show_log();
            }
            outcome.and_then(|| server.stop())
        }
        Err(error) => Outcome::failed(&error),
    })
}

impl Server {
    fn start(subject: Subject, jaas: Option<&str>) -> Result<Self, String> {
        let port = free_port().ok_or_else(|| format!("no free port in {PORTS:?}"))?;
        let folder =
            std::env::temp_dir().join(format!("zoowarden-xtask-{}-{port}", std::process::id()));
        let child = configure(&folder, port, jaas)
            .and_then(|config| command(subject, &config, &folder)?.spawn())
            .map_err(|error| format!("the server does not start: {error}"))?;
        let mut server = Self {
            child,
            folder,
            subject,
            address: format!("127.0.0.1:{port}"),
        };
        server
            .wait_until_ready()
            .inspect_err(|_| server.show_log())?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let start = Instant::now();
        while !serves(&self.address) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended before it was ready: {status}"));
            }
            if start.elapsed() > READY_TIME_MAX {
                return Err(format!("the server is not ready after {READY_TIME_MAX:?}"));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// SIGTERM; our own server has to leave with code 0.
    fn stop(mut self) -> Outcome {
        let told = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        if !told.is_ok_and(|status| status.success()) {
            return Outcome::failed("the server was gone before it was told to stop");
        }
        let start = Instant::now();
        while start.elapsed() < STOP_TIME_MAX {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() || self.subject == Subject::Reference => {
                    return Outcome::Ran(Tally::default());
                }
                Ok(Some(status)) => {
                    return Outcome::failed(&format!("the server stopped with {status}"));
                }
                _ => std::thread::sleep(POLL_INTERVAL),
            }
        }
        Outcome::failed(&format!("the server did not stop within {STOP_TIME_MAX:?}"))
    }

    fn show_log(&self) {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        println!("--- the end of the server's log");
        for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
            println!("{line}");
        }
        println!("---");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Below the ephemeral range: a connect to an ephemeral port without a listener may meet itself.
/// Steps run at once, in processes whose ids are neighbours: they begin to look far from each other.
fn free_port() -> Option<u16> {
    let start = std::process::id() as usize * PORTS_APART % PORTS.len();
    let mut ports = PORTS.cycle().skip(start).take(PORTS.len());
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

fn configure(folder: &Path, port: u16, jaas: Option<&str>) -> std::io::Result<PathBuf> {
    let config = folder.join("zoo.cfg");
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let mut text = format!(
        "tickTime=2000\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
         admin.enableServer=false\n4lw.commands.whitelist=*\n",
        data.display()
    );
    if let Some(jaas) = jaas {
        std::fs::write(folder.join(JAAS), jaas)?;
        text.push_str(SECURED);
    }
    std::fs::write(&config, text)?;
    Ok(config)
}

fn command(subject: Subject, config: &Path, folder: &Path) -> std::io::Result<Command> {
    let log = File::create(folder.join("log"))?;
    let mut properties = vec!["-Dzookeeper.extendedTypesEnabled=true".to_owned()];
    let jaas = folder.join(JAAS);
    if jaas.exists() {
        let jaas = jaas.display();
        properties.push(format!("-Djava.security.auth.login.config={jaas}"));
    }
    let mut command = match subject {
        Subject::Zoowarden => {
            let mut command = Command::new(binary());
            command.arg("server").arg("--config").arg(config);
            command.args(properties);
            command
        }
        Subject::Reference => {
            let mut command = Command::new("java");
            // Java reads files in the encoding of its surroundings otherwise.
            command.args(["-cp", &reference_classpath("")]);
            command.arg("-Dfile.encoding=UTF-8");
            command.args(properties);
            command
                .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
                .arg(config);
            command
        }
    };
    command.stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

/// Whether a server at this address tells its mode, which it does only when it serves.
fn serves(address: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        stream.write_all(b"srvr")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("Mode: "))
}
