//! One client's socket: a shell around [`Replica`](crate::replica::Replica) and
//! [`Connection`].
//!
//! ```text
//!   four bytes ─▶ a word: answer, close
//!        └──────▶ handshake ─▶ draft (open or attach) ─▶ frames in, outbox out ─▶ close
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::environment::Stream;
use crate::metrics::Count;
use crate::proto::{ConnectRequest, Frames, PASSWORD_BYTES, SessionId};
use crate::replica::{Connection, Effects, Ending, Handshake};
use crate::server::four_letter::Word;
use crate::server::limits::{OUTSTANDING_PER_CONNECTION_MAX, Place};
use crate::server::{Shared, status};
use crate::tree::Draft;

/// Room made for bytes from a client before each read.
const READ_BYTES: usize = 16 << 10;

/// Frames looked at under one hold of the replica's lock.
const FRAMES_MAX: usize = 256;

/// How long a connection that must end may take to read what it is still owed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a handshake ended.
enum Opening {
    /// A four-letter word was answered.
    Answered,
    /// The session's draft is on its way.
    Connected(Arc<Connection>),
}

/// Serves one client until it is gone.
pub(crate) async fn serve(shared: Arc<Shared>, stream: Stream, _place: Place) {
    let peer = stream.peer;
    let mut socket = Socket {
        reader: stream.reader,
        writer: stream.writer,
        input: BytesMut::new(),
        frames: Frames::new(shared.limits.frame_bytes_max),
    };
    let opening = open(&shared, &mut socket, peer);
    let metrics = Arc::clone(shared.replica.metrics());
    let connection = match tokio::time::timeout(shared.limits.handshake, opening).await {
        Ok(Ok(Opening::Connected(connection))) => connection,
        Ok(Ok(Opening::Answered)) => return,
        Ok(Err(refusal)) => {
            if let Refusal::NotServing = refusal {
                shared.replica.metrics().count(Count::ClosedWhileNotServing);
            }
            tracing::info!(%peer, %refusal, "client not served");
            return;
        }
        Err(_) => {
            shared.replica.metrics().count(Count::SessionlessExpired);
            notice(
                &shared,
                peer,
                "no handshake within nio.sessionlessCnxnTimeout",
            );
            return;
        }
    };
    let ended = converse(&shared, &connection, &mut socket).await;
    shared.replica.disconnect(&connection);
    let session = connection.session();
    if matches!(ended, Ok(Ending::AuthFailed | Ending::TooManyIdentities)) {
        metrics.count(Count::AuthFailed);
    }
    match ended {
        Ok(ending @ (Ending::OutboxFull | Ending::TooManyIdentities)) => {
            notice(&shared, peer, &ending.to_string());
        }
        Ok(ending) => tracing::debug!(%peer, %session, "closed: {ending}"),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            notice(&shared, peer, &format!("{error} (jute.maxbuffer)"));
        }
        Err(error) => {
            metrics.count(Count::ConnectionsDropped);
            tracing::debug!(%peer, %session, %error, "connection lost");
        }
    }
    // The client sees the end whether or not this reaches it.
    let _ = socket.writer.shutdown().await;
}

/// Tells the operator that a client reached a limit.
fn notice(shared: &Shared, peer: SocketAddr, what: &str) {
    if let Some(unsaid) = shared.limits.notice.due(shared.clock.monotonic_ms()) {
        tracing::warn!(%peer, unsaid, "client closed: {what}");
    }
}

/// Tells an operator who asks for it that requests wait in their sockets: everyday life under load.
fn tell_of_throttling(shared: &Shared, connection: &Connection) {
    if connection.session() == SessionId(0) {
        return;
    }
    if let Some(unsaid) = shared.limits.throttled.due(shared.clock.monotonic_ms()) {
        let (peer, outstanding) = (connection.peer(), shared.replica.outstanding());
        tracing::info!(%peer, outstanding, unsaid,
            "client is read no further until requests are answered (globalOutstandingLimit)");
    }
}

struct Socket {
    reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    input: BytesMut,
    frames: Frames,
}

