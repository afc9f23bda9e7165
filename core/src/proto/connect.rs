//! The handshake: the first frame each way, without a header.

use bytes::{BufMut, BytesMut};

use crate::proto::{Malformed, Reader, SessionId, Writer, Zxid};

/// Bytes of a session's password. The C client reads exactly this many.
pub const PASSWORD_BYTES: usize = 16;

/// What a client opens with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// The greatest zxid the client has seen.
    pub last_zxid_seen: Zxid,
    /// The session timeout it asks for, milliseconds.
    pub timeout_ms: i32,
    /// 0 for a new session.
    pub session: SessionId,
    /// Empty or zeros for a new session.
    pub password: Vec<u8>,
    /// `None` when the client sent no such byte; the answer then must not have it either.
    pub read_only: Option<bool>,
}

impl ConnectRequest {
    /// Reads the record; the trailing byte is optional.
    pub fn decode(frame: &[u8]) -> Result<ConnectRequest, Malformed> {
        let mut r = Reader::new(frame);
        let _protocol_version = r.i32()?;
        Ok(ConnectRequest {
            last_zxid_seen: Zxid(r.i64()?),
            timeout_ms: r.i32()?,
            session: SessionId(r.i64()?),
            password: r.buffer()?.unwrap_or_default().to_vec(),
            read_only: if r.rest().is_empty() {
                None
            } else {
                Some(r.bool()?)
            },
        })
    }

    /// The whole frame, length included.
    pub fn frame(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(64);
        out.put_i32(0);
        let mut w = Writer::new(&mut out);
        w.i32(0);
        w.i64(self.last_zxid_seen.0);
        w.i32(self.timeout_ms);
        w.i64(self.session.0);
        w.buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            w.bool(read_only);
        }
        crate::proto::close_frame(&mut out, 0);
        out
    }
}

/// The server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Negotiated timeout, milliseconds; 0 says the session is gone.
    pub timeout_ms: i32,
    /// 0 when the session is gone.
    pub session: SessionId,
    /// Zeros when the session is gone.
    pub password: [u8; PASSWORD_BYTES],
    /// Present exactly when the request had the byte.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// "Your session is gone": the connection is closed after it.
    pub fn refused(request_read_only: Option<bool>) -> ConnectResponse {
        ConnectResponse {
            timeout_ms: 0,
            session: SessionId(0),
            password: [0; PASSWORD_BYTES],
            read_only: request_read_only.map(|_| false),
        }
    }

    /// Appends the whole frame, length included.
    pub fn encode(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_i32(0);
        let mut w = Writer::new(out);
        w.i32(0);
        w.i32(self.timeout_ms);
        w.i64(self.session.0);
        w.buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            w.bool(read_only);
        }
        crate::proto::close_frame(out, start);
    }

    /// Reads the record.
    pub fn decode(frame: &[u8]) -> Result<ConnectResponse, Malformed> {
        let mut r = Reader::new(frame);
        let _protocol_version = r.i32()?;
        let timeout_ms = r.i32()?;
        let session = SessionId(r.i64()?);
        let password = r.buffer()?.unwrap_or_default();
        Ok(ConnectResponse {
            timeout_ms,
            session,
            password: password
                .try_into()
                .map_err(|_| Malformed("password is not 16 bytes"))?,
            read_only: if r.rest().is_empty() {
                None
            } else {
                Some(r.bool()?)
            },
        })
    }
}
