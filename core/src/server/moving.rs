//! Where this server listens, as reconfigs move it.
//!
//! ```text
//!            a reconfig would move it                 it is done
//!   old place ──────────────────────▶ old and new place ─────────▶ new place
//!                                            └── refused ────────▶ old place
//! ```
//!
//! Clients find the new place once the reconfig is done; the other servers need it before, because
//! a server that does not answer there might keep the reconfig from being done. Connections stay,
//! as in ZooKeeper. A place that cannot be opened is tried again and again, and as long as none can
//! be, the server stays where it was.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::environment::{Doors, Net};
use crate::proto::Member;
use crate::server::config::{Ensemble, HostPort};
use crate::server::{Shared, StartError, bind};
use crate::tree::Configuration;

/// Every address of the machine.
const ANY: &str = "0.0.0.0";

/// Pause before a place is tried again that could not be opened.
const RETRY: Duration = Duration::from_millis(100);

/// One port of this server, and what may be at more than one place for a while.
pub(super) struct Port {
    what: &'static str,
    net: Arc<dyn Net>,
    backlog: i32,
    doors: Doors,
    /// The places that are open, in the order of the doors.
    open: Vec<HostPort>,
    /// The first place that can be gone back to.
    home: HostPort,
    /// Those that the operator knows cannot be opened.
    told: BTreeSet<String>,
}

/// What came of a try.
#[derive(Debug, PartialEq, Eq)]
enum Tried {
    /// Everything wanted is open, and nothing else.
    Settled,
    /// Something is to be tried again.
    Unsettled,
}

impl Port {
    pub(super) fn new(
        what: &'static str,
        net: Arc<dyn Net>,
        backlog: i32,
        doors: Doors,
        place: HostPort,
    ) -> Port {
        Port {
            what,
            net,
            backlog,
            doors,
            open: vec![place.clone()],
            home: place,
            told: BTreeSet::new(),
        }
    }

    /// Opens what is wanted, and closes the rest once that is done.
    fn settle(&mut self, wanted: &[HostPort]) -> Tried {
        let missing = wanted.iter().filter(|place| !self.open.contains(place));
        for place in missing.cloned().collect::<Vec<_>>() {
            if let Err(error) = self.open_at(&place) {
                return self.cannot_open(&place, wanted, &error);
            }
        }
        let keep = self.open.iter().map(|place| wanted.contains(place));
        let keep = keep.collect::<Vec<_>>();
        self.close(&keep);
        if let [only] = wanted {
            self.home = only.clone();
        }
        self.told.clear();
        Tried::Settled
    }

    fn open_at(&mut self, place: &HostPort) -> Result<(), StartError> {
        let listener = bind(&*self.net, place, self.backlog, self.what)?;
        tracing::warn!(what = self.what, %place, "listening at a new place");
        let keep = vec![true; self.open.len()];
        self.doors.change(&keep, vec![listener]);
        self.open.push(place.clone());
        Ok(())
    }

    fn cannot_open(&mut self, place: &HostPort, wanted: &[HostPort], error: &StartError) -> Tried {
        let in_use = matches!(error, StartError::Listen { error, .. }
            if error.kind() == io::ErrorKind::AddrInUse);
        // One port, another host: the new place is not free before the old one is given back.
        let makes_way = |old: &HostPort| in_use && old.port == place.port && !wanted.contains(old);
        let keep = self.open.iter().map(|old| !makes_way(old));
        let keep = keep.collect::<Vec<_>>();
        if keep.contains(&false) {
            self.close(&keep);
            return Tried::Unsettled;
        }
        if self.told.insert(place.to_string()) {
            tracing::error!(%error, what = self.what,
                "a reconfig puts this server at a place that cannot be opened; it is tried \
                 again, and the server stays where it was");
        }
        if self.open.is_empty() {
            let home = self.home.clone();
            // Nowhere for now: both are tried again.
            if let Err(error) = self.open_at(&home) {
                tracing::debug!(%error, "nor is the old place free");
            }
        }
        Tried::Unsettled
    }

