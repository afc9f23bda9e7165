//! TLS of this server's ports: made ready before it starts, renewed while it runs; and who a client
//! is by its certificate.

use std::sync::Arc;
use std::time::Duration;

use crate::environment::{Net, Stream};
use crate::proto::Id;
use crate::server::StartError;
use crate::server::config::{Config, Transport};
use crate::tls::{
    Accept, Credentials, Renewal, SecureNet, TlsError, is_for_host, java_name, subject,
};

/// How often files of certificates are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// TLS with clients.
#[derive(Debug)]
pub(crate) struct ClientTls {
    /// On ports of TLS alone.
    strict: Accept,
    /// On ports where clients may do without.
    either: Accept,
    check_host: bool,
    /// `X509AuthenticationProvider.superUser`.
    super_user: Option<String>,
}

/// Why a client is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    NoHandshake(#[from] std::io::Error),
    #[error("its certificate names its owner in a way that cannot be read")]
    NoName,
    #[error("its certificate, of {name}, is not for {address} (ssl.clientHostnameVerification)")]
    OtherHost { name: String, address: String },
    #[error("this port speaks TLS, and nothing is set up for it")]
    NotSetUp,
}

/// What a server needs of TLS.
pub(super) struct Secured {
    pub(super) clients: Option<ClientTls>,
    /// The network between servers, secured if so configured.
    pub(super) net: Arc<dyn Net>,
    /// What has to be read again when its files change.
    pub(super) renewed: Vec<(&'static str, Arc<Credentials>)>,
}

/// Reads keys and certificates.
pub(super) async fn secure(config: &Config, net: Arc<dyn Net>) -> Result<Secured, StartError> {
    let (clients, quorum) = (config.client_tls.clone(), config.quorum_tls.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let load = |settings| Credentials::load(settings).map(Arc::new);
        let clients = clients.map(load).transpose()?;
        let servers = quorum.map(|tls| Ok((load(tls.settings)?, tls.connect, tls.accept_plain)));
        Ok::<_, TlsError>((clients, servers.transpose()?))
    });
    let (clients, servers) = reading.await.map_err(std::io::Error::other)??;
    let servers_credentials = servers.as_ref().map(|(servers, ..)| Arc::clone(servers));
    let renewed = [
        ("clients", clients.clone()),
        ("servers", servers_credentials),
    ];
    let renewed = renewed.into_iter().filter_map(|(whom, credentials)| {
        Some((whom, credentials.filter(|c| c.settings().reload)?))
    });
    Ok(Secured {
        renewed: renewed.collect(),
        clients: clients.map(|credentials| ClientTls {
            check_host: credentials.settings().client_hostname_verification,
            super_user: config.x509_super_user.clone(),
            strict: Accept::new(Arc::clone(&credentials), false),
            either: Accept::new(credentials, true),
        }),
        net: match servers {
            None => net,
            Some((credentials, connect, accept_plain)) => {
                Arc::new(SecureNet::new(net, credentials, connect, accept_plain))
            }
        },
    })
}

impl ClientTls {
    /// Shakes hands with a client, if its port and its first bytes ask for it.
    pub(crate) async fn accept(
        tls: Option<&ClientTls>,
        transport: Transport,
        stream: Stream,
    ) -> Result<Stream, Refusal> {
        let tls = match transport {
            Transport::Plain => return Ok(stream),
            Transport::Tls | Transport::Either => tls.ok_or(Refusal::NotSetUp)?,
        };
        let accept = match transport {
            Transport::Either => &tls.either,
            Transport::Plain | Transport::Tls => &tls.strict,
        };
        Ok(accept.secure(stream).await?)
    }

    /// Who a client is by the certificate it has shown, if it has.
    pub(crate) fn identities(tls: Option<&ClientTls>, stream: &Stream) -> Result<Vec<Id>, Refusal> {
        let (Some(tls), Some(certificate)) = (tls, &stream.certificate) else {
            return Ok(Vec::new());
        };
        let identities = names(certificate, tls.super_user.as_deref()).ok_or(Refusal::NoName)?;
        let address = stream.peer.ip().to_canonical().to_string();
        if tls.check_host && !is_for_host(certificate, &address) {
            let name = identities
                .last()
                .map_or_else(String::new, |id| id.id.to_string());
            return Err(Refusal::OtherHost { name, address });
        }
        Ok(identities)
    }
}

/// Who the owner of a certificate is; `None` if it does not say so in a way that can be read.
pub(super) fn names(certificate: &[u8], super_user: Option<&str>) -> Option<Vec<Id>> {
    let name = subject(certificate).and_then(java_name)?;
    let mut identities = Vec::new();
    if super_user == Some(&name) {
        identities.push(Id::new("super", &name));
    }
    identities.push(Id::new("x509", &name));
    Some(identities)
}

/// Looks after files of certificates until it is aborted.
pub(super) async fn renew(renewed: Vec<(&'static str, Arc<Credentials>)>) {
    while !renewed.is_empty() {
        tokio::time::sleep(LOOK).await;
        for (whom, credentials) in &renewed {
            let reading = Arc::clone(credentials);
            match tokio::task::spawn_blocking(move || reading.renew()).await {
                Ok(Renewal::Unchanged) => {}
                Ok(Renewal::Renewed) => tracing::info!("certificates for TLS with {whom} renewed"),
                Ok(Renewal::Failed(error)) => {
                    tracing::error!(%error, "new certificates for TLS with {whom} cannot be used; \
                        the old ones stay");
                }
                Err(error) => tracing::error!(%error, "certificates cannot be looked at"),
            }
        }
    }
}
