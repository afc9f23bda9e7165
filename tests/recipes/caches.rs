//! Caches.

use std::collections::BTreeMap;

use bytes::Bytes;
use zoowarden::client::{Code, OnExpiry};
use zoowarden::recipes::{Cached, TreeCache, TreeChange, ZnodeCache};
use zoowarden::{Client, CreateMode, Version};
use zoowarden_tests::wait;

use super::{Line, SOON, client, client_on, config, ensemble, renewing_client, soon};

async fn until_shows(cache: &mut ZnodeCache, data: Option<&str>) {
    let shown = async {
        while cache.current().znode().map(|znode| znode.data.clone())
            != data.map(|data| Bytes::copy_from_slice(data.as_bytes()))
        {
            cache.changed().await;
        }
    };
    soon("the new state", shown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn znode_is_followed_there_or_not_through_losses_and_sessions() {
    let ensemble = ensemble().await;
    let other = client(&ensemble).await;
    let line = Line::over(ensemble.net());
    let mut config = config(&ensemble);
    config.net = std::sync::Arc::clone(&line) as _;
    config.on_expiry = OnExpiry::Renew;
    let follower = Client::connect_with(config).await.unwrap();
    let mut cache = ZnodeCache::start(&follower, "/z").await.unwrap();
    assert_eq!(cache.current(), Cached::Missing);
    other
        .create("/z", b"1", CreateMode::Persistent)
        .await
        .unwrap();
    until_shows(&mut cache, Some("1")).await;
    other.set("/z", b"2", Version::Any).await.unwrap();
    until_shows(&mut cache, Some("2")).await;
    line.cut();
    other.set("/z", b"3", Version::Any).await.unwrap();
    line.heal();
    until_shows(&mut cache, Some("3")).await;
    ensemble
        .expire_session(follower.session_id())
        .await
        .unwrap();
    other.delete("/z", Version::Any).await.unwrap();
    until_shows(&mut cache, None).await;
    other
        .create("/z", b"4", CreateMode::Persistent)
        .await
        .unwrap();
    until_shows(&mut cache, Some("4")).await;
    follower.close().await;
    let ended = async {
        while !matches!(cache.current(), Cached::Ended(Some(_), _)) {
            cache.changed().await;
        }
    };
    soon("the end", ended).await;
}

/// What is really there.
async fn real(client: &Client, root: &str) -> BTreeMap<String, (Bytes, i32, i64)> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(path) = ahead.pop() {
        let Ok((data, stat)) = client.get(&path).await else {
            continue;
        };
        let names = client.get_children(&path).await.unwrap();
        ahead.extend(names.iter().map(|name| format!("{path}/{name}")));
        found.insert(path, (data, stat.version, stat.czxid));
    }
    found
}

async fn until_same(cache: &TreeCache, client: &Client, what: &str) {
    let real = real(client, "/tree").await;
    wait::until(what, SOON, async || {
        let cached = cache.snapshot().into_iter();
        let cached: BTreeMap<_, _> = cached
            .map(|(path, z)| (path, (z.data.clone(), z.stat.version, z.stat.czxid)))
            .collect();
        (cached == real).then_some(())
    })
    .await;
}

/// One change somewhere; what cannot be done is not.
async fn change(client: &Client, random: &mut fastrand::Rng) {
    let mut path = "/tree".to_owned();
    for _ in 0..random.usize(0..4) {
        path += &format!("/{}", random.u8(0..3));
    }
    let data = random.u16(..).to_string();
    let _ = match random.u8(0..10) {
        0..4 => client
            .create(&path, data.as_bytes(), CreateMode::Persistent)
            .await
            .map(drop),
        4..7 => client
            .set(&path, data.as_bytes(), Version::Any)
            .await
            .map(drop),
        7..9 => client.delete(&path, Version::Any).await,
        _ => client.delete_recursive(&path).await.map(drop),
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_cache_shows_what_is_there_after_random_changes_and_losses() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let ensemble = ensemble().await;
    let other = client(&ensemble).await;
    let line = Line::over(ensemble.net());
    let mut config = config(&ensemble);
    config.net = std::sync::Arc::clone(&line) as _;
    config.on_expiry = OnExpiry::Renew;
    let follower = Client::connect_with(config).await.unwrap();
    let cache = TreeCache::start(&follower, "/tree").await.unwrap();
    assert!(cache.is_empty());
    for round in 0..12 {
        for _ in 0..60 {
            change(&other, &mut random).await;
        }
        match random.u8(0..4) {
            0 => line.lose_answer_after(random.i64(0..5)),
            1 => {
                line.cut();
                change(&other, &mut random).await;
                line.heal();
            }
            2 => {
                let session = follower.session_id();
                ensemble.expire_session(session).await.unwrap();
            }
            _ => {}
        }
        for _ in 0..20 {
            change(&other, &mut random).await;
        }
        until_same(&cache, &other, &format!("round {round} of seed {seed}")).await;
        assert_eq!(cache.ended(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_told_and_children_listed() {
    let ensemble = ensemble().await;
    let (client, other) = (renewing_client(&ensemble).await, client(&ensemble).await);
    other.ensure_path("/tree/a/b").await.unwrap();
    // Sorts between a znode and its children.
    other.ensure_path("/tree/a-").await.unwrap();
    let cache = TreeCache::start(&client, "/tree").await.unwrap();
    assert_eq!(cache.len(), 4);
    assert_eq!(cache.children("/tree"), ["a", "a-"]);
    assert_eq!(cache.children("/tree/a"), ["b"]);
    assert_eq!(cache.children("/tree/a/b"), [""; 0]);
    let mut changes = cache.changes();
    other
        .create("/tree/c", b"1", CreateMode::Persistent)
        .await
        .unwrap();
    let told = soon("a change", changes.next()).await.unwrap();
    assert!(matches!(told, TreeChange::Added(path, z) if path == "/tree/c" && z.data == "1"));
    other.set("/tree/c", b"2", Version::Any).await.unwrap();
    let told = soon("a change", changes.next()).await.unwrap();
    assert!(matches!(told, TreeChange::Updated(path, z) if path == "/tree/c" && z.data == "2"));
    other.delete("/tree/c", Version::Any).await.unwrap();
    let told = soon("a change", changes.next()).await.unwrap();
    assert_eq!(told, TreeChange::Removed("/tree/c".to_owned()));
    drop(cache);
    assert_eq!(soon("the end", changes.next()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_cache_ends_when_it_grows_beyond_its_limit() {
    let ensemble = ensemble().await;
    let line = Line::over(ensemble.net());
    let client = client_on(&line, &ensemble).await;
    client.ensure_path("/tree/a/b").await.unwrap();
    let error = TreeCache::start_with(&client, "/tree", 2)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::QuotaExceeded);
    let cache = TreeCache::start_with(&client, "/tree", 3).await.unwrap();
    let mut changes = cache.changes();
    client.ensure_path("/tree/a/c").await.unwrap();
    let ended = async { while !matches!(changes.next().await, Some(TreeChange::Ended(_))) {} };
    soon("the end", ended).await;
    assert_eq!(cache.ended().unwrap().code(), Code::QuotaExceeded);
}
