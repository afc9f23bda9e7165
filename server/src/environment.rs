//! `server --from-environment`: the files a server needs, made from the variables of ZooKeeper's
//! official container image. As there, files that exist already stay as they are.

use std::io;
use std::path::{Path, PathBuf};

/// Variables that become one line of zoo.cfg each: variable, key, default of the official image.
const LINES: [(&str, &str, &str); 10] = [
    ("ZOO_DATA_DIR", "dataDir", "/data"),
    ("ZOO_DATA_LOG_DIR", "dataLogDir", "/datalog"),
    ("ZOO_TICK_TIME", "tickTime", "2000"),
    ("ZOO_INIT_LIMIT", "initLimit", "5"),
    ("ZOO_SYNC_LIMIT", "syncLimit", "2"),
    (
        "ZOO_AUTOPURGE_SNAPRETAINCOUNT",
        "autopurge.snapRetainCount",
        "3",
    ),
    (
        "ZOO_AUTOPURGE_PURGEINTERVAL",
        "autopurge.purgeInterval",
        "0",
    ),
    ("ZOO_MAX_CLIENT_CNXNS", "maxClientCnxns", "60"),
    ("ZOO_STANDALONE_ENABLED", "standaloneEnabled", "true"),
    ("ZOO_ADMINSERVER_ENABLED", "admin.enableServer", "true"),
];

/// The only server unless `ZOO_SERVERS` names some.
const ONE_SERVER: &str = "server.1=localhost:2888:3888;2181";

/// Where zoo.cfg lies unless `ZOO_CONF_DIR` says.
const CONF_DIR: &str = "/conf";

/// Makes zoo.cfg and `myid` if they are not there; gives the path of zoo.cfg, or what is wrong.
pub(crate) fn prepare(variable: impl Fn(&str) -> Option<String>) -> Result<PathBuf, String> {
    let value = |name: &str| variable(name).filter(|value| !value.is_empty());
    let of = |name: &str, default: &str| value(name).unwrap_or_else(|| default.to_owned());
    let cfg = Path::new(&of("ZOO_CONF_DIR", CONF_DIR)).join("zoo.cfg");
    write_new(&cfg, &cfg_text(&value))?;
    let my_id = Path::new(&of("ZOO_DATA_DIR", LINES[0].2)).join("myid");
    write_new(&my_id, &format!("{}\n", of("ZOO_MY_ID", "1")))?;
    Ok(cfg)
}

/// The log level that a `ZOO_LOG4J_PROP` such as `WARN,CONSOLE` asks for.
pub(crate) fn log_level(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let property = variable("ZOO_LOG4J_PROP")?;
    let level = property.split(',').next()?.trim().to_ascii_lowercase();
    let level = match level.as_str() {
        "fatal" => "error",
        "all" => "trace",
        "off" | "error" | "warn" | "info" | "debug" | "trace" => &level,
        _ => return None,
    };
    Some(level.to_owned())
}

fn cfg_text(value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for (name, key, default) in LINES {
        line(&format!(
            "{key}={}",
            value(name).as_deref().unwrap_or(default)
        ));
    }
    let servers = value("ZOO_SERVERS").unwrap_or_else(|| ONE_SERVER.to_owned());
    servers.split_whitespace().for_each(&mut line);
    if let Some(words) = value("ZOO_4LW_COMMANDS_WHITELIST") {
        line(&format!("4lw.commands.whitelist={words}"));
    }
    let extra = value("ZOO_CFG_EXTRA").unwrap_or_default();
    extra.split_whitespace().for_each(line);
    text
}

fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let written = || -> io::Result<()> {
        if path.try_exists()? {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)
    };
    written().map_err(|error| {
        let path = path.display();
        format!("--from-environment: {path} cannot be written: {error}; mount it, or let this user write there")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zoowarden::server::config::{self, Loaded, Overrides, SystemProperties};

    fn load(dir: &Path, variables: &[(&str, &str)]) -> (String, Loaded) {
        let at = |name: &str| Some(dir.join(name).display().to_string());
        let variable = |name: &str| match name {
            "ZOO_CONF_DIR" => at("conf"),
            "ZOO_DATA_DIR" => at("data"),
            "ZOO_DATA_LOG_DIR" => at("datalog"),
            _ => {
                let found = variables.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            }
        };
        let cfg = prepare(variable).unwrap();
        let text = std::fs::read_to_string(&cfg).unwrap();
        let (properties, overrides) = (SystemProperties::default(), Overrides::default());
        (
            text,
            config::load(Some(&cfg), properties, overrides).unwrap(),
        )
    }

    #[test]
    fn without_variables_it_is_the_official_images_single_server() {
        let dir = tempfile::tempdir().unwrap();
        let (_, loaded) = load(dir.path(), &[]);
        let config = loaded.config;
        assert!(config.ensemble.is_none());
        assert_eq!(config.client_address.to_string(), "0.0.0.0:2181");
        assert_eq!(config.tick_ms, 2000);
        assert_eq!(config.data_dir, dir.path().join("data"));
        assert_eq!(config.log_dir, dir.path().join("datalog"));
    }

    #[test]
    fn every_variable_counts_once_and_files_stay_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let variables = [
            ("ZOO_MY_ID", "2"),
            (
                "ZOO_SERVERS",
                "server.1=a:2888:3888;2181 server.2=b:2888:3888;2182  server.3=c:1:2;2183",
            ),
            ("ZOO_TICK_TIME", "500"),
            ("ZOO_INIT_LIMIT", "9"),
            ("ZOO_SYNC_LIMIT", "8"),
            ("ZOO_MAX_CLIENT_CNXNS", "7"),
            ("ZOO_AUTOPURGE_SNAPRETAINCOUNT", "6"),
            ("ZOO_AUTOPURGE_PURGEINTERVAL", "5"),
            ("ZOO_4LW_COMMANDS_WHITELIST", "srvr, mntr"),
            ("ZOO_ADMINSERVER_ENABLED", "false"),
            (
                "ZOO_CFG_EXTRA",
                "maxSessionTimeout=90000 localSessionsEnabled=true",
            ),
        ];
        let (text, loaded) = load(dir.path(), &variables);
        let config = loaded.config;
        let ensemble = config.ensemble.unwrap();
        assert_eq!((ensemble.my_id.0, ensemble.members.len()), (2, 3));
        assert_eq!(config.client_address.to_string(), "0.0.0.0:2182");
        assert_eq!((config.tick_ms, config.init_limit_ticks), (500, 9));
        assert_eq!(config.sync_limit_ticks, 8);
        assert_eq!(config.client_cnxns_per_ip_max.map(|n| n.get()), Some(7));
        assert_eq!(config.autopurge_snap_retain_count, 6);
        assert!(text.contains("autopurge.purgeInterval=5\n"), "{text}");
        assert_eq!(config.session_timeout_ms_max, 90_000);
        assert!(config.local_sessions.enabled);
        assert!(
            text.contains("4lw.commands.whitelist=srvr, mntr\n"),
            "{text}"
        );
        let (again, _) = load(dir.path(), &[("ZOO_MY_ID", "3"), ("ZOO_TICK_TIME", "1")]);
        assert_eq!(again, text);
        let my_id = std::fs::read_to_string(dir.path().join("data/myid"));
        assert_eq!(my_id.unwrap(), "2\n");
    }

    #[test]
    fn log4j_levels_are_understood() {
        for (property, level) in [
            ("INFO,CONSOLE", Some("info")),
            ("WARN", Some("warn")),
            ("ALL, CONSOLE", Some("trace")),
            ("FATAL,X", Some("error")),
            ("LOUD,CONSOLE", None),
        ] {
            let found = log_level(|_| Some(property.to_owned()));
            assert_eq!(found.as_deref(), level, "{property}");
        }
        assert_eq!(log_level(|_| None), None);
    }
}
