//! A subtree as JSON, and back: export and import.
//!
//! ```text
//!   {"format":"zoowarden-export","version":1,"root":"/app","znodes":[
//!   {"path":"/","data":"text","acl":[{"scheme":"world","id":"anyone","perms":"cdrwa"}]},
//!   {"path":"/bin","data_base64":"/wA=","acl":[...],"kind":"ephemeral"}
//!   ]}
//! ```
//!
//! One znode per line, parents first; paths are below `root`. `data` is text, `data_base64` what is
//! no UTF-8, and a znode with neither has no data. `kind` is persistent unless it says ephemeral,
//! container or ttl (with `ttl_ms`); servers tell clients of ephemerals only, so the other two are
//! there for those who write such files themselves.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zoowarden::client::Client;
use zoowarden::proto::{Acl, Id, path};

use super::Shell;
use super::arguments::Arguments;
use super::dispatch::{checked, exact_path_operand, path_operand};
use super::failure::Failure;
use super::requests::Lifetime;
use super::transfer::{Ephemerals, OnConflict, Wanted, Writer, conflicts, lifetime, report};
use super::walk::{self, ALL_LEVELS, Record};
use super::writes::{from_input, make_parents, znodes};
use super::{reads, show};

const FORMAT: &str = "zoowarden-export";
const VERSION: u32 = 1;

/// What every server has of its own, and no export of `/` holds.
const OF_THE_SERVERS: &str = "/zookeeper";

/// Progress is told after this many znodes.
const PROGRESS_STEP: u64 = 1000;

/// A whole file.
#[derive(Debug, Deserialize)]
struct Archive {
    format: String,
    version: u32,
    root: String,
    znodes: Vec<Entry>,
}

