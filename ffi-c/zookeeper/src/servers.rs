//! The list of servers as C programs see it: parsed, and told one at a time.
//!
//! Which server is really tried next is the client's business; here is only what
//! `zoo_get_current_server` and `zoo_cycle_next_server` are about.

use std::net::{SocketAddr, ToSocketAddrs};

use zoowarden::client::ConnectString;

use crate::paths;

/// Why a list of servers cannot be used, as errno has it.
pub(crate) type Errno = libc::c_int;

/// The servers of a handle, and the one in use or tried next.
pub(crate) struct Servers {
    list: Vec<String>,
    at: usize,
}

impl Servers {
    pub(crate) fn new(hosts: &ConnectString) -> Servers {
        Servers {
            list: hosts.servers().to_vec(),
            at: 0,
        }
    }

    /// Another list; the first of it is next unless the one in use is in it.
    pub(crate) fn replace(&mut self, hosts: &ConnectString) {
        let current = self.list[self.at].clone();
        self.list = hosts.servers().to_vec();
        self.at = self
            .list
            .iter()
            .position(|server| *server == current)
            .unwrap_or(0);
    }

    pub(crate) fn current(&self) -> &str {
        &self.list[self.at]
    }

    pub(crate) fn cycle(&mut self) {
        self.at = (self.at + 1) % self.list.len();
    }

    /// Remembers which of the list is connected; a name counts if its port is the same and no
    /// address says otherwise.
    pub(crate) fn connected_to(&mut self, server: SocketAddr) {
        let exact = server.to_string();
        let by_port = |text: &String| {
            text.parse::<SocketAddr>().is_err()
                && text
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port == server.port().to_string())
        };
        let found = self.list.iter().position(|text| *text == exact);
        self.at = found
            .or_else(|| self.list.iter().position(by_port))
            .unwrap_or(self.at);
    }
}

/// Reads `host:port,...[/chroot]`. Unlike other clients, C's demands the port, and that at least
/// one host can be looked up.
pub(crate) fn parse(text: &str) -> Result<ConnectString, Errno> {
    let (servers, chroot) = match text.find('/') {
        Some(slash) => text.split_at(slash),
        None => (text, ""),
    };
    if !(chroot.is_empty() || paths::is_valid(chroot, false)) {
        return Err(libc::EINVAL);
    }
    let mut named = servers
        .split(',')
        .map(str::trim)
        .filter(|server| !server.is_empty());
    if !named.all(has_port) {
        return Err(libc::EINVAL);
    }
    let hosts: ConnectString = text.parse().map_err(|_| libc::EINVAL)?;
    let mut found = hosts
        .servers()
        .iter()
        .map(|server| server.to_socket_addrs());
    if found.any(|found| found.is_ok_and(|mut addresses| addresses.next().is_some())) {
        Ok(hosts)
    } else {
        Err(libc::ENOENT)
    }
}

fn has_port(server: &str) -> bool {
    let port = server.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    matches!(port, Some(Ok(1..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_has_a_port_and_the_chroot_is_a_path() {
        for text in [
            "",
            "a",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:x",
            "/a",
            ",",
            "127.0.0.1:1/a/",
            "127.0.0.1:1/a//b",
            "127.0.0.1:1/a/..",
            "127.0.0.1:70000",
        ] {
            assert_eq!(parse(text), Err(libc::EINVAL), "{text}");
        }
        for text in [
            "127.0.0.1:1",
            "127.0.0.1:1,",
            " 127.0.0.1:1",
            "[::1]:1,127.0.0.1:2/a/b",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_current_server_is_the_connected_one_until_the_next_is_chosen() {
        let hosts = parse("127.0.0.1:1,127.0.0.1:2,localhost:3").expect("it is a list");
        let mut servers = Servers::new(&hosts);
        servers.connected_to("127.0.0.1:2".parse().expect("an address"));
        assert_eq!(servers.current(), "127.0.0.1:2");
        servers.connected_to("127.0.0.1:3".parse().expect("an address"));
        assert_eq!(servers.current(), "localhost:3");
        servers.cycle();
        assert_eq!(servers.current(), "127.0.0.1:1");
        servers.replace(&parse("127.0.0.1:9,127.0.0.1:1").expect("it is a list"));
        assert_eq!(servers.current(), "127.0.0.1:1");
    }
}
