//! Waiting for a condition, with a limit; and the turn that tests of processes take.

use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// What a slow machine may take for something that takes a fast one a moment.
pub const SOON: Duration = Duration::from_secs(30);

/// Looks until there is something; panics with `what` when the limit has passed.
pub async fn until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// Looks again and again for as long as `time`; panics as soon as `look` finds something wrong.
pub async fn throughout(time: Duration, mut look: impl AsyncFnMut() -> Result<(), String>) {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Err(what) = look().await {
            panic!("after {:?}: {what}", start.elapsed());
        }
        tokio::time::sleep(LOOK).await;
    }
}

static TURN: Mutex<()> = Mutex::const_new(());

/// One test of processes at a time: each wants the machine for itself.
pub async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}
