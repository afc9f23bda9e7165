//! One round of one scenario on one contender: from a scenario's data to figures.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::ensemble::Ensemble;
use super::load::{Load, Pace};
use super::meter;
use super::probe::{Probe, until};
use super::results::{Contender, Figures, middle};
use super::scenarios::{Extent, Kind, Scenario};

const MIB: f64 = (1 << 20) as f64;

/// Where `Load::fill` puts the first connection's znodes.
const FILLED_PARENT: &str = "/filled/c0.0";

/// Connections that fill a tree.
const FILLERS: u32 = 64;

/// After the work, before memory is looked at: what is still to be written and freed.
const SETTLE: Duration = Duration::from_secs(5);
const SETTLE_QUICK: Duration = Duration::from_millis(500);

/// Requests a second while snapshots are taken, few enough that a server is not busy with them.
const SNAPSHOT_RATE: u64 = 2_000;

/// Of the log: what makes a snapshot due under that load, several times in a run.
const SNAPSHOT_SETTING: &str = "snapSizeLimitInKb=4096";
const SNAPSHOT_SETTING_QUICK: &str = "snapSizeLimitInKb=256";

/// So that none is taken.
const NO_SNAPSHOT_SETTING: &str = "snapCount=1000000000";

const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// How often a list of children is asked for.
const LISTS: u32 = 20;

/// How much of everything, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) extent: Extent,
    pub(super) pace: Pace,
}

impl Settings {
    fn settle(self) {
        std::thread::sleep(match self.extent {
            Extent::Full => SETTLE,
            Extent::Quick => SETTLE_QUICK,
        });
    }
}

/// Brings a fresh ensemble to where its further figures no longer depend on how long it has been
/// running: compilers that work at run time have seen writes and reads.
pub(super) fn warm_up(ensemble: &Ensemble, settings: Settings) -> Result<(), String> {
    for workload in ["write", "read"] {
        let load = Load::closed(workload, 64, 16);
        load.run(&ensemble.hosts(None), &[], settings.pace)?;
    }
    Ok(())
}

/// A load on an ensemble that stands.
pub(super) fn loaded(ensemble: &Ensemble, load: &Load, pace: Pace) -> Result<Figures, String> {
    let mut figures = load.run(&ensemble.hosts(None), &ensemble.pids(), pace)?;
    figures.remove("last_second");
    Ok(figures)
}

/// A scenario that wants an ensemble of its own.
pub(super) fn alone(
    scenario: &Scenario,
    contender: Contender,
    settings: Settings,
) -> Result<Figures, String> {
    match &scenario.kind {
        Kind::Start => start(contender),
        Kind::Kill { times } => killed(contender, scenario.servers, *times, settings),
        kind => {
            let mut ensemble = Ensemble::start(contender, scenario.servers)?;
            match kind {
                Kind::Tree { znodes } => tree(&mut ensemble, *znodes, settings),
                Kind::Watch { watchers, changes } => {
                    warm_up(&ensemble, settings)?;
                    watched(&ensemble, *watchers, *changes, settings.pace)
                }
                Kind::Idle { sessions } => idle(&ensemble, *sessions, settings),
                other => Err(format!("{other:?} has no ensemble of its own")),
            }
        }
    }
}

