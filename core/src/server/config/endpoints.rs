//! The HTTP endpoints: commands for operators, and metrics for Prometheus.

use super::error::ConfigError;
use super::resolve::Draft;
use super::setting::{Parsed, boolean, port, text, u32_from};
use super::tls::{METRICS_PREFIX, Side};
use super::{HostPort, TlsSettings};
use crate::tls::ClientAuth;

/// The HTTP endpoint of commands.
///
/// It is served if `admin.enableServer` says so, or if nothing says so and its port or its address
/// is named: nobody listens on a port of ours that was not asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Serve it [`zookeeper.admin.enableServer`].
    pub enabled: bool,
    /// Where it listens [`zookeeper.admin.serverAddress`, `zookeeper.admin.serverPort`].
    pub address: HostPort,
    /// The path that commands are below [`zookeeper.admin.commandURL`].
    pub command_url: String,
    /// Time after which an idle connection is closed [`zookeeper.admin.idleTimeout`].
    pub idle_timeout_ms: u32,
    /// The least time between two snapshots [`zookeeper.admin.rateLimiterIntervalInMS`].
    pub rate_limiter_interval_ms: u32,
    /// Answer `snapshot` [`zookeeper.admin.snapshot.enabled`].
    pub snapshot_enabled: bool,
    /// Answer `restore` [`zookeeper.admin.restore.enabled`].
    pub restore_enabled: bool,
    /// HTTPS, with the stores of `ssl.quorum.*`; `None`: HTTP alone
    /// [`zookeeper.admin.portUnification`, `zookeeper.admin.forceHttps`,
    /// `zookeeper.admin.needClientAuth`].
    pub tls: Option<EndpointTls>,
}

/// TLS of an HTTP endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointTls {
    /// Keys, trust and rules.
    pub settings: TlsSettings,
    /// Serve connections that do not begin like TLS as well.
    pub accept_plain: bool,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            address: HostPort::new("0.0.0.0", 8080),
            command_url: "/commands".to_owned(),
            idle_timeout_ms: 30_000,
            rate_limiter_interval_ms: 300_000,
            snapshot_enabled: true,
            restore_enabled: true,
            tls: None,
        }
    }
}

/// The HTTP endpoint of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Serve it [`metricsProvider.className`].
    pub prometheus: bool,
    /// Where it listens [`metricsProvider.httpHost`, `metricsProvider.httpPort`].
    pub address: HostPort,
    /// Serve HTTP there: the port is named, or there is no other.
    pub plain: bool,
    /// Where it listens for HTTPS, and how it speaks that
    /// [`metricsProvider.httpsPort`, `metricsProvider.ssl.*`].
    pub secure: Option<(HostPort, EndpointTls)>,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            prometheus: false,
            address: HostPort::new("0.0.0.0", 7000),
            plain: true,
            secure: None,
        }
    }
}

const MS: &str = "a whole number of milliseconds";

pub(super) fn admin_enabled(draft: &mut Draft, value: &str) -> Parsed<()> {
    let enabled = boolean(value)?;
    draft.admin_enabled = Some(enabled);
    draft.config.admin.enabled = enabled;
    Ok(())
}

pub(super) fn admin_host(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.admin.address.host = text(value, "a host name")?;
    draft.config.admin.enabled = draft.admin_enabled.unwrap_or(true);
    Ok(())
}

pub(super) fn admin_port(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.admin.address.port = port(value)?;
    draft.config.admin.enabled = draft.admin_enabled.unwrap_or(true);
    Ok(())
}

pub(super) fn command_url(draft: &mut Draft, value: &str) -> Parsed<()> {
    if !value.starts_with('/') || value.contains(['?', '#']) {
        return Err("expected a path, which begins with /".to_owned());
    }
    let url = value.trim_end_matches('/');
    draft.config.admin.command_url = url.to_owned();
    Ok(())
}

pub(super) fn idle_timeout(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.admin.idle_timeout_ms = u32_from(value, 0, MS)?;
    Ok(())
}

pub(super) fn rate_limit(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.admin.rate_limiter_interval_ms = u32_from(value, 0, MS)?;
    Ok(())
}

pub(super) fn snapshot_enabled(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.admin.snapshot_enabled = boolean(value)?;
    Ok(())
}

pub(super) fn restore_enabled(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.admin.restore_enabled = boolean(value)?;
    Ok(())
}

/// The class by its last name, so that a configuration that calls the package otherwise works too.
pub(super) fn metrics_provider(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.metrics.prometheus = match value.rsplit('.').next() {
        Some("PrometheusMetricsProvider") => true,
        Some("DefaultMetricsProvider" | "NullMetricsProvider") => false,
        _ => {
            return Err(
                "expected org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider or \
                 org.apache.zookeeper.metrics.impl.DefaultMetricsProvider"
                    .to_owned(),
            );
        }
    };
    Ok(())
}

