//! FIFO, whatever the caller does.

use std::sync::Arc;

use futures_util::future::join_all;
use parking_lot::Mutex;
use zoowarden::client::{Answer, Code, Request, State, WAITING_MAX};
use zoowarden::{Client, CreateMode, Version};

use super::{client, ensemble, reach, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_carried_out_and_answered_in_order() {
    let ensemble = ensemble(3).await;
    let client = client(&ensemble).await;
    client
        .create("/n", b"", CreateMode::Persistent)
        .await
        .unwrap();
    const WRITES: i32 = 2_000;
    let heard = Arc::new(Mutex::new(Vec::new()));
    for version in 0..WRITES {
        for request in [
            Request::SetData {
                path: "/n".into(),
                data: Some(b"x"),
                version,
            },
            Request::GetData {
                path: "/n".into(),
                watch: false,
            },
        ] {
            let heard = Arc::clone(&heard);
            client.submit(request, None, move |answer| heard.lock().push(answer));
        }
    }
    let (_, stat) = client.get("/n").await.unwrap();
    assert_eq!(stat.version, WRITES);
    let heard = heard.lock();
    assert_eq!(heard.len(), 2 * WRITES as usize);
    for (at, pair) in heard.chunks(2).enumerate() {
        let version = at as i32 + 1;
        let versions = pair.iter().map(|answer| match answer.as_ref().unwrap() {
            Answer::Stat(stat) | Answer::Data(_, stat) => stat.version,
            other => panic!("{other:?}"),
        });
        assert_eq!(versions.collect::<Vec<_>>(), [version, version]);
    }
}

#[tokio::test]
async fn giving_up_an_answer_disturbs_nobody() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    for n in 0..200 {
        let path = format!("/z{n}");
        let mut create = Box::pin(client.create(&path, b"", CreateMode::Persistent));
        // Polled once, so that it is on its way, then dropped.
        assert!(futures_util::poll!(&mut create).is_pending());
        drop(create);
        let (_, stat) = client.get(&path).await.unwrap();
        assert_eq!(stat.version, 0);
    }
}

#[tokio::test]
async fn watch_whose_request_was_given_up_is_removed() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    client
        .create("/w", b"", CreateMode::Persistent)
        .await
        .unwrap();
    let mut get = Box::pin(client.get_and_watch("/w"));
    assert!(futures_util::poll!(&mut get).is_pending());
    drop(get);
    client.sync("/").await.unwrap();
    assert_eq!(client.watchers(), 0);
    // The server's side: nothing of this kind is left to remove.
    client.sync("/").await.unwrap();
    let remove = Request::RemoveWatches {
        path: "/w".into(),
        kind: zoowarden::proto::WatcherType::Any,
    };
    assert_eq!(
        client.call(remove).await.unwrap_err().code(),
        Code::NoWatcher
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller_without_patience_is_told_of_the_limit_and_others_wait_for_room() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    client
        .create("/n", b"", CreateMode::Persistent)
        .await
        .unwrap();
    ensemble.cut_client(1).unwrap();
    reach(&client, State::Suspended).await;
    let refused = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..=WAITING_MAX {
        let refused = Arc::clone(&refused);
        let request = Request::GetData {
            path: "/n".into(),
            watch: false,
        };
        client.submit(request, None, move |answer| {
            if let Err(error) = answer
                && error.code() == Code::ThrottledOp
            {
                refused.lock().push(error);
            }
        });
    }
    let error = refused.lock().pop().expect("the last one finds no room");
    assert!(error.nothing_changed());
    assert!(error.to_string().contains("65536 requests wait"), "{error}");
    let patient = {
        let client = client.clone();
        tokio::spawn(async move { client.exists("/n").await })
    };
    ensemble.heal_client(1).unwrap();
    soon("room", patient).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_one_client() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    let tasks = (0..50).map(|task| {
        let client: Client = client.clone();
        tokio::spawn(async move {
            let path = format!("/t{task}");
            client
                .create(&path, b"", CreateMode::Ephemeral)
                .await
                .unwrap();
            for version in 0..20 {
                client
                    .set(&path, b"x", Version::Exactly(version))
                    .await
                    .unwrap();
            }
            client.delete(&path, Version::Exactly(20)).await.unwrap();
        })
    });
    for done in join_all(tasks).await {
        done.unwrap();
    }
}
