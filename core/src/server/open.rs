//! From a data directory to a log, snapshots and a recovered tree; or to one clear line that says
//! why not.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::metrics::{Basic, Metrics};
use crate::raft::Recovered;
use crate::server::StartError;
use crate::server::config::Config;
use crate::storage::{DataDir, Disk, Identity, Log, LogOptions, OpenError, Snapshots, Standing};

/// Where a damaged log goes when the ensemble can repair this server.
const DAMAGED: &str = "damaged";

/// Everything on disk, open and locked.
pub(crate) struct Opened {
    /// Held as long as the server runs.
    pub(crate) locks: Vec<DataDir>,
    pub(crate) log: Arc<Log>,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) recovered: Recovered,
    pub(crate) standing: Standing,
    /// What this server counts, from the first flush on.
    pub(crate) metrics: Arc<Metrics>,
}

/// [`open`], on a thread that may block.
pub(crate) async fn open_aside(
    config: &Config,
    disk: &Arc<dyn Disk>,
) -> Result<Opened, StartError> {
    let (config, disk) = (config.clone(), Arc::clone(disk));
    let opened = tokio::task::spawn_blocking(move || open(&config, &disk));
    opened.await.map_err(io::Error::other)?
}

/// Opens the directories of `config`. Blocks; not for async threads.
pub(crate) fn open(config: &Config, disk: &Arc<dyn Disk>) -> Result<Opened, StartError> {
    let server_id = config
        .ensemble
        .as_ref()
        .map_or(0, |ensemble| ensemble.my_id.0);
    refuse_missing_directories(config, &**disk)?;
    let mut locks = vec![DataDir::lock(&**disk, &config.data_dir)?];
    if config.log_dir != config.data_dir {
        locks.push(DataDir::lock(&**disk, &config.log_dir)?);
    }
    warn_of_zookeeper_data(&**disk, &config.data_dir);
    let identity = identity(config, &**disk, server_id)?;
    let mut standing = identity.standing;
    if standing == Standing::Importing {
        return Err(StartError::HalfImported {
            dir: config.data_dir.clone(),
        });
    }
    let metrics = Arc::<Metrics>::default();
    let opening = Instant::now();
    let (log, snapshots, recovered) = match recover(config, disk, &metrics) {
        Ok(recovered) => recovered,
        Err(error) if may_be_repaired(config, &error) => {
            standing = Standing::Returning;
            // First, so that a crash in between does not leave a member without a log.
            Identity {
                standing,
                ..identity
            }
            .store(&**disk, &config.data_dir)?;
            let aside = set_aside(config, &**disk)?;
            tracing::error!(%error, aside = %aside.display(),
                "the data is damaged; it was set aside and will be fetched from the other servers");
            recover(config, disk, &metrics)?
        }
        Err(error) => return Err(error),
    };
    metrics
        .basic(Basic::DbInitTime)
        .observe(micros_since(opening));
    // A snapshot alone is not enough: the log behind it may have been acknowledged.
    if log.state().last.is_none() {
        match standing {
            Standing::Member | Standing::Imported | Standing::Importing => {
                return Err(StartError::LogLost {
                    dir: config.log_dir.clone(),
                });
            }
            Standing::New if recovered.is_some() && !is_alone(config) => {
                standing = Standing::Returning;
            }
            Standing::New | Standing::Returning => {}
        }
    }
    Ok(Opened {
        locks,
        log: Arc::new(log),
        snapshots: Arc::new(snapshots),
        recovered: recovered.unwrap_or_else(Recovered::fresh),
        standing,
        metrics,
    })
}

/// Whether a directory is missing that nobody may make.
fn refuse_missing_directories(config: &Config, disk: &dyn Disk) -> Result<(), StartError> {
    if config.data_dir_autocreate {
        return Ok(());
    }
    for dir in [&config.data_dir, &config.log_dir] {
        match disk.list(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StartError::DirectoryMissing { dir: dir.clone() });
            }
            _ => {}
        }
    }
    Ok(())
}

fn micros_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn identity(config: &Config, disk: &dyn Disk, server_id: u8) -> Result<Identity, StartError> {
    let fresh = Identity {
        server_id,
        standing: Standing::New,
    };
    let identity = match Identity::load(disk, &config.data_dir)? {
        Some(identity) => identity,
        None => {
            fresh.store(disk, &config.data_dir)?;
            fresh
        }
    };
    if identity.server_id == server_id {
        return Ok(identity);
    }
    Err(StartError::OtherServersData {
        dir: config.data_dir.clone(),
        theirs: identity.server_id,
        ours: server_id,
    })
}

