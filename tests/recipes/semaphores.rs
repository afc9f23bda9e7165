//! Semaphores.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use zoowarden::client::Code;
use zoowarden::recipes::{Layout, Options, Semaphore};

use super::{client, ensemble, soon, until_children};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_leases_than_there_are() {
    for layout in [Layout::Kazoo, Layout::Curator] {
        let ensemble = ensemble().await;
        let client = client(&ensemble).await;
        let options = Options {
            layout,
            ..Options::default()
        };
        let semaphore = Semaphore::with(&client, "/some/semaphore", 3, options);
        let all = join_all((0..3).map(|_| semaphore.acquire())).await;
        assert!(all.iter().all(Result::is_ok));
        assert!(semaphore.try_acquire().await.unwrap().is_none());
        drop(all);
        let out = AtomicUsize::new(0);
        let work = async || {
            let lease = semaphore.acquire().await.unwrap();
            let now = out.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(now <= 3, "{now} leases");
            client.sync("/").await.unwrap();
            out.fetch_sub(1, Ordering::SeqCst);
            lease.release().await.unwrap();
        };
        soon("all work", join_all((0..20).map(|_| work()))).await;
        assert!(semaphore.holders().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_that_are_out_are_waited_for_in_order() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let semaphore = Semaphore::new(&client, "/semaphore", 1);
    let lease = semaphore.try_acquire().await.unwrap().unwrap();
    assert!(semaphore.try_acquire().await.unwrap().is_none());
    let mut waiting = Vec::new();
    for number in 1..=3 {
        let semaphore = semaphore.clone();
        waiting.push(tokio::spawn(async move { semaphore.acquire().await }));
        until_children(&client, "/semaphore-__lock__", number).await;
    }
    let mut token = lease.token();
    drop(lease);
    for next in waiting {
        let lease = soon("a lease", next).await.unwrap().unwrap();
        assert!(lease.token() > token);
        assert_eq!(semaphore.holders().await.unwrap().len(), 1);
        token = lease.token();
        drop(lease);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_must_agree_on_the_number_of_leases() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let two = Semaphore::new(&client, "/semaphore", 2);
    let lease = two.acquire().await.unwrap();
    let three = Semaphore::new(&client, "/semaphore", 3);
    let error = three.acquire().await.unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
    assert!(error.to_string().contains("2 leases, not 3"), "{error}");
    drop(lease);
}
