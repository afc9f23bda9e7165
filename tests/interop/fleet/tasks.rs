//! What the fleet does together, and what must hold afterwards.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use zoowarden::recipes::{
    Barrier, Counter, CounterEncoding, DoubleBarrier, Election, Group, Layout, Lock, Options,
    Queue, ReadWriteLock, Semaphore,
};
use zoowarden::{Client, CreateMode, Version};

use super::{Fleet, PAUSE, append};

/// Members of each kind, and how often each does its work.
const MEMBERS: usize = 3;
const ROUNDS: usize = 15;
const LEASES: u32 = 2;

type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks that a kind of foreign client can share with us.
pub(super) fn of(kind: &str, fleet: &'static Fleet) -> Vec<(&'static str, Run)> {
    let is_kazoo = kind == "kazoo";
    let layout = if is_kazoo {
        Layout::Kazoo
    } else {
        Layout::Curator
    };
    let mut tasks: Vec<(&'static str, Run)> = vec![
        ("lock", Box::pin(lock(fleet, "lock", "", vec![layout]))),
        ("read-write lock", Box::pin(read_write(fleet, layout))),
        ("semaphore", Box::pin(semaphore(fleet, layout))),
        ("counter of 32 bits", Box::pin(counter(fleet, "curator"))),
        ("barrier", Box::pin(barrier(fleet))),
        ("double barrier", Box::pin(double(fleet))),
    ];
    if is_kazoo {
        let both = vec![Layout::Kazoo, Layout::Curator];
        tasks.extend::<[(&'static str, Run); 5]>([
            (
                "lock with Curator's names, kazoo looking for them",
                Box::pin(lock(fleet, "patterns", "-lock-", both)),
            ),
            ("election", Box::pin(election(fleet, "elect", layout))),
            ("counter", Box::pin(counter(fleet, ""))),
            ("queue", Box::pin(queue(fleet))),
            ("group", Box::pin(group(fleet))),
        ]);
    } else {
        tasks.extend::<[(&'static str, Run); 3]>([
            (
                "election with LeaderSelector",
                Box::pin(election(fleet, "elect", layout)),
            ),
            (
                "election with LeaderLatch",
                Box::pin(election(fleet, "latch", Layout::CuratorLatch)),
            ),
            ("counter of 64 bits", Box::pin(counter(fleet, "long"))),
        ]);
    }
    tasks
}

fn named(layout: Layout) -> Options {
    Options {
        identifier: b"ours".to_vec(),
        layout,
        ..Options::default()
    }
}

async fn lock(fleet: &'static Fleet, name: &str, more: &'static str, layouts: Vec<Layout>) {
    let mut task = fleet.task(name).await;
    for number in 0..MEMBERS {
        task.foreign("lock", ROUNDS, more);
        let layout = layouts[number % layouts.len()];
        task.ours(move |client, path| async move {
            let lock = Lock::with(&client, &path, named(layout));
            for _ in 0..ROUNDS {
                let held = lock.acquire().await.unwrap();
                append(&client, &path).await;
                held.release().await.unwrap();
            }
        })
        .await;
    }
    task.run().await;
    task.check_value(2 * MEMBERS * ROUNDS).await;
}

async fn read_write(fleet: &'static Fleet, layout: Layout) {
    let mut task = fleet.task("read-write").await;
    for _ in 0..2 {
        task.foreign("write", ROUNDS, "");
        task.foreign("read", ROUNDS, "");
        task.ours(move |client, path| write_rounds(client, path, layout))
            .await;
        task.ours(move |client, path| read_rounds(client, path, layout))
            .await;
    }
    task.run().await;
    task.check_value(2 * 2 * ROUNDS).await;
}

async fn write_rounds(client: Client, path: String, layout: Layout) {
    let lock = ReadWriteLock::with(&client, &path, named(layout));
    for _ in 0..ROUNDS {
        let held = lock.write().await.unwrap();
        append(&client, &path).await;
        held.release().await.unwrap();
    }
}

async fn read_rounds(client: Client, path: String, layout: Layout) {
    let lock = ReadWriteLock::with(&client, &path, named(layout));
    let value = format!("{path}-value");
    for _ in 0..ROUNDS {
        let held = lock.read().await.unwrap();
        let (before, _) = client.get(&value).await.unwrap();
        tokio::time::sleep(2 * PAUSE).await;
        let (after, _) = client.get(&value).await.unwrap();
        assert_eq!(before, after, "a writer beside a reader");
        held.release().await.unwrap();
    }
}

async fn semaphore(fleet: &'static Fleet, layout: Layout) {
    let mut task = fleet.task("semaphore").await;
    let inside = format!("{}-inside", task.path);
    task.client.ensure_path(&inside).await.unwrap();
    for _ in 0..MEMBERS {
        task.foreign("semaphore", ROUNDS, &LEASES.to_string());
        task.ours(move |client, path| lease_rounds(client, path, layout))
            .await;
    }
    task.run().await;
}

async fn lease_rounds(client: Client, path: String, layout: Layout) {
    let semaphore = Semaphore::with(&client, &path, LEASES, named(layout));
    let inside = format!("{path}-inside");
    for _ in 0..ROUNDS {
        let lease = semaphore.acquire().await.unwrap();
        let mode = CreateMode::EphemeralSequential;
        let mine = client.create(&format!("{inside}/"), b"", mode).await;
        let count = client.get_children(&inside).await.unwrap().len();
        assert!(count <= LEASES as usize, "{count} leases");
        tokio::time::sleep(PAUSE).await;
        client.delete(&mine.unwrap(), Version::Any).await.unwrap();
        lease.release().await.unwrap();
    }
}

