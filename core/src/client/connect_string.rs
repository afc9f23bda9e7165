//! `host:port,host:port/chroot`: which servers, and which part of the tree.

use std::fmt;
use std::str::FromStr;

use crate::proto::path;

/// The port of a server that names none.
pub const DEFAULT_PORT: u16 = 2181;

/// Servers and chroot. Parsed from `host[:port],…[/chroot]`; IPv6 addresses stand in brackets.
///
/// The chroot is put before every path sent, and taken off every path received; it is `""` when
/// there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectString {
    servers: Vec<String>,
    chroot: String,
}

/// Why a text is not a connect string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connect string {text:?}: {reason}; expected host[:port],host[:port]…[/chroot]")]
pub struct ConnectStringError {
    text: String,
    reason: String,
}

impl ConnectString {
    /// The servers, each `host:port`, in the order written; at least one.
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// `""`, or a path such as `/app`.
    pub fn chroot(&self) -> &str {
        &self.chroot
    }
}

impl Default for ConnectString {
    /// A server of this machine on the port everybody expects.
    fn default() -> Self {
        ConnectString {
            servers: vec![format!("127.0.0.1:{DEFAULT_PORT}")],
            chroot: String::new(),
        }
    }
}

impl FromStr for ConnectString {
    type Err = ConnectStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: String| ConnectStringError {
            text: text.to_owned(),
            reason,
        };
        let (servers, chroot) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text, ""),
        };
        let chroot = if chroot == "/" { "" } else { chroot };
        if !chroot.is_empty() {
            path::validate(chroot).map_err(|error| refuse(format!("chroot {chroot}: {error}")))?;
        }
        let servers = servers
            .split(',')
            .map(str::trim)
            .filter(|server| !server.is_empty())
            .map(|server| with_port(server).map_err(&refuse))
            .collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(refuse("names no server".to_owned()));
        }
        Ok(ConnectString {
            servers,
            chroot: chroot.to_owned(),
        })
    }
}

impl fmt::Display for ConnectString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.servers.join(","), self.chroot)
    }
}

fn with_port(server: &str) -> Result<String, String> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| format!("{server} lacks a ]"))?;
            (
                format!("[{host}]"),
                rest.strip_prefix(':').or(rest.is_empty().then_some("")),
            )
        }
        None => match server.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(format!("the IPv6 address {server} must stand in brackets"));
            }
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (server.to_owned(), Some("")),
        },
    };
    if host.is_empty() || host == "[]" {
        return Err(format!("{server} has no host"));
    }
    match port {
        Some("") if !server.ends_with(':') => Ok(format!("{host}:{DEFAULT_PORT}")),
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port > 0 => Ok(format!("{host}:{port}")),
            _ => Err(format!("{server}: the port is a number from 1 to 65535")),
        },
        None => Err(format!("{server}: a port follows a colon")),
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectString;

    #[test]
    fn servers_and_chroot_are_told_apart() {
        let cases: [(&str, &[&str], &str); 6] = [
            ("a", &["a:2181"], ""),
            ("a:1,b:2", &["a:1", "b:2"], ""),
            (" a:1 , b:2 /x/y", &["a:1", "b:2"], "/x/y"),
            (
                "[::1]:99,[fe80::1]/c",
                &["[::1]:99", "[fe80::1]:2181"],
                "/c",
            ),
            ("a:1/", &["a:1"], ""),
            ("a,,b", &["a:2181", "b:2181"], ""),
        ];
        for (text, servers, chroot) in cases {
            let parsed: ConnectString = text.parse().expect(text);
            assert_eq!(parsed.servers(), servers, "{text}");
            assert_eq!(parsed.chroot(), chroot, "{text}");
        }
    }

    #[test]
    fn what_is_no_connect_string_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "names no server"),
            ("/a", "names no server"),
            ("a:", "port"),
            ("a:0", "port"),
            ("a:x", "port"),
            ("a:65536", "port"),
            ("::1", "brackets"),
            ("[::1", "lacks a ]"),
            ("[::1]x", "colon"),
            (":1", "no host"),
            ("a/b//c", "chroot"),
            ("a/b/", "chroot"),
        ] {
            let error = text.parse::<ConnectString>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
