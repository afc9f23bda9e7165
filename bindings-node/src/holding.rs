//! What can be acquired: locks, leases, leaderships, memberships, a place inside a double barrier.

use std::sync::{Arc, Mutex, MutexGuard};

use napi::bindgen_prelude::{BigInt, Uint8Array};
use napi_derive::napi;
use zoowarden::client::{Client, Error};
use zoowarden::recipes::{
    Contender, DoubleBarrier, Election, Group, Holding, Inside, Layout, Lock, Loss, Options,
    ReadWriteLock, Semaphore, Standing,
};

use crate::batch::Value;
use crate::client::NativeClient;
use crate::options::{NativeAcl, acl, invalid};
use crate::port::{NativePort, Queue};

/// How a contender looks to others.
#[napi(object)]
pub struct NativeRecipeOptions {
    pub identifier: Uint8Array,
    pub acl: Vec<NativeAcl>,
    /// 0 kazoo's, 1 Curator's, 2 Curator's with the names of its latch.
    pub layout: u32,
    /// Leases of a semaphore, members of a double barrier; else of no meaning.
    pub count: u32,
}

/// What is to be acquired, by JavaScript's number.
#[derive(Clone, Copy)]
enum Kind {
    Lock,
    Read,
    Write,
    Semaphore,
    Election,
    Group,
    DoubleBarrier,
}

/// What was acquired.
enum Held {
    Holding(Holding),
    Inside(Inside),
}

/// A place for something that is to be acquired. Empty until then.
#[napi]
pub struct NativeHolding {
    queue: Arc<Queue>,
    held: Arc<Mutex<Option<Arc<Held>>>>,
}

#[napi]
impl NativeHolding {
    #[napi(constructor)]
    pub fn new(port: &NativePort) -> NativeHolding {
        NativeHolding {
            queue: Arc::clone(&port.queue),
            held: Arc::default(),
        }
    }

    /// Kinds: 0 lock, 1 and 2 the read and the write half of a lock, 3 semaphore, 4 election,
    /// 5 group, 6 double barrier. Answers whether it was acquired: with `try_only` it may not be.
    #[napi]
    pub fn acquire(
        &self,
        id: u32,
        client: &NativeClient,
        kind: u32,
        path: String,
        options: NativeRecipeOptions,
        try_only: bool,
    ) -> napi::Result<()> {
        let (kind, count) = (Kind::from_number(kind)?, options.count);
        let options = options.into_options()?;
        let (client, place) = (client.client.clone(), Arc::clone(&self.held));
        let acquire = async move { acquire(&client, kind, &path, count, options, try_only).await };
        // Only what is wanted is put in its place: dropped at once, it is given back.
        let enter = move |held: Option<Held>| {
            let is_held = held.is_some();
            *lock(&place) = held.map(Arc::new);
            Value::Flag(is_held)
        };
        self.queue.spawn_or(id, acquire, enter, drop);
        Ok(())
    }

    /// The fencing token; 0 before it is acquired.
    #[napi]
    pub fn token(&self) -> BigInt {
        let held = lock(&self.held);
        held.as_ref()
            .map_or(0, |held| held.holding().token().0)
            .into()
    }

    /// Its znode; empty before it is acquired.
    #[napi]
    pub fn path(&self) -> String {
        let held = lock(&self.held);
        let path = held.as_ref().map(|held| held.holding().path().to_owned());
        path.unwrap_or_default()
    }

    /// Whether it is certainly held.
    #[napi]
    pub fn is_held(&self) -> bool {
        let held = lock(&self.held);
        held.as_ref().is_some_and(|held| held.holding().is_held())
    }

    /// Answers, once it is lost, why.
    #[napi]
    pub fn lost(&self, id: u32) {
        let lost = lock(&self.held).as_ref().map(|held| held.holding().lost());
        self.queue.spawn(id, async move {
            let loss = match lost {
                Some(lost) => lost.await,
                None => Loss::Released,
            };
            Ok::<_, Error>(Value::Text(word(loss).to_owned()))
        });
    }

    /// Gives it back, or leaves, and answers when that is done; a second time at once.
    #[napi]
    pub fn release(&self, id: u32) {
        let held = lock(&self.held).clone();
        self.queue.spawn(id, async move {
            match held.as_deref() {
                Some(Held::Holding(holding)) => holding.release().await,
                Some(Held::Inside(inside)) if lost(inside.holding()) => Ok(()),
                Some(Held::Inside(inside)) => inside.leave().await,
                None => Ok(()),
            }
        });
    }
}

