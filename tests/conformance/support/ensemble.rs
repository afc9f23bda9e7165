//! Servers in this process, through the public API, on loopback ports of their own.
//!
//! Two ensembles are shared by all tests of a run; each test keeps to its own part of the tree. A
//! test that needs other settings, or stops a server, starts its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use zoowarden::environment::ReservedPort;
use zoowarden::proto::ServerId;
use zoowarden::server::Server;
use zoowarden::server::config::{self, Config, HostPort, Member, Role, SuperDigest};
use zoowarden::server::four_letter::WordList;

use super::client::{Client, Hello, PATIENCE};

/// What every thread of a server is called, or begins with.
const THREADS: &str = "zoowarden";

/// One or more servers that agree.
pub(crate) struct Ensemble {
    servers: Vec<Mutex<Place>>,
    /// Nobody else is given them, also while a server is down.
    _quorum_ports: Vec<ReservedPort>,
    _room: TempDir,
}

/// A server, running or not, and what it runs with.
struct Place {
    config: Config,
    running: Option<Server>,
    /// Where its clients connect; known once it has been started.
    address: Option<SocketAddr>,
}

impl Place {
    fn start(&mut self) {
        let server = runtime().block_on(Server::start(self.config.clone()));
        let server = server.unwrap();
        self.address = Some(server.client_address());
        self.running = Some(server);
    }

    fn stop(&mut self) {
        if let Some(server) = self.running.take() {
            runtime().block_on(server.stop());
        }
    }
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        abort_when_a_server_panics();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(format!("{THREADS}-server"))
            .enable_all()
            .build()
            .unwrap()
    })
}

/// A panic in a task would be caught with the task. Nothing a client sends may cause one, so it
/// ends the whole run, after the usual message.
fn abort_when_a_server_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        let thread = std::thread::current();
        if thread.name().is_some_and(|name| name.starts_with(THREADS)) {
            std::process::abort();
        }
    }));
}

