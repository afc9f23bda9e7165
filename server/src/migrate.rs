//! `zoowarden import` and `zoowarden export`: arguments, progress, what is said at the end.
//!
//! Exit codes: 0 done, 1 nothing usable was written, 2 wrong arguments or configuration.

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use zoowarden::server::config::{self, Config, ConfigError, Loaded, Overrides, SystemProperties};
use zoowarden::server::migration::{self, Exported, Imported, Sessions, Source, Target};
use zoowarden::zookeeper_files::{Compression, Format, Options, Progress};

use super::{FAILED, WRONG_INVOCATION, fail};

pub(crate) const IMPORT_EXAMPLES: &str = "\
The ZooKeeper server must be stopped; its files are only read. Versions 3.4 to 3.9 can be read,
compressed snapshots too. Everything comes along: data, ACLs, all fields of Stat, sessions with
their ephemerals, containers, TTL znodes, quotas. The next change gets a zxid above the last one.

For an ensemble, import the SAME directory for every server (copy it to each machine, or run the
command where all configurations are), best the one of the server with the highest zxid. The
ensemble begins once a majority of its servers runs with that import; the others may start empty and
are sent everything.

Examples:
  zoowarden import --from /var/lib/zookeeper --data-dir /srv/zoowarden
                                   a lone server
  zoowarden import --from /var/lib/zookeeper --from-logs /srv/zk-log --config zoo.cfg
                                   dataDir and dataLogDir, into those that zoo.cfg names; files of
                                   ZooKeeper may lie there already (dataDir/version-2, myid) and
                                   stay as they are

Exit codes: 0 done, 1 nothing usable was written, 2 wrong arguments or configuration";

pub(crate) const EXPORT_EXAMPLES: &str = "\
The server must be stopped. In an ensemble, stop all servers and export the one with the highest
zxid (each export says its own); every entry of its log counts. Give the same directory, with its own
myid, to every ZooKeeper server.

Examples:
  zoowarden export --data-dir /srv/zoowarden --to /var/lib/zookeeper
  zoowarden export --config zoo.cfg --to /tmp/out --for 3.9 --compression gz

Exit codes: 0 done, 1 nothing usable was written, 2 wrong arguments or configuration";

/// Which directories of ours.
#[derive(Debug, Clone, Args)]
struct Ours {
    /// Our data directory, for a lone server without a zoo.cfg
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    data_dir: Option<PathBuf>,
    /// Our zoo.cfg, which names dataDir and dataLogDir, and the servers of an ensemble
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Leave out sessions and the ephemerals they own
    #[arg(long)]
    drop_sessions: bool,
}

impl Ours {
    fn load(&self) -> Result<Config, ConfigError> {
        let overrides = Overrides {
            data_dir: self.data_dir.clone(),
            ..Overrides::default()
        };
        let properties = SystemProperties::default();
        let Loaded { config, .. } = config::load(self.config.as_deref(), properties, overrides)?;
        Ok(config)
    }

    fn sessions(&self) -> Sessions {
        match self.drop_sessions {
            true => Sessions::Drop,
            false => Sessions::Keep,
        }
    }
}

/// What `zoowarden import` can be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct ImportOptions {
    /// dataDir of a stopped ZooKeeper server, which holds version-2
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Its dataLogDir, if that is another one
    #[arg(long, value_name = "DIR")]
    from_logs: Option<PathBuf>,
    #[command(flatten)]
    ours: Ours,
    /// Begin with an empty tree when there are logs and no snapshot (3.4 could leave it so)
    #[arg(long)]
    trust_empty_snapshot: bool,
    /// Import also when the znodes differ from the digest that ZooKeeper recorded of them
    #[arg(long)]
    ignore_digests: bool,
    /// Import also when the logs lack transactions between others
    #[arg(long)]
    ignore_gaps: bool,
}

impl ImportOptions {
    /// Where the logs are when zoo.cfg, which is ours and was ZooKeeper's, says so.
    fn own_logs(&self, config: &Config) -> Option<PathBuf> {
        let real = |dir: &PathBuf| std::fs::canonicalize(dir).ok();
        let is_own = real(&self.from).is_some_and(|from| real(&config.data_dir) == Some(from));
        let has_logs = config.log_dir.join("version-2").is_dir();
        (is_own && has_logs).then(|| config.log_dir.clone())
    }
}