#[napi]
impl NativeClient {
    /// Answers who contends, in their order. Kinds as in `acquire`.
    #[napi]
    pub fn contenders(&self, id: u32, kind: u32, path: String, count: u32) -> napi::Result<()> {
        let (kind, client) = (Kind::from_number(kind)?, self.client.clone());
        self.queue.spawn(id, async move {
            let contenders = contenders(&client, kind, &path, count).await?;
            Ok::<_, Error>(Value::Contenders(contenders))
        });
        Ok(())
    }
}

async fn acquire(
    client: &Client,
    kind: Kind,
    path: &str,
    count: u32,
    options: Options,
    try_only: bool,
) -> Result<Option<Held>, Error> {
    let always = |holding: Holding| Some(holding);
    let holding = match (kind, try_only) {
        (Kind::Lock, false) => Lock::with(client, path, options)
            .acquire()
            .await
            .map(always),
        (Kind::Lock, true) => Lock::with(client, path, options).try_acquire().await,
        (Kind::Read, false) => ReadWriteLock::with(client, path, options)
            .read()
            .await
            .map(always),
        (Kind::Read, true) => ReadWriteLock::with(client, path, options).try_read().await,
        (Kind::Write, false) => {
            let lock = ReadWriteLock::with(client, path, options);
            lock.write().await.map(always)
        }
        (Kind::Write, true) => ReadWriteLock::with(client, path, options).try_write().await,
        (Kind::Semaphore, false) => {
            let semaphore = Semaphore::with(client, path, count, options);
            semaphore.acquire().await.map(always)
        }
        (Kind::Semaphore, true) => {
            let semaphore = Semaphore::with(client, path, count, options);
            semaphore.try_acquire().await
        }
        (Kind::Election, false) => Election::with(client, path, options)
            .lead()
            .await
            .map(always),
        (Kind::Election, true) => Election::with(client, path, options).try_lead().await,
        (Kind::Group, _) => Group::with(client, path, options).join().await.map(always),
        (Kind::DoubleBarrier, _) => {
            let barrier = DoubleBarrier::with(client, path, count, options);
            return barrier
                .enter()
                .await
                .map(|inside| Some(Held::Inside(inside)));
        }
    }?;
    Ok(holding.map(Held::Holding))
}

async fn contenders(
    client: &Client,
    kind: Kind,
    path: &str,
    count: u32,
) -> Result<Vec<Contender>, Error> {
    match kind {
        Kind::Lock => Lock::new(client, path).contenders().await,
        Kind::Read | Kind::Write => ReadWriteLock::new(client, path).contenders().await,
        Kind::Semaphore => Semaphore::new(client, path, count).holders().await,
        Kind::Election => Election::new(client, path).contenders().await,
        Kind::Group | Kind::DoubleBarrier => Group::new(client, path).members().await,
    }
}

impl Kind {
    fn from_number(number: u32) -> napi::Result<Kind> {
        let kinds = [
            Kind::Lock,
            Kind::Read,
            Kind::Write,
            Kind::Semaphore,
            Kind::Election,
            Kind::Group,
            Kind::DoubleBarrier,
        ];
        let kind = usize::try_from(number).ok().and_then(|at| kinds.get(at));
        kind.copied()
            .ok_or_else(|| invalid(format!("nothing that can be acquired is {number}")))
    }
}

impl Held {
    fn holding(&self) -> &Holding {
        match self {
            Held::Holding(holding) => holding,
            Held::Inside(inside) => inside.holding(),
        }
    }
}

impl NativeRecipeOptions {
    fn into_options(self) -> napi::Result<Options> {
        let layout = match self.layout {
            0 => Layout::Kazoo,
            1 => Layout::Curator,
            2 => Layout::CuratorLatch,
            layout => return Err(invalid(format!("no layout is {layout}"))),
        };
        Ok(Options {
            identifier: self.identifier.to_vec(),
            acl: acl(self.acl),
            layout,
        })
    }
}

fn lost(holding: &Holding) -> bool {
    matches!(holding.standing(), Standing::Lost(_))
}

fn word(loss: Loss) -> &'static str {
    match loss {
        Loss::Released => "released",
        Loss::Removed => "removed",
        Loss::SessionEnded => "sessionEnded",
        Loss::OutOfContact => "outOfContact",
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().expect("nothing panics under this lock")
}
