//! Raft's requests and answers as bytes, and the side that answers them.

use std::io;

use bytes::{Bytes, BytesMut};
use openraft::entry::RaftEntry;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderError, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};

use crate::proto::{Malformed, Reader, Writer};
use crate::raft::peer::{frame, invalid};
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
            gate.check_entries()?;
            let request = append_request(body).map_err(invalid)?;
            let response = raft
                .append_entries(request)
                .await
                .map_err(io::Error::other)?;
            put_append_response(&response, &mut w);
        }
        VOTE | PRE_VOTE => {
            gate.check_votes()?;
            let request = vote_request(r).map_err(invalid)?;
            let response = match kind {
                VOTE => raft.vote(request).await,
                _ => raft.pre_vote(request).await,
            };
            put_vote_response(&response.map_err(io::Error::other)?, &mut w);
        }
        TRANSFER => {
            gate.check_votes()?;
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
