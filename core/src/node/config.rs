//! What a node is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::server::StartError;
use crate::server::config::{
    Config, ConfigError, Ensemble, HostPort, Loaded, Overrides, Password, Sources,
    SystemProperties, TextFile, load, resolve,
};
use crate::server::four_letter::WordList;

/// Bytes of one segment of a log in memory, KiB: what a node takes that does nothing.
const MEMORY_SEGMENT_KB: u64 = 1 << 10;

/// Bytes of log in memory that make a snapshot due, KiB. As much again is kept behind the snapshot.
const MEMORY_SNAPSHOT_KB: u64 = 16 << 10;

/// Snapshots kept in memory, where none can rot.
const MEMORY_SNAPSHOTS: u32 = 1;

/// What stands for the directory of a node that has none.
const NO_DIRECTORY: &str = "/memory";

/// Where a node keeps what it acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In memory: no file is created, and everything is gone with the node. A member of an
    /// ensemble fetches it from the others again.
    #[default]
    Memory,
    /// In this directory, which is created if it is missing and used by one server at a time.
    Durable(PathBuf),
}

/// Everything a [`Node`](crate::node::Node) needs to start.
///
/// [`NodeConfig::default`] is a single server in memory, whose clients come through a free port of
/// 127.0.0.1 or from inside the process.
///
/// ```
/// use zoowarden::node::{NodeConfig, Storage};
///
/// let config = NodeConfig {
///     storage: Storage::Durable("data".into()),
///     ..NodeConfig::default()
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Where it keeps what it acknowledged.
    pub storage: Storage,
    /// Where it listens for clients; port 0 takes a free one. `None`: nowhere, and clients come
    /// from inside the process only.
    pub client_address: Option<HostPort>,
    /// The other servers and this one's place among them; `None`: it is alone.
    pub ensemble: Option<Ensemble>,
    /// The unit of time limits, milliseconds (`tickTime`): sessions end with this precision.
    /// Servers far from each other want 2000 or more.
    pub tick_ms: u32,
    /// Shorter session timeouts are raised to this, milliseconds (`minSessionTimeout`).
    pub session_timeout_ms_min: u32,
    /// Longer session timeouts are cut to this, milliseconds (`maxSessionTimeout`).
    pub session_timeout_ms_max: u32,
    /// The four-letter words that are answered (`4lw.commands.whitelist`).
    pub four_letter_words: WordList,
    /// Every other setting of a server. What has a field of its own above is taken from there.
    pub other: Config,
}

impl Default for NodeConfig {
    fn default() -> NodeConfig {
        NodeConfig {
            storage: Storage::Memory,
            client_address: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()),
            ensemble: None,
            tick_ms: 500,
            session_timeout_ms_min: 1_000,
            session_timeout_ms_max: 60_000,
            four_letter_words: WordList::default(),
            other: Config {
                // All clients of the process come from one address.
                client_cnxns_per_ip_max: None,
                ..Config::default()
            },
        }
    }
}

impl NodeConfig {
    /// The node that does what `zoowarden server` does with this configuration.
    pub fn from_config(config: Config) -> NodeConfig {
        NodeConfig {
            storage: Storage::Durable(config.data_dir.clone()),
            client_address: Some(config.client_address.clone()),
            ensemble: config.ensemble.clone(),
            tick_ms: config.tick_ms,
            session_timeout_ms_min: config.session_timeout_ms_min,
            session_timeout_ms_max: config.session_timeout_ms_max,
            four_letter_words: config.four_letter_words.clone(),
            other: config,
        }
    }

    /// Reads a zoo.cfg, and `myid` and the dynamic file if it names them, as `zoowarden server`
    /// does. Blocks.
    ///
    /// # Errors
    /// A file cannot be read, or a setting in it is wrong; the error names file and line.
    pub fn from_zoo_cfg_file(path: &Path) -> Result<NodeConfig, ConfigError> {
        let loaded = load(
            Some(path),
            SystemProperties::default(),
            Overrides::default(),
        );
        loaded.map(NodeConfig::from_loaded)
    }

    /// Takes the text of a zoo.cfg; `my_id` is what would stand in the file `myid`, for an
    /// ensemble.
    ///
    /// # Errors
    /// A setting is wrong; the error names the line.
    pub fn from_zoo_cfg(text: &str, my_id: Option<u8>) -> Result<NodeConfig, ConfigError> {
        let named = |name: &str, text: String| TextFile {
            name: name.to_owned(),
            text,
        };
        let loaded = resolve(&Sources {
            cfg: Some(named("zoo.cfg", text.to_owned())),
            my_id: my_id.map(|id| named("myid", id.to_string())),
            ..Sources::default()
        });
        loaded.map(NodeConfig::from_loaded)
    }

    /// Lets these users in by SASL, each with a password, as a JAAS file does for a server; and lets
    /// ACLs name them by the scheme `sasl`. Who does not authenticate is served as well, as nobody.
    /// The start fails if one of them has no name.
    pub fn set_sasl_users(&mut self, users: impl IntoIterator<Item = (String, Password)>) {
        let security = &mut self.other.security;
        security.sasl_users = Some(Arc::new(users.into_iter().collect()));
        security.sasl_provider = true;
    }

