//! The task that moves drafts: to Raft while this server leads, to the leader while it follows.
//!
//! ```text
//!            ┌──────────── nobody leads: wait ◀───────────┐
//!            ▼                                            │
//!   lead: batches, a few in flight          follow: runs, touches, read indexes on one stream
//! ```
//!
//! Also the other end of that stream: what a leader does with what its followers send.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use openraft::impls::ProgressResponder;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::metrics::{Count, Detailed};
use crate::proto::{Malformed, Reader, ServerId, SessionId, Writer};
use crate::raft::peer::{self, Hello, PeerReader, PeerWriter, Purpose, frame, invalid};
use crate::raft::{ASKS_MAX, Consensus, Leadership};
use crate::storage::PAYLOAD_BYTES_MAX;
use crate::tree::{Batch, Lane, Run};

/// Batches on their way at once. More only help while the disk is slow.
const BATCHES_IN_FLIGHT_MAX: usize = 4;

/// Pause before a refused batch or a failed connection is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// Sessions a follower reports in one frame.
const TOUCHED_MAX: usize = 100_000;

/// Looks (see [`Timing::stall`](crate::raft::Timing)) a leader may leave its follower without any
/// answer before the connection counts as dead.
const SILENT_LOOKS_MAX: u32 = 3;

/// Bytes of one run. A batch of one run must fit into an entry of the log.
const RUN_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - (1 << 20);

/// Answers a leader may owe one follower.
const ANSWERS_MAX: usize = 64;

const RUN: u8 = 1;
const TOUCH: u8 = 2;
const READ_INDEX: u8 = 3;
const TOUCHED: u8 = 4;
const REACHED: u8 = 5;

/// What a server asks of the leader beside drafts.
#[derive(Debug)]
pub(crate) enum Ask {
    /// These sessions were heard of; `sent_ms` comes back as proof of contact.
    Touch {
        sessions: Vec<SessionId>,
        sent_ms: u64,
    },
    /// The index everything committed so far is at; nothing is sent when nobody can tell.
    ReadIndex(oneshot::Sender<u64>),
}

/// Runs until the server stops.
pub(crate) async fn run(consensus: Arc<Consensus>, mut asks: mpsc::Receiver<Ask>) {
    let mut leadership = consensus.watch_leadership();
    loop {
        let now = *leadership.borrow_and_update();
        match now {
            Leadership::Stopped => return,
            Leadership::Mine { .. } => lead(&consensus, now, &mut asks).await,
            Leadership::Of { server, .. } => {
                if let Err(error) = follow(&consensus, now, server, &mut asks).await {
                    tracing::debug!(leader = server.0, %error, "the lane to the leader broke");
                    tokio::time::sleep(RETRY).await;
                }
            }
            Leadership::Nobody => {
                tokio::select! {
                    _ = leadership.changed() => {}
                    // Nobody can answer; a dropped sender says so.
                    Some(ask) = asks.recv() => drop(ask),
                }
            }
        }
        consensus.proposer.resend();
    }
}

/// Batches what there is, as long as this server leads.
async fn lead(consensus: &Arc<Consensus>, now: Leadership, asks: &mut mpsc::Receiver<Ask>) {
    let mut leadership = consensus.watch_leadership();
    let mut in_flight = FuturesUnordered::new();
    let proposer = &consensus.proposer;
    loop {
        if *leadership.borrow_and_update() != now {
            break;
        }
        if in_flight.len() < BATCHES_IN_FLIGHT_MAX {
            let runs = proposer.take_batch();
            if !runs.is_empty() {
                let batch = Batch::new(consensus.clock.wall_ms(), &runs);
                let proposed = Proposed::count(consensus, &runs);
                let (responder, written) = ProgressResponder::complete_only();
                if consensus
                    .raft
                    .write(batch)
                    .responder(responder)
                    .await
                    .is_err()
                {
                    // Raft has ended. A runtime that ends may never get to tell the leadership,
                    // so nothing here may go round without a pause at which it can be ended.
                    tokio::task::yield_now().await;
                    tokio::time::sleep(RETRY).await;
                    break;
                }
                in_flight.push(written.map(move |written| (proposed, written)));
                continue;
            }
        }
        tokio::select! {
            biased;
            _ = leadership.changed() => {}
            Some((proposed, written)) = in_flight.next() => {
                // A refusal comes right after an election, before the first quorum answered.
                if matches!(written, Ok(Ok(_))) {
                    proposed.committed(consensus);
                } else {
                    tokio::time::sleep(RETRY).await;
                    proposer.lose();
                }
            }
            Some(ask) = asks.recv() => answer_myself(consensus, ask),
            () = proposer.work.notified(), if in_flight.len() < BATCHES_IN_FLIGHT_MAX => {}
        }
    }
    proposer.lose();
}

