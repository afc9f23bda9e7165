//! `secureClientPort`, `sslQuorum`, `ssl.*` and `ssl.quorum.*`: which ports speak TLS, and how.
//! The stores they name are read later, by `tls`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::resolve::Draft;
use super::setting::{Parsed, Setting, boolean, text, u32_from};
use super::{HostPort, Transport};
use crate::tls::{
    ClientAuth, HANDSHAKES_MAX, QuorumTls, Secret, Store, StoreKind, StorePassword, TlsSettings,
    Versions, cipher_suites,
};

/// What has been said about TLS so far.
#[derive(Default)]
pub(super) struct TlsDraft {
    pub(super) secure_port: Option<u16>,
    pub(super) secure_host: Option<String>,
    pub(super) client_unification: bool,
    pub(super) client_reload: bool,
    /// `netty.server.outstandingHandshake.limit`, if it is one.
    pub(super) handshakes_max: Option<u32>,
    pub(super) quorum: bool,
    pub(super) quorum_unification: bool,
    pub(super) quorum_reload: bool,
    client_side: Side,
    quorum_side: Side,
    pub(super) metrics_side: Side,
}

/// The settings of one prefix.
#[derive(Clone, Default)]
pub(super) struct Side {
    /// Of the stores, by what follows the prefix.
    stores: BTreeMap<String, Setting>,
    pub(super) client_auth: Option<ClientAuth>,
    protocol: Option<Versions>,
    enabled: Option<Versions>,
    cipher_suites: Option<Vec<String>>,
    hostname_verification: Option<bool>,
    client_hostname_verification: Option<bool>,
    handshake_ms_max: Option<u32>,
}

/// What settings for the metrics' endpoint begin with.
pub(super) const METRICS_PREFIX: &str = "metricsProvider.ssl.";

const STORE_KEYS: [&str; 4] = ["location", "password", "passwordPath", "type"];

/// One setting `ssl.*`.
pub(super) fn apply(draft: &mut Draft, setting: &Setting) -> Parsed<()> {
    let (value, name) = (&*setting.value, &*setting.key);
    let name = name.strip_prefix("zookeeper.").unwrap_or(name);
    let name = name.strip_prefix("ssl.").unwrap_or(name);
    match name {
        "authProvider" => return same(value, &["x509"], "the only provider there is"),
        "sslProvider" | "quorum.sslProvider" => {
            draft.no_meaning(setting);
            return Ok(());
        }
        "x509.clientCertIdType" => {
            return same(
                value,
                &["subject", "SUBJECT"],
                "the only kind of id there is",
            );
        }
        _ => {}
    }
    let (of_quorum, name) = match name.strip_prefix("quorum.") {
        Some(name) => (true, name),
        None => (false, name),
    };
    match name {
        "enabledProtocols" => {
            let versions = enabled_protocols(draft, value)?;
            draft.side(of_quorum).enabled = Some(versions);
            return Ok(());
        }
        "ciphersuites" => {
            let suites = enabled_suites(draft, value)?;
            draft.side(of_quorum).cipher_suites = Some(suites);
            return Ok(());
        }
        "allowReverseDnsLookup" => return boolean(value).map(|_| draft.no_meaning(setting)),
        _ => {}
    }
    let side = draft.side(of_quorum);
    match name {
        "clientAuth" => side.client_auth = Some(client_auth(value)?),
        "protocol" => side.protocol = protocol(value)?,
        "hostnameVerification" => side.hostname_verification = Some(boolean(value)?),
        "clientHostnameVerification" => {
            side.client_hostname_verification = Some(boolean(value)?);
        }
        "handshakeDetectionTimeoutMillis" => {
            let limit = u32_from(value, 1, "a whole number of milliseconds")?;
            side.handshake_ms_max = Some(limit);
        }
        "crl" | "ocsp" => revocation(value)?,
        "context.supplier.class" => same(value, &[""], "Java classes cannot be loaded")?,
        _ if is_of_store(name) => {
            side.stores.insert(name.to_owned(), setting.clone());
        }
        _ => draft.note_unknown(setting, None),
    }
    Ok(())
}

