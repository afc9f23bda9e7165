//! The primitive encodings (jute): big-endian numbers, and lengths before bytes.
//!
//! ```text
//! int      4 bytes        long    8 bytes       boolean  1 byte, non-zero is true
//! buffer   int length, bytes; -1 is null, 0 is empty, and the two differ
//! ustring  as buffer, UTF-8         vector<T>  int count, elements; -1 is null
//! ```

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

/// Text as it came: borrowed when it was UTF-8, else with U+FFFD in place of what was not, as a
/// Java peer would read it.
pub type Text<'a> = Cow<'a, str>;

/// The bytes are not a value of the type that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed: {0}")]
pub struct Malformed(pub &'static str);

/// Takes values from the front of a byte slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(Malformed("ends early"))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(Malformed("ends early"))?;
        self.rest = rest;
        Ok(*head)
    }

    /// One unsigned byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// A boolean; any non-zero byte is true.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.u8()? != 0)
    }

    /// A 32-bit number.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// An unsigned 32-bit number.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A 64-bit number.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// An unsigned 64-bit number.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A length: `None` for -1; other negative numbers are malformed.
    fn length(&mut self) -> Result<Option<usize>, Malformed> {
        match self.i32()? {
            -1 => Ok(None),
            n => usize::try_from(n)
                .map(Some)
                .map_err(|_| Malformed("negative length")),
        }
    }

    /// A byte buffer; null and empty differ.
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.length()? {
            None => Ok(None),
            Some(count) => self.take(count).map(Some),
        }
    }

    /// A string or null.
    pub fn text_or_null(&mut self) -> Result<Option<Text<'a>>, Malformed> {
        Ok(self.buffer()?.map(String::from_utf8_lossy))
    }

    /// A string; null is malformed.
    pub fn text(&mut self) -> Result<Text<'a>, Malformed> {
        self.text_or_null()?
            .ok_or(Malformed("null where a string must stand"))
    }

    /// A vector of elements that take at least `bytes_min` bytes each, so that a count which the
    /// remaining bytes cannot hold is refused before anything is allocated. Null, and every other
    /// negative count, reads as empty, as in ZooKeeper.
    pub fn vector<T>(
        &mut self,
        bytes_min: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = usize::try_from(self.i32()?).unwrap_or(0);
        if count.saturating_mul(bytes_min) > self.rest.len() {
            return Err(Malformed("more elements than bytes"));
        }
        (0..count).map(|_| element(self)).collect()
    }
}

/// Appends values to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    /// Writes behind what `out` holds.
    pub fn new(out: &'a mut BytesMut) -> Self {
        Writer { out }
    }

    /// One unsigned byte.
    pub fn u8(&mut self, value: u8) {
        self.out.put_u8(value);
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.out.put_u8(u8::from(value));
    }

    /// A 32-bit number.
    pub fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    /// An unsigned 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.out.put_u32(value);
    }

    /// A 64-bit number.
    pub fn i64(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    /// An unsigned 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.out.put_u64(value);
    }

    /// A length or count. Nothing this server holds reaches 2 GiB.
    pub fn length(&mut self, count: usize) {
        self.out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
    }

    /// A byte buffer or null.
    pub fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.i32(-1),
            Some(bytes) => {
                self.length(bytes.len());
                self.out.put_slice(bytes);
            }
        }
    }

    /// A string.
    pub fn text(&mut self, value: &str) {
        self.buffer(Some(value.as_bytes()));
    }

    /// A string or null.
    pub fn text_or_null(&mut self, value: Option<&str>) {
        self.buffer(value.map(str::as_bytes));
    }

    /// A vector of strings.
    pub fn texts(&mut self, values: &[impl AsRef<str>]) {
        self.length(values.len());
        for value in values {
            self.text(value.as_ref());
        }
    }

    /// Bytes as they are, without a length.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }
}
