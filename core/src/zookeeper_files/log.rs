//! A transaction log, entry by entry.
//!
//! ```text
//! header   "ZKLG" · version i32 · dbid i64
//! entry    Adler-32 of the bytes i64 · length i32 · bytes · 'B'
//! ```
//!
//! The log ends where the file does, in the middle of an entry too, where an entry has no length
//! (space that was allocated ahead), and where its last byte is missing (it was being written when
//! the server died). An entry that is whole and fails its checksum is damage.

use std::io::BufRead;

use adler2::Adler32;

use super::FormatError;
use super::input::Input;
use super::transaction::Transaction;

/// `ZKLG`
const MAGIC: i32 = 0x5a4b_4c47;
const ENTRY_END: u8 = b'B';

/// Reads a log.
pub struct LogReader<R> {
    input: Input<R>,
    over: bool,
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
        Ok(LogReader { input, over: false })
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The next transaction; `None` at the end.
    pub fn next_transaction(&mut self) -> Result<Option<Transaction>, FormatError> {
        let start = self.input.offset();
        if self.over {
            return Ok(None);
        }
        let Some((sum, bytes)) = self.entry()? else {
            self.over = true;
            return Ok(None);
        };
        let mut adler = Adler32::new();
        adler.write_slice(&bytes);
        let found = adler.checksum();
        if sum != i64::from(found) {
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
