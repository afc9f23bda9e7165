//! A listener whose places change while it is accepted from.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::select_all;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::environment::{BoxFuture, Listener, Stream};

/// Listens at several places at once; clones are the same listener.
///
/// What was accepted stays connected when its place is closed. A closed place is given back to the
/// system as soon as whoever accepts gets its turn.
#[derive(Clone)]
pub struct Doors {
    shared: Arc<Shared>,
}

struct Shared {
    open: Mutex<Vec<Arc<dyn Listener>>>,
    changed: Notify,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Doors({:?})", self.address())
    }
}

impl Doors {
    /// One place.
    pub fn new(first: Box<dyn Listener>) -> Doors {
        Doors {
            shared: Arc::new(Shared {
                open: Mutex::new(vec![Arc::from(first)]),
                changed: Notify::new(),
            }),
        }
    }

    /// Accepts from these places and no others from now on: `keep` says which of those that are
    /// open stay, by their numbers, and `more` come behind them.
    pub fn change(&self, keep: &[bool], more: Vec<Box<dyn Listener>>) {
        let mut kept = keep.iter();
        let mut open = self.shared.open.lock();
        open.retain(|_| kept.next().copied().unwrap_or(false));
        open.extend(more.into_iter().map(Arc::from));
        drop(open);
        self.shared.changed.notify_waiters();
    }
}

impl Listener for Doors {
    fn accept(&self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async move {
            loop {
                let mut changed = pin!(self.shared.changed.notified());
                changed.as_mut().enable();
                let open = self.shared.open.lock().clone();
                if open.is_empty() {
                    changed.await;
                    continue;
                }
                tokio::select! {
                    () = changed => {}
                    (accepted, ..) = select_all(open.iter().map(|door| door.accept())) => {
                        return accepted;
                    }
                }
            }
        })
    }

    /// The place that was opened last.
    fn address(&self) -> io::Result<SocketAddr> {
        let last = self.shared.open.lock().last().cloned();
        last.ok_or(io::ErrorKind::NotConnected)?.address()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::environment::Net;
    use crate::environment::in_process::entrance;

    #[tokio::test]
    async fn places_come_and_go_while_somebody_accepts_and_connections_stay() {
        let (old, inbox) = entrance();
        let doors = Doors::new(Box::new(inbox));
        let mut first = old.connect("old").await.unwrap();
        let mut one = doors.accept().await.unwrap();
        let accepting = doors.clone();
        let accepted = tokio::spawn(async move { accepting.accept().await });
        tokio::task::yield_now().await;
        let (new, inbox) = entrance();
        doors.change(&[true], vec![Box::new(inbox)]);
        doors.change(&[false, true], Vec::new());
        let mut second = new.connect("new").await.unwrap();
        let mut two = accepted.await.unwrap().unwrap();
        for (near, far) in [(&mut first, &mut one), (&mut second, &mut two)] {
            near.writer.write_all(b"x").await.unwrap();
            assert_eq!(far.reader.read_u8().await.unwrap(), b'x');
        }
        assert!(old.connect("old").await.is_err(), "it is closed");
        doors.change(&[false], Vec::new());
        assert!(doors.accept().now_or_never().is_none());
        assert!(doors.address().is_err());
    }
}
