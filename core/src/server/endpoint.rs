//! TLS of the HTTP endpoints, which the binary serves: keys and trust, handshakes, and who somebody is
//! by a certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::environment::Stream;
use crate::proto::Id;
use crate::server::config::EndpointTls;
use crate::server::secure;
use crate::tls::{Accept, Credentials, TlsError};

/// TLS of one endpoint, ready for handshakes.
#[derive(Debug)]
pub struct SecureEndpoint {
    credentials: Arc<Credentials>,
    accept: Accept,
    super_user: Option<String>,
}

/// A connection whose handshake is done, if there was one.
pub struct Accepted {
    /// What it says from here on.
    pub stream: Stream,
    /// Whether it is encrypted.
    pub is_tls: bool,
    /// Who the other side is by the certificate it has shown; empty without one.
    pub identities: Vec<Id>,
}

impl SecureEndpoint {
    /// Reads key and trust. Blocks for as long as the disk does. `super_user` is the name of a
    /// certificate whose owner may do everything.
    ///
    /// # Errors
    /// A store cannot be read, or is of no use.
    pub fn load(tls: &EndpointTls, super_user: Option<&str>) -> Result<SecureEndpoint, TlsError> {
        let credentials = Arc::new(Credentials::load(tls.settings.clone())?);
        Ok(SecureEndpoint {
            accept: Accept::new(Arc::clone(&credentials), tls.accept_plain),
            credentials,
            super_user: super_user.map(str::to_owned),
        })
    }

    /// Takes the other side's part of the handshake, within the limits of the settings.
    ///
    /// # Errors
    /// The other side does not speak TLS, is not trusted, takes too long, or there are too many.
    pub async fn accept(
        &self,
        socket: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
        peer: SocketAddr,
    ) -> io::Result<Accepted> {
        let (reader, writer) = tokio::io::split(socket);
        let stream = Stream {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer,
            certificate: None,
        };
        let (stream, is_tls) = self.accept.secure_or_plain(stream).await?;
        let identities = match &stream.certificate {
            None => Vec::new(),
            Some(certificate) => secure::names(certificate, self.super_user.as_deref())
                .ok_or_else(|| io::Error::other("its certificate names nobody that can be read"))?,
        };
        Ok(Accepted {
            stream,
            is_tls,
            identities,
        })
    }

    /// Reads files of certificates again when they change, if so configured, until it is dropped.
    pub async fn renew(&self, what: &'static str) {
        if self.credentials.settings().reload {
            secure::renew(vec![(what, Arc::clone(&self.credentials))]).await;
        }
    }
}
