//! Ensembles for tests.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use napi::bindgen_prelude::BigInt;
use napi_derive::napi;
use zoowarden::client::SessionId;
use zoowarden::testing::{Ensemble, TestingError};

use crate::batch::{Failure, Value};
use crate::node::{NativeNet, NativeNodeOptions, failed, gone};
use crate::options::{integer, invalid};
use crate::port::{NativePort, Queue};
use crate::stoppable::Stoppable;

/// Some servers in this process, in memory, and the lines between them.
#[napi]
pub struct NativeEnsemble {
    queue: Arc<Queue>,
    /// Empty before it has started.
    ensemble: Arc<OnceLock<Stoppable<Ensemble>>>,
}

#[napi]
impl NativeEnsemble {
    #[napi(constructor)]
    pub fn new(port: &NativePort) -> NativeEnsemble {
        NativeEnsemble {
            queue: Arc::clone(&port.queue),
            ensemble: Arc::default(),
        }
    }

    /// Answers when all servers serve.
    #[napi]
    pub fn start(&self, id: u32, servers: u8, options: NativeNodeOptions) -> napi::Result<()> {
        let config = options.into_config()?;
        let place = Arc::clone(&self.ensemble);
        let start = async move {
            let ensemble = Ensemble::start_with(servers, config).await;
            ensemble.map_err(failed)
        };
        // Only what is wanted is put in its place: a start that was given up ends what it started.
        let enter = move |ensemble: Ensemble| {
            place.get_or_init(|| Stoppable::new(ensemble));
            Value::Done
        };
        self.queue.spawn_or(id, start, enter, drop);
        Ok(())
    }

    /// What a client is given to connect; empty before the start.
    #[napi]
    pub fn connect_string(&self) -> String {
        self.now(Ensemble::connect_string).unwrap_or_default()
    }

    /// The way in for clients of this process; null before the start.
    #[napi]
    pub fn net(&self) -> Option<NativeNet> {
        self.now(Ensemble::net).map(|net| NativeNet { net })
    }

    /// Answers the number of the server that leads.
    #[napi]
    pub fn leader(&self, id: u32) {
        self.run(id, |ensemble| async move {
            let leader = ensemble.leader().await?;
            Ok(Value::Number(leader.into()))
        });
    }

    /// Ends a server as the end of its process would.
    #[napi]
    pub fn kill(&self, id: u32, server: u8) {
        self.run(id, move |ensemble| async move {
            ensemble.kill(server).await.map(Value::from)
        });
    }

    /// Starts a killed server and waits until it serves.
    #[napi]
    pub fn restart(&self, id: u32, server: u8) {
        self.run(id, move |ensemble| async move {
            ensemble.restart(server).await.map(Value::from)
        });
    }

    /// Ends a session as its expiry does.
    #[napi]
    pub fn expire_session(&self, id: u32, session: BigInt) -> napi::Result<()> {
        let session = SessionId(integer(&session)?);
        self.run(id, move |ensemble| async move {
            ensemble.expire_session(session).await.map(Value::from)
        });
        Ok(())
    }

    /// Holds everything between two servers.
    #[napi]
    pub fn cut(&self, a: u8, b: u8) -> napi::Result<()> {
        self.change(|ensemble| ensemble.cut(a, b))
    }

    #[napi]
    pub fn heal(&self, a: u8, b: u8) -> napi::Result<()> {
        self.change(|ensemble| ensemble.heal(a, b))
    }

    /// Holds everything between a server and all others.
    #[napi]
    pub fn isolate(&self, server: u8) -> napi::Result<()> {
        self.change(|ensemble| ensemble.isolate(server))
    }

    /// Breaks the connections of a server's clients, and refuses new ones.
    #[napi]
    pub fn cut_client(&self, server: u8) -> napi::Result<()> {
        self.change(|ensemble| ensemble.cut_client(server))
    }

    #[napi]
    pub fn heal_client(&self, server: u8) -> napi::Result<()> {
        self.change(|ensemble| ensemble.heal_client(server))
    }

    #[napi]
    pub fn heal_all(&self) -> napi::Result<()> {
        self.change(|ensemble| {
            ensemble.heal_all();
            Ok(())
        })
    }

    /// Ends all servers and answers then, a second time at once; calls that wait for them fail.
    #[napi]
    pub fn shutdown(&self, id: u32) {
        let place = Arc::clone(&self.ensemble);
        self.queue.spawn(id, async move {
            if let Some(ensemble) = place.get()
                && let Some(ensemble) = ensemble.stop().await
            {
                ensemble.shutdown().await;
            }
            Ok::<_, Failure>(())
        });
    }

    fn run<W, F>(&self, id: u32, work: W)
    where
        W: FnOnce(Arc<Ensemble>) -> F + Send + 'static,
        F: Future<Output = Result<Value, TestingError>> + Send + 'static,
    {
        let place = Arc::clone(&self.ensemble);
        self.queue.spawn(id, async move {
            let ensemble = place.get().ok_or_else(gone)?;
            let work = |ensemble| {
                let work = work(ensemble);
                async move { work.await.map_err(failed) }
            };
            ensemble.with(work).await
        });
    }

    fn change(
        &self,
        change: impl FnOnce(&Ensemble) -> Result<(), TestingError>,
    ) -> napi::Result<()> {
        match self.now(change) {
            Some(changed) => changed.map_err(|error| invalid(error.to_string())),
            None => Err(invalid(gone().text)),
        }
    }

    /// Looks at it without waiting; nothing before its start, and from its shutdown on.
    fn now<A>(&self, look: impl FnOnce(&Ensemble) -> A) -> Option<A> {
        self.ensemble.get()?.now(look)
    }
}
