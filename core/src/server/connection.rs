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
use crate::proto::{ConnectRequest, Frames, Id, SessionId};
use crate::replica::{Arrival, Connection, Effects, Ending, Handshake};
use crate::server::config::Transport;
use crate::server::four_letter::Word;
use crate::server::handshake::{self, Refusal};
use crate::server::limits::{OUTSTANDING_PER_CONNECTION_MAX, Place};
use crate::server::secure::ClientTls;
use crate::server::throttle::Freshness;
use crate::server::{Shared, status};

/// Said of a client that only connects.
const NO_HANDSHAKE: &str = "no handshake within nio.sessionlessCnxnTimeout";

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
pub(crate) async fn serve(
    shared: Arc<Shared>,
    stream: Stream,
    transport: Transport,
    _place: Place,
) {
    let peer = stream.peer;
    let opening = async {
        let tls = shared.client_tls.as_ref();
        let stream = ClientTls::accept(tls, transport, stream).await?;
        let identities = ClientTls::identities(tls, &stream)?;
        let mut socket = Socket {
            reader: stream.reader,
            writer: stream.writer,
            input: BytesMut::new(),
            frames: Frames::new(shared.limits.frame_bytes_max),
            waiting: None,
        };
        let who = Arriving {
            peer,
            identities,
            is_secure: transport == Transport::Tls,
        };
        let opening = open(&shared, &mut socket, who).await?;
        Ok::<_, Refusal>((opening, socket))
    };
    // Boxed, so that what a handshake needs is given back before the conversation.
    let opening = Box::pin(opening);
    let metrics = shared.replica.metrics();
    let (connection, mut socket) =
        match tokio::time::timeout(shared.limits.handshake, opening).await {
            Ok(Ok((Opening::Connected(connection), socket))) => (connection, socket),
            Ok(Ok((Opening::Answered, _))) => return,
            Ok(Err(Refusal::Tls(refusal))) => {
                notice(&shared, peer, &refusal.to_string());
                return;
            }
            Ok(Err(refusal)) => {
                if let Refusal::NotServing = refusal {
                    metrics.count(Count::ClosedWhileNotServing);
                }
                tracing::info!(%peer, %refusal, "client not served");
                return;
            }
            Err(_) => {
                metrics.count(Count::SessionlessExpired);
                notice(&shared, peer, NO_HANDSHAKE);
                return;
            }
        };
    let ended = converse(&shared, &connection, &mut socket).await;
    shared.replica.disconnect(&connection);
    tell_of_end(&shared, peer, connection.session(), &ended);
    // The client sees the end whether or not this reaches it.
    let _ = socket.writer.shutdown().await;
}

/// Tells the operator how a connection ended, and counts it.
fn tell_of_end(shared: &Shared, peer: SocketAddr, session: SessionId, ended: &io::Result<Ending>) {
    if matches!(ended, Ok(Ending::AuthFailed | Ending::TooManyIdentities)) {
        shared.replica.metrics().count(Count::AuthFailed);
    }
    match ended {
        Ok(ending @ (Ending::OutboxFull | Ending::TooManyIdentities)) => {
            notice(shared, peer, &ending.to_string());
        }
        Ok(ending) => tracing::debug!(%peer, %session, "closed: {ending}"),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            notice(shared, peer, &format!("{error} (jute.maxbuffer)"));
        }
        Err(error) => {
            shared.replica.metrics().count(Count::ConnectionsDropped);
            tracing::debug!(%peer, %session, %error, "connection lost");
        }
    }
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
    /// A request that waits while too many are in work, and since when, microseconds.
    waiting: Option<(Bytes, u64)>,
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

/// Takes a connection out again whose handshake fails or is given up.
struct Leaving<'a> {
    shared: &'a Shared,
    connection: Option<Arc<Connection>>,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.shared.replica.disconnect(&connection);
        }
    }
}

/// Who connects.
struct Arriving {
    peer: SocketAddr,
    /// By its certificate.
    identities: Vec<Id>,
    /// Whether it came to a port of TLS alone.
    is_secure: bool,
}

