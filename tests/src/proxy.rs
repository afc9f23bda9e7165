//! A TCP proxy between two servers that can be cut and healed.
//!
//! A cut is what a failed switch does: connections stay open and nothing arrives, new ones are
//! taken and stay silent. After healing the bytes that were held back go on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes moved at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// A proxy to one address. Dropping it closes its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Listens on `port` of the loopback and forwards to `to`.
    pub async fn start(port: u16, to: SocketAddr) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let open = Arc::new(watch::Sender::new(true));
        let task = tokio::spawn(accept(listener, to, Arc::clone(&open)));
        Ok(Proxy {
            address,
            open,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing passes.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.open.send_replace(true);
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, open: Arc<watch::Sender<bool>>) {
    let mut pairs = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    pairs.spawn(forward(stream, to, open.subscribe()));
                }
            }
            Some(_) = pairs.join_next() => {}
        }
    }
}

async fn forward(from: TcpStream, to: SocketAddr, mut open: watch::Receiver<bool>) {
    if open.wait_for(|open| *open).await.is_err() {
        return;
    }
    let Ok(to) = TcpStream::connect(to).await else {
        return;
    };
    // Fails only on a connection that is gone already.
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    let (from_read, from_write) = from.into_split();
    let (to_read, to_write) = to.into_split();
    // The end of one direction ends the other, as the end of a process does.
    tokio::select! {
        _ = pump(from_read, to_write, open.clone()) => {}
        _ = pump(to_read, from_write, open) => {}
    }
}

async fn pump(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    mut open: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = reader.read(&mut chunk).await?;
        open.wait_for(|open| *open)
            .await
            .map_err(io::Error::other)?;
        if read == 0 {
            return Ok(());
        }
        writer.write_all(&chunk[..read]).await?;
    }
}
