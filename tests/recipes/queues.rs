//! Queues.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use zoowarden::recipes::Queue;

use super::{client, ensemble, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_come_by_priority_then_by_arrival() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let queue = Queue::new(&client, "/some/queue");
    assert!(queue.is_empty().await.unwrap());
    assert_eq!(queue.try_take().await.unwrap(), None);
    for (data, priority) in [("c", 100), ("a", 5), ("d", 100), ("e", 999), ("b", 50)] {
        queue.put_with(data.as_bytes(), priority).await.unwrap();
    }
    assert!(queue.put_with(b"", 1000).await.is_err());
    assert_eq!(queue.len().await.unwrap(), 5);
    let mut taken = Vec::new();
    while let Some(entry) = queue.try_take().await.unwrap() {
        taken.push((entry.data, entry.priority));
    }
    let wanted = [("a", 5), ("b", 50), ("c", 100), ("d", 100), ("e", 999)];
    assert_eq!(
        taken,
        wanted.map(|(data, priority)| (data.into(), priority))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_entry_is_handed_to_one_taker() {
    const ENTRIES: usize = 200;
    let ensemble = ensemble().await;
    let taken = Arc::new(Mutex::new(Vec::new()));
    let mut takers = Vec::new();
    for _ in 0..8 {
        let (queue, taken) = (
            Queue::new(&client(&ensemble).await, "/queue"),
            Arc::clone(&taken),
        );
        takers.push(tokio::spawn(async move {
            while let Ok(entry) = queue.take().await {
                if entry.data.is_empty() {
                    return;
                }
                taken.lock().push(entry.data);
            }
        }));
    }
    let queue = Queue::new(&client(&ensemble).await, "/queue");
    for number in 0..ENTRIES {
        queue.put(number.to_string().as_bytes()).await.unwrap();
    }
    for _ in &takers {
        queue.put_with(b"", Queue::PRIORITY_MAX).await.unwrap();
    }
    for taker in takers {
        soon("the end", taker).await.unwrap();
    }
    let taken = taken.lock();
    let different: BTreeSet<_> = taken.iter().collect();
    assert_eq!((taken.len(), different.len()), (ENTRIES, ENTRIES));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taker_waits_and_goes_on_in_a_new_session() {
    let ensemble = ensemble().await;
    let (one, two) = (
        super::renewing_client(&ensemble).await,
        client(&ensemble).await,
    );
    let (queue, other) = (Queue::new(&one, "/queue"), Queue::new(&two, "/queue"));
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.take().await }
    });
    other.put(b"1").await.unwrap();
    assert_eq!(soon("an entry", waiting).await.unwrap().unwrap().data, "1");
    let session = one.session_id();
    ensemble.expire_session(session).await.unwrap();
    let mut states = one.states();
    let renewed = states.wait_for(|_| one.session_id() != session);
    soon("a new session", renewed).await.unwrap();
    other.put(b"2").await.unwrap();
    assert_eq!(soon("an entry", queue.take()).await.unwrap().data, "2");
    queue.put(b"3").await.unwrap();
    assert_eq!(soon("an entry", other.take()).await.unwrap().data, "3");
}
