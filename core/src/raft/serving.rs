//! What this server answers its peers.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::Snapshot;

use crate::environment::{Listener, Stream};
use crate::proto::{Malformed, Reader, ServerId, Writer};
use crate::raft::peer::{self, Hello, PeerReader, PeerWriter, Purpose, frame, invalid};
use crate::raft::types::{Vote, entry_id, get_vote, put_vote, snapshot_meta};
use crate::raft::{Consensus, lanes, rpc};
use crate::storage::EntryId;
use crate::tls::is_for_host;

/// A peer must say who it is within this.
const HELLO: Duration = Duration::from_secs(5);

/// Frames of a refused peer that are read and thrown away.
const UNHEARD_MAX: usize = 8;

/// Different reasons for refusing peers that are remembered, so that each is told once.
const TOLD_MAX: usize = 64;

/// Connections of peers at once. An ensemble of nine needs about fifty.
const PEER_CONNECTIONS_MAX: usize = 256;

/// Pause after an accept that failed, so that a full table of descriptors is not a busy loop.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

impl Consensus {
    /// Answers peers until the server stops.
    pub fn serve_peers(self: &Arc<Self>, listener: Box<dyn Listener>) {
        let consensus = Arc::clone(self);
        self.spawn(async move {
            let mut peers = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok(stream) if peers.len() >= PEER_CONNECTIONS_MAX => {
                            tracing::warn!(peer = %stream.peer, PEER_CONNECTIONS_MAX,
                                "too many connections on the quorum port; this one is closed");
                        }
                        Ok(stream) => {
                            peers.spawn(serve(Arc::clone(&consensus), stream));
                        }
                        Err(error) => {
                            tracing::warn!(%error, "cannot accept a peer");
                            tokio::time::sleep(ACCEPT_RETRY).await;
                        }
                    },
                    Some(_) = peers.join_next() => {}
                }
            }
        });
    }

    fn admit_peer(&self, said: &[u8], certificate: Option<&[u8]>) -> io::Result<Hello> {
        let hello = Hello::decode(said).map_err(invalid)?;
        self.check(hello, certificate)?;
        Ok(hello)
    }

    /// Whether the operator has not been told this yet. A peer that is refused comes again and
    /// again.
    fn is_news(&self, peer: IpAddr, error: &io::Error) -> bool {
        let mut told = self.told_peers.lock();
        if told.len() >= TOLD_MAX {
            told.clear();
        }
        told.insert(format!("{peer} {error}"))
    }

    /// Whether a peer may be whom it says, by this server's configuration and, where servers show
    /// certificates, by its own.
    fn check(&self, hello: Hello, certificate: Option<&[u8]>) -> io::Result<()> {
        if hello.to != self.me {
            return Err(io::Error::other(format!(
                "server {} looks for server {}, but this is {}: check its server.N lines",
                hello.from, hello.to, self.me
            )));
        }
        if hello.from == self.me {
            return Err(io::Error::other(format!(
                "another server says that it is server {}, too: check the myid files",
                self.me
            )));
        }
        let listed = self.book.address(hello.from);
        if listed.is_none() && !self.admits_guests && !self.is_followed_by(hello.from) {
            return Err(io::Error::other(format!(
                "server {} is not in this server's configuration; with reconfigEnabled=true on \
                 every server, reconfig can add it",
                hello.from
            )));
        }
        // A guest that has moved says where it is now; see `check_guest`.
        let address = match hello.purpose {
            Purpose::Join => listed,
            _ => listed.or_else(|| self.address_of(hello.from)),
        };
        match (certificate, address) {
            (Some(shown), Some(address)) => check_certificate(shown, hello.from, &address),
            // Nobody knows who this is, so it may ask what everybody may know, and to be taken in.
            (Some(_), None) if !matches!(hello.purpose, Purpose::Probe | Purpose::Join) => {
                Err(io::Error::other(format!(
                    "server {} is not followed yet, so nothing says what host its certificate \
                     must be for; it asks to join first",
                    hello.from
                )))
            }
            _ => Ok(()),
        }
    }

    /// Whether a server that asks to be taken in may have the address that it gives: where servers
    /// show certificates, its own must be for it.
    pub(super) fn check_guest(
        &self,
        from: ServerId,
        address: &str,
        certificate: Option<&[u8]>,
    ) -> io::Result<()> {
        certificate.map_or(Ok(()), |shown| check_certificate(shown, from, address))
    }
}

/// Whether a certificate is for the host of an address.
fn check_certificate(shown: &[u8], from: ServerId, address: &str) -> io::Result<()> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    if is_for_host(shown, host) {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it says that it is server {from}, but its certificate is not for {host}: refused. Give \
         that server a certificate with {host} among its subject alternative names"
    )))
}

