//! Plays a sequence to one server and writes down all that it says.
//!
//! Invariant: what a connection says is written in the order in which it was said. A server queues a
//! notification before it answers the request that caused it, so where it stands between the replies
//! of its own connection does not depend on when it is read.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::hostile::PATIENT_MS;
use super::steps::{Request, Sequence, Step};
use super::told::Teller;
use super::wire::{Bytes, Item, encode, frame, hex, name, op};

/// A server that is silent for so long will not answer any more.
const SILENCE: Duration = Duration::from_secs(10);

/// How the errors of a session that is no more are told: expired, unknown.
const SESSION_ENDED: [&str; 2] = [" -112 ", " -12 "];

/// The step of what is said when the sequence is over.
pub const END: usize = usize::MAX;

/// Something said on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The step during which it was read.
    pub step: usize,
    pub text: String,
}

/// All that was said on one connection.
#[derive(Clone, Debug)]
pub struct Channel {
    /// `slot`, or `-` for strangers.
    pub name: String,
    pub lines: Vec<Line>,
}

/// All that a server said, by connection in the order of their beginnings.
pub type Transcript = Vec<Channel>;

struct Link {
    stream: TcpStream,
    input: Vec<u8>,
    taken: usize,
    xid: i32,
    waiting: VecDeque<Waiting>,
    seen: i64,
    channel: usize,
    /// Its session has been closed by a request.
    ended: bool,
    closed: bool,
}

/// A request that is not answered.
#[derive(Clone)]
struct Waiting {
    xid: i32,
    operation: i32,
    /// The operation and its first string.
    told: String,
}

struct Player {
    /// Of the servers; a slot is always at the same one.
    addresses: Vec<SocketAddr>,
    teller: Teller,
    links: Vec<Option<Link>>,
    /// Sessions that have not been closed: id and password.
    alive: Vec<(i64, Vec<u8>)>,
    channels: Transcript,
    step: usize,
}

/// Plays all of it; `root` is where `~` lies. It fails if the server takes no connections.
pub fn play(addresses: &[SocketAddr], sequence: &Sequence, root: &str) -> io::Result<Transcript> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut teller = Teller {
        now_ms: since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0)),
        ..Teller::default()
    };
    root.clone_into(&mut teller.known.root);
    let mut player = Player {
        addresses: addresses.to_vec(),
        teller,
        links: Vec::new(),
        alive: Vec::new(),
        channels: vec![Channel {
            name: "test".into(),
            lines: Vec::new(),
        }],
        step: 0,
    };
    for (number, step) in sequence.steps.iter().enumerate() {
        player.step = number;
        player.step(step)?;
    }
    player.finish()?;
    Ok(player.channels)
}

impl Player {
    fn note(&mut self, channel: usize, text: impl Into<String>) {
        let step = self.step;
        let lines = &mut self.channels[channel].lines;
        lines.extend(text.into().lines().map(|text| Line {
            step,
            text: text.trim_end().to_owned(),
        }));
    }

