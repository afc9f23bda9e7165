//! Ensembles of real server processes on loopback.
//!
//! What lives here: directories and configuration files, starting and ending the processes, and
//! what an operator could learn by four-letter words. What does not: clients.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::MutexGuard;

use crate::process::{Process, Signal, free_port};
use crate::proxy::Proxy;
use crate::wait::{SOON, turn, until};

/// A server that has not answered a word by then is not there: it may be paused.
const WORD: Duration = Duration::from_millis(500);

/// Lines of each server's log that a failed test shows.
const LOG_LINES_SHOWN: usize = 40;

/// What to build.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Servers that vote, with the ids 1, 2, …; a single one is no ensemble.
    pub voters: u8,
    /// Observers, with the ids behind.
    pub observers: u8,
    /// Servers that only their own file lists, with the ids behind; they are not started.
    pub waiting: u8,
    /// Puts a proxy between every two servers, so that they can be cut off.
    pub proxied: bool,
    /// Opens the HTTP endpoint of each server, at [`Ensemble::http`].
    pub http: bool,
    /// Lines of zoo.cfg; a later one of a key wins over what the harness writes.
    pub settings: Vec<String>,
}

impl Plan {
    /// An ensemble of `voters`, or a single server.
    pub fn of(voters: u8) -> Plan {
        Plan {
            voters,
            observers: 0,
            waiting: 0,
            proxied: false,
            http: false,
            settings: Vec::new(),
        }
    }

    /// Adds a line to every server's zoo.cfg.
    pub fn set(mut self, line: impl Into<String>) -> Plan {
        self.settings.push(line.into());
        self
    }
}

/// One server's place and process.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    client_port: u16,
    peer_port: u16,
    http_port: Option<u16>,
    process: Option<Process>,
}

/// Real servers. Dropping it kills them and removes their data.
#[derive(Debug)]
pub struct Ensemble {
    plan: Plan,
    places: BTreeMap<u8, Place>,
    /// The proxy that server `.0` reaches server `.1` by.
    links: BTreeMap<(u8, u8), Proxy>,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for (id, place) in &self.places {
            println!("--- the end of the log of server {id}");
            let log = std::fs::read_to_string(place.folder.join("log")).unwrap_or_default();
            let lines = log.lines().collect::<Vec<_>>();
            for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
                println!("{line}");
            }
        }
    }
}

impl Ensemble {
    /// Starts all servers and waits until each serves.
    pub async fn start(plan: Plan) -> Ensemble {
        let mut ensemble = Ensemble::prepare(plan).await;
        let first = 1..=ensemble.plan.voters + ensemble.plan.observers;
        for id in first.clone() {
            ensemble.start_server(id);
        }
        for id in first {
            ensemble.wait_until_serving(id).await;
        }
        ensemble
    }

    /// Makes directories and configuration files; starts nothing.
    pub async fn prepare(plan: Plan) -> Ensemble {
        let turn = turn().await;
        let folder = tempfile::tempdir().expect("tests may write to the temporary directory");
        let mut places = BTreeMap::new();
        for id in 1..=plan.voters + plan.observers + plan.waiting {
            let place = Place {
                folder: folder.path().join(format!("server-{id}")),
                client_port: free_port(),
                peer_port: free_port(),
                http_port: plan.http.then(free_port),
                process: None,
            };
            std::fs::create_dir_all(place.folder.join("data"))
                .expect("the test's own folder can be written");
            places.insert(id, place);
        }
        let mut ensemble = Ensemble {
            plan,
            places,
            links: BTreeMap::new(),
            _folder: folder,
            _turn: turn,
        };
        if ensemble.plan.proxied {
            ensemble.link().await;
        }
        for id in ensemble.ids() {
            ensemble.configure(id);
        }
        ensemble
    }

