//! From settings to a [`Config`]: which spelling counts, which one wins, and the rules between
//! settings. Pure: the texts of the files are arguments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::endpoints::AdminTls;
use super::ensemble::Role;
use super::error::ConfigError;
use super::keys::{Key, Place, Treatment, find, find_similar};
use super::membership::{self, Servers};
use super::properties;
use super::security;
use super::setting::{Origin, Setting, without_secrets};
use super::system::SystemProperties;
use super::tls::TlsDraft;
use super::{Config, HostPort, Overrides, Transport};

/// A configuration, and what the operator should know about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration to start with.
    pub config: Config,
    /// One line each.
    pub warnings: Vec<String>,
}

/// A file that was read: the name errors call it by, and its content.
#[derive(Clone, PartialEq, Eq)]
pub struct TextFile {
    /// The path as the operator wrote it.
    pub name: String,
    /// The content.
    pub text: String,
}

/// All that a configuration is made of.
#[derive(Clone, Default)]
pub struct Sources {
    /// zoo.cfg; `None`: a single server with defaults.
    pub cfg: Option<TextFile>,
    /// The file that `dynamicConfigFile` names.
    pub dynamic: Option<TextFile>,
    /// `myid` in the data directory, if it is there.
    pub my_id: Option<TextFile>,
    /// The file that `java.security.auth.login.config` names.
    pub jaas: Option<TextFile>,
    /// The `-D` settings.
    pub properties: SystemProperties,
    /// What the arguments say, above all else.
    pub overrides: Overrides,
}

/// Builds the configuration, or says what is wrong with it.
pub fn resolve(sources: &Sources) -> Result<Loaded, ConfigError> {
    let settings = match &sources.cfg {
        Some(cfg) => properties::parse(&cfg.name, &cfg.text)?,
        None => Vec::new(),
    };
    let mut draft = Draft::new(sources.cfg.as_ref());
    for setting in &sources.properties.settings {
        draft.apply_system_property(setting)?;
    }
    for setting in &settings {
        draft.apply_file_setting(setting)?;
    }
    draft.apply_overrides(&sources.overrides);
    if let Some(cfg) = &sources.cfg {
        draft.config.initial_configuration = without_secrets(&cfg.text);
    }
    draft.finish_directories()?;
    draft.finish_times()?;
    draft.finish_security(sources)?;
    let servers = membership::servers(&settings, sources, &mut draft)?;
    draft.finish_client_address(&servers, &sources.overrides)?;
    draft.finish_ensemble(servers, sources)?;
    draft.finish_tls()?;
    Ok(draft.into_loaded())
}

/// The value of `key` in a zoo.cfg, the last one winning: what has to be known before the other
/// files can be read.
pub(super) fn value_in(cfg: &TextFile, key: &str) -> Result<Option<String>, ConfigError> {
    let settings = properties::parse(&cfg.name, &cfg.text)?;
    Ok(settings
        .into_iter()
        .rev()
        .find(|s| s.key == key)
        .map(|s| s.value))
}

/// A configuration in the making: settings that need others to be understood are kept apart.
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) log_dir: Option<PathBuf>,
    pub(super) client_port: Option<u16>,
    pub(super) client_host: Option<String>,
    pub(super) init_limit_ticks: Option<u32>,
    pub(super) sync_limit_ticks: Option<u32>,
    pub(super) session_timeout_ms_min: Option<u32>,
    pub(super) session_timeout_ms_max: Option<u32>,
    pub(super) peer_type: Option<Role>,
    pub(super) admin_enabled: Option<bool>,
    pub(super) admin_tls: AdminTls,
    pub(super) metrics_port_named: bool,
    pub(super) metrics_https_port: Option<u16>,
    /// `need` and `want` of the metrics' endpoint.
    pub(super) metrics_client_auth: (bool, bool),
    pub(super) standalone_enabled: bool,
    pub(super) quorum_listen_on_all_ips: bool,
    pub(super) fips_mode: bool,
    pub(super) security: security::Asked,
    pub(super) tls: TlsDraft,
    /// The name of zoo.cfg, or what stands in its place in an error.
    pub(super) cfg_name: String,
    has_cfg: bool,
    /// The settings that were applied, by the name in the table.
    applied: BTreeMap<&'static str, Setting>,
    /// The setting being applied: where its warnings point.
    current: Option<Setting>,
    notes: Vec<String>,
    no_meaning: Vec<String>,
    not_yet: Vec<String>,
    unknown: Vec<String>,
}

