//! `zoowarden bench`: a load generator for every ensemble that speaks ZooKeeper's protocol.
//!
//! What lives here: `options` the words, `plan` what is asked (silent), `wire` one connection's
//! bytes, `drive` one connection's time, `fan_out` watchers, `crew` the threads, `tally` what was
//! seen, `report` how it is told.

mod crew;
mod drive;
mod fan_out;
mod options;
mod plan;
mod report;
mod tally;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_util::stream::{FuturesUnordered, StreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::time::{ClockId, clock_gettime};
use zoowarden::client::{Client, ClientConfig, CreateMode, Error};
use zoowarden::proto::Code;

use crate::FAILED;
use crate::shell::INTERRUPTED;
use crew::{Crew, Harvest, Work};
use drive::Load;
pub(crate) use options::BenchOptions;
use options::Workload;
use plan::{Keys, Stream};
use report::Report;
use tally::Window;

/// Znodes created at the same time while the load is prepared.
const PREPARING_MAX: usize = 1_000;

/// How often progress is shown.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the load that `options` describe, and reports.
pub(crate) fn run(options: &BenchOptions) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(FAILED, &format!("cannot start: {error}")),
    };
    match runtime.block_on(run_on_client(options)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(INTERRUPTED),
        Err(what) => super::fail(FAILED, &what),
    }
}

/// Prepares, measures, reports, cleans up; answers whether it was interrupted.
async fn run_on_client(options: &BenchOptions) -> Result<bool, String> {
    let said = |error: Error| error.to_string();
    let client = Client::open(ClientConfig {
        session_timeout_ms: options.timeout.unsigned_abs(),
        ..ClientConfig::new(options.server.clone())
    });
    client.connected().await.map_err(said)?;
    let base = format!("{}{}", client.chroot(), options.path);
    let keys = Arc::new(Keys::new(&base, keys_needed(options), options.value_size));
    prepare(&client, options, &keys).await?;
    let measured = measure(options, &keys).await;
    if !options.keep {
        let bar = spinner("deleting what was created");
        let deleted = client.delete_recursive(&options.path).await;
        bar.finish_and_clear();
        // What was seen is worth telling all the same.
        if let Err(error) = deleted {
            eprintln!("zoowarden: {} is still there: {error}", options.path);
        }
    }
    client.close().await;
    let (text, interrupted) = measured?;
    println!("{text}");
    Ok(interrupted)
}

fn keys_needed(options: &BenchOptions) -> u32 {
    match options.workload {
        Workload::Write | Workload::Read | Workload::Mixed | Workload::Multi => options.keys,
        Workload::Watch => 1,
        Workload::Create
        | Workload::Sequential
        | Workload::Ephemeral
        | Workload::Fill
        | Workload::Idle => 0,
    }
}

fn work(options: &BenchOptions) -> Work {
    Work::Ask(match options.workload {
        Workload::Write => Stream::Keys { reads: 0 },
        Workload::Read => Stream::Keys { reads: 100 },
        Workload::Mixed => Stream::Keys {
            reads: options.reads,
        },
        Workload::Create => Stream::CREATE,
        Workload::Sequential => Stream::SEQUENTIAL,
        Workload::Ephemeral => Stream::EPHEMERAL,
        Workload::Multi => Stream::Multi {
            batch: options.batch,
        },
        Workload::Fill => Stream::Fill {
            count: options.count.div_ceil(options.connections),
        },
        Workload::Idle => Stream::Silence,
        Workload::Watch => {
            return Work::FanOut {
                changes: options.count,
            };
        }
    })
}

