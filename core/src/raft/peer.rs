//! What servers say to each other, as frames on TCP.
//!
//! ```text
//! frame:   length u32 · body
//! hello:   "ZWPEER" · version 2 · from u8 · to u8 · purpose u8
//!          first frame of every connection; who is refused hears why: 9 · text, and the end
//! raft:    kind u8 · request                  ──▶        one at a time
//!          0 · answer | 1 · error text        ◀──
//! lane:    run | touch | read index           ──▶        to the leader, in order
//!          touched | read index reached       ◀──
//! snapshot: vote · meta · size, raw bytes…    ──▶
//!          0 · vote | 1 · error text          ◀──
//! probe:   (nothing)                          ──▶
//!          0 · initialised u8 · lineage u64   ◀──
//! join:    address                            ──▶        see `guests`
//!          0 | 1 not leading | 2 · why not    ◀──
//! ```
//!
//! Invariant: a length is checked before room is made for it, and nothing a peer sends panics.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::environment::{Net, Stream};
use crate::proto::{Malformed, Reader, ServerId, Writer, close_frame};

/// The greatest frame a peer may send. Above the largest append message by far.
pub(crate) const PEER_FRAME_BYTES_MAX: usize = 256 << 20;

/// The greatest first frame: whoever sends it has not even said who it is.
const HELLO_BYTES_MAX: usize = 64;

/// What servers of all versions begin with; two digits of the version are behind it.
const MAGIC: &[u8] = b"ZWPEER";

/// Version of everything in this file, and of what is in its frames: the drafts and entries of the
/// log, and the images in snapshots. Servers of another version are refused.
const VERSION: &[u8; 2] = b"02";

/// Begins what a server is told that is refused.
pub(crate) const REFUSED: u8 = 9;

/// The same for servers of the first version: one without a log takes anything else for the word
/// of another new server.
const REFUSED_BY_FIRST: u8 = 1;

/// What a server is told that said `hello` and is refused; nothing for who is none.
pub(crate) fn refusal(hello: &[u8], why: &io::Error) -> Option<BytesMut> {
    let tag = match hello.strip_prefix(MAGIC)?.starts_with(b"01") {
        true => REFUSED_BY_FIRST,
        false => REFUSED,
    };
    Some(frame(|w| {
        w.u8(tag);
        w.raw(why.to_string().as_bytes());
    }))
}

/// Why this server was refused, by the rest of the frame behind [`REFUSED`].
pub(crate) fn refused(why: &[u8]) -> io::Error {
    let why = String::from_utf8_lossy(why).into_owned();
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// What a connection between servers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Raft's requests and answers, one at a time.
    Raft,
    /// A follower's drafts, touches and read indexes on their way to the leader.
    Lane,
    /// One snapshot.
    Snapshot,
    /// A server without a log asks whether the ensemble exists already.
    Probe,
    /// A server asks to be sent the log.
    Join,
}

/// Who opens a connection, to whom, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) from: ServerId,
    pub(crate) to: ServerId,
    pub(crate) purpose: Purpose,
}

impl Hello {
    fn encode(self) -> BytesMut {
        frame(|w| {
            w.raw(MAGIC);
            w.raw(VERSION);
            w.u8(self.from.0);
            w.u8(self.to.0);
            w.u8(self.purpose as u8);
        })
    }

    /// Reads the body of the first frame.
    pub(crate) fn decode(body: &[u8]) -> Result<Hello, Malformed> {
        let versioned = body.strip_prefix(MAGIC).ok_or(Malformed(
            "not another server: is this the port for clients, or of another program?",
        ))?;
        let rest = versioned.strip_prefix(VERSION).ok_or(Malformed(
            "another server runs a version that does not understand this one: run the same \
             version of zoowarden on all servers",
        ))?;
        let mut r = Reader::new(rest);
        let hello = Hello {
            from: ServerId(r.u8()?),
            to: ServerId(r.u8()?),
            purpose: match r.u8()? {
                0 => Purpose::Raft,
                1 => Purpose::Lane,
                2 => Purpose::Snapshot,
                3 => Purpose::Probe,
                4 => Purpose::Join,
                _ => return Err(Malformed("unknown purpose")),
            },
        };
        match r.rest() {
            [] => Ok(hello),
            _ => Err(Malformed("more than who a peer is")),
        }
    }
}