async fn open(
    shared: &Arc<Shared>,
    socket: &mut Socket,
    who: Arriving,
) -> Result<Opening, Refusal> {
    let peer = who.peer;
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
    let access = handshake::admit(shared, &request)?;
    let id = shared.next_connection();
    let mut connection = Connection::new(id, peer, shared.clock.wall_ms());
    connection.is_secure = who.is_secure;
    let connection = Arc::new(connection);
    connection.add_identities(who.identities);
    connection.touch(shared.clock.monotonic_ms());
    connection.begin_handshake(Handshake {
        read_only: request.read_only,
        access,
    });
    shared.replica.connect(Arc::clone(&connection));
    let mut leaving = Leaving {
        shared,
        connection: Some(Arc::clone(&connection)),
    };
    handshake::open_session(shared, &connection, &request, access).await?;
    leaving.connection = None;
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
        let taken = match behind {
            true => Taken::More,
            false => take_frames(shared, connection, socket, now_us)?,
        };
        let (owed, ending) = shared.replica.take_outbox(connection);
        if !owed.is_empty() {
            send(connection, &mut socket.writer, &owed).await?;
        }
        if let Some(ending) = ending {
            return Ok(ending);
        }
        if taken == Taken::More {
            continue;
        }
        if taken == Taken::Stalled {
            stall(shared, connection, socket).await?;
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

/// What came of looking at the frames of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// All that may be looked at.
    All,
    /// There are more that may be looked at right now.
    More,
    /// There is one that waits until fewer requests are in work.
    Stalled,
}

/// Waits until a request that waits may be looked at again. A client that goes away meanwhile
/// takes it along, as far as it was read.
async fn stall(shared: &Shared, connection: &Connection, socket: &mut Socket) -> io::Result<()> {
    let throttle = &shared.throttle;
    throttle.count_wait();
    let reads = throttle.watches_waiting_clients() && socket.input.len() < READ_BYTES;
    tokio::select! {
        biased;
        () = connection.wake.notified() => Ok(()),
        read = socket.fill(), if reads => read,
        () = tokio::time::sleep(throttle.stall()) => Ok(()),
    }
}

/// The next frame that may be handed on. One that must wait stays in the socket.
fn first_frame(
    shared: &Shared,
    connection: &Connection,
    socket: &mut Socket,
    now_us: u64,
) -> io::Result<Result<(Bytes, u64), Taken>> {
    let (frame, since_us) = match socket.waiting.take() {
        Some(waiting) => waiting,
        None => match socket.next()? {
            Some(frame) => (frame, now_us),
            None => return Ok(Err(Taken::All)),
        },
    };
    let waits = shared.throttle.is_full(shared.replica.outstanding());
    let waited_us = now_us.saturating_sub(since_us);
    let timeout_ms = connection.timeout_ms();
    if shared.throttle.freshness(waited_us, timeout_ms, waits) == Freshness::Dropped {
        connection.end(Ending::Stale);
        return Ok(Err(Taken::More));
    }
    if waits {
        socket.waiting = Some((frame, since_us));
        return Ok(Err(Taken::Stalled));
    }
    Ok(Ok((frame, since_us)))
}

/// Hands whole frames to the replica, as many as may be under way at once.
fn take_frames(
    shared: &Arc<Shared>,
    connection: &Arc<Connection>,
    socket: &mut Socket,
    now_us: u64,
) -> io::Result<Taken> {
    if !may_read(shared, connection) {
        return Ok(Taken::All);
    }
    let (first, since_us) = match first_frame(shared, connection, socket, now_us)? {
        Ok(first) => first,
        Err(taken) => return Ok(taken),
    };
    let (mut taken, mut failed, mut stalled) = (1, None, false);
    let rest = std::iter::from_fn(|| {
        stalled = shared.throttle.is_full(shared.replica.outstanding());
        if taken == FRAMES_MAX || stalled {
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
    let at = Arrival {
        now_us,
        waited_us: now_us.saturating_sub(since_us),
    };
    let effects = shared.replica.arrive(connection, frames, at);
    let more = effects.more || taken == FRAMES_MAX;
    if stalled && let Some(next) = socket.next()? {
        // It has waited as long as the one that went.
        socket.waiting = Some((next, since_us));
    }
    let more = more || socket.waiting.is_some();
    dispatch(shared, connection, effects);
    match (failed, more) {
        (Some(error), _) => Err(error),
        (None, true) => Ok(Taken::More),
        (None, false) => Ok(Taken::All),
    }
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
        // TLS holds back what it has not been told to send.
        written = async {
            writer.write_all(owed).await?;
            writer.flush().await
        } => written,
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
