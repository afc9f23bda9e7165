//! The two servers: Apache ZooKeeper and ours, with equal settings, fresh in a folder of their own.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A JVM on a busy machine takes its time.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Below those that connections begin at.
const PORTS: Range<u16> = 28_000..32_000;

/// How far apart runs that were started together begin to look for theirs.
const PORTS_OF_A_RUN: usize = 64;

/// `jute.maxbuffer` of both: small, so that its edge is cheap to reach.
pub const MAXBUFFER_BYTES: usize = 32 << 10;

/// What both are told in zoo.cfg. Nothing expires that no sequence waits for.
const FILE: &str = "clientPortAddress=127.0.0.1\nmaxClientCnxns=0\n\
    maxSessionTimeout=900000\nadmin.enableServer=false\n4lw.commands.whitelist=*\n";

/// What both are told as properties.
const PROPERTIES: [&str; 10] = [
    "zookeeper.extendedTypesEnabled=true",
    "zookeeper.enforceQuota=true",
    "zookeeper.forceSync=no",
    "zookeeper.snapCount=1000000",
    "zookeeper.preAllocSize=1024",
    // The password is `test`.
    "zookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
    "zookeeper.nio.sessionlessCnxnTimeout=30000",
    "zookeeper.globalOutstandingLimit=100000",
    // Without their providers the schemes are unknown.
    "zookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
    "zookeeper.authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider",
];

/// How often the reaper comes by: never, as far as a run is concerned.
const REAPER_INTERVAL_MS: u32 = 86_400_000;

/// The same, where znodes have to go. Apache asks again for what is not gone when it comes by again,
/// which takes a zxid.
const REAPER_INTERVAL_MS_SHORT: u32 = 300;

/// What the JVM is told: a run is over before its second compiler would pay for itself.
const JVM: [&str; 3] = ["-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Real,
    Ours,
}

/// How they are started.
#[derive(Clone, Debug)]
pub struct Programs {
    pub binary: PathBuf,
    pub classpath: String,
    /// Znodes go by themselves.
    pub reaping: bool,
}

/// A running server. Dropping it ends its process and removes its folder.
struct Server {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The ports of one server.
#[derive(Clone, Copy)]
struct Ports {
    client: u16,
    quorum: u16,
    election: u16,
}

/// What clients see as one: a single server, or an ensemble.
pub struct Service {
    servers: Vec<Server>,
}

impl Service {
    /// Starts one of so many servers, on fresh data.
    pub fn start(kind: Kind, programs: &Programs, servers: usize) -> Service {
        let ports = || Ports {
            client: free_port(),
            quorum: free_port(),
            election: free_port(),
        };
        let ports: Vec<Ports> = (0..servers).map(|_| ports()).collect();
        let servers = (0..servers).map(|place| Server::start(kind, programs, place, &ports));
        Service {
            servers: servers.collect(),
        }
    }

    /// Waits until all serve.
    pub fn ready(self) -> Service {
        Service {
            servers: self.servers.into_iter().map(Server::ready).collect(),
        }
    }

    /// Where clients connect.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.address).collect()
    }

    /// What they have written.
    pub fn log(&self) -> String {
        self.servers.iter().map(Server::log).collect()
    }
}

impl Server {
    /// Starts one on fresh data, without waiting until it serves.
    fn start(kind: Kind, programs: &Programs, place: usize, all: &[Ports]) -> Server {
        let folder = tempfile::tempdir().expect("a folder for the server");
        let port = all[place].client;
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("the folder is the test's");
        let config = folder.path().join("zoo.cfg");
        let mut text = format!("{FILE}clientPort={port}\ndataDir={}\n", data.display());
        if all.len() > 1 {
            let id = (place + 1).to_string();
            std::fs::write(data.join("myid"), id).expect("the folder is the test's");
            text += "initLimit=10\nsyncLimit=5\n";
            for (place, ports) in all.iter().enumerate() {
                let (id, quorum, election) = (place + 1, ports.quorum, ports.election);
                text += &format!("server.{id}=127.0.0.1:{quorum}:{election}\n");
            }
        }
        // An election would change the zxids: servers of an ensemble are patient.
        text += if all.len() > 1 {
            "tickTime=4000\n"
        } else {
            "tickTime=100\n"
        };
        std::fs::write(&config, text).expect("the folder is the test's");
        let log = File::create(folder.path().join("log")).expect("the folder is the test's");
        let child = command(kind, programs, &config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("the server's program starts");
        Server {
            child,
            folder,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        }
    }

    /// Waits until it serves.
    fn ready(mut self) -> Server {
        let start = Instant::now();
        while !self.serves() {
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || start.elapsed() > READY_TIME_MAX {
                panic!("the server does not serve: {ended:?}\n{}", self.log());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        self
    }

    /// Whether it says that it serves.
    fn serves(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
            stream.write_all(b"srvr")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.contains("Mode: "))
    }

    /// What it has written.
    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn command(kind: Kind, programs: &Programs, config: &Path) -> Command {
    let properties = PROPERTIES.iter().map(|property| (*property).to_owned());
    let interval_ms = match programs.reaping {
        true => REAPER_INTERVAL_MS_SHORT,
        false => REAPER_INTERVAL_MS,
    };
    let properties = properties
        .chain([
            format!("jute.maxbuffer={MAXBUFFER_BYTES}"),
            format!("znode.container.checkIntervalMs={interval_ms}"),
        ])
        .map(|property| format!("-D{property}"));
    match kind {
        Kind::Real => {
            let mut command = Command::new("java");
            command
                .args(JVM)
                .args(["-cp", &programs.classpath])
                .args(properties)
                .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
                .arg(config);
            command
        }
        Kind::Ours => {
            let mut command = Command::new(&programs.binary);
            command.arg("server").arg("--config").arg(config);
            command.args(properties).env("ZOOWARDEN_LOG", "warn");
            command
        }
    }
}

/// One that no other run has, and that no client's end of a connection takes meanwhile.
fn free_port() -> u16 {
    static TRIED: AtomicUsize = AtomicUsize::new(0);
    let first = std::process::id() as usize * PORTS_OF_A_RUN;
    let ports = std::iter::repeat_with(|| {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        PORTS.start + ((first + tried) % PORTS.len()) as u16
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports
        .take(PORTS.len())
        .find(is_free)
        .expect("loopback has a free port")
}
