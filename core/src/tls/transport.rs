//! TLS around byte streams, as server and as the one who connects.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::environment::{BoxFuture, Listener, Net, Stream};
use crate::tls::Credentials;

/// How every handshake begins, and nothing that is not TLS: a length that begins so is beyond all
/// limits, a four-letter word begins with a letter.
const HANDSHAKE_RECORD: u8 = 0x16;

/// Accepts TLS on one kind of port.
#[derive(Debug)]
pub(crate) struct Accept {
    credentials: Arc<Credentials>,
    /// Leave streams that do not begin like TLS as they are.
    plain_too: bool,
    handshakes: Semaphore,
}

impl Accept {
    pub(crate) fn new(credentials: Arc<Credentials>, plain_too: bool) -> Accept {
        let places = usize::try_from(credentials.settings().handshakes_max).unwrap_or(usize::MAX);
        Accept {
            credentials,
            plain_too,
            handshakes: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
        }
    }

    /// Takes the other side's part of the handshake, within the limits of the settings. The stream
    /// that comes back has the certificate that was shown.
    pub(crate) async fn secure(&self, stream: Stream) -> io::Result<Stream> {
        let (stream, _) = self.secure_or_plain(stream).await?;
        Ok(stream)
    }

    /// As [`Accept::secure`], and tells whether the other side speaks TLS.
    pub(crate) async fn secure_or_plain(&self, stream: Stream) -> io::Result<(Stream, bool)> {
        let settings = self.credentials.settings();
        let limit = Duration::from_millis(u64::from(settings.handshake_ms_max));
        let Ok(_place) = self.handshakes.try_acquire() else {
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                format!(
                    "{} handshakes are in progress already \
                     (netty.server.outstandingHandshake.limit)",
                    settings.handshakes_max
                ),
            ));
        };
        let shaking = self.shake(stream);
        let shaken = tokio::time::timeout(limit, shaking).await;
        shaken.unwrap_or_else(|_| {
            let text = "no TLS handshake within ssl.handshakeDetectionTimeoutMillis";
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        })
    }

    async fn shake(&self, stream: Stream) -> io::Result<(Stream, bool)> {
        let stream = match self.plain_too {
            false => stream,
            true => match begins_like_tls(stream).await? {
                (stream, false) => return Ok((stream, false)),
                (stream, true) => stream,
            },
        };
        let Stream {
            reader,
            writer,
            peer,
            ..
        } = stream;
        let acceptor = TlsAcceptor::from(self.credentials.ready().server);
        let secured = acceptor.accept(tokio::io::join(reader, writer)).await;
        let secured = secured.map_err(|error| explain(error, "no TLS"))?;
        let shown = secured.get_ref().1.peer_certificates();
        let certificate = shown
            .and_then(|chain| chain.first())
            .map(|certificate| Bytes::copy_from_slice(certificate));
        let (reader, writer) = tokio::io::split(secured);
        let secured = Stream {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer,
            certificate,
        };
        Ok((secured, true))
    }
}

fn explain(error: io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Reads the first bytes, and puts them back in front.
async fn begins_like_tls(stream: Stream) -> io::Result<(Stream, bool)> {
    let mut reader = stream.reader;
    let mut first = [0; 1];
    reader.read_exact(&mut first).await?;
    let reader: Box<dyn AsyncRead + Send + Sync + Unpin> =
        Box::new(io::Cursor::new(first).chain(reader));
    Ok((Stream { reader, ..stream }, first[0] == HANDSHAKE_RECORD))
}

/// The network between servers, with TLS inside.
pub(crate) struct SecureNet {
    inner: Arc<dyn Net>,
    credentials: Arc<Credentials>,
    accept: Arc<Accept>,
    connect: bool,
}

impl SecureNet {
    /// `connect`: speak TLS with those we connect to, too; `plain_too`: accept others without.
    pub(crate) fn new(
        inner: Arc<dyn Net>,
        credentials: Arc<Credentials>,
        connect: bool,
        plain_too: bool,
    ) -> SecureNet {
        SecureNet {
            inner,
            accept: Arc::new(Accept::new(Arc::clone(&credentials), plain_too)),
            credentials,
            connect,
        }
    }

    async fn shake(&self, address: &str, stream: Stream) -> io::Result<Stream> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let text = format!("{host:?} is no name that a certificate can show");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?;
        let client = self.credentials.ready().client;
        let client = client.ok_or_else(|| io::Error::other("no trust store"))?;
        let Stream {
            reader,
            writer,
            peer,
            ..
        } = stream;
        let both = tokio::io::join(reader, writer);
        let limit = self.credentials.settings().handshake_ms_max;
        let connector = TlsConnector::from(client);
        let connecting = connector.connect(name, both);
        let limit = Duration::from_millis(u64::from(limit));
        let secured = tokio::time::timeout(limit, connecting).await?;
        let secured = secured.map_err(|error| explain(error, "no TLS"))?;
        let (reader, writer) = tokio::io::split(secured);
        Ok(Stream {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer,
            certificate: None,
        })
    }
}

impl Net for SecureNet {
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let stream = self.inner.connect(address).await?;
            match self.connect {
                true => self.shake(address, stream).await,
                false => Ok(stream),
            }
        })
    }

    fn listen(&self, address: SocketAddr, backlog: i32) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(SecureListener {
            inner: self.inner.listen(address, backlog)?,
            accept: Arc::clone(&self.accept),
            shaking: Mutex::default(),
        }))
    }
}

/// Gives out streams whose handshake is done. Handshakes go on side by side; dropping the listener
/// ends them.
struct SecureListener {
    inner: Box<dyn Listener>,
    accept: Arc<Accept>,
    shaking: Mutex<JoinSet<(SocketAddr, io::Result<Stream>)>>,
}

impl SecureListener {
    /// Safe to cancel: handshakes in progress are kept, and go on with the next call.
    async fn next(&self) -> io::Result<Stream> {
        let mut shaking = self.shaking.lock().await;
        loop {
            tokio::select! {
                biased;
                Some(shaken) = shaking.join_next() => match shaken {
                    Ok((_, Ok(stream))) => return Ok(self.bind_to_host(stream)),
                    Ok((peer, Err(error))) => {
                        tracing::warn!(%peer, %error, "refused on the quorum port");
                    }
                    Err(error) => tracing::error!(%error, "a handshake came to nothing"),
                },
                accepted = self.inner.accept() => {
                    let stream = accepted?;
                    let accept = Arc::clone(&self.accept);
                    shaking.spawn(async move { (stream.peer, accept.secure(stream).await) });
                }
            }
        }
    }

    /// Leaves the certificate on the stream only if it has to fit its server's host.
    fn bind_to_host(&self, stream: Stream) -> Stream {
        let settings = self.accept.credentials.settings();
        Stream {
            certificate: stream
                .certificate
                .filter(|_| settings.client_hostname_verification),
            ..stream
        }
    }
}

impl Listener for SecureListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(self.next())
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.inner.address()
    }
}
