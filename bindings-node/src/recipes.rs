//! Barriers, counters and queues.

use napi::bindgen_prelude::BigInt;
use napi_derive::napi;
use zoowarden::bridge;
use zoowarden::client::Error;
use zoowarden::recipes::{Barrier, Counter, CounterEncoding, Entry, Queue};

use crate::batch::Value;
use crate::client::NativeClient;
use crate::options::{integer, invalid};

#[napi]
impl NativeClient {
    /// Sets a barrier up; answers whether it was not there.
    #[napi]
    pub fn barrier_set(&self, id: u32, path: String) {
        let barrier = Barrier::new(&self.client, &path);
        self.queue
            .spawn(id, async move { barrier.set().await.map(Value::Flag) });
    }

    /// Takes a barrier away; answers whether it was there.
    #[napi]
    pub fn barrier_remove(&self, id: u32, path: String) {
        let barrier = Barrier::new(&self.client, &path);
        self.queue
            .spawn(id, async move { barrier.remove().await.map(Value::Flag) });
    }

    /// Answers when there is no barrier.
    #[napi]
    pub fn barrier_wait(&self, id: u32, path: String) {
        let barrier = Barrier::new(&self.client, &path);
        self.queue.spawn(id, async move { barrier.wait().await });
    }

    /// Answers a counter's value. Encodings: 0 decimal, 1 of 32 bits, 2 of 64.
    #[napi]
    pub fn counter_get(&self, id: u32, path: String, encoding: u32) -> napi::Result<()> {
        let counter = self.counter(&path, encoding)?;
        self.queue
            .spawn(id, async move { counter.get().await.map(Value::Integer) });
        Ok(())
    }

    /// Adds, and answers the value after that.
    #[napi]
    pub fn counter_add(
        &self,
        id: u32,
        path: String,
        encoding: u32,
        delta: BigInt,
    ) -> napi::Result<()> {
        let (counter, delta) = (self.counter(&path, encoding)?, integer(&delta)?);
        self.queue.spawn(
            id,
            async move { counter.add(delta).await.map(Value::Integer) },
        );
        Ok(())
    }

    /// Sets the value.
    #[napi]
    pub fn counter_set(
        &self,
        id: u32,
        path: String,
        encoding: u32,
        value: BigInt,
    ) -> napi::Result<()> {
        let (counter, value) = (self.counter(&path, encoding)?, integer(&value)?);
        self.queue
            .spawn(id, async move { counter.set(value).await });
        Ok(())
    }

    /// Sets `value` if it is `expected`, and answers the value before.
    #[napi]
    pub fn counter_compare_and_set(
        &self,
        id: u32,
        path: String,
        encoding: u32,
        expected: BigInt,
        value: BigInt,
    ) -> napi::Result<()> {
        let counter = self.counter(&path, encoding)?;
        let (expected, value) = (integer(&expected)?, integer(&value)?);
        self.queue.spawn(id, async move {
            let before = counter.compare_and_set(expected, value).await;
            before.map(Value::Integer)
        });
        Ok(())
    }

    fn counter(&self, path: &str, encoding: u32) -> napi::Result<Counter> {
        let encoding = match encoding {
            0 => CounterEncoding::Decimal,
            1 => CounterEncoding::Int32,
            2 => CounterEncoding::Int64,
            encoding => return Err(invalid(format!("no encoding is {encoding}"))),
        };
        Ok(Counter::with(&self.client, path, encoding))
    }
}

/// A queue at a path.
#[napi]
pub struct NativeQueue {
    port: std::sync::Arc<crate::port::Queue>,
    queue: Queue,
}

#[napi]
impl NativeQueue {
    #[napi(constructor)]
    pub fn new(client: &NativeClient, path: String) -> NativeQueue {
        NativeQueue {
            port: std::sync::Arc::clone(&client.queue),
            queue: Queue::new(&client.client, &path),
        }
    }

    #[napi]
    pub fn put(&self, id: u32, data: &[u8], priority: u16) {
        let (queue, data) = (self.queue.clone(), data.to_vec());
        self.port
            .spawn(id, async move { queue.put_with(&data, priority).await });
    }

    /// Answers the first entry, as soon as there is one, and takes it out.
    #[napi]
    pub fn take(&self, id: u32) {
        let (queue, back) = (self.queue.clone(), self.queue.clone());
        let take = async move { queue.take().await.map(Some) };
        self.port
            .spawn_or(id, take, Value::Entry, move |entry| put_back(back, entry));
    }

    /// Answers the first entry and takes it out; null if there is none.
    #[napi]
    pub fn try_take(&self, id: u32) {
        let (queue, back) = (self.queue.clone(), self.queue.clone());
        let take = async move { queue.try_take().await };
        self.port
            .spawn_or(id, take, Value::Entry, move |entry| put_back(back, entry));
    }

    /// Answers how many entries are in it.
    #[napi]
    pub fn len(&self, id: u32) {
        let queue = self.queue.clone();
        self.port.spawn(id, async move {
            let len = queue.len().await?;
            Ok::<_, Error>(Value::Number(len as f64))
        });
    }
}

/// An entry that was taken at the moment at which the taker gave up is for others. In a task of its
/// own, because the taker's has been ended.
fn put_back(queue: Queue, entry: Option<Entry>) {
    let Some(entry) = entry else { return };
    bridge::runtime().spawn(async move {
        // It fails only if the session has ended; then nobody can do anything.
        let _ = queue.put_with(&entry.data, entry.priority).await;
    });
}
