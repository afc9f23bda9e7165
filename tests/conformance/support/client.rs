//! A client made of raw bytes: one blocking socket, nothing behind the caller's back.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use zoowarden::proto::Stat;

use super::record::{Body, Fields};
use super::{op, request, until};

/// How long anything may take before a test gives up. Long: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a client opens with.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    pub(crate) last_zxid: i64,
    pub(crate) timeout_ms: i32,
    pub(crate) session: i64,
    pub(crate) password: Option<Vec<u8>>,
    /// `None` leaves the byte out, as clients before 3.4 did.
    pub(crate) read_only: Option<bool>,
}

impl Default for Hello {
    fn default() -> Hello {
        Hello {
            last_zxid: 0,
            timeout_ms: 30_000,
            session: 0,
            password: Some(vec![0; 16]),
            read_only: Some(false),
        }
    }
}

impl Hello {
    /// The record.
    pub(crate) fn body(&self) -> Body {
        let body = Body::new()
            .int(0)
            .long(self.last_zxid)
            .int(self.timeout_ms)
            .long(self.session)
            .buffer(self.password.as_deref());
        match self.read_only {
            Some(read_only) => body.bool(read_only),
            None => body,
        }
    }
}

/// How a server turns a client away.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It closed without a word.
    Closed,
    /// It said that the session is gone, in these bytes, and closed.
    SessionGone(Vec<u8>),
}

/// A frame behind the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) xid: i32,
    pub(crate) zxid: i64,
    pub(crate) err: i32,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    /// The record of a request that must have succeeded.
    pub(crate) fn ok(&self) -> Fields<'_> {
        assert_eq!(self.err, 0, "{self:?}");
        Fields::new(&self.body)
    }

    /// The error of a request that must have failed. A failed request has no record.
    pub(crate) fn error(&self) -> i32 {
        assert_ne!(self.err, 0, "{self:?}");
        assert_eq!(self.body, b"", "a record behind an error");
        self.err
    }
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) zxid: i64,
    pub(crate) kind: i32,
    pub(crate) path: String,
}

/// A connection with a session.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) session: i64,
    pub(crate) password: Vec<u8>,
    pub(crate) timeout_ms: i32,
    /// The bytes of the server's answer to the handshake.
    pub(crate) greeting: Vec<u8>,
    next_xid: i32,
    /// Requests whose replies are to come, in this order.
    expected: VecDeque<i32>,
    /// The greatest zxid of a reply or a notification.
    pub(crate) zxid: i64,
    /// The greatest zxid of a reply.
    reply_zxid: i64,
    events: VecDeque<Event>,
    /// Replies may come in any order: an auth packet is among the requests.
    unordered: bool,
}

pub(crate) fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// `body` with its length in front.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// The next frame, or `None` when the server has closed.
pub(crate) fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    read_whole(stream, &mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    read_whole(stream, &mut body)?;
    Some(body)
}

fn read_whole(stream: &mut TcpStream, bytes: &mut [u8]) -> Option<()> {
    match stream.read_exact(bytes) {
        Ok(()) => Some(()),
        Err(error) => {
            let waiting = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
            assert!(!waiting.contains(&error.kind()), "the server said nothing");
            None
        }
    }
}

