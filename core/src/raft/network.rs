//! How Raft's messages reach the other servers: one connection per peer and use, opened when
//! needed, and answered in order.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::environment::Net;
use crate::metrics::{Count, Metrics};
use crate::proto::{Malformed, Reader, ServerId, Writer};
use crate::raft::addresses::AddressBook;
use crate::raft::peer::{self, Hello, PeerReader, PeerWriter, Purpose, frame, invalid};
use crate::raft::rpc;
use crate::raft::types::{SnapshotMeta, TypeConfig, Vote, get_vote, put_vote, snapshot_meta_bytes};
use crate::storage::SnapshotFile;

/// Pause before a peer that could not be reached is tried again: what a server that comes back has
/// to wait at most.
const RETRY: Duration = Duration::from_millis(50);

/// Late answers that a connection is kept for. Beyond, its peer may be gone without a word.
const OWED_MAX: usize = 8;

/// Raw bytes of a snapshot in one frame.
const SNAPSHOT_FRAME_BYTES: usize = 1 << 20;

/// The slowest link between servers that a large entry must still get through.
const LINK_BYTES_PER_SECOND_MIN: u64 = 1 << 20;

/// Makes the connections of one server.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) me: ServerId,
    pub(crate) net: Arc<dyn Net>,
    /// Where the servers are; goes before the addresses of the membership, which may be older.
    pub(crate) addresses: Arc<AddressBook>,
    /// Peers that did not answer when they were last spoken to.
    pub(crate) silent: Arc<Mutex<BTreeSet<u64>>>,
    /// To open a connection.
    pub(crate) connect: Duration,
    /// To send a peer a small entry and have it on its disk.
    pub(crate) append: Duration,
    /// What this server counts.
    pub(crate) metrics: Arc<Metrics>,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Link {
        Link {
            network: self.clone(),
            target,
            listed: node.addr.clone(),
            connection: None,
            owed: 0,
            torn: false,
            opening: None,
        }
    }
}

impl Network {
    /// Tells the operator when a peer falls silent and when it answers again, once each.
    fn heard(&self, target: u64, address: &str, answered: Result<(), &io::Error>) {
        let mut silent = self.silent.lock();
        match answered {
            Ok(()) if silent.remove(&target) => {
                tracing::warn!(server = target, %address, "the server answers again");
            }
            Err(error) if silent.insert(target) => {
                tracing::warn!(server = target, %address, %error, "the server does not answer");
            }
            _ => {}
        }
    }
}

/// One connection to one peer, opened at the first message and again after a failure.
pub(crate) struct Link {
    network: Network,
    target: u64,
    /// The address of the membership.
    listed: String,
    connection: Option<Connection>,
    /// Answers of this connection that nobody waits for any more.
    owed: usize,
    /// A request is only partly on its way, so nothing may follow it.
    torn: bool,
    /// A connection on its way. It goes on when a call is given up: openraft gives a heartbeat
    /// less time than a far peer needs to be connected to.
    opening: Option<JoinHandle<io::Result<Connection>>>,
}

type Connection = (PeerReader, PeerWriter);

impl Link {
    /// Where the server is now: it may have moved since this link was made.
    fn address(&self) -> String {
        let server = u8::try_from(self.target).ok().map(ServerId);
        let known = server.and_then(|server| self.network.addresses.address(server));
        known.unwrap_or_else(|| self.listed.clone())
    }

    fn hello(&self, purpose: Purpose) -> Hello {
        let to = ServerId(u8::try_from(self.target).unwrap_or(u8::MAX));
        Hello {
            from: self.network.me,
            to,
            purpose,
        }
    }

    /// Opens the connection if there is none. Safe to cancel.
    async fn connect(&mut self) -> io::Result<()> {
        if self.torn || self.owed > OWED_MAX {
            self.disconnect();
        }
        if self.connection.is_some() {
            return Ok(());
        }
        let hello = self.hello(Purpose::Raft);
        let address = self.address();
        let opening = match &mut self.opening {
            Some(opening) => opening,
            none => {
                let net = Arc::clone(&self.network.net);
                let (hello, limit) = (hello, self.network.connect);
                none.insert(tokio::spawn(async move {
                    tokio::time::timeout(limit, peer::connect(&*net, &address, hello)).await?
                }))
            }
        };
        let opened = opening.await;
        self.opening = None;
        self.connection = Some(opened.map_err(io::Error::other)??);
        Ok(())
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.owed = 0;
        self.torn = false;
    }

