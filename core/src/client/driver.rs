//! The task of a client: finds a server, shakes hands, moves bytes, keeps time.
//!
//! What lives here: sockets and timers. What their bytes mean is in `session`, which server comes
//! next in `hosts`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::hosts::Hosts;
use crate::client::login::{self, Failure};
use crate::client::session::{Delivery, Next};
use crate::client::{ConnectString, Error, Shared, State, random};
use crate::environment::Stream;
use crate::proto::{Code, ConnectResponse, Frames};

/// Room made for bytes from the server before each read.
const READ_BYTES: usize = 64 << 10;

/// Shortest time a server gets for connecting and shaking hands, however many there are to try.
const ATTEMPT_MIN: Duration = Duration::from_secs(1);

/// No beat is shorter, whatever timeout a server negotiates.
const BEAT_MIN: Duration = Duration::from_millis(1);

/// A connection that did not last so long is followed by a pause.
const BRIEF: Duration = Duration::from_millis(100);

/// How long a close waits for its answer.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// First and longest pause between two looks for a server that can write.
const PROBE_MIN: Duration = Duration::from_millis(100);
const PROBE_MAX: Duration = Duration::from_secs(60);

/// A handshake answer is some forty bytes.
const HANDSHAKE_BYTES_MAX: usize = 1 << 10;

pub(crate) struct Driver {
    shared: Arc<Shared>,
    hosts: Hosts,
    /// The list to use, as the owner last gave it.
    list: watch::Receiver<ConnectString>,
    /// When requests that wait for a connection fail.
    patience: Instant,
    deliveries: Vec<Delivery>,
}

/// However the task ends - a sink panicked, the runtime was shut down - nobody waits for ever.
impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.session.lock().close(&mut self.deliveries);
        self.deliver();
    }
}

/// A connection that serves the session.
struct Link {
    stream: Stream,
    server: String,
    input: BytesMut,
    outgoing: Bytes,
    /// Whether everything handed to the stream is on its way: TLS keeps a rest.
    flushed: bool,
    last_sent: Instant,
    last_heard: Instant,
    /// When the server took the session.
    since: Instant,
}

/// Why a link is left.
enum Leaving {
    /// Everything is over, or the client is closed.
    Over,
    /// The connection ended or was given up; the words say why.
    Lost(String),
    /// The owner, or a server that can write, calls elsewhere.
    MoveOn,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Driver {
        let config = &shared.config;
        let servers = config.hosts.servers().to_vec();
        let hosts = match config.shuffle {
            true => Hosts::new(servers, Some(&mut random)),
            false => Hosts::new(servers, None),
        };
        let patience = Instant::now() + Duration::from_millis(config.session_timeout_ms.into());
        let list = shared.hosts.subscribe();
        Driver {
            shared,
            hosts,
            list,
            patience,
            deliveries: Vec::new(),
        }
    }

    /// Runs until the client is over.
    pub(crate) async fn run(mut self) {
        loop {
            // The sender is in `shared`, so it cannot have gone.
            if self.list.has_changed().unwrap_or(false) {
                self.take_hosts(None);
            }
            if self.end_if_closing() {
                return;
            }
            let server = self.hosts.take();
            match self.attempt(&server).await {
                Ok(Some(link)) => {
                    if self.serve(link).await.is_break() {
                        return;
                    }
                }
                // The session is gone; a new one begins, or nothing does.
                Ok(None) => {
                    if self.shared.session.lock().state.is_over() {
                        return;
                    }
                }
                Err(error) => self.failed(&server, &error).await,
            }
        }
    }

    /// Closing without a connection: nobody is there to tell.
    fn end_if_closing(&mut self) -> bool {
        let mut session = self.shared.session.lock();
        if !session.is_closing() {
            return false;
        }
        session.close(&mut self.deliveries);
        drop(session);
        self.deliver();
        true
    }

    async fn failed(&mut self, server: &str, error: &io::Error) {
        let why = format!("{server}: {error}");
        tracing::debug!(%server, %error, "no connection");
        self.shared.last_failure.lock().clone_from(&why);
        if Instant::now() >= self.patience {
            let mut session = self.shared.session.lock();
            session.give_up_waiting(&format!("no server answers; {why}"), &mut self.deliveries);
        }
        self.deliver();
        self.pause().await;
    }