/// A batch on its way.
#[derive(Clone, Copy)]
struct Proposed {
    drafts: u64,
    begun_us: u64,
}

impl Proposed {
    fn count(consensus: &Consensus, runs: &[Run]) -> Proposed {
        let drafts = runs.iter().map(|run| u64::from(run.count)).sum();
        let bytes = runs.iter().map(|run| run.drafts.len() as u64).sum();
        let metrics = &consensus.metrics;
        metrics.add(Count::Proposals, drafts);
        metrics.proposal_sizes.observe(bytes, bytes, bytes);
        Proposed {
            drafts,
            begun_us: consensus.clock.monotonic_us(),
        }
    }

    fn committed(self, consensus: &Consensus) {
        let us = consensus.clock.monotonic_us().saturating_sub(self.begun_us);
        let metrics = &consensus.metrics;
        metrics.add(Count::Commits, self.drafts);
        let latency = metrics.detailed(Detailed::ProposalLatency);
        latency.observe_times(us, self.drafts);
    }
}

fn answer_myself(consensus: &Arc<Consensus>, ask: Ask) {
    match ask {
        Ask::Touch { sessions, sent_ms } => {
            consensus.touched(sessions);
            if consensus.quorum_is_fresh() {
                consensus.contact_ms.store(sent_ms, Ordering::Relaxed);
            }
        }
        Ask::ReadIndex(reached) => {
            let consensus = Arc::clone(consensus);
            tokio::spawn(async move {
                if let Some(index) = consensus.read_index().await {
                    // Whoever asked may have gone.
                    let _ = reached.send(index);
                }
            });
        }
    }
}

/// Sends this server's lane to the leader, as long as it leads.
async fn follow(
    consensus: &Arc<Consensus>,
    now: Leadership,
    leader: ServerId,
    asks: &mut mpsc::Receiver<Ask>,
) -> io::Result<()> {
    let mut leadership = consensus.watch_leadership();
    let address = consensus
        .address_of(leader)
        .ok_or(io::ErrorKind::NotFound)?;
    let hello = Hello {
        from: consensus.me,
        to: leader,
        purpose: Purpose::Lane,
    };
    let opening = peer::connect(&*consensus.net, &address, hello);
    let opened = tokio::select! {
        opened = tokio::time::timeout(consensus.timing.connect, opening) => opened,
        _ = leadership.wait_for(|later| *later != now) => return Ok(()),
    };
    let (reader, mut writer) = opened.map_err(io::Error::from)??;
    let mut lane = Following {
        reader,
        questions: Questions::default(),
        silent: 0,
    };
    let mut progress = Stall::new(consensus);
    let mut look = tokio::time::interval(consensus.timing.stall);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    consensus.proposer.resend();
    loop {
        let sending = tokio::select! {
            biased;
            _ = leadership.changed() => BytesMut::new(),
            answer = lane.reader.next() => {
                lane.take_answer(consensus, &answer?)?;
                BytesMut::new()
            }
            Some(ask) = asks.recv() => lane.ask(ask),
            _ = look.tick() => {
                progress.check(consensus);
                lane.check_silence()?;
                BytesMut::new()
            }
            () = consensus.proposer.work.notified() => unsent(consensus),
        };
        if !sending.is_empty() {
            tokio::select! {
                sent = writer.send(&sending) => sent?,
                // Part of a frame may be on its way, so nothing may follow it.
                _ = leadership.changed() => return Ok(()),
            }
        }
        if *leadership.borrow() != now {
            return Ok(());
        }
    }
}

/// Notices that drafts have been waiting without any of them being done.
struct Stall {
    done: u64,
}

impl Stall {
    fn new(consensus: &Consensus) -> Stall {
        Stall {
            done: consensus.proposer.done(),
        }
    }

    fn check(&mut self, consensus: &Consensus) {
        let done = consensus.proposer.done();
        if done == self.done && consensus.proposer.backlog().2 > 0 {
            consensus.proposer.resend();
        }
        self.done = done;
    }
}

