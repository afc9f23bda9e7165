//! Servers that run and cannot reach the others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use zoowarden_tests::client::Client;
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::load::Load;
use zoowarden_tests::operations::{Failure, mode};
use zoowarden_tests::wait::{SOON, until};

const WRITERS_PER_SERVER: usize = 2;
const CLOCK: &str = "/clock";

async fn ensemble() -> (Ensemble, u8, Vec<u8>) {
    let plan = Plan {
        proxied: true,
        ..Plan::of(3).set("tickTime=200")
    };
    let ensemble = Ensemble::start(plan).await;
    let all = ensemble.ids();
    let leader = ensemble.wait_for_leader(&all).await;
    let others = all.into_iter().filter(|id| *id != leader).collect();
    (ensemble, leader, others)
}

/// A znode that counts up, and what was acknowledged of it.
#[derive(Default)]
struct Clock {
    acknowledged: AtomicU64,
    checked: AtomicU64,
    stopping: AtomicBool,
}

impl Clock {
    fn start_writing(self: &Arc<Self>, client: Client) -> JoinHandle<()> {
        let clock = Arc::clone(self);
        tokio::spawn(async move {
            for n in 1_u64.. {
                if clock.stopping.load(Ordering::Acquire) {
                    return;
                }
                let set = client.set_data(CLOCK, &n.to_be_bytes(), -1).await;
                set.expect("the majority goes on, and its clients with it");
                clock.acknowledged.store(n, Ordering::Release);
            }
        })
    }

    /// Syncs and reads again and again; whatever the server says must be as new as what had been
    /// acknowledged when the sync was asked for. A lost connection is opened again.
    fn start_reading(self: &Arc<Self>, server: SocketAddr) -> JoinHandle<()> {
        let clock = Arc::clone(self);
        tokio::spawn(async move {
            while !clock.stopping.load(Ordering::Acquire) {
                match Client::open(server, Duration::from_secs(3)).await {
                    Ok(client) => clock.read(&client).await,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        })
    }

    async fn read(&self, client: &Client) {
        while !self.stopping.load(Ordering::Acquire) {
            let floor = self.acknowledged.load(Ordering::Acquire);
            let read = async {
                client.sync().await?;
                client.get_data(CLOCK).await
            };
            match read.await {
                Ok((data, _)) => {
                    let shown = data.try_into().map_or(0, u64::from_be_bytes);
                    assert!(
                        shown >= floor,
                        "{shown} was read after {floor} was acknowledged"
                    );
                    self.checked.fetch_add(1, Ordering::AcqRel);
                }
                Err(Failure::Lost) => return,
                Err(failure) => panic!("a read was answered {failure:?}"),
            }
        }
    }

    async fn wait_for_checks(&self, more: u64) {
        let goal = self.checked.load(Ordering::Acquire) + more;
        until("syncs are answered", SOON, async || {
            (self.checked.load(Ordering::Acquire) >= goal).then_some(())
        })
        .await;
    }
}

/// Clients of an isolated follower keep their connections as long as it can vouch for their
/// sessions, the majority goes on, and what a sync shows is never old, whenever it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn isolated_follower_keeps_clients_it_can_vouch_for_and_never_reads_stale_after_sync() {
    let (ensemble, leader, others) = ensemble().await;
    let (alone, other) = (others[0], others[1]);
    let load = Load::start(&ensemble, &[leader, other], WRITERS_PER_SERVER).await;
    let open = async |id: u8, timeout_s: u64| {
        let timeout = Duration::from_secs(timeout_s);
        Client::open(ensemble.address(id), timeout).await.unwrap()
    };
    let writer = open(leader, 20).await;
    writer
        .create(CLOCK, &0_u64.to_be_bytes(), mode::PERSISTENT)
        .await
        .unwrap();
    let clock = Arc::new(Clock::default());
    let writing = clock.start_writing(writer);
    let reading = clock.start_reading(ensemble.address(alone));
    clock.wait_for_checks(20).await;
    let (short, long) = (open(alone, 2).await, open(alone, 6).await);

    ensemble.isolate(alone);
    let through = long.send_create("/through", b"", mode::PERSISTENT);
    tokio::time::timeout(SOON, short.lost())
        .await
        .expect("nobody can vouch for the short session");
    assert!(!long.is_lost(), "the long session cannot be over yet");
    tokio::time::timeout(SOON, long.lost())
        .await
        .expect("nobody can vouch for the long session");
    assert!(
        through.answer().await.is_err(),
        "a write without a quorum was answered"
    );
    load.wait_for_progress(200).await;

    ensemble.heal(alone);
    clock.wait_for_checks(100).await;
    clock.stopping.store(true, Ordering::Release);
    writing.await.unwrap();
    reading.await.unwrap();
    let books = load.finish().await;
    for id in ensemble.ids() {
        books.check(ensemble.address(id)).await;
    }
}

/// An isolated leader answers no sync: what it would show may be old. The majority elects, and
/// what the old leader had not got through is executed once or never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn isolated_leader_confirms_nothing_and_is_replaced() {
    let (ensemble, old, others) = ensemble().await;
    let all = ensemble.ids();
    let load = Load::start(&ensemble, &all, WRITERS_PER_SERVER).await;
    let reader = Client::open(ensemble.address(old), SOON).await.unwrap();
    let writer = Client::open(ensemble.address(others[0]), SOON)
        .await
        .unwrap();
    writer
        .create(CLOCK, b"old", mode::PERSISTENT)
        .await
        .unwrap();
    reader.sync().await.unwrap();
    assert_eq!(reader.get_data(CLOCK).await.unwrap().0, b"old");

    load.expect_down(old);
    ensemble.isolate(old);
    load.give_up(old);
    ensemble.wait_for_leader(&others).await;
    writer.set_data(CLOCK, b"new", -1).await.unwrap();
    let synced = reader.send(zoowarden::proto::OpCode::Sync, |w| w.text("/"));
    let read = reader.send_get_data(CLOCK, false);
    load.wait_for_progress(200).await;

    ensemble.heal(old);
    if synced.answer().await.is_ok()
        && let Ok(answer) = read.answer().await
    {
        let (data, _) = zoowarden_tests::operations::data_and_stat(&answer);
        assert_eq!(data, b"new", "an isolated leader confirmed a stale read");
    }
    until("the old leader follows", SOON, async || {
        let mode = ensemble.srvr(old, "Mode").await;
        (mode.as_deref() == Some("follower")).then_some(())
    })
    .await;
    load.expect_up(old);
    load.wait_until_home(WRITERS_PER_SERVER).await;
    load.wait_for_progress(50).await;
    let books = load.finish().await;
    for id in all {
        books.check(ensemble.address(id)).await;
    }
}