impl Socket {
    /// Reads once. Safe to cancel.
    async fn fill(&mut self) -> io::Result<()> {
        self.input.reserve(READ_BYTES);
        match self.reader.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.frames
            .next(&mut self.input)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// Why a client is turned away before it has a session.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Malformed(#[from] crate::proto::Malformed),
    #[error("this server has not caught up with its ensemble yet")]
    NotServing,
    #[error("the client has seen zxid {client}, this server only {server}")]
    Ahead {
        client: crate::proto::Zxid,
        server: crate::proto::Zxid,
    },
}

async fn open(
    shared: &Arc<Shared>,
    socket: &mut Socket,
    peer: SocketAddr,
) -> Result<Opening, Refusal> {
    while socket.input.len() < 4 {
        socket.fill().await?;
    }
    if let Some(word) = socket
        .input
        .first_chunk::<4>()
        .copied()
        .and_then(Word::from_bytes)
    {
        let answer = answer(shared, socket, word, peer).await?;
        socket.writer.write_all(answer.as_bytes()).await?;
        socket.writer.shutdown().await?;
        return Ok(Opening::Answered);
    }
    let frame = loop {
        match socket.next()? {
            Some(frame) => break frame,
            None => socket.fill().await?,
        }
    };
    let request = ConnectRequest::decode(&frame)?;
    shared.replica.metrics().count(Count::ConnectionRequests);
    if !shared.is_serving() {
        return Err(Refusal::NotServing);
    }
    let server = shared.replica.last_zxid();
    if request.last_zxid_seen > server {
        return Err(Refusal::Ahead {
            client: request.last_zxid_seen,
            server,
        });
    }
    let id = shared.next_connection();
    let connection = Arc::new(Connection::new(id, peer, shared.clock.wall_ms()));
    connection.touch(shared.clock.monotonic_ms());
    connection.begin_handshake(Handshake {
        read_only: request.read_only,
    });
    shared.replica.connect(Arc::clone(&connection));
    propose_session(shared, &connection, &request)?;
    Ok(Opening::Connected(connection))
}

/// What a word is answered. Long answers are made aside.
async fn answer(
    shared: &Arc<Shared>,
    socket: &mut Socket,
    word: Word,
    peer: SocketAddr,
) -> io::Result<String> {
    if word == Word::Stmk && status::refusal(shared, word).is_none() {
        // Eight bytes of mask follow the word.
        while socket.input.len() < 12 {
            socket.fill().await?;
        }
        let mask = socket.input.get(4..).and_then(|rest| rest.first_chunk());
        let mask = i64::from_be_bytes(mask.copied().unwrap_or_default());
        shared.console.set_trace_mask(mask);
    }
    if !word.takes_long() {
        return Ok(status::answer(shared, word, peer));
    }
    let shared = Arc::clone(shared);
    let making = tokio::task::spawn_blocking(move || status::answer(&shared, word, peer));
    making.await.map_err(io::Error::other)
}

fn propose_session(
    shared: &Shared,
    connection: &Connection,
    request: &ConnectRequest,
) -> io::Result<()> {
    let timeout_ms = negotiate(shared, request.timeout_ms);
    if request.session == SessionId(0) {
        let mut random = [0; 7 + PASSWORD_BYTES];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let (number, password) = random.split_at(7);
        let mut id = [0; 8];
        id[0] = shared.replica.lane().server.0;
        id[1..].copy_from_slice(number);
        let mut secret = [0; PASSWORD_BYTES];
        secret.copy_from_slice(password);
        shared.consensus.propose_draft(&Draft::Open {
            session: SessionId(i64::from_be_bytes(id)),
            password: secret,
            timeout_ms,
            connection: connection.id(),
        });
        return Ok(());
    }
    shared.replica.metrics().count(Count::Revalidations);
    shared.replica.drop_attached(request.session);
    // A longer one is wrong, and remains so when its end is missing; the log need not keep it.
    let shown = request.password.get(..=PASSWORD_BYTES);
    shared.consensus.propose_draft(&Draft::Attach {
        session: request.session,
        password: shown.unwrap_or(&request.password),
        timeout_ms,
        connection: connection.id(),
    });
    Ok(())
}

/// The timeout a client gets: what it asked for, within the configured bounds.
fn negotiate(shared: &Shared, asked_ms: i32) -> i32 {
    let min = i32::try_from(shared.config.session_timeout_ms_min).unwrap_or(i32::MAX);
    let max = i32::try_from(shared.config.session_timeout_ms_max).unwrap_or(i32::MAX);
    asked_ms.min(max).max(min)
}

/// Frames in, outbox out, until the connection ends. The reason is the server's; an error is the
/// client's or the network's.
async fn converse(
    shared: &Arc<Shared>,
    connection: &Arc<Connection>,
    socket: &mut Socket,
) -> io::Result<Ending> {
    loop {
        let now_us = shared.clock.monotonic_us();
        let moved = shared.replica.advance(connection, now_us);
        // What waits is older than what stands in the socket.
        let behind = moved.more;
        dispatch(shared, connection, moved);
        let more = behind || take_frames(shared, connection, socket, now_us)?;
        let (owed, ending) = shared.replica.take_outbox(connection);
        if !owed.is_empty() {
            send(connection, &mut socket.writer, &owed).await?;
        }
        if let Some(ending) = ending {
            return Ok(ending);
        }
        if more {
            continue;
        }
        let may_read = may_read(shared, connection);
        if !may_read {
            tell_of_throttling(shared, connection);
        }
        tokio::select! {
            biased;
            () = connection.wake.notified() => {}
            read = socket.fill(), if may_read => read?,
        }
    }
}

fn may_read(shared: &Shared, connection: &Connection) -> bool {
    if connection.session() == SessionId(0) {
        return false;
    }
    let outstanding = connection.outstanding();
    outstanding == 0
        || (outstanding < OUTSTANDING_PER_CONNECTION_MAX
            && shared.replica.outstanding() <= shared.limits.outstanding_max)
}

/// Hands whole frames to the replica, as many as may be under way at once. `true` when there are
/// more that may be looked at right now.
fn take_frames(
    shared: &Arc<Shared>,
    connection: &Arc<Connection>,
    socket: &mut Socket,
    now_us: u64,
) -> io::Result<bool> {
    if !may_read(shared, connection) {
        return Ok(false);
    }
    let Some(first) = socket.next()? else {
        return Ok(false);
    };
    let (mut taken, mut failed) = (1, None);
    let rest = std::iter::from_fn(|| {
        if taken == FRAMES_MAX {
            return None;
        }
        let next = socket.next().unwrap_or_else(|error| {
            failed = Some(error);
            None
        });
        taken += usize::from(next.is_some());
        next
    });
    let frames = std::iter::once(first).chain(rest);
    let effects = shared.replica.arrive(connection, frames, now_us);
    let more = effects.more || taken == FRAMES_MAX;
    dispatch(shared, connection, effects);
    failed.map_or(Ok(more), Err)
}

fn dispatch(shared: &Shared, connection: &Connection, effects: Effects) {
    shared
        .consensus
        .propose(effects.drafts.freeze(), effects.count);
    if effects.sync {
        // Nobody listens while the server stops.
        let _ = shared.syncs.send(connection.id());
    }
}

/// Writes what is owed. A client that does not read is given up once its connection must end.
async fn send(
    connection: &Connection,
    writer: &mut (dyn AsyncWrite + Send + Sync + Unpin),
    owed: &[u8],
) -> io::Result<()> {
    let mut rung = false;
    let giving_up = async {
        while !connection.is_ending() {
            connection.wake.notified().await;
            rung = true;
        }
        tokio::time::sleep(LAST_WORDS).await;
    };
    let sent = tokio::select! {
        biased;
        written = writer.write_all(owed) => written,
        () = giving_up => Err(io::ErrorKind::TimedOut.into()),
    };
    if rung {
        // It rang for whoever looks at the outbox, too.
        connection.wake.notify_one();
    }
    sent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ConnectionId;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_ring_during_a_slow_send_is_heard_after_it() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let connection = Arc::new(Connection::new(ConnectionId(1), peer, 0));
        let (mut writer, mut reader) = tokio::io::duplex(4);
        let sending = tokio::spawn({
            let connection = Arc::clone(&connection);
            async move { send(&connection, &mut writer, &[0; 64]).await }
        });
        reader.read_exact(&mut [0; 8]).await.unwrap();
        connection.wake.notify_one();
        reader.read_exact(&mut [0; 56]).await.unwrap();
        sending.await.unwrap().unwrap();
        assert!(connection.wake.notified().now_or_never().is_some());
    }
}