/// Creates the place and the keys.
async fn prepare(client: &Client, options: &BenchOptions, keys: &Keys) -> Result<(), String> {
    let created = client
        .create(&options.path, b"", CreateMode::Persistent)
        .await;
    match created {
        Ok(_) => {}
        Err(error) if error.code() == Code::NodeExists => {
            return Err(format!(
                "{} exists, and would be deleted at the end; delete it, or name another --path",
                options.path
            ));
        }
        Err(error) => return Err(error.to_string()),
    }
    let bar = bar(keys.paths.len() as u64, "creating keys");
    let mut creating = FuturesUnordered::new();
    for n in 0..keys.paths.len() {
        let path = format!("{}/k{n}", options.path);
        creating.push(async move {
            client
                .create(&path, &keys.value, CreateMode::Persistent)
                .await
        });
        if creating.len() == PREPARING_MAX
            && let Some(created) = creating.next().await
        {
            created.map_err(|error| error.to_string())?;
            bar.inc(1);
        }
    }
    while let Some(created) = creating.next().await {
        created.map_err(|error| error.to_string())?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Makes the load and tells what was seen; whether it was interrupted.
async fn measure(options: &BenchOptions, keys: &Arc<Keys>) -> Result<(String, bool), String> {
    let every = options
        .rate
        .map(|rate| Duration::from_secs(1) * options.connections / rate);
    let load = Arc::new(Load {
        servers: options.server.servers().to_vec(),
        timeout_ms: options.timeout,
        depth: options.pipeline(),
        every,
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let interrupt = Arc::clone(&load);
    let listener = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.stop.store(true, Ordering::Relaxed);
        }
    });
    let begun = Instant::now();
    let crew = Crew::gather(
        &load,
        keys,
        work(options),
        options.connections,
        options.threads,
    )
    .map_err(|error| format!("cannot start threads: {error}"))?;
    open(&crew, options.connections).await;
    let opening = begun.elapsed();
    let outcome = watch_over(options, &load, crew).await;
    listener.abort();
    let (harvest, window, cpu) = outcome?;
    let spread = (options.workload == Workload::Watch).then(|| harvest.heard.spread());
    let measured = match (&spread, window.end) {
        (Some(spread), _) => spread.took,
        (None, Some(end)) if !load.stop.load(Ordering::Relaxed) => end - window.begin,
        (None, _) => harvest.tally.took(),
    };
    let began = SystemTime::now() - window.begin.elapsed();
    let report = Report {
        options,
        tally: &harvest.tally,
        spread,
        began,
        measured,
        opening,
        cpu,
    };
    let text = match options.json {
        true => report.json().to_string(),
        false => report.text().trim_end().to_owned(),
    };
    Ok((text, load.stop.load(Ordering::Relaxed)))
}

/// Waits until all connections are open, or one cannot be.
async fn open(crew: &Crew, connections: u32) {
    let bar = bar(connections.into(), "opening connections");
    while crew.opened() < connections && !crew.any_has_ended() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        bar.set_position(crew.opened().into());
    }
    bar.finish_and_clear();
}

/// Lets the crew begin, shows how it goes on, and brings home what was seen.
async fn watch_over(
    options: &BenchOptions,
    load: &Load,
    crew: Crew,
) -> Result<(Harvest, Window, Duration), String> {
    if crew.any_has_ended() {
        crew.harvest()?;
        return Err("a thread of the load generator ended before it began".to_owned());
    }
    let bounded = matches!(options.workload, Workload::Fill | Workload::Watch);
    let warmup = match bounded {
        true => Duration::ZERO,
        false => options.warmup(),
    };
    let window = crew::window(warmup, (!bounded).then(|| options.duration()));
    crew.begin(window);
    let bar = match (bounded, options.workload) {
        (true, Workload::Fill) => bar(options.count.into(), "znodes"),
        (true, _) => spinner("changing and hearing"),
        (false, _) => bar(options.duration().as_secs(), "seconds"),
    };
    tokio::time::sleep_until(window.begin.into()).await;
    let cpu = cpu();
    while !crew.all_have_ended() {
        tokio::time::sleep(LOOK).await;
        match bounded {
            true => bar.set_position(load.done.load(Ordering::Relaxed)),
            false => bar.set_position(window.begin.elapsed().as_secs()),
        }
    }
    let cpu = self::cpu().saturating_sub(cpu);
    bar.finish_and_clear();
    Ok((crew.harvest()?, window, cpu))
}

/// What this process has used of the processors.
fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(used.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// Progress on stderr; nothing where stderr is no terminal.
fn bar(total: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}")
        .expect("a template that is right");
    ProgressBar::new(total).with_style(style).with_message(what)
}

fn spinner(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(LOOK);
    bar
}
