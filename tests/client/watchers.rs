//! Watchers: what they hear, when they end, what they leave on the server.

use zoowarden::client::{AddWatchMode, Code, EventKind, Request, Watcher};
use zoowarden::proto::WatcherType;
use zoowarden::{Client, CreateMode, Version, WatchEvent};

use super::{client, ensemble, soon};

async fn next(watcher: &mut Watcher) -> (EventKind, String) {
    match soon("an event", watcher.next()).await {
        Some(WatchEvent::Changed { kind, path, .. }) => (kind, path),
        other => panic!("{other:?}"),
    }
}

/// What the server still has for a path.
async fn is_watched(client: &Client, path: &str, kind: WatcherType) -> bool {
    let check = Request::CheckWatches {
        path: path.into(),
        kind,
    };
    match client.call(check).await {
        Ok(_) => true,
        Err(error) if error.code() == Code::NoWatcher => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn one_shot_watchers_hear_of_one_change_and_end() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    let (none, mut there) = client.exists_and_watch("/a").await.unwrap();
    assert_eq!(none, None);
    client
        .create("/a", b"", CreateMode::Persistent)
        .await
        .unwrap();
    assert_eq!(
        next(&mut there).await,
        (EventKind::Created, "/a".to_owned())
    );
    assert_eq!(there.next().await, None);

    let (_, _, mut data) = client.get_and_watch("/a").await.unwrap();
    let (_, _, mut children) = client.get_children_and_watch("/a").await.unwrap();
    client
        .create("/a/b", b"", CreateMode::Persistent)
        .await
        .unwrap();
    assert_eq!(
        next(&mut children).await,
        (EventKind::ChildrenChanged, "/a".to_owned())
    );
    client.set("/a", b"1", Version::Any).await.unwrap();
    client.set("/a", b"2", Version::Any).await.unwrap();
    assert_eq!(
        next(&mut data).await,
        (EventKind::DataChanged, "/a".to_owned())
    );
    assert_eq!((data.next().await, children.next().await), (None, None));

    let (_, _, mut data) = client.get_and_watch("/a/b").await.unwrap();
    let (_, _, mut children) = client.get_children_and_watch("/a/b").await.unwrap();
    client.delete("/a/b", Version::Any).await.unwrap();
    assert_eq!(
        next(&mut data).await,
        (EventKind::Deleted, "/a/b".to_owned())
    );
    assert_eq!(
        next(&mut children).await,
        (EventKind::Deleted, "/a/b".to_owned())
    );
    assert_eq!(client.watchers(), 0);
}

#[tokio::test]
async fn persistent_watchers_hear_of_everything_in_order() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    let mut one = client.watch("/p", AddWatchMode::Persistent).await.unwrap();
    let mut all = client
        .watch("/", AddWatchMode::PersistentRecursive)
        .await
        .unwrap();
    client
        .create("/p", b"", CreateMode::Persistent)
        .await
        .unwrap();
    client
        .create("/p/c", b"", CreateMode::Persistent)
        .await
        .unwrap();
    client.set("/p/c", b"", Version::Any).await.unwrap();
    client.delete("/p/c", Version::Any).await.unwrap();
    client.delete("/p", Version::Any).await.unwrap();
    use EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
    for (kind, path) in [
        (Created, "/p"),
        (Created, "/p/c"),
        (DataChanged, "/p/c"),
        (Deleted, "/p/c"),
        (Deleted, "/p"),
    ] {
        assert_eq!(next(&mut all).await, (kind, path.to_owned()));
    }
    for kind in [Created, ChildrenChanged, ChildrenChanged, Deleted] {
        assert_eq!(next(&mut one).await, (kind, "/p".to_owned()));
    }
}

#[tokio::test]
async fn dropping_a_watcher_removes_the_watch_unless_others_wait_for_the_same() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    client
        .create("/a", b"", CreateMode::Persistent)
        .await
        .unwrap();
    let (_, _, first) = client.get_and_watch("/a").await.unwrap();
    let (_, second) = client.exists_and_watch("/a").await.unwrap();
    let (_, _, children) = client.get_children_and_watch("/a").await.unwrap();
    drop(first);
    assert!(is_watched(&client, "/a", WatcherType::Data).await);
    drop(second);
    assert!(!is_watched(&client, "/a", WatcherType::Data).await);
    assert!(is_watched(&client, "/a", WatcherType::Children).await);
    drop(children);
    assert!(!is_watched(&client, "/a", WatcherType::Any).await);

    let persistent = client.watch("/a", AddWatchMode::Persistent).await.unwrap();
    let (_, _, mut data) = client.get_and_watch("/a").await.unwrap();
    drop(persistent);
    // A one-shot on the same path is not taken along.
    client.set("/a", b"", Version::Any).await.unwrap();
    assert_eq!(next(&mut data).await.0, EventKind::DataChanged);
    drop(data);
    client
        .watch("/a", AddWatchMode::PersistentRecursive)
        .await
        .map(drop)
        .unwrap();
    assert!(!is_watched(&client, "/a", WatcherType::Any).await);
}

#[tokio::test]
async fn failed_request_leaves_no_watcher() {
    let ensemble = ensemble(1).await;
    let client = client(&ensemble).await;
    assert_eq!(
        client.get_and_watch("/none").await.unwrap_err().code(),
        Code::NoNode
    );
    assert_eq!(
        client
            .get_children_and_watch("/none")
            .await
            .unwrap_err()
            .code(),
        Code::NoNode
    );
    assert_eq!(client.watchers(), 0);
}

#[tokio::test]
async fn event_comes_before_the_reply_that_shows_the_change() {
    let ensemble = ensemble(1).await;
    let (reader, writer) = (client(&ensemble).await, client(&ensemble).await);
    writer
        .create("/n", b"", CreateMode::Persistent)
        .await
        .unwrap();
    for version in 0..200 {
        let (_, stat, mut watcher) = reader.get_and_watch("/n").await.unwrap();
        assert_eq!(stat.version, version);
        writer.set("/n", b"", Version::Any).await.unwrap();
        loop {
            let (_, stat) = reader.get("/n").await.unwrap();
            if stat.version > version {
                break;
            }
        }
        let event = futures_util::poll!(Box::pin(watcher.next()));
        assert!(event.is_ready(), "the reply was there before the event");
    }
}
