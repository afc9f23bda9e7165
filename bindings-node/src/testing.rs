//! Ensembles for tests.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use napi::bindgen_prelude::BigInt;
use napi_derive::napi;
use zoowarden::client::SessionId;
use zoowarden::testing::{Ensemble, TestingError};

use crate::batch::{Failure, Value};
use crate::node::{NativeNet, NativeNodeOptions, failed, gone};
use crate::options::{integer, invalid};
use crate::port::{NativePort, Queue};

/// Some servers in this process, in memory, and the lines between them.
#[napi]
pub struct NativeEnsemble {
    queue: Arc<Queue>,
    /// Empty before it has started and after it was shut down.
    ensemble: Arc<Mutex<Option<Arc<Ensemble>>>>,
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
        self.queue.spawn(id, async move {
            let ensemble = Ensemble::start_with(servers, config).await;
            *lock(&place) = Some(Arc::new(ensemble.map_err(failed)?));
            Ok::<_, Failure>(())
        });
        Ok(())
    }

    /// What a client is given to connect; empty before the start.
    #[napi]
    pub fn connect_string(&self) -> String {
        let ensemble = lock(&self.ensemble);
        let string = ensemble.as_ref().map(|ensemble| ensemble.connect_string());
        string.unwrap_or_default()
    }

    /// The way in for clients of this process; null before the start.
    #[napi]
    pub fn net(&self) -> Option<NativeNet> {
        let ensemble = lock(&self.ensemble);
        let net = ensemble.as_ref().map(|ensemble| ensemble.net());
        net.map(|net| NativeNet { net })
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

    /// Ends all servers and answers then; a second time at once.
    #[napi]
    pub fn shutdown(&self, id: u32) {
        let ensemble = lock(&self.ensemble).take();
        self.queue.spawn(id, async move {
            // Whoever else works with it at this moment drops it later, which ends it too.
            if let Some(ensemble) = ensemble.and_then(Arc::into_inner) {
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
        let ensemble = lock(&self.ensemble).clone();
        self.queue.spawn(id, async move {
            let ensemble = ensemble.ok_or_else(gone)?;
            work(ensemble).await.map_err(failed)
        });
    }

    fn change(
        &self,
        change: impl FnOnce(&Ensemble) -> Result<(), TestingError>,
    ) -> napi::Result<()> {
        match &*lock(&self.ensemble) {
            Some(ensemble) => change(ensemble).map_err(|error| invalid(error.to_string())),
            None => Err(invalid(gone().text)),
        }
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().expect("nothing panics under this lock")
}
