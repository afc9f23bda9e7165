//! A snapshot, piece by piece.
//!
//! ```text
//! header    "ZKSN" · version 2 · dbid i64
//! sessions  count · { id i64 · timeout_ms i32 }
//! lists     count · { key i64 · acl }
//! znodes    { path · data · key i64 · stat } … · "/"           the root has the path ""
//! seal      Adler-32 of all before i64 · "/"
//! digest    zxid i64 · version i32 · digest i64 · seal         3.6 and later
//! last      zxid i64 · seal                                    3.9 and later
//! ```

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use super::FormatError;
use super::input::Input;
use super::output::Output;
use crate::proto::Acl;
use crate::tree::stored::StoredStat;

/// `ZKSN`
const MAGIC: i32 = 0x5a4b_534e;
const VERSION: i32 = 2;
const DATABASE: i64 = -1;
/// The key of `world:anyone:cdrwa`, which stands in no table.
const OPEN_KEY: i64 = -1;
/// The algorithm of the digests that are compared; others are passed over.
pub(super) const DIGEST_VERSION: i32 = 2;
/// Ends the znodes, and every seal.
const END_PATH: &str = "/";

/// One znode of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredZnode {
    /// Its path; empty for the root.
    pub path: String,
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// Its access control list; `None` if the snapshot does not have it: the lists are written before
    /// the znodes, and one may have got another list meanwhile.
    pub acl: Option<Arc<[Acl]>>,
    /// Its metadata.
    pub stat: StoredStat,
}

/// The digest of a tree at a zxid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestStamp {
    /// Behind this change.
    pub zxid: i64,
    /// Which algorithm; 2 is today's.
    pub version: i32,
    /// The number.
    pub digest: u64,
}

/// What stands behind the znodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trailer {
    /// The tree's digest, unless the writer had digests off or none of an algorithm known here.
    pub digest: Option<DigestStamp>,
    /// The zxid of the last change that is in it for certain; since 3.9.
    pub last_zxid: Option<i64>,
}

/// Reads a snapshot: sessions at once, then znode by znode, then what is behind.
pub struct SnapshotReader<R> {
    input: Input<R>,
    sessions: Vec<(i64, i32)>,
    lists: BTreeMap<i64, Arc<[Acl]>>,
}

impl<R: BufRead> SnapshotReader<R> {
    /// Reads everything in front of the znodes.
    pub fn begin(reader: R) -> Result<SnapshotReader<R>, FormatError> {
        let mut input = Input::new(reader);
        if input.i32()? != MAGIC {
            return Err(FormatError::damaged(0, "not a snapshot of ZooKeeper"));
        }
        let version = input.i32()?;
        if version != VERSION {
            let what = format!("snapshot version {version}, known is {VERSION}");
            return Err(FormatError::damaged(4, what));
        }
        input.i64()?;
        let mut sessions = Vec::new();
        for _ in 0..input.count()? {
            sessions.push((input.i64()?, input.i32()?));
        }
        let open: Arc<[Acl]> = Arc::new([Acl::open()]);
        let mut lists = BTreeMap::from([(OPEN_KEY, open)]);
        for _ in 0..input.count()? {
            lists.insert(input.i64()?, input.acl()?.into());
        }
        Ok(SnapshotReader {
            input,
            sessions,
            lists,
        })
    }

    /// All sessions: id and timeout in milliseconds.
    pub fn sessions(&self) -> &[(i64, i32)] {
        &self.sessions
    }

    /// Bytes read so far, uncompressed.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The next znode; `None` behind the last.
    pub fn next_znode(&mut self) -> Result<Option<StoredZnode>, FormatError> {
        let path = self.input.path()?;
        if path == END_PATH {
            return Ok(None);
        }
        let data = self.input.buffer()?;
        let key = self.input.i64()?;
        let acl = self.lists.get(&key).cloned();
        let input = &mut self.input;
        let (czxid, mzxid) = (input.i64()?, input.i64()?);
        let (ctime_ms, mtime_ms) = (input.i64()?, input.i64()?);
        let (version, created, aversion) = (input.i32()?, input.i32()?, input.i32()?);
        let (owner, pzxid) = (input.i64()?, input.i64()?);
        Ok(Some(StoredZnode {
            path,
            data,
            acl,
            stat: StoredStat {
                czxid,
                mzxid,
                ctime_ms,
                mtime_ms,
                version,
                created,
                aversion,
                owner,
                pzxid,
            },
        }))
    }