    /// Sends a request and waits for its answer. Safe to cancel: what a call that was given up has
    /// left unread is read by the next one, so that a late answer is never taken for another's.
    /// A peer that is only slow is not connected to again for every heartbeat it was late for.
    async fn exchange(&mut self, request: &[u8]) -> io::Result<Bytes> {
        self.connect().await?;
        let (reader, writer) = self.connection.as_mut().expect("it was opened just now");
        self.torn = true;
        writer.send(request).await?;
        self.torn = false;
        self.owed += 1;
        loop {
            let answer = reader.next().await?;
            self.owed -= 1;
            if self.owed == 0 {
                return Ok(answer);
            }
        }
    }

    /// Sends a request and waits for its answer, within a limit.
    async fn call(
        &mut self,
        request: BytesMut,
        kind: RPCTypes,
        limit: Duration,
    ) -> Result<Bytes, RPCError<TypeConfig>> {
        match tokio::time::timeout(limit, self.exchange(&request)).await {
            Err(_) => Err(RPCError::Timeout(Timeout {
                action: kind,
                id: u64::from(self.network.me.0),
                target: self.target,
                timeout: limit,
            })),
            Ok(Err(error)) => {
                self.disconnect();
                self.network
                    .heard(self.target, &self.address(), Err(&error));
                Err(unreachable(&error))
            }
            Ok(Ok(answer)) => match rpc::answer(&answer) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.disconnect();
                    self.network
                        .heard(self.target, &self.address(), Err(&error));
                    Err(unreachable(&error))
                }
                answer => {
                    self.network.heard(self.target, &self.address(), Ok(()));
                    answer.map_err(|error| RPCError::Network(NetworkError::new(&error)))
                }
            },
        }
    }
}

/// What the slowest link may take for so many bytes.
fn sending_time(bytes: usize) -> Duration {
    Duration::from_micros(bytes as u64 * 1_000_000 / LINK_BYTES_PER_SECOND_MIN)
}

fn unreachable(error: &io::Error) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::new(error))
}

fn malformed(error: Malformed) -> RPCError<TypeConfig> {
    RPCError::Network(NetworkError::new(&error))
}

impl RaftNetworkV2<TypeConfig> for Link {
    type SnapshotData = SnapshotFile;

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(RETRY)))
    }

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let frame = rpc::append_frame(&request);
        // openraft allows one heartbeat interval, in which a large entry never gets through a slow
        // link or onto a slow disk, however often it is sent. Heartbeats have connections of their
        // own, and are cut short by openraft itself.
        let limit = match request.entries.is_empty() {
            true => option.hard_ttl(),
            false => option.hard_ttl().max(self.network.append) + sending_time(frame.len()),
        };
        let answer = self.call(frame, RPCTypes::AppendEntries, limit).await?;
        rpc::append_response(&mut Reader::new(&answer)).map_err(malformed)
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let frame = rpc::vote_frame(rpc::VOTE, &request);
        let answer = self.call(frame, RPCTypes::Vote, option.hard_ttl()).await?;
        rpc::vote_response(&mut Reader::new(&answer)).map_err(malformed)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        let frame = rpc::vote_frame(rpc::PRE_VOTE, &request);
        let answer = self.call(frame, RPCTypes::Vote, option.hard_ttl()).await?;
        rpc::vote_response(&mut Reader::new(&answer)).map_err(malformed)
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let frame = rpc::transfer_frame(&request);
        let answer = self
            .call(frame, RPCTypes::TransferLeader, option.hard_ttl())
            .await?;
        rpc::transfer_response(&mut Reader::new(&answer)).map_err(malformed)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::type_config::alias::SnapshotOf<TypeConfig, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let hello = self.hello(Purpose::Snapshot);
        let sending = send_snapshot(self, hello, vote, &snapshot.meta, &snapshot.snapshot);
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = sending => match sent {
                Ok(vote) => Ok(SnapshotResponse::new(vote)),
                Err(error) => Err(StreamingError::Unreachable(Unreachable::new(&error))),
            },
        }
    }
}

