//! A small raw client: one connection, pipelined, nothing hidden.
//!
//! What lives here: the handshake, requests with their replies in order, notifications, pings in
//! the background, and what every connection must keep: replies come in the order of requests and
//! their zxids never decrease. What does not: reconnecting, retrying, choosing a server; a test
//! says when.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use zoowarden::environment::{Net, Stream, Tcp};
use zoowarden::proto::{
    ConnectRequest, ConnectResponse, Frames, Notification, OpCode, PASSWORD_BYTES, Reader,
    SessionId, Writer, Xid, Zxid,
};

/// A server that has not answered a handshake by then does not serve.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The longest reply taken.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// What a client must keep to come back to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its password.
    pub password: [u8; PASSWORD_BYTES],
    /// The negotiated timeout.
    pub timeout_ms: i32,
    /// The greatest zxid the client has seen.
    pub last_zxid: Zxid,
    /// Whether the server serves reads only.
    pub read_only: bool,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// The server says that the session is gone.
    SessionGone,
    /// The server cannot be reached, or closed without an answer.
    Io(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::SessionGone => f.write_str("the session is gone"),
            ConnectError::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        ConnectError::Io(error)
    }
}

/// The connection ended before the answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// A reply.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The zxid of its header.
    pub zxid: Zxid,
    /// The error of its header, 0 for none.
    pub err: i32,
    /// Its record.
    pub body: Bytes,
}

/// A request that has been sent.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Answer>);

impl Pending {
    /// Waits for the reply.
    pub async fn answer(self) -> Result<Answer, Lost> {
        self.0.await.map_err(|_| Lost)
    }
}

/// What the tasks of a connection share with its owner.
#[derive(Debug)]
struct Shared {
    last_zxid: AtomicI64,
    /// Set when the peer, not the owner, ended the connection.
    lost: watch::Sender<bool>,
    pinging: AtomicBool,
    /// The first broken promise, in words.
    violation: parking_lot::Mutex<Option<String>>,
    waiting: parking_lot::Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next_xid: i32,
    owed: VecDeque<(i32, oneshot::Sender<Answer>)>,
}

