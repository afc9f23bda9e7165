//! What one entry of a transaction log says.
//!
//! Source: `SerializeUtils.deserializeTxn`, `DataTree.processTxn`.

use crate::proto::{Acl, Malformed, Reader};
use crate::tree::stored::{At, Creation, Recorded};

const OPEN_SESSION: i32 = -10;
const CLOSE_SESSION: i32 = -11;
const ERROR: i32 = -1;
const CREATE: i32 = 1;
const DELETE: i32 = 2;
const SET_DATA: i32 = 5;
const SET_ACL: i32 = 7;
const CHECK: i32 = 13;
const MULTI: i32 = 14;
const CREATE2: i32 = 15;
const RECONFIG: i32 = 16;
const CREATE_CONTAINER: i32 = 19;
const DELETE_CONTAINER: i32 = 20;
const CREATE_TTL: i32 = 21;

const CONTAINER_OWNER: i64 = i64::MIN;
const TTL_OWNER: i64 = 0xff << 56;
const TTL_MS_MAX: i64 = (1 << 40) - 1;

/// Bytes of a digest behind a record.
const DIGEST_BYTES: usize = 12;
/// Fewest bytes of a part of a multi: type and length.
const PART_BYTES_MIN: usize = 8;
/// Fewest bytes of a string.
const TEXT_BYTES_MIN: usize = 4;

/// The digest of the tree behind a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionDigest {
    /// Which algorithm.
    pub version: i32,
    /// The number.
    pub digest: u64,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// When, and by whom.
    pub at: At,
    /// What it did, in order; nothing, when the request failed or only checked.
    pub changes: Vec<Recorded>,
    /// The tree's digest behind it, if the writer had digests on.
    pub digest: Option<TransactionDigest>,
}

impl Transaction {
    /// Reads the bytes of an entry: header, record, digest.
    pub fn decode(bytes: &[u8]) -> Result<Transaction, Malformed> {
        let r = &mut Reader::new(bytes);
        let session = r.i64()?;
        r.i32()?;
        let (zxid, time_ms) = (r.i64()?, r.i64()?);
        let kind = r.i32()?;
        let at = At {
            zxid,
            time_ms,
            session,
        };
        let changes = match kind {
            CLOSE_SESSION => vec![close(r)?],
            MULTI => multi(session, r)?,
            kind => change(kind, session, r)?.into_iter().collect(),
        };
        Ok(Transaction {
            at,
            changes,
            digest: digest(r)?,
        })
    }
}

fn digest(r: &mut Reader<'_>) -> Result<Option<TransactionDigest>, Malformed> {
    if r.rest().is_empty() {
        return Ok(None);
    }
    let (version, digest) = (r.i32()?, r.u64()?);
    match r.rest() {
        [] => Ok(Some(TransactionDigest { version, digest })),
        _ => Err(Malformed("more bytes than a transaction has")),
    }
}

/// The end of a session, whose list of paths older versions do not write.
fn close(r: &mut Reader<'_>) -> Result<Recorded, Malformed> {
    let mut ahead = *r;
    let listed = ahead.vector(TEXT_BYTES_MIN, |r| Ok(r.text()?.into_owned()));
    let fits = matches!(ahead.rest().len(), 0 | DIGEST_BYTES);
    let paths = match listed {
        _ if r.rest().is_empty() => Vec::new(),
        Ok(paths) if fits => {
            *r = ahead;
            paths
        }
        // No list, only a digest.
        _ if r.rest().len() == DIGEST_BYTES => Vec::new(),
        _ => return Err(Malformed("not a list of paths")),
    };
    Ok(Recorded::CloseSession { paths })
}

