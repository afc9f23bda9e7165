//! One connection of the load generator: a socket, a session, bytes in both directions.
//!
//! It is leaner than the library's client, and does less: no watches set anew, no session taken
//! along. What it costs is what the server under test does not get when both share a machine.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zoowarden::proto::{
    ConnectRequest, ConnectResponse, PASSWORD_BYTES, Request, SessionId, Xid, Zxid,
};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// No reply of this load is longer.
const FRAME_BYTES_MAX: usize = 128 << 20;

/// How long a server gets to take a connection and answer the handshake.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// How long the end of a session is waited for.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// A session on a connection.
pub(super) struct Wire {
    stream: TcpStream,
    input: BytesMut,
    /// What is to be sent with the next [`Wire::flush`].
    pub(super) out: BytesMut,
    /// Negotiated, milliseconds.
    pub(super) timeout_ms: u32,
}

/// The header of a reply or a notification.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) xid: Xid,
    pub(super) zxid: Zxid,
    /// 0, or the number of a `Code`.
    pub(super) error: i32,
}

impl Wire {
    /// Connects and opens a new session.
    pub(super) async fn open(server: &str, timeout_ms: i32) -> io::Result<Wire> {
        match tokio::time::timeout(CONNECT_WAIT, shake_hands(server, timeout_ms)).await {
            Ok(opened) => opened,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {} s", CONNECT_WAIT.as_secs()),
            )),
        }
    }

    /// Sends what it can of `out` and reads what is there, waiting until there was one of both.
    /// Cancel-safe.
    pub(super) async fn exchange(&mut self) -> io::Result<()> {
        self.send()?;
        self.input.reserve(READ_BYTES);
        let (mut reader, writer) = self.stream.split();
        let read = tokio::select! {
            read = reader.read_buf(&mut self.input) => read?,
            writable = writer.writable(), if !self.out.is_empty() => {
                writable?;
                return self.send();
            }
        };
        match read {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            )),
            _ => Ok(()),
        }
    }

    /// Sends as much of `out` as the socket takes now.
    fn send(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.try_write(&self.out) {
                Ok(sent) => self.out.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the session, so that its ephemerals and watches do not outlive the run.
    pub(super) async fn close(mut self) {
        Request::CloseSession.frame(Xid(0), &mut self.out);
        // A server that does not answer lets the session expire.
        let _ = tokio::time::timeout(CLOSE_WAIT, self.exchange()).await;
    }

    /// The header of the next whole frame that was read; its body is skipped.
    pub(super) fn next(&mut self) -> io::Result<Option<Header>> {
        let Some(length) = whole_frame(&self.input)? else {
            return Ok(None);
        };
        let header = self.input[4..]
            .first_chunk::<16>()
            .filter(|_| length >= 16)
            .ok_or_else(|| invalid("a reply without a header"))?;
        let mut header = &header[..];
        let header = Header {
            xid: Xid(header.get_i32()),
            zxid: Zxid(header.get_i64()),
            error: header.get_i32(),
        };
        self.input.advance(4 + length);
        Ok(Some(header))
    }
}

async fn shake_hands(server: &str, timeout_ms: i32) -> io::Result<Wire> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let hello = ConnectRequest {
        last_zxid_seen: Zxid(0),
        timeout_ms,
        session: SessionId(0),
        password: vec![0; PASSWORD_BYTES],
        read_only: Some(false),
    };
    stream.write_all(&hello.frame()).await?;
    let mut input = BytesMut::with_capacity(READ_BYTES);
    let length = loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Err(invalid("the server closed the connection at the handshake"));
        }
        if let Some(length) = whole_frame(&input)? {
            break length;
        }
    };
    let answer = ConnectResponse::decode(&input[4..4 + length]).map_err(io::Error::other)?;
    input.advance(4 + length);
    let timeout_ms = u32::try_from(answer.timeout_ms).unwrap_or(0);
    if timeout_ms == 0 {
        return Err(invalid("the server gave no session"));
    }
    Ok(Wire {
        stream,
        input,
        out: BytesMut::with_capacity(READ_BYTES),
        timeout_ms,
    })
}

/// The length of the first frame, if all of it is there.
fn whole_frame(input: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = input.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(i32::from_be_bytes(*head))
        .ok()
        .filter(|length| *length <= FRAME_BYTES_MAX)
        .ok_or_else(|| invalid("the server sent a frame of impossible length"))?;
    Ok((input.len() >= 4 + length).then_some(length))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