/// A connection that is attached to a session. Dropping it closes the socket; the session stays.
#[derive(Debug)]
pub struct Client {
    session: Session,
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<BytesMut>,
    events: AsyncMutex<mpsc::UnboundedReceiver<Notification>>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Client {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Client {
    /// Opens a new session.
    pub async fn open(server: SocketAddr, timeout: Duration) -> Result<Client, ConnectError> {
        let request = opening(timeout);
        Client::shake_hands(&Tcp::default(), &server.to_string(), request).await
    }

    /// Opens a new session over other connections than TCP's.
    pub async fn open_over(
        net: &dyn Net,
        address: &str,
        timeout: Duration,
    ) -> Result<Client, ConnectError> {
        Client::shake_hands(net, address, opening(timeout)).await
    }

    /// Opens a new session, and is content with a server that serves reads only.
    pub async fn open_read_only(
        server: SocketAddr,
        timeout: Duration,
    ) -> Result<Client, ConnectError> {
        let request = ConnectRequest {
            read_only: Some(true),
            ..opening(timeout)
        };
        Client::shake_hands(&Tcp::default(), &server.to_string(), request).await
    }

    /// Attaches to a session that exists. One that was opened on a server that serves reads only
    /// says so again.
    pub async fn attach(server: SocketAddr, session: &Session) -> Result<Client, ConnectError> {
        let request = ConnectRequest {
            last_zxid_seen: session.last_zxid,
            timeout_ms: session.timeout_ms,
            session: session.id,
            password: session.password.to_vec(),
            read_only: Some(session.read_only),
        };
        Client::shake_hands(&Tcp::default(), &server.to_string(), request).await
    }

    async fn shake_hands(
        net: &dyn Net,
        address: &str,
        request: ConnectRequest,
    ) -> Result<Client, ConnectError> {
        let last_zxid = request.last_zxid_seen;
        let opening = async {
            let mut stream = net.connect(address).await?;
            stream.writer.write_all(&request.frame()).await?;
            let mut input = BytesMut::new();
            let frame = read_frame(&mut stream.reader, &mut input).await?;
            let response = ConnectResponse::decode(&frame).map_err(io::Error::other)?;
            Ok::<_, io::Error>((stream, input, response))
        };
        let (stream, input, response) = tokio::time::timeout(HANDSHAKE, opening)
            .await
            .map_err(io::Error::from)??;
        if response.session == SessionId(0) {
            return Err(ConnectError::SessionGone);
        }
        let session = Session {
            id: response.session,
            password: response.password,
            timeout_ms: response.timeout_ms,
            last_zxid,
            read_only: response.read_only == Some(true),
        };
        Ok(Client::run(stream, input, session))
    }

    fn run(stream: Stream, input: BytesMut, session: Session) -> Client {
        let shared = Arc::new(Shared {
            last_zxid: AtomicI64::new(session.last_zxid.0),
            lost: watch::Sender::new(false),
            pinging: AtomicBool::new(true),
            violation: parking_lot::Mutex::new(None),
            waiting: parking_lot::Mutex::new(Waiting::default()),
        });
        let (requests, outgoing) = mpsc::unbounded_channel();
        let (heard, events) = mpsc::unbounded_channel();
        let pause = Duration::from_millis(u64::try_from(session.timeout_ms / 3).unwrap_or(0));
        let tasks = [
            tokio::spawn(receive(Arc::clone(&shared), stream.reader, input, heard)),
            tokio::spawn(transmit(
                Arc::clone(&shared),
                stream.writer,
                outgoing,
                pause,
            )),
        ];
        Client {
            session,
            shared,
            requests,
            events: AsyncMutex::new(events),
            tasks,
        }
    }

    /// What it takes to come back: the session, with the greatest zxid seen so far.
    pub fn session(&self) -> Session {
        Session {
            last_zxid: Zxid(self.shared.last_zxid.load(Ordering::Acquire)),
            ..self.session
        }
    }

    /// Whether the server has ended the connection.
    pub fn is_lost(&self) -> bool {
        *self.shared.lost.borrow()
    }

    /// Waits until the server ends the connection.
    pub async fn lost(&self) {
        let mut lost = self.shared.lost.subscribe();
        // The sender lives as long as this client.
        let _ = lost.wait_for(|lost| *lost).await;
    }

    /// The first promise this connection has seen broken: order of replies, zxids going back.
    pub fn violation(&self) -> Option<String> {
        self.shared.violation.lock().clone()
    }

    /// From now on the client is silent unless a test speaks.
    pub fn stop_pinging(&self) {
        self.shared.pinging.store(false, Ordering::Release);
    }

    /// Sends a request without waiting for the ones before it.
    pub fn send(&self, op: OpCode, record: impl FnOnce(&mut Writer<'_>)) -> Pending {
        let (answered, pending) = oneshot::channel();
        let mut body = BytesMut::new();
        record(&mut Writer::new(&mut body));
        // Under the lock, so that numbers leave in their order.
        let mut waiting = self.shared.waiting.lock();
        let xid = waiting.next_xid + 1;
        let mut frame = BytesMut::with_capacity(12 + body.len());
        frame.put_u32(u32::try_from(8 + body.len()).unwrap_or(u32::MAX));
        frame.put_i32(xid);
        frame.put_i32(op.number());
        frame.put_slice(&body);
        waiting.next_xid = xid;
        if !self.is_lost() && self.requests.send(frame).is_ok() {
            waiting.owed.push_back((xid, answered));
        }
        Pending(pending)
    }

    /// The next notification.
    pub async fn notification(&self) -> Result<Notification, Lost> {
        self.events.lock().await.recv().await.ok_or(Lost)
    }
}

fn opening(timeout: Duration) -> ConnectRequest {
    ConnectRequest {
        last_zxid_seen: Zxid(0),
        timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        session: SessionId(0),
        password: vec![0; PASSWORD_BYTES],
        read_only: Some(false),
    }
}

async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> io::Result<Bytes> {
    let frames = Frames::new(FRAME_BYTES_MAX);
    loop {
        if let Some(frame) = frames.next(input).map_err(io::Error::other)? {
            return Ok(frame);
        }
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Takes replies and notifications until the connection ends.
async fn receive(
    shared: Arc<Shared>,
    mut reader: impl AsyncRead + Unpin,
    mut input: BytesMut,
    heard: mpsc::UnboundedSender<Notification>,
) {
    let frames = Frames::new(FRAME_BYTES_MAX);
    loop {
        match frames.next(&mut input) {
            Ok(Some(frame)) => {
                if let Err(what) = shared.take(&frame, &heard) {
                    shared.violation.lock().get_or_insert(what);
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                shared.violation.lock().get_or_insert(error.to_string());
                break;
            }
        }
        input.reserve(64 << 10);
        if !matches!(reader.read_buf(&mut input).await, Ok(read) if read > 0) {
            break;
        }
    }
    let mut waiting = shared.waiting.lock();
    shared.lost.send_replace(true);
    waiting.owed.clear();
}

impl Shared {
    fn take(
        &self,
        frame: &Bytes,
        heard: &mpsc::UnboundedSender<Notification>,
    ) -> Result<(), String> {
        let mut r = Reader::new(frame);
        let header = (r.i32(), r.i64(), r.i32());
        let (Ok(xid), Ok(zxid), Ok(err)) = header else {
            return Err("a reply without a header".into());
        };
        if xid == Xid::NOTIFICATION.0 {
            let event = Notification::decode(Zxid(zxid), &mut r).map_err(|e| e.to_string())?;
            // Nobody may be listening.
            let _ = heard.send(event);
            return self.see(zxid.max(self.last_zxid.load(Ordering::Acquire)));
        }
        let seen = self.see(zxid);
        if xid != Xid::PING.0 {
            let Some((expected, answered)) = self.waiting.lock().owed.pop_front() else {
                return Err(format!("a reply to xid {xid}, which nobody asked"));
            };
            if expected != xid {
                return Err(format!("a reply to xid {xid} where {expected} was due"));
            }
            // Whoever asked may have gone.
            let _ = answered.send(Answer {
                zxid: Zxid(zxid),
                err,
                body: frame.slice_ref(r.rest()),
            });
        }
        seen
    }

    fn see(&self, zxid: i64) -> Result<(), String> {
        let before = self.last_zxid.fetch_max(zxid, Ordering::AcqRel);
        if zxid < before {
            return Err(format!("zxid went back from {before:#x} to {zxid:#x}"));
        }
        Ok(())
    }
}

/// Sends what is asked, and a ping whenever there is nothing for a third of the timeout.
async fn transmit(
    shared: Arc<Shared>,
    mut writer: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::UnboundedReceiver<BytesMut>,
    pause: Duration,
) {
    let mut ping = BytesMut::new();
    ping.put_u32(8);
    ping.put_i32(Xid::PING.0);
    ping.put_i32(OpCode::Ping.number());
    loop {
        let written = match tokio::time::timeout(pause, outgoing.recv()).await {
            Ok(Some(mut frame)) => {
                while let Ok(more) = outgoing.try_recv() {
                    frame.extend_from_slice(&more);
                }
                writer.write_all(&frame).await
            }
            Ok(None) => return,
            Err(_) if shared.pinging.load(Ordering::Acquire) => writer.write_all(&ping).await,
            Err(_) => Ok(()),
        };
        if written.is_err() {
            // The reader learns of the end by itself.
            return;
        }
    }
}