    fn close(&mut self, keep: &[bool]) {
        if keep.contains(&false) {
            self.doors.change(keep, Vec::new());
            let mut kept = keep.iter();
            self.open.retain(|_| kept.next().copied().unwrap_or(false));
        }
    }
}

/// The ports that a reconfig may move; `None` is not there, or not this server's own business.
pub(super) struct Ports {
    pub(super) clients: Option<Port>,
    pub(super) peers: Option<Port>,
}

impl Ports {
    fn settle(&mut self, wanted: &Wanted) -> Tried {
        let mut tried = Vec::new();
        if let (Some(port), Some(place)) = (&mut self.clients, &wanted.clients) {
            tried.push(port.settle(std::slice::from_ref(place)));
        }
        if let Some(port) = &mut self.peers {
            tried.push(port.settle(&wanted.peers));
        }
        match tried.contains(&Tried::Unsettled) {
            true => Tried::Unsettled,
            false => Tried::Settled,
        }
    }
}

/// Where this server is to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    /// `None`: where it does.
    clients: Option<HostPort>,
    peers: Vec<HostPort>,
}

/// What this server knows of its own place.
struct Place {
    /// Its line as it was last in force.
    line: Member,
    /// Where a reconfig has put its clients.
    clients: Option<HostPort>,
    /// Where the other servers come in before this one serves, whatever its log says by then.
    first: HostPort,
}

impl Place {
    fn wanted(&mut self, ensemble: &Ensemble, now: &Configuration, serves: bool) -> Wanted {
        let me = ensemble.my_id;
        let own = now.members.get(&me).filter(|_| now.is_reconfigured);
        if let Some(own) = own
            && serves
        {
            // Only what has changed counts: arguments go before the line, and stay.
            if own.client_address != self.line.client_address {
                self.clients.clone_from(&own.client_address);
            }
            self.line = own.clone();
        }
        let pending = now.pending.as_ref();
        let soon = pending.and_then(|pending| pending.members.get(&me));
        let mut peers = vec![own.unwrap_or(&self.line).quorum_address()];
        peers.extend(soon.map(Member::quorum_address));
        if ensemble.quorum_listen_on_all_ips {
            peers
                .iter_mut()
                .for_each(|place| place.host = ANY.to_owned());
        }
        if !serves {
            peers.push(self.first.clone());
        }
        peers.sort_by_key(ToString::to_string);
        peers.dedup();
        Wanted {
            clients: self.clients.clone(),
            peers,
        }
    }
}

/// Runs until the server stops.
pub(super) async fn run(shared: Arc<Shared>, mut ports: Ports) {
    let Some(ensemble) = &shared.config.ensemble else {
        return;
    };
    let mut place = Place {
        line: ensemble.me().clone(),
        clients: None,
        first: peer_place(ensemble),
    };
    let mut changes = shared.replica.watch_configuration();
    let mut serving = shared.serving.subscribe();
    loop {
        changes.mark_unchanged();
        let serves = *serving.borrow_and_update();
        let configuration = Arc::clone(shared.replica.tree().configuration());
        let wanted = place.wanted(ensemble, &configuration, serves);
        // Names are looked up, which may take its time.
        let trying = tokio::task::spawn_blocking(move || {
            let tried = ports.settle(&wanted);
            (ports, tried)
        });
        let Ok((back, tried)) = trying.await else {
            return;
        };
        ports = back;
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = serving.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if tried == Tried::Unsettled => {}
        }
    }
}