pub(super) fn metrics_host(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.metrics.address.host = text(value, "a host name")?;
    Ok(())
}

pub(super) fn metrics_port(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.config.metrics.address.port = port(value)?;
    draft.metrics_port_named = true;
    Ok(())
}

pub(super) fn metrics_https_port(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.metrics_https_port = Some(port(value)?);
    Ok(())
}

pub(super) fn port_unification(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.admin_tls.unification = boolean(value)?;
    Ok(())
}

pub(super) fn force_https(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.admin_tls.force = boolean(value)?;
    Ok(())
}

pub(super) fn need_client_auth(draft: &mut Draft, value: &str) -> Parsed<()> {
    draft.admin_tls.need_client_auth = boolean(value)?;
    Ok(())
}

/// What has been said about HTTPS of the commands' endpoint.
#[derive(Default)]
pub(super) struct AdminTls {
    unification: bool,
    force: bool,
    need_client_auth: bool,
}

impl Draft {
    /// HTTPS of both endpoints. `between_servers` is what `ssl.quorum.*` says.
    pub(super) fn finish_endpoints(&mut self, between_servers: Side) -> Result<(), ConfigError> {
        self.finish_admin_tls(between_servers)?;
        self.finish_metrics_tls()
    }

    fn finish_admin_tls(&mut self, between_servers: Side) -> Result<(), ConfigError> {
        let asked = &self.admin_tls;
        let wanted_by = match (asked.force, asked.unification) {
            (true, _) => "admin.forceHttps",
            (false, true) => "admin.portUnification",
            (false, false) if asked.need_client_auth && self.config.admin.enabled => {
                let what =
                    "expected admin.portUnification=true or admin.forceHttps=true beside it: \
                            without TLS nobody shows a certificate"
                        .to_owned();
                return Err(self.contradiction("admin.needClientAuth", what));
            }
            (false, false) => return Ok(()),
        };
        if !self.config.admin.enabled {
            return Ok(());
        }
        let mut side = between_servers;
        side.client_auth = Some(match asked.need_client_auth {
            true => ClientAuth::Need,
            false => ClientAuth::None,
        });
        let settings = self.settings(side, "ssl.quorum.", wanted_by)?;
        self.config.admin.tls = Some(EndpointTls {
            settings: TlsSettings {
                client_hostname_verification: false,
                reload: self.tls.quorum_reload,
                ..settings
            },
            accept_plain: !self.admin_tls.force,
        });
        Ok(())
    }

    fn finish_metrics_tls(&mut self) -> Result<(), ConfigError> {
        let Some(port) = self
            .metrics_https_port
            .filter(|_| self.config.metrics.prometheus)
        else {
            return Ok(());
        };
        let mut side = std::mem::take(&mut self.tls.metrics_side);
        side.client_auth = Some(match self.metrics_client_auth {
            (true, _) => ClientAuth::Need,
            (false, true) => ClientAuth::Want,
            (false, false) => ClientAuth::None,
        });
        let settings = self.settings(side, METRICS_PREFIX, "metricsProvider.httpsPort")?;
        let metrics = &mut self.config.metrics;
        metrics.plain = self.metrics_port_named;
        let tls = EndpointTls {
            settings,
            accept_plain: false,
        };
        metrics.secure = Some((HostPort::new(&*metrics.address.host, port), tls));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Overrides, Sources, SystemProperties, TextFile, resolve};
    use super::ClientAuth;

    fn config(settings: &str) -> Result<Config, String> {
        let text = format!("dataDir=/data\nclientPort=2181\n{settings}");
        let cfg = TextFile {
            name: "zoo.cfg".to_owned(),
            text,
        };
        let sources = Sources {
            cfg: Some(cfg),
            dynamic: None,
            my_id: None,
            jaas: None,
            properties: SystemProperties::default(),
            overrides: Overrides::default(),
        };
        let loaded = resolve(&sources).map_err(|error| error.to_string())?;
        assert_eq!(loaded.warnings, Vec::<String>::new());
        Ok(loaded.config)
    }

    #[test]
    fn a_port_of_ours_is_open_only_if_somebody_asked_for_it() {
        for (settings, enabled) in [
            ("", false),
            ("admin.commandURL=/zk", false),
            ("admin.enableServer=true", true),
            ("admin.serverPort=9090", true),
            ("admin.serverAddress=localhost", true),
            ("admin.enableServer=false\nadmin.serverPort=9090", false),
            ("admin.serverPort=9090\nadmin.enableServer=false", false),
        ] {
            let config = config(settings).unwrap();
            assert_eq!(config.admin.enabled, enabled, "{settings}");
        }
        let config = config("admin.serverPort=9090\nadmin.serverAddress=::1").unwrap();
        assert_eq!(config.admin.address.to_string(), "[::1]:9090");
    }