impl Draft {
    fn new(cfg: Option<&TextFile>) -> Self {
        Self {
            config: Config::default(),
            data_dir: None,
            log_dir: None,
            client_port: None,
            client_host: None,
            init_limit_ticks: None,
            sync_limit_ticks: None,
            session_timeout_ms_min: None,
            session_timeout_ms_max: None,
            peer_type: None,
            admin_enabled: None,
            admin_tls: AdminTls::default(),
            metrics_port_named: false,
            metrics_https_port: None,
            metrics_client_auth: (true, true),
            standalone_enabled: true,
            quorum_listen_on_all_ips: false,
            fips_mode: false,
            security: security::Asked::default(),
            tls: TlsDraft::default(),
            cfg_name: cfg.map_or("command line".to_owned(), |cfg| cfg.name.clone()),
            has_cfg: cfg.is_some(),
            applied: BTreeMap::new(),
            current: None,
            notes: Vec::new(),
            no_meaning: Vec::new(),
            not_yet: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Adds a warning about the setting being applied, or about the whole.
    pub(super) fn warn(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.notes.push(match &self.current {
            Some(setting) => format!("{}: {what}", setting.origin),
            None => what,
        });
    }

    /// The setting being applied, without the prefix of system properties.
    pub(super) fn current_key(&self) -> &str {
        let key = self.current.as_ref().map_or("", |setting| &setting.key);
        key.strip_prefix("zookeeper.").unwrap_or(key)
    }

    /// Counts the setting being applied among those without effect so far.
    pub(super) fn not_yet(&mut self) {
        if let Some(setting) = &self.current {
            self.not_yet.push(label(setting));
        }
    }

    fn apply_system_property(&mut self, setting: &Setting) -> Result<(), ConfigError> {
        let exported = setting.key.strip_prefix("zookeeper.");
        let key = match exported {
            Some(name) => find(name).filter(|key| key.place == Place::Both),
            None => find(&setting.key).filter(|key| key.place == Place::Bare),
        };
        match key {
            Some(key) => self.apply(key, setting),
            None => {
                self.note_unread_property(setting, exported.is_some());
                Ok(())
            }
        }
    }

    /// A `-D` that neither ZooKeeper nor we read. Most belong to other software in a Java virtual
    /// machine; those that were meant for us get a warning.
    fn note_unread_property(&mut self, setting: &Setting, is_exported: bool) {
        let similar = find_similar(&setting.key).filter(|key| !key.name.ends_with('*'));
        let hint = similar.map(|key| match key.place {
            Place::File => format!("{} belongs in zoo.cfg", key.name),
            Place::Both => format!("write -Dzookeeper.{}", key.name),
            Place::Bare => format!("write -D{}", key.name),
        });
        if is_exported || hint.is_some() {
            self.note_unknown(setting, hint);
        }
    }

    fn apply_file_setting(&mut self, setting: &Setting) -> Result<(), ConfigError> {
        let Some(key) = find(&setting.key) else {
            let hint = find_similar(&setting.key).filter(|key| !key.name.ends_with('*'));
            self.note_unknown(
                setting,
                hint.map(|key| format!("did you mean {}?", key.name)),
            );
            return Ok(());
        };
        let property = self
            .applied
            .get(key.name)
            .filter(|s| !matches!(s.origin, Origin::File { .. }));
        let property = property.filter(|_| !key.name.ends_with('*')).cloned();
        self.current = Some(setting.clone());
        match (key.place, property) {
            (Place::Bare, Some(property)) => {
                self.warn(format!("{}: {} counts instead", key.name, label(&property)));
                return Ok(());
            }
            (Place::Bare, None) if matches!(key.treatment, Treatment::Set(_)) => {
                let name = key.name;
                self.warn(format!(
                    "{name}: used, but ZooKeeper reads it only as -D{name}"
                ));
            }
            (_, Some(property)) if property.value != setting.value => {
                self.warn(format!(
                    "{}: counts instead of {}",
                    key.name,
                    label(&property)
                ));
            }
            _ => {}
        }
        self.apply(key, setting)
    }

    fn apply(&mut self, key: &'static Key, setting: &Setting) -> Result<(), ConfigError> {
        self.current = Some(setting.clone());
        let outcome = match key.treatment {
            Treatment::Set(set) => set(self, &setting.value),
            Treatment::Family(set) => set(self, setting),
            Treatment::NoMeaning(check) => {
                self.no_meaning.push(label(setting));
                check(&setting.value)
            }
            Treatment::NotYet(harmless) => {
                if !harmless.contains(&setting.value.to_ascii_lowercase().as_str()) {
                    self.not_yet();
                }
                Ok(())
            }
            Treatment::Structural => Ok(()),
        };
        self.current = None;
        self.applied.insert(key.name, setting.clone());
        outcome.map_err(|allowed| setting.refuse(allowed))
    }

    /// Counts a setting among those without a meaning here.
    pub(super) fn no_meaning(&mut self, setting: &Setting) {
        self.no_meaning.push(label(setting));
    }

    pub(super) fn note_unknown(&mut self, setting: &Setting, hint: Option<String>) {
        let (key, origin) = (setting.written_key(), &setting.origin);
        self.unknown.push(match hint {
            Some(hint) => format!("{key} ({origin}; {hint})"),
            None => format!("{key} ({origin})"),
        });
    }

    fn apply_overrides(&mut self, overrides: &Overrides) {
        if let Some(dir) = &overrides.data_dir {
            self.data_dir = Some(dir.clone());
        }
        if let Some(tick_ms) = overrides.tick_ms {
            self.config.tick_ms = tick_ms;
        }
        if let Some(limit) = overrides.client_cnxns_per_ip_max {
            self.config.client_cnxns_per_ip_max = limit;
        }
    }

    fn finish_directories(&mut self) -> Result<(), ConfigError> {
        self.config.data_dir = match self.data_dir.take() {
            Some(dir) => dir,
            None if self.has_cfg => {
                let what = "missing: expected the directory that holds the data";
                return Err(ConfigError::of_key(&self.cfg_name, "dataDir", what));
            }
            None => Config::default().data_dir,
        };
        self.config.log_dir = self
            .log_dir
            .take()
            .unwrap_or_else(|| self.config.data_dir.clone());
        Ok(())
    }

    fn finish_times(&mut self) -> Result<(), ConfigError> {
        let config = &mut self.config;
        config.init_limit_ticks = self.init_limit_ticks.unwrap_or(config.init_limit_ticks);
        config.sync_limit_ticks = self.sync_limit_ticks.unwrap_or(config.sync_limit_ticks);
        let (min, max) = (self.session_timeout_ms_min, self.session_timeout_ms_max);
        config.session_timeout_ms_min = min.unwrap_or(config.tick_ms.saturating_mul(2));
        config.session_timeout_ms_max = max.unwrap_or(config.tick_ms.saturating_mul(20));
        let (min, max) = (config.session_timeout_ms_min, config.session_timeout_ms_max);
        if min <= max {
            return Ok(());
        }
        let by_min = format!("expected no more than maxSessionTimeout, which is {max}");
        let by_max = format!("expected no less than minSessionTimeout, which is {min}");
        Err(match self.session_timeout_ms_min {
            Some(_) => self.contradiction("minSessionTimeout", by_min),
            None => self.contradiction("maxSessionTimeout", by_max),
        })
    }

    /// Whether a setting was applied as `key`.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.applied.contains_key(key)
    }

    /// The error that the setting applied as `key` does not go with another one.
    pub(super) fn contradiction(&self, key: &'static str, what: String) -> ConfigError {
        match self.applied.get(key) {
            Some(setting) => setting.refuse(what),
            None => ConfigError::of_key(&self.cfg_name, key, what),
        }
    }

    /// Arguments above the server's own line above zoo.cfg above the default.
    fn finish_client_address(
        &mut self,
        servers: &Servers,
        overrides: &Overrides,
    ) -> Result<(), ConfigError> {
        let from_file = self.client_port.map(|port| {
            HostPort::new(
                self.client_host.clone().unwrap_or("0.0.0.0".to_owned()),
                port,
            )
        });
        let from_line = servers.own_client_address();
        if let (Some(file), Some(line)) = (&from_file, from_line) {
            let agree = file.port == line.port && (file.is_any_address() || file.host == line.host);
            if !agree {
                let what = format!("expected the client address of the server.N line, {line}");
                return Err(self.contradiction("clientPort", what));
            }
        }
        let port = overrides.client_port;
        if self.client_host.is_some() && from_file.is_none() && port.is_none() {
            let what = "expected clientPort beside it".to_owned();
            return Err(self.contradiction("clientPortAddress", what));
        }
        let base = from_line.cloned().or(from_file);
        let mut address = match (base, port) {
            (Some(address), _) => address,
            (None, _) if !self.has_cfg => Config::default().client_address,
            (None, Some(port)) => HostPort::new(
                self.client_host.take().unwrap_or("0.0.0.0".to_owned()),
                port,
            ),
            (None, None) => match self.secure_address() {
                Some(address) => {
                    self.config.client_transport = Transport::Tls;
                    address
                }
                None => {
                    let what = "missing: expected the port that clients connect to, 1 to 65535, \
                                or secureClientPort";
                    return Err(ConfigError::of_key(&self.cfg_name, "clientPort", what));
                }
            },
        };
        address.port = port.unwrap_or(address.port);
        if let Some(host) = &overrides.client_host {
            address.host.clone_from(host);
        }
        self.config.client_address = address;
        Ok(())
    }

    fn finish_ensemble(&mut self, servers: Servers, sources: &Sources) -> Result<(), ConfigError> {
        let Some(ensemble) = membership::ensemble(servers, sources, self)? else {
            return Ok(());
        };
        for (key, limit) in [
            ("initLimit", self.init_limit_ticks),
            ("syncLimit", self.sync_limit_ticks),
        ] {
            if limit.is_none() {
                let what = "missing: an ensemble needs it, a whole number of ticks, 1 or more";
                return Err(ConfigError::of_key(&self.cfg_name, key, what));
            }
        }
        self.config.ensemble = Some(ensemble);
        self.config.reconfig.single_voter = !self.standalone_enabled;
        Ok(())
    }

    /// Settings without effect share a warning per reason, so that a long file warns in few lines.
    fn into_loaded(self) -> Loaded {
        let mut warnings = self.notes;
        for (what, keys) in [
            (
                "settings without a meaning for zoowarden, ignored",
                self.no_meaning,
            ),
            (
                "settings that are not supported yet and have no effect",
                self.not_yet,
            ),
            ("unknown settings, ignored", self.unknown),
        ] {
            if !keys.is_empty() {
                warnings.push(format!("{what}: {}", keys.join(", ")));
            }
        }
        Loaded {
            config: self.config,
            warnings,
        }
    }
}

/// Where `myid` lies.
pub(super) fn my_id_path(data_dir: &Path) -> PathBuf {
    data_dir.join("myid")
}

fn label(setting: &Setting) -> String {
    format!("{setting:?}")
}
