//! Whole configurations, from texts alone.

mod files;
mod modes;
mod rules;
mod security;
mod spelling;
mod tls;
mod values;

use super::{Config, ConfigError, Loaded, Overrides, Sources, SystemProperties, TextFile, resolve};

/// A configuration from texts alone.
#[derive(Default)]
struct Case {
    cfg: Option<&'static str>,
    dynamic: Option<&'static str>,
    my_id: Option<&'static str>,
    jaas: Option<&'static str>,
    flags: &'static str,
    overrides: Overrides,
}

impl Case {
    fn of(cfg: &'static str) -> Self {
        Self {
            cfg: Some(cfg),
            ..Self::default()
        }
    }

    fn resolve(self) -> Result<Loaded, ConfigError> {
        let file = |name: &str, text: Option<&str>| {
            text.map(|text| TextFile {
                name: name.to_owned(),
                text: text.to_owned(),
            })
        };
        let mut properties = SystemProperties::default();
        properties.push_environment("SERVER_JVMFLAGS", self.flags);
        resolve(&Sources {
            cfg: file("zoo.cfg", self.cfg),
            dynamic: file("zoo.cfg.dynamic", self.dynamic),
            my_id: file("/data/myid", self.my_id),
            jaas: file("jaas.conf", self.jaas),
            properties,
            overrides: self.overrides,
        })
    }

    fn config(self) -> Config {
        self.resolve().unwrap().config
    }

    fn warnings(self) -> Vec<String> {
        self.resolve().unwrap().warnings
    }

    fn error(self) -> String {
        self.resolve().unwrap_err().to_string()
    }
}

const MINIMAL: &str = "dataDir=/data\nclientPort=2181\n";

/// `MINIMAL` and one more line.
fn with_line(line: &str) -> Case {
    Case::of(format!("{MINIMAL}{line}\n").leak())
}

const THREE: &str = "dataDir=/data\nclientPort=2181\ninitLimit=10\nsyncLimit=5\n\
    server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n";