    /// Waits before the next attempt.
    async fn pause(&mut self) {
        let wait = self.hosts.failed(random());
        if !wait.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shared.closing.notified() => {}
            }
        }
    }

    /// Goes over to the newest list of servers. Whether it says to leave the one that is connected.
    fn take_hosts(&mut self, server: Option<&str>) -> bool {
        let servers = self.list.borrow_and_update().servers().to_vec();
        let shuffle = self.shared.config.shuffle;
        self.hosts.replace(servers, server, shuffle, &mut random)
    }

    /// Connects to one server and shakes hands. `None`: the session is gone, or the client is over.
    async fn attempt(&mut self, server: &str) -> io::Result<Option<Link>> {
        let timeout_ms = u64::from(self.shared.session.lock().timeout_ms);
        let budget = Duration::from_millis(timeout_ms / self.hosts.count() as u64).max(ATTEMPT_MIN);
        let opening = open(&self.shared, server);
        let opened = tokio::select! {
            opened = tokio::time::timeout(budget, opening) => opened,
            () = self.shared.closing.notified() => {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "the client was closed"));
            }
        };
        let opened = opened.unwrap_or_else(|_| {
            let what = format!("no answer in {} ms", budget.as_millis());
            Err(io::Error::new(io::ErrorKind::TimedOut, what).into())
        });
        let (stream, input, response) = match opened {
            Ok(opened) => opened,
            Err(Failure::Io(error)) => return Err(error),
            Err(Failure::Refused(why)) => {
                self.refused(server, &why);
                return Ok(None);
            }
        };
        let gone = is_gone(&response);
        let mut session = self.shared.session.lock();
        if gone {
            if session.handshake().session.0 == 0 {
                return Err(io::Error::other("the server opens no sessions now"));
            }
            session.refused(&mut self.deliveries);
        } else {
            session.attached(&response, &mut self.deliveries);
        }
        drop(session);
        *self.shared.server.lock() = (!gone).then_some(stream.peer);
        self.deliver();
        let now = Instant::now();
        Ok((!gone).then(|| Link {
            stream,
            server: server.to_owned(),
            input,
            outgoing: Bytes::new(),
            flushed: true,
            last_sent: now,
            last_heard: now,
            since: now,
        }))
    }

    /// The client and a server do not trust each other: it is over.
    fn refused(&mut self, server: &str, why: &str) {
        let why = format!("{server}: {why}");
        self.shared.last_failure.lock().clone_from(&why);
        let mut session = self.shared.session.lock();
        session.not_authenticated(Code::AuthFailed, &why, &mut self.deliveries);
        drop(session);
        self.deliver();
    }

    async fn serve(&mut self, mut link: Link) -> std::ops::ControlFlow<()> {
        let leaving = self.converse(&mut link).await;
        *self.shared.server.lock() = None;
        let timeout_ms = self.shared.session.lock().timeout_ms;
        self.patience = Instant::now() + Duration::from_millis(timeout_ms.into());
        let why = match leaving {
            Leaving::Over => {
                // Dropping the stream closes the connection.
                self.deliver();
                return std::ops::ControlFlow::Break(());
            }
            Leaving::Lost(why) => why,
            Leaving::MoveOn => "the client moves to another server".to_owned(),
        };
        tracing::debug!(server = %link.server, %why, "connection ended");
        let Link { server, since, .. } = link;
        let why = format!("{server}: {why}");
        self.shared
            .session
            .lock()
            .disconnected(&why, &mut self.deliveries);
        self.shared.last_failure.lock().clone_from(&why);
        self.deliver();
        if since.elapsed() >= BRIEF {
            self.hosts.succeeded();
        } else {
            // No reason to come back at once: it would go on like this.
            self.pause().await;
        }
        match self.shared.session.lock().state.is_over() {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        }
    }

    /// Moves bytes both ways until there is a reason to leave.
    async fn converse(&mut self, link: &mut Link) -> Leaving {
        let frames = Frames::new(self.shared.config.reply_bytes_max);
        let timeout_ms = u64::from(self.shared.session.lock().timeout_ms);
        let third = Duration::from_millis(timeout_ms / 3).max(BEAT_MIN);
        let mut closing: Option<Instant> = None;
        let mut writable = self.probe();
        // A wish to move on from before this connection has come true.
        std::pin::pin!(self.shared.move_on.notified()).enable();
        // What came along with the handshake's answer.
        if let Err(leaving) = self.take_frames(link, &frames) {
            return leaving;
        }
        // Set anew only when it goes off: a busy connection moves its deadlines all the time.
        let mut timer = std::pin::pin!(tokio::time::sleep(third));
        loop {
            self.refill(link);
            let Link {
                stream,
                input,
                outgoing,
                flushed,
                ..
            } = link;
            input.reserve(READ_BYTES);
            tokio::select! {
                read = stream.reader.read_buf(input) => match read {
                    Ok(0) => return Leaving::Lost("the server closed the connection".to_owned()),
                    Ok(_) => {
                        link.last_heard = Instant::now();
                        if let Err(leaving) = self.take_frames(link, &frames) {
                            return leaving;
                        }
                    }
                    Err(error) => return Leaving::Lost(error.to_string()),
                },
                sent = send(&mut stream.writer, outgoing), if !*flushed => match sent {
                    Ok(all) => {
                        link.flushed = all;
                        link.last_sent = Instant::now();
                    }
                    Err(error) => return Leaving::Lost(error.to_string()),
                },
                () = self.shared.wake.notified() => {
                    if closing.is_none() && self.shared.session.lock().is_closing() {
                        let end = Instant::now() + CLOSE_WAIT;
                        closing = Some(end);
                        timer.as_mut().reset(end);
                    }
                }
                Ok(()) = self.list.changed() => {
                    if self.take_hosts(Some(&link.server)) {
                        return Leaving::MoveOn;
                    }
                    writable = self.probe();
                }
                () = self.shared.move_on.notified() => return Leaving::MoveOn,
                better = &mut writable => {
                    self.hosts.prefer(&better);
                    return Leaving::MoveOn;
                }
                () = &mut timer => match self.beat(link, closing, third) {
                    Ok(next) => timer.as_mut().reset(next),
                    Err(leaving) => return leaving,
                },
            }
        }
    }

    /// The timer went off: pings if nothing was sent for a while, and says when to look again.
    fn beat(
        &mut self,
        link: &mut Link,
        closing: Option<Instant>,
        third: Duration,
    ) -> Result<Instant, Leaving> {
        let now = Instant::now();
        if closing.is_some_and(|closing| now >= closing) {
            self.shared.session.lock().close(&mut self.deliveries);
            return Err(Leaving::Over);
        }
        if now >= link.last_heard + 2 * third {
            let silence = (2 * third).as_millis();
            return Err(Leaving::Lost(format!("nothing heard for {silence} ms")));
        }
        if now >= link.last_sent + third {
            self.shared.session.lock().ping();
            link.last_sent = now;
        }
        let next = (link.last_sent + third).min(link.last_heard + 2 * third);
        Ok(closing.map_or(next, |closing| closing.min(next)))
    }

    /// Takes what waits to be sent, once everything before it is on its way.
    fn refill(&mut self, link: &mut Link) {
        if link.outgoing.has_remaining() {
            return;
        }
        let mut session = self.shared.session.lock();
        if session.has_outgoing() {
            link.outgoing = session.outgoing();
            link.flushed = false;
            drop(session);
            self.shared.room.notify_waiters();
        }
    }

    fn take_frames(&mut self, link: &mut Link, frames: &Frames) -> Result<(), Leaving> {
        let taken = {
            let mut session = self.shared.session.lock();
            loop {
                match frames.next(&mut link.input) {
                    Ok(None) => break Ok(Next::GoOn),
                    Err(error) => break Err(error.to_string()),
                    Ok(Some(frame)) => match session.receive(&frame, &mut self.deliveries) {
                        Ok(Next::GoOn) => {}
                        Ok(Next::End) => break Ok(Next::End),
                        Err(malformed) => {
                            break Err(format!("the server's answer is {malformed}"));
                        }
                    },
                }
            }
        };
        self.deliver();
        match taken {
            Ok(Next::GoOn) => Ok(()),
            Ok(Next::End) => Err(Leaving::Over),
            Err(why) => Err(Leaving::Lost(why)),
        }
    }

    /// Runs what has come of the last step, in order.
    fn deliver(&mut self) {
        let any = !self.deliveries.is_empty();
        for delivery in self.deliveries.drain(..) {
            match delivery {
                Delivery::Reply(completion, result) => completion.complete(result),
                Delivery::Event(sink, event) => sink(event),
                Delivery::Gone(sink) => drop(sink),
                Delivery::State(state) => {
                    self.shared.state.send_replace(state);
                    if let Some(sink) = &self.shared.config.on_state {
                        sink(state);
                    }
                }
            }
        }
        if any {
            self.shared.room.notify_waiters();
        }
    }

    /// On a server that only reads: waits for one that can write. Else never ends.
    fn probe(&self) -> std::pin::Pin<Box<dyn Future<Output = String> + Send>> {
        if self.shared.session.lock().state != State::ConnectedReadOnly {
            return Box::pin(std::future::pending());
        }
        let shared = Arc::clone(&self.shared);
        let servers = self.hosts.all().to_vec();
        Box::pin(async move {
            let mut pause = PROBE_MIN;
            loop {
                for server in &servers {
                    tokio::time::sleep(pause).await;
                    let asking = can_write(&shared, server);
                    if let Ok(Ok(true)) = tokio::time::timeout(ATTEMPT_MIN, asking).await {
                        return server.clone();
                    }
                    pause = (pause * 2).min(PROBE_MAX);
                }
            }
        })
    }
}

