//! Who is served, and with which session: what happens between a connect request and its answer.
//!
//! ```text
//!   new session    ──▶ ReadWrite: a draft; or, with localSessionsEnabled, opened here
//!                  ──▶ ReadOnly:  opened here, whatever localSessionsEnabled says
//!   session comes  ──▶ one of this server's own: attached here, once its earlier connection is gone
//!   back           ──▶ ReadWrite: a draft
//!                  ──▶ ReadOnly:  one that the tree knows needs a quorum, so no answer; any other is
//!                                 over, as in ZooKeeper
//! ```
//!
//! A session that this server has not heard of may yet live, if it has missed something. But a
//! client that has seen what this server has missed is turned away before.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Count;
use crate::proto::{ConnectRequest, PASSWORD_BYTES, SessionId};
use crate::replica::{Access, Connection, Shown};
use crate::server::Shared;
use crate::server::modes::Service;
use crate::server::secure;
use crate::server::throttle::Handshaking;
use crate::session::local::LocalAttach;
use crate::tree::Draft;

/// Between two looks at a connection that has been ended and still holds the session.
const HELD_LOOK: Duration = Duration::from_millis(5);

/// Why a client is turned away before it has a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] secure::Refusal),
    #[error("{0}")]
    Malformed(#[from] crate::proto::Malformed),
    #[error("this server does not serve clients now: no quorum yet, or leaderServes=no")]
    NotServing,
    #[error("there is no quorum, and the client did not ask for a read-only session")]
    ReadOnly,
    #[error("there is no quorum, and the client's session may be known to one")]
    SessionNeedsQuorum,
    #[error("too many clients came at once (connection_throttle_tokens)")]
    TooManyAtOnce,
    #[error("this server has as many local sessions as it can keep")]
    TooManyLocalSessions,
    #[error("the client has seen zxid {client}, this server only {server}")]
    Ahead {
        client: crate::proto::Zxid,
        server: crate::proto::Zxid,
    },
}

/// Whether a client is served at all, and how.
pub(crate) fn admit(shared: &Shared, request: &ConnectRequest) -> Result<Access, Refusal> {
    let handshaking = match request.session {
        SessionId(0) => Handshaking::New,
        _ => Handshaking::Renewed,
    };
    let mut dice = [0; 4];
    getrandom::fill(&mut dice).map_err(io::Error::other)?;
    let dice = u32::from_ne_bytes(dice);
    let now_ms = shared.clock.monotonic_ms();
    if !shared.throttle.admit(handshaking, now_ms, dice) {
        return Err(Refusal::TooManyAtOnce);
    }
    let access = match shared.service() {
        Service::Nothing => return Err(Refusal::NotServing),
        Service::ReadOnly if request.read_only != Some(true) => return Err(Refusal::ReadOnly),
        Service::ReadOnly => Access::ReadOnly,
        Service::ReadWrite => Access::ReadWrite,
    };
    let server = shared.replica.last_zxid();
    if request.last_zxid_seen > server {
        return Err(Refusal::Ahead {
            client: request.last_zxid_seen,
            server,
        });
    }
    Ok(access)
}

/// Opens or attaches the session a client asks for. The answer is in the outbox then, or a draft
/// is on its way that brings it.
pub(crate) async fn open_session(
    shared: &Arc<Shared>,
    connection: &Connection,
    request: &ConnectRequest,
    access: Access,
) -> Result<(), Refusal> {
    let service = match access {
        Access::ReadWrite => Service::ReadWrite,
        Access::ReadOnly => Service::ReadOnly,
    };
    if shared.service() != service {
        // It has changed, and whoever changed it may have missed this connection.
        return Err(Refusal::NotServing);
    }
    let local = access == Access::ReadWrite && shared.replica.opens_local_sessions();
    if local && shared.is_out_of_touch() {
        return Err(Refusal::NotServing);
    }
    let timeout_ms = negotiate(shared, request.timeout_ms);
    if request.session == SessionId(0) {
        return open_new(shared, connection, timeout_ms, access);
    }
    let shown = Shown {
        session: request.session,
        password: &request.password,
        timeout_ms,
    };
    let attach = loop {
        let now_ms = shared.clock.monotonic_ms();
        match shared.replica.attach_local(connection, shown, now_ms) {
            LocalAttach::Held(_) => tokio::time::sleep(HELD_LOOK).await,
            attach => break attach,
        }
    };
    match (attach, access) {
        (LocalAttach::NotHere | LocalAttach::Upgrading, Access::ReadWrite) => {
            propose_attach(shared, connection, shown);
        }
        (LocalAttach::NotHere, Access::ReadOnly) => {
            if shared.replica.knows(request.session) {
                return Err(Refusal::SessionNeedsQuorum);
            }
            shared.replica.refuse(connection);
        }
        (LocalAttach::Upgrading, Access::ReadOnly) => return Err(Refusal::SessionNeedsQuorum),
        (LocalAttach::Attached | LocalAttach::Refused | LocalAttach::Held(_), _) => {}
    }
    Ok(())
}

fn open_new(
    shared: &Shared,
    connection: &Connection,
    timeout_ms: i32,
    access: Access,
) -> Result<(), Refusal> {
    let mut random = [0; 7 + PASSWORD_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let (number, secret) = random.split_at(7);
    let mut id = [0; 8];
    id[0] = shared.replica.lane().server.0;
    id[1..].copy_from_slice(number);
    let session = SessionId(i64::from_be_bytes(id));
    let mut password = [0; PASSWORD_BYTES];
    password.copy_from_slice(secret);
    if access == Access::ReadOnly || shared.replica.opens_local_sessions() {
        let now_ms = shared.clock.monotonic_ms();
        let replica = &shared.replica;
        return match replica.open_local(connection, session, password, timeout_ms, now_ms) {
            true => Ok(()),
            false => Err(Refusal::TooManyLocalSessions),
        };
    }
    shared.consensus.propose_draft(&Draft::Open {
        session,
        password,
        timeout_ms,
        connection: connection.id(),
    });
    Ok(())
}

fn propose_attach(shared: &Shared, connection: &Connection, shown: Shown<'_>) {
    shared.replica.metrics().count(Count::Revalidations);
    shared.replica.drop_attached(shown.session);
    // A longer one is wrong, and remains so when its end is missing; the log need not keep it.
    let password = shown.password.get(..=PASSWORD_BYTES);
    shared.consensus.propose_draft(&Draft::Attach {
        session: shown.session,
        password: password.unwrap_or(shown.password),
        timeout_ms: shown.timeout_ms,
        connection: connection.id(),
    });
}

/// The timeout a client gets: what it asked for, within the configured bounds.
fn negotiate(shared: &Shared, asked_ms: i32) -> i32 {
    let min = i32::try_from(shared.config.session_timeout_ms_min).unwrap_or(i32::MAX);
    let max = i32::try_from(shared.config.session_timeout_ms_max).unwrap_or(i32::MAX);
    asked_ms.min(max).max(min)
}
