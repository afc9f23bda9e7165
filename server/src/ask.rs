//! `ask`: sends a server a four-letter word and prints what it says. For scripts and health checks.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{FAILED, fail};

/// How long a server may take for each step.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers that say that the server cannot tell, or does not serve.
const NO_ANSWERS: [&str; 2] = [
    "is not executed because it is not in the whitelist",
    "is not currently serving requests",
];

/// Whom to ask, and what.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskOptions {
    /// Where its clients connect
    #[arg(value_name = "HOST:PORT")]
    server: String,
    /// srvr, ruok, mntr, … as the server's 4lw.commands.whitelist allows
    #[arg(value_name = "WORD", default_value = "srvr")]
    word: String,
}

/// Prints the answer; fails when there is none, or when it says that the server does not serve.
pub(crate) fn run(options: &AskOptions) -> ExitCode {
    let AskOptions { server, word } = options;
    match answer(server, word) {
        Ok(answer) => {
            // A closed stdout is nobody to tell.
            let _ = std::io::stdout().write_all(answer.as_bytes());
            match answer.is_empty() || NO_ANSWERS.iter().any(|no| answer.contains(no)) {
                true => ExitCode::from(FAILED),
                false => ExitCode::SUCCESS,
            }
        }
        Err(error) => fail(FAILED, &format!("{server} does not answer {word}: {error}")),
    }
}

fn answer(server: &str, word: &str) -> std::io::Result<String> {
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.write_all(word.as_bytes())?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                return Ok(answer);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