/// One whole frame whose body `fill` writes.
pub(crate) fn frame(fill: impl FnOnce(&mut Writer<'_>)) -> BytesMut {
    let mut out = BytesMut::with_capacity(64);
    out.put_u32(0);
    fill(&mut Writer::new(&mut out));
    close_frame(&mut out, 0);
    out
}

/// The reading half of a connection between servers.
pub(crate) struct PeerReader {
    reader: Box<dyn AsyncRead + Send + Sync + Unpin>,
    buffer: BytesMut,
}

/// The writing half of a connection between servers.
pub(crate) struct PeerWriter {
    writer: Box<dyn AsyncWrite + Send + Sync + Unpin>,
}

/// Both halves, with frames instead of bytes.
pub(crate) fn frames(stream: Stream) -> (PeerReader, PeerWriter) {
    let reader = PeerReader {
        reader: stream.reader,
        buffer: BytesMut::new(),
    };
    (
        reader,
        PeerWriter {
            writer: stream.writer,
        },
    )
}

impl PeerReader {
    /// The next frame's body. Safe to cancel: what has arrived stays.
    pub(crate) async fn next(&mut self) -> io::Result<Bytes> {
        self.next_up_to(PEER_FRAME_BYTES_MAX).await
    }

    /// The first frame of a connection, from somebody who may be anybody.
    pub(crate) async fn hello(&mut self) -> io::Result<Bytes> {
        self.next_up_to(HELLO_BYTES_MAX).await
    }

    async fn next_up_to(&mut self, bytes_max: usize) -> io::Result<Bytes> {
        loop {
            if let Some(head) = self.buffer.first_chunk::<4>() {
                let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
                if length > bytes_max {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("peer frame of {length} bytes, allowed {bytes_max}"),
                    ));
                }
                if self.buffer.len() >= 4 + length {
                    self.buffer.advance(4);
                    return Ok(self.buffer.split_to(length).freeze());
                }
            }
            // Grows with what arrives, not with what a length promises.
            self.buffer.reserve(64 << 10);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl PeerWriter {
    /// Writes bytes that are frames already.
    pub(crate) async fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.writer.write_all(frames).await?;
        // TLS holds back what it has not been told to send.
        self.writer.flush().await
    }
}

/// Connects to a peer and says hello.
pub(crate) async fn connect(
    net: &dyn Net,
    address: &str,
    hello: Hello,
) -> io::Result<(PeerReader, PeerWriter)> {
    let (reader, mut writer) = frames(net.connect(address).await?);
    writer.send(&hello.encode()).await?;
    Ok((reader, writer))
}

/// The error for bytes of a peer that do not decode.
pub(crate) fn invalid(malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_says_who_and_what_for() {
        for purpose in [
            Purpose::Raft,
            Purpose::Lane,
            Purpose::Snapshot,
            Purpose::Probe,
            Purpose::Join,
        ] {
            let hello = Hello {
                from: ServerId(1),
                to: ServerId(3),
                purpose,
            };
            assert_eq!(Hello::decode(&hello.encode()[4..]), Ok(hello));
        }
        assert!(Hello::decode(b"ZWPEER02\x01\x02\x09").is_err());
        assert!(Hello::decode(b"").is_err());
    }

    /// CVE-2023-44981: a peer that left a part of its identity out was not checked at all. Here it is
    /// all there, and nothing else, or there is no peer.
    #[test]
    fn cve_2023_44981_a_peer_says_exactly_who_it_is() {
        let hello = Hello {
            from: ServerId(2),
            to: ServerId(1),
            purpose: Purpose::Raft,
        };
        let whole = hello.encode()[4..].to_vec();
        for end in 0..whole.len() {
            assert!(Hello::decode(&whole[..end]).is_err(), "{end} bytes");
        }
        for more in [&b"\0"[..], b"/host", b"@REALM"] {
            assert!(Hello::decode(&[&whole, more].concat()).is_err());
        }
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..10_000 {
            let mut other = whole.clone();
            let at = random.usize(..other.len());
            other[at] = random.u8(..);
            let read = Hello::decode(&other);
            assert_eq!(read == Ok(hello), other == whole, "{other:?}");
        }
    }

    #[test]
    fn a_server_of_another_version_is_told_so_in_a_way_that_it_understands() {
        for (said, tag) in [
            ("ZWPEER01\x01\x02\x00", 1),
            ("ZWPEER99\x01\x02\x00", REFUSED),
        ] {
            let why = Hello::decode(said.as_bytes()).unwrap_err();
            assert!(why.0.contains("the same version"), "{why}");
            let told = refusal(said.as_bytes(), &invalid(why)).unwrap();
            assert_eq!(told[4], tag);
            let heard = refused(&told[5..]).to_string();
            assert_eq!(heard, why.to_string());
        }
        let stranger = b"GET / HTTP/1.1";
        let why = Hello::decode(stranger).unwrap_err();
        assert!(refusal(stranger, &invalid(why)).is_none());
    }

    #[tokio::test]
    async fn frames_survive_any_cut_and_a_great_length_is_refused() {
        let (mut here, there) = tokio::io::duplex(3);
        let mut reader = PeerReader {
            reader: Box::new(there),
            buffer: BytesMut::new(),
        };
        let sent = frame(|w| w.text("hello"));
        let sending = tokio::spawn(async move {
            here.write_all(&sent).await.unwrap();
            here.write_all(&[0xff; 4]).await.unwrap();
        });
        assert_eq!(&reader.next().await.unwrap()[..], b"\0\0\0\x05hello");
        assert_eq!(
            reader.next().await.unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn a_stranger_may_not_begin_with_a_large_frame() {
        let (mut here, there) = tokio::io::duplex(64);
        let mut reader = PeerReader {
            reader: Box::new(there),
            buffer: BytesMut::new(),
        };
        here.write_u32(1 + HELLO_BYTES_MAX as u32).await.unwrap();
        assert_eq!(
            reader.hello().await.unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