/// Fills, weighs, restarts; of ours also what a snapshot does to those who write.
pub(super) fn tree(
    ensemble: &mut Ensemble,
    znodes: u64,
    settings: Settings,
) -> Result<Figures, String> {
    settings.settle();
    let before = meter::rss_bytes(&ensemble.pids());
    let mut figures = loaded(ensemble, &Load::fill(znodes, FILLERS), settings.pace)?;
    settings.settle();
    let after = meter::rss_bytes(&ensemble.pids());
    let servers = ensemble.pids().len() as f64;
    figures.set("rss_mib", after / MIB);
    let each = (after - before) / servers / znodes as f64;
    figures.set("bytes_per_znode", each);
    ensemble.stop()?;
    figures.set("disk_mib", disk_bytes(ensemble) / MIB);
    ensemble.launch(&[NO_SNAPSHOT_SETTING])?;
    let read = ensemble.first_read(&format!("{FILLED_PARENT}/n0"))?;
    figures.set("restart_s", read.as_secs_f64());
    ensemble.wait_until_ready()?;
    settings.settle();
    figures.set(
        "rss_restarted_mib",
        meter::rss_bytes(&ensemble.pids()) / MIB,
    );
    if ensemble.contender == Contender::Zoowarden {
        snapshots(ensemble, settings, &mut figures)?;
    }
    Ok(figures)
}

/// The same open loop without a snapshot and with some.
fn snapshots(
    ensemble: &mut Ensemble,
    settings: Settings,
    figures: &mut Figures,
) -> Result<(), String> {
    let pace = Pace {
        seconds: settings.pace.seconds * 2,
        ..settings.pace
    };
    let load = Load::closed("write", 64, 16).at_rate(SNAPSHOT_RATE);
    let quiet = loaded(ensemble, &load, pace)?;
    ensemble.stop()?;
    ensemble.launch(&[match settings.extent {
        Extent::Full => SNAPSHOT_SETTING,
        Extent::Quick => SNAPSHOT_SETTING_QUICK,
    }])?;
    ensemble.wait_until_ready()?;
    settings.settle();
    let begun = SystemTime::now();
    let busy = loaded(ensemble, &load, pace)?;
    let taken = snapshots_since(ensemble, begun);
    if taken == 0 {
        return Err("no snapshot was taken while it was written".to_owned());
    }
    figures.take("quiet_gap_ms", &quiet, "pause_ms");
    figures.take("quiet_p99_us", &quiet, "p99_us");
    figures.take("snapshot_gap_ms", &busy, "pause_ms");
    figures.take("snapshot_p99_us", &busy, "p99_us");
    let p99 = |figures: &Figures| figures.get("p99_us").unwrap_or(f64::NAN);
    figures.set("snapshot_p99_to_quiet", p99(&busy) / p99(&quiet));
    Ok(())
}

/// Files of snapshots that were finished after a moment. Older ones are deleted on the way, so that
/// this is a lower bound.
fn snapshots_since(ensemble: &Ensemble, begun: SystemTime) -> usize {
    let folders = ensemble.data_folders();
    let files = folders
        .iter()
        .flat_map(std::fs::read_dir)
        .flatten()
        .flatten();
    let new = files.filter(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        let written = file.metadata().and_then(|metadata| metadata.modified());
        name.starts_with("snapshot.") && written.is_ok_and(|written| written > begun)
    });
    new.count()
}