    #[test]
    fn prometheus_is_asked_for_by_its_class() {
        let prometheus = "metricsProvider.className=\
                          org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n";
        let set = config(&format!(
            "{prometheus}metricsProvider.httpPort=7001\nmetricsProvider.httpHost=127.0.0.1"
        ));
        let metrics = set.unwrap().metrics;
        assert!(metrics.prometheus);
        assert_eq!(metrics.address.to_string(), "127.0.0.1:7001");
        let default = config(prometheus).unwrap().metrics;
        assert_eq!(default.address.to_string(), "0.0.0.0:7000");
        let own =
            "metricsProvider.className=org.apache.zookeeper.metrics.impl.DefaultMetricsProvider";
        assert!(!config(own).unwrap().metrics.prometheus);
        assert!(config("metricsProvider.className=com.example.Mine").is_err());
    }

    #[test]
    fn the_initial_configuration_is_kept_without_secrets() {
        let config = config(
            "# a comment\nDigestAuthenticationProvider.superDigest=super:hash\n\
             admin.commandURL = /zk/\n",
        );
        let config = config.unwrap();
        assert_eq!(
            config.initial_configuration,
            "dataDir=/data\nclientPort=2181\n# a comment\n\
             DigestAuthenticationProvider.superDigest=***\nadmin.commandURL = /zk/\n"
        );
        assert_eq!(config.admin.command_url, "/zk");
    }

    const STORES: &str =
        "ssl.quorum.keyStore.location=/k.pem\nssl.quorum.trustStore.location=/t.pem\n";

    #[test]
    fn https_of_the_commands_has_the_stores_between_servers() {
        let served = "admin.enableServer=true\n";
        for (settings, accept_plain, client_auth) in [
            ("admin.portUnification=true", true, ClientAuth::None),
            ("admin.forceHttps=true", false, ClientAuth::None),
            (
                "admin.forceHttps=true\nadmin.portUnification=true",
                false,
                ClientAuth::None,
            ),
            (
                "admin.portUnification=true\nadmin.needClientAuth=true",
                true,
                ClientAuth::Need,
            ),
        ] {
            let config = config(&format!("{served}{STORES}{settings}")).unwrap();
            let tls = config.admin.tls.expect(settings);
            assert_eq!(tls.accept_plain, accept_plain, "{settings}");
            assert_eq!(tls.settings.client_auth, client_auth, "{settings}");
            assert!(!tls.settings.client_hostname_verification);
            assert!(config.quorum_tls.is_none(), "that is another setting");
        }
        assert_eq!(
            config(&format!("{served}{STORES}")).unwrap().admin.tls,
            None
        );
        for settings in [
            "admin.forceHttps=true",
            "admin.portUnification=true",
            "ssl.quorum.keyStore.location=/k.pem\nadmin.forceHttps=true\nadmin.needClientAuth=true",
            "ssl.quorum.keyStore.location=/k.pem\nadmin.needClientAuth=true",
        ] {
            let error = config(&format!("{served}{settings}")).unwrap_err();
            assert!(error.contains("admin."), "{error}");
        }
        assert!(config("admin.forceHttps=true").is_ok(), "nothing is served");
    }

    #[test]
    fn https_of_the_metrics_has_stores_and_a_port_of_its_own() {
        let prometheus = "metricsProvider.className=PrometheusMetricsProvider\n";
        let stores = STORES.replace("ssl.quorum.", "metricsProvider.ssl.");
        let https = format!("{prometheus}{stores}metricsProvider.httpsPort=7443\n");
        let (address, tls) = config(&https).unwrap().metrics.secure.unwrap();
        assert_eq!(address.to_string(), "0.0.0.0:7443");
        assert_eq!(tls.settings.client_auth, ClientAuth::Need);
        assert!(!tls.accept_plain);
        assert!(
            !config(&https).unwrap().metrics.plain,
            "no other port is named"
        );
        let both = config(&format!("{https}metricsProvider.httpPort=7001")).unwrap();
        assert!(both.metrics.plain);
        for (more, want) in [
            (
                "metricsProvider.ssl.need.client.auth=false",
                ClientAuth::Want,
            ),
            (
                "metricsProvider.ssl.need.client.auth=false\nmetricsProvider.ssl.want.client.auth=false",
                ClientAuth::None,
            ),
        ] {
            let (_, tls) = config(&format!("{https}{more}"))
                .unwrap()
                .metrics
                .secure
                .unwrap();
            assert_eq!(tls.settings.client_auth, want, "{more}");
        }
        let bare = format!("{prometheus}metricsProvider.httpsPort=7443");
        let error = config(&bare).unwrap_err();
        assert!(
            error.contains("metricsProvider.ssl.keyStore.location"),
            "{error}"
        );
    }
}