/// All runs that have not been sent, as frames.
fn unsent(consensus: &Consensus) -> BytesMut {
    let mut out = BytesMut::new();
    let runs = consensus.proposer.take_unsent();
    if !runs.is_empty() {
        // There may be more than one batch of them.
        consensus.proposer.work.notify_one();
    }
    for run in runs {
        out.extend_from_slice(&frame(|w| {
            w.u8(RUN);
            w.u64(run.lane.boot);
            w.u64(run.first);
            w.u32(run.count);
            w.raw(&run.drafts);
        }));
    }
    out
}

/// The follower's end of a lane.
struct Following {
    reader: PeerReader,
    questions: Questions,
    /// Looks since the leader was asked something and has answered nothing; 0 while it owes
    /// nothing.
    silent: u32,
}

impl Following {
    /// A connection may be dead although the leader is not. Touches ask often enough to tell.
    fn check_silence(&mut self) -> io::Result<()> {
        if self.silent > SILENT_LOOKS_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.silent += u32::from(self.silent > 0);
        Ok(())
    }

    fn ask(&mut self, ask: Ask) -> BytesMut {
        self.silent = self.silent.max(1);
        match ask {
            Ask::Touch { sessions, sent_ms } => {
                let mut out = BytesMut::new();
                for part in sessions.chunks(TOUCHED_MAX) {
                    out.extend_from_slice(&touch_frame(part, sent_ms));
                }
                if sessions.is_empty() {
                    out = touch_frame(&[], sent_ms);
                }
                out
            }
            Ask::ReadIndex(reached) => {
                let number = self.questions.ask(reached);
                frame(|w| {
                    w.u8(READ_INDEX);
                    w.u64(number);
                })
            }
        }
    }

    fn take_answer(&mut self, consensus: &Consensus, body: &Bytes) -> io::Result<()> {
        self.silent = 0;
        let mut r = Reader::new(body);
        match r.u8().map_err(invalid)? {
            TOUCHED => {
                let sent_ms = r.u64().map_err(invalid)?;
                if r.bool().map_err(invalid)? {
                    consensus.contact_ms.store(sent_ms, Ordering::Relaxed);
                }
            }
            REACHED => {
                let number = r.u64().map_err(invalid)?;
                let index = r.u64().map_err(invalid)?;
                self.questions.answered(number, index);
            }
            peer::REFUSED => return Err(peer::refused(r.rest())),
            _ => return Err(invalid(Malformed("unknown answer of a leader"))),
        }
        Ok(())
    }
}

/// Read indexes that a leader was asked for.
#[derive(Default)]
struct Questions {
    asked: u64,
    /// Those that are not answered yet, oldest first.
    waiting: VecDeque<(u64, oneshot::Sender<u64>)>,
}

impl Questions {
    /// The number of another one.
    fn ask(&mut self, reached: oneshot::Sender<u64>) -> u64 {
        // Whoever has given up does not take anybody's place.
        self.waiting.retain(|(_, reached)| !reached.is_closed());
        if self.waiting.len() == ASKS_MAX {
            self.waiting.pop_front();
        }
        self.asked += 1;
        self.waiting.push_back((self.asked, reached));
        self.asked
    }

    /// One answer serves every question before its own too, and none behind it.
    fn answered(&mut self, number: u64, index: u64) {
        let served = self.waiting.partition_point(|(asked, _)| *asked <= number);
        for (_, reached) in self.waiting.drain(..served) {
            // Whoever asked may have gone.
            let _ = reached.send(index);
        }
    }
}

fn touch_frame(sessions: &[SessionId], sent_ms: u64) -> BytesMut {
    frame(|w| {
        w.u8(TOUCH);
        w.u64(sent_ms);
        w.length(sessions.len());
        for session in sessions {
            w.i64(session.0);
        }
    })
}

/// The leader's end of a follower's lane. Ends when this server stops leading or loses runs.
pub(crate) async fn serve(
    consensus: &Arc<Consensus>,
    from: ServerId,
    mut reader: PeerReader,
    writer: PeerWriter,
) -> io::Result<()> {
    let mut lost = consensus.proposer.watch_lost();
    if !matches!(consensus.leadership(), Leadership::Mine { .. }) {
        return Err(io::Error::new(
            io::ErrorKind::NotConnected,
            "this server does not lead",
        ));
    }
    check_followed(consensus, from)?;
    let (answers, owed) = mpsc::channel(ANSWERS_MAX);
    let answering = tokio::spawn(write_answers(writer, owed));
    let served = loop {
        tokio::select! {
            biased;
            _ = lost.changed() => break Ok(()),
            frame = reader.next() => match frame {
                Ok(body) => {
                    if let Err(error) = take(consensus, from, &body, &answers).await {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            },
        }
    };
    drop(answers);
    answering.abort();
    served
}

/// A server that the log is not sent to learns so by a lane that does not hold, and asks to be
/// taken in.
fn check_followed(consensus: &Consensus, from: ServerId) -> io::Result<()> {
    match consensus.is_followed_by(from) {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::NotConnected,
            "the log is not sent to this server",
        )),
    }
}

