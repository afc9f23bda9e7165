//! A log and a snapshot that were not written by an ensemble: a tree from elsewhere, which an
//! ensemble is to begin with; and the way back, the tree that snapshot and log of a stopped server
//! add up to.
//!
//! ```text
//!   index of the first entry    lineage (24 bits) · 0 (40 bits)
//! ```
//!
//! Every voter that is given the same tree gets the same snapshot at the same place in the log, so
//! whichever of them leads, nobody needs to be told. The upper bits of all indexes of that ensemble
//! name what it began with, its *lineage*; an ensemble that began empty has 0 there. That is how a
//! server with imported data knows, before it votes, whether the others hold the same; see
//! `bootstrap`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::mpsc;

use openraft::impls::leader_id_std::LeaderId;
use openraft::{BasicNode, EntryPayload, Vote};

use crate::proto::{ServerId, Zxid};
use crate::raft::Recovered;
use crate::raft::state_machine;
use crate::raft::types::{
    Membership, SnapshotMeta, StoredMembership, first_membership, log_id, payload, vote_bytes,
};
use crate::storage::{Done, EntryId, Log, Snapshots};
use crate::tree::{Admission, Tree};

/// Where the lineage stands in an index. No ensemble writes 2^40 entries.
const LINEAGE_SHIFT: u32 = 40;
/// Lineages are 1 to this.
const LINEAGE_MAX: u64 = (1 << 23) - 1;
/// Bytes of entries read at once.
const READ_BYTES_MAX: usize = 1 << 20;
/// The last epoch of an imported zxid: some must be left for terms to come.
const EPOCH_MAX: u64 = 0x7f00_0000;

/// What the ensemble of a log began with; 0 is nothing.
pub(crate) fn lineage(index: u64) -> u64 {
    index >> LINEAGE_SHIFT
}

/// Why a tree cannot be what an ensemble begins with.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// There are too few zxids left above the tree's last one.
    #[error("the last zxid is {0}, and too few are left above it")]
    ZxidsSpent(Zxid),
    /// The disk failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes `tree` into the empty `log` and `snapshots` of the server `me`, as what an ensemble of
/// `voters` begins with. The term is the epoch of its last zxid, so the first leader's zxids lie
/// above. Blocks; durable on return.
pub fn seed(
    log: &Log,
    snapshots: &Snapshots,
    tree: Tree,
    me: ServerId,
    voters: &BTreeMap<ServerId, String>,
) -> Result<(), SeedError> {
    let last_zxid = tree.last_zxid();
    let epoch = u64::try_from(last_zxid.0 >> 32).unwrap_or(u64::MAX);
    if epoch > EPOCH_MAX {
        return Err(SeedError::ZxidsSpent(last_zxid));
    }
    let first = EntryId {
        term: epoch.max(1),
        index: fingerprint(&tree, voters) << LINEAGE_SHIFT,
    };
    let voters = voters.iter();
    let voters = voters.map(|(id, address)| (u64::from(id.0), address.clone()));
    let members = first_membership(&voters.collect());
    let ids = members.keys().copied().collect::<BTreeSet<_>>();
    let membership = Membership::new(vec![ids], members).map_err(io::Error::other)?;
    let meta = SnapshotMeta {
        last_log_id: Some(log_id(first)),
        last_membership: StoredMembership::new(Some(log_id(first)), membership),
    };
    state_machine::write(snapshots, tree, &meta)?;
    let vote = Vote::<LeaderId<u64, u64>> {
        leader_id: LeaderId {
            term: first.term,
            voted_for: u64::from(me.0),
        },
        committed: false,
    };
    wait(|done| log.save_vote(vote_bytes(&vote), done))?;
    wait(|done| log.purge(first, done))?;
    Ok(())
}

fn wait(ask: impl FnOnce(Done)) -> io::Result<()> {
    let (done, outcome) = mpsc::channel();
    ask(Box::new(move |result| drop(done.send(result))));
    outcome.recv().map_err(io::Error::other)?
}

/// A lineage: a number over everything that the ensemble begins with.
fn fingerprint(tree: &Tree, voters: &BTreeMap<ServerId, String>) -> u64 {
    let mut hash = tree.digest();
    for (id, address) in voters {
        for byte in [id.0].into_iter().chain(address.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    (hash ^ (hash >> 29)) % LINEAGE_MAX + 1
}

/// What snapshot and log of a stopped server add up to: every entry of the log, committed as far as
/// this server knows or not. An entry that was acknowledged is in the log of a majority, so the
/// server whose result has the highest zxid has all that was. Blocks.
pub fn replayed(recovered: Recovered, log: &Log) -> io::Result<Tree> {
    let mut tree = recovered.tree;
    let last = recovered.meta.and_then(|meta| meta.last_log_id);
    let mut next = last.map_or_else(|| log.first(), |id| id.index + 1);
    let end = log.state().last.map_or(0, |last| last.index + 1);
    while next < end {
        for entry in log.read(next, end, READ_BYTES_MAX)? {
            apply(&mut tree, entry.id.term, &entry.payload)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            next = entry.id.index + 1;
        }
    }
    Ok(tree)
}

fn apply(tree: &mut Tree, term: u64, bytes: &bytes::Bytes) -> Result<(), crate::proto::Malformed> {
    let EntryPayload::<_, u64, BasicNode>::Normal(batch) = payload(bytes)? else {
        return Ok(());
    };
    let stamp_ms = batch.stamp_ms()?;
    for proposal in batch.proposals() {
        let (lane, number, draft) = proposal?;
        if tree.admit(lane, number) == Admission::Next {
            tree.apply(term, stamp_ms, lane, number, &draft);
        }
    }
    Ok(())
}
