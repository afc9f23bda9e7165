//! Reading: primitive encodings from a stream, with the offset and the running checksum.

use std::io::{self, BufRead};

use adler2::Adler32;

use super::{BUFFER_BYTES_MAX, FormatError};
use crate::proto::Acl;
use crate::proto::Id;

/// What is taken at once while a long buffer comes in: a length that lies costs no more than this.
const STEP_BYTES: usize = 64 << 10;

/// A stream that is read as values.
pub(super) struct Input<R> {
    reader: R,
    offset: u64,
    sum: Adler32,
}

impl<R: BufRead> Input<R> {
    pub(super) fn new(reader: R) -> Input<R> {
        Input {
            reader,
            offset: 0,
            sum: Adler32::new(),
        }
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Adler-32 of all bytes read so far.
    pub(super) fn checksum(&self) -> u32 {
        self.sum.checksum()
    }

    /// Whether the stream has no more bytes.
    pub(super) fn is_at_end(&mut self) -> Result<bool, FormatError> {
        loop {
            match self.reader.fill_buf() {
                Ok(ahead) => return Ok(ahead.is_empty()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What a compressed stream that was cut says.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(true),
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Fills `into`, or says that the stream ended early.
    pub(super) fn exact(&mut self, into: &mut [u8]) -> Result<(), FormatError> {
        match self.reader.read_exact(into) {
            Ok(()) => {
                self.sum.write_slice(into);
                self.offset += into.len() as u64;
                Ok(())
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// What a reader said, as damage where it is that.
    fn failed(&self, error: io::Error) -> FormatError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("the file ends early"),
            // What decompression finds wrong.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                self.damaged(error.to_string())
            }
            _ => FormatError::Io(error),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut bytes = [0; N];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, FormatError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn i32(&mut self) -> Result<i32, FormatError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, FormatError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A count of things; -1 counts as none.
    pub(super) fn count(&mut self) -> Result<u32, FormatError> {
        let at = self.offset;
        match self.i32()? {
            -1 => Ok(0),
            count => u32::try_from(count)
                .map_err(|_| FormatError::damaged(at, format!("{count} is not a count"))),
        }
    }

    /// A buffer, or `None` for null.
    pub(super) fn buffer(&mut self) -> Result<Option<Vec<u8>>, FormatError> {
        let at = self.offset;
        let length = self.i32()?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= BUFFER_BYTES_MAX)
            .ok_or_else(|| FormatError::damaged(at, format!("{length} is not a length")))?;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let start = bytes.len();
            bytes.resize(length.min(start + STEP_BYTES), 0);
            self.exact(&mut bytes[start..])?;
        }
        Ok(Some(bytes))
    }

    /// A path or another string that must be UTF-8.
    pub(super) fn path(&mut self) -> Result<String, FormatError> {
        let at = self.offset;
        let bytes = self
            .buffer()?
            .ok_or_else(|| FormatError::damaged(at, "null where a path must stand"))?;
        String::from_utf8(bytes).map_err(|_| FormatError::damaged(at, "a path that is not UTF-8"))
    }

    /// An access control list. What is not UTF-8 is replaced, as Java does.
    pub(super) fn acl(&mut self) -> Result<Vec<Acl>, FormatError> {
        let count = self.count()?;
        let mut list = Vec::new();
        for _ in 0..count {
            let perms = self.i32()?;
            let (scheme, id) = (self.buffer()?, self.buffer()?);
            let text = |bytes: Option<Vec<u8>>| {
                String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
            };
            let id = Id::new(&text(scheme), &text(id));
            list.push(Acl { perms, id });
        }
        Ok(list)
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> FormatError {
        FormatError::damaged(self.offset, what)
    }
}
