//! The way in for a node's clients: a port, the inside of the process, or both.

use std::io;
use std::net::SocketAddr;

use crate::environment::in_process::{Dialer, Inbox, entrance};
use crate::environment::{BoxFuture, Listener, Stream};

/// Accepts clients from a port, if there is one, and from inside the process.
pub(crate) struct Door {
    port: Option<Box<dyn Listener>>,
    inbox: Inbox,
}

impl Door {
    /// A door, and what opens connections to it from inside the process.
    pub(crate) fn new(port: Option<Box<dyn Listener>>) -> (Door, Dialer) {
        let (dialer, inbox) = entrance();
        (Door { port, inbox }, dialer)
    }
}

impl Listener for Door {
    fn accept(&self) -> BoxFuture<'_, io::Result<Stream>> {
        let Some(port) = &self.port else {
            return self.inbox.accept();
        };
        Box::pin(async move {
            tokio::select! {
                from_outside = port.accept() => from_outside,
                from_inside = self.inbox.accept() => from_inside,
            }
        })
    }

    fn address(&self) -> io::Result<SocketAddr> {
        match &self.port {
            Some(port) => port.address(),
            None => self.inbox.address(),
        }
    }
}
