//! What the arguments say, above every file: options, and ZooKeeper's positional form.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::error::ConfigError;
use super::setting::{Origin, Setting, limit, port, text, u32_from};

/// What the arguments say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Instead of `dataDir`.
    pub data_dir: Option<PathBuf>,
    /// Instead of the client port; 0 lets the system choose one.
    pub client_port: Option<u16>,
    /// Instead of the client host.
    pub client_host: Option<String>,
    /// Instead of `tickTime`.
    pub tick_ms: Option<u32>,
    /// Instead of `maxClientCnxns`; `Some(None)`: no limit.
    pub client_cnxns_per_ip_max: Option<Option<NonZeroU32>>,
}

impl Overrides {
    /// ZooKeeper's form without a file: `PORT DATADIR [TICKTIME] [MAXCNXNS]`, clients from
    /// anywhere.
    pub fn from_positional(words: &[String]) -> Result<Self, ConfigError> {
        let (required, optional) = words.split_at(words.len().min(2));
        let [port_word, dir] = required else {
            let what = "expected PORT DATADIR [TICKTIME] [MAXCNXNS]";
            return Err(ConfigError::of_file("command line", None, what));
        };
        let client_port = port(port_word).map_err(|what| refuse("PORT", port_word, what))?;
        let data_dir = text(dir, "a directory").map_err(|what| refuse("DATADIR", dir, what))?;
        let mut overrides = Self {
            data_dir: Some(data_dir.into()),
            client_port: Some(client_port),
            client_host: Some("0.0.0.0".to_owned()),
            ..Self::default()
        };
        let mut optional = optional.iter();
        if let Some(word) = optional.next() {
            let tick_ms = u32_from(word, 1, "a whole number of milliseconds");
            overrides.tick_ms = Some(tick_ms.map_err(|what| refuse("TICKTIME", word, what))?);
        }
        if let Some(word) = optional.next() {
            let cnxns = limit(word, "a whole number of connections");
            let cnxns = cnxns.map_err(|what| refuse("MAXCNXNS", word, what))?;
            overrides.client_cnxns_per_ip_max = Some(cnxns);
        }
        match optional.next() {
            Some(word) => Err(refuse(
                "argument",
                word,
                "expected no more than four".to_owned(),
            )),
            None => Ok(overrides),
        }
    }
}

fn refuse(key: &str, value: &str, what: String) -> ConfigError {
    let setting = Setting {
        origin: Origin::CommandLine,
        key: key.into(),
        value: value.into(),
    };
    ConfigError {
        key: Some(key.to_owned()),
        ..setting.refuse(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positional(words: &[&str]) -> Result<Overrides, String> {
        let words: Vec<_> = words.iter().map(|w| (*w).to_owned()).collect();
        Overrides::from_positional(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn the_positional_form_is_zookeepers() {
        let got = positional(&["2182", "/data"]).unwrap();
        assert_eq!(
            (got.client_port, got.client_host.as_deref()),
            (Some(2182), Some("0.0.0.0"))
        );
        assert_eq!((got.data_dir, got.tick_ms), (Some("/data".into()), None));
        let got = positional(&["2182", "/data", "2000", "0"]).unwrap();
        assert_eq!(
            (got.tick_ms, got.client_cnxns_per_ip_max),
            (Some(2000), Some(None))
        );
    }

    #[test]
    fn a_wrong_positional_argument_is_named() {
        for (words, want) in [
            (
                &["2181"][..],
                "command line: expected PORT DATADIR [TICKTIME] [MAXCNXNS]",
            ),
            (
                &["x", "/d"],
                "command line: PORT=x: expected a port, 1 to 65535",
            ),
            (&["1", ""], "command line: DATADIR=: expected a directory"),
            (
                &["1", "/d", "0"],
                "command line: TICKTIME=0: expected a whole number of milliseconds, 1 or more",
            ),
            (
                &["1", "/d", "1", "many"],
                "command line: MAXCNXNS=many: expected a whole number of connections, 0 for no limit",
            ),
            (
                &["1", "/d", "1", "1", "more"],
                "command line: argument=more: expected no more than four",
            ),
        ] {
            assert_eq!(positional(words).unwrap_err(), want);
        }
    }
}
