//! The one file of the configuration that reads files.

use std::io;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::jaas::JAAS_FILE;
use super::resolve::{Loaded, Sources, TextFile, my_id_path, resolve, value_in};
use super::{Config, Overrides, SystemProperties};

/// Reads `path`, the dynamic file and the login file it names and `myid` in its data directory, and
/// builds the configuration. Without a path: a single server with defaults.
pub fn load(
    path: Option<&Path>,
    properties: SystemProperties,
    overrides: Overrides,
) -> Result<Loaded, ConfigError> {
    let cfg = path.map(read).transpose()?;
    let setting = |key| match &cfg {
        Some(cfg) => value_in(cfg, key),
        None => Ok(None),
    };
    let dynamic = setting("dynamicConfigFile")?;
    let dynamic_file = dynamic.as_ref().map(PathBuf::from);
    let dynamic = dynamic.map(|name| read(Path::new(&name))).transpose()?;
    let data_dir = match &overrides.data_dir {
        Some(dir) => dir.clone(),
        None => setting("dataDir")?.map_or(Config::default().data_dir, Into::into),
    };
    let my_id = read_if_there(&my_id_path(&data_dir))?;
    let jaas = match properties.value(JAAS_FILE) {
        Some(name) => Some(name.to_owned()),
        None => setting(JAAS_FILE)?,
    };
    let jaas = jaas.map(|name| read(&path_of(&name))).transpose()?;
    let mut loaded = resolve(&Sources {
        cfg,
        dynamic,
        my_id,
        jaas,
        properties,
        overrides,
    })?;
    let reconfig = &mut loaded.config.reconfig;
    reconfig.file = path.map(Path::to_owned);
    reconfig.dynamic_file = dynamic_file;
    Ok(loaded)
}

/// Java takes `/a`, `=/a` for "and no other file", `file:/a` and `file:///a`.
fn path_of(name: &str) -> PathBuf {
    let name = name.trim_start_matches('=');
    let path = name.strip_prefix("file:").unwrap_or(name);
    match path.strip_prefix("///") {
        Some(rest) => Path::new("/").join(rest),
        None => path.into(),
    }
}

fn read(path: &Path) -> Result<TextFile, ConfigError> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => Ok(TextFile {
            name,
            text: decode(bytes),
        }),
        Err(error) => Err(ConfigError::of_file(
            &name,
            None,
            format!("cannot be read: {error}"),
        )),
    }
}

fn read_if_there(path: &Path) -> Result<Option<TextFile>, ConfigError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => read(path).map(Some),
    }
}

/// Java reads properties as Latin-1; what is valid UTF-8 was meant as such.
fn decode(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) -> String {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn load_error(path: &str) -> String {
        let loaded = load(
            Some(Path::new(path)),
            SystemProperties::default(),
            Overrides::default(),
        );
        loaded.unwrap_err().to_string()
    }

    #[test]
    fn an_ensemble_is_read_from_its_three_files() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let dynamic = write(
            dir.path(),
            "zoo.cfg.dynamic.100000000",
            "server.1=a:2888:3888;2181\nserver.2=b:2888:3888;2182\nserver.3=c:2888:3888;2183\n",
        );
        let cfg = format!("dataDir={at}\ninitLimit=10\nsyncLimit=5\ndynamicConfigFile={dynamic}\n");
        let cfg = write(dir.path(), "zoo.cfg", &cfg);
        write(dir.path(), "myid", "2\n");
        let loaded = load(
            Some(Path::new(&cfg)),
            SystemProperties::default(),
            Overrides::default(),
        )
        .unwrap();
        let ensemble = loaded
            .config
            .ensemble
            .expect("three servers are an ensemble");
        assert_eq!((ensemble.my_id.0, ensemble.me().host.as_str()), (2, "b"));
        assert_eq!(loaded.config.client_address.to_string(), "0.0.0.0:2182");
        assert_eq!(loaded.warnings, Vec::<String>::new());
        let reconfig = loaded.config.reconfig;
        assert_eq!(reconfig.file.as_deref(), Some(Path::new(&cfg)));
        assert_eq!(reconfig.dynamic_file.as_deref(), Some(Path::new(&dynamic)));
        assert!(!reconfig.enabled && !reconfig.single_voter);
    }

    #[test]
    fn the_data_dir_argument_decides_where_myid_is_read() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let cfg = "dataDir=/nowhere/at/all\ninitLimit=10\nsyncLimit=5\nclientPort=2181\n\
                   server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n";
        let cfg = write(dir.path(), "zoo.cfg", cfg);
        assert_eq!(
            load_error(&cfg),
            "/nowhere/at/all/myid: missing: expected a file with the N of this server's server.N \
             line"
        );
        write(other.path(), "myid", "3");
        let overrides = Overrides {
            data_dir: Some(other.path().to_owned()),
            ..Overrides::default()
        };
        let loaded = load(
            Some(Path::new(&cfg)),
            SystemProperties::default(),
            overrides,
        )
        .unwrap();
        assert_eq!(loaded.config.ensemble.map(|e| e.my_id.0), Some(3));
        assert_eq!(loaded.config.data_dir, other.path());
    }

    #[test]
    fn the_login_file_is_read_wherever_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let module = "org.apache.zookeeper.server.auth.DigestLoginModule";
        let text = format!("Server {{ {module} required user_bob=\"x\"; }};");
        let jaas = write(dir.path(), "jaas.conf", &text);
        for spelled in [
            jaas.clone(),
            format!("={jaas}"),
            format!("file:{jaas}"),
            format!("file://{jaas}"),
        ] {
            let line = format!("java.security.auth.login.config={spelled}");
            let mut properties = SystemProperties::default();
            properties.push_argument(&line);
            let loaded = load(None, properties, Overrides::default()).unwrap();
            let users = loaded
                .config
                .security
                .sasl_users
                .expect("there is a section Server");
            assert!(users.contains_key("bob"), "{spelled}");
            let cfg = format!(
                "dataDir={}\nclientPort=2181\n{line}\n",
                dir.path().display()
            );
            let cfg = write(dir.path(), "zoo.cfg", &cfg);
            let from_cfg = load(
                Some(Path::new(&cfg)),
                SystemProperties::default(),
                Overrides::default(),
            );
            assert!(
                from_cfg.unwrap().config.security.sasl_users.is_some(),
                "{spelled}"
            );
        }
        let mut properties = SystemProperties::default();
        properties.push_argument("java.security.auth.login.config=/nowhere/jaas.conf");
        let error = load(None, properties, Overrides::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/nowhere/jaas.conf: cannot be read: "),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("zoo.cfg").display().to_string();
        let error = load_error(&missing);
        assert!(
            error.starts_with(&format!("{missing}: cannot be read: ")),
            "{error}"
        );
        let dynamic = dir.path().join("gone").display().to_string();
        let cfg = write(dir.path(), "a.cfg", &format!("dynamicConfigFile={dynamic}"));
        let error = load_error(&cfg);
        assert!(
            error.starts_with(&format!("{dynamic}: cannot be read: ")),
            "{error}"
        );
    }

    #[test]
    fn text_that_is_not_utf8_is_latin1() {
        assert_eq!(decode("dataDir=/\u{fc}".into()), "dataDir=/\u{fc}");
        assert_eq!(decode(b"dataDir=/\xfc".to_vec()), "dataDir=/\u{fc}");
    }
}