/// Sends bytes and reads until the server closes.
pub(crate) fn word(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = open(address);
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

impl Client {
    /// Opens or attaches a session.
    pub(crate) fn connect(address: SocketAddr, hello: &Hello) -> Result<Client, Refused> {
        Client::shake_hands(open(address), &hello.body().0)
    }

    /// Sends the record of a handshake on an open socket.
    pub(crate) fn shake_hands(mut stream: TcpStream, hello: &[u8]) -> Result<Client, Refused> {
        // A server that closes at once may do so before this is out.
        let _ = stream.write_all(&framed(hello));
        Client::greeted(stream)
    }

    /// Waits for the answer to a handshake that has been sent.
    pub(crate) fn greeted(mut stream: TcpStream) -> Result<Client, Refused> {
        let greeting = read_frame(&mut stream).ok_or(Refused::Closed)?;
        let mut fields = Fields::new(&greeting);
        assert_eq!(fields.int(), 0, "protocol version");
        let (timeout_ms, session) = (fields.int(), fields.long());
        let password = fields.buffer().unwrap();
        assert_eq!(password.len(), 16);
        if timeout_ms <= 0 {
            assert_eq!(read_frame(&mut stream), None, "not closed");
            return Err(Refused::SessionGone(greeting));
        }
        Ok(Client {
            stream,
            session,
            password,
            timeout_ms,
            greeting,
            next_xid: 1,
            expected: VecDeque::new(),
            zxid: 0,
            reply_zxid: 0,
            events: VecDeque::new(),
            unordered: false,
        })
    }

    /// What to say in order to attach to this client's session.
    pub(crate) fn hello(&self) -> Hello {
        Hello {
            last_zxid: self.zxid,
            timeout_ms: self.timeout_ms,
            session: self.session,
            password: Some(self.password.clone()),
            ..Hello::default()
        }
    }

    /// Attaches this client's session at another address, or again at the same. A server that has
    /// not seen yet what this client has is asked again.
    pub(crate) fn reattach(&self, address: SocketAddr) -> Client {
        let mut again = Err(Refused::Closed);
        until("the server has caught up", || {
            again = Client::connect(address, &self.hello());
            !matches!(again, Err(Refused::Closed))
        });
        let again = again.unwrap();
        assert_eq!(again.session, self.session);
        again
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// A request as bytes; its reply is expected from now on.
    pub(crate) fn packet(&mut self, xid: i32, op: i32, body: &Body) -> Vec<u8> {
        self.expected
            .push_back(if op == op::PING { -2 } else { xid });
        framed(&Body::new().int(xid).int(op).raw(&body.0).0)
    }

    /// From now on replies may come in any order.
    pub(crate) fn forget_order(&mut self) {
        self.unordered = true;
    }

    /// Replies to these requests are to come: they were sent with the handshake.
    pub(crate) fn expect<const N: usize>(&mut self, xids: [i32; N]) {
        self.expected.extend(xids);
    }

    /// Sends a request under a number of the caller's choice.
    pub(crate) fn send_as(&mut self, xid: i32, op: i32, body: &Body) {
        let packet = self.packet(xid, op, body);
        self.send_raw(&packet);
    }

    /// Sends a request; its reply comes later.
    pub(crate) fn send(&mut self, op: i32, body: &Body) -> i32 {
        let xid = self.next_xid;
        self.next_xid += 1;
        self.send_as(xid, op, body);
        xid
    }

    /// Sends many requests at once; their replies come later.
    pub(crate) fn send_all(&mut self, requests: &[(i32, Body)]) {
        let mut bytes = Vec::new();
        for (op, body) in requests {
            let xid = self.next_xid;
            self.next_xid += 1;
            bytes.extend(self.packet(xid, *op, body));
        }
        self.send_raw(&bytes);
    }

    /// The next frame, whatever it is; `None` when the server has closed.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let bytes = read_frame(&mut self.stream)?;
        let mut fields = Fields::new(&bytes);
        let (xid, zxid, err) = (fields.int(), fields.long(), fields.int());
        let frame = Frame {
            xid,
            zxid,
            err,
            body: bytes[16..].to_vec(),
        };
        self.check(&frame);
        Some(frame)
    }

    /// Promises that hold for every stream.
    fn check(&mut self, frame: &Frame) {
        if frame.xid == -1 {
            assert_eq!(frame.err, 0);
            if frame.zxid > 0 {
                assert!(frame.zxid >= self.zxid, "an event from the past: {frame:?}");
                assert!(
                    frame.zxid > self.reply_zxid,
                    "a reply at {:#x} came before its event {frame:?}",
                    self.reply_zxid
                );
                self.zxid = frame.zxid;
            }
            return;
        }
        let expected = self.expected.pop_front();
        assert!(
            self.unordered || expected == Some(frame.xid),
            "out of order: {frame:?}, not {expected:?}"
        );
        if frame.zxid > 0 {
            assert!(frame.zxid >= self.zxid, "a reply from the past: {frame:?}");
            (self.zxid, self.reply_zxid) = (frame.zxid, frame.zxid);
        }
    }

    /// The next reply, or `None` when the server has closed. Notifications ahead of it are kept
    /// for [`Client::event`].
    pub(crate) fn reply_or_end(&mut self) -> Option<Frame> {
        loop {
            let frame = self.frame()?;
            if frame.xid != -1 {
                return Some(frame);
            }
            self.events.push_back(event(&frame));
        }
    }

    /// The next reply.
    pub(crate) fn reply(&mut self) -> Frame {
        self.reply_or_end().expect("a reply, not the end")
    }

    /// The next replies.
    pub(crate) fn replies(&mut self, count: usize) -> Vec<Frame> {
        (0..count).map(|_| self.reply()).collect()
    }

    /// Asks and waits for the answer.
    pub(crate) fn call(&mut self, op: i32, body: &Body) -> Frame {
        self.send(op, body);
        self.reply()
    }

    /// The error of a request that must fail.
    pub(crate) fn error(&mut self, op: i32, body: &Body) -> i32 {
        self.call(op, body).error()
    }

    /// The next notification, from those that came ahead of replies or from the socket.
    pub(crate) fn event(&mut self) -> Event {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        let frame = self.frame().expect("a notification, not the end");
        assert_eq!(frame.xid, -1, "not a notification: {frame:?}");
        event(&frame)
    }

    /// The next notifications as kinds and paths.
    pub(crate) fn events(&mut self, count: usize) -> Vec<(i32, String)> {
        let event = |_| {
            let event = self.event();
            (event.kind, event.path)
        };
        (0..count).map(event).collect()
    }

    /// Notifications that came ahead of replies and nobody has looked at.
    pub(crate) fn seen(&mut self) -> Vec<(i32, String)> {
        let seen = self.events.drain(..);
        seen.map(|event| (event.kind, event.path)).collect()
    }

    /// Everything committed before this call has been applied at this client's server, and its
    /// notifications have come. None is left but those given here.
    pub(crate) fn settled(&mut self) -> Vec<(i32, String)> {
        self.sync();
        self.seen()
    }

    /// Whether the server closes the connection, saying nothing more.
    pub(crate) fn is_closed(&mut self) -> bool {
        read_frame(&mut self.stream).is_none()
    }

    /// Drops the connection; the session stays.
    pub(crate) fn hang_up(&self) {
        // Closed already is as good.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    pub(crate) fn create(&mut self, path: &str, data: &[u8]) -> String {
        self.create_mode(path, data, super::mode::PERSISTENT)
    }

    pub(crate) fn create_mode(&mut self, path: &str, data: &[u8], flags: i32) -> String {
        let reply = self.call(op::CREATE, &request::create(path, Some(data), flags));
        let mut fields = reply.ok();
        let path = fields.text();
        fields.end();
        path
    }

    pub(crate) fn delete(&mut self, path: &str) {
        let reply = self.call(op::DELETE, &request::versioned(path, -1));
        reply.ok().end();
    }

    pub(crate) fn set(&mut self, path: &str, data: &[u8]) -> Stat {
        let reply = self.call(op::SET_DATA, &request::set_data(path, Some(data), -1));
        reply.ok().stat()
    }

    pub(crate) fn get(&mut self, path: &str) -> (Option<Vec<u8>>, Stat) {
        let reply = self.call(op::GET_DATA, &request::read(path, false));
        let mut fields = reply.ok();
        (fields.buffer(), fields.stat())
    }

    pub(crate) fn stat(&mut self, path: &str) -> Option<Stat> {
        let reply = self.call(op::EXISTS, &request::read(path, false));
        (reply.err != super::code::NO_NODE).then(|| reply.ok().stat())
    }

    pub(crate) fn children(&mut self, path: &str) -> Vec<String> {
        let reply = self.call(op::GET_CHILDREN, &request::read(path, false));
        let mut children = reply.ok().texts();
        children.sort();
        children
    }

    /// Leaves a watch by a read.
    pub(crate) fn watch(&mut self, read: i32, path: &str) -> Frame {
        self.call(read, &request::read(path, true))
    }

    /// addWatch.
    pub(crate) fn add_watch(&mut self, path: &str, mode: i32) {
        self.call(op::ADD_WATCH, &request::watch(path, mode)).ok();
    }

    /// Waits until this client's server shows everything committed so far.
    pub(crate) fn sync(&mut self) {
        self.call(op::SYNC, &request::path("/")).ok();
    }

    /// Ends the session.
    pub(crate) fn close(mut self) {
        self.call(op::CLOSE_SESSION, &Body::new()).ok().end();
        assert!(self.is_closed());
    }

    /// Waits until this client's server shows `path`, or no longer does.
    pub(crate) fn until_exists(&mut self, path: &str, exists: bool) {
        until(&format!("{path} exists: {exists}"), || {
            self.sync();
            self.stat(path).is_some() == exists
        });
    }
}

fn event(frame: &Frame) -> Event {
    let mut fields = frame.ok();
    let kind = fields.int();
    assert_eq!(fields.int(), 3, "state");
    let path = fields.text();
    fields.end();
    Event {
        zxid: frame.zxid,
        kind,
        path,
    }
}
