//! Writing: primitive encodings into a stream, with the running checksum.

use std::io::{self, Write};

use adler2::Adler32;
use bytes::BytesMut;

use crate::proto::Writer;

/// A stream that values are written to.
pub(super) struct Output<W> {
    writer: W,
    bytes: u64,
    sum: Adler32,
    encoded: BytesMut,
}

impl<W: Write> Output<W> {
    pub(super) fn new(writer: W) -> Output<W> {
        Output {
            writer,
            bytes: 0,
            sum: Adler32::new(),
            encoded: BytesMut::new(),
        }
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adler-32 of all bytes written so far.
    pub(super) fn checksum(&self) -> u32 {
        self.sum.checksum()
    }

    /// Writes what `encode` puts.
    pub(super) fn put(&mut self, encode: impl FnOnce(&mut Writer<'_>)) -> io::Result<()> {
        self.encoded.clear();
        encode(&mut Writer::new(&mut self.encoded));
        self.sum.write_slice(&self.encoded);
        self.bytes += self.encoded.len() as u64;
        self.writer.write_all(&self.encoded)
    }
}