/// One setting `metricsProvider.ssl.*`.
pub(super) fn apply_of_metrics(draft: &mut Draft, setting: &Setting) -> Parsed<()> {
    let (value, name) = (&*setting.value, &*setting.key);
    let name = name.strip_prefix(METRICS_PREFIX).unwrap_or(name);
    match name {
        "enabledProtocols" => {
            let versions = enabled_protocols(draft, value)?;
            draft.tls.metrics_side.enabled = Some(versions);
        }
        "ciphersuites" => {
            let suites = enabled_suites(draft, value)?;
            draft.tls.metrics_side.cipher_suites = Some(suites);
        }
        "need.client.auth" => draft.metrics_client_auth.0 = boolean(value)?,
        "want.client.auth" => draft.metrics_client_auth.1 = boolean(value)?,
        _ if is_of_store(name) => {
            let stores = &mut draft.tls.metrics_side.stores;
            stores.insert(name.to_owned(), setting.clone());
        }
        _ => draft.note_unknown(setting, None),
    }
    Ok(())
}

fn is_of_store(name: &str) -> bool {
    let end = ["keyStore.", "trustStore."]
        .iter()
        .find_map(|store| name.strip_prefix(store));
    end.is_some_and(|end| STORE_KEYS.contains(&end))
}

/// `X509AuthenticationProvider.superUser`.
pub(super) fn x509_super_user(draft: &mut Draft, value: &str) -> Parsed<()> {
    let name = text(value, "the name of a certificate's owner, as CN=...,O=...")?;
    draft.config.x509_super_user = Some(name);
    Ok(())
}

/// `netty.server.outstandingHandshake.limit`: -1 is how ZooKeeper says "no limit".
pub(super) fn handshake_limit(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.tls.handshakes_max = match value {
        "-1" => None,
        _ => Some(u32_from(
            value,
            1,
            "a whole number of handshakes, -1 for the default",
        )?),
    };
    Ok(())
}

fn same(value: &str, allowed: &[&str], why: &str) -> Parsed<()> {
    match (allowed.contains(&value), allowed) {
        (true, _) => Ok(()),
        (false, [""]) => Err(format!("expected nothing: {why}")),
        (false, _) => Err(format!("expected {}, {why}", allowed[0])),
    }
}

fn revocation(value: &str) -> Parsed<()> {
    match boolean(value)? {
        false => Ok(()),
        true => Err(
            "expected false: whether a certificate was revoked cannot be checked; take \
                     its authority out of the trust store, or renew certificates more often"
                .to_owned(),
        ),
    }
}

fn client_auth(value: &str) -> Parsed<ClientAuth> {
    match value.to_ascii_lowercase().as_str() {
        "need" | "" => Ok(ClientAuth::Need),
        "want" => Ok(ClientAuth::Want),
        "none" => Ok(ClientAuth::None),
        _ => Err("expected need, want or none".to_owned()),
    }
}

fn protocol(value: &str) -> Parsed<Option<Versions>> {
    match value {
        "TLS" | "" => Ok(None),
        "TLSv1.2" => Ok(Some(Versions::Tls12)),
        "TLSv1.3" => Ok(Some(Versions::Tls13)),
        _ => Err("expected TLSv1.2 or TLSv1.3: older ones are not safe".to_owned()),
    }
}

fn enabled_protocols(draft: &mut Draft, value: &str) -> Parsed<Versions> {
    let names: Vec<&str> = value.split(',').map(str::trim).collect();
    let others: Vec<&str> = names
        .iter()
        .filter(|name| !matches!(**name, "TLSv1.2" | "TLSv1.3"))
        .copied()
        .collect();
    let versions = match (names.contains(&"TLSv1.2"), names.contains(&"TLSv1.3")) {
        (true, true) => Versions::Both,
        (true, false) => Versions::Tls12,
        (false, true) => Versions::Tls13,
        (false, false) => {
            return Err("expected TLSv1.2, TLSv1.3 or both: older ones are not safe".to_owned());
        }
    };
    if !others.is_empty() {
        let others = others.join(", ");
        draft.warn(format!(
            "enabledProtocols: only TLSv1.2 and TLSv1.3 are spoken, not {others}"
        ));
    }
    Ok(versions)
}

