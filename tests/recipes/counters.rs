//! Counters.

use futures_util::future::join_all;
use zoowarden::client::Code;
use zoowarden::recipes::{Counter, CounterEncoding};
use zoowarden::{CreateMode, Version};

use super::{Line, client, client_on, ensemble, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_lost_under_contention() {
    let ensemble = ensemble().await;
    let add = async |_: u32| {
        let client = client(&ensemble).await;
        let counter = Counter::new(&client, "/deep/counter");
        let mut last = 0;
        for _ in 0..20 {
            let value = counter.add(3).await.unwrap();
            assert!(value > last);
            last = value;
        }
    };
    soon("all sums", join_all((0..8).map(add))).await;
    let client = client(&ensemble).await;
    let counter = Counter::new(&client, "/deep/counter");
    assert_eq!(counter.get().await.unwrap(), 8 * 20 * 3);
    let (data, _) = client.get("/deep/counter").await.unwrap();
    assert_eq!(data, "480");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_set_and_compared() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    for (path, encoding) in [
        ("/decimal", CounterEncoding::Decimal),
        ("/count", CounterEncoding::Int32),
        ("/long", CounterEncoding::Int64),
    ] {
        let counter = Counter::with(&client, path, encoding);
        assert_eq!(counter.get().await.unwrap(), 0);
        counter.set(-7).await.unwrap();
        assert_eq!(counter.compare_and_set(-7, 9).await.unwrap(), -7);
        assert_eq!(counter.compare_and_set(-7, 1).await.unwrap(), 9);
        assert_eq!(counter.get().await.unwrap(), 9);
    }
    let counter = Counter::with(&client, "/count", CounterEncoding::Int32);
    let error = counter.set(1 << 40).await.unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
    let error = Counter::new(&client, "/long").get().await.unwrap_err();
    assert_eq!(error.code(), Code::BadArguments);
}

/// Each loss of an answer is either repaired or told, and what is told as done was done once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answer_never_counts_twice() {
    let ensemble = ensemble().await;
    let line = Line::over(ensemble.net());
    let client = client_on(&line, &ensemble).await;
    client
        .create("/n", b"0", CreateMode::Persistent)
        .await
        .unwrap();
    let counter = Counter::new(&client, "/n");
    let mut told = 0;
    let mut unknown = 0;
    for answers in 0.. {
        line.lose_answer_after(answers);
        match soon("an end", counter.add(1)).await {
            Ok(_) => told += 1,
            Err(error) => {
                assert_eq!(error.code(), Code::ConnectionLoss);
                assert!(!error.nothing_changed());
                unknown += 1;
            }
        }
        if line.disarm() {
            break;
        }
    }
    let value = counter.get().await.unwrap();
    assert!(
        (told..=told + unknown).contains(&value),
        "{told} {unknown} {value}"
    );
    assert_eq!(
        unknown, 1,
        "only the answer to the set itself cannot be found out"
    );
    client.set("/n", b"x", Version::Any).await.unwrap();
    assert_eq!(counter.add(1).await.unwrap_err().code(), Code::BadArguments);
}