async fn election(fleet: &'static Fleet, foreign: &'static str, layout: Layout) {
    let mut task = fleet.task(foreign).await;
    for _ in 0..MEMBERS {
        task.foreign(foreign, ROUNDS, "");
        task.ours(move |client, path| async move {
            let election = Election::with(&client, &path, named(layout));
            for _ in 0..ROUNDS {
                let leads = election.lead().await.unwrap();
                append(&client, &path).await;
                leads.release().await.unwrap();
            }
        })
        .await;
    }
    task.run().await;
    task.check_value(2 * MEMBERS * ROUNDS).await;
}

async fn counter(fleet: &'static Fleet, more: &'static str) {
    let mut task = fleet.task(&format!("counter{more}")).await;
    let encoding = match more {
        "curator" => CounterEncoding::Int32,
        "long" => CounterEncoding::Int64,
        _ => CounterEncoding::Decimal,
    };
    for _ in 0..MEMBERS {
        task.foreign("count", ROUNDS, more);
        task.ours(move |client, path| async move {
            let counter = Counter::with(&client, &path, encoding);
            for _ in 0..ROUNDS {
                counter.add(1).await.unwrap();
            }
        })
        .await;
    }
    task.run().await;
    let counter = Counter::with(&task.client, &task.path, encoding);
    let sum = i64::try_from(2 * MEMBERS * ROUNDS).unwrap();
    assert_eq!(counter.get().await.unwrap(), sum);
}

async fn queue(fleet: &'static Fleet) {
    let mut task = fleet.task("queue").await;
    let (sender, mut taken) = tokio::sync::mpsc::unbounded_channel();
    for task_name in ["put", "take"] {
        task.foreign(task_name, ROUNDS, "");
    }
    task.ours(|client, path| async move {
        let queue = Queue::new(&client, &path);
        for number in 0..ROUNDS {
            queue.put(format!("o{number}").as_bytes()).await.unwrap();
        }
    })
    .await;
    task.ours(|client, path| async move {
        let queue = Queue::new(&client, &path);
        for _ in 0..ROUNDS {
            let entry = queue.take().await.unwrap();
            sender
                .send(String::from_utf8(entry.data.to_vec()).unwrap())
                .unwrap();
        }
    })
    .await;
    let lines = task.run().await;
    let mut all: Vec<String> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("took "))
        .map(str::to_owned)
        .collect();
    while let Some(data) = taken.recv().await {
        all.push(data);
    }
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (2 * ROUNDS, 2 * ROUNDS));
}

async fn barrier(fleet: &'static Fleet) {
    for (name, theirs) in [("barrier-ours", "wait"), ("barrier-theirs", "remove")] {
        let mut task = fleet.task(name).await;
        Barrier::new(&task.client, &task.path).set().await.unwrap();
        task.foreign("barrier", 1, theirs);
        task.ours(move |client, path| async move {
            let barrier = Barrier::new(&client, &path);
            if theirs == "remove" {
                barrier.wait().await.unwrap();
            } else {
                // Gives it time to wait; if it comes later, it is let through all the same.
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert!(barrier.remove().await.unwrap());
            }
        })
        .await;
        task.run().await;
    }
}

async fn double(fleet: &'static Fleet) {
    const ALL: usize = 4;
    let mut task = fleet.task("double").await;
    for side in ["in", "out"] {
        let path = format!("{}-{side}", task.path);
        task.client.ensure_path(&path).await.unwrap();
    }
    for _ in 0..2 {
        task.foreign("double", 1, &ALL.to_string());
        task.ours(|client, path| async move {
            let (inside, outside) = (format!("{path}-in"), format!("{path}-out"));
            let count = async |path: &str| client.get_children(path).await.unwrap().len();
            let mark = CreateMode::PersistentSequential;
            client
                .create(&format!("{inside}/"), b"", mark)
                .await
                .unwrap();
            let barrier = DoubleBarrier::new(&client, &path, 4);
            let member = barrier.enter().await.unwrap();
            assert!(count(&inside).await >= ALL, "too early in");
            client
                .create(&format!("{outside}/"), b"", mark)
                .await
                .unwrap();
            member.leave().await.unwrap();
            assert!(count(&outside).await >= ALL, "too early out");
        })
        .await;
    }
    task.run().await;
}

async fn group(fleet: &'static Fleet) {
    let mut task = fleet.task("group").await;
    task.foreign("party", 1, "foreign,ours");
    task.ours(|client, path| async move {
        let group = Group::with(&client, &path, named(Layout::Kazoo));
        let member = group.join().await.unwrap();
        let seen = format!("{path}-seen");
        loop {
            let members = group.members().await.unwrap();
            let told: BTreeSet<_> = members.iter().map(|m| m.identifier.as_slice()).collect();
            if told.contains(&b"foreign"[..]) && told.contains(&b"ours"[..]) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        while client.exists(&seen).await.unwrap().is_none() {
            tokio::time::sleep(PAUSE).await;
        }
        member.release().await.unwrap();
    })
    .await;
    task.run().await;
}
