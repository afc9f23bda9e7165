//! Data of Apache ZooKeeper into a data directory of ours, and out of it.
//!
//! What lives here: the order of steps, so that a half-made directory never looks like a whole one.
//! What does not: the formats, see `zookeeper_files`; arguments and what is printed, see the binary.
//!
//! ```text
//! import   read everything ▶ identity "importing" ▶ snapshot, log ▶ identity "imported"
//! export   version-2.partial/snapshot… , synced ▶ myid ▶ renamed to version-2
//! ```
//!
//! An ensemble begins with an import when a majority of its voters holds the same one (`raft::seed`):
//! the same directory is imported for each server, and servers that have none start empty and are
//! sent a snapshot.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::metrics::Metrics;
use crate::proto::{ServerId, Zxid};
use crate::raft::{Recovered, SeedError, replayed, seed};
use crate::server::config::Config;
use crate::server::{StartError, members, open};
use crate::storage::{DataDir, Disk, Identity, RealDisk, Standing};
use crate::tree::Tree;
use crate::tree::stored::is_extended;
use crate::zookeeper_files::{self, Compression, Dumped, FilesError, Format, Options, Progress};

const VERSION_DIR: &str = "version-2";
const PARTIAL_DIR: &str = "version-2.partial";
const MY_ID: &str = "myid";
/// What may lie in a data directory that data is imported into: ZooKeeper's own, which we leave
/// alone.
const FOREIGN: [&str; 6] = [
    VERSION_DIR,
    MY_ID,
    "initialize",
    "zookeeper_server.pid",
    "lost+found",
    // Ours, and it says nothing: whoever opens a directory makes it.
    "lock",
];

/// Whether sessions, and the ephemerals they own, come along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sessions {
    /// They do: a client that comes back within its timeout finds its session.
    #[default]
    Keep,
    /// They do not.
    Drop,
}

