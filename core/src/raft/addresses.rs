//! Where the servers are: by this server's configuration files, and by what reconfigs have said
//! since.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use crate::proto::{Member, ServerId};
use crate::raft::Members;
use crate::tree::Configuration;

/// The addresses that servers reach each other at for replication.
///
/// Until a reconfig, every server goes by its own files: they may name the same server
/// differently. From the first reconfig on, what the log says goes before them, and so does the
/// place where a reconfig that is still pending puts a server: without its answer there, the
/// reconfig might never be done.
#[derive(Debug)]
pub(crate) struct AddressBook {
    me: ServerId,
    files: Members,
    log: RwLock<BTreeMap<ServerId, String>>,
}

impl AddressBook {
    pub(crate) fn new(me: ServerId, files: Members, configuration: &Configuration) -> AddressBook {
        let book = AddressBook {
            me,
            files,
            log: RwLock::default(),
        };
        book.learn(configuration);
        book
    }

    /// Takes in what the log says now.
    pub(crate) fn learn(&self, configuration: &Configuration) {
        let mut log = BTreeMap::new();
        if configuration.is_reconfigured {
            log.extend(configuration.members.iter().map(entry));
        }
        if let Some(pending) = &configuration.pending {
            let present = |id: &ServerId| {
                let member = configuration.members.get(id);
                member.map(Member::quorum_address)
            };
            let moved = pending.members.iter();
            let moved = moved.filter(|(id, m)| present(id) != Some(m.quorum_address()));
            log.extend(moved.map(entry));
        }
        let mut known = self.log.write();
        // One that was removed stays where it was then.
        if let Some(mine) = known.remove(&self.me)
            && configuration.is_reconfigured
        {
            log.entry(self.me).or_insert(mine);
        }
        *known = log;
    }

    /// Where a server is, as `host:port`.
    pub(crate) fn address(&self, server: ServerId) -> Option<String> {
        let by_log = self.log.read().get(&server).cloned();
        by_log.or_else(|| self.files.address(server).cloned())
    }

    /// Every server there is an address of.
    pub(crate) fn servers(&self) -> Vec<ServerId> {
        let mut servers = self.log.read().keys().copied().collect::<Vec<_>>();
        servers.extend(self.files.voters.keys().chain(self.files.observers.keys()));
        servers.sort_unstable();
        servers.dedup();
        servers
    }
}

fn entry((id, member): (&ServerId, &Member)) -> (ServerId, String) {
    (*id, member.quorum_address().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{ConnectionId, SessionId, Zxid, server_line};
    use crate::session::Origin;
    use crate::tree::{Asker, Pending};

    fn members(hosts: &[&str]) -> BTreeMap<ServerId, Member> {
        let member = |(id, host): (u8, &&str)| {
            let line = server_line(&format!("{host}:1:2;3")).unwrap();
            (ServerId(id), line.member)
        };
        (1..).zip(hosts).map(member).collect()
    }

    #[test]
    fn the_files_count_until_a_reconfig_and_what_is_pending_counts_at_once() {
        let voters = [
            (ServerId(1), "mine:1".to_owned()),
            (ServerId(2), "b:1".to_owned()),
        ];
        let files = Members {
            voters: voters.into(),
            ..Members::default()
        };
        let mut configuration = Configuration {
            members: members(&["a", "b"]),
            ..Configuration::default()
        };
        let book = AddressBook::new(ServerId(2), files, &configuration);
        let addresses = |book: &AddressBook| {
            let of = |id: ServerId| format!("{id}={}", book.address(id).unwrap());
            book.servers()
                .into_iter()
                .map(of)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(addresses(&book), "1=mine:1 2=b:1");
        configuration.pending = Some(Pending {
            id: Zxid(9),
            members: members(&["a", "moved", "new"]),
            asker: Asker {
                origin: Origin {
                    server: ServerId(1),
                    connection: ConnectionId(1),
                },
                session: SessionId(1),
                identities: Vec::new(),
            },
        });
        book.learn(&configuration);
        assert_eq!(addresses(&book), "1=mine:1 2=moved:1 3=new:1");
        configuration.pending = None;
        book.learn(&configuration);
        assert_eq!(addresses(&book), "1=mine:1 2=b:1", "it was refused");
        configuration.is_reconfigured = true;
        configuration.members = members(&["a", "moved"]);
        book.learn(&configuration);
        assert_eq!(addresses(&book), "1=a:1 2=moved:1");
        configuration.members = members(&["a"]);
        book.learn(&configuration);
        assert_eq!(
            addresses(&book),
            "1=a:1 2=moved:1",
            "a guest stays where it is"
        );
    }
}
