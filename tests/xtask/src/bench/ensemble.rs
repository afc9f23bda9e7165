//! Ensembles of a contender: configured, started, killed by process id, started again.
//!
//! Every server gets the same zoo.cfg, whoever's it is: loopback, free ports, a folder on the disk
//! that this repository is built on, and otherwise the defaults; `forceSync` is one of them.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::super::server::reference_classpath;
use super::probe::{Probe, leads, until};
use super::results::Contender;

/// Below the ephemeral range: a connect to an ephemeral port without a listener may meet itself.
const PORTS: Range<u16> = 18000..24000;

/// A JVM on a busy machine with a million znodes to read.
const READY_TIME_MAX: Duration = Duration::from_secs(300);
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
const LOG_LINES_SHOWN: usize = 15;

/// The most that a JVM may take for its heap, and the same for ensembles of more than three.
const HEAP: &str = "-Xmx4g";
const HEAP_OF_MANY: &str = "-Xmx2g";

/// Above the largest value that is measured, a megabyte; for every server the same.
const JUTE_MAXBUFFER: &str = "-Djute.maxbuffer=4194304";

/// Servers of one contender; dropping it kills them and removes their folder.
pub(super) struct Ensemble {
    pub(super) contender: Contender,
    servers: Vec<Server>,
    folder: PathBuf,
}

struct Server {
    child: Option<Child>,
    folder: PathBuf,
    address: String,
    heap: &'static str,
}

impl Ensemble {
    /// Writes the configuration of so many servers, and starts none.
    pub(super) fn configure(contender: Contender, servers: u32) -> Result<Ensemble, String> {
        static COUNT: AtomicU16 = AtomicU16::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = super::folder().join(format!("run-{}-{count}", std::process::id()));
        let ports: Vec<[u16; 3]> = (0..servers)
            .map(|_| Ok([free_port()?, free_port()?, free_port()?]))
            .collect::<Result<_, String>>()?;
        let mut ensemble = Ensemble {
            contender,
            servers: Vec::new(),
            folder,
        };
        for (at, [port, _, _]) in ports.iter().enumerate() {
            ensemble.servers.push(Server {
                child: None,
                folder: ensemble.folder.join(at.to_string()),
                address: format!("127.0.0.1:{port}"),
                heap: if servers > 3 { HEAP_OF_MANY } else { HEAP },
            });
        }
        for (at, server) in ensemble.servers.iter().enumerate() {
            server
                .configure(at, &ports)
                .map_err(|error| format!("{}: {error}", server.folder.display()))?;
        }
        Ok(ensemble)
    }

    /// Configures and starts so many servers, and waits until all of them serve.
    pub(super) fn start(contender: Contender, servers: u32) -> Result<Ensemble, String> {
        let mut ensemble = Ensemble::configure(contender, servers)?;
        ensemble.launch(&[])?;
        ensemble.wait_until_ready()?;
        Ok(ensemble)
    }

    /// Starts those that do not run, with further lines in their zoo.cfg; waits for nothing.
    pub(super) fn launch(&mut self, settings: &[&str]) -> Result<(), String> {
        for server in &mut self.servers {
            if server.child.is_none() {
                let child = server.command(self.contender, settings);
                let child = child.and_then(|mut command| command.spawn());
                let told = |error| format!("{} does not start: {error}", self.contender.name());
                server.child = Some(child.map_err(told)?);
            }
        }
        Ok(())
    }

