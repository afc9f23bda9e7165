//! A tree as a snapshot of ZooKeeper, and back: what files, the administrator's streams and a
//! migration share.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use super::snapshot::DIGEST_VERSION;
use super::{DigestStamp, FormatError, SnapshotReader, SnapshotWriter, Trailer};
use crate::proto::{Acl, PASSWORD_BYTES, Zxid};
use crate::tree::Tree;
use crate::tree::stored::{Rebuild, StoredError};

/// For which versions a snapshot is written: what stands behind the znodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// 3.4: no digest; neither containers nor TTL znodes.
    V3_4,
    /// 3.5: no digest.
    V3_5,
    /// 3.6 to 3.8: a digest.
    #[default]
    V3_8,
    /// 3.9: a digest and the last zxid, which the administrator's restore needs.
    V3_9,
}

/// What [`write_snapshot`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dumped {
    /// The tree's last zxid, which names the file.
    pub last_zxid: Zxid,
    /// Znodes.
    pub znodes: u64,
    /// Sessions.
    pub sessions: usize,
    /// Bytes, before any compression.
    pub bytes: u64,
}

/// Writes a tree as a snapshot of exactly its state, and flushes. Blocks; needs memory for one
/// znode and for the distinct access control lists.
pub fn write_snapshot(tree: Tree, format: Format, mut to: impl Write) -> io::Result<Dumped> {
    let last_zxid = tree.last_zxid();
    let sessions = tree.sessions().iter();
    let sessions = sessions.map(|(id, session)| (id.0, session.timeout_ms));
    let sessions = sessions.collect::<Vec<_>>();
    let (lists, numbers) = lists(&tree);
    let mut writer = SnapshotWriter::begin(&mut to, &sessions, &lists)?;
    let (mut znodes, mut digest) = (0, 0_u64);
    for znode in tree.stored() {
        let list = numbers.get(&znode.acl).copied();
        writer.znode(&znode.path, znode.data(), list, &znode.stat())?;
        znodes += 1;
        digest = digest.wrapping_add(znode.digest());
    }
    let stamp = DigestStamp {
        zxid: last_zxid.0,
        version: DIGEST_VERSION,
        digest,
    };
    let trailer = Trailer {
        digest: (format >= Format::V3_8).then_some(stamp),
        last_zxid: (format >= Format::V3_9).then_some(last_zxid.0),
    };
    let bytes = writer.finish(&trailer)?;
    to.flush()?;
    Ok(Dumped {
        last_zxid,
        znodes,
        sessions: sessions.len(),
        bytes,
    })
}

type Lists = (Vec<Arc<[Acl]>>, BTreeMap<Arc<[Acl]>, usize>);

/// The distinct lists, and their places.
fn lists(tree: &Tree) -> Lists {
    let lists = tree.acl_lists().cloned().collect::<Vec<_>>();
    let numbers = lists.iter().cloned().zip(0..).collect();
    (lists, numbers)
}

/// What [`read_snapshot`] read.
#[derive(Debug)]
pub struct Restored {
    /// Everything in it. Sessions have the passwords that ZooKeeper gives them; nobody is attached.
    pub tree: Tree,
    /// Its last zxid.
    pub last_zxid: Zxid,
    /// Ephemerals without a session, which were left out.
    pub orphans: usize,
}

/// Reads a snapshot that says itself what its last zxid is, as the administrator's stream of 3.9
/// does, and that shows exactly that state. Digests are compared. Blocks.
pub fn read_snapshot(from: impl BufRead) -> Result<Restored, FormatError> {
    let mut reader = SnapshotReader::begin(from)?;
    let rebuild = fill(&mut reader, |_| {})?;
    let offset = reader.offset();
    let trailer = reader.finish()?;
    let last_zxid = trailer.last_zxid.ok_or_else(|| {
        let what = "the snapshot does not say its last zxid (serializeLastProcessedZxid is off, \
                    or it is older than 3.9)";
        FormatError::damaged(offset, what)
    })?;
    if let Some(stamp) = trailer.digest
        && stamp.zxid == last_zxid
        && stamp.digest != rebuild.digest()
    {
        return Err(FormatError::damaged(offset, "the znodes fail their digest"));
    }
    let finished = rebuild.finish(last_zxid, session_password);
    let (tree, mended) = finished.map_err(|error| stored(offset, &error))?;
    Ok(Restored {
        tree,
        last_zxid: Zxid(last_zxid),
        orphans: mended.orphans,
    })
}

/// Takes sessions and znodes of a snapshot, and tells how many znodes there are so far.
pub(super) fn fill<R: BufRead>(
    reader: &mut SnapshotReader<R>,
    mut tell: impl FnMut(u64),
) -> Result<Rebuild, FormatError> {
    let mut rebuild = Rebuild::new();
    for (id, timeout_ms) in reader.sessions() {
        rebuild.session(*id, *timeout_ms);
    }
    loop {
        let at = reader.offset();
        let Some(znode) = reader.next_znode()? else {
            return Ok(rebuild);
        };
        let data = znode.data.as_deref();
        match &znode.acl {
            Some(acl) => rebuild.znode(&znode.path, data, acl, &znode.stat),
            None => rebuild.znode_awaiting_acl(&znode.path, data, &znode.stat),
        }
        .map_err(|error| stored(at, &error))?;
        tell(rebuild.znodes());
    }
}

pub(super) fn stored(offset: u64, error: &StoredError) -> FormatError {
    FormatError::damaged(offset, error.to_string())
}

/// The password that every server of Apache ZooKeeper computes for a session, so that a client
/// may come back to it here. Source: reference/wire-protocol.md §2.
pub fn session_password(session: i64) -> [u8; PASSWORD_BYTES] {
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session as u64 ^ 0xb341_5c00 ^ MULTIPLIER) & MASK;
    let mut password = [0; PASSWORD_BYTES];
    for word in password.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
        word.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    password
}
