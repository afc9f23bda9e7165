//! Locks and read-write locks when all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use zoowarden::recipes::{Layout, Lock, Loss, Options, ReadWriteLock, Standing};
use zoowarden::{CreateMode, Version};

use super::{Line, client, client_on, ensemble, soon, until_children};

fn named(identifier: &str, layout: Layout) -> Options {
    Options {
        identifier: identifier.into(),
        layout,
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_is_granted_in_the_order_in_which_it_was_asked_for() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let holder = Lock::new(&client, "/deep/down/lock")
        .acquire()
        .await
        .unwrap();
    let mut waiting = Vec::new();
    for number in 0..5 {
        let lock = Lock::with(
            &client,
            "/deep/down/lock",
            named(&number.to_string(), Layout::Kazoo),
        );
        waiting.push(tokio::spawn(async move { lock.acquire().await }));
        until_children(&client, "/deep/down/lock", number + 2).await;
    }
    let lock = Lock::new(&client, "/deep/down/lock");
    let contenders = lock.contenders().await.unwrap();
    let told: Vec<_> = contenders.iter().map(|c| c.identifier.clone()).collect();
    assert_eq!(told, [&b""[..], b"0", b"1", b"2", b"3", b"4"]);
    assert!(lock.try_acquire().await.unwrap().is_none());
    let mut token = holder.token();
    assert_eq!(contenders[0].token, token);
    holder.release().await.unwrap();
    for next in waiting {
        let held = soon("our turn", next).await.unwrap().unwrap();
        assert!(held.is_held());
        assert!(held.token() > token, "a later holder's token is greater");
        token = held.token();
        drop(held);
    }
    until_children(&client, "/deep/down/lock", 0).await;
    let held = lock.try_acquire().await.unwrap().expect("nobody holds it");
    held.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_contenders_exclude_each_other_and_each_end_wakes_one() {
    const CONTENDERS: usize = 20;
    let ensemble = ensemble().await;
    let first = client(&ensemble).await;
    first
        .create("/n", b"0", CreateMode::Persistent)
        .await
        .unwrap();
    let gate = Lock::new(&first, "/lock").acquire().await.unwrap();
    let lines: Vec<_> = (0..CONTENDERS)
        .map(|_| Line::over(ensemble.net()))
        .collect();
    let inside = Arc::new(AtomicUsize::new(0));
    let contend = |line: Arc<Line>| {
        let (inside, ensemble) = (Arc::clone(&inside), &ensemble);
        async move {
            let client = client_on(&line, ensemble).await;
            let lock = Lock::new(&client, "/lock");
            let held = lock.acquire().await.unwrap();
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            let (data, _) = client.get("/n").await.unwrap();
            let n: u32 = std::str::from_utf8(&data).unwrap().parse().unwrap();
            let data = (n + 1).to_string();
            client
                .set("/n", data.as_bytes(), Version::Any)
                .await
                .unwrap();
            assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
            held.release().await.unwrap();
        }
    };
    let all = join_all(lines.iter().cloned().map(contend));
    let open = async {
        until_children(&first, "/lock", CONTENDERS + 1).await;
        gate.release().await.unwrap();
    };
    soon("everybody's turn", async { tokio::join!(all, open) }).await;
    let (data, _) = first.get("/n").await.unwrap();
    assert_eq!(data, CONTENDERS.to_string());
    // One for the end of the one ahead, one for the end of one's own.
    let heard: usize = lines.iter().map(|line| line.notifications()).sum();
    assert!(heard <= 2 * CONTENDERS, "{heard} notifications");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layouts_of_ours_exclude_each_other() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let layouts = [Layout::Kazoo, Layout::Curator, Layout::CuratorLatch];
    for holds in layouts {
        for wants in layouts {
            let holder = Lock::with(&client, "/lock", named("", holds));
            let held = holder.acquire().await.unwrap();
            let other = Lock::with(&client, "/lock", named("", wants));
            assert!(other.try_acquire().await.unwrap().is_none());
            let reader = ReadWriteLock::with(&client, "/lock", named("", wants));
            assert!(reader.try_read().await.unwrap().is_none());
            held.release().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_share_and_writers_do_not_starve() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let lock = ReadWriteLock::new(&client, "/rw");
    let one = lock.read().await.unwrap();
    let two = lock.try_read().await.unwrap().expect("readers share");
    assert!(lock.try_write().await.unwrap().is_none());
    let writer = tokio::spawn({
        let lock = lock.clone();
        async move { lock.write().await }
    });
    until_children(&client, "/rw", 3).await;
    assert!(
        lock.try_read().await.unwrap().is_none(),
        "a reader overtook a writer"
    );
    let reader = tokio::spawn({
        let lock = lock.clone();
        async move { lock.read().await }
    });
    until_children(&client, "/rw", 4).await;
    one.release().await.unwrap();
    assert!(!writer.is_finished());
    two.release().await.unwrap();
    let writer = soon("the writer's turn", writer).await.unwrap().unwrap();
    assert!(!reader.is_finished());
    assert!(writer.token() > two.token());
    writer.release().await.unwrap();
    let reader = soon("the reader's turn", reader).await.unwrap().unwrap();
    assert_eq!(lock.contenders().await.unwrap().len(), 1);
    drop(reader);
    until_children(&client, "/rw", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_is_lost_when_it_is_released_and_when_somebody_removes_it() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let lock = Lock::new(&client, "/lock");
    let held = lock.acquire().await.unwrap();
    let lost = held.lost();
    held.release().await.unwrap();
    assert_eq!(lost.await, Loss::Released);
    assert_eq!(held.standing(), Standing::Lost(Loss::Released));
    held.release().await.unwrap();
    let held = lock.acquire().await.unwrap();
    // A change of its data is no loss.
    client.set(held.path(), b"x", Version::Any).await.unwrap();
    client.delete(held.path(), Version::Any).await.unwrap();
    assert_eq!(soon("the loss", held.lost()).await, Loss::Removed);
    assert!(!held.is_held());
    held.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_in_a_removed_place_is_an_error() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let lock = Lock::new(&client, "/lock");
    let held = lock.acquire().await.unwrap();
    let waiting = tokio::spawn({
        let lock = lock.clone();
        async move { lock.acquire().await.map(drop) }
    });
    until_children(&client, "/lock", 2).await;
    let place = lock.contenders().await.unwrap().remove(1);
    let path = format!("/lock/{}", place.name);
    client.delete(&path, Version::Any).await.unwrap();
    held.release().await.unwrap();
    let error = soon("the error", waiting).await.unwrap().unwrap_err();
    assert_eq!(error.code(), zoowarden::client::Code::NoNode);
}