/// Directories of this run; those of the run before are removed first.
fn room() -> TempDir {
    static CLEARED: OnceLock<PathBuf> = OnceLock::new();
    let dir = CLEARED.get_or_init(|| {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance");
        // Nothing there on the first run.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    });
    tempfile::tempdir_in(dir).unwrap()
}

fn settings(dir: PathBuf) -> Config {
    Config {
        log_dir: dir.clone(),
        data_dir: dir,
        client_address: HostPort::new("127.0.0.1", 0),
        tick_ms: 200,
        session_timeout_ms_min: 400,
        session_timeout_ms_max: 120_000,
        client_cnxns_per_ip_max: None,
        snap_count: 2_000,
        pre_alloc_size_kb: 1024,
        enforce_quota: true,
        four_letter_words: WordList::All,
        ttl: config::TtlSettings {
            extended_types_enabled: true,
            ..Default::default()
        },
        container: config::ContainerSettings {
            check_interval_ms: 100,
            per_minute_max: 60_000,
            never_used_interval_ms_max: None,
        },
        digest: config::DigestSettings {
            super_digest: Some(SuperDigest("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into())),
            ..Default::default()
        },
        ..Config::default()
    }
}

/// The membership as each server knows it that has one of these quorum ports; a single server has
/// none.
fn memberships(ports: &[ReservedPort]) -> Vec<Option<config::Ensemble>> {
    if ports.is_empty() {
        return vec![None];
    }
    let members: BTreeMap<ServerId, Member> = (0..ports.len())
        .map(|i| {
            let port = ports[i].address().port();
            let member = Member {
                host: "127.0.0.1".into(),
                quorum_port: port,
                // It is not listened on.
                election_port: port - 1,
                role: Role::Participant,
                client_address: None,
                secure_client_address: None,
            };
            (ServerId(i as u8 + 1), member)
        })
        .collect();
    let of = |my_id: &ServerId| config::Ensemble {
        my_id: *my_id,
        members: members.clone(),
        peer_type: Role::Participant,
        quorum_listen_on_all_ips: false,
    };
    members.keys().map(|id| Some(of(id))).collect()
}

impl Ensemble {
    /// The single server that tests share.
    pub(crate) fn one() -> &'static Ensemble {
        static ONE: OnceLock<Ensemble> = OnceLock::new();
        ONE.get_or_init(|| Ensemble::start(1, |_| {}))
    }

    /// The three servers that tests share.
    pub(crate) fn three() -> &'static Ensemble {
        static THREE: OnceLock<Ensemble> = OnceLock::new();
        THREE.get_or_init(|| Ensemble::start(3, |_| {}))
    }

    /// Servers of this test alone, with the shared ones' settings but for what `change` does.
    pub(crate) fn start(count: usize, change: impl Fn(&mut Config)) -> Ensemble {
        let ensemble = Ensemble::stopped(count, change);
        for server in 0..count {
            ensemble.place(server).start();
        }
        for server in 0..count {
            ensemble.ready(server);
        }
        ensemble
    }

    /// Servers that have not been started yet.
    pub(crate) fn stopped(count: usize, change: impl Fn(&mut Config)) -> Ensemble {
        let room = room();
        let mut servers = Vec::new();
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let quorum_ports = (0..count).filter(|_| count > 1);
        let quorum_ports = quorum_ports.map(|_| ReservedPort::take(any_port).unwrap());
        let quorum_ports = quorum_ports.collect::<Vec<_>>();
        for (i, ensemble) in memberships(&quorum_ports).into_iter().enumerate() {
            let mut config = settings(room.path().join(format!("{i}")));
            config.ensemble = ensemble;
            change(&mut config);
            servers.push(Mutex::new(Place {
                config,
                running: None,
                address: None,
            }));
        }
        Ensemble {
            servers,
            _quorum_ports: quorum_ports,
            _room: room,
        }
    }

    fn place(&self, server: usize) -> MutexGuard<'_, Place> {
        self.servers[server % self.len()].lock().unwrap()
    }

    /// Starts a server; it may have to wait for others before it serves.
    pub(crate) fn start_server(&self, server: usize) {
        self.place(server).start();
    }

    /// Waits until a server serves.
    pub(crate) fn ready(&self, server: usize) {
        let place = self.place(server);
        let running = place.running.as_ref().expect("it was started");
        runtime().block_on(running.ready()).unwrap();
    }

    /// Stops a server; it hands its leadership over and says goodbye.
    pub(crate) fn stop_server(&self, server: usize) {
        self.place(server).stop();
    }

    /// How many servers there are.
    pub(crate) fn len(&self) -> usize {
        self.servers.len()
    }

    /// Where the clients of a server connect; the servers are counted round and round.
    pub(crate) fn address(&self, server: usize) -> SocketAddr {
        self.place(server).address.expect("it was started")
    }

    /// Where the other servers connect.
    pub(crate) fn peer_address(&self, server: usize) -> SocketAddr {
        let place = self.place(server);
        let ensemble = place.config.ensemble.as_ref();
        let port = ensemble.expect("it is not alone").me().quorum_port;
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// A client with a new session.
    pub(crate) fn client(&self, server: usize) -> Client {
        self.client_with(server, &Hello::default())
    }

    /// A client that says `hello` and is served.
    pub(crate) fn client_with(&self, server: usize, hello: &Hello) -> Client {
        Client::connect(self.address(server), hello).unwrap()
    }

    /// A client, and a znode of the test's own that it has created.
    pub(crate) fn room(&self, name: &str) -> (Client, String) {
        let mut client = self.client(0);
        let path = client.create(&format!("/{name}"), b"");
        (client, path)
    }

    /// Sends a four-letter word and reads until the server closes.
    pub(crate) fn word(&self, server: usize, word: &str) -> String {
        super::client::word(self.address(server), word.as_bytes())
    }

    /// Waits until somebody leads, where there is anybody to lead.
    pub(crate) fn leader_or_alone(&self) {
        if self.len() > 1 {
            self.leader();
        }
    }

    /// Which server leads; asks them until one says so.
    pub(crate) fn leader(&self) -> usize {
        let mut leader = None;
        until("somebody leads", || {
            leader = (0..self.len()).find(|i| {
                let runs = self.place(*i).running.is_some();
                runs && self.word(*i, "srvr").contains("Mode: leader")
            });
            leader.is_some()
        });
        leader.unwrap()
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for place in &self.servers {
            if let Ok(mut place) = place.lock() {
                place.stop();
            }
        }
    }
}

/// Raises a flag when it is dropped: at the end of what others wait for, also when that fails.
pub(crate) struct AtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks again and again until `condition` holds; fails the test when it never does.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
