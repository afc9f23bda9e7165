//! The way to a running server's history on the same machine: `dataDir/history.sock`.
//!
//! The store belongs to one process, so the server answers for it. The socket is its owner's alone
//! (0600): whoever may open it may read the data directory, too. One line of JSON asks, one line
//! answers, then the connection closes.
//!
//! ```text
//! {"changes":{"path":"/a","recursive":false,"since_ms":0,"limit":100}}   ─▶ {"ok":{..}}
//! {"past":{"path":"/a","zxid":"0x5"}}                                    ─▶ {"error":".."}
//! ```

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use zoowarden::history::{History, Query};

use super::json;

/// The socket within the data directory.
pub(super) const SOCKET: &str = "history.sock";

/// Bytes of one question.
const QUESTION_BYTES_MAX: u64 = 64 << 10;

/// Questions answered at once.
const QUESTIONS_MAX: usize = 2;

/// How long a question may take to come, and an answer to go.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries to accept, when the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers questions until it is dropped.
pub(crate) struct Desk {
    task: JoinHandle<()>,
    path: PathBuf,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.task.abort();
        // One that stays behind is replaced by the next server.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Desk {
    /// Opens the socket in `data_dir`, in the place of one that was left behind.
    pub(crate) fn open(
        data_dir: &Path,
        history: History,
        client_address: String,
    ) -> io::Result<Desk> {
        let path = data_dir.join(SOCKET);
        // Its owner's alone before anybody finds it under its name.
        let hidden = data_dir.join("history.sock.new");
        let _ = std::fs::remove_file(&hidden);
        let listener = UnixListener::bind(&hidden)?;
        std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&hidden, &path)?;
        let task = tokio::spawn(serve(listener, history, client_address));
        Ok(Desk { task, path })
    }
}

async fn serve(listener: UnixListener, history: History, client_address: String) {
    let client_address = Arc::<str>::from(client_address);
    let turns = Arc::new(Semaphore::new(QUESTIONS_MAX));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "nobody could ask for the history");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (history, address) = (history.clone(), Arc::clone(&client_address));
        tokio::spawn(async move {
            let answered = tokio::time::timeout(PATIENCE, answer(stream, &history, &address)).await;
            if let Ok(Err(error)) = answered {
                tracing::debug!(%error, "a question about the history was not answered");
            }
            drop(turn);
        });
    }
}

async fn answer(stream: UnixStream, history: &History, client_address: &str) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(QUESTION_BYTES_MAX))
        .read_line(&mut line)
        .await?;
    let answer = match ask(history, &line).await {
        Ok(answer) => json!({ "ok": answer, "client_address": client_address }),
        Err(what) => json!({ "error": what }),
    };
    let mut answer = answer.to_string();
    answer.push('\n');
    writer.write_all(answer.as_bytes()).await?;
    writer.shutdown().await
}

async fn ask(history: &History, line: &str) -> Result<Value, String> {
    let question = Question::parse(line).ok_or("not a question about the history")?;
    match question {
        Question::Changes(query) => {
            let page = history.changes(query).await;
            page.map(|page| json::page(&page))
        }
        Question::Past { path, zxid } => {
            let past = history.past(&path, zxid).await;
            past.map(|past| json::past(&past))
        }
    }
    .map_err(|error| error.to_string())
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    Changes(Query),
    Past {
        path: String,
        zxid: zoowarden::proto::Zxid,
    },
}

impl Question {
    pub(super) fn line(&self) -> String {
        match self {
            Question::Changes(query) => json!({ "changes": {
                "path": query.path,
                "recursive": query.is_recursive,
                "since_ms": query.since_ms,
                "limit": query.limit,
            }}),
            Question::Past { path, zxid } => json!({ "past": {
                "path": path,
                "zxid": zxid.to_string(),
            }}),
        }
        .to_string()
    }

    fn parse(line: &str) -> Option<Question> {
        let asked: Value = serde_json::from_str(line).ok()?;
        if let Value::Object(changes) = &asked["changes"] {
            return Some(Question::Changes(Query {
                path: changes.get("path")?.as_str()?.to_owned(),
                is_recursive: changes.get("recursive")?.as_bool()?,
                since_ms: changes.get("since_ms")?.as_i64()?,
                limit: usize::try_from(changes.get("limit")?.as_u64()?).ok()?,
            }));
        }
        Some(Question::Past {
            path: asked["past"]["path"].as_str()?.to_owned(),
            zxid: json::read_zxid(asked["past"]["zxid"].as_str()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zoowarden::proto::Zxid;

    #[test]
    fn a_question_is_a_line() {
        for question in [
            Question::Changes(Query {
                is_recursive: true,
                ..Query::of("/a \"b\"")
            }),
            Question::Past {
                path: "/a".to_owned(),
                zxid: Zxid(0x1_0000_0005),
            },
        ] {
            let line = question.line();
            assert!(!line.contains('\n'));
            assert_eq!(Question::parse(&line), Some(question));
        }
        for nonsense in [
            "",
            "{}",
            "[]",
            "{\"changes\":1}",
            "{\"past\":{\"path\":\"/a\"}}",
        ] {
            assert_eq!(Question::parse(nonsense), None, "{nonsense}");
        }
    }
}