    /// Checks the seals, and reads what older versions do not write.
    pub fn finish(mut self) -> Result<Trailer, FormatError> {
        self.seal()?;
        let mut trailer = Trailer::default();
        if self.input.is_at_end()? {
            return Ok(trailer);
        }
        let zxid = self.input.i64()?;
        let sum = self.input.checksum();
        match self.input.i32()? {
            // The upper half of a checksum: digests were off, and this is the last section.
            0 => {
                self.compare(sum)?;
                trailer.last_zxid = Some(zxid);
                return Ok(trailer);
            }
            version if version < DIGEST_VERSION => {
                self.input.path()?;
            }
            version => {
                let digest = self.input.i64()? as u64;
                let stamp = DigestStamp {
                    zxid,
                    version,
                    digest,
                };
                trailer.digest = (version == DIGEST_VERSION && zxid != 0).then_some(stamp);
            }
        }
        self.seal()?;
        if !self.input.is_at_end()? {
            trailer.last_zxid = Some(self.input.i64()?);
            self.seal()?;
        }
        Ok(trailer)
    }

    fn seal(&mut self) -> Result<(), FormatError> {
        let sum = self.input.checksum();
        match self.input.i32()? {
            0 => self.compare(sum),
            _ => Err(self.input.damaged("not a checksum")),
        }
    }

    /// Reads the lower half of a checksum and the end of its seal.
    fn compare(&mut self, sum: u32) -> Result<(), FormatError> {
        let at = self.input.offset();
        let stored = self.input.i32()? as u32;
        if stored != sum {
            let what = format!("the checksum is {sum:08x}, and should be {stored:08x}");
            return Err(FormatError::damaged(at, what));
        }
        let at = self.input.offset();
        match &*self.input.path()? {
            END_PATH => Ok(()),
            _ => Err(FormatError::damaged(at, "a seal without its end")),
        }
    }
}

/// Writes a snapshot: sessions and lists at once, then znode by znode, then what is behind.
pub struct SnapshotWriter<W> {
    output: Output<W>,
}

impl<W: Write> SnapshotWriter<W> {
    /// Writes everything in front of the znodes. Of `lists` the first has the key 1.
    pub fn begin(
        writer: W,
        sessions: &[(i64, i32)],
        lists: &[Arc<[Acl]>],
    ) -> io::Result<SnapshotWriter<W>> {
        let mut output = Output::new(writer);
        output.put(|w| {
            w.i32(MAGIC);
            w.i32(VERSION);
            w.i64(DATABASE);
            w.length(sessions.len());
        })?;
        for (id, timeout_ms) in sessions {
            output.put(|w| {
                w.i64(*id);
                w.i32(*timeout_ms);
            })?;
        }
        output.put(|w| w.length(lists.len()))?;
        for (key, list) in (1..).zip(lists) {
            output.put(|w| {
                w.i64(key);
                Acl::encode_list(list, w);
            })?;
        }
        Ok(SnapshotWriter { output })
    }

    /// Writes a znode. The root has an empty path and comes first; `list` is the number of its
    /// list among those of [`SnapshotWriter::begin`], from 0, or `None` for the open one.
    pub fn znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        list: Option<usize>,
        stat: &StoredStat,
    ) -> io::Result<()> {
        self.output.put(|w| {
            w.text(path);
            w.buffer(data);
            w.i64(list.map_or(OPEN_KEY, |list| list as i64 + 1));
            for number in [stat.czxid, stat.mzxid, stat.ctime_ms, stat.mtime_ms] {
                w.i64(number);
            }
            for number in [stat.version, stat.created, stat.aversion] {
                w.i32(number);
            }
            w.i64(stat.owner);
            w.i64(stat.pzxid);
        })
    }

    /// Ends the snapshot with as much of `trailer` as there is; a last zxid needs a digest before
    /// it. Gives the number of bytes written; nothing is flushed.
    pub fn finish(mut self, trailer: &Trailer) -> io::Result<u64> {
        self.output.put(|w| w.text(END_PATH))?;
        self.seal()?;
        if let Some(stamp) = trailer.digest {
            self.output.put(|w| {
                w.i64(stamp.zxid);
                w.i32(stamp.version);
                w.u64(stamp.digest);
            })?;
            self.seal()?;
            if let Some(zxid) = trailer.last_zxid {
                self.output.put(|w| w.i64(zxid))?;
                self.seal()?;
            }
        }
        Ok(self.output.bytes())
    }

    fn seal(&mut self) -> io::Result<()> {
        let sum = self.output.checksum();
        self.output.put(|w| {
            w.i64(i64::from(sum));
            w.text(END_PATH);
        })
    }
}
