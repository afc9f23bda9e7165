//! Groups.

use zoowarden::recipes::{Group, Options};

use super::{client, ensemble, soon, until_children};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_seen_while_their_sessions_last() {
    let ensemble = ensemble().await;
    let (one, two) = (client(&ensemble).await, client(&ensemble).await);
    let group = |client, name: &str| {
        let options = Options {
            identifier: name.into(),
            ..Options::default()
        };
        Group::with(client, "/group", options)
    };
    let (a, b) = (group(&one, "a"), group(&two, "b"));
    assert!(a.members().await.unwrap().is_empty());
    let first = a.join().await.unwrap();
    let (members, mut watcher) = b.members_and_watch().await.unwrap();
    assert_eq!(members.len(), 1);
    let second = b.join().await.unwrap();
    assert!(soon("a change", watcher.next()).await.is_some());
    let members = b.members().await.unwrap();
    let seen: Vec<_> = members
        .iter()
        .map(|m| (m.identifier.as_slice(), m.token))
        .collect();
    assert_eq!(seen, [(&b"a"[..], first.token()), (b"b", second.token())]);
    ensemble.expire_session(one.session_id()).await.unwrap();
    until_children(&two, "/group", 1).await;
    assert_eq!(b.members().await.unwrap()[0].identifier, b"b");
    second.release().await.unwrap();
    assert!(b.members().await.unwrap().is_empty());
}