/// Keeps a new standing before anything depends on it.
pub(crate) fn stand(config: &Config, disk: &dyn Disk, standing: Standing) -> io::Result<()> {
    let server_id = config
        .ensemble
        .as_ref()
        .map_or(0, |ensemble| ensemble.my_id.0);
    Identity {
        server_id,
        standing,
    }
    .store(disk, &config.data_dir)
}

pub(super) fn recover(
    config: &Config,
    disk: &Arc<dyn Disk>,
    metrics: &Metrics,
) -> Result<(Log, Snapshots, Option<Recovered>), StartError> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).map_err(|error| StartError::Io(io::Error::other(error)))?;
    let mut options = LogOptions::new(u64::from_ne_bytes(salt));
    options.fsync_slow_us = u64::from(config.fsync_warning_threshold_ms) * 1000;
    options.fsync_time = Arc::clone(metrics.basic(Basic::FsyncTime));
    if config.pre_alloc_size_kb > 0 {
        options.segment_bytes = (config.pre_alloc_size_kb << 10).clamp(1 << 20, 1 << 30);
    }
    let log = Log::open(Arc::clone(disk), &config.log_dir, options)?;
    if let Some(cut) = &log.recovered().cut {
        tracing::warn!(file = %cut.file.display(), offset = cut.offset, bytes = cut.bytes,
            "cut a torn tail off the log: it was never acknowledged");
    }
    let keep = usize::try_from(config.autopurge_snap_retain_count).unwrap_or(3);
    let snapshots = Snapshots::open(Arc::clone(disk), &config.data_dir, keep)?;
    let loading = Instant::now();
    let recovered = newest(&log, &snapshots)?;
    if recovered.is_some() {
        let time = metrics.basic(Basic::StartupSnapLoadTime);
        time.observe(micros_since(loading));
    }
    Ok((log, snapshots, recovered))
}

/// Loads the newest snapshot that is sound and that the log goes on from.
fn newest(log: &Log, snapshots: &Snapshots) -> Result<Option<Recovered>, StartError> {
    let purged = log.state().purged;
    let mut damage = None;
    for listed in snapshots.list()? {
        if purged.is_some_and(|purged| purged.index > listed.id.index) {
            break;
        }
        match listed
            .file
            .map_err(io::Error::other)
            .and_then(|file| Recovered::load(&file))
        {
            Ok(recovered) => return Ok(Some(recovered)),
            Err(error) => {
                let aside = snapshots.set_aside(listed.id)?;
                tracing::error!(%error, aside = %aside.display(), "a snapshot is damaged");
                damage.get_or_insert(error);
            }
        }
    }
    match (purged, damage) {
        // The log reaches back to its beginning, so nothing depends on a snapshot.
        (None, _) => Ok(None),
        (Some(_), Some(error)) => Err(StartError::SnapshotDamaged(error)),
        (Some(purged), None) => Err(StartError::SnapshotMissing {
            index: purged.index,
        }),
    }
}

/// Whether there is nobody else to fetch anything from.
fn is_alone(config: &Config) -> bool {
    let ensemble = config.ensemble.as_ref();
    ensemble.is_none_or(|ensemble| ensemble.voters().count() < 2)
}

fn may_be_repaired(config: &Config, error: &StartError) -> bool {
    let damaged = matches!(
        error,
        StartError::Log(OpenError::Damaged { .. })
            | StartError::SnapshotDamaged(_)
            | StartError::SnapshotMissing { .. }
    );
    damaged && !is_alone(config)
}

/// Moves log and snapshots into a directory of their own, so that somebody may still look at them.
fn set_aside(config: &Config, disk: &dyn Disk) -> io::Result<PathBuf> {
    let mut n = 1;
    let aside = loop {
        let aside = config.data_dir.join(format!("{DAMAGED}-{n}"));
        if !disk.exists(&aside)? {
            break aside;
        }
        n += 1;
    };
    disk.create_dir_all(&aside)?;
    for dir in [&config.data_dir, &config.log_dir] {
        for name in disk.list(dir)? {
            let ours = ["log.", "free.", "snapshot."];
            if ours.iter().any(|prefix| name.starts_with(prefix)) {
                disk.rename(&dir.join(&name), &aside.join(&name))?;
            }
        }
    }
    Ok(aside)
}

fn warn_of_zookeeper_data(disk: &dyn Disk, dir: &Path) {
    if disk.exists(&dir.join("version-2")).is_ok_and(|there| there) {
        tracing::warn!(dir = %dir.display(),
            "version-2 in the data directory belongs to Apache ZooKeeper; this server neither reads nor changes it");
    }
}
