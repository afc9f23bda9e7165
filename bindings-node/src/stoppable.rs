//! What calls work with until it is stopped.
//!
//! What lives here: how a server, or an ensemble of them, is shared by the calls that need it and
//! taken from them at its end. What does not: how it starts, and what its end consists of.
//!
//! Invariant: nobody who stops it waits for what a call waits for: calls are told first, and end.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{RwLock, watch};

use crate::batch::Failure;
use crate::node::gone;

/// Something that runs until it is stopped.
pub(crate) struct Stoppable<T> {
    /// Held shared by calls. Empty once it was stopped.
    place: RwLock<Option<Arc<T>>>,
    stopping: watch::Sender<bool>,
}

impl<T> Stoppable<T> {
    pub(crate) fn new(thing: T) -> Stoppable<T> {
        Stoppable {
            place: RwLock::new(Some(Arc::new(thing))),
            stopping: watch::Sender::new(false),
        }
    }

    /// What `work` comes to, unless it is stopped before or meanwhile. `work` must not let go of
    /// its share to anything that outlives it.
    pub(crate) async fn with<A, F>(&self, work: impl FnOnce(Arc<T>) -> F) -> Result<A, Failure>
    where
        F: Future<Output = Result<A, Failure>>,
    {
        // Let go of after the work, so that nobody shares it when it is taken.
        let place = self.place.read().await;
        let thing = place.clone().ok_or_else(gone)?;
        tokio::select! {
            done = work(thing) => done,
            () = self.stops() => Err(Failure { nothing_changed: false, ..gone() }),
        }
    }

    /// Looks at it without waiting; nothing once its end has begun.
    pub(crate) fn now<A>(&self, look: impl FnOnce(&T) -> A) -> Option<A> {
        let place = self.place.try_read().ok()?;
        place.as_deref().map(look)
    }

    /// Ends the calls that work with it, and takes it from them; nothing if that was done before.
    pub(crate) async fn stop(&self) -> Option<T> {
        self.stopping.send_replace(true);
        let thing = self.place.write().await.take();
        thing.and_then(Arc::into_inner)
    }

    async fn stops(&self) {
        let mut stopping = self.stopping.subscribe();
        // An error means that nobody is left who could stop it, which cannot be: this borrows it.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}
