//! The zoowarden server: arguments, environment, signals and exit codes around the library.
//!
//! What lives here: everything that belongs to the process and to nobody else. `args` is the
//! command line, `environment` the variables of a container, `supervisor` what systemd is told,
//! `start` the border to the library, `ask` and `shell` the clients, `bench` a load generator,
//! `migrate` the two commands that move data, `history` those about the change history. What does
//! not: any meaning of a setting; that is `zoowarden::server::config`.
//!
//! Exit codes: 0 stopped as asked, 1 could not start or had to stop, 2 wrong arguments or
//! configuration.

#![forbid(unsafe_code)]

mod args;
mod ask;
mod bench;
mod environment;
mod history;
mod http;
mod log_lines;
mod migrate;
mod shell;
mod start;
mod supervisor;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use zoowarden::server::config::{self, Config, ConfigError, Loaded, SystemProperties};

use args::{Arguments, ServerOptions, Task};
use start::{Running, StartError};
use supervisor::Supervisor;

/// The environment variables that ZooKeeper's scripts pass on to the server, in their order.
const FLAG_VARIABLES: [&str; 2] = ["SERVER_JVMFLAGS", "JVMFLAGS"];

/// Sets the log level when `--log-level` does not.
const LOG_VARIABLE: &str = "ZOOWARDEN_LOG";

const FAILED: u8 = 1;
const WRONG_INVOCATION: u8 = 2;

fn main() -> ExitCode {
    match Arguments::parse_from(shell::respelled(std::env::args_os())).into_task() {
        Task::Serve(options) => serve_as(&options),
        Task::Ask(options) => ask::run(&options),
        Task::Shell(options) => shell::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Import(options) => migrate::import(&options),
        Task::Export(options) => migrate::export(&options),
        Task::History(options) => history::show(&options),
        Task::Restore(options) => history::restore(&options),
    }
}

/// Runs a server until it is asked to stop.
fn serve_as(options: &ServerOptions) -> ExitCode {
    let asked = match options.from_environment {
        true => environment::log_level(|name| std::env::var(name).ok()),
        false => None,
    };
    if let Err(what) = start_logging(options.log_level.as_deref(), asked.as_deref()) {
        return fail(WRONG_INVOCATION, &what);
    }
    let Loaded { config, warnings } = match load(options) {
        Ok(loaded) => loaded,
        Err(error) => return fail(WRONG_INVOCATION, &error),
    };
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(FAILED, &format!("cannot start threads: {error}")),
    };
    match runtime.block_on(run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILED, &error.to_string()),
    }
}

/// Starts the server, says so, and stops it when the process is asked to end.
async fn run(config: Config) -> Result<(), StartError> {
    // Before the start, so that no signal falls between start and stop.
    let mut signals = Signals::listen()?;
    let supervisor = Supervisor::from_environment();
    let server = Box::pin(start::start(config)).await?;
    // Answers until the server stops.
    let desk = server.open_desk();
    let outcome = tokio::select! {
        () = signals.next() => Ok(()),
        error = serve(&server, &supervisor) => Err(error),
        () = supervisor.keep_alive() => Ok(()),
    };
    drop(desk);
    supervisor.stopping();
    server.stop().await;
    outcome
}

/// Says when clients are served, and comes back only when the server cannot go on.
async fn serve(server: &Running, supervisor: &Supervisor) -> StartError {
    if let Err(error) = server.ready().await {
        return error;
    }
    let line = ready_line(&server.client_address().to_string(), server.data_dir());
    supervisor.ready(&line);
    // A closed stdout is no reason to stop serving.
    let _ = writeln!(std::io::stdout(), "{line}");
    server.failed().await
}

/// The one line on stdout.
fn ready_line(client_address: &str, data_dir: &Path) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let data_dir = data_dir.display();
    format!("zoowarden {version} ready: clients connect to {client_address}, data in {data_dir}")
}

fn load(options: &ServerOptions) -> Result<Loaded, String> {
    let made = match options.from_environment {
        true => Some(environment::prepare(|name| std::env::var(name).ok())?),
        false => None,
    };
    let path = made.as_deref().or(options.config_path());
    load_from(path, options).map_err(|error| error.to_string())
}

fn load_from(path: Option<&Path>, options: &ServerOptions) -> Result<Loaded, ConfigError> {
    let mut properties = SystemProperties::default();
    for variable in FLAG_VARIABLES {
        if let Some(flags) = std::env::var_os(variable) {
            properties.push_environment(variable, &flags.to_string_lossy());
        }
    }
    for definition in &options.definitions {
        properties.push_argument(definition);
    }
    config::load(path, properties, options.overrides()?)
}

/// `fallback` counts when neither an argument nor the environment says how much to log.
fn start_logging(level: Option<&str>, fallback: Option<&str>) -> Result<(), String> {
    let variable = std::env::var(LOG_VARIABLE)
        .ok()
        .filter(|value| !value.is_empty());
    let (source, filter) = match (level, &variable) {
        (Some(level), _) => ("--log-level", level),
        (None, Some(value)) => (LOG_VARIABLE, value.as_str()),
        // Raft itself tells of every message that a silent peer does not answer.
        (None, None) => ("", fallback.unwrap_or("warn,openraft=error,audit=info")),
    };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("{source}={filter}: expected a level or a filter: {error}"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(|| log_lines::Lines(std::io::stderr()))
        .init();
    Ok(())
}

fn fail(code: u8, what: &str) -> ExitCode {
    // Nobody is left to tell when stderr is closed.
    let _ = writeln!(std::io::stderr(), "zoowarden: {what}");
    ExitCode::from(code)
}

/// The signals that ask the process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| StartError::new(format!("cannot listen for signals: {error}")))
        };
        let interrupt = listen(SignalKind::interrupt())?;
        Ok(Self {
            interrupt,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for the first of them.
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let interrupt = self.interrupt.poll_recv(context);
            let terminate = self.terminate.poll_recv(context);
            if interrupt.is_ready() {
                interrupt
            } else {
                terminate
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_says_where_to_connect_and_where_the_data_lies() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            ready_line("127.0.0.1:2181", Path::new("/srv/data")),
            format!(
                "zoowarden {version} ready: clients connect to 127.0.0.1:2181, data in /srv/data"
            )
        );
    }
}