async fn serve(consensus: Arc<Consensus>, stream: Stream) {
    let peer = stream.peer;
    if let Err(error) = converse(&consensus, stream).await {
        // A peer that goes away is everyday life; one that does not belong is not.
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => tracing::debug!(%peer, "peer closed"),
            // Its sender has not heard of the new leader yet.
            io::ErrorKind::NotConnected => tracing::debug!(%peer, %error, "lane refused"),
            _ if consensus.is_news(peer.ip(), &error) => {
                tracing::warn!(%peer, %error, "peer connection ended");
            }
            _ => tracing::debug!(%peer, %error, "peer connection ended"),
        }
    }
}

async fn converse(consensus: &Arc<Consensus>, stream: Stream) -> io::Result<()> {
    let certificate = stream.certificate.clone();
    let (mut reader, mut writer) = peer::frames(stream);
    let said = tokio::time::timeout(HELLO, reader.hello()).await??;
    let hello = match consensus.admit_peer(&said, certificate.as_deref()) {
        Ok(hello) => hello,
        Err(why) => {
            refuse(&said, &why, reader, writer).await;
            return Err(why);
        }
    };
    match hello.purpose {
        Purpose::Raft => loop {
            let request = reader.next().await?;
            let answer = rpc::serve(&consensus.raft, &consensus.gate, &request).await;
            writer.send(&answer).await?;
        },
        Purpose::Lane => lanes::serve(consensus, hello.from, reader, writer).await,
        Purpose::Snapshot => {
            consensus.gate.check_entries().await?;
            receive_snapshot(consensus, reader, writer).await
        }
        Purpose::Probe => {
            let lineage = consensus.lineage();
            let answer = frame(|w| {
                w.u8(0);
                w.bool(lineage.is_some());
                w.u64(lineage.unwrap_or(0));
            });
            writer.send(&answer).await
        }
        Purpose::Join => {
            let shown = certificate.as_deref();
            consensus
                .answer_join(hello.from, shown, reader, writer)
                .await
        }
    }
}

/// Tells a server that is refused why, and waits a little until it has heard: what it has sent
/// already would break the connection before that.
async fn refuse(said: &[u8], why: &io::Error, mut reader: PeerReader, mut writer: PeerWriter) {
    let Some(told) = peer::refusal(said, why) else {
        return;
    };
    let telling = async {
        writer.send(&told).await?;
        for _ in 0..UNHEARD_MAX {
            reader.next().await?;
        }
        io::Result::Ok(())
    };
    // Its end is what is waited for.
    let _ = tokio::time::timeout(HELLO, telling).await;
}

async fn receive_snapshot(
    consensus: &Arc<Consensus>,
    mut reader: PeerReader,
    mut writer: PeerWriter,
) -> io::Result<()> {
    let installed = install(consensus, &mut reader).await;
    let answer = rpc::answer_frame(installed.map(|vote| {
        let mut body = bytes::BytesMut::new();
        put_vote(&vote, &mut Writer::new(&mut body));
        body
    }));
    writer.send(&answer).await
}

/// Writes the file as it comes, checks it whole, and hands it to Raft.
async fn install(consensus: &Arc<Consensus>, reader: &mut PeerReader) -> io::Result<Vote> {
    let begin = reader.next().await?;
    let (vote, meta, bytes) = read_begin(&begin).map_err(invalid)?;
    let meta = snapshot_meta(&meta).map_err(invalid)?;
    let id = meta
        .last_log_id
        .as_ref()
        .map_or(EntryId { term: 0, index: 0 }, entry_id);
    tracing::info!(index = id.index, bytes, "receiving a snapshot");
    let mut receiver = consensus.snapshots.receive(id)?;
    let mut received = 0;
    while received < bytes {
        let chunk = reader.next().await?;
        received += chunk.len() as u64;
        let writing = tokio::task::spawn_blocking(move || {
            receiver.write(&chunk)?;
            io::Result::Ok(receiver)
        });
        receiver = writing.await.map_err(io::Error::other)??;
    }
    let finishing = tokio::task::spawn_blocking(move || receiver.finish());
    let snapshot = finishing.await.map_err(io::Error::other)??;
    let response = consensus
        .raft
        .install_full_snapshot(vote, Snapshot { meta, snapshot })
        .await;
    Ok(response.map_err(io::Error::other)?.vote)
}

fn read_begin(body: &Bytes) -> Result<(Vote, Bytes, u64), Malformed> {
    let r = &mut Reader::new(body);
    let vote = get_vote(r)?;
    let meta = r.buffer()?.ok_or(Malformed("snapshot without its place"))?;
    Ok((vote, body.slice_ref(meta), r.u64()?))
}
