//! A transaction log, entry by entry.
//!
//! ```text
//! header   "ZKLG" · version i32 · dbid i64
//! entry    Adler-32 of the bytes i64 · length i32 · bytes · 'B'
//! ```
//!
//! The log ends where the file does, in the middle of an entry too, where an entry has no length
//! (space that was allocated ahead), and where its last byte is missing (it was being written when
//! the server died). An entry that is whole and fails its checksum is damage; so is an end with
//! something whole behind it, which [`check_end`] looks for: real servers read over that.

use std::io::BufRead;

use adler2::Adler32;

use super::FormatError;
use super::input::Input;
use super::transaction::Transaction;

/// `ZKLG`
const MAGIC: i32 = 0x5a4b_4c47;
const ENTRY_END: u8 = b'B';

/// Bytes of an entry around those that the checksum is of.
const FRAME_BYTES: usize = 8 + 4 + 1;
/// Bytes of the shortest transaction: its header.
const TRANSACTION_BYTES_MIN: usize = 32;
/// Bytes behind the end of a log that are looked at, zeros in front of the first other one left out.
const TAIL_BYTES_MAX: usize = 64 << 20;
/// Bytes of a tail that checksums are computed of: only what was made to does look like many entries.
const SUMMED_BYTES_MAX: usize = 1 << 30;
/// An Adler-32.
const MAX_SUM: i64 = u32::MAX as i64;

/// Reads a log.
pub struct LogReader<R> {
    input: Input<R>,
    /// Where the log ended.
    end: Option<u64>,
}

impl<R: BufRead> LogReader<R> {
    /// Reads the header.
    pub fn begin(reader: R) -> Result<LogReader<R>, FormatError> {
        let mut input = Input::new(reader);
        if input.i32()? != MAGIC {
            return Err(FormatError::damaged(
                0,
                "not a transaction log of ZooKeeper",
            ));
        }
        input.i32()?;
        input.i64()?;
        Ok(LogReader { input, end: None })
    }

    /// Where the log ended, once [`LogReader::next_transaction`] has said so.
    pub fn end(&self) -> Option<u64> {
        self.end
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The next transaction; `None` at the end.
    pub fn next_transaction(&mut self) -> Result<Option<Transaction>, FormatError> {
        let start = self.input.offset();
        if self.end.is_some() {
            return Ok(None);
        }
        let Some((sum, bytes)) = self.entry()? else {
            self.end = Some(start);
            return Ok(None);
        };
        let found = adler(&bytes);
        if sum != found {
            let what = format!("the checksum is {found:08x}, and should be {sum:08x}");
            return Err(FormatError::damaged(start, what));
        }
        Transaction::decode(&bytes)
            .map(Some)
            .map_err(|error| FormatError::damaged(start, error.to_string()))
    }

    /// Checksum and bytes of a whole entry; `None` at the end.
    fn entry(&mut self) -> Result<Option<(i64, Vec<u8>)>, FormatError> {
        match self.parts() {
            Ok(Some((sum, bytes, ENTRY_END))) => Ok(Some((sum, bytes))),
            Ok(_) => Ok(None),
            // Cut in the middle of an entry.
            Err(_) if self.input.is_at_end()? => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parts(&mut self) -> Result<Option<(i64, Vec<u8>, u8)>, FormatError> {
        if self.input.is_at_end()? {
            return Ok(None);
        }
        let sum = self.input.i64()?;
        match self.input.buffer()? {
            Some(bytes) if bytes.is_empty() => Ok(None),
            None => Err(self.input.damaged("an entry without bytes")),
            Some(bytes) => Ok(Some((sum, bytes, self.input.u8()?))),
        }
    }
}

/// Looks at what stands from the end of a log on, which is at `end`: nothing, zeros, or the beginning
/// of an entry that the server was writing when it died. Something whole there is an error: it may
/// have been acknowledged, and what is in front of it is damaged.
pub fn check_end(end: u64, tail: impl BufRead) -> Result<(), FormatError> {
    let (skipped, tail) = without_zeros(tail)?;
    if let Some(at) = find_entry(&tail) {
        let what = format!(
            "not an entry, and whole ones follow at byte {}",
            end + skipped + at as u64
        );
        return Err(FormatError::damaged(end, what));
    }
    if skipped == 0 && is_whole_but_for_its_frame(&tail) {
        let what = "an entry whose length or last byte is wrong";
        return Err(FormatError::damaged(end, what));
    }
    Ok(())
}

/// How many zeros were left out in front, and what follows, without the zeros at its end. A few
/// zeros stay in front: an entry begins with some.
fn without_zeros(mut from: impl BufRead) -> Result<(u64, Vec<u8>), FormatError> {
    let (mut skipped, mut tail) = (0, Vec::new());
    let mut is_zero = true;
    while tail.len() < TAIL_BYTES_MAX {
        let ahead = from.fill_buf()?;
        if ahead.is_empty() {
            break;
        }
        let count = ahead.len();
        is_zero = is_zero && ahead.iter().all(|byte| *byte == 0);
        tail.extend_from_slice(ahead);
        from.consume(count);
        if is_zero {
            let surplus = tail.len().saturating_sub(FRAME_BYTES);
            skipped += tail.drain(..surplus).len() as u64;
        }
    }
    let last = tail.iter().rposition(|byte| *byte != 0);
    tail.truncate(last.map_or(0, |last| last + 1));
    Ok((skipped, tail))
}

/// An entry as its bytes declare it: checksum, transaction, last byte.
fn declared(bytes: &[u8]) -> Option<(i64, &[u8], u8)> {
    let (sum, rest) = bytes.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
    let (transaction, rest) = rest.split_at_checked(length)?;
    Some((i64::from_be_bytes(*sum), transaction, *rest.first()?))
}

fn adler(bytes: &[u8]) -> i64 {
    let mut adler = Adler32::new();
    adler.write_slice(bytes);
    i64::from(adler.checksum())
}

/// Where the first whole entry begins.
fn find_entry(bytes: &[u8]) -> Option<usize> {
    let mut summed_bytes = 0;
    (0..bytes.len()).find(|at| match declared(&bytes[*at..]) {
        Some((sum @ 1..=MAX_SUM, transaction, ENTRY_END))
            if transaction.len() >= TRANSACTION_BYTES_MIN =>
        {
            summed_bytes += transaction.len();
            summed_bytes <= SUMMED_BYTES_MAX && adler(transaction) == sum
        }
        _ => false,
    })
}

/// Whether the checksum is right of what stands between a frame, whose length or last byte is not.
fn is_whole_but_for_its_frame(bytes: &[u8]) -> bool {
    let by_length = declared(bytes).map(|(sum, transaction, _)| (sum, transaction));
    // The last byte that is not zero ends an entry whose length is wrong.
    let by_end = bytes.split_first_chunk::<8>().and_then(|(sum, rest)| {
        let transaction = rest.get(4..)?.strip_suffix(&[ENTRY_END])?;
        Some((i64::from_be_bytes(*sum), transaction))
    });
    let is_whole = |(sum, transaction): (i64, &[u8])| {
        transaction.len() >= TRANSACTION_BYTES_MIN && adler(transaction) == sum
    };
    by_length.into_iter().chain(by_end).any(is_whole)
}
