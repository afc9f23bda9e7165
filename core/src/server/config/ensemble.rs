//! The members of an ensemble: the text of a `server.N` line, both ways.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

pub use crate::proto::ServerId;

use super::setting::{Parsed, port};

impl FromStr for ServerId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<u8>().ok().filter(|_| digits);
        number
            .map(Self)
            .ok_or_else(|| "expected a server id, 0 to 255".to_owned())
    }
}

/// A host name or address, not yet resolved, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The TCP port; 0 lets the system choose one.
    pub port: u16,
}

impl HostPort {
    /// The address `host`:`port`.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Whether the host stands for every address of the machine.
    pub fn is_any_address(&self) -> bool {
        matches!(
            self.host.as_str(),
            "0.0.0.0" | "::" | "*" | "0:0:0:0:0:0:0:0"
        )
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Bracketed(&self.host), self.port)
    }
}

/// A host as it stands before a colon: an IPv6 address gets its brackets back.
struct Bracketed<'a>(&'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

/// What a server does in its ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Votes and can lead.
    #[default]
    Participant,
    /// Follows without a vote.
    Observer,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Participant => "participant",
            Self::Observer => "observer",
        })
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "participant" => Ok(Self::Participant),
            "observer" => Ok(Self::Observer),
            _ => Err("expected participant or observer".to_owned()),
        }
    }
}

/// One server of an ensemble, as its `server.N` line describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The host that the other servers connect to.
    pub host: String,
    /// The port for replication.
    pub quorum_port: u16,
    /// The port for elections; kept because ZooKeeper's line has it.
    pub election_port: u16,
    /// Whether it votes.
    pub role: Role,
    /// Where its clients connect, when the line says so.
    pub client_address: Option<HostPort>,
}

impl fmt::Display for Member {
    /// The value of the `server.N` line, with the role always written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = Bracketed(&self.host);
        write!(
            f,
            "{host}:{}:{}:{}",
            self.quorum_port, self.election_port, self.role
        )?;
        match &self.client_address {
            Some(client) => write!(f, ";{client}"),
            None => Ok(()),
        }
    }
}

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
        let line = |(id, member): (&ServerId, &Member)| format!("server.{id}={member}\n");
        self.members
            .iter()
            .map(line)
            .chain([format!("version={version:x}")])
            .collect()
    }
}

/// What one `server.N` value holds beside the [`Member`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerLine {
    pub(super) member: Member,
    /// Addresses after the first, which are not used.
    pub(super) more_addresses: usize,
    /// A port for TLS clients is given.
    pub(super) has_secure_port: bool,
}

const LINE: &str = "expected host:quorumPort:electionPort[:participant|:observer]\
                    [;[clientHost:]clientPort]";

/// Parses the value of a `server.N` line.
pub(super) fn server_line(value: &str) -> Parsed<ServerLine> {
    let mut parts = value.split(';').map(str::trim);
    let addresses = parts.next().unwrap_or_default();
    let client = parts.next().unwrap_or_default();
    let secure = parts.next().unwrap_or_default();
    if parts.next().is_some() {
        return Err(LINE.to_owned());
    }
    let mut members = Vec::new();
    for address in addresses.split('|') {
        members.push(peer_address(address.trim())?);
    }
    if members.iter().any(|other| other.role != members[0].role) {
        return Err("expected the same role on every address of one server".to_owned());
    }
    let more_addresses = members.len() - 1;
    let mut member = members.swap_remove(0);
    member.client_address = client_address(client)?;
    let has_secure_port = client_address(secure)?.is_some();
    Ok(ServerLine {
        member,
        more_addresses,
        has_secure_port,
    })
}

/// `host:quorumPort:electionPort[:role]`
fn peer_address(text: &str) -> Parsed<Member> {
    let (host, rest) = split_host(text).ok_or(LINE)?;
    let mut parts = rest.split(':').map(str::trim);
    let quorum_port = port(parts.next().unwrap_or_default()).map_err(|_| LINE)?;
    let election_port = port(parts.next().unwrap_or_default()).map_err(|_| LINE)?;
    let role = parts.next().map_or(Ok(Role::Participant), str::parse)?;
    if parts.next().is_some() {
        return Err(LINE.to_owned());
    }
    if quorum_port == election_port {
        return Err("expected a quorum port and an election port that differ".to_owned());
    }
    Ok(Member {
        host,
        quorum_port,
        election_port,
        role,
        client_address: None,
    })
}

