//! The way to the ensemble: opened when the first command needs it, closed and opened again by
//! command.

use std::sync::Arc;
use std::time::Duration;

use zoowarden::client::{Client, ClientConfig, Code, ConnectString, State};

use super::events::Events;
use super::failure::Failure;

/// Closing waits no longer than this for the server's answer.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// A client, or what is needed to have one.
pub(crate) struct Link {
    config: ClientConfig,
    client: Option<Client>,
    events: Arc<Events>,
    /// The user closed it; only `connect` opens it again.
    closed: bool,
}

impl Link {
    /// A link that connects when it is needed. States go to `events`.
    pub(crate) fn new(config: ClientConfig, events: &Arc<Events>) -> Self {
        let told = Arc::clone(events);
        let on_state = move |state| told.state(state);
        Self {
            config: ClientConfig {
                on_state: Some(Arc::new(on_state)),
                ..config
            },
            client: None,
            events: Arc::clone(events),
            closed: false,
        }
    }

    /// A connected client.
    pub(crate) async fn client(&mut self) -> Result<Client, Failure> {
        if self.closed {
            let what = "Not connected: connect [host:port] opens a connection";
            return Err(Failure::Other(what.to_owned()));
        }
        let limit = Duration::from_millis(self.config.session_timeout_ms.into());
        let Some(client) = self.client.clone() else {
            let connected = Client::connect_with(self.config.clone()).await;
            let client = connected.map_err(|error| match (error.code(), error.detail()) {
                (Code::ConnectionLoss, Some(why)) => {
                    Failure::Other(format!("cannot connect: {why}"))
                }
                _ => error.into(),
            })?;
            self.client = Some(client.clone());
            return Ok(client);
        };
        if client.state().is_connected() {
            return Ok(client);
        }
        match tokio::time::timeout(limit, client.connected()).await {
            Ok(Ok(())) => Ok(client),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Failure::Other(format!(
                "cannot connect to {} within {} ms: is a server running there?",
                self.hosts(),
                limit.as_millis()
            ))),
        }
    }

    /// A connected client whose paths begin at the root of the tree, whatever the chroot.
    pub(crate) async fn at_root(&mut self) -> Result<Client, Failure> {
        let client = self.client().await?;
        if client.chroot().is_empty() {
            return Ok(client);
        }
        let servers = self.config.hosts.servers().join(",");
        let config = ClientConfig {
            hosts: servers.parse().expect("they were parsed before"),
            on_state: None,
            ..self.config.clone()
        };
        Ok(Client::connect_with(config).await?)
    }

    /// The chroot, `/` if there is none.
    pub(crate) fn chroot_or_root(&self) -> &str {
        match self.config.hosts.chroot() {
            "" => "/",
            chroot => chroot,
        }
    }

    /// Begins to connect, if nothing has begun yet, without waiting.
    pub(crate) fn open(&mut self) -> Client {
        let config = &self.config;
        let client = self
            .client
            .get_or_insert_with(|| Client::open(config.clone()));
        client.clone()
    }

    /// The client, if there is one.
    pub(crate) fn peek(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// Ends the session and begins another one, at other hosts if some are named.
    pub(crate) async fn reconnect(&mut self, hosts: Option<ConnectString>) {
        self.close().await;
        if let Some(hosts) = hosts {
            self.config.hosts = hosts;
        }
        self.events.begin();
        self.closed = false;
        self.open();
    }

    /// Ends the session, for good until [`Link::reconnect`].
    pub(crate) async fn close(&mut self) {
        self.closed = true;
        if let Some(client) = self.client.take() {
            // An unfinished close is finished by the servers when the session expires.
            let _ = tokio::time::timeout(CLOSE_TIME_MAX, client.close()).await;
        }
    }

    /// Shows an identity on this connection and on all later ones.
    pub(crate) fn remember_auth(&mut self, scheme: &str, auth: &[u8]) {
        self.config.auth.push((scheme.to_owned(), auth.to_vec()));
    }

    /// Where it connects to, as typed.
    pub(crate) fn hosts(&self) -> String {
        let hosts = &self.config.hosts;
        format!("{}{}", hosts.servers().join(","), hosts.chroot())
    }

    /// The state as zkCli's prompt shows it.
    pub(crate) fn state(&self) -> &'static str {
        match self.client.as_ref().map(Client::state) {
            None | Some(State::Closed) => "CLOSED",
            Some(State::Connecting | State::Suspended) => "CONNECTING",
            Some(State::Connected) => "CONNECTED",
            Some(State::ConnectedReadOnly) => "CONNECTEDREADONLY",
            Some(State::AuthFailed) => "AUTH_FAILED",
            Some(State::Expired) => "EXPIRED",
        }
    }
}
