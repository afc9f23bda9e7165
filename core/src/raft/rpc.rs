//! Raft's requests and answers as bytes, and the side that answers them.

use std::io;

use bytes::{Bytes, BytesMut};
use openraft::entry::RaftEntry;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderError, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};

use crate::proto::{Malformed, Reader, Writer};
use crate::raft::peer::{REFUSED, frame, invalid, refused};
use crate::raft::types::{
    Entry, TypeConfig, get_log_id, get_vote, payload, payload_bytes, put_log_id, put_vote,
};
use crate::raft::{Gate, Raft};

pub(crate) const APPEND: u8 = 1;
pub(crate) const VOTE: u8 = 2;
pub(crate) const PRE_VOTE: u8 = 3;
pub(crate) const TRANSFER: u8 = 4;

/// Fewest bytes of an entry: a log id and an empty payload.
const ENTRY_BYTES_MIN: usize = 6;

pub(crate) fn append_frame(request: &AppendEntriesRequest<TypeConfig>) -> BytesMut {
    frame(|w| {
        w.u8(APPEND);
        put_vote(&request.vote, w);
        put_log_id(request.prev_log_id.as_ref(), w);
        put_log_id(request.leader_commit.as_ref(), w);
        w.length(request.entries.len());
        for entry in &request.entries {
            put_log_id(Some(&entry.log_id()), w);
            w.buffer(Some(&payload_bytes(&entry.payload)));
        }
    })
}

/// What a tapped connection between servers carries, by the body of one of Raft's requests: how
/// many sets of voters each membership in it has, 2 for a joint one.
#[cfg(test)]
pub(crate) fn memberships_in(body: &[u8]) -> Vec<usize> {
    let request = match body.first() {
        Some(&APPEND) => append_request(&Bytes::copy_from_slice(body)),
        _ => return Vec::new(),
    };
    let entries = request.map_or(Vec::new(), |request| request.entries);
    let memberships = entries.iter().filter_map(|entry| match &entry.payload {
        openraft::EntryPayload::Membership(membership) => Some(membership),
        _ => None,
    });
    memberships
        .map(|membership| membership.get_joint_config().len())
        .collect()
}

/// Reads an append request; the batches in it share `bytes`.
fn append_request(bytes: &Bytes) -> Result<AppendEntriesRequest<TypeConfig>, Malformed> {
    let r = &mut Reader::new(&bytes[1..]);
    Ok(AppendEntriesRequest {
        vote: get_vote(r)?,
        prev_log_id: get_log_id(r)?,
        leader_commit: get_log_id(r)?,
        entries: r.vector(ENTRY_BYTES_MIN, |r| {
            let log_id = get_log_id(r)?.ok_or(Malformed("entry without a log id"))?;
            let part = r.buffer()?.ok_or(Malformed("entry without a payload"))?;
            Ok(Entry {
                log_id,
                payload: payload(&bytes.slice_ref(part))?,
            })
        })?,
    })
}

fn put_append_response(response: &AppendEntriesResponse<TypeConfig>, w: &mut Writer<'_>) {
    match response {
        AppendEntriesResponse::Success => w.u8(0),
        AppendEntriesResponse::PartialSuccess(log_id) => {
            w.u8(1);
            put_log_id(log_id.as_ref(), w);
        }
        AppendEntriesResponse::Conflict => w.u8(2),
        AppendEntriesResponse::HigherVote(vote) => {
            w.u8(3);
            put_vote(vote, w);
        }
    }
}

pub(crate) fn append_response(
    r: &mut Reader<'_>,
) -> Result<AppendEntriesResponse<TypeConfig>, Malformed> {
    Ok(match r.u8()? {
        0 => AppendEntriesResponse::Success,
        1 => AppendEntriesResponse::PartialSuccess(get_log_id(r)?),
        2 => AppendEntriesResponse::Conflict,
        3 => AppendEntriesResponse::HigherVote(get_vote(r)?),
        _ => return Err(Malformed("unknown append response")),
    })
}

pub(crate) fn vote_frame(kind: u8, request: &VoteRequest<TypeConfig>) -> BytesMut {
    frame(|w| {
        w.u8(kind);
        put_vote(&request.vote, w);
        put_log_id(request.last_log_id.as_ref(), w);
        w.bool(request.leadership_transfer);
    })
}

fn vote_request(r: &mut Reader<'_>) -> Result<VoteRequest<TypeConfig>, Malformed> {
    Ok(VoteRequest {
        vote: get_vote(r)?,
        last_log_id: get_log_id(r)?,
        leadership_transfer: r.bool()?,
    })
}

fn put_vote_response(response: &VoteResponse<TypeConfig>, w: &mut Writer<'_>) {
    put_vote(&response.vote, w);
    w.bool(response.vote_granted);
    put_log_id(response.last_log_id.as_ref(), w);
}

