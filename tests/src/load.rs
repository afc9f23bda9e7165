//! Sessions that write as fast as they are answered, and keep books of what was acknowledged.
//!
//! Each writer has a znode of its own and a numbered list of operations, so that everything that
//! may go wrong shows:
//!
//! ```text
//! operation n = 3, 7, 11, …   create  <znode>/item-<n>-   sequential: the counter tells doubles
//! any other n                 setData <znode> = n         with the version it must have by then
//! ```
//!
//! After a lost connection the writer attaches to another server and reads how far it came: that
//! must be at least what was acknowledged and at most what was sent, and whole: a prefix.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zoowarden::proto::SessionId;

use crate::client::{Client, ConnectError, Pending, Session};
use crate::ensemble::Ensemble;
use crate::operations::{Failure, NODE_EXISTS, created_path, mode};
use crate::wait::{SOON, until};

/// Operations of one writer under way.
const WINDOW: usize = 16;

/// The session timeout writers ask for.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Pause before a server that refused is asked again.
const RETRY: Duration = Duration::from_millis(10);

/// Every how many operations one creates.
const CREATE_EVERY: u64 = 4;

fn creates_before(n: u64) -> u64 {
    n / CREATE_EVERY
}

fn is_create(n: u64) -> bool {
    n % CREATE_EVERY == CREATE_EVERY - 1
}

fn sets_before(n: u64) -> i32 {
    i32::try_from(n - creates_before(n)).expect("a test does not write that much")
}

/// The name of what operation `n` creates, when nothing was lost or doubled before it.
fn item(n: u64) -> String {
    format!("item-{n:08}-{:010}", creates_before(n))
}