async fn write_answers(mut writer: PeerWriter, mut owed: mpsc::Receiver<BytesMut>) {
    while let Some(answer) = owed.recv().await {
        if writer.send(&answer).await.is_err() {
            return;
        }
    }
}

async fn take(
    consensus: &Arc<Consensus>,
    from: ServerId,
    body: &Bytes,
    answers: &mpsc::Sender<BytesMut>,
) -> io::Result<()> {
    let mut r = Reader::new(body);
    match r.u8().map_err(invalid)? {
        RUN => {
            let run = run_of(from, body, &mut r).map_err(invalid)?;
            consensus.proposer.receive(run).await;
        }
        TOUCH => {
            let sent_ms = r.u64().map_err(invalid)?;
            let sessions = r.vector(8, |r| Ok(SessionId(r.i64()?))).map_err(invalid)?;
            check_followed(consensus, from)?;
            consensus.touched(sessions);
            let answer = frame(|w: &mut Writer<'_>| {
                w.u8(TOUCHED);
                w.u64(sent_ms);
                // One that the majority has left behind cannot vouch for anybody's session.
                w.bool(consensus.quorum_is_fresh());
            });
            // A follower that does not read its answers loses its lane, not the leader's time.
            answers.try_send(answer).map_err(io::Error::other)?;
        }
        READ_INDEX => {
            let number = r.u64().map_err(invalid)?;
            let consensus = Arc::clone(consensus);
            let answers = answers.clone();
            tokio::spawn(async move {
                if let Some(index) = consensus.read_index().await {
                    let answer = frame(|w| {
                        w.u8(REACHED);
                        w.u64(number);
                        w.u64(index);
                    });
                    let _ = answers.send(answer).await;
                }
            });
        }
        _ => return Err(invalid(Malformed("unknown request of a follower"))),
    }
    Ok(())
}

fn run_of(from: ServerId, body: &Bytes, r: &mut Reader<'_>) -> Result<Run, Malformed> {
    let lane = Lane {
        server: from,
        boot: r.u64()?,
    };
    let (first, count) = (r.u64()?, r.u32()?);
    let drafts = body.slice_ref(r.rest());
    if drafts.len() > RUN_BYTES_MAX {
        return Err(Malformed("a run that no entry can hold"));
    }
    // What does not decode here would stop every server when it is applied.
    let run = Run {
        lane,
        first,
        count,
        drafts,
    };
    let checked = Batch::new(0, std::slice::from_ref(&run));
    let mut proposals = 0;
    for proposal in checked.proposals() {
        proposal?;
        proposals += 1;
    }
    if proposals == count {
        Ok(run)
    } else {
        Err(Malformed("a run of another length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_questions_take_no_answer_away_and_get_none_that_is_too_old() {
        let mut questions = Questions::default();
        let mut ask = || {
            let (reached, answer) = oneshot::channel();
            (questions.ask(reached), answer)
        };
        let (first, mut one) = ask();
        let (_, mut two) = ask();
        let (third, mut three) = ask();
        let (_, mut four) = ask();
        questions.answered(first, 10);
        assert_eq!(one.try_recv(), Ok(10));
        assert!(two.try_recv().is_err());
        questions.answered(third, 30);
        assert_eq!((two.try_recv(), three.try_recv()), (Ok(30), Ok(30)));
        assert!(four.try_recv().is_err());
    }

    #[test]
    fn questions_that_nobody_waits_for_are_forgotten_and_the_others_are_limited() {
        let mut questions = Questions::default();
        for _ in 0..10 {
            questions.ask(oneshot::channel().0);
        }
        assert_eq!(questions.waiting.len(), 1);
        let mut answers = Vec::new();
        for _ in 0..ASKS_MAX + 5 {
            let (reached, answer) = oneshot::channel();
            questions.ask(reached);
            answers.push(answer);
        }
        assert_eq!(questions.waiting.len(), ASKS_MAX);
    }
}