    fn step(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::Connect { slot, hello } => self.connect(*slot, hello)?,
            Step::Stranger { items, finish } => self.stranger(items, *finish)?,
            Step::Send { slot, .. }
            | Step::Frame { slot, .. }
            | Step::LastFrame { slot, .. }
            | Step::Torn { slot, .. }
            | Step::Drop { slot }
            | Step::Await { slot, .. } => match self.take(*slot) {
                Some(link) => self.on(*slot, link, step),
                None => self.note(0, format!("[{slot}] has no connection")),
            },
        }
        Ok(())
    }

    /// The slot's connection, unless the server has closed it.
    fn take(&mut self, slot: usize) -> Option<Link> {
        let link = self.links.get_mut(slot)?;
        link.take()
    }

    fn put(&mut self, slot: usize, link: Link) {
        while self.links.len() <= slot {
            self.links.push(None);
        }
        if !link.closed {
            self.links[slot] = Some(link);
        }
    }

    fn on(&mut self, slot: usize, mut link: Link, step: &Step) {
        match step {
            Step::Send { requests, .. } => self.send(slot, &mut link, requests),
            Step::Frame { items, .. } | Step::LastFrame { items, .. } => {
                let mut bytes = frame(items, &self.teller.known);
                if let [Item::Int(xid), Item::Int(operation), ..] = items[..] {
                    link.waiting.push_back(waiting(xid, operation, &items[2..]));
                }
                if matches!(step, Step::Frame { .. }) {
                    bytes.extend(ping(&mut link));
                    self.write(&mut link, &bytes);
                    self.until_pong(&mut link);
                } else {
                    self.write(&mut link, &bytes);
                    while self.read(&mut link).is_some() {}
                    self.unanswered(&mut link);
                }
            }
            Step::Torn { items, .. } => {
                let bytes = encode(items, &self.teller.known);
                self.write(&mut link, &bytes);
                self.end(&mut link);
            }
            Step::Drop { .. } => {
                let bytes = ping(&mut link);
                self.write(&mut link, &bytes);
                self.until_pong(&mut link);
                self.end(&mut link);
            }
            // What is not there does not go.
            Step::Await { path, .. } if self.is_missing(link.channel, path) => {}
            Step::Await { path, .. } => {
                let told = format!("deleted {path:?}");
                while let Some(text) = self.read(&mut link) {
                    if text.ends_with(&told) {
                        break;
                    }
                }
                // Whatever else comes of it is done when the ping is answered.
                let bytes = ping(&mut link);
                self.write(&mut link, &bytes);
                self.until_pong(&mut link);
            }
            Step::Connect { .. } | Step::Stranger { .. } => {}
        }
        self.put(slot, link);
    }

    /// Whether this connection was told so when it last asked.
    fn is_missing(&self, channel: usize, path: &str) -> bool {
        let asked = format!("exists({path:?}) ");
        let lines = self.channels[channel].lines.iter().rev();
        let mut answers = lines.filter_map(|line| line.text.strip_prefix(asked.as_str()));
        answers
            .next()
            .is_some_and(|answer| answer.starts_with("-101 "))
    }

    fn send(&mut self, slot: usize, link: &mut Link, requests: &[Request]) {
        self.teller.known.seen = link.seen;
        let mut bytes = Vec::new();
        for request in requests {
            let xid = request.xid.unwrap_or_else(|| {
                link.xid += 1;
                link.xid
            });
            let mut items = vec![Item::Int(xid), Item::Int(request.operation)];
            items.extend(request.items.iter().cloned());
            bytes.extend(frame(&items, &self.teller.known));
            let waiting = waiting(xid, request.operation, &request.items);
            link.waiting.push_back(waiting);
        }
        self.write(link, &bytes);
        while !link.waiting.is_empty() && self.read(link).is_some() {}
        let ends = |request: &Request| request.operation == op::CLOSE_SESSION;
        if requests.iter().any(ends) {
            while self.read(link).is_some() {}
            // A connection that had ended already has not ended its session.
            if link.waiting.is_empty() {
                let id = self.teller.known.sessions[slot].0;
                self.alive.retain(|session| session.0 != id);
            }
        }
        self.unanswered(link);
    }

    fn unanswered(&mut self, link: &mut Link) {
        for waiting in std::mem::take(&mut link.waiting) {
            self.note(link.channel, format!("no reply {}", waiting.told));
        }
    }

    fn until_pong(&mut self, link: &mut Link) {
        while link.waiting.iter().any(|waiting| waiting.xid == -2) && self.read(link).is_some() {}
        self.unanswered(link);
    }

    /// No more from here; then to the end.
    fn end(&mut self, link: &mut Link) {
        // Fails if the server has closed, which is then read.
        let _ = link.stream.shutdown(Shutdown::Write);
        while self.read(link).is_some() {}
        self.unanswered(link);
        link.closed = true;
    }

    fn open(&mut self, slot: usize, name: String) -> io::Result<Link> {
        let stream = TcpStream::connect(self.addresses[slot % self.addresses.len()])?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        self.channels.push(Channel {
            name,
            lines: Vec::new(),
        });
        Ok(Link {
            stream,
            input: Vec::new(),
            taken: 0,
            xid: 0,
            waiting: VecDeque::new(),
            seen: 0,
            channel: self.channels.len() - 1,
            ended: false,
            closed: false,
        })
    }

    fn connect(&mut self, slot: usize, hello: &[Item]) -> io::Result<()> {
        let old = self.take(slot);
        self.teller.known.seen = old.as_ref().map_or(0, |old| old.seen);
        let mut link = self.open(slot, slot.to_string())?;
        link.seen = self.teller.known.seen;
        let bytes = frame(hello, &self.teller.known);
        self.write(&mut link, &bytes);
        self.welcome(slot, &mut link);
        self.put(slot, link);
        if let Some(mut old) = old {
            let bytes = ping(&mut old);
            self.write(&mut old, &bytes);
            self.until_pong(&mut old);
            self.end(&mut old);
        }
        Ok(())
    }

    fn welcome(&mut self, slot: usize, link: &mut Link) {
        let Some(reply) = self.next_frame(link) else {
            self.hang_up(link);
            return;
        };
        let mut bytes = Bytes(&reply);
        let head = (bytes.int(), bytes.int(), bytes.long(), bytes.buffer());
        let (Some(version), Some(timeout), Some(id), Some(password)) = head else {
            self.note(link.channel, format!("hello {}", hex(&reply)));
            return;
        };
        let password = password.unwrap_or_default().to_vec();
        let rest = hex(bytes.0);
        let sessions = &mut self.teller.known.sessions;
        if id != 0 {
            while sessions.len() <= slot {
                sessions.push((0, vec![0; 16]));
            }
            sessions[slot] = (id, password.clone());
            if !self.teller.known.opened.contains(&id) {
                self.teller.known.opened.push(id);
            }
            if self.alive.iter().all(|session| session.0 != id) {
                self.alive.push((id, password.clone()));
            }
        }
        let told = match password.iter().all(|byte| *byte == 0) {
            true => hex(&password),
            false => format!("password of {}", password.len()),
        };
        let session = self.teller.session(id);
        let text = format!("hello {version} timeout={timeout} {session} {told} {rest}");
        self.note(link.channel, text);
        if id == 0 {
            while self.read(link).is_some() {}
        }
    }

    fn stranger(&mut self, items: &[Item], finish: bool) -> io::Result<()> {
        let mut link = self.open(0, "-".into())?;
        let bytes = encode(items, &self.teller.known);
        self.write(&mut link, &bytes);
        if finish {
            let _ = link.stream.shutdown(Shutdown::Write);
        }
        while self.more(&mut link) {}
        let text = format!("'{}'", link.input.escape_ascii());
        self.note(link.channel, text);
        self.hang_up(&mut link);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.step = END;
        let close = [Request::new(op::CLOSE_SESSION, Vec::new())];
        for slot in 0..self.links.len() {
            if let Some(mut link) = self.take(slot) {
                self.send(slot, &mut link, &close);
            }
        }
        for (id, password) in std::mem::take(&mut self.alive) {
            self.connect(0, &attach(id, password))?;
            if let Some(mut link) = self.take(0) {
                self.send(0, &mut link, &close);
            }
        }
        Ok(())
    }

    fn write(&mut self, link: &mut Link, bytes: &[u8]) {
        // Where it fails the server has closed, which is then read.
        let _ = link.stream.write_all(bytes);
    }

    /// More input; false at the end, or when the server is silent.
    fn more(&mut self, link: &mut Link) -> bool {
        let mut piece = [0; 64 << 10];
        loop {
            match link.stream.read(&mut piece) {
                Ok(0) => return false,
                Ok(count) => {
                    link.input.extend(&piece[..count]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let silent =
                        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    if silent {
                        self.note(link.channel, "silent");
                    }
                    return false;
                }
            }
        }
    }

    fn next_frame(&mut self, link: &mut Link) -> Option<Vec<u8>> {
        loop {
            let mut bytes = Bytes(&link.input[link.taken..]);
            let length = bytes.int().and_then(|length| usize::try_from(length).ok());
            if let Some(body) = length.and_then(|length| bytes.take(length)) {
                let body = body.to_vec();
                link.taken += 4 + body.len();
                return Some(body);
            }
            link.input.drain(..std::mem::take(&mut link.taken));
            if link.closed || !self.more(link) {
                return None;
            }
        }
    }

    fn hang_up(&mut self, link: &mut Link) {
        if !link.closed {
            link.closed = true;
            self.note(link.channel, "closed");
        }
    }

    /// Reads one frame and writes it down; `None` when there are no more.
    fn read(&mut self, link: &mut Link) -> Option<String> {
        let Some(bytes) = self.next_frame(link) else {
            self.hang_up(link);
            return None;
        };
        let before = link.ended.then(|| link.waiting.clone());
        let text = self.tell(link, &bytes);
        // Apache refuses what it has read behind the end of a session, up to the moment in which it
        // closes the connection: as good as no reply.
        match before {
            Some(before) if SESSION_ENDED.iter().any(|told| text.contains(told)) => {
                link.waiting = before;
            }
            _ => self.note(link.channel, text.clone()),
        }
        Some(text)
    }

    fn tell(&mut self, link: &mut Link, bytes: &[u8]) -> String {
        let mut body = Bytes(bytes);
        let head = (body.int(), body.long(), body.int());
        let (Some(xid), Some(zxid), Some(error)) = head else {
            return format!("torn {}", hex(bytes));
        };
        if xid == -1 {
            return format!(
                "event {} {}",
                self.teller.zxid(zxid),
                self.teller.event(body.0)
            );
        }
        if self.teller.known.base == 0 && zxid > 0 {
            self.teller.known.base = zxid;
        }
        link.seen = link.seen.max(zxid);
        let zxid = self.teller.zxid(zxid);
        let position = link.waiting.iter().position(|waiting| waiting.xid == xid);
        let Some(waiting) = position.and_then(|at| link.waiting.remove(at)) else {
            return format!("reply xid={xid} {zxid} {error} {}", hex(body.0));
        };
        link.ended |= waiting.operation == op::CLOSE_SESSION;
        let late = match position {
            Some(0) => "",
            _ => " overtaking",
        };
        let record = match error {
            0 => self.teller.record(waiting.operation, body.0),
            _ => hex(body.0),
        };
        format!("{}{late} {error} {zxid} {record}", waiting.told)
    }
}