pub(crate) fn vote_response(r: &mut Reader<'_>) -> Result<VoteResponse<TypeConfig>, Malformed> {
    Ok(VoteResponse {
        vote: get_vote(r)?,
        vote_granted: r.bool()?,
        last_log_id: get_log_id(r)?,
    })
}

pub(crate) fn transfer_frame(request: &TransferLeaderRequest<TypeConfig>) -> BytesMut {
    frame(|w| {
        w.u8(TRANSFER);
        put_vote(request.from_leader(), w);
        w.u64(*request.to_node_id());
        put_log_id(request.last_log_id(), w);
    })
}

fn transfer_request(r: &mut Reader<'_>) -> Result<TransferLeaderRequest<TypeConfig>, Malformed> {
    Ok(TransferLeaderRequest::new(
        get_vote(r)?,
        r.u64()?,
        get_log_id(r)?,
    ))
}

fn put_transfer_response(response: &TransferLeaderResponse<TypeConfig>, w: &mut Writer<'_>) {
    match response {
        Ok(()) => w.u8(0),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            w.u8(1);
            put_vote(expected, w);
            put_vote(actual, w);
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            w.u8(2);
            put_log_id(expected.as_ref(), w);
            put_log_id(actual.as_ref(), w);
        }
    }
}

pub(crate) fn transfer_response(
    r: &mut Reader<'_>,
) -> Result<TransferLeaderResponse<TypeConfig>, Malformed> {
    Ok(match r.u8()? {
        0 => Ok(()),
        1 => Err(TransferLeaderError::VoteChanged {
            expected: get_vote(r)?,
            actual: get_vote(r)?,
        }),
        2 => Err(TransferLeaderError::LogNotFlushed {
            expected: get_log_id(r)?,
            actual: get_log_id(r)?,
        }),
        _ => return Err(Malformed("unknown transfer response")),
    })
}

/// Splits an answer from the error text that may stand in its place.
pub(crate) fn answer(body: &Bytes) -> io::Result<Bytes> {
    match body.first() {
        Some(0) => Ok(body.slice(1..)),
        Some(&REFUSED) => Err(refused(&body[1..])),
        Some(_) => Err(io::Error::other(
            String::from_utf8_lossy(&body[1..]).into_owned(),
        )),
        None => Err(invalid(Malformed("empty answer"))),
    }
}

/// The frame of an answer or of an error.
pub(crate) fn answer_frame(result: io::Result<BytesMut>) -> BytesMut {
    frame(|w| match result {
        Ok(body) => {
            w.u8(0);
            w.raw(&body);
        }
        Err(error) => {
            w.u8(1);
            w.raw(error.to_string().as_bytes());
        }
    })
}

/// Carries out one request of a peer on this server's Raft.
pub(crate) async fn serve(raft: &Raft, gate: &Gate, body: &Bytes) -> BytesMut {
    answer_frame(execute(raft, gate, body).await)
}