    /// Waits until every server gives sessions.
    pub(super) fn wait_until_ready(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        for server in &mut self.servers {
            while Probe::open(&server.address).is_err() {
                if let Some(complaint) = server.complaint(begun) {
                    let log = server.last_words();
                    return Err(format!("{}: {complaint}\n{log}", self.contender.name()));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// Waits until a server answers a getData, and answers how long that took.
    pub(super) fn first_read(&self, path: &str) -> Result<Duration, String> {
        let begun = Instant::now();
        let mut turn = self.servers.iter().cycle();
        until(READY_TIME_MAX, || {
            let server = turn.next().expect("a cycle of at least one");
            Probe::open(&server.address)?.read(path)
        })?;
        Ok(begun.elapsed())
    }

    /// A connect string of all but the one named.
    pub(super) fn hosts(&self, but: Option<usize>) -> String {
        let others = self.servers.iter().enumerate();
        let others = others.filter(|(at, _)| Some(*at) != but);
        let addresses: Vec<&str> = others.map(|(_, server)| server.address.as_str()).collect();
        addresses.join(",")
    }

    /// Where the first server listens.
    pub(super) fn first_address(&self) -> &str {
        &self.servers[0].address
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        let children = self
            .servers
            .iter()
            .filter_map(|server| server.child.as_ref());
        children.map(Child::id).collect()
    }

    /// Where the servers keep their data.
    pub(super) fn data_folders(&self) -> Vec<PathBuf> {
        let folders = self.servers.iter().map(|server| server.folder.join("data"));
        folders.collect()
    }

    /// Which server leads.
    pub(super) fn leader(&self) -> Option<usize> {
        self.servers
            .iter()
            .position(|server| leads(&server.address))
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self, server: usize) {
        if let Some(mut child) = self.servers[server].child.take() {
            // Both fail only if it has ended by itself, which its next start will tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM to all, and waits for their end.
    pub(super) fn stop(&mut self) -> Result<(), String> {
        for pid in self.pids() {
            let told = Command::new("kill")
                .args(["-TERM", &pid.to_string()])
                .status();
            told.map_err(|error| format!("kill: {error}"))?;
        }
        let begun = Instant::now();
        for server in &mut self.servers {
            let Some(mut child) = server.child.take() else {
                continue;
            };
            while matches!(child.try_wait(), Ok(None)) {
                if begun.elapsed() > STOP_TIME_MAX {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("{} does not stop", self.contender.name()));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for server in 0..self.servers.len() {
            self.kill(server);
        }
        // What is left is in the folder of build results.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    fn configure(&self, at: usize, ports: &[[u16; 3]]) -> std::io::Result<()> {
        let data = self.folder.join("data");
        std::fs::create_dir_all(&data)?;
        let mut text = format!(
            "tickTime=2000\ninitLimit=30\nsyncLimit=10\ndataDir={}\nclientPort={}\n\
             clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n\
             4lw.commands.whitelist=*\n",
            data.display(),
            ports[at][0]
        );
        if ports.len() > 1 {
            std::fs::write(data.join("myid"), format!("{}\n", at + 1))?;
            for (at, [_, quorum, election]) in ports.iter().enumerate() {
                text.push_str(&format!(
                    "server.{}=127.0.0.1:{quorum}:{election}\n",
                    at + 1
                ));
            }
        }
        std::fs::write(self.folder.join("zoo.cfg"), text)
    }

    fn command(&self, contender: Contender, settings: &[&str]) -> std::io::Result<Command> {
        let config = self.folder.join("zoo.cfg");
        let started = self.folder.join("started.cfg");
        let text = std::fs::read_to_string(config)? + &settings.join("\n") + "\n";
        std::fs::write(&started, text)?;
        let mut command = match contender {
            Contender::Zoowarden => {
                let mut command = Command::new(super::binary());
                command.args(["server", "--config"]).arg(&started);
                command.arg(JUTE_MAXBUFFER);
                command
            }
            Contender::ZooKeeper => {
                let mut command = Command::new("java");
                command.args([self.heap, JUTE_MAXBUFFER, "-cp", &reference_classpath("")]);
                command
                    .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
                    .arg(&started);
                command
            }
        };
        let log = File::options().create(true).append(true).open(self.log())?;
        command.stdout(log.try_clone()?).stderr(log);
        command.stdin(std::process::Stdio::null());
        Ok(command)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Why there is no use in waiting any longer.
    fn complaint(&mut self, begun: Instant) -> Option<String> {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok());
        match ended.flatten() {
            Some(status) => Some(format!("a server ended: {status}")),
            None if begun.elapsed() > READY_TIME_MAX => {
                Some(format!("not ready after {} s", READY_TIME_MAX.as_secs()))
            }
            None => None,
        }
    }

    fn last_words(&self) -> String {
        let log = read_lossily(&self.log());
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

fn read_lossily(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A port that is free now, and that this process has not given away.
fn free_port() -> Result<u16, String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id() as usize;
    for _ in 0..PORTS.len() {
        let turn = begin + usize::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + (turn % PORTS.len()) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(format!("no free port in {PORTS:?}"))
}