/// What a multi did: nothing when one of its parts failed.
fn multi(session: i64, r: &mut Reader<'_>) -> Result<Vec<Recorded>, Malformed> {
    let parts = r.vector(PART_BYTES_MIN, |r| {
        let kind = r.i32()?;
        Ok((kind, r.buffer()?.unwrap_or_default()))
    })?;
    let failed = parts.iter().any(|(kind, _)| *kind == ERROR);
    let mut changes = Vec::new();
    for (kind, record) in parts {
        let r = &mut Reader::new(record);
        let is_known = matches!(
            kind,
            CREATE
                | CREATE2
                | CREATE_TTL
                | CREATE_CONTAINER
                | DELETE
                | DELETE_CONTAINER
                | SET_DATA
                | ERROR
                | CHECK
        );
        if !is_known {
            return Err(Malformed("a part that no multi has"));
        }
        if !failed {
            changes.extend(change(kind, session, r)?);
            if !r.rest().is_empty() {
                return Err(Malformed("more bytes than a part of a multi has"));
            }
        }
    }
    Ok(changes)
}

fn change(kind: i32, session: i64, r: &mut Reader<'_>) -> Result<Option<Recorded>, Malformed> {
    Ok(Some(match kind {
        OPEN_SESSION => Recorded::OpenSession {
            timeout_ms: r.i32()?,
        },
        CREATE | CREATE2 => create(kind, session, r)?,
        CREATE_CONTAINER => {
            let (path, data, acl) = begin_of_create(r)?;
            Recorded::Create(Creation {
                path,
                data,
                acl,
                owner: CONTAINER_OWNER,
                parent_created: count(r.i32()?),
                raises_parent: false,
            })
        }
        CREATE_TTL => {
            let (path, data, acl) = begin_of_create(r)?;
            let parent_created = count(r.i32()?);
            Recorded::Create(Creation {
                path,
                data,
                acl,
                owner: TTL_OWNER | (r.i64()? & TTL_MS_MAX),
                parent_created,
                raises_parent: false,
            })
        }
        DELETE | DELETE_CONTAINER => Recorded::Delete { path: path(r)? },
        SET_DATA | RECONFIG => Recorded::SetData {
            path: path(r)?,
            data: r.buffer()?.map(<[u8]>::to_vec),
            version: r.i32()?,
        },
        SET_ACL => Recorded::SetAcl {
            path: path(r)?,
            acl: acl(r)?,
            aversion: r.i32()?,
        },
        CHECK => {
            path(r)?;
            r.i32()?;
            return Ok(None);
        }
        ERROR => {
            r.i32()?;
            return Ok(None);
        }
        _ => return Err(Malformed("a transaction of an unknown type")),
    }))
}

/// A create of a persistent znode or an ephemeral. The first versions did not write the last field.
fn create(kind: i32, session: i64, r: &mut Reader<'_>) -> Result<Recorded, Malformed> {
    let (path, data, acl) = begin_of_create(r)?;
    let is_ephemeral = r.bool()?;
    let parent_created = match r.rest() {
        [] => None,
        _ => count(r.i32()?),
    };
    Ok(Recorded::Create(Creation {
        path,
        data,
        acl,
        owner: if is_ephemeral { session } else { 0 },
        parent_created,
        raises_parent: kind == CREATE,
    }))
}

type BeginOfCreate = (String, Option<Vec<u8>>, Vec<Acl>);

fn begin_of_create(r: &mut Reader<'_>) -> Result<BeginOfCreate, Malformed> {
    let path = path(r)?;
    let data = r.buffer()?.map(<[u8]>::to_vec);
    Ok((path, data, acl(r)?))
}

fn path(r: &mut Reader<'_>) -> Result<String, Malformed> {
    let bytes = r
        .buffer()?
        .ok_or(Malformed("null where a path must stand"))?;
    let path = std::str::from_utf8(bytes).map_err(|_| Malformed("a path that is not UTF-8"))?;
    Ok(path.to_owned())
}

fn acl(r: &mut Reader<'_>) -> Result<Vec<Acl>, Malformed> {
    Acl::decode_list(r)?.ok_or(Malformed("null in an ACL"))
}

/// A parent's count of creations, of which -1 says that it was not recorded.
fn count(parent_created: i32) -> Option<i32> {
    (parent_created != -1).then_some(parent_created)
}
