//! The configuration files of a server, kept as reconfigs change them.
//!
//! ```text
//! zoo.cfg                    what is this server's own; names the next one as dynamicConfigFile
//! zoo.cfg.dynamic.<version>  a server.N line each; one file per version, older ones stay
//! zoo.cfg.dynamic.next       what a reconfig under way would make of it
//! zoo.cfg.bak                zoo.cfg as it was when it still listed the servers
//! ```
//!
//! The log of the ensemble is what counts; the files are for the next start, for tools and for
//! people. So a file that cannot be written is worth a warning, and is tried again with the next
//! change. Every file is replaced as a whole: at a crash it is the old one or the new one.
//!
//! Without `reconfigEnabled` no file is touched.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::proto::{ServerId, Zxid, member_lines};
use crate::server::Shared;
use crate::storage::{Disk, OpenMode};
use crate::tree::Configuration;

/// A zoo.cfg longer than this is not one.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Runs until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let Some(mut files) = Files::of(&shared) else {
        return;
    };
    let mut serving = shared.serving.subscribe();
    // Before that, the log may still be behind the files.
    if serving.wait_for(|serving| *serving).await.is_err() {
        return;
    }
    let mut changes = shared.replica.watch_configuration();
    loop {
        let configuration = Arc::clone(shared.replica.tree().configuration());
        let disk = Arc::clone(&shared.disk);
        let keeping = tokio::task::spawn_blocking(move || {
            if let Err(error) = files.keep(&*disk, &configuration) {
                tracing::warn!(%error, file = %files.cfg.display(),
                    version = %configuration.version,
                    "the servers of the ensemble cannot be written beside zoo.cfg; \
                     the log has them, and counts");
            }
            files
        });
        let Ok(kept) = keeping.await else { return };
        files = kept;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

struct Files {
    me: ServerId,
    cfg: PathBuf,
    /// The version that `dynamicConfigFile` names; 0 while there is none.
    version: Zxid,
    /// A pending one lies there.
    has_next: bool,
}

impl Files {
    fn of(shared: &Shared) -> Option<Files> {
        let settings = &shared.config.reconfig;
        let ensemble = shared.config.ensemble.as_ref();
        let cfg = settings.file.as_ref().filter(|_| settings.enabled)?;
        Some(Files {
            me: ensemble?.my_id,
            cfg: std::path::absolute(cfg).ok()?,
            version: settings.dynamic_file.as_deref().map_or(Zxid(0), version_of),
            has_next: true,
        })
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.cfg.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// Brings the files up to date.
    fn keep(&mut self, disk: &dyn Disk, configuration: &Configuration) -> io::Result<()> {
        let next = self.beside(".dynamic.next");
        if let Some(pending) = &configuration.pending {
            let mut text = member_lines(&pending.members);
            text.push_str(&format!("version={:x}\n", pending.id.0));
            replace(disk, &next, &text)?;
            self.has_next = true;
        } else if self.has_next {
            if disk.exists(&next)? {
                disk.remove(&next)?;
            }
            self.has_next = false;
        }
        if configuration.version != self.version && !configuration.members.is_empty() {
            self.write_version(disk, configuration)?;
            self.version = configuration.version;
        }
        Ok(())
    }

    fn write_version(&self, disk: &dyn Disk, configuration: &Configuration) -> io::Result<()> {
        let version = configuration.version;
        let dynamic = self.beside(&format!(".dynamic.{:x}", version.0));
        replace(disk, &dynamic, &member_lines(&configuration.members))?;
        let own = configuration.members.get(&self.me);
        let has_client_port = own.is_some_and(|own| own.client_address.is_some());
        let text = read(disk, &self.cfg)?;
        if !names_dynamic_file(&text) {
            replace(disk, &self.beside(".bak"), &text)?;
        }
        replace(
            disk,
            &self.cfg,
            &static_text(&text, &dynamic, has_client_port),
        )?;
        tracing::info!(file = %dynamic.display(), %version, "the servers of the ensemble are written");
        Ok(())
    }
}

/// The version in a dynamic file's name; 0 without one.
fn version_of(file: &Path) -> Zxid {
    let suffix = file.extension().and_then(|suffix| suffix.to_str());
    let version = suffix.and_then(|suffix| i64::from_str_radix(suffix, 16).ok());
    Zxid(version.unwrap_or(0))
}

/// The key of a line of a properties file; comments and blank lines have none.
fn key(line: &str) -> &str {
    let line = line.trim_start();
    if line.starts_with(['#', '!']) {
        return "";
    }
    line.split(|c: char| c == '=' || c == ':' || c.is_whitespace())
        .next()
        .unwrap_or_default()
}

fn names_dynamic_file(text: &str) -> bool {
    text.lines().any(|line| key(line) == "dynamicConfigFile")
}

/// zoo.cfg without what the dynamic file says from now on; everything else stays as it was written.
fn static_text(text: &str, dynamic: &Path, has_client_port: bool) -> String {
    let moves = |key: &str| {
        let listed = [
            "server.",
            "group",
            "weight",
            "dynamicConfigFile",
            "peerType",
        ];
        let client = has_client_port && matches!(key, "clientPort" | "clientPortAddress");
        client || listed.iter().any(|prefix| key.starts_with(prefix))
    };
    let mut kept = String::with_capacity(text.len());
    let (mut continues, mut moving) = (false, false);
    for line in text.lines() {
        if !continues {
            moving = moves(key(line));
        }
        let is_comment = !continues && key(line).is_empty();
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        continues = !is_comment && backslashes % 2 == 1;
        if !moving {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    let path = dynamic.display().to_string().replace('\\', "\\\\");
    kept.push_str(&format!("dynamicConfigFile={path}\n"));
    kept
}

fn read(disk: &dyn Disk, path: &Path) -> io::Result<String> {
    let file = disk.open(path, OpenMode::Read)?;
    let mut bytes = vec![0; file.bytes()?.min(FILE_BYTES_MAX) as usize];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Replaces a file; durable on return.
fn replace(disk: &dyn Disk, path: &Path, text: &str) -> io::Result<()> {
    let mut tmp = path.to_owned().into_os_string();
    tmp.push(".tmp");
    let tmp = PathBuf::from(tmp);
    let file = disk.open(&tmp, OpenMode::Create)?;
    file.write_at(text.as_bytes(), 0)?;
    file.sync_data()?;
    disk.rename(&tmp, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{ConnectionId, SessionId, server_line};
    use crate::session::Origin;
    use crate::storage::{RealDisk, SimDisk};
    use crate::tree::{Asker, Pending};

    const OLD: &str = "# ours\ntickTime=2000\nclientPort=2181\nclientPortAddress 10.0.0.1\n\
        server.1=a:1:2\\\n  :observer\nserver.2 = b:1:2\npeerType=observer\nsnapCount=5";

    fn configuration(version: i64, lines: &[&str]) -> Configuration {
        let member = |(id, line): (u8, &&str)| {
            let line = server_line(line).unwrap();
            (ServerId(id), line.member)
        };
        Configuration {
            members: (1..).zip(lines).map(member).collect(),
            version: Zxid(version),
            ..Configuration::default()
        }
    }

    fn files(dir: &Path) -> Files {
        Files {
            me: ServerId(1),
            cfg: dir.join("zoo.cfg"),
            version: Zxid(0),
            has_next: true,
        }
    }

    #[test]
    fn zoo_cfg_is_split_once_and_then_names_the_latest_version() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let text = |name: &str| std::fs::read_to_string(at(name)).unwrap();
        std::fs::write(at("zoo.cfg"), OLD).unwrap();
        let mut files = files(dir.path());
        let first = configuration(0x1_0000_0000, &["a:1:2;2181", "b:1:2:observer"]);
        files.keep(&RealDisk, &first).unwrap();
        assert_eq!(text("zoo.cfg.bak"), OLD);
        assert_eq!(
            text("zoo.cfg.dynamic.100000000"),
            "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2:observer\n"
        );
        let named = |version: &str| {
            let path = at(&format!("zoo.cfg.dynamic.{version}"));
            format!(
                "# ours\ntickTime=2000\nsnapCount=5\ndynamicConfigFile={}\n",
                path.display()
            )
        };
        assert_eq!(text("zoo.cfg"), named("100000000"));
        assert_eq!(version_of(&at("zoo.cfg.dynamic.100000000")), first.version);

        let mut second = configuration(0x1_0000_0005, &["a:1:2;2181"]);
        let asker = Asker {
            origin: Origin {
                server: ServerId(1),
                connection: ConnectionId(1),
            },
            session: SessionId(1),
            identities: Vec::new(),
        };
        let pending = Pending {
            id: Zxid(0x1_0000_0004),
            members: second.members.clone(),
            asker,
        };
        let under_way = Configuration {
            pending: Some(pending),
            ..first
        };
        files.keep(&RealDisk, &under_way).unwrap();
        assert_eq!(
            text("zoo.cfg.dynamic.next"),
            "server.1=a:1:2:participant;0.0.0.0:2181\nversion=100000004\n"
        );
        assert_eq!(text("zoo.cfg"), named("100000000"));
        second.pending = None;
        files.keep(&RealDisk, &second).unwrap();
        assert!(!at("zoo.cfg.dynamic.next").exists());
        assert!(at("zoo.cfg.dynamic.100000000").exists(), "older ones stay");
        assert_eq!(text("zoo.cfg"), named("100000005"));
        assert_eq!(text("zoo.cfg.bak"), OLD);
    }

    #[test]
    fn client_ports_stay_where_the_line_has_none() {
        let dynamic = Path::new("/d");
        let text = static_text(OLD, dynamic, false);
        assert_eq!(
            text,
            "# ours\ntickTime=2000\nclientPort=2181\nclientPortAddress 10.0.0.1\nsnapCount=5\n\
             dynamicConfigFile=/d\n"
        );
        assert_eq!(static_text(&text, dynamic, false), text);
    }

    #[test]
    fn a_crash_leaves_the_old_or_the_new_zoo_cfg_and_whatever_it_names() {
        let dir = Path::new("conf");
        for power in 0..40 {
            for seed in 0..10 {
                let disk = SimDisk::new();
                replace(&disk, &dir.join("zoo.cfg"), OLD).unwrap();
                disk.power_off_after(power);
                let kept = files(dir).keep(&disk, &configuration(7, &["a:1:2;2181"]));
                disk.crash(seed);
                let cfg = read(&disk, &dir.join("zoo.cfg")).unwrap();
                if cfg == OLD {
                    assert!(kept.is_err(), "{power} {seed}");
                    continue;
                }
                assert!(
                    cfg.ends_with("dynamicConfigFile=conf/zoo.cfg.dynamic.7\n"),
                    "{cfg}"
                );
                let named = read(&disk, &dir.join("zoo.cfg.dynamic.7")).unwrap();
                assert_eq!(named, "server.1=a:1:2:participant;0.0.0.0:2181\n");
            }
        }
    }
}