/// One znode of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acl: Option<Vec<AclEntry>>,
    #[serde(default, skip_serializing_if = "EntryKind::is_persistent")]
    kind: EntryKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct AclEntry {
    scheme: String,
    id: String,
    perms: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EntryKind {
    #[default]
    Persistent,
    Ephemeral,
    Container,
    Ttl,
}

impl EntryKind {
    fn is_persistent(&self) -> bool {
        *self == Self::Persistent
    }
}

/// `export path [file]`
pub(crate) async fn export(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let top = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let mut found = walk::paths(&client, top, ALL_LEVELS).await?;
    if top == "/" {
        found
            .paths
            .retain(|path| !walk::is_within(path, OF_THE_SERVERS));
    }
    reads::denied(shell, found.denied)?;
    let Some(file) = arguments.operand(1).filter(|file| *file != "-") else {
        let output = Arc::clone(&shell.output);
        write_all(shell, &client, top, &found.paths, &mut output.as_ref()).await?;
        return Ok(());
    };
    let partial = PathBuf::from(format!("{file}.partial"));
    let failed = |error| Failure::Other(format!("{file}: cannot be written: {error}"));
    let mut writer = BufWriter::new(File::create(&partial).map_err(failed)?);
    let written = write_all(shell, &client, top, &found.paths, &mut writer).await;
    let written = written.inspect_err(|_| {
        // What is left of a failed export is of no use; that it stays is no second failure.
        let _ = std::fs::remove_file(&partial);
    })?;
    writer.flush().map_err(failed)?;
    std::fs::rename(&partial, file).map_err(failed)?;
    if shell.json {
        return shell
            .output
            .json(&json!({ "path": top, "exported": written, "file": file }));
    }
    shell
        .output
        .message(&format!("Exported {} to {file}", znodes(written)));
    Ok(())
}

async fn write_all(
    shell: &Shell,
    client: &Client,
    top: &str,
    paths: &[String],
    to: &mut dyn Write,
) -> Result<u64, Failure> {
    let root = serde_json::Value::from(top);
    write!(
        to,
        "{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"root\":{root},\"znodes\":["
    )?;
    let records = walk::records(client, paths);
    let mut records = std::pin::pin!(records);
    let mut written = 0;
    while let Some(record) = records.next().await {
        let entry = Entry::of(record?, top);
        let line = serde_json::to_string(&entry).expect("strings and numbers are JSON");
        write!(to, "{}\n{line}", if written == 0 { "" } else { "," })?;
        written += 1;
        if written % PROGRESS_STEP == 0 {
            shell
                .output
                .progress(&format!("{written} of {} znodes exported", paths.len()));
        }
    }
    write!(to, "\n]}}\n")?;
    shell.output.progress("");
    Ok(written)
}

impl Entry {
    fn of(record: Record, top: &str) -> Self {
        let text = record
            .data
            .as_deref()
            .map(|data| std::str::from_utf8(data).map_err(|_| data));
        let (data, data_base64) = match text {
            None => (None, None),
            Some(Ok(text)) => (Some(text.to_owned()), None),
            Some(Err(data)) => (None, Some(show::base64(data))),
        };
        let acl = |acl: &Acl| AclEntry {
            scheme: acl.id.scheme.to_string(),
            id: acl.id.id.to_string(),
            perms: show::permissions(acl.perms),
        };
        Self {
            path: walk::moved(&record.path, top, "/"),
            data,
            data_base64,
            acl: Some(record.acl.iter().map(acl).collect()),
            kind: match lifetime(record.stat.ephemeral_owner) {
                Lifetime::Ephemeral => EntryKind::Ephemeral,
                _ => EntryKind::Persistent,
            },
            ttl_ms: None,
        }
    }

    /// The znode to make of it below `top`.
    fn wanted(self, top: &str, with_acl: bool) -> Result<Wanted, String> {
        path::validate(&self.path).map_err(|error| error.to_string())?;
        let data = match (self.data, self.data_base64) {
            (Some(_), Some(_)) => return Err("data and data_base64 at once".to_owned()),
            (None, Some(text)) => Some(show::from_base64(&text)?),
            (text, None) => text.map(String::into_bytes),
        };
        let lifetime = match (self.kind, self.ttl_ms) {
            (EntryKind::Ttl, Some(ms)) if ms > 0 => Lifetime::Ttl { ms },
            (EntryKind::Ttl, _) => return Err("kind ttl needs ttl_ms, 1 or more".to_owned()),
            (EntryKind::Persistent, _) => Lifetime::Persistent,
            (EntryKind::Ephemeral, _) => Lifetime::Ephemeral,
            (EntryKind::Container, _) => Lifetime::Container,
        };
        let acl = |entry: AclEntry| {
            let perms = show::parse_permissions(&entry.perms)?;
            let id = Id::new(&entry.scheme, &entry.id);
            Ok(Acl { perms, id })
        };
        let acl = match self.acl.filter(|_| with_acl) {
            Some(list) => list.into_iter().map(acl).collect::<Result<_, String>>()?,
            None => vec![Acl::open()],
        };
        Ok(Wanted {
            path: walk::moved(&self.path, "/", top),
            data: data.map(Bytes::from),
            acl,
            lifetime,
        })
    }
}

/// `import file [path]`
pub(crate) async fn import(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let on_conflict = OnConflict::of(arguments)?;
    let ephemerals = Ephemerals::of(arguments)?.unwrap_or(Ephemerals::Skip);
    let file = arguments.operand(0).unwrap_or_default();
    let archive = read(shell, file).await?;
    let top = match arguments.operand(1) {
        Some(_) => exact_path_operand(arguments, 1)?.to_owned(),
        None => checked(&archive.root)?.to_owned(),
    };
    let mut wanted = Vec::new();
    for entry in archive.znodes {
        let path = entry.path.clone();
        let entry = entry.wanted(&top, !arguments.has("no-acl"));
        wanted.push(entry.map_err(|what| Failure::Other(format!("{file}: {path}: {what}")))?);
    }
    let client = shell.link.client().await?;
    // The root of a tree is always there.
    wanted.retain(|wanted| wanted.path != "/");
    let targets: Vec<String> = wanted.iter().map(|wanted| wanted.path.clone()).collect();
    let there = conflicts(&client, &targets, on_conflict).await?;
    if arguments.has("parents") {
        make_parents(&client, &top).await?;
    }
    let mut writer = Writer::new(shell, &client, on_conflict, "imported");
    let mut outcome = Ok(());
    for wanted in wanted {
        let Some(lifetime) = ephemerals.lifetime(wanted.lifetime) else {
            writer.sums.ephemerals_skipped += 1;
            continue;
        };
        let is_there = there.binary_search(&wanted.path).is_ok();
        outcome = writer.put(Wanted { lifetime, ..wanted }, is_there).await;
        if outcome.is_err() {
            break;
        }
    }
    let (sums, outcome) = writer.finish(outcome).await;
    report(shell, "Imported", &sums, outcome)
}

async fn read(shell: &Shell, file: &str) -> Result<Archive, Failure> {
    let parsed: Result<Archive, serde_json::Error> = if file == "-" {
        serde_json::from_slice(&from_input(shell).await?)
    } else {
        let opened = File::open(Path::new(file));
        let opened = opened.map_err(|error| Failure::Other(format!("{file}: {error}")))?;
        serde_json::from_reader(BufReader::new(opened))
    };
    let wrong = |what: String| Failure::Other(format!("{file}: not an export: {what}"));
    let archive = parsed.map_err(|error| wrong(error.to_string()))?;
    if archive.format != FORMAT || archive.version != VERSION {
        let Archive {
            format, version, ..
        } = archive;
        return Err(wrong(format!(
            "it says format {format} version {version}; this shell reads {FORMAT} version {VERSION}"
        )));
    }
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use zoowarden::proto::Stat;

    use super::*;

    fn record(data: Option<&'static [u8]>, owner: i64) -> Record {
        Record {
            path: "/app/x".to_owned(),
            data: data.map(Bytes::from_static),
            stat: Stat {
                ephemeral_owner: owner,
                ..Stat::default()
            },
            acl: vec![Acl::open()],
        }
    }

    #[test]
    fn what_is_exported_comes_back_as_it_was() {
        for (data, owner) in [
            (None, 0),
            (Some(&b""[..]), 0),
            (Some("täxt".as_bytes()), 7),
            (Some(&[0xff, 0][..]), 0),
        ] {
            let entry = Entry::of(record(data, owner), "/app");
            let text = serde_json::to_string(&entry).unwrap();
            let back: Entry = serde_json::from_str(&text).unwrap();
            let wanted = back.wanted("/copy", true).unwrap();
            assert_eq!(
                (wanted.path.as_str(), wanted.data.as_deref()),
                ("/copy/x", data),
                "{text}"
            );
            assert_eq!(wanted.lifetime == Lifetime::Ephemeral, owner != 0, "{text}");
            assert_eq!(wanted.acl, [Acl::open()], "{text}");
        }
    }

    #[test]
    fn containers_and_ttls_can_be_written_by_hand() {
        let lifetime = |text: &str| {
            let entry: Entry = serde_json::from_str(text).unwrap();
            entry.wanted("/", true).map(|wanted| wanted.lifetime)
        };
        assert_eq!(
            lifetime(r#"{"path":"/a","kind":"container"}"#),
            Ok(Lifetime::Container)
        );
        assert_eq!(
            lifetime(r#"{"path":"/a","kind":"ttl","ttl_ms":5}"#),
            Ok(Lifetime::Ttl { ms: 5 })
        );
        assert!(lifetime(r#"{"path":"/a","kind":"ttl"}"#).is_err());
        assert!(lifetime(r#"{"path":"a"}"#).is_err());
        assert!(lifetime(r#"{"path":"/a","data":"x","data_base64":"eA=="}"#).is_err());
        assert!(serde_json::from_str::<Entry>(r#"{"path":"/a","dta":"x"}"#).is_err());
    }
}