/// What `zoowarden export` can be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExportOptions {
    #[command(flatten)]
    ours: Ours,
    /// Where to: a directory that is empty or does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The ZooKeeper that is to read it
    #[arg(
        long = "for",
        value_name = "VERSION",
        value_enum,
        default_value = "3.8"
    )]
    version: Reader,
    /// How the snapshot is compressed; 3.6 and later can read it
    #[arg(long, value_enum, default_value = "none")]
    compression: Packing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reader {
    #[value(name = "3.4")]
    V3_4,
    #[value(name = "3.5")]
    V3_5,
    #[value(name = "3.6")]
    V3_6,
    #[value(name = "3.7")]
    V3_7,
    #[value(name = "3.8")]
    V3_8,
    #[value(name = "3.9")]
    V3_9,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Packing {
    None,
    Gz,
    Snappy,
}

/// Brings data of ZooKeeper.
pub(crate) fn import(options: &ImportOptions) -> ExitCode {
    let config = match options.ours.load() {
        Ok(config) => config,
        Err(error) => return fail(WRONG_INVOCATION, &error.to_string()),
    };
    let source = Source {
        data_dir: options.from.clone(),
        log_dir: options
            .from_logs
            .clone()
            .or_else(|| options.own_logs(&config)),
        options: Options {
            trusts_empty_snapshot: options.trust_empty_snapshot,
            ignores_digests: options.ignore_digests,
            ignores_gaps: options.ignore_gaps,
        },
        sessions: options.ours.sessions(),
    };
    match migration::import(&source, &config, &mut tell) {
        Ok(imported) => {
            for warning in &imported.warnings {
                note(&format!("warning: {warning}"));
            }
            say(&told(&imported, &config));
            ExitCode::SUCCESS
        }
        Err(error) => fail(FAILED, &error.to_string()),
    }
}

fn tell(progress: Progress<'_>) {
    match progress {
        Progress::Znodes(file, count) => note(&format!("{}: {count} znodes", file.display())),
        Progress::Transactions(file, count) => {
            note(&format!("{}: {count} transactions so far", file.display()));
        }
    }
}

fn told(imported: &Imported, config: &Config) -> String {
    let from = match &imported.snapshot {
        Some(file) => file.display().to_string(),
        None => "no snapshot".to_owned(),
    };
    let digests = match imported.digests_compared {
        0 => "; no digest to compare".to_owned(),
        count => format!("; {count} digests compared"),
    };
    let orphans = match imported.orphans {
        0 => String::new(),
        count => format!("; {count} ephemerals without a session left out"),
    };
    format!(
        "imported {} znodes, {} sessions with {} ephemerals, last zxid {}\n\
         from {from} and {} transactions behind it{digests}{orphans}\n\
         into {}",
        imported.znodes,
        imported.sessions,
        imported.ephemerals,
        imported.last_zxid,
        imported.transactions,
        config.data_dir.display(),
    )
}

/// Writes data for ZooKeeper.
pub(crate) fn export(options: &ExportOptions) -> ExitCode {
    let config = match options.ours.load() {
        Ok(config) => config,
        Err(error) => return fail(WRONG_INVOCATION, &error.to_string()),
    };
    let compression = match options.compression {
        Packing::None => Compression::None,
        Packing::Gz => Compression::Gzip,
        Packing::Snappy => Compression::Snappy,
    };
    if compression != Compression::None && matches!(options.version, Reader::V3_4 | Reader::V3_5) {
        let what = "ZooKeeper reads compressed snapshots since 3.6: leave out --compression";
        return fail(WRONG_INVOCATION, what);
    }
    let target = Target {
        dir: options.to.clone(),
        format: match options.version {
            Reader::V3_4 => Format::V3_4,
            Reader::V3_5 => Format::V3_5,
            Reader::V3_6 | Reader::V3_7 | Reader::V3_8 => Format::V3_8,
            Reader::V3_9 => Format::V3_9,
        },
        compression,
        sessions: options.ours.sessions(),
    };
    match migration::export(&config, &target) {
        Ok(exported) => {
            say(&exported_text(&exported));
            ExitCode::SUCCESS
        }
        Err(error) => fail(FAILED, &error.to_string()),
    }
}

fn exported_text(exported: &Exported) -> String {
    let dumped = &exported.dumped;
    format!(
        "exported {} znodes, {} sessions, last zxid {}, to {}",
        dumped.znodes,
        dumped.sessions,
        dumped.last_zxid,
        exported.file.display(),
    )
}

fn say(text: &dyn Display) {
    // A closed stdout is no reason to fail: the work is done.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