fn enabled_suites(draft: &mut Draft, value: &str) -> Parsed<Vec<String>> {
    let there = cipher_suites();
    let wanted = value.split(',').map(|name| name.trim().to_owned());
    let (known, unknown): (Vec<String>, Vec<String>) = wanted.partition(|n| there.contains(n));
    if known.is_empty() {
        return Err(format!("expected one or more of {}", there.join(", ")));
    }
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        draft.warn(format!(
            "ciphersuites: there is no {unknown} here; the others are used"
        ));
    }
    Ok(known)
}

impl Draft {
    fn side(&mut self, of_quorum: bool) -> &mut Side {
        match of_quorum {
            true => &mut self.tls.quorum_side,
            false => &mut self.tls.client_side,
        }
    }

    /// Where `secureClientPort` listens.
    pub(super) fn secure_address(&self) -> Option<HostPort> {
        let host = self.tls.secure_host.as_deref().unwrap_or("0.0.0.0");
        self.tls.secure_port.map(|port| HostPort::new(host, port))
    }

    /// Whether clients may speak TLS on some port.
    pub(super) fn speaks_tls(&self) -> bool {
        self.tls.secure_port.is_some() || self.tls.client_unification
    }

    /// Which ports speak TLS, and with what. Comes after the client address and the ensemble.
    pub(super) fn finish_tls(&mut self) -> Result<(), ConfigError> {
        if self.tls.secure_host.is_some() && self.tls.secure_port.is_none() {
            let what = "expected secureClientPort beside it".to_owned();
            return Err(self.contradiction("secureClientPortAddress", what));
        }
        let only_secure = self.config.client_transport == Transport::Tls;
        if !only_secure {
            self.config.secure_client_address = self.secure_address();
            if self.tls.client_unification {
                self.config.client_transport = Transport::Either;
            }
        }
        let wanted_by = match (self.tls.secure_port, self.tls.client_unification) {
            (Some(_), _) => Some("secureClientPort"),
            (None, true) => Some("client.portUnification"),
            (None, false) => None,
        };
        let client = std::mem::take(&mut self.tls.client_side);
        let limit = self.tls.handshakes_max.unwrap_or(HANDSHAKES_MAX);
        let reload = self.tls.client_reload;
        self.config.client_tls = match wanted_by {
            Some(by) => Some(TlsSettings {
                handshakes_max: limit,
                reload,
                ..self.settings(client, "ssl.", by)?
            }),
            None => None,
        };
        // Before the settings between servers are taken, which it shares.
        self.finish_endpoints(self.tls.quorum_side.clone())?;
        self.finish_quorum_tls()
    }

    fn finish_quorum_tls(&mut self) -> Result<(), ConfigError> {
        let (connect, accept_plain) = (self.tls.quorum, self.tls.quorum_unification);
        let wanted_by = match (connect, accept_plain) {
            (true, _) => "sslQuorum",
            (false, true) => "portUnification",
            (false, false) => return Ok(()),
        };
        if self.config.ensemble.is_none() {
            return Ok(());
        }
        let side = std::mem::take(&mut self.tls.quorum_side);
        if side
            .client_auth
            .is_some_and(|auth| auth != ClientAuth::Need)
        {
            let what = "expected ssl.quorum.clientAuth=need: a server that shows no certificate \
                        could be anybody"
                .to_owned();
            return Err(self.contradiction(wanted_by, what));
        }
        let verify_clients = side.hostname_verification != Some(false)
            && side.client_hostname_verification != Some(false);
        let settings = TlsSettings {
            client_hostname_verification: verify_clients,
            reload: self.tls.quorum_reload,
            ..self.settings(side, "ssl.quorum.", wanted_by)?
        };
        self.config.quorum_tls = Some(QuorumTls {
            settings,
            connect,
            accept_plain,
        });
        Ok(())
    }