fn disk_bytes(ensemble: &Ensemble) -> f64 {
    let mut folders: Vec<PathBuf> = ensemble.data_folders();
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match file.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(file.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes as f64
}

fn watched(
    ensemble: &Ensemble,
    watchers: u32,
    changes: u64,
    pace: Pace,
) -> Result<Figures, String> {
    let load = Load {
        count: Some(changes),
        ..Load::closed("watch", watchers + 1, 16)
    };
    loaded(ensemble, &load, pace)
}

fn idle(ensemble: &Ensemble, sessions: u32, settings: Settings) -> Result<Figures, String> {
    settings.settle();
    let before = meter::rss_bytes(&ensemble.pids());
    let pace = Pace {
        seconds: settings.pace.seconds * 2,
        // The work of opening them is over by then.
        warmup_seconds: settings.pace.seconds,
    };
    let load = Load::closed("idle", sessions, 1);
    let mut figures = loaded(ensemble, &load, pace)?;
    let used = figures.get("rss_mib").unwrap_or(f64::NAN) * MIB - before;
    figures.set("kib_per_session", used / f64::from(sessions) / 1024.0);
    for senseless in ["cpu_s_per_1000", "generator_us", "per_second", "pause_ms"] {
        figures.remove(senseless);
    }
    Ok(figures)
}

/// Writes by clients of the survivors while the leader is killed; the longest gap of all times.
fn killed(
    contender: Contender,
    servers: u32,
    times: u32,
    settings: Settings,
) -> Result<Figures, String> {
    let mut ensemble = Ensemble::start(contender, servers)?;
    let (mut gap, mut errors) = (0.0, 0.0);
    for _ in 0..times {
        let seen = killed_once(&mut ensemble, settings)?;
        gap = seen.get("pause_ms").unwrap_or(f64::NAN).max(gap);
        errors += seen.get("errors").unwrap_or(f64::NAN);
        ensemble.launch(&[])?;
        ensemble.wait_until_ready()?;
    }
    let mut figures = Figures::default();
    figures.set("write_gap_ms", gap);
    figures.set("errors", errors);
    Ok(figures)
}

fn killed_once(ensemble: &mut Ensemble, settings: Settings) -> Result<Figures, String> {
    let leads = || {
        let none = || std::io::Error::other("no server leads");
        ensemble.leader().ok_or_else(none)
    };
    let leader = until(READY_TIME_MAX, leads)?;
    let hosts = ensemble.hosts(Some(leader));
    let load = Load::closed("write", 32, 1);
    let last_key = load.last_key();
    let pace = Pace {
        seconds: match settings.extent {
            Extent::Full => 20,
            Extent::Quick => 10,
        },
        ..settings.pace
    };
    let survivor = hosts.split(',').next().unwrap_or_default().to_owned();
    let writer = std::thread::spawn(move || load.run(&hosts, &[], pace));
    let has_begun = until(READY_TIME_MAX, || match writer.is_finished() {
        // What it says is better.
        true => Ok(()),
        false => Probe::open(&survivor)?.read(&last_key),
    });
    // Into the load by a third, so that two thirds are left to come back.
    std::thread::sleep(Duration::from_secs(pace.warmup_seconds + pace.seconds / 3));
    ensemble.kill(leader);
    let seen = writer.join().expect("a load does not panic");
    has_begun?;
    let seen = seen?;
    match seen.get("last_second") {
        Some(answered) if answered > 0.0 => Ok(seen),
        _ => Err("no write was answered at the end: the gap is longer than the load".to_owned()),
    }
}

/// From the start of a process with an empty folder to its first session.
fn start(contender: Contender) -> Result<Figures, String> {
    let mut ensemble = Ensemble::configure(contender, 1)?;
    let begun = Instant::now();
    ensemble.launch(&[])?;
    until(READY_TIME_MAX, || Probe::open(ensemble.first_address()))?;
    let mut figures = Figures::default();
    figures.set("ready_ms", begun.elapsed().as_secs_f64() * 1000.0);
    figures.set("rss_mib", meter::rss_bytes(&ensemble.pids()) / MIB);
    Ok(figures)
}

/// So many children below one parent, and what it costs to list them.
pub(super) fn children(
    ensemble: &Ensemble,
    children: u64,
    settings: Settings,
) -> Result<Figures, String> {
    let mut figures = loaded(ensemble, &Load::fill(children, 1), settings.pace)?;
    let failed = |error: std::io::Error| format!("{FILLED_PARENT}: {error}");
    let mut probe = Probe::open(ensemble.first_address()).map_err(failed)?;
    let mut times = Vec::new();
    for _ in 0..LISTS {
        let begun = Instant::now();
        probe.list(FILLED_PARENT).map_err(failed)?;
        times.push(begun.elapsed().as_secs_f64());
    }
    let micros = middle(times).map_or(f64::NAN, |middle| middle.median * 1e6);
    figures.set("list_us", micros);
    figures.set("list_ns_per_child", micros * 1000.0 / children as f64);
    Ok(figures)
}