    fn from_loaded(loaded: Loaded) -> NodeConfig {
        for warning in loaded.warnings {
            tracing::warn!("{warning}");
        }
        NodeConfig::from_config(loaded.config)
    }

    /// The whole configuration of the server inside, if it is consistent.
    pub(crate) fn resolve(self) -> Result<Config, StartError> {
        self.check()?;
        let mut config = self.other;
        match self.storage {
            Storage::Durable(dir) => {
                if config.log_dir == config.data_dir {
                    config.log_dir.clone_from(&dir);
                }
                config.data_dir = dir;
            }
            Storage::Memory => {
                config.data_dir = NO_DIRECTORY.into();
                config.log_dir = NO_DIRECTORY.into();
                // What is forgotten at the end is written nowhere else either.
                config.reconfig.file = None;
                config.pre_alloc_size_kb = MEMORY_SEGMENT_KB;
                config.snap_size_limit_kb = Some(MEMORY_SNAPSHOT_KB);
                config.autopurge_snap_retain_count = MEMORY_SNAPSHOTS;
                config.history.enabled = false;
            }
        }
        Ok(Config {
            ensemble: self.ensemble,
            tick_ms: self.tick_ms,
            session_timeout_ms_min: self.session_timeout_ms_min,
            session_timeout_ms_max: self.session_timeout_ms_max,
            four_letter_words: self.four_letter_words,
            ..config
        })
    }

    fn check(&self) -> Result<(), StartError> {
        let wrong = |what: String| Err(StartError::Configuration(what));
        if self.tick_ms == 0 {
            return wrong("tick_ms is 0: it must be at least 1".into());
        }
        if self.session_timeout_ms_min > self.session_timeout_ms_max {
            return wrong(format!(
                "session_timeout_ms_min {} is more than session_timeout_ms_max {}",
                self.session_timeout_ms_min, self.session_timeout_ms_max
            ));
        }
        let users = self.other.security.sasl_users.as_ref();
        if users.is_some_and(|users| users.contains_key("")) {
            return wrong("a SASL user has no name".into());
        }
        match &self.ensemble {
            Some(ensemble) if !ensemble.members.contains_key(&ensemble.my_id) => wrong(format!(
                "server {} is not among the members of its ensemble",
                ensemble.my_id
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ServerId;

    #[test]
    fn a_zoo_cfg_becomes_what_the_server_would_run() {
        let text = "dataDir=/d\ndataLogDir=/l\nclientPort=2199\ntickTime=1500\n\
                    4lw.commands.whitelist=*\nsnapCount=77\n";
        let config = NodeConfig::from_zoo_cfg(text, None).unwrap();
        assert_eq!(config.storage, Storage::Durable("/d".into()));
        let address = config.client_address.clone().unwrap();
        assert_eq!(address.to_string(), "0.0.0.0:2199");
        assert_eq!((config.tick_ms, config.ensemble.is_none()), (1500, true));
        assert_eq!(config.four_letter_words, WordList::All);
        let whole = config.other.clone();
        assert_eq!(config.resolve().unwrap(), whole);
    }

    #[test]
    fn an_ensemble_in_a_zoo_cfg_needs_to_know_which_server_it_is() {
        let text = "dataDir=/d\ninitLimit=5\nsyncLimit=2\nclientPort=1\n\
                    server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n";
        assert!(NodeConfig::from_zoo_cfg(text, None).is_err());
        let ensemble = NodeConfig::from_zoo_cfg(text, Some(2)).unwrap().ensemble;
        assert_eq!(ensemble.unwrap().my_id, ServerId(2));
    }

    #[test]
    fn what_has_a_field_goes_before_the_rest() {
        let mut config = NodeConfig::from_zoo_cfg("dataDir=/d\nclientPort=1\n", None).unwrap();
        config.storage = Storage::Durable("/elsewhere".into());
        let resolved = config.clone().resolve().unwrap();
        assert_eq!(resolved.data_dir, Path::new("/elsewhere"));
        assert_eq!(resolved.log_dir, Path::new("/elsewhere"));
        config.storage = Storage::Memory;
        let resolved = config.resolve().unwrap();
        assert_eq!(resolved.log_dir, Path::new(NO_DIRECTORY));
        assert_eq!(resolved.snap_size_limit_kb, Some(MEMORY_SNAPSHOT_KB));
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_reason() {
        let ensemble = Ensemble::of(ServerId(4), [(ServerId(1), HostPort::new("a", 1))]);
        let mut nameless = NodeConfig::default();
        nameless.set_sasl_users([(String::new(), Password::new("canary"))]);
        assert!(!format!("{nameless:?}").contains("canary"));
        let wrong = [
            (nameless, "a SASL user has no name"),
            (
                NodeConfig {
                    tick_ms: 0,
                    ..NodeConfig::default()
                },
                "tick_ms is 0",
            ),
            (
                NodeConfig {
                    session_timeout_ms_min: 70_000,
                    ..NodeConfig::default()
                },
                "session_timeout_ms_min 70000 is more",
            ),
            (
                NodeConfig {
                    ensemble: Some(ensemble),
                    ..NodeConfig::default()
                },
                "server 4 is not among",
            ),
        ];
        for (config, what) in wrong {
            let error = config.resolve().unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
