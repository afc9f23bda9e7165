//! What the supervisor of this process is told: systemd, or whatever else sets `NOTIFY_SOCKET`.
//!
//! `READY=1` when clients are served, `STOPPING=1` when the server begins to stop, and
//! `WATCHDOG=1` twice in each interval that `WATCHDOG_USEC` asks for, from a task of the runtime
//! that also serves clients: one that hangs is noticed. Without the variables nothing is told.
//! The protocol is sd_notify(3): one datagram per message.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where the supervisor listens, if there is one.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The supervisor that the environment names.
    pub(crate) fn from_environment() -> Supervisor {
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty());
        let socket = address.and_then(|path| match open(path.as_bytes()) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, "NOTIFY_SOCKET cannot be used; the supervisor is not told");
                None
            }
        });
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        // The variables may have been meant for another process that this one comes from.
        let mine = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let interval = number("WATCHDOG_USEC").filter(|us| mine && *us > 0);
        Supervisor {
            socket,
            watchdog: interval.map(Duration::from_micros),
        }
    }

    /// Clients are served.
    pub(crate) fn ready(&self, line: &str) {
        self.tell(&format!("READY=1\nSTATUS={line}"));
    }

    /// The server stops.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    /// Says again and again that this process lives. Never comes back.
    pub(crate) async fn keep_alive(&self) {
        let Some(interval) = self.watchdog.filter(|_| self.socket.is_some()) else {
            return std::future::pending().await;
        };
        loop {
            self.tell("WATCHDOG=1");
            tokio::time::sleep(interval / 2).await;
        }
    }

    fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::warn!(%error, message, "the supervisor does not listen");
        }
    }
}

fn open(path: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match path.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    // A supervisor that does not read must not hold the server up.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
