//! The types openraft is instantiated with, and their encoding for log, snapshot and peers.
//!
//! ```text
//! log id:      present u8 · term u64 · index u64
//! vote:        term u64 · server u64 · committed u8
//! payload:     0  |  1 batch…  |  2 membership
//! membership:  configs vector<vector<u64>> · members vector<u64, text>
//! ```

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use openraft::impls::leader_id_std;
use openraft::{BasicNode, EntryPayload};

use crate::proto::{Malformed, Reader, Writer};
use crate::storage::EntryId;
use crate::tree::Batch;

openraft::declare_raft_types!(
    /// How openraft is used here: standard leader ids (one leader a term), batches as data, and
    /// no response, because answers come from every server's own apply.
    pub TypeConfig:
        D = Batch,
        R = (),
        NodeId = u64,
        Node = BasicNode,
        LeaderId = leader_id_std::LeaderId<u64, u64>,
);

pub(crate) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(crate) type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(crate) type Payload = EntryPayload<Batch, u64, BasicNode>;
pub(crate) type Membership = openraft::Membership<u64, BasicNode>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;

/// The log id of an entry as the log store names it.
pub(crate) fn log_id(id: EntryId) -> LogId {
    openraft::LogId {
        leader_id: id.term.into(),
        index: id.index,
    }
}

/// The log store's name of a log id.
pub(crate) fn entry_id(id: &LogId) -> EntryId {
    EntryId {
        term: *id.leader_id,
        index: id.index,
    }
}

pub(crate) fn put_log_id(id: Option<&LogId>, w: &mut Writer<'_>) {
    w.bool(id.is_some());
    if let Some(id) = id {
        w.u64(*id.leader_id);
        w.u64(id.index);
    }
}

pub(crate) fn get_log_id(r: &mut Reader<'_>) -> Result<Option<LogId>, Malformed> {
    if !r.bool()? {
        return Ok(None);
    }
    Ok(Some(log_id(EntryId {
        term: r.u64()?,
        index: r.u64()?,
    })))
}

pub(crate) fn put_vote(vote: &Vote, w: &mut Writer<'_>) {
    w.u64(vote.leader_id.term);
    w.u64(vote.leader_id.voted_for);
    w.bool(vote.committed);
}

pub(crate) fn get_vote(r: &mut Reader<'_>) -> Result<Vote, Malformed> {
    let leader_id = leader_id_std::LeaderId {
        term: r.u64()?,
        voted_for: r.u64()?,
    };
    Ok(openraft::Vote {
        leader_id,
        committed: r.bool()?,
    })
}

/// The vote as the log stores it.
pub(crate) fn vote_bytes(vote: &Vote) -> Bytes {
    let mut out = BytesMut::new();
    put_vote(vote, &mut Writer::new(&mut out));
    out.freeze()
}

fn put_membership(membership: &Membership, w: &mut Writer<'_>) {
    let configs = membership.get_joint_config();
    w.length(configs.len());
    for config in configs {
        w.length(config.len());
        for id in config {
            w.u64(*id);
        }
    }
    w.length(membership.nodes().count());
    for (id, node) in membership.nodes() {
        w.u64(*id);
        w.text(&node.addr);
    }
}

fn get_membership(r: &mut Reader<'_>) -> Result<Membership, Malformed> {
    let configs = r.vector(4, |r| Ok(r.vector(8, Reader::u64)?.into_iter().collect()))?;
    let nodes = r.vector(12, |r| {
        Ok((
            r.u64()?,
            BasicNode {
                addr: r.text()?.into_owned(),
            },
        ))
    })?;
    Membership::new(configs, nodes.into_iter().collect::<BTreeMap<_, _>>())
        .map_err(|_| Malformed("membership without its members"))
}

const BLANK: u8 = 0;
const BATCH: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// An entry's payload as log and peers carry it. A batch's bytes are copied once, into the one
/// buffer that goes to disk or socket.
pub(crate) fn payload_bytes(payload: &Payload) -> Bytes {
    let mut out = BytesMut::new();
    let mut w = Writer::new(&mut out);
    match payload {
        EntryPayload::Blank => w.u8(BLANK),
        EntryPayload::Normal(batch) => {
            w.u8(BATCH);
            w.raw(batch.bytes());
        }
        EntryPayload::Membership(membership) => {
            w.u8(MEMBERSHIP);
            put_membership(membership, &mut w);
        }
    }
    out.freeze()
}

/// The payload in `bytes`; a batch shares them.
pub(crate) fn payload(bytes: &Bytes) -> Result<Payload, Malformed> {
    let mut r = Reader::new(bytes);
    match r.u8()? {
        BLANK => Ok(EntryPayload::Blank),
        BATCH => Ok(EntryPayload::Normal(Batch::from_bytes(bytes.slice(1..)))),
        MEMBERSHIP => Ok(EntryPayload::Membership(get_membership(&mut r)?)),
        _ => Err(Malformed("unknown kind of entry")),
    }
}

/// A snapshot's place in the log, as its file and its transfer carry it.
pub(crate) fn snapshot_meta_bytes(meta: &SnapshotMeta) -> Bytes {
    let mut out = BytesMut::new();
    let mut w = Writer::new(&mut out);
    put_log_id(meta.last_log_id.as_ref(), &mut w);
    put_log_id(meta.last_membership.log_id().as_ref(), &mut w);
    put_membership(meta.last_membership.membership(), &mut w);
    out.freeze()
}