/// Why data was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The source is not to be read.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The target is in use.
    #[error("{dir} is not empty: it has {name}. Name another directory, or empty this one")]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
        /// What is in it.
        name: String,
    },
    /// Our own directory cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is nothing of ours to export.
    #[error("{dir} holds no data of a Zoowarden server")]
    NothingThere {
        /// The directory.
        dir: PathBuf,
    },
    /// The data is not fit to be exported.
    #[error("{dir}: {what}")]
    Unfit {
        /// The directory.
        dir: PathBuf,
        /// Why not, and what to do.
        what: &'static str,
    },
    /// The version that the export is for does not know a kind of znode.
    #[error(
        "{path} is a container or a TTL znode, which ZooKeeper 3.4 does not know: \
         delete it, or export for a later version"
    )]
    TooNew {
        /// The znode.
        path: String,
    },
    /// The tree cannot be what an ensemble begins with.
    #[error("{0}")]
    Seed(#[from] SeedError),
    /// This server is not to hold an import.
    #[error("an observer needs no import: start it empty, and it is sent everything")]
    Observer,
    /// The operating system refused something.
    #[error("{path}: {error}")]
    Io {
        /// On what.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

/// What an import brought.
#[derive(Debug)]
pub struct Imported {
    /// The snapshot it began with.
    pub snapshot: Option<PathBuf>,
    /// Transactions of the logs on top of it.
    pub transactions: u64,
    /// Digests recorded by ZooKeeper that were compared.
    pub digests_compared: u64,
    /// Znodes.
    pub znodes: usize,
    /// Sessions.
    pub sessions: usize,
    /// Ephemerals.
    pub ephemerals: usize,
    /// Ephemerals that had no session and were left out.
    pub orphans: usize,
    /// The last zxid; the first new one lies above.
    pub last_zxid: Zxid,
    /// What somebody should know.
    pub warnings: Vec<String>,
}

/// Where an import comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// `dataDir` of the stopped ZooKeeper server.
    pub data_dir: PathBuf,
    /// Its `dataLogDir`, if that is another one.
    pub log_dir: Option<PathBuf>,
    /// What to put up with.
    pub options: Options,
    /// Whether sessions come along.
    pub sessions: Sessions,
}

/// Reads a stopped ZooKeeper server's data into the empty directories of `config`. Blocks; needs
/// memory for the tree. Nothing is written before all is read.
pub fn import(
    source: &Source,
    config: &Config,
    tell: &mut dyn FnMut(Progress<'_>),
) -> Result<Imported, MigrationError> {
    let me = config.ensemble.as_ref().map_or(ServerId(0), |e| e.my_id);
    if !members(config).voters.contains_key(&me) {
        return Err(MigrationError::Observer);
    }
    for dir in [&config.data_dir, &config.log_dir] {
        check_unused(dir)?;
    }
    let log_dir = source.log_dir.as_ref().unwrap_or(&source.data_dir);
    let loaded = zookeeper_files::read_directory(&source.data_dir, log_dir, &source.options, tell)?;
    let tree = match source.sessions {
        Sessions::Keep => loaded.tree,
        Sessions::Drop => loaded.tree.without_sessions(),
    };
    let imported = Imported {
        snapshot: loaded.snapshot,
        transactions: loaded.transactions,
        digests_compared: loaded.digests_compared,
        // The tree counts its root twice, as ZooKeeper does.
        znodes: tree.node_count() - 1,
        sessions: tree.sessions().len(),
        ephemerals: tree.ephemerals_count(),
        orphans: loaded.orphans,
        last_zxid: tree.last_zxid(),
        warnings: loaded.warnings,
    };
    put(tree, me, config)?;
    Ok(imported)
}

/// Puts a tree into the directories, which are empty.
fn put(tree: Tree, me: ServerId, config: &Config) -> Result<(), MigrationError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let _locks = lock(config, &*disk)?;
    let stand = |standing| {
        open::stand(config, &*disk, standing).map_err(|error| MigrationError::Io {
            path: config.data_dir.clone(),
            error,
        })
    };
    stand(Standing::Importing)?;
    let (log, snapshots, _) = open::recover(config, &disk, &Metrics::default())?;
    seed(&log, &snapshots, tree, me, &members(config).voters)?;
    log.close();
    stand(Standing::Imported)
}

fn lock(config: &Config, disk: &dyn Disk) -> Result<Vec<DataDir>, MigrationError> {
    let mut locks = vec![DataDir::lock(disk, &config.data_dir).map_err(StartError::from)?];
    if config.log_dir != config.data_dir {
        locks.push(DataDir::lock(disk, &config.log_dir).map_err(StartError::from)?);
    }
    Ok(locks)
}

/// Refuses a directory that holds anything but what ZooKeeper left there.
fn check_unused(dir: &Path) -> Result<(), MigrationError> {
    for name in names(dir)? {
        if !FOREIGN.contains(&&*name) {
            return Err(MigrationError::NotEmpty {
                dir: dir.to_owned(),
                name,
            });
        }
    }
    Ok(())
}

/// The names in a directory; none when there is no directory.
fn names(dir: &Path) -> Result<Vec<String>, MigrationError> {
    let io = |error| MigrationError::Io {
        path: dir.to_owned(),
        error,
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    entries
        .map(|entry| {
            Ok(entry
                .map_err(io)?
                .file_name()
                .to_string_lossy()
                .into_owned())
        })
        .collect()
}

/// What an export is to look like.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where to: a directory that is empty or does not exist.
    pub dir: PathBuf,
    /// For which versions.
    pub format: Format,
    /// How the snapshot is compressed; ZooKeeper reads compressed ones since 3.6.
    pub compression: Compression,
    /// Whether sessions come along.
    pub sessions: Sessions,
}

/// What an export wrote.
#[derive(Debug)]
pub struct Exported {
    /// The snapshot.
    pub file: PathBuf,
    /// What is in it.
    pub dumped: Dumped,
    /// Whose data it is: what the file `myid` says; 0 for a lone server, which has none.
    pub server_id: u8,
}

/// Writes the data of a stopped server of ours, in the directories of `config`, as a directory
/// that Apache ZooKeeper starts from. Blocks.
pub fn export(config: &Config, target: &Target) -> Result<Exported, MigrationError> {
    if let Some(name) = names(&target.dir)?.into_iter().next() {
        return Err(MigrationError::NotEmpty {
            dir: target.dir.clone(),
            name,
        });
    }
    let (tree, server_id) = stopped(config)?;
    let tree = match target.sessions {
        Sessions::Keep => tree,
        Sessions::Drop => tree.without_sessions(),
    };
    if target.format == Format::V3_4
        && let Some(znode) = tree.clone().stored().find(|z| is_extended(z.stat().owner))
    {
        return Err(MigrationError::TooNew { path: znode.path });
    }
    write(tree, server_id, target).map_err(|error| MigrationError::Io {
        path: target.dir.clone(),
        error,
    })
}

/// The state of a stopped server, and which server it is.
fn stopped(config: &Config) -> Result<(Tree, u8), MigrationError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let dir = config.data_dir.clone();
    let found = dir.is_dir().then(|| Identity::load(&*disk, &dir));
    let identity = found.transpose().map_err(StartError::from)?.flatten();
    let Some(identity) = identity else {
        return Err(MigrationError::NothingThere { dir });
    };
    let _locks = lock(config, &*disk)?;
    let unfit = |what| MigrationError::Unfit {
        dir: dir.clone(),
        what,
    };
    match identity.standing {
        Standing::New | Standing::Member | Standing::Imported => {}
        Standing::Returning => {
            let what = "this server has lost its log and has not caught up with the others yet: \
                        export from another one";
            return Err(unfit(what));
        }
        Standing::Importing => {
            return Err(unfit(
                "an import did not finish here: there is nothing to export",
            ));
        }
    }
    let (log, _, recovered) = open::recover(config, &disk, &Metrics::default())?;
    if log.state().last.is_none() && identity.standing != Standing::New {
        return Err(unfit("the log is missing (is dataLogDir the right one?)"));
    }
    let recovered = recovered.unwrap_or_else(Recovered::fresh);
    let tree =
        replayed(recovered, &log).map_err(|error| MigrationError::Io { path: dir, error })?;
    Ok((tree, identity.server_id))
}

fn write(tree: Tree, server_id: u8, target: &Target) -> io::Result<Exported> {
    let partial = target.dir.join(PARTIAL_DIR);
    fs::create_dir_all(&partial)?;
    let zxid = tree.last_zxid().0;
    let name = format!("snapshot.{zxid:x}{}", target.compression.suffix());
    let mut packed = target
        .compression
        .writer(File::create(partial.join(&name))?);
    let dumped = zookeeper_files::write_snapshot(tree, target.format, &mut packed)?;
    packed.finish()?.sync_all()?;
    if server_id != 0 {
        let epoch = (zxid >> 32).to_string();
        for name in ["currentEpoch", "acceptedEpoch"] {
            put_text(&partial.join(name), &epoch)?;
        }
        put_text(&target.dir.join(MY_ID), &format!("{server_id}\n"))?;
    }
    File::open(&partial)?.sync_all()?;
    let dir = target.dir.join(VERSION_DIR);
    fs::rename(&partial, &dir)?;
    File::open(&target.dir)?.sync_all()?;
    Ok(Exported {
        file: dir.join(name),
        dumped,
        server_id,
    })
}

fn put_text(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text)?;
    File::open(file)?.sync_all()
}
