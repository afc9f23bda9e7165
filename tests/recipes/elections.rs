//! Elections.

use zoowarden::recipes::{Election, Loss, Options};

use super::{client, ensemble, soon, until_children};

fn candidate(client: &zoowarden::Client, name: &str) -> Election {
    let options = Options {
        identifier: name.into(),
        ..Options::default()
    };
    Election::with(client, "/election", options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_candidate_leads_when_the_leader_is_gone() {
    let ensemble = ensemble().await;
    let (one, two) = (client(&ensemble).await, client(&ensemble).await);
    let (a, b) = (candidate(&one, "a"), candidate(&two, "b"));
    assert_eq!(a.leader().await.unwrap(), None);
    let leads = a.lead().await.unwrap();
    assert!(b.try_lead().await.unwrap().is_none());
    let next = tokio::spawn({
        let b = b.clone();
        async move { b.lead().await }
    });
    until_children(&two, "/election", 2).await;
    let stand = b.contenders().await.unwrap();
    let names: Vec<_> = stand.iter().map(|c| c.identifier.as_slice()).collect();
    assert_eq!(names, [b"a", b"b"]);
    let leader = b.leader().await.unwrap().unwrap();
    assert_eq!(
        (leader.identifier.as_slice(), leader.token),
        (&b"a"[..], leads.token())
    );
    ensemble.expire_session(one.session_id()).await.unwrap();
    assert_eq!(soon("the loss", leads.lost()).await, Loss::SessionEnded);
    let next = soon("the lead", next).await.unwrap().unwrap();
    assert!(next.token() > leads.token());
    assert_eq!(b.leader().await.unwrap().unwrap().identifier, b"b");
}
