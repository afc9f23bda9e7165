//! A session of a few bytes: is a server there, does it read, who leads. Timed by the caller, so it
//! does nothing else.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Between two attempts: the resolution of what is timed.
const ATTEMPT_EVERY: Duration = Duration::from_millis(1);

const SESSION_TIMEOUT_MS: i32 = 30_000;
const FRAME_BYTES_MAX: usize = 64 << 20;

const GET_DATA: i32 = 4;
const GET_CHILDREN: i32 = 8;
const CLOSE: i32 = -11;

/// A session.
pub(super) struct Probe(TcpStream);

impl Probe {
    pub(super) fn open(address: &str) -> io::Result<Probe> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        let mut probe = Probe(stream);
        let mut hello = vec![0; 45];
        hello[12..16].copy_from_slice(&SESSION_TIMEOUT_MS.to_be_bytes());
        hello[24..28].copy_from_slice(&16_i32.to_be_bytes());
        probe.send(&hello)?;
        match number(&probe.receive()?, 4)? {
            0 => Err(io::Error::other("the server gave no session")),
            _ => Ok(probe),
        }
    }

    /// getData; an error of the server's is an error.
    pub(super) fn read(&mut self, path: &str) -> io::Result<()> {
        self.ask(GET_DATA, path).map(drop)
    }

    /// getChildren; answers the bytes of the reply.
    pub(super) fn list(&mut self, path: &str) -> io::Result<usize> {
        self.ask(GET_CHILDREN, path)
    }

    fn ask(&mut self, operation: i32, path: &str) -> io::Result<usize> {
        let length = i32::try_from(path.len()).map_err(io::Error::other)?;
        let mut request = Vec::with_capacity(path.len() + 13);
        for part in [1, operation, length] {
            request.extend(part.to_be_bytes());
        }
        request.extend(path.as_bytes());
        request.push(0);
        self.send(&request)?;
        let reply = self.receive()?;
        match number(&reply, 12)? {
            0 => Ok(reply.len()),
            error => Err(io::Error::other(format!("{path}: error {error}"))),
        }
    }

    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let length = i32::try_from(frame.len()).map_err(io::Error::other)?;
        self.0.write_all(&[&length.to_be_bytes(), frame].concat())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length))
            .ok()
            .filter(|length| *length <= FRAME_BYTES_MAX)
            .ok_or_else(|| io::Error::other("a frame of impossible length"))?;
        let mut frame = vec![0; length];
        self.0.read_exact(&mut frame)?;
        Ok(frame)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // A server that does not answer lets the session expire.
        let frame = [1_i32, CLOSE].map(i32::to_be_bytes).concat();
        let _ = self.send(&frame).and_then(|()| self.receive());
    }
}

fn number(frame: &[u8], at: usize) -> io::Result<i32> {
    let bytes = frame.get(at..).and_then(<[u8]>::first_chunk);
    bytes
        .map(|bytes| i32::from_be_bytes(*bytes))
        .ok_or_else(|| io::Error::other("a frame that is too short"))
}

/// Tries until `attempt` succeeds; its last error after `time_max`.
pub(super) fn until<T>(
    time_max: Duration,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if begun.elapsed() > time_max => {
                return Err(format!("not within {} s: {error}", time_max.as_secs()));
            }
            Err(_) => std::thread::sleep(ATTEMPT_EVERY),
        }
    }
}

/// Whether this server leads; standing alone is no leading.
pub(super) fn leads(address: &str) -> bool {
    let ask = || -> io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        stream.write_all(b"srvr")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("Mode: leader"))
}
