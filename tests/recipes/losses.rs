//! Lost connections, lost sessions, changed minds: at every point at which they can happen.

use std::sync::Arc;

use zoowarden::client::{Code, State};
use zoowarden::recipes::{DoubleBarrier, Group, Lock, Loss, Queue, Semaphore, Standing};
use zoowarden::testing::Ensemble;
use zoowarden::{Client, Error};

use super::{
    Line, SOON, client, client_on, config, ensemble, give_up_after, renewing_client, soon,
    until_children,
};

/// No operation takes so many steps.
const STEPS_MAX: usize = 200;

/// Does the same with the connection lost after no, one, two ... answers, then after as many
/// requests, until it is done before the loss comes.
async fn with_every_loss(ensemble: &Ensemble, act: impl AsyncFn(&Client)) {
    let line = Line::over(ensemble.net());
    let client = client_on(&line, ensemble).await;
    for lose in [Line::lose_answer_after, Line::lose_request_after] {
        let mut steps = 0;
        loop {
            lose(&line, steps);
            soon("it is done in spite of the loss", act(&client)).await;
            if line.disarm() {
                break;
            }
            steps += 1;
            assert!(steps < STEPS_MAX as i64, "the loss came every time");
        }
        assert!(steps > 1, "the loss never came");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_is_acquired_once_whatever_answer_is_lost() {
    let ensemble = ensemble().await;
    let other = client(&ensemble).await;
    with_every_loss(&ensemble, async |client| {
        let held = Lock::new(client, "/lock").acquire().await.unwrap();
        let children = other.get_children("/lock").await.unwrap();
        assert_eq!(children.len(), 1, "{children:?}");
        assert!(held.path().ends_with(&children[0]));
        held.release().await.unwrap();
        let children = other.get_children("/lock").await.unwrap();
        assert!(children.is_empty(), "{children:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_is_waited_for_through_losses() {
    let ensemble = ensemble().await;
    let other = client(&ensemble).await;
    with_every_loss(&ensemble, async |client| {
        let held = Lock::new(&other, "/lock").acquire().await.unwrap();
        let lock = Lock::new(client, "/lock");
        let release = async {
            until_children(&other, "/lock", 2).await;
            held.release().await.unwrap();
        };
        let (next, ()) = tokio::join!(lock.acquire(), release);
        let next = next.unwrap();
        assert!(next.token() > held.token());
        next.release().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_and_members_are_one_each_whatever_answer_is_lost() {
    let ensemble = ensemble().await;
    let other = client(&ensemble).await;
    with_every_loss(&ensemble, async |client| {
        let semaphore = Semaphore::new(client, "/semaphore", 2);
        let (one, two) = tokio::join!(semaphore.acquire(), semaphore.acquire());
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(other.get_children("/semaphore").await.unwrap().len(), 2);
        one.release().await.unwrap();
        two.release().await.unwrap();
        let member = Group::new(client, "/group").join().await.unwrap();
        assert_eq!(other.get_children("/group").await.unwrap().len(), 1);
        member.release().await.unwrap();
        let alone = DoubleBarrier::new(client, "/double", 1);
        alone.enter().await.unwrap().leave().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_loses_and_doubles_nothing_whatever_answer_is_lost() {
    let ensemble = ensemble().await;
    with_every_loss(&ensemble, async |client| {
        let queue = Queue::new(client, "/queue");
        for data in [b"a", b"b", b"c"] {
            queue.put(data).await.unwrap();
        }
        for data in [b"a", b"b", b"c"] {
            assert_eq!(queue.take().await.unwrap().data, &data[..]);
        }
        assert_eq!(queue.try_take().await.unwrap(), None);
    })
    .await;
}

/// Begins `act` and gives up after one, two ... polls, until it is done before; then nothing may be
/// left of it.
async fn with_every_change_of_mind<T>(
    what: &str,
    mut act: impl AsyncFnMut() -> Result<T, Error>,
    nothing_left: impl AsyncFn(),
) {
    for polls in 1..STEPS_MAX {
        let done = soon(what, give_up_after(polls, act())).await;
        let is_done = done.is_some();
        drop(done.map(Result::unwrap));
        soon("nothing is left", nothing_left()).await;
        if is_done {
            return;
        }
    }
    panic!("{what} took more than {STEPS_MAX} polls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_up_futures_leave_nothing_behind() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let lock = Lock::new(&client, "/lock");
    let semaphore = Semaphore::new(&client, "/semaphore", 1);
    let group = Group::new(&client, "/group");
    let double = DoubleBarrier::new(&client, "/double", 1);
    with_every_change_of_mind(
        "acquire",
        async || lock.acquire().await,
        async || until_children(&client, "/lock", 0).await,
    )
    .await;
    with_every_change_of_mind(
        "try_acquire",
        async || lock.try_acquire().await,
        async || until_children(&client, "/lock", 0).await,
    )
    .await;
    with_every_change_of_mind(
        "a lease",
        async || semaphore.acquire().await,
        async || {
            until_children(&client, "/semaphore", 0).await;
            until_children(&client, "/semaphore-__lock__", 0).await;
        },
    )
    .await;
    with_every_change_of_mind(
        "join",
        async || group.join().await,
        async || until_children(&client, "/group", 0).await,
    )
    .await;
    with_every_change_of_mind(
        "enter and leave",
        async || double.enter().await?.leave().await,
        async || {
            // What lets in may stay, as it is nobody's.
            zoowarden_tests::wait::until("no member", SOON, async || {
                let children = client.get_children("/double").await.unwrap_or_default();
                children.iter().all(|name| name == "ready").then_some(())
            })
            .await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_up_waiting_leaves_nothing_behind() {
    let ensemble = ensemble().await;
    let (holder, client) = (client(&ensemble).await, client(&ensemble).await);
    let lock = Lock::new(&client, "/lock");
    for polls in 1..STEPS_MAX {
        let held = Lock::new(&holder, "/lock").acquire().await.unwrap();
        let acquired = tokio::spawn({
            let lock = lock.clone();
            async move { give_up_after(polls, lock.acquire()).await }
        });
        // As soon as it waits, or has given up, the lock is free.
        zoowarden_tests::wait::until("it waits or has given up", SOON, async || {
            let waits = holder.get_children("/lock").await.unwrap().len() == 2;
            (waits || acquired.is_finished()).then_some(())
        })
        .await;
        held.release().await.unwrap();
        let acquired = soon("its end", acquired).await.unwrap();
        let is_done = acquired.is_some();
        drop(acquired.map(Result::unwrap));
        until_children(&holder, "/lock", 0).await;
        if is_done {
            return;
        }
    }
    panic!("acquire took more than {STEPS_MAX} polls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_up_taking_keeps_the_entry() {
    let ensemble = ensemble().await;
    let client = client(&ensemble).await;
    let queue = Queue::new(&client, "/queue");
    queue.put(b"x").await.unwrap();
    for polls in 1..STEPS_MAX {
        let taken = soon("an entry", give_up_after(polls, queue.take())).await;
        if let Some(entry) = taken {
            assert_eq!(entry.unwrap().data, &b"x"[..]);
            assert!(queue.is_empty().await.unwrap());
            return;
        }
        until_children(&client, "/queue", 1).await;
    }
    panic!("take took more than {STEPS_MAX} polls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_is_lost_with_its_session_and_the_next_one_gets_it() {
    let ensemble = ensemble().await;
    let (one, two) = (renewing_client(&ensemble).await, client(&ensemble).await);
    let lock = Lock::new(&one, "/lock");
    let held = lock.acquire().await.unwrap();
    let waiting = Lock::new(&two, "/lock");
    let next = tokio::spawn(async move { waiting.acquire().await });
    until_children(&two, "/lock", 2).await;
    let session = one.session_id();
    ensemble.expire_session(session).await.unwrap();
    assert_eq!(soon("the loss", held.lost()).await, Loss::SessionEnded);
    held.release().await.unwrap();
    let next = soon("the next", next).await.unwrap().unwrap();
    assert!(next.token() > held.token());
    // The same client, in its new session.
    soon("a new session", one.connected()).await.unwrap();
    assert_ne!(one.session_id(), session);
    next.release().await.unwrap();
    let again = soon("the lock again", lock.acquire()).await.unwrap();
    assert!(again.token() > next.token());
    assert!(!held.is_held() && again.is_held());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_ends_with_the_session() {
    let ensemble = ensemble().await;
    let holder = client(&ensemble).await;
    for renews in [true, false] {
        let held = Lock::new(&holder, "/lock").acquire().await.unwrap();
        let waiter = if renews {
            renewing_client(&ensemble).await
        } else {
            client(&ensemble).await
        };
        let lock = Lock::new(&waiter, "/lock");
        let waiting = tokio::spawn(async move { lock.acquire().await.map(drop) });
        until_children(&holder, "/lock", 2).await;
        ensemble.expire_session(waiter.session_id()).await.unwrap();
        let error = soon("the end", waiting).await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::SessionExpired);
        until_children(&holder, "/lock", 1).await;
        held.release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_is_uncertain_without_a_connection_and_held_again_with_one() {
    let ensemble = ensemble().await;
    let line = Line::over(ensemble.net());
    let client = client_on(&line, &ensemble).await;
    let held = Lock::new(&client, "/lock").acquire().await.unwrap();
    let mut standings = held.standings();
    line.cut();
    let uncertain = standings.wait_for(|standing| *standing == Standing::Uncertain);
    soon("uncertainty", uncertain).await.unwrap();
    assert!(!held.is_held());
    line.heal();
    let again = standings.wait_for(|standing| *standing != Standing::Uncertain);
    assert_eq!(*soon("certainty", again).await.unwrap(), Standing::Held);
    assert_eq!(client.state(), State::Connected);
    held.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holding_is_lost_before_its_session_can_end_elsewhere() {
    let ensemble = ensemble().await;
    let line = Line::over(ensemble.net());
    let mut config = config(&ensemble);
    config.net = Arc::clone(&line) as _;
    config.session_timeout_ms = 6_000;
    let far = Client::connect_with(config).await.unwrap();
    let held = Lock::new(&far, "/lock").acquire().await.unwrap();
    let near = client(&ensemble).await;
    let lock = Lock::new(&near, "/lock");
    let next = tokio::spawn(async move { lock.acquire().await });
    until_children(&near, "/lock", 2).await;
    line.cut();
    assert_eq!(soon("the loss", held.lost()).await, Loss::OutOfContact);
    // The session lives on, so nobody else has the lock yet.
    assert!(!next.is_finished());
    line.heal();
    let next = soon("the lock", next).await.unwrap().unwrap();
    assert!(next.token() > held.token());
    assert_eq!(held.standing(), Standing::Lost(Loss::OutOfContact));
    held.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_client_holds_nothing_and_nothing_hangs() {
    let ensemble = ensemble().await;
    let (one, two) = (client(&ensemble).await, client(&ensemble).await);
    let held = Lock::new(&one, "/lock").acquire().await.unwrap();
    one.close().await;
    assert_eq!(soon("the loss", held.lost()).await, Loss::SessionEnded);
    soon("release", held.release()).await.unwrap();
    let error = Lock::new(&one, "/lock").acquire().await.unwrap_err();
    assert_eq!(error.code(), Code::Closing);
    let held = Lock::new(&two, "/lock").acquire().await.unwrap();
    drop((held, two));
}