    async fn link(&mut self) {
        for from in self.ids() {
            for to in self.ids().into_iter().filter(|to| *to != from) {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.places[&to].peer_port));
                let proxy = Proxy::start(free_port(), address).await;
                let proxy = proxy.expect("the port was free a moment ago");
                self.links.insert((from, to), proxy);
            }
        }
    }

    fn configure(&self, id: u8) {
        let place = &self.places[&id];
        let data = self.data_dir(id);
        let mut text = format!(
            "tickTime=500\ninitLimit=20\nsyncLimit=10\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n\
             dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\n",
            data.display(),
            place.client_port
        );
        if self.places.len() > 1 {
            for (other, there) in &self.places {
                if *other > self.plan.voters + self.plan.observers && *other != id {
                    continue;
                }
                let port = match self.links.get(&(id, *other)) {
                    Some(proxy) => proxy.address().port(),
                    None => there.peer_port,
                };
                let is_observer =
                    (self.plan.voters + 1..=self.plan.voters + self.plan.observers).contains(other);
                let role = if is_observer { ":observer" } else { "" };
                // Writing to a string does not fail.
                let _ = writeln!(text, "server.{other}=127.0.0.1:{port}:{}{role}", port - 1);
            }
            if (self.plan.voters + 1..=self.plan.voters + self.plan.observers).contains(&id) {
                text.push_str("peerType=observer\n");
            }
            std::fs::write(data.join("myid"), format!("{id}\n"))
                .expect("the test's own folder can be written");
        }
        if let Some(port) = place.http_port {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "admin.serverAddress=127.0.0.1\nadmin.serverPort={port}"
            );
        }
        for line in &self.plan.settings {
            text.push_str(line);
            text.push('\n');
        }
        std::fs::write(place.folder.join("zoo.cfg"), text)
            .expect("the test's own folder can be written");
    }

    /// The `server.N` line that a reconfig may name a server by.
    pub fn line(&self, id: u8, role: &str) -> String {
        let place = &self.places[&id];
        let (peer, client) = (place.peer_port, place.client_port);
        format!(
            "server.{id}=127.0.0.1:{peer}:{}:{role};127.0.0.1:{client}",
            peer - 1
        )
    }

    /// Gives a server that does not run another port for its peers, in its own file only, which
    /// is what it was at first otherwise.
    pub fn move_server(&mut self, id: u8) {
        self.place(id).peer_port = free_port();
        self.configure(id);
    }

    /// Takes other ports for a server, for its clients and its peers, and gives the `server.N` line
    /// that says so. Its own file stays as it is: a reconfig is to move it.
    pub fn take_other_ports(&mut self, id: u8) -> String {
        let place = self.place(id);
        (place.client_port, place.peer_port) = (free_port(), free_port());
        self.line(id, "participant")
    }

    /// All ids, in order.
    pub fn ids(&self) -> Vec<u8> {
        self.places.keys().copied().collect()
    }

    /// Ids of the servers whose process runs.
    pub fn running(&self) -> Vec<u8> {
        let running = self
            .places
            .iter()
            .filter(|(_, place)| place.process.is_some());
        running.map(|(id, _)| *id).collect()
    }

    /// Where clients connect.
    pub fn address(&self, id: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.places[&id].client_port))
    }

    /// Where the other servers connect.
    pub fn peer_address(&self, id: u8) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.places[&id].peer_port))
    }

    /// Where its HTTP endpoint listens, if the plan has one.
    pub fn http(&self, id: u8) -> SocketAddr {
        let port = self.places[&id].http_port.expect("a plan with http");
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Adds a line to the zoo.cfg of one server, for its next start; a later one of a key wins.
    pub fn set(&self, id: u8, line: &str) {
        let path = self.folder(id).join("zoo.cfg");
        let text = std::fs::read_to_string(&path).expect("the file was written here");
        std::fs::write(path, format!("{text}{line}\n")).expect("the folder is the test's");
    }

    /// A server's own folder: zoo.cfg, `data`, `stdout` and `log`.
    pub fn folder(&self, id: u8) -> &Path {
        &self.places[&id].folder
    }

    /// A server's dataDir.
    pub fn data_dir(&self, id: u8) -> PathBuf {
        self.places[&id].folder.join("data")
    }

    /// Everything a server has logged so far.
    pub fn log(&self, id: u8) -> String {
        std::fs::read_to_string(self.places[&id].folder.join("log")).unwrap_or_default()
    }

    fn place(&mut self, id: u8) -> &mut Place {
        self.places.get_mut(&id).expect("a server of this ensemble")
    }

    /// Starts a server that does not run. Comes back before it serves.
    pub fn start_server(&mut self, id: u8) {
        let place = self.place(id);
        let process = Process::start(&place.folder, &["server", "--config", "zoo.cfg"]);
        place.process = Some(process);
    }

    /// kill -9, and waits until the process is gone.
    pub fn kill(&mut self, id: u8) {
        self.place(id).process = None;
    }

    /// SIGKILL to all at once.
    pub fn kill_all(&mut self) {
        self.signal_all(Signal::KILL);
        for place in self.places.values_mut() {
            place.process = None;
        }
    }

    fn signal_all(&self, signal: Signal) {
        for process in self.places.values().flat_map(|place| &place.process) {
            process.signal(signal);
        }
    }

    /// Sends a signal to a server that runs.
    pub fn signal(&self, id: u8, signal: Signal) {
        let process = &self.places[&id].process;
        process.as_ref().expect("the server runs").signal(signal);
    }

    /// SIGSTOP: it does nothing until it is resumed.
    pub fn pause(&self, id: u8) {
        self.signal(id, Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self, id: u8) {
        self.signal(id, Signal::CONT);
    }

    /// SIGTERM, and waits until it has stopped.
    pub async fn terminate(&mut self, id: u8) -> ExitStatus {
        self.signal(id, Signal::TERM);
        self.wait_until_ended(id).await
    }

    /// Waits until a process has ended by itself.
    pub async fn wait_until_ended(&mut self, id: u8) -> ExitStatus {
        let process = &mut self.place(id).process;
        let running = process.as_mut().expect("the server was started");
        let status = until("the server ends", SOON, async || running.ended()).await;
        *process = None;
        status
    }

    /// Removes everything a server has on disk but its `myid`.
    pub fn wipe(&mut self, id: u8) {
        self.kill(id);
        let entries = std::fs::read_dir(self.data_dir(id)).expect("the directory is the test's");
        for entry in entries.flatten() {
            if entry.file_name() == "myid" {
                continue;
            }
            let path = entry.path();
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.expect("the file is the test's");
        }
    }

    /// Nothing passes between this server and the others.
    pub fn isolate(&self, id: u8) {
        self.links_of(id).for_each(Proxy::cut);
    }

    /// Everything passes again.
    pub fn heal(&self, id: u8) {
        self.links_of(id).for_each(Proxy::heal);
    }

    fn links_of(&self, id: u8) -> impl Iterator<Item = &Proxy> {
        let links = self.links.iter();
        links
            .filter(move |((from, to), _)| *from == id || *to == id)
            .map(|(_, proxy)| proxy)
    }

    /// The answer to a four-letter word; `None` if there was none.
    pub async fn word(&self, id: u8, word: &str) -> Option<String> {
        let asking = async {
            let mut stream = TcpStream::connect(self.address(id)).await?;
            stream.write_all(word.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        tokio::time::timeout(WORD, asking).await.ok()?.ok()
    }

    /// What `srvr` tells behind `key: `; `None` while the server does not serve.
    pub async fn srvr(&self, id: u8, key: &str) -> Option<String> {
        let answer = self.word(id, "srvr").await?;
        let prefix = format!("{key}: ");
        answer
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .map(str::to_owned)
    }

    /// What `mntr` tells under `key`.
    pub async fn mntr(&self, id: u8, key: &str) -> Option<String> {
        let answer = self.word(id, "mntr").await?;
        answer
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.to_owned())
    }

    /// Waits until a server serves clients; gives how long that took.
    pub async fn wait_until_serving(&mut self, id: u8) -> Duration {
        let start = Instant::now();
        loop {
            if self.srvr(id, "Mode").await.is_some() {
                return start.elapsed();
            }
            let process = self.place(id).process.as_mut();
            if let Some(status) = process.and_then(Process::ended) {
                panic!("server {id} ended before it served: {status}");
            }
            assert!(start.elapsed() < SOON, "server {id} does not serve");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The one of `among` that says it leads, once exactly one does.
    pub async fn wait_for_leader(&self, among: &[u8]) -> u8 {
        let what = format!("one of {among:?} leads");
        until(&what, SOON, async || self.leader(among).await).await
    }

    /// The only one of `among` that says it leads.
    pub async fn leader(&self, among: &[u8]) -> Option<u8> {
        let mut leaders = Vec::new();
        for id in among {
            if self.srvr(*id, "Mode").await.as_deref() == Some("leader") {
                leaders.push(*id);
            }
        }
        match leaders.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}
