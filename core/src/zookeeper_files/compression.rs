//! Compression around a snapshot: none, gzip, or the container of snappy-java.
//!
//! ```text
//! snappy   0x82 "SNAPPY" 0 · version i32 · oldest reader i32 · { length i32 · raw snappy block } …
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 16;
/// What snappy-java compresses at once.
const BLOCK_BYTES: usize = 32 << 10;
/// The longest block that is read, before and after decompression. snappy-java writes blocks of
/// 32 KiB.
const BLOCK_BYTES_MAX: usize = 4 << 20;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// snappy, in the container of snappy-java.
    Snappy,
}

impl Compression {
    /// What the end of a file's name says, and the name without it.
    pub fn of_name(name: &str) -> (Compression, &str) {
        if let Some(stem) = name.strip_suffix(".gz") {
            (Compression::Gzip, stem)
        } else if let Some(stem) = name.strip_suffix(".snappy") {
            (Compression::Snappy, stem)
        } else {
            (Compression::None, name)
        }
    }

    /// What a file's name ends in.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Snappy => ".snappy",
        }
    }

    /// The uncompressed bytes of a file.
    pub(super) fn reader(self, file: File) -> Box<dyn BufRead> {
        let file = BufReader::with_capacity(256 << 10, file);
        match self {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(file))),
            Compression::Snappy => Box::new(BufReader::new(SnappyReader::new(file))),
        }
    }

    /// Compresses what is written; the result must be finished.
    pub fn writer<W: Write>(self, writer: W) -> Compressor<W> {
        let writer = BufWriter::with_capacity(256 << 10, writer);
        match self {
            Compression::None => Compressor::None(writer),
            Compression::Gzip => {
                Compressor::Gzip(GzEncoder::new(writer, flate2::Compression::default()))
            }
            Compression::Snappy => Compressor::Snappy(SnappyWriter::new(writer)),
        }
    }
}

/// A writer that compresses.
pub enum Compressor<W: Write> {
    /// Not at all.
    None(BufWriter<W>),
    /// gzip.
    Gzip(GzEncoder<BufWriter<W>>),
    /// snappy.
    Snappy(SnappyWriter<BufWriter<W>>),
}

impl<W: Write> Compressor<W> {
    /// Writes what is left, and gives the writer back.
    pub fn finish(self) -> io::Result<W> {
        let writer = match self {
            Compressor::None(writer) => writer,
            Compressor::Gzip(encoder) => encoder.finish()?,
            Compressor::Snappy(writer) => writer.finish()?,
        };
        writer.into_inner().map_err(|error| error.into_error())
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Compressor::None(writer) => writer.write(bytes),
            Compressor::Gzip(writer) => writer.write(bytes),
            Compressor::Snappy(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Compressor::None(writer) => writer.flush(),
            Compressor::Gzip(writer) => writer.flush(),
            Compressor::Snappy(writer) => writer.flush(),
        }
    }
}

/// Reads snappy-java's container.
pub(super) struct SnappyReader<R> {
    reader: R,
    begun: bool,
    block: Vec<u8>,
    given: usize,
}

impl<R: Read> SnappyReader<R> {
    pub(super) fn new(reader: R) -> SnappyReader<R> {
        SnappyReader {
            reader,
            begun: false,
            block: Vec::new(),
            given: 0,
        }
    }

    /// Reads the next block; `false` behind the last.
    fn next_block(&mut self) -> io::Result<bool> {
        if !self.begun {
            let mut header = [0; HEADER_BYTES];
            self.reader.read_exact(&mut header)?;
            if !header.starts_with(&MAGIC) {
                return Err(invalid("not the snappy container of Java"));
            }
            self.begun = true;
        }
        let mut length = [0; 4];
        match self.reader.read(&mut length[..1])? {
            0 => return Ok(false),
            _ => self.reader.read_exact(&mut length[1..])?,
        }
        // Containers may follow each other.
        if MAGIC.starts_with(&length) {
            self.reader.read_exact(&mut [0; HEADER_BYTES - 4])?;
            return Ok(true);
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > BLOCK_BYTES_MAX {
            return Err(invalid("a snappy block of an impossible length"));
        }
        let mut packed = vec![0; length];
        self.reader.read_exact(&mut packed)?;
        let bytes = snap::raw::decompress_len(&packed).map_err(invalid)?;
        if bytes > BLOCK_BYTES_MAX {
            return Err(invalid("a snappy block of an impossible length"));
        }
        self.block.resize(bytes, 0);
        self.given = 0;
        let mut decoder = snap::raw::Decoder::new();
        decoder
            .decompress(&packed, &mut self.block)
            .map_err(invalid)?;
        Ok(true)
    }
}

impl<R: Read> Read for SnappyReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let count = into.len().min(self.block.len() - self.given);
        into[..count].copy_from_slice(&self.block[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Writes snappy-java's container.
pub struct SnappyWriter<W> {
    writer: W,
    begun: bool,
    block: Vec<u8>,
}

impl<W: Write> SnappyWriter<W> {
    fn new(writer: W) -> SnappyWriter<W> {
        SnappyWriter {
            writer,
            begun: false,
            block: Vec::with_capacity(BLOCK_BYTES),
        }
    }

    fn put_block(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.writer.write_all(&MAGIC)?;
            self.writer.write_all(&VERSION.to_be_bytes())?;
            self.writer.write_all(&VERSION.to_be_bytes())?;
        }
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = snap::raw::Encoder::new().compress_vec(&self.block);
        let packed = packed.map_err(invalid)?;
        let length = u32::try_from(packed.len()).map_err(invalid)?;
        self.writer.write_all(&length.to_be_bytes())?;
        self.writer.write_all(&packed)?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<W> {
        self.put_block()?;
        Ok(self.writer)
    }
}

impl<W: Write> Write for SnappyWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&bytes[..count]);
        if self.block.len() == BLOCK_BYTES {
            self.put_block()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
