//! Frames: a 32-bit length, then that many bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::proto::{Code, Reply, Writer, Xid, Zxid};

/// A frame longer than allowed, or of negative length: the connection ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {length} bytes, allowed are 0 to {allowed}")]
pub struct FrameError {
    /// The length the peer announced.
    pub length: i32,
    /// The greatest length this side takes.
    pub allowed: usize,
}

/// Cuts frames from a byte stream.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    bytes_max: usize,
}

impl Frames {
    /// Frames of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Frames {
        Frames { bytes_max }
    }

    /// Takes the first whole frame off `input` without copying, or `None` when more bytes must
    /// come. The length is checked before any room is made for it.
    pub fn next(&self, input: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some(head) = input.first_chunk::<4>() else {
            return Ok(None);
        };
        let announced = i32::from_be_bytes(*head);
        let length = usize::try_from(announced)
            .ok()
            .filter(|length| *length <= self.bytes_max)
            .ok_or(FrameError {
                length: announced,
                allowed: self.bytes_max,
            })?;
        if input.len() < 4 + length {
            input.reserve(4 + length - input.len());
            return Ok(None);
        }
        input.advance(4);
        Ok(Some(input.split_to(length).freeze()))
    }
}

/// Writes the length of the frame that began at `start` with room for it, once its body is
/// complete. Everything here that carries its length before it ends by this.
pub(crate) fn close(out: &mut BytesMut, start: usize) {
    let length = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a whole reply frame: header, and the record when there is one.
///
/// A failed request has a header only, but for `multi`, whose failure is inside its record, and
/// for `sasl` ([`failed_token_frame`]).
pub fn reply_frame(xid: Xid, zxid: Zxid, result: &Result<Reply, Code>, out: &mut BytesMut) {
    let start = out.len();
    out.put_i32(0);
    let mut w = Writer::new(out);
    w.i32(xid.0);
    w.i64(zxid.0);
    match result {
        Ok(reply) => {
            w.i32(0);
            reply.encode(&mut w);
        }
        Err(code) => w.i32(code.number()),
    }
    close(out, start);
}

/// Appends the reply to a SASL token that proves nobody: the record follows the failure all the
/// same, with a null token.
pub fn failed_token_frame(xid: Xid, zxid: Zxid, code: Code, out: &mut BytesMut) {
    let start = out.len();
    out.put_i32(0);
    let mut w = Writer::new(out);
    w.i32(xid.0);
    w.i64(zxid.0);
    w.i32(code.number());
    Reply::Token(None).encode(&mut w);
    close(out, start);
}