async fn execute(raft: &Raft, gate: &Gate, body: &Bytes) -> io::Result<BytesMut> {
    let r = &mut Reader::new(body);
    let kind = r.u8().map_err(invalid)?;
    let mut out = BytesMut::new();
    let mut w = Writer::new(&mut out);
    match kind {
        APPEND => {
            gate.check_entries().await?;
            let request = append_request(body).map_err(invalid)?;
            let response = raft
                .append_entries(request)
                .await
                .map_err(io::Error::other)?;
            put_append_response(&response, &mut w);
        }
        VOTE | PRE_VOTE => {
            gate.check_votes().await?;
            let request = vote_request(r).map_err(invalid)?;
            let response = match kind {
                VOTE => raft.vote(request).await,
                _ => raft.pre_vote(request).await,
            };
            put_vote_response(&response.map_err(io::Error::other)?, &mut w);
        }
        TRANSFER => {
            gate.check_votes().await?;
            let request = transfer_request(r).map_err(invalid)?;
            let response = raft
                .handle_transfer_leader(request)
                .await
                .map_err(io::Error::other)?;
            put_transfer_response(&response, &mut w);
        }
        _ => return Err(invalid(Malformed("unknown request of a peer"))),
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;
    use openraft::impls::leader_id_std::LeaderId;

    use super::*;
    use crate::raft::types::{LogId, Vote, log_id};
    use crate::storage::EntryId;
    use crate::tree::Batch;

    fn id(term: u64, index: u64) -> LogId {
        log_id(EntryId { term, index })
    }

    fn vote(term: u64, voted_for: u64) -> Vote {
        openraft::Vote {
            leader_id: LeaderId { term, voted_for },
            committed: term.is_multiple_of(2),
        }
    }

    /// The body of a frame.
    fn body(frame: BytesMut) -> Bytes {
        frame.freeze().slice(4..)
    }

    fn response_bytes(put: impl FnOnce(&mut Writer<'_>)) -> Bytes {
        let mut out = BytesMut::new();
        put(&mut Writer::new(&mut out));
        out.freeze()
    }

    /// `get` gives back what is shown as `expected`, and survives every cut.
    fn comes_back<T: std::fmt::Debug>(
        bytes: &Bytes,
        expected: &impl std::fmt::Debug,
        get: impl Fn(&Bytes) -> Result<T, Malformed>,
    ) {
        let read = get(bytes).expect("it decodes");
        assert_eq!(format!("{read:?}"), format!("{expected:?}"));
        for cut in 1..bytes.len() {
            assert!(get(&bytes.slice(..cut)).is_err(), "cut after {cut}");
        }
    }

    fn append(entries: Vec<Entry>) -> AppendEntriesRequest<TypeConfig> {
        AppendEntriesRequest {
            vote: vote(4, 2),
            prev_log_id: Some(id(3, 9)),
            leader_commit: (!entries.is_empty()).then(|| id(3, 8)),
            entries,
        }
    }

    #[test]
    fn append_requests_come_back() {
        let entry = |index, payload| Entry {
            log_id: id(4, index),
            payload,
        };
        let batch = EntryPayload::Normal(Batch::from_bytes(Bytes::from_static(b"a batch")));
        let entries = vec![entry(10, EntryPayload::Blank), entry(11, batch)];
        for request in [append(Vec::new()), append(entries)] {
            let bytes = body(append_frame(&request));
            assert_eq!(bytes[0], APPEND);
            comes_back(&bytes, &request, append_request);
        }
    }

    #[test]
    fn votes_and_transfers_come_back() {
        for last_log_id in [None, Some(id(1, 2))] {
            let request = VoteRequest {
                vote: vote(7, 3),
                last_log_id,
                leadership_transfer: last_log_id.is_some(),
            };
            let bytes = body(vote_frame(VOTE, &request));
            comes_back(&bytes, &request, |b| {
                vote_request(&mut Reader::new(&b[1..]))
            });
            let response = VoteResponse {
                vote: vote(8, 1),
                vote_granted: last_log_id.is_none(),
                last_log_id,
            };
            let bytes = response_bytes(|w| put_vote_response(&response, w));
            comes_back(&bytes, &response, |b| vote_response(&mut Reader::new(b)));
            let transfer = TransferLeaderRequest::new(vote(8, 1), 5, last_log_id);
            let bytes = body(transfer_frame(&transfer));
            comes_back(&bytes, &transfer, |b| {
                transfer_request(&mut Reader::new(&b[1..]))
            });
        }
    }

    #[test]
    fn responses_come_back() {
        let appends = [
            AppendEntriesResponse::Success,
            AppendEntriesResponse::PartialSuccess(None),
            AppendEntriesResponse::PartialSuccess(Some(id(1, 2))),
            AppendEntriesResponse::Conflict,
            AppendEntriesResponse::HigherVote(vote(9, 9)),
        ];
        for response in appends {
            let bytes = response_bytes(|w| put_append_response(&response, w));
            comes_back(&bytes, &response, |b| append_response(&mut Reader::new(b)));
        }
        let transfers: [TransferLeaderResponse<TypeConfig>; 3] = [
            Ok(()),
            Err(TransferLeaderError::VoteChanged {
                expected: vote(1, 1),
                actual: vote(2, 2),
            }),
            Err(TransferLeaderError::LogNotFlushed {
                expected: Some(id(1, 1)),
                actual: None,
            }),
        ];
        for response in transfers {
            let bytes = response_bytes(|w| put_transfer_response(&response, w));
            comes_back(&bytes, &response, |b| {
                transfer_response(&mut Reader::new(b))
            });
        }
    }

    #[test]
    fn answers_and_errors_are_told_apart() {
        let good = body(answer_frame(Ok(BytesMut::from(&b"answer"[..]))));
        assert_eq!(answer(&good).expect("it is an answer"), &b"answer"[..]);
        let bad = body(answer_frame(Err(io::Error::other("why not"))));
        assert_eq!(
            answer(&bad).expect_err("it is an error").to_string(),
            "why not"
        );
        assert!(answer(&Bytes::new()).is_err());
    }

    /// Any bytes are a value or malformed, and a count is never believed.
    #[test]
    fn random_bytes_do_no_harm() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let whole = body(append_frame(&append(vec![Entry {
            log_id: id(4, 10),
            payload: EntryPayload::Blank,
        }])));
        for _ in 0..20_000 {
            let mut bytes = whole.to_vec();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(1..bytes.len());
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(1..=bytes.len()));
            let bytes = Bytes::from(bytes);
            // Only that nothing panics or takes all memory.
            let _ = append_request(&bytes);
            let _ = append_response(&mut Reader::new(&bytes));
            let _ = vote_request(&mut Reader::new(&bytes));
            let _ = vote_response(&mut Reader::new(&bytes));
            let _ = transfer_request(&mut Reader::new(&bytes));
            let _ = transfer_response(&mut Reader::new(&bytes));
            let _ = answer(&bytes);
        }
    }
}