/// What the writers and the test tell each other.
#[derive(Debug)]
pub struct Board {
    servers: Vec<Server>,
    writers: Vec<Progress>,
    stopping: AtomicBool,
    start: Instant,
    last_acknowledged_us: AtomicU64,
    longest_gap_us: AtomicU64,
    surprises: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Server {
    id: u8,
    address: SocketAddr,
    /// Clients may connect, and must not be disconnected.
    up: AtomicBool,
    /// It answers nobody, and clients do not wait for it.
    given_up: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Progress {
    acknowledged: AtomicU64,
    session: AtomicI64,
    /// The index of the server it is attached to, plus one; 0 for none.
    attached: AtomicUsize,
}

impl Board {
    /// Something happened that must not happen.
    fn surprise(&self, what: String) {
        self.surprises.lock().push(what);
    }

    fn acknowledge(&self) {
        let now_us = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let before_us = self.last_acknowledged_us.swap(now_us, Ordering::AcqRel);
        let gap_us = now_us.saturating_sub(before_us);
        self.longest_gap_us.fetch_max(gap_us, Ordering::AcqRel);
    }
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    board: Arc<Board>,
    tasks: Vec<JoinHandle<u64>>,
}

impl Load {
    /// Starts `per_server` writers at home on each of `homes`.
    pub async fn start(ensemble: &Ensemble, homes: &[u8], per_server: usize) -> Load {
        let servers = ensemble.ids().into_iter().map(|id| Server {
            id,
            address: ensemble.address(id),
            up: AtomicBool::new(homes.contains(&id)),
            given_up: watch::Sender::new(false),
        });
        let servers = servers.collect::<Vec<_>>();
        let homes = (0..servers.len()).filter(|index| homes.contains(&servers[*index].id));
        let homes = homes.collect::<Vec<_>>();
        let count = homes.len() * per_server;
        let board = Arc::new(Board {
            servers,
            writers: (0..count).map(|_| Progress::default()).collect(),
            stopping: AtomicBool::new(false),
            start: Instant::now(),
            last_acknowledged_us: AtomicU64::new(0),
            longest_gap_us: AtomicU64::new(0),
            surprises: Mutex::new(Vec::new()),
        });
        prepare(&board, homes[0]).await;
        let tasks = (0..count).map(|number| {
            let writer = Writer {
                number,
                home: homes[number % homes.len()],
                board: Arc::clone(&board),
                session: None,
                next: 0,
                acknowledged: 0,
            };
            tokio::spawn(writer.run())
        });
        let tasks = tasks.collect();
        let load = Load { board, tasks };
        load.wait_for_progress(100).await;
        load
    }

    fn server(&self, id: u8) -> &Server {
        let found = self.board.servers.iter().find(|server| server.id == id);
        found.expect("a server of this ensemble")
    }

    /// This server is about to go, and its connections with it.
    pub fn expect_down(&self, id: u8) {
        self.server(id).up.store(false, Ordering::Release);
    }

    /// This server serves: writers come home, and their connections must hold.
    pub fn expect_up(&self, id: u8) {
        let server = self.server(id);
        server.given_up.send_replace(false);
        server.up.store(true, Ordering::Release);
    }

    /// This server hangs: its writers turn away from it as clients do that hear nothing.
    pub fn give_up(&self, id: u8) {
        self.expect_down(id);
        self.server(id).given_up.send_replace(true);
    }

    /// Waits until every writer has had `more` operations acknowledged.
    pub async fn wait_for_progress(&self, more: u64) {
        let now = |writer: &Progress| writer.acknowledged.load(Ordering::Acquire);
        let goals = self.board.writers.iter().map(|writer| now(writer) + more);
        let goals = goals.collect::<Vec<_>>();
        until("every writer goes on", SOON, async || {
            self.assert_no_surprise();
            let mut pairs = self.board.writers.iter().zip(&goals);
            pairs
                .all(|(writer, goal)| now(writer) >= *goal)
                .then_some(())
        })
        .await;
    }

    /// Waits until all writers are attached to their homes.
    pub async fn wait_until_home(&self, per_server: usize) {
        until("every writer is at home", SOON, async || {
            self.assert_no_surprise();
            let servers = self.board.servers.iter().enumerate();
            let mut up = servers.filter(|(_, server)| server.up.load(Ordering::Acquire));
            let attached = |index: usize| {
                let writers = self.board.writers.iter();
                writers
                    .filter(|writer| writer.attached.load(Ordering::Acquire) == index + 1)
                    .count()
            };
            up.all(|(index, _)| attached(index) == per_server)
                .then_some(())
        })
        .await;
    }

    /// How many operations were acknowledged in all.
    pub fn acknowledged(&self) -> u64 {
        let writers = self.board.writers.iter();
        writers
            .map(|writer| writer.acknowledged.load(Ordering::Acquire))
            .sum()
    }

    /// The longest time without an acknowledgement since this was last asked.
    pub fn take_longest_gap(&self) -> Duration {
        Duration::from_micros(self.board.longest_gap_us.swap(0, Ordering::AcqRel))
    }

    /// Panics if a writer saw what it must not see.
    pub fn assert_no_surprise(&self) {
        let surprises = self.board.surprises.lock();
        assert!(surprises.is_empty(), "{surprises:#?}");
    }

    /// Stops all writers once they have their answers, and gives the books.
    pub async fn finish(self) -> Books {
        self.board.stopping.store(true, Ordering::Release);
        let mut written = Vec::new();
        for task in self.tasks {
            let acknowledged = task.await;
            written.push(acknowledged.expect("a writer reports, it does not panic"));
        }
        let surprises = self.board.surprises.lock();
        assert!(surprises.is_empty(), "{surprises:#?}");
        let sessions = self.board.writers.iter();
        let sessions = sessions.map(|writer| SessionId(writer.session.load(Ordering::Acquire)));
        Books {
            sessions: sessions.collect(),
            written,
        }
    }
}

/// Creates the parents.
async fn prepare(board: &Board, at: usize) {
    let client = Client::open(board.servers[at].address, TIMEOUT).await;
    let client = client.expect("the server serves");
    for path in ["/load", "/alive"] {
        match client.create(path, b"", mode::PERSISTENT).await {
            Ok(_) | Err(Failure::Code(NODE_EXISTS)) => {}
            Err(failure) => panic!("{path} cannot be created: {failure:?}"),
        }
    }
    client.close().await.expect("a session can be closed");
}

/// What was acknowledged in the end: all that was sent, since every answer was waited for.
#[derive(Debug)]
pub struct Books {
    sessions: Vec<SessionId>,
    written: Vec<u64>,
}

impl Books {
    /// Writes acknowledged in all.
    pub fn total(&self) -> u64 {
        self.written.iter().sum()
    }

    /// Panics unless a server, after a sync, has exactly what was acknowledged.
    pub async fn check(&self, server: SocketAddr) {
        let client = Client::open(server, TIMEOUT).await;
        let client = client.expect("the server serves");
        client.sync().await.expect("a server in its ensemble syncs");
        for (number, written) in self.written.iter().enumerate() {
            let path = path(number);
            let came = read_back(&client, &path).await;
            assert_eq!(came, Ok(*written), "{path} on {server}");
        }
        client.close().await.expect("a session can be closed");
    }

    /// Panics unless the ephemerals of all writers are there, owned by their sessions.
    pub async fn check_ephemerals(&self, server: SocketAddr) {
        let client = Client::open(server, TIMEOUT).await;
        let client = client.expect("the server serves");
        client.sync().await.expect("a server in its ensemble syncs");
        for (number, session) in self.sessions.iter().enumerate() {
            let stat = client.exists(&ephemeral(number), false).await;
            let owner = stat.map(|stat| stat.map(|stat| stat.ephemeral_owner));
            assert_eq!(
                owner,
                Ok(Some(session.0)),
                "{} on {server}",
                ephemeral(number)
            );
        }
        client.close().await.expect("a session can be closed");
    }
}

fn path(number: usize) -> String {
    format!("/load/{number}")
}

fn ephemeral(number: usize) -> String {
    format!("/alive/{number}")
}

/// How many operations of a writer a server has, or what is wrong with them.
async fn read_back(client: &Client, path: &str) -> Result<u64, String> {
    let lost = |failure: Failure| format!("cannot read {path}: {failure:?}");
    // Together, so that nothing comes between them.
    let data = client.send_get_data(path, false);
    let names = client.send_children(path);
    let data = data.answer().await.map_err(|e| lost(e.into()))?;
    let names = names.answer().await.map_err(|e| lost(e.into()))?;
    if data.err != 0 || names.err != 0 {
        return Err(lost(Failure::Code(data.err.min(names.err))));
    }
    let (data, stat) = crate::operations::data_and_stat(&data);
    let names = crate::operations::sorted_names(&names);
    let sets = u64::try_from(stat.version).unwrap_or(0);
    let came = sets + names.len() as u64;
    if creates_before(came) != names.len() as u64 {
        return Err(format!(
            "{sets} sets and {} items are no prefix",
            names.len()
        ));
    }
    let last = (0..came).rev().find(|n| !is_create(*n));
    let expected = last.map_or("new".into(), |n| n.to_string());
    if data != expected.as_bytes() {
        let data = String::from_utf8_lossy(&data);
        return Err(format!("{data} where {expected} was set last"));
    }
    let expected = (0..came).filter(|n| is_create(*n)).map(item);
    match expected.zip(&names).find(|(item, name)| item != *name) {
        Some((item, name)) => Err(format!("{name} where {item} was created")),
        None => Ok(came),
    }
}

/// One session.
struct Writer {
    number: usize,
    home: usize,
    board: Arc<Board>,
    session: Option<Session>,
    /// The next operation to send.
    next: u64,
    /// Operations answered.
    acknowledged: u64,
}

/// Why a writer stopped using a connection.
enum Pause {
    Lost,
    GoHome,
    Stop,
}

impl Writer {
    async fn run(mut self) -> u64 {
        let board = Arc::clone(&self.board);
        while let Some((server, client)) = self.connect().await {
            if let Err(what) = self.resume(&client).await {
                if client.is_lost() {
                    self.note_loss(server, &client);
                    continue;
                }
                board.surprise(format!("writer {}: {what}", self.number));
                break;
            }
            let attached = &board.writers[self.number].attached;
            attached.store(server + 1, Ordering::Release);
            let paused = self.pump(server, &client).await;
            attached.store(0, Ordering::Release);
            self.session = Some(client.session());
            if let Some(what) = client.violation() {
                board.surprise(format!("writer {}: {what}", self.number));
            }
            match paused {
                Ok(Pause::Lost) => self.note_loss(server, &client),
                Ok(Pause::GoHome) => {}
                Ok(Pause::Stop) => break,
                Err(what) => {
                    board.surprise(format!("writer {}: {what}", self.number));
                    break;
                }
            }
        }
        self.acknowledged
    }

    fn note_loss(&mut self, server: usize, client: &Client) {
        self.session = Some(client.session());
        let server = &self.board.servers[server];
        if server.up.load(Ordering::Acquire) {
            self.board.surprise(format!(
                "writer {}: server {} closed the connection",
                self.number, server.id
            ));
        }
    }

    /// Opens or attaches, at home if possible; `None` when that is hopeless.
    async fn connect(&mut self) -> Option<(usize, Client)> {
        let start = Instant::now();
        let count = self.board.servers.len();
        for server in (self.home..).map(|index| index % count) {
            if start.elapsed() > SOON {
                break;
            }
            let place = &self.board.servers[server];
            if !place.up.load(Ordering::Acquire) {
                tokio::time::sleep(RETRY / 10).await;
                continue;
            }
            let connected = match &self.session {
                None => Client::open(place.address, TIMEOUT).await,
                Some(session) => Client::attach(place.address, session).await,
            };
            match connected {
                Ok(client) => {
                    let session = &self.board.writers[self.number].session;
                    session.store(client.session().id.0, Ordering::Release);
                    return Some((server, client));
                }
                Err(ConnectError::SessionGone) => {
                    let what = format!("writer {}: its session is gone", self.number);
                    self.board.surprise(what);
                    return None;
                }
                // Behind what the session has seen, or just gone.
                Err(ConnectError::Io(_)) => tokio::time::sleep(RETRY).await,
            }
        }
        let what = format!("writer {}: no server takes it", self.number);
        self.board.surprise(what);
        None
    }

    /// Learns how far the operations came whose answers were lost.
    async fn resume(&mut self, client: &Client) -> Result<(), String> {
        let path = path(self.number);
        if self.session.is_none() {
            let fresh = async {
                client.create(&path, b"new", mode::PERSISTENT).await?;
                let alive = ephemeral(self.number);
                client.create(&alive, b"", mode::EPHEMERAL).await
            };
            let created = fresh.await.map_err(|e| format!("cannot begin: {e:?}"))?;
            self.session = Some(client.session());
            debug_assert_eq!(created, ephemeral(self.number));
            return Ok(());
        }
        let came = read_back(client, &path).await?;
        if came < self.acknowledged || came > self.next {
            return Err(format!(
                "{came} operations are there; {} were acknowledged and {} sent",
                self.acknowledged, self.next
            ));
        }
        self.next = came;
        self.note_acknowledged(came);
        Ok(())
    }

    fn note_acknowledged(&mut self, acknowledged: u64) {
        self.acknowledged = acknowledged;
        let progress = &self.board.writers[self.number].acknowledged;
        progress.store(acknowledged, Ordering::Release);
    }

    /// Writes until something else is to be done. An error is a broken promise.
    async fn pump(&mut self, server: usize, client: &Client) -> Result<Pause, String> {
        let board = Arc::clone(&self.board);
        let mut under_way = VecDeque::new();
        loop {
            let pause = if board.stopping.load(Ordering::Acquire) {
                Some(Pause::Stop)
            } else if server != self.home && board.servers[self.home].up.load(Ordering::Acquire) {
                Some(Pause::GoHome)
            } else {
                None
            };
            while pause.is_none() && under_way.len() < WINDOW {
                under_way.push_back(self.send(client));
                self.next += 1;
            }
            let Some(front) = under_way.pop_front() else {
                // An empty window means that there is a reason to pause.
                return Ok(pause.unwrap_or(Pause::Stop));
            };
            let mut given_up = board.servers[server].given_up.subscribe();
            let answer = tokio::select! {
                answer = tokio::time::timeout(SOON, front.answer()) => answer,
                // The board keeps the sender.
                _ = given_up.wait_for(|given_up| *given_up) => return Ok(Pause::Lost),
            };
            let Ok(answer) = answer else {
                return Err(format!("no answer to operation {}", self.acknowledged));
            };
            let Ok(answer) = answer else {
                return Ok(Pause::Lost);
            };
            if answer.err != 0 {
                return Err(format!(
                    "operation {} on server {} was answered {}",
                    self.acknowledged, board.servers[server].id, answer.err
                ));
            }
            if is_create(self.acknowledged) {
                let expected = format!("{}/{}", path(self.number), item(self.acknowledged));
                let created = created_path(&answer);
                if created != expected {
                    return Err(format!("{created} was created, not {expected}"));
                }
            }
            board.acknowledge();
            self.note_acknowledged(self.acknowledged + 1);
        }
    }

    fn send(&self, client: &Client) -> Pending {
        let n = self.next;
        let path = path(self.number);
        if is_create(n) {
            let path = format!("{path}/item-{n:08}-");
            client.send_create(&path, b"", mode::SEQUENTIAL)
        } else {
            client.send_set_data(&path, n.to_string().as_bytes(), sets_before(n))
        }
    }
}
