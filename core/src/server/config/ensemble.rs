//! An ensemble as one server is configured for it.

use std::collections::BTreeMap;

pub use crate::proto::{HostPort, Member, Role, ServerId};
use crate::proto::{Zxid, config_text};

/// Two or more servers, or one that was asked to be an ensemble (`standaloneEnabled=false`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ensemble {
    /// This server.
    pub my_id: ServerId,
    /// Every server, this one among them.
    pub members: BTreeMap<ServerId, Member>,
    /// The role of this server, as the list of servers has it.
    pub peer_type: Role,
    /// Accept connections of other servers on every address of the machine, not only on the
    /// one of this server's line.
    pub quorum_listen_on_all_ips: bool,
}

impl Ensemble {
    /// Server `my_id` of an ensemble of voters, each with the address the others reach it at.
    pub fn of(my_id: ServerId, voters: impl IntoIterator<Item = (ServerId, HostPort)>) -> Self {
        let member = |(id, address): (ServerId, HostPort)| {
            let member = Member {
                host: address.host,
                quorum_port: address.port,
                // Elections go over the quorum port too.
                election_port: address.port,
                role: Role::Participant,
                client_address: None,
                secure_client_address: None,
            };
            (id, member)
        };
        Self {
            my_id,
            members: voters.into_iter().map(member).collect(),
            peer_type: Role::Participant,
            quorum_listen_on_all_ips: false,
        }
    }

    /// This server's own line.
    pub fn me(&self) -> &Member {
        self.members
            .get(&self.my_id)
            .expect("a configuration without a line for itself is refused")
    }

    /// The members that vote.
    pub fn voters(&self) -> impl Iterator<Item = (ServerId, &Member)> {
        let votes = |(_, member): &(&ServerId, &Member)| member.role == Role::Participant;
        self.members
            .iter()
            .filter(votes)
            .map(|(id, member)| (*id, member))
    }

    /// The text of `/zookeeper/config`: a line per server, then the version, in hexadecimal.
    pub fn config_text(&self, version: u64) -> String {
        config_text(
            &self.members,
            Zxid(i64::try_from(version).unwrap_or(i64::MAX)),
        )
    }
}
