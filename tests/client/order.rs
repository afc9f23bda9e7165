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
async fn client_that_is_full_can_be_closed() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    ensemble.cut_client(1).unwrap();
    reach(&client, State::Suspended).await;
    for _ in 0..WAITING_MAX {
        client.submit(Request::WhoAmI, None, drop);
    }
    soon("the end of the client", client.close()).await;
    assert_eq!(client.state(), State::Closed);
}

/// Whatever a sink owns may be the last of its client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sink_may_own_the_last_of_its_client() {
    let ensemble = ensemble(1).await;
    let observer = client(&ensemble).await;
    let owned = client(&ensemble).await;
    let mut states = owned.states();
    let inside = owned.clone();
    let sink = Arc::new(move |_| {
        inside.state();
    });
    let request = Request::GetData {
        path: "/none".into(),
        watch: true,
    };
    owned.submit(request, Some(sink), |answer| {
        assert_eq!(answer.unwrap_err().code(), Code::NoNode);
    });
    drop(owned);
    let closed = states.wait_for(|state| state.is_over());
    soon("the end of the client", closed).await.unwrap();
    observer.exists("/").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sink_that_panics_ends_its_client_and_nobody_waits_for_ever() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    client.submit(Request::WhoAmI, None, |_| panic!("on purpose"));
    soon("the end of the client", client.connected()).await.ok();
    reach(&client, State::Closed).await;
    let error = soon("an answer", client.get("/")).await.unwrap_err();
    assert_eq!(error.code(), Code::Closing);
    soon("the end of the client", client.close()).await;
}

#[test]
fn runtime_that_ends_ends_its_clients() {
    let build = || tokio::runtime::Runtime::new().unwrap();
    let (here, there) = (build(), build());
    let ensemble = here.block_on(ensemble(1));
    let client = Client::open_on(there.handle(), super::config(&ensemble));
    here.block_on(client.connected()).unwrap();
    there.shutdown_background();
    here.block_on(async {
        reach(&client, State::Closed).await;
        let error = soon("an answer", client.get("/")).await.unwrap_err();
        assert_eq!(error.code(), Code::Closing);
    });
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
