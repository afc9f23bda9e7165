//! Sessions that move from one server to another.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use zoowarden_tests::client::{Client, ConnectError, Lost, Session};
use zoowarden_tests::ensemble::{Ensemble, Plan};
use zoowarden_tests::operations::mode;
use zoowarden_tests::wait::{SOON, until};

/// Writes of the old connection under way at any time.
const WINDOW: usize = 64;

/// Acknowledged writes before the move begins.
const BEFORE: i32 = 200;

/// Writes until the connection is lost; tells how many were acknowledged, all along and in the end.
async fn flood(client: Arc<Client>, path: String, acknowledged: watch::Sender<i32>) -> i32 {
    let mut under_way = VecDeque::new();
    for version in 0.. {
        under_way.push_back(client.send_set_data(&path, b"old", version));
        if under_way.len() < WINDOW {
            continue;
        }
        let Some(front) = under_way.pop_front() else {
            break;
        };
        match front.answer().await {
            Ok(answer) if answer.err == 0 => acknowledged.send_modify(|count| *count += 1),
            Ok(answer) => panic!("a write of the old connection was answered {answer:?}"),
            Err(Lost) => break,
        }
    }
    *acknowledged.borrow()
}

/// Attaches as soon as the server has seen what the session has.
async fn attach(server: SocketAddr, session: &Session) -> Client {
    until(
        "the session is taken",
        SOON,
        async || match Client::attach(server, session).await {
            Ok(client) => Some(client),
            Err(ConnectError::Io(_)) => None,
            Err(ConnectError::SessionGone) => panic!("the session is gone"),
        },
    )
    .await
}

/// Attaching elsewhere closes the old connection; of the writes that were pipelined through it a
/// beginning is executed, and nothing more once the move is through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moved_session_executes_nothing_more_of_its_old_connection() {
    let ensemble = Ensemble::start(Plan::of(3)).await;
    for (from, to) in [(1, 2), (2, 3), (3, 1), (1, 1)] {
        let old = Client::open(ensemble.address(from), SOON).await.unwrap();
        let old = Arc::new(old);
        let path = format!("/moved-{from}-{to}");
        old.create(&path, b"", mode::PERSISTENT).await.unwrap();
        let progress = watch::Sender::new(0);
        let mut came = progress.subscribe();
        let flooding = tokio::spawn(flood(Arc::clone(&old), path.clone(), progress));
        came.wait_for(|count| *count >= BEFORE).await.unwrap();

        let new = attach(ensemble.address(to), &old.session()).await;
        let (_, stat) = new.get_data(&path).await.unwrap();
        let executed = stat.version;
        let ended = tokio::time::timeout(SOON, flooding).await;
        let acknowledged = ended.expect("the old connection is closed").unwrap();
        assert!(
            acknowledged <= executed,
            "{acknowledged} acknowledged, {executed} executed"
        );
        let set = new.set_data(&path, b"new", executed).await;
        let version = set.map(|stat| stat.version);
        assert_eq!(version, Ok(executed + 1), "something came after the move");
        for id in ensemble.ids() {
            let reader = Client::open(ensemble.address(id), SOON).await.unwrap();
            reader.sync().await.unwrap();
            let (data, stat) = reader.get_data(&path).await.unwrap();
            assert_eq!(
                (data.as_slice(), stat.version),
                (b"new".as_slice(), executed + 1)
            );
        }
        println!("from {from} to {to}: {executed} executed, {acknowledged} acknowledged");
    }
}
