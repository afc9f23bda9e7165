//! The members of an ensemble as text: the value of a `server.N` line, and the whole of
//! `/zookeeper/config`, both ways.
//!
//! ```text
//! server.N=host:quorumPort:electionPort:role[;clientHost:clientPort][;secureHost:securePort]
//! version=<hexadecimal>                                                  no newline behind it
//! ```

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::str::FromStr;

use crate::proto::{Malformed, Reader, ServerId, Writer, Zxid};

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

    /// Whether the host is an address that every machine has for itself.
    fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Whether two servers cannot both have these addresses. What every machine has for itself
    /// says nothing.
    fn clashes(&self, other: &HostPort) -> bool {
        self == other && !self.is_any_address() && !self.is_loopback()
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
    /// Where its TLS clients connect, when the line says so.
    pub secure_client_address: Option<HostPort>,
}

impl Member {
    /// Where the other servers connect for replication.
    pub fn quorum_address(&self) -> HostPort {
        HostPort::new(self.host.clone(), self.quorum_port)
    }

    /// Whether two servers cannot both be described like this: an address of one is the other's.
    pub fn clashes(&self, other: &Member) -> bool {
        let addresses = |member: &Member| {
            let election = HostPort::new(member.host.clone(), member.election_port);
            [
                Some(member.quorum_address()),
                Some(election),
                member.client_address.clone(),
            ]
        };
        let theirs = addresses(other);
        addresses(self)
            .iter()
            .flatten()
            .any(|mine| theirs.iter().flatten().any(|t| mine.clashes(t)))
    }
}

impl Member {
    /// Appends the fields: between servers and in files, where the text could not tell an
    /// address that no line may have.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.text(&self.host);
        w.u32(u32::from(self.quorum_port));
        w.u32(u32::from(self.election_port));
        w.bool(self.role == Role::Observer);
        for address in [&self.client_address, &self.secure_client_address] {
            w.bool(address.is_some());
            if let Some(address) = address {
                w.text(&address.host);
                w.u32(u32::from(address.port));
            }
        }
    }

    /// Reads what [`Member::encode`] wrote.
    pub fn decode(r: &mut Reader<'_>) -> Result<Member, Malformed> {
        let port = |r: &mut Reader<'_>| {
            u16::try_from(r.u32()?).map_err(|_| Malformed("a port above 65535"))
        };
        let address = |r: &mut Reader<'_>| match r.bool()? {
            false => Ok(None),
            true => Ok(Some(HostPort::new(r.text()?.into_owned(), port(r)?))),
        };
        Ok(Member {
            host: r.text()?.into_owned(),
            quorum_port: port(r)?,
            election_port: port(r)?,
            role: match r.bool()? {
                true => Role::Observer,
                false => Role::Participant,
            },
            client_address: address(r)?,
            secure_client_address: address(r)?,
        })
    }

    /// Appends a list of members by their ids.
    pub fn encode_all(members: &BTreeMap<ServerId, Member>, w: &mut Writer<'_>) {
        w.length(members.len());
        for (id, member) in members {
            w.u8(id.0);
            member.encode(w);
        }
    }

    /// Reads what [`Member::encode_all`] wrote.
    pub fn decode_all(r: &mut Reader<'_>) -> Result<BTreeMap<ServerId, Member>, Malformed> {
        let members = r.vector(MEMBER_BYTES_MIN, |r| {
            Ok((ServerId(r.u8()?), Member::decode(r)?))
        })?;
        Ok(members.into_iter().collect())
    }
}

/// What a member takes at least, encoded behind its id.
const MEMBER_BYTES_MIN: usize = 16;

impl fmt::Display for Member {
    /// The value of the `server.N` line, with the role always written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = Bracketed(&self.host);
        write!(
            f,
            "{host}:{}:{}:{}",
            self.quorum_port, self.election_port, self.role
        )?;
        match (&self.client_address, &self.secure_client_address) {
            (None, None) => Ok(()),
            (Some(client), None) => write!(f, ";{client}"),
            (Some(client), Some(secure)) => write!(f, ";{client};{secure}"),
            (None, Some(secure)) => write!(f, ";;{secure}"),
        }
    }
}

/// The text of `/zookeeper/config`: a line per server, then the version.
pub fn config_text(members: &BTreeMap<ServerId, Member>, version: Zxid) -> String {
    let mut text = member_lines(members);
    // Writing to a string does not fail.
    let _ = write!(text, "version={:x}", version.0);
    text
}

/// A line per server, each with its line end: what a dynamic file holds.
pub fn member_lines(members: &BTreeMap<ServerId, Member>) -> String {
    members
        .iter()
        .map(|(id, member)| format!("server.{id}={member}\n"))
        .collect()
}

/// What one `server.N` value holds beside the [`Member`].
#[derive(Debug, PartialEq, Eq)]
pub struct ServerLine {
    /// The server, at its first address.
    pub member: Member,
    /// Addresses after the first, which are not used.
    pub more_addresses: usize,
}

const LINE: &str = "expected host:quorumPort:electionPort[:participant|:observer]\
                    [;[clientHost:]clientPort]";

/// Parses the value of a `server.N` line.
pub fn server_line(value: &str) -> Result<ServerLine, String> {
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
    member.secure_client_address = client_address(secure)?;
    Ok(ServerLine {
        member,
        more_addresses,
    })
}

/// `host:quorumPort:electionPort[:role]`
fn peer_address(text: &str) -> Result<Member, String> {
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
        secure_client_address: None,
    })
}

/// `[clientHost:]clientPort`, or nothing.
fn client_address(text: &str) -> Result<Option<HostPort>, String> {
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

/// A TCP port that can be connected to.
fn port(value: &str) -> Result<u16, String> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let number = value.parse::<u16>().ok().filter(|port| digits && *port > 0);
    number.ok_or_else(|| "expected a port, 1 to 65535".to_owned())
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
            secure_client_address: None,
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
            };
            assert_eq!(server_line(value), Ok(want), "{value}");
        }
    }

    #[test]
    fn further_addresses_and_tls_ports_are_noticed() {
        let line = server_line("a:2888:3888:observer|b:2889:3889:observer;;2281").unwrap();
        let secure = Some(HostPort::new("0.0.0.0", 2281));
        assert_eq!(line.more_addresses, 1);
        assert_eq!(line.member.secure_client_address, secure);
        assert_eq!(
            line.member.to_string(),
            "a:2888:3888:observer;;0.0.0.0:2281"
        );
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
        assert_eq!(
            config_text(&members.into(), Zxid(0x1_0000_0000)),
            "server.1=127.0.0.1:2888:3888:participant\n\
             server.2=[::1]:2888:3888:observer;0.0.0.0:2181\n\
             version=100000000"
        );
    }
}
