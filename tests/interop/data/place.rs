//! Directories, the servers that run in them, and the two commands.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use zoowarden::Client;
use zoowarden::client::ClientConfig;
use zoowarden_tests::process::free_port;

/// Long enough for Java on a busy machine; servers cut it to 20 ticks.
const TIMEOUT_MS: u32 = 60_000;
/// How long a server may take to start.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// `super:secret` as `superDigest` wants it.
const SUPER: &str = "-Dzookeeper.DigestAuthenticationProvider.superDigest=\
                     super:lK75jTNcA+U9vtVEw5vB51mj/w4=";
const TTL: &str = "-Dzookeeper.extendedTypesEnabled=true";

/// Where the log lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Together,
    Apart,
    /// Of an ensemble of one, with epochs in its zxids.
    Member,
}

/// How a server ends.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// SIGTERM.
    Stopped,
    /// SIGKILL.
    Killed,
}

/// A server's directories and its port.
pub(super) struct Place {
    folder: PathBuf,
    layout: Layout,
    port: u16,
}

impl Place {
    pub(super) fn new(folder: &Path, layout: Layout) -> Place {
        fs::create_dir_all(folder).unwrap();
        let place = Place {
            folder: folder.to_owned(),
            layout,
            port: free_port(),
        };
        let text = format!(
            "tickTime=3000\ndataDir={}\ndataLogDir={}\nclientPort={}\n\
             clientPortAddress=127.0.0.1\nadmin.enableServer=false\n4lw.commands.whitelist=*\n",
            place.data().display(),
            place.logs().display(),
            place.port,
        );
        let member = match layout {
            Layout::Together | Layout::Apart => String::new(),
            Layout::Member => {
                fs::create_dir_all(place.data()).unwrap();
                fs::write(place.data().join("myid"), "1\n").unwrap();
                let (quorum, election) = (free_port(), free_port());
                format!(
                    "initLimit=10\nsyncLimit=5\nstandaloneEnabled=false\n\
                     server.1=127.0.0.1:{quorum}:{election}\n"
                )
            }
        };
        fs::write(place.config(), text + &member).unwrap();
        place
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn logs(&self) -> PathBuf {
        match self.layout {
            Layout::Together | Layout::Member => self.data(),
            Layout::Apart => self.folder.join("logs"),
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.join("zoo.cfg")
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The same files elsewhere.
    pub(super) fn copy(&self, folder: &Path) -> Place {
        let copy = Place::new(folder, self.layout);
        let pairs = [(self.data(), copy.data()), (self.logs(), copy.logs())];
        for (from, to) in pairs {
            let (from, to) = (from.join("version-2"), to.join("version-2"));
            fs::create_dir_all(&to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        copy
    }

    pub(super) async fn connect(&self, auth: &[(&str, &str)]) -> Client {
        let mut config = ClientConfig::new(self.address().parse().unwrap());
        config.session_timeout_ms = TIMEOUT_MS;
        let owned = auth.iter();
        let owned = owned.map(|(scheme, id)| ((*scheme).to_owned(), id.as_bytes().to_vec()));
        config.auth = owned.collect();
        // What connects while Apache ZooKeeper starts may never be read: a session is asked for only
        // when the server answers.
        let start = Instant::now();
        while !self.answers().await {
            assert!(
                start.elapsed() < READY_TIME_MAX,
                "{} does not serve",
                self.address()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Client::connect_with(config).await.unwrap()
    }

    async fn answers(&self) -> bool {
        let asking = async {
            let mut stream = tokio::net::TcpStream::connect(self.address()).await?;
            stream.write_all(b"srvr").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer.contains("Mode: "))
        };
        let asked = tokio::time::timeout(Duration::from_secs(2), asking).await;
        matches!(asked, Ok(Ok(true)))
    }

    pub(super) async fn connect_as_super(&self) -> Client {
        self.connect(&[("digest", "super:secret")]).await
    }

    /// A number of `mntr`.
    pub(super) async fn metric(&self, name: &str) -> Option<u64> {
        let mut stream = tokio::net::TcpStream::connect(self.address())
            .await
            .unwrap();
        stream.write_all(b"mntr").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let lines = answer.lines().filter_map(|line| line.split_once('\t'));
        let mut values = lines.filter(|(key, _)| *key == name);
        values.next().and_then(|(_, value)| value.parse().ok())
    }

    fn log_file(&self, name: &str) -> File {
        File::create(self.folder.join(name)).unwrap()
    }
}

/// What servers and commands are made of.
pub(super) struct Tools {
    pub(super) classpath: String,
    pub(super) binary: PathBuf,
    pub(super) compression: &'static str,
}

impl Tools {
    /// Starts Apache ZooKeeper; it takes a snapshot every few dozen changes.
    pub(super) fn start_zookeeper(&self, place: &Place) -> Server {
        let mut command = Command::new("java");
        command.args(["-cp", &self.classpath, SUPER, TTL]);
        command.arg("-Dzookeeper.snapCount=40");
        command.arg("-Dzookeeper.preAllocSize=256");
        if !self.compression.is_empty() {
            let method = self.compression;
            command.arg(format!("-Dzookeeper.snapshot.compression.method={method}"));
        }
        command.arg("org.apache.zookeeper.server.quorum.QuorumPeerMain");
        Server::start(command.arg(place.config()), place)
    }

    pub(super) fn start_zoowarden(&self, place: &Place) -> Server {
        let mut command = Command::new(&self.binary);
        command.args(["server", SUPER, TTL, "--config"]);
        Server::start(command.arg(place.config()), place)
    }

    /// `zoowarden import`, and once more, which must be refused.
    pub(super) async fn import(&self, from: &Place, to: &Place) {
        let mut command = Command::new(&self.binary);
        command.arg("import").arg("--from").arg(from.data());
        if from.layout == Layout::Apart {
            command.arg("--from-logs").arg(from.logs());
        }
        command.arg("--config").arg(to.config());
        run(&mut command, to, "import").await;
        let again = command.status().await.unwrap();
        assert_eq!(again.code(), Some(1), "the directory is not empty any more");
    }

    /// `zoowarden export`.
    pub(super) async fn export(&self, from: &Place, to: &Place, words: &[&str]) {
        let mut command = Command::new(&self.binary);
        command.arg("export").arg("--config").arg(from.config());
        command.arg("--to").arg(to.data()).args(words);
        run(&mut command, to, "export").await;
    }
}

async fn run(command: &mut Command, place: &Place, name: &str) {
    command.stdin(Stdio::null());
    let output = command
        .stdout(place.log_file(name))
        .stderr(place.log_file("errors"));
    let status: ExitStatus = output.status().await.unwrap();
    let said = fs::read_to_string(place.folder.join("errors")).unwrap();
    assert!(status.success(), "{name}: {status}: {said}");
    // A server that was killed while it wrote a snapshot leaves a part of it; the one before counts.
    let unfinished = |line: &str| line.contains("is passed over") && line.contains("ends early");
    let warned = said
        .lines()
        .any(|line| line.contains("warning") && !unfinished(line));
    assert!(!warned, "{name}: {said}");
}

/// A running server; dropping it kills it.
pub(super) struct Server {
    child: Child,
}

impl Server {
    fn start(command: &mut Command, place: &Place) -> Server {
        let log = place.log_file("log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Server { child }
    }

    pub(super) async fn end(&mut self, ending: Ending) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id.and_then(Pid::from_raw).expect("the server still runs");
        let signal = match ending {
            Ending::Stopped => Signal::TERM,
            Ending::Killed => Signal::KILL,
        };
        kill_process(id, signal).unwrap();
        self.child.wait().await.unwrap();
    }
}