/// Streams a snapshot from its file. Reading the file is left to the blocking threads.
async fn send_snapshot(
    link: &Link,
    hello: Hello,
    vote: Vote,
    meta: &SnapshotMeta,
    file: &SnapshotFile,
) -> io::Result<Vote> {
    let (mut reader, mut writer) =
        peer::connect(&*link.network.net, &link.address(), hello).await?;
    link.network.metrics.count(Count::SnapshotsSent);
    tracing::info!(
        target = link.target,
        bytes = file.bytes,
        "sending a snapshot"
    );
    let meta = snapshot_meta_bytes(meta);
    let begin = frame(|w| {
        put_vote(&vote, w);
        w.buffer(Some(&meta));
        w.u64(file.bytes);
    });
    writer.send(&begin).await?;
    let mut offset = 0;
    while offset < file.bytes {
        let reading = file.clone();
        let chunk = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; SNAPSHOT_FRAME_BYTES];
            let read = reading.read_at(&mut chunk, offset)?;
            chunk.truncate(read);
            io::Result::Ok(chunk)
        });
        let chunk = chunk.await.map_err(io::Error::other)??;
        if chunk.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        offset += chunk.len() as u64;
        writer
            .send(&frame(|w: &mut Writer<'_>| w.raw(&chunk)))
            .await?;
    }
    let answer = rpc::answer(&reader.next().await?)?;
    get_vote(&mut Reader::new(&answer)).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use openraft::network::RPCTypes::Vote as Kind;

    use super::*;
    use crate::environment::Listener;
    use crate::environment::in_process::{Dialer, Inbox, entrance};
    use crate::raft::Members;
    use crate::tree::Configuration;

    /// Longer than anything here takes.
    const LONG: Duration = Duration::from_secs(30);

    fn link(dialer: Dialer) -> Link {
        let files = Members {
            voters: [(ServerId(2), "there:1".to_owned())].into(),
            ..Members::default()
        };
        let configuration = Configuration::default();
        let network = Network {
            me: ServerId(1),
            net: Arc::new(dialer),
            addresses: Arc::new(AddressBook::new(ServerId(1), files, &configuration)),
            silent: Arc::default(),
            connect: LONG,
            append: LONG,
            metrics: Arc::default(),
        };
        Link {
            network,
            target: 2,
            listed: String::new(),
            connection: None,
            owed: 0,
            torn: false,
            opening: None,
        }
    }

    async fn accept(inbox: &Inbox) -> (PeerReader, PeerWriter) {
        let (mut reader, writer) = peer::frames(inbox.accept().await.unwrap());
        reader.hello().await.unwrap();
        (reader, writer)
    }

    fn request(text: &[u8]) -> BytesMut {
        frame(|w| w.raw(text))
    }

    /// Answers with what was asked.
    async fn answer(reader: &mut PeerReader, writer: &mut PeerWriter) {
        let asked = reader.next().await.unwrap();
        let answer = rpc::answer_frame(Ok(BytesMut::from(&asked[..])));
        writer.send(&answer).await.unwrap();
    }

    #[tokio::test]
    async fn a_slow_peer_keeps_its_connection_and_its_late_answer_is_nobody_elses() {
        let (dialer, inbox) = entrance();
        let mut link = link(dialer);
        let asking = link.call(request(b"first"), Kind, LONG);
        let peer = async {
            let (mut reader, mut writer) = accept(&inbox).await;
            answer(&mut reader, &mut writer).await;
            (reader, writer)
        };
        let (answered, (mut reader, mut writer)) = tokio::join!(asking, peer);
        assert_eq!(&answered.unwrap()[..], b"first");
        let short = Duration::from_millis(20);
        let late = link.call(request(b"slow"), Kind, short).await;
        assert!(matches!(late, Err(RPCError::Timeout(_))));
        let peer = async {
            answer(&mut reader, &mut writer).await;
            answer(&mut reader, &mut writer).await;
        };
        let (answered, ()) = tokio::join!(link.call(request(b"next"), Kind, LONG), peer);
        assert_eq!(&answered.unwrap()[..], b"next");
    }

    #[tokio::test]
    async fn a_peer_that_answers_nothing_at_all_is_connected_to_anew() {
        let (dialer, inbox) = entrance();
        let mut link = link(dialer);
        let short = Duration::from_millis(5);
        let _ = link.call(request(b"x"), Kind, short).await;
        let (_silent, _writer) = accept(&inbox).await;
        for _ in 0..=OWED_MAX {
            assert!(link.call(request(b"x"), Kind, short).await.is_err());
        }
        let peer = async {
            let (mut reader, mut writer) = accept(&inbox).await;
            // Those that were given up on the way, and this one.
            for _ in 0..=OWED_MAX {
                answer(&mut reader, &mut writer).await;
            }
        };
        tokio::select! {
            answered = link.call(request(b"y"), Kind, LONG) => {
                assert_eq!(&answered.unwrap()[..], b"y");
            }
            () = peer => panic!("nobody took the answer"),
        }
    }
}
