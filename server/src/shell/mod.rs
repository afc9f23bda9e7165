//! The shell: what zkCli.sh does, and what its users miss.
//!
//! What lives here: [`run`], which is one command of the command line, a file of commands, or a
//! prompt. `options` is the shell's own command line; `line`, `arguments`, `flags` and `table` make
//! a typed line a call; `link`, `requests` and `walk` are the way to the ensemble; `reads`,
//! `search`, `writes`, `batch`, `transfer`, `archive`, `quota`, `watching` and `control` are the commands;
//! `output`, `show`, `failure` and `events` are what is printed; `prompt` and `complete` are for a
//! person at a keyboard. What does not: anything of ZooKeeper's meaning; the shell sees the
//! library's client and nothing below it.
//!
//! Invariants: one table of commands serves dispatch, help and completion. Where zkCli has a
//! command, its syntax is taken and its output is given. Nothing that comes from a server reaches a
//! terminal unfiltered.
//!
//! ```text
//!   line ─▶ words ─▶ Command ─▶ Arguments ─▶ run ─▶ answers: stdout   failures, messages: stderr
//!                                             └──▶ watches ─▶ events thread ─▶ stdout
//! ```

mod archive;
mod arguments;
mod batch;
mod complete;
mod control;
mod dispatch;
mod events;
mod failure;
mod flags;
mod line;
mod link;
mod nearest;
mod options;
mod output;
mod prompt;
mod quota;
mod reads;
mod requests;
mod search;
mod show;
mod table;
mod transfer;
mod walk;
mod watching;
mod writes;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::runtime::Runtime;
use zoowarden::client::{OnExpiry, TlsError};

use events::Events;
pub(crate) use failure::INTERRUPTED;
use failure::{FAILED, Failure, MISUSED};
use line::Word;
use link::Link;
use output::Output;

pub(crate) use options::{ShellOptions, long_about, respelled};

/// Where commands come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// One, from the command line of the system.
    CommandLine,
    /// Many, one per line of standard input.
    Input,
    /// A person, typing.
    Prompt,
}

/// One run of the shell.
pub(crate) struct Shell {
    pub(crate) output: Arc<Output>,
    pub(crate) events: Arc<Events>,
    pub(crate) link: Link,
    pub(crate) source: Source,
    /// Every line so far, the current one last.
    pub(crate) history: Vec<String>,
    /// `--json` of the shell, or of the command that runs.
    pub(crate) json: bool,
    json_always: bool,
    fail_fast: bool,
    /// The command that runs goes on until it is interrupted, so that this is its good end.
    pub(crate) streams: bool,
    /// `quit` was said.
    pub(crate) quits: bool,
}

/// Runs the shell as `options` say.
pub(crate) fn run(options: &ShellOptions) -> ExitCode {
    // One thread for the connection; commands run on this one.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return super::fail(FAILED, &format!("cannot start threads: {error}")),
    };
    let source = match (options.words.is_empty(), std::io::stdin().is_terminal()) {
        (false, _) => Source::CommandLine,
        (true, false) => Source::Input,
        (true, true) => Source::Prompt,
    };
    let mut shell = match Shell::new(options, source) {
        Ok(shell) => shell,
        Err(error) => return super::fail(MISUSED, &error.to_string()),
    };
    let code = match source {
        Source::CommandLine => runtime.block_on(shell.run_once(&options.words)),
        Source::Input => runtime.block_on(shell.run_input()),
        Source::Prompt => prompt::run(&mut shell, &runtime),
    };
    end(&mut shell, runtime);
    ExitCode::from(code)
}

/// Closes the session, so that its ephemerals go at once, and prints what is still to be printed.
fn end(shell: &mut Shell, runtime: Runtime) {
    runtime.block_on(shell.link.close());
    shell.events.finish();
    // A reader that has gone cannot be told.
    let _ = shell.output.flush();
    // A read of standard input may still block a thread; it must not hold the process.
    runtime.shutdown_background();
}

impl Shell {
    fn new(options: &ShellOptions, source: Source) -> Result<Self, TlsError> {
        let on_expiry = match source {
            Source::Prompt => OnExpiry::Renew,
            Source::CommandLine | Source::Input => OnExpiry::End,
        };
        let config = options.client_config(on_expiry)?;
        let output = Arc::new(Output::of_process());
        let events = Events::start(Arc::clone(&output), source);
        Ok(Self {
            link: Link::new(config, &events),
            output,
            events,
            source,
            history: Vec::new(),
            json: options.json,
            json_always: options.json,
            fail_fast: options.fail_fast,
            streams: false,
            quits: false,
        })
    }

    async fn run_once(&mut self, words: &[String]) -> u8 {
        let outcome = match words {
            // A whole line in quotes of the system's shell.
            [line] if line.contains(char::is_whitespace) => self.run_line(line).await,
            words => {
                let words: Vec<Word> = words.iter().map(Word::plain).collect();
                self.run_words(&words).await
            }
        };
        self.told(outcome)
    }

    /// Commands from standard input, to its end; the code of the last one that failed.
    async fn run_input(&mut self) -> u8 {
        let mut code = 0;
        loop {
            let outcome = match next_line().await {
                Ok(Some(line)) => self.run_line(&line).await,
                Ok(None) => break,
                Err(Failure::Interrupted) => Err(Failure::Interrupted),
                Err(failure) => return self.told(Err(failure)),
            };
            let ended = matches!(outcome, Err(Failure::ClosedOutput | Failure::Interrupted));
            let this = self.told(outcome);
            if this != 0 {
                code = this;
            }
            if self.quits || ended || (self.fail_fast && code != 0) {
                break;
            }
        }
        code
    }
}

/// The next line of standard input, read on a thread of its own, so that Ctrl-C is heard meanwhile;
/// `None` at the end.
async fn next_line() -> Result<Option<String>, Failure> {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().lines().next().transpose());
    let line = tokio::select! {
        line = read => line.unwrap_or_else(|ended| Err(ended.into())),
        Ok(()) = tokio::signal::ctrl_c() => return Err(Failure::Interrupted),
    };
    line.map_err(|error| Failure::Other(format!("standard input: {error}")))
}
