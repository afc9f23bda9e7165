//! The network among the servers of an ensemble in one process: connected by name, and every pair
//! on a line of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;

use super::line::Line;
use crate::environment::in_process::{Dialer, Inbox, connection, entrance};
use crate::environment::{BoxFuture, Listener, Net, Stream};
use crate::proto::ServerId;
use crate::server::config::HostPort;

/// Its quorum port, which nobody binds.
const PORT: u16 = 2888;

/// The lines between servers; clones are the same network.
#[derive(Clone)]
pub(super) struct Links {
    inboxes: Arc<Mutex<BTreeMap<ServerId, Entrance>>>,
    lines: Arc<BTreeMap<(ServerId, ServerId), Line>>,
    /// What a test waits for between servers.
    #[cfg(test)]
    pub(super) traps: super::trap::Traps,
}

struct Entrance {
    dialer: Dialer,
    /// Until its server listens: who comes before waits, as long as it is expected.
    expected: Option<Inbox>,
}

impl Links {
    pub(super) fn among(servers: &[ServerId]) -> Links {
        let pairs = servers.iter().flat_map(|a| {
            let others = servers.iter().filter(move |b| *b > a);
            others.map(|b| ((*a, *b), Line::default()))
        });
        Links {
            inboxes: Arc::default(),
            lines: Arc::new(pairs.collect()),
            #[cfg(test)]
            traps: super::trap::Traps::default(),
        }
    }

    /// The name that a server is reached by: an address of this network alone.
    pub(super) fn address(server: ServerId) -> HostPort {
        HostPort::new(Ipv4Addr::new(10, 0, 0, server.0).to_string(), PORT)
    }

    /// The line between two servers.
    pub(super) fn line(&self, a: ServerId, b: ServerId) -> Option<&Line> {
        self.lines.get(&(a.min(b), a.max(b)))
    }

    /// Every line that ends at a server.
    pub(super) fn lines_of(&self, server: ServerId) -> impl Iterator<Item = &Line> {
        let ends_there = move |pair: &(ServerId, ServerId)| pair.0 == server || pair.1 == server;
        let lines = self.lines.iter();
        lines
            .filter(move |(pair, _)| ends_there(pair))
            .map(|(_, line)| line)
    }

    /// Every line.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    /// A server is about to start: from now on connections to it wait instead of being refused.
    pub(super) fn expect(&self, server: ServerId) {
        let (dialer, inbox) = entrance();
        let entrance = Entrance {
            dialer,
            expected: Some(inbox),
        };
        self.inboxes.lock().insert(server, entrance);
    }

    /// Connections to a server are refused from now on.
    pub(super) fn forget(&self, server: ServerId) {
        self.inboxes.lock().remove(&server);
    }

    /// The network as one server sees it.
    pub(super) fn seen_by(&self, server: ServerId) -> Arc<dyn Net> {
        Arc::new(View {
            links: self.clone(),
            me: server,
        })
    }

    async fn connect(&self, from: ServerId, address: &str) -> io::Result<Stream> {
        let to = (1..=u8::MAX).map(ServerId);
        let to = to.filter(|to| Links::address(*to).to_string() == address);
        let pair = to.filter_map(|to| Some((to, self.line(from, to)?))).next();
        let (to, line) = pair.ok_or(io::ErrorKind::HostUnreachable)?;
        line.passes().await;
        let dialer = self.inboxes.lock().get(&to).map(|to| to.dialer.clone());
        let dialer = dialer.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (near, far) = connection();
        dialer.deliver(line.carry(far)).await?;
        #[cfg(test)]
        let near = self.traps.tap(from, to, near);
        Ok(line.carry(near))
    }
}

struct View {
    links: Links,
    me: ServerId,
}

impl Net for View {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(self.links.connect(self.me, address))
    }

    fn listen(&self, _address: SocketAddr, _backlog: i32) -> io::Result<Box<dyn Listener>> {
        let mut inboxes = self.links.inboxes.lock();
        let entrance = inboxes.get_mut(&self.me);
        let inbox = entrance.and_then(|entrance| entrance.expected.take());
        let inbox = inbox.ok_or(io::ErrorKind::AddrInUse)?;
        Ok(Box::new(inbox))
    }
}