    pub(super) fn settings(
        &self,
        side: Side,
        prefix: &str,
        wanted_by: &'static str,
    ) -> Result<TlsSettings, ConfigError> {
        let key_store = store(&side, prefix, "keyStore")?.ok_or_else(|| {
            let what = format!(
                "expected {prefix}keyStore.location beside it, the file of this server's \
                 certificate and key (.pem, .p12 or .jks)"
            );
            self.contradiction(wanted_by, what)
        })?;
        let trust_store = store(&side, prefix, "trustStore")?;
        let client_auth = side.client_auth.unwrap_or(ClientAuth::Need);
        if trust_store.is_none() && client_auth != ClientAuth::None {
            let mut what = format!(
                "expected {prefix}trustStore.location beside it, the file of the certificates to \
                 trust"
            );
            if prefix == "ssl." {
                what.push_str("; or ssl.clientAuth=none, if clients need not show who they are");
            }
            return Err(self.contradiction(wanted_by, what));
        }
        let defaults = TlsSettings::new(key_store, trust_store);
        let verify_hosts = side.hostname_verification.unwrap_or(true);
        Ok(TlsSettings {
            client_auth,
            versions: side.enabled.or(side.protocol).unwrap_or(defaults.versions),
            cipher_suites: side.cipher_suites,
            server_hostname_verification: verify_hosts,
            client_hostname_verification: verify_hosts
                && side.client_hostname_verification.unwrap_or(false),
            handshake_ms_max: side.handshake_ms_max.unwrap_or(defaults.handshake_ms_max),
            ..defaults
        })
    }
}

fn store(side: &Side, prefix: &str, which: &str) -> Result<Option<Store>, ConfigError> {
    let setting = |end: &str| side.stores.get(&format!("{which}.{end}"));
    let Some(location) = setting("location").filter(|setting| !setting.value.is_empty()) else {
        return Ok(None);
    };
    let kind = match setting("type").filter(|setting| !setting.value.is_empty()) {
        Some(kind) => kind_of(&kind.value).map_err(|what| kind.refuse(what))?,
        None => kind_by_name(&location.value).ok_or_else(|| {
            location.refuse(format!(
                "expected a name that ends in .pem, .p12 or .jks, or {prefix}{which}.type beside it"
            ))
        })?,
    };
    // As ZooKeeper: a file goes before a password in the settings.
    let password = match (setting("passwordPath"), setting("password")) {
        (Some(path), _) if !path.value.is_empty() => {
            StorePassword::File(PathBuf::from(&path.value))
        }
        (_, Some(password)) => StorePassword::Text(Secret(password.value.clone())),
        (_, None) => StorePassword::None,
    };
    Ok(Some(Store {
        setting: format!("{}: {}", location.origin, location.written_key()),
        location: PathBuf::from(&location.value),
        kind,
        password,
    }))
}

fn kind_of(value: &str) -> Parsed<StoreKind> {
    match value.to_ascii_uppercase().as_str() {
        "PEM" => Ok(StoreKind::Pem),
        "JKS" | "PKCS12" => Ok(StoreKind::Java),
        "BCFKS" => Err(
            "expected PEM, PKCS12 or JKS: BCFKS is not supported; convert the store \
                        with keytool -importkeystore -deststoretype pkcs12"
                .to_owned(),
        ),
        _ => Err("expected PEM, PKCS12 or JKS".to_owned()),
    }
}

fn kind_by_name(location: &str) -> Option<StoreKind> {
    let ending = Path::new(location).extension()?.to_str()?;
    match ending.to_ascii_lowercase().as_str() {
        "pem" => Some(StoreKind::Pem),
        "jks" | "p12" | "pfx" => Some(StoreKind::Java),
        _ => None,
    }
}