/// `[clientHost:]clientPort`, or nothing.
fn client_address(text: &str) -> Parsed<Option<HostPort>> {
    if text.is_empty() {
        return Ok(None);
    }
    let (host, digits) = match text.contains(':') {
        true => split_host(text).ok_or(LINE)?,
        false => ("0.0.0.0".to_owned(), text),
    };
    let port = port(digits.trim()).map_err(|what| format!("{what}, after the ';'"))?;
    Ok(Some(HostPort { host, port }))
}

/// Splits at the colon after the host; the brackets of an IPv6 address go.
fn split_host(text: &str) -> Option<(String, &str)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inside) => {
            let (host, rest) = inside.split_once(']')?;
            (host, rest.strip_prefix(':')?)
        }
        None => text.split_once(':')?,
    };
    let host = host.trim();
    (!host.is_empty()).then(|| (host.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(host: &str, role: Role, client: Option<(&str, u16)>) -> Member {
        Member {
            host: host.to_owned(),
            quorum_port: 2888,
            election_port: 3888,
            role,
            client_address: client.map(|(host, port)| HostPort::new(host, port)),
        }
    }

    #[test]
    fn every_form_of_a_server_line_is_understood() {
        use Role::{Observer, Participant};
        let any = Some(("0.0.0.0", 2181));
        for (value, want) in [
            ("zk1:2888:3888", member("zk1", Participant, None)),
            (
                "zk1:2888:3888:participant",
                member("zk1", Participant, None),
            ),
            ("zk1:2888:3888:OBSERVER", member("zk1", Observer, None)),
            ("zk1:2888:3888;2181", member("zk1", Participant, any)),
            (
                " zk1 : 2888 : 3888 : observer ; 2181 ",
                member("zk1", Observer, any),
            ),
            (
                "zk1:2888:3888;10.0.0.1:2181",
                member("zk1", Participant, Some(("10.0.0.1", 2181))),
            ),
            (
                "[::1]:2888:3888;[fe80::1]:2181",
                member("::1", Participant, Some(("fe80::1", 2181))),
            ),
            ("zk1:2888:3888;2181;", member("zk1", Participant, any)),
        ] {
            let want = ServerLine {
                member: want,
                more_addresses: 0,
                has_secure_port: false,
            };
            assert_eq!(server_line(value), Ok(want), "{value}");
        }
    }

    #[test]
    fn further_addresses_and_tls_ports_are_noticed() {
        let line = server_line("a:2888:3888:observer|b:2889:3889:observer;;2281").unwrap();
        assert_eq!(line.member, member("a", Role::Observer, None));
        assert_eq!((line.more_addresses, line.has_secure_port), (1, true));
    }

    #[test]
    fn a_wrong_server_line_says_what_is_wrong() {
        let port = "expected a port, 1 to 65535, after the ';'";
        for (value, want) in [
            ("", LINE),
            ("zk1", LINE),
            ("zk1:2888", LINE),
            (":2888:3888", LINE),
            ("zk1:2888:x", LINE),
            ("zk1:2888:70000", LINE),
            ("::1:2888:3888", LINE),
            ("[::1:2888:3888", LINE),
            ("[::1]2888:3888", LINE),
            ("zk1:2888:3888:observer:more", LINE),
            ("zk1:2888:3888;1;2;3", LINE),
            ("zk1:2888:3888:voter", "expected participant or observer"),
            (
                "zk1:2888:2888",
                "expected a quorum port and an election port that differ",
            ),
            (
                "a:1:2|b:1:2:observer",
                "expected the same role on every address of one server",
            ),
            ("zk1:2888:3888;x", port),
            ("zk1:2888:3888;h:x", port),
        ] {
            assert_eq!(server_line(value).unwrap_err(), want, "{value}");
        }
    }

    #[test]
    fn server_ids_are_bytes() {
        assert_eq!("0".parse(), Ok(ServerId(0)));
        assert_eq!("255".parse(), Ok(ServerId(255)));
        for wrong in ["", "256", "-1", "+1", "one", "1 "] {
            assert!(wrong.parse::<ServerId>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_config_text_is_the_one_zookeeper_prints() {
        let members = [
            (ServerId(1), member("127.0.0.1", Role::Participant, None)),
            (
                ServerId(2),
                member("::1", Role::Observer, Some(("0.0.0.0", 2181))),
            ),
        ];
        let ensemble = Ensemble {
            my_id: ServerId(1),
            members: members.into(),
            peer_type: Role::Participant,
            quorum_listen_on_all_ips: false,
        };
        assert_eq!(
            ensemble.config_text(0x1_0000_0000),
            "server.1=127.0.0.1:2888:3888:participant\n\
             server.2=[::1]:2888:3888:observer;0.0.0.0:2181\n\
             version=100000000"
        );
    }
}