/// Reads what [`snapshot_meta_bytes`] wrote.
pub(crate) fn snapshot_meta(bytes: &[u8]) -> Result<SnapshotMeta, Malformed> {
    let r = &mut Reader::new(bytes);
    let last_log_id = get_log_id(r)?;
    let last_membership = StoredMembership::new(get_log_id(r)?, get_membership(r)?);
    Ok(SnapshotMeta {
        last_log_id,
        last_membership,
    })
}

/// The first membership of an ensemble: every voter, reachable at its address.
pub(crate) fn first_membership(voters: &BTreeMap<u64, String>) -> BTreeMap<u64, BasicNode> {
    voters
        .iter()
        .map(|(id, addr)| (*id, BasicNode { addr: addr.clone() }))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::storage::EntryId;

    fn id(term: u64, index: u64) -> LogId {
        log_id(EntryId { term, index })
    }

    /// A joint membership of three voters in two halves, and a learner.
    fn joint() -> Membership {
        let configs = vec![BTreeSet::from([1, 2]), BTreeSet::from([2, 255])];
        let node = |addr: &str| BasicNode { addr: addr.into() };
        let nodes = [
            (1, "one:1"),
            (2, ""),
            (255, "[::1]:65535"),
            (9, "learner:9"),
        ];
        let nodes: BTreeMap<u64, BasicNode> = nodes
            .into_iter()
            .map(|(id, addr)| (id, node(addr)))
            .collect();
        Membership::new(configs, nodes).expect("its voters have nodes")
    }

    /// Every value, and for each its encoding read back.
    fn holds<T, U: PartialEq + std::fmt::Debug>(
        values: impl IntoIterator<Item = T>,
        put: impl Fn(&T) -> Bytes,
        get: impl Fn(&Bytes) -> Result<U, Malformed>,
        same: impl Fn(&T) -> U,
    ) {
        for value in values {
            let bytes = put(&value);
            assert_eq!(get(&bytes), Ok(same(&value)));
            for cut in 0..bytes.len() {
                // Whatever is left, it is a value or it is malformed.
                let _ = get(&bytes.slice(..cut));
            }
        }
    }

    fn written(put: impl FnOnce(&mut Writer<'_>)) -> Bytes {
        let mut out = BytesMut::new();
        put(&mut Writer::new(&mut out));
        out.freeze()
    }

    #[test]
    fn log_ids_come_back() {
        let ids = [
            None,
            Some(id(0, 0)),
            Some(id(1, 2)),
            Some(id(u64::MAX, u64::MAX)),
        ];
        holds(
            ids,
            |id| written(|w| put_log_id(id.as_ref(), w)),
            |bytes| get_log_id(&mut Reader::new(bytes)),
            |id| *id,
        );
        assert_eq!(entry_id(&id(3, 4)), EntryId { term: 3, index: 4 });
    }

    #[test]
    fn votes_come_back() {
        let votes = [(0, 0, false), (1, 255, true), (u64::MAX, u64::MAX, true)];
        let vote = |(term, voted_for, committed): (u64, u64, bool)| openraft::Vote {
            leader_id: leader_id_std::LeaderId { term, voted_for },
            committed,
        };
        holds(
            votes.map(vote),
            vote_bytes,
            |bytes| get_vote(&mut Reader::new(bytes)),
            |vote: &Vote| *vote,
        );
    }

    #[test]
    fn payloads_come_back() {
        let batch = |bytes: &'static [u8]| {
            EntryPayload::Normal(Batch::from_bytes(Bytes::from_static(bytes)))
        };
        let payloads: [Payload; 5] = [
            EntryPayload::Blank,
            batch(b""),
            batch(b"any bytes"),
            EntryPayload::Membership(joint()),
            EntryPayload::Membership(Membership::default()),
        ];
        let text = |payload: &Payload| format!("{payload:?}");
        holds(
            payloads,
            payload_bytes,
            |bytes| payload(bytes).map(|p| text(&p)),
            text,
        );
        assert!(payload(&Bytes::new()).is_err());
        for kind in 3..=255 {
            assert!(payload(&Bytes::copy_from_slice(&[kind, 0, 0, 0, 0])).is_err());
        }
    }

    #[test]
    fn a_batch_in_a_payload_is_not_copied() {
        let bytes = payload_bytes(&EntryPayload::Normal(Batch::from_bytes(
            Bytes::from_static(b"batch"),
        )));
        let Ok(EntryPayload::Normal(batch)) = payload(&bytes) else {
            panic!("not a batch");
        };
        assert_eq!(batch.bytes().as_ptr(), bytes[1..].as_ptr());
    }

    #[test]
    fn snapshot_metas_come_back() {
        let with = |last, at, membership| SnapshotMeta {
            last_log_id: last,
            last_membership: StoredMembership::new(at, membership),
        };
        let metas = [
            SnapshotMeta::default(),
            with(Some(id(5, 1000)), Some(id(2, 7)), joint()),
            with(Some(id(1, 1)), None, Membership::default()),
        ];
        holds(
            metas,
            snapshot_meta_bytes,
            |bytes| snapshot_meta(bytes),
            SnapshotMeta::clone,
        );
    }

    #[test]
    fn a_membership_without_its_members_is_malformed() {
        let bytes = written(|w| {
            w.u8(MEMBERSHIP);
            w.length(1);
            w.length(1);
            w.u64(7);
            w.length(0);
        });
        assert!(payload(&bytes).is_err());
        // Counts that the bytes cannot hold, in each place.
        for place in 0..4 {
            let bytes = written(|w| {
                w.u8(MEMBERSHIP);
                for at in 0..=place {
                    w.i32(if at == place { i32::MAX } else { 0 });
                }
            });
            assert!(payload(&bytes).is_err() || place > 1, "{place}");
        }
    }
}
