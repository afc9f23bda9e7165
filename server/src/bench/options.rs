//! The words of `zoowarden bench`.

use clap::{Args, ValueEnum};
use std::time::Duration;
use zoowarden::client::ConnectString;

const EXAMPLES: &str = "\
Examples:
  zoowarden bench                              sets data for ten seconds, 64 connections, 16 at a time
  zoowarden bench read -c 1 -p 1               one request at a time: the latency of a read
  zoowarden bench mixed --reads 90 -s zk1,zk2,zk3
                                               connections are spread over the servers in turn
  zoowarden bench write --rate 20000           an open loop: 20,000 a second, come what may, and each
                                               latency counts from when its request was due
  zoowarden bench fill --count 1000000 --keep  a tree of a million znodes, to look at afterwards
  zoowarden bench watch -c 1000 --count 1000   a thousand watchers hear of a thousand changes
  zoowarden bench idle -c 10000                what it costs to be there
  zoowarden bench write -d 60 -s zk1,zk2,zk3   end a leader meanwhile: the longest pause is reported
  zoowarden bench read --json | jq .per_second

Everything happens below --path, which must not exist before and is deleted afterwards.
Exit codes: 0 done, 1 a server cannot be reached or refused, 2 wrong options, 130 interrupted";

/// What is asked of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// setData on the keys
    Write,
    /// getData of the keys
    Read,
    /// getData and setData, as --reads divides them
    Mixed,
    /// Persistent znodes, each created and then deleted
    Create,
    /// Sequential znodes, each created and then deleted
    Sequential,
    /// Ephemeral znodes, each created and then deleted
    Ephemeral,
    /// setData on --batch keys at once, in a multi
    Multi,
    /// Creates --count znodes, as fast as it goes
    Fill,
    /// One connection sets data --count times; all others watch
    Watch,
    /// Sessions that do nothing but stay
    Idle,
}

/// Options of the load generator.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES, args_override_self = true)]
pub(crate) struct BenchOptions {
    /// What is asked of the servers
    #[arg(value_enum, default_value = "write")]
    pub(super) workload: Workload,
    /// Where the servers are: host[:port],...[/path]; connections go to each in turn
    #[arg(short, long, value_name = "HOSTS", default_value = "127.0.0.1:2181")]
    pub(super) server: ConnectString,
    /// Connections, each with a session of its own
    #[arg(short, long, value_name = "N", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) connections: u32,
    /// Requests that each connection has on their way [default: 16; with --rate, 1024 at most]
    #[arg(short, long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(super) pipeline: Option<u32>,
    /// Requests a second of all connections together; without it, as many as are answered
    #[arg(short, long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate: Option<u32>,
    /// How long to measure, seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// How long to run before that, seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=3_600))]
    warmup: u64,
    /// Bytes of data
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=64 << 20))]
    pub(super) value_size: u32,
    /// Znodes that are read and written
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(super) keys: u32,
    /// Of a hundred requests of a mixed load, how many read
    #[arg(long, value_name = "PERCENT", default_value_t = 90)]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) reads: u8,
    /// Changes in one multi
    #[arg(long, value_name = "N", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) batch: u32,
    /// Znodes that fill creates, changes that watch makes
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) count: u32,
    /// Where all of it happens
    #[arg(long, value_name = "PATH", default_value = "/zoowarden-bench")]
    pub(super) path: String,
    /// Leave what was created
    #[arg(long)]
    pub(super) keep: bool,
    /// Threads that make the load; one loads three servers on most machines
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(super) threads: u32,
    /// The session timeout in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) timeout: i32,
    /// Answer as one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Requests on their way of one connection, unless `--pipeline` says otherwise.
const PIPELINE: u32 = 16;
/// The same with `--rate`, where it only bounds what a stalled server piles up.
const PIPELINE_OPEN_LOOP: u32 = 1024;

impl BenchOptions {
    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.duration)
    }

    pub(super) fn warmup(&self) -> Duration {
        Duration::from_secs(self.warmup)
    }

    pub(super) fn pipeline(&self) -> usize {
        let unsaid = match self.rate {
            Some(_) => PIPELINE_OPEN_LOOP,
            None => PIPELINE,
        };
        self.pipeline.unwrap_or(unsaid) as usize
    }
}
