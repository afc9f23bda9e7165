//! Where a command finds the history: the server that runs on it, or the directory of one that
//! does not.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use zoowarden::history::Archive;
use zoowarden::server::config::{self, Config, Overrides, SystemProperties};

use super::json;
use super::socket::{Question, SOCKET};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose history.
#[derive(Debug, Clone, Args)]
pub(crate) struct Place {
    /// The data directory of the server [default: ./data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The zoo.cfg of the server, for its dataDir
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<PathBuf>,
}

/// An answer, and where the server takes clients if one gave it.
pub(super) struct Answer {
    pub(super) content: Value,
    pub(super) client_address: Option<String>,
}

impl Place {
    /// The data directory.
    pub(super) fn data_dir(&self) -> Result<PathBuf, String> {
        if let Some(config) = &self.config {
            let loaded = config::load(
                Some(config),
                SystemProperties::default(),
                Overrides::default(),
            );
            let loaded = loaded.map_err(|error| error.to_string())?;
            return Ok(loaded.config.data_dir);
        }
        let default = || Config::default().data_dir;
        Ok(self.data_dir.clone().unwrap_or_else(default))
    }
}

/// Asks the server that runs on `data_dir`, or reads what one left there.
pub(super) fn ask(data_dir: &Path, question: &Question) -> Result<Answer, String> {
    let socket = data_dir.join(SOCKET);
    match UnixStream::connect(&socket) {
        Ok(stream) => ask_server(stream, question).unwrap_or_else(|error| {
            let socket = socket.display();
            Err(format!("the server at {socket} did not answer: {error}"))
        }),
        Err(error) if is_nobody(error.kind()) => read(data_dir, question),
        Err(error) => Err(format!("cannot ask at {}: {error}", socket.display())),
    }
}

fn is_nobody(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

fn ask_server(
    mut stream: UnixStream,
    question: &Question,
) -> std::io::Result<Result<Answer, String>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(question.line().as_bytes())?;
    stream.write_all(b"\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let mut answer: Value = serde_json::from_str(&answer)?;
    if let Some(error) = answer["error"].as_str() {
        return Ok(Err(error.to_owned()));
    }
    Ok(Ok(Answer {
        content: answer["ok"].take(),
        client_address: answer["client_address"].as_str().map(str::to_owned),
    }))
}

fn read(data_dir: &Path, question: &Question) -> Result<Answer, String> {
    let name = format!("zoowarden-history-{}", std::process::id());
    let scratch = std::env::temp_dir().join(name);
    let failed = |error: zoowarden::history::HistoryError| {
        let dir = data_dir.display();
        format!("no server runs on {dir}, and what is there cannot be read: {error}")
    };
    let archive = Archive::open(data_dir, &scratch).map_err(failed)?;
    let content = match question {
        Question::Changes(query) => json::page(&archive.changes(query).map_err(failed)?),
        Question::Past { path, zxid } => json::past(&archive.past(path, *zxid).map_err(failed)?),
    };
    Ok(Answer {
        content,
        client_address: None,
    })
}