/// Where the other servers come in, by the files of this server.
pub(super) fn peer_place(ensemble: &Ensemble) -> HostPort {
    let mut place = ensemble.me().quorum_address();
    if ensemble.quorum_listen_on_all_ips {
        place.host = ANY.to_owned();
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Listener, Tcp};
    use crate::proto::{ConnectionId, ServerId, SessionId, Zxid, server_line};
    use crate::session::Origin;
    use crate::tree::{Asker, Pending};

    fn member(line: &str) -> Member {
        server_line(line).unwrap().member
    }

    fn place() -> (Ensemble, Place) {
        let first = HostPort::new("a", 1);
        let mut ensemble = Ensemble::of(ServerId(1), [(ServerId(1), first.clone())]);
        ensemble.members.insert(ServerId(1), member("a:1:2;3"));
        let line = ensemble.me().clone();
        let clients = None;
        (
            ensemble,
            Place {
                line,
                clients,
                first,
            },
        )
    }

    #[test]
    fn peers_find_both_places_while_a_reconfig_is_pending_and_clients_the_new_one_behind_it() {
        let (ensemble, mut place) = place();
        let mut now = Configuration {
            members: [(ServerId(1), member("a:1:2;3"))].into(),
            ..Configuration::default()
        };
        let mut shown = |now: &Configuration, serves: bool| {
            let wanted = place.wanted(&ensemble, now, serves);
            let peers = wanted.peers.iter().map(ToString::to_string);
            let clients = wanted.clients.map_or(String::new(), |at| format!(" ;{at}"));
            peers.collect::<Vec<_>>().join(" ") + &clients
        };
        assert_eq!(shown(&now, true), "a:1");
        now.pending = Some(Pending {
            id: Zxid(1),
            members: [(ServerId(1), member("b:1:2;4"))].into(),
            asker: Asker {
                origin: Origin {
                    server: ServerId(1),
                    connection: ConnectionId(1),
                },
                session: SessionId(1),
                identities: Vec::new(),
            },
        });
        assert_eq!(shown(&now, true), "a:1 b:1");
        now.pending = None;
        assert_eq!(shown(&now, true), "a:1", "it was refused");
        now.is_reconfigured = true;
        now.members.insert(ServerId(1), member("b:1:2;4"));
        assert_eq!(
            shown(&now, false),
            "a:1 b:1",
            "the log may be behind the files"
        );
        assert_eq!(shown(&now, true), "b:1 ;0.0.0.0:4");
        now.members.clear();
        assert_eq!(
            shown(&now, true),
            "b:1 ;0.0.0.0:4",
            "a guest stays where it is"
        );
    }

    #[tokio::test]
    async fn a_port_moves_keeps_the_old_place_as_long_as_the_new_one_is_taken_and_changes_host() {
        let net = Arc::new(Tcp::default());
        let local = |port| HostPort::new("127.0.0.1", port);
        let first = bind(&*net, &local(0), 8, "port").unwrap();
        let old = local(first.address().unwrap().port());
        let doors = Doors::new(first);
        let mut port = Port::new("port", net.clone(), 8, doors.clone(), old.clone());
        let at = |doors: &Doors| HostPort::from(doors.address().unwrap());

        let taken = bind(&*net, &local(0), 8, "port").unwrap();
        let new = local(taken.address().unwrap().port());
        let both = [old.clone(), new.clone()];
        assert_eq!(port.settle(&both), Tried::Unsettled);
        assert_eq!(at(&doors), old);
        drop(taken);
        assert_eq!(port.settle(&both), Tried::Settled);
        assert_eq!(port.open, both);
        assert_eq!(port.settle(std::slice::from_ref(&new)), Tried::Settled);
        assert_eq!(port.open, std::slice::from_ref(&new));
        bind(&*net, &old, 8, "port").unwrap();

        // The same port on all addresses is not free before the old one is given back.
        let any = HostPort::new("0.0.0.0", new.port);
        assert_eq!(port.settle(std::slice::from_ref(&any)), Tried::Unsettled);
        assert_eq!(port.settle(std::slice::from_ref(&any)), Tried::Settled);
        assert_eq!(at(&doors), any);
        let nowhere = HostPort::new("192.0.2.1", new.port);
        assert_eq!(port.settle(&[nowhere]), Tried::Unsettled);
        assert_eq!(at(&doors), any);
    }
}
