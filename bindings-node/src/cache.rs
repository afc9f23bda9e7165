//! Caches: a znode, or a tree, as it was last heard of.

use std::sync::{Arc, Mutex, MutexGuard};

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;
use tokio::sync::{Mutex as AsyncMutex, watch};
use zoowarden::client::Error;
use zoowarden::recipes::{Cached, TreeCache, TreeChange, TreeChanges, Znode, ZnodeCache};

use crate::batch::{self, Failure, Value};
use crate::client::NativeClient;
use crate::port::Queue;

/// A znode, followed from the start on until it is closed.
#[napi]
pub struct NativeZnodeCache {
    queue: Arc<Queue>,
    cache: Arc<Mutex<Option<ZnodeCache>>>,
    /// What the last change was compared with. One change is waited for at a time.
    changes: Arc<AsyncMutex<Option<watch::Receiver<Cached>>>>,
}

#[napi]
impl NativeZnodeCache {
    #[napi(constructor)]
    pub fn new(client: &NativeClient) -> NativeZnodeCache {
        NativeZnodeCache {
            queue: Arc::clone(&client.queue),
            cache: Arc::default(),
            changes: Arc::default(),
        }
    }

    /// Answers when it has been read once.
    #[napi]
    pub fn start(&self, id: u32, client: &NativeClient, path: String) {
        let client = client.client.clone();
        let (place, changes) = (Arc::clone(&self.cache), Arc::clone(&self.changes));
        let start = async move {
            let cache = ZnodeCache::start(&client, &path).await?;
            let mut following = cache.changes();
            following.mark_unchanged();
            *changes.lock().await = Some(following);
            Ok::<_, Error>(cache)
        };
        // Only what is wanted is put in its place: dropped at once, it follows no more.
        let enter = move |cache| {
            *lock(&place) = Some(cache);
            Value::Done
        };
        self.queue.spawn_or(id, start, enter, drop);
    }

    /// What is known now, as a record without a reader: data and `Stat`, or missing.
    #[napi]
    pub fn current(&self) -> Buffer {
        let cache = lock(&self.cache);
        let znode = cache.as_ref().and_then(|cache| {
            let cached = cache.current();
            cached.znode().cloned()
        });
        batch::single(known(znode.as_ref())).into()
    }

    /// Answers when something else is known than at the last time; fails when it has ended.
    #[napi]
    pub fn changed(&self, id: u32) {
        let changes = Arc::clone(&self.changes);
        self.queue.spawn(id, async move {
            let mut changes = changes.lock().await;
            let following = changes.as_mut().ok_or_else(crate::node::gone)?;
            following.changed().await.map_err(|_| crate::node::gone())?;
            match &*following.borrow_and_update() {
                Cached::Ended(_, error) => Err(Failure::from(error.clone())),
                Cached::There(_) | Cached::Missing => Ok(()),
            }
        });
    }

    /// Follows no more.
    #[napi]
    pub fn close(&self) {
        lock(&self.cache).take();
    }
}

/// A tree, followed from the start on until it is closed.
#[napi]
pub struct NativeTreeCache {
    queue: Arc<Queue>,
    cache: Arc<Mutex<Option<TreeCache>>>,
    /// One change is waited for at a time.
    changes: Arc<AsyncMutex<Option<TreeChanges>>>,
}

#[napi]
impl NativeTreeCache {
    #[napi(constructor)]
    pub fn new(client: &NativeClient) -> NativeTreeCache {
        NativeTreeCache {
            queue: Arc::clone(&client.queue),
            cache: Arc::default(),
            changes: Arc::default(),
        }
    }

    /// Answers when everything has been read once.
    #[napi]
    pub fn start(&self, id: u32, client: &NativeClient, path: String) {
        let client = client.client.clone();
        let (place, changes) = (Arc::clone(&self.cache), Arc::clone(&self.changes));
        let start = async move {
            let cache = TreeCache::start(&client, &path).await?;
            *changes.lock().await = Some(cache.changes());
            Ok::<_, Error>(cache)
        };
        // Only what is wanted is put in its place: dropped at once, it follows no more.
        let enter = move |cache| {
            *lock(&place) = Some(cache);
            Value::Done
        };
        self.queue.spawn_or(id, start, enter, drop);
    }

    /// A znode, as a record without a reader: data and `Stat`, or missing.
    #[napi]
    pub fn get(&self, path: String) -> Buffer {
        let cache = lock(&self.cache);
        let znode = cache.as_ref().and_then(|cache| cache.get(&path));
        batch::single(known(znode.as_ref())).into()
    }

    /// Names of a znode's children, in order.
    #[napi]
    pub fn children(&self, path: String) -> Vec<String> {
        let cache = lock(&self.cache);
        let children = cache.as_ref().map(|cache| cache.children(&path));
        children.unwrap_or_default()
    }

    /// Znodes in it.
    #[napi]
    pub fn size(&self) -> u32 {
        let size = lock(&self.cache).as_ref().map_or(0, TreeCache::len);
        u32::try_from(size).unwrap_or(u32::MAX)
    }

    /// Answers the next change; fails when it has ended.
    #[napi]
    pub fn changed(&self, id: u32) {
        let changes = Arc::clone(&self.changes);
        self.queue.spawn(id, async move {
            let mut changes = changes.lock().await;
            let changes = changes.as_mut().ok_or_else(crate::node::gone)?;
            match changes.next().await {
                Some(TreeChange::Ended(error)) => Err(Failure::from(error)),
                Some(change) => Ok(Value::Change(change)),
                None => Err(crate::node::gone()),
            }
        });
    }

    /// Follows no more.
    #[napi]
    pub fn close(&self) {
        lock(&self.cache).take();
    }
}

fn known(znode: Option<&Arc<Znode>>) -> Value {
    match znode {
        Some(znode) => Value::Data(znode.data.clone(), znode.stat),
        None => Value::Nothing,
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().expect("nothing panics under this lock")
}