fn ping(link: &mut Link) -> Vec<u8> {
    link.waiting.push_back(waiting(-2, op::PING, &[]));
    frame(&[Item::Int(-2), Item::Int(op::PING)], &Default::default())
}

fn waiting(xid: i32, operation: i32, items: &[Item]) -> Waiting {
    let first = match items.first() {
        Some(Item::Text(text)) => format!("({text:?})"),
        Some(Item::Null) => "(null)".to_owned(),
        Some(Item::Int(-1)) if begins_with_path(operation) => "(null)".to_owned(),
        _ => String::new(),
    };
    Waiting {
        // A ping is answered with its own xid, whatever it had.
        xid: if operation == op::PING { -2 } else { xid },
        operation,
        told: name(operation) + &first,
    }
}

/// Whether a string is what its record begins with.
fn begins_with_path(operation: i32) -> bool {
    let others = [op::AUTH, op::MULTI, op::MULTI_READ, op::SASL];
    !others.contains(&operation)
}

/// Comes back to a session.
fn attach(id: i64, password: Vec<u8>) -> Vec<Item> {
    vec![
        Item::Int(0),
        Item::Long(0),
        Item::Int(PATIENT_MS),
        Item::Long(id),
        Item::Data(password),
        Item::Byte(0),
    ]
}