/// Connects, shakes hands, and authenticates by SASL if the client is to.
async fn open(
    shared: &Shared,
    server: &str,
) -> Result<(Stream, BytesMut, ConnectResponse), Failure> {
    let mut stream = shared.connect(server).await?;
    let hello = shared.session.lock().handshake().frame();
    stream.writer.write_all(&hello).await?;
    stream.writer.flush().await?;
    let frames = Frames::new(HANDSHAKE_BYTES_MAX);
    let mut input = BytesMut::new();
    loop {
        let frame = frames.next(&mut input).map_err(io::Error::other)?;
        if let Some(frame) = frame {
            let response = ConnectResponse::decode(&frame).map_err(io::Error::other)?;
            if let Some(login) = shared.config.sasl.as_ref().filter(|_| !is_gone(&response)) {
                login::authenticate(&mut stream, &mut input, login).await?;
            }
            return Ok((stream, input, response));
        }
        if stream.reader.read_buf(&mut input).await? == 0 {
            let what = "the server closed the connection before it answered";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what).into());
        }
    }
}

/// Whether the server says that it does not know the session.
fn is_gone(response: &ConnectResponse) -> bool {
    response.timeout_ms <= 0 || response.session.0 == 0
}

/// One step of sending; whether it was the last.
async fn send(writer: &mut (impl AsyncWriteExt + Unpin), bytes: &mut Bytes) -> io::Result<bool> {
    if !bytes.has_remaining() {
        writer.flush().await?;
        return Ok(true);
    }
    writer.write_buf(bytes).await?;
    Ok(false)
}

/// Asks `isro` of a server.
async fn can_write(shared: &Shared, server: &str) -> io::Result<bool> {
    let mut stream = shared.connect(server).await?;
    stream.writer.write_all(b"isro").await?;
    stream.writer.flush().await?;
    let mut answer = [0; 2];
    stream.reader.read_exact(&mut answer).await?;
    Ok(&answer == b"rw")
}

/// What a client that never connected has to say.
pub(crate) fn unreachable(shared: &Shared) -> Error {
    let hosts = &shared.config.hosts;
    let last = shared.last_failure.lock().clone();
    let last = if last.is_empty() {
        "no attempt has ended yet".to_owned()
    } else {
        last
    };
    Error::new(Code::ConnectionLoss).because(format_args!(
        "no server of {hosts} served this client in {} ms; {last}",
        shared.config.session_timeout_ms
    ))
}
