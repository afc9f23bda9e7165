//! Commands that change one znode or wipe a subtree: create, set, delete, deleteall, setAcl.

use std::io::Read;

use futures_util::stream::{self, StreamExt};
use serde_json::json;
use zoowarden::client::Client;
use zoowarden::proto::{Acl, Code, path};

use super::arguments::Arguments;
use super::batch::{Batches, Change};
use super::dispatch::exact_path_operand;
use super::failure::Failure;
use super::line::Word;
use super::requests::{self, ANY, Kind, Lifetime};
use super::walk::{self, ALL_LEVELS, WINDOW};
use super::{Shell, Source, reads, show};

/// Deletes per multi unless `-b` says otherwise, as in zkCli.
const DELETES_PER_MULTI: usize = 1000;

/// How often a subtree that others write to is gone through before deleting it is given up.
const DELETE_ROUNDS_MAX: usize = 8;

/// `create [-s] [-e] [-c] [-t ttl] [-p] path [data] [acl]`
pub(crate) async fn create(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let kind = kind(arguments)?;
    let path = match kind.sequential {
        // A slash at the end is the place of the number.
        true => arguments.operand(0).unwrap_or_default(),
        false => exact_path_operand(arguments, 0)?,
    };
    let data = match arguments.operands().get(1) {
        Some(word) => Some(data_operand(shell, word, arguments.has("base64")).await?),
        None => None,
    };
    let acl = match arguments.operand(2) {
        Some(text) => show::parse_acl(text).map_err(Failure::Usage)?,
        None => vec![Acl::open()],
    };
    let client = shell.link.client().await?;
    if arguments.has("parents") {
        make_parents(&client, path).await?;
    }
    let request = kind.create(path, data.as_deref(), acl);
    let created = requests::create(&client, request).await?;
    if shell.json {
        return shell.output.json(&json!({ "created": created }));
    }
    shell.output.message(&format!("Created {created}"));
    Ok(())
}

/// Makes the znodes above a path that are missing.
pub(crate) async fn make_parents(client: &Client, path: &str) -> Result<(), Failure> {
    if let Some((parent, _)) = path::split(path)
        && parent != "/"
    {
        client.ensure_path(parent).await?;
    }
    Ok(())
}

fn kind(arguments: &Arguments) -> Result<Kind, Failure> {
    let wrong = |what: &str| Err(Failure::Usage(what.to_owned()));
    let sequential = arguments.has("sequential");
    let ephemeral = arguments.has("ephemeral");
    let container = arguments.has("container");
    let ttl = arguments.number::<i64>("ttl").map_err(Failure::Usage)?;
    if container && (sequential || ephemeral) {
        return wrong(
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        );
    }
    let lifetime = match ttl {
        Some(_) if ephemeral || container => {
            return wrong("TTLs cannot be used with Ephemeral znodes or containers");
        }
        Some(ms) if ms < 1 => return wrong("-t: a ttl is 1 millisecond or more"),
        Some(ms) => Lifetime::Ttl { ms },
        None if ephemeral => Lifetime::Ephemeral,
        None if container => Lifetime::Container,
        None => Lifetime::Persistent,
    };
    Ok(Kind {
        lifetime,
        sequential,
    })
}

/// `set [-s] [-v version] [-b] path data`
pub(crate) async fn set(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = exact_path_operand(arguments, 0)?;
    let data = data_operand(shell, &arguments.operands()[1], arguments.has("base64")).await?;
    let version = version(
        shell,
        arguments,
        2,
        "set path data [version]",
        "set [-s] [-v version] path data",
    )?;
    let client = shell.link.client().await?;
    let stat = requests::set(&client, path, Some(&data), version).await?;
    if shell.json {
        let stat = show::stat_json(&stat);
        return shell.output.json(&json!({ "path": path, "stat": stat }));
    }
    reads::with_stat(shell, arguments, &stat)
}

/// `delete [-v version] path`
pub(crate) async fn delete(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = exact_path_operand(arguments, 0)?;
    let version = version(
        shell,
        arguments,
        1,
        "delete path [version]",
        "delete [-v version] path",
    )?;
    let client = shell.link.client().await?;
    requests::delete(&client, path, version).await?;
    if shell.json {
        shell.output.json(&json!({ "path": path, "deleted": 1 }))?;
    }
    Ok(())
}

/// The expected version: `-v`, or zkCli's old form as an operand.
fn version(
    shell: &Shell,
    arguments: &Arguments,
    at: usize,
    old: &str,
    new: &str,
) -> Result<i32, Failure> {
    let Some(text) = arguments.operand(at) else {
        return Ok(arguments
            .number("version")
            .map_err(Failure::Usage)?
            .unwrap_or(ANY));
    };
    let version = text.parse().map_err(|_| {
        Failure::Usage(format!(
            "{text} is one argument too many; quotes join words"
        ))
    })?;
    shell.output.message(&format!(
        "'{old}' has been deprecated. Please use '{new}' instead."
    ));
    Ok(version)
}

/// `deleteall path [-b batch size]`
pub(crate) async fn delete_all(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = exact_path_operand(arguments, 0)?;
    if path == "/" {
        let what = "deleteall / would delete everything: name what is to go";
        return Err(Failure::Usage(what.to_owned()));
    }
    let batch = arguments
        .number("batch")
        .map_err(Failure::Usage)?
        .unwrap_or(DELETES_PER_MULTI);
    if batch == 0 {
        return Err(Failure::Usage(
            "-b: a batch has 1 delete or more".to_owned(),
        ));
    }
    let client = shell.link.client().await?;
    let mut deleted = 0;
    let outcome = wipe(shell, &client, path, batch, &mut deleted).await;
    if shell.json && outcome.is_ok() {
        shell
            .output
            .json(&json!({ "path": path, "deleted": deleted }))?;
    } else if outcome.is_ok() || deleted > 0 {
        shell
            .output
            .message(&format!("Deleted {}", znodes(deleted)));
    }
    outcome
}

/// Deletes from the leaves up. What others create or delete meanwhile is met by looking again.
async fn wipe(
    shell: &Shell,
    client: &Client,
    top: &str,
    batch: usize,
    deleted: &mut u64,
) -> Result<(), Failure> {
    let mut round = 1;
    loop {
        let found = walk::paths(client, top, ALL_LEVELS).await?;
        reads::denied(shell, found.denied)?;
        let mut batches = Batches::new(client, &shell.output, "deleted", batch);
        let outcome = async {
            for path in found.paths.into_iter().rev() {
                batches.push(Change::Delete { path, version: ANY }).await?;
            }
            batches.finish().await
        };
        let outcome = outcome.await;
        *deleted += batches.done();
        match outcome {
            Err(Failure::Refused { code, .. })
                if matches!(code, Code::NoNode | Code::NotEmpty) && round < DELETE_ROUNDS_MAX =>
            {
                round += 1;
                if !requests::exists(client, top).await? {
                    return Ok(());
                }
            }
            outcome => return outcome,
        }
    }
}

/// `setAcl [-s] [-v version] [-R] path acl`
pub(crate) async fn set_acl(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = exact_path_operand(arguments, 0)?;
    let acl = arguments.operand(1).unwrap_or_default();
    let acl = show::parse_acl(acl).map_err(Failure::Usage)?;
    let version = arguments
        .number("version")
        .map_err(Failure::Usage)?
        .unwrap_or(ANY);
    let client = shell.link.client().await?;
    if arguments.has("recursive") {
        return set_acl_below(shell, &client, path, &acl, version).await;
    }
    let stat = requests::set_acl(&client, path, &acl, version).await?;
    if shell.json {
        let stat = show::stat_json(&stat);
        return shell.output.json(&json!({ "path": path, "stat": stat }));
    }
    reads::with_stat(shell, arguments, &stat)
}

async fn set_acl_below(
    shell: &Shell,
    client: &Client,
    top: &str,
    acl: &[Acl],
    version: i32,
) -> Result<(), Failure> {
    let found = walk::paths(client, top, ALL_LEVELS).await?;
    // From the leaves up: an ACL that forbids reading must not hide what is still to be done.
    let set = stream::iter(found.paths.iter().rev())
        .map(|path| requests::set_acl(client, path, acl, version))
        .buffered(WINDOW);
    let mut set = std::pin::pin!(set);
    let mut done = 0;
    while let Some(outcome) = set.next().await {
        match outcome {
            Ok(_) => done += 1,
            Err(error) if error.code() == Code::NoNode => {}
            Err(error) => {
                shell
                    .output
                    .message(&format!("Set the ACL of {}", znodes(done)));
                return Err(error.into());
            }
        }
    }
    if shell.json {
        shell
            .output
            .json(&json!({ "path": top, "changed": done }))?;
    } else {
        shell
            .output
            .message(&format!("Set the ACL of {}", znodes(done)));
    }
    reads::denied(shell, found.denied)
}

/// `1 znode`, `2 znodes`.
pub(crate) fn znodes(count: u64) -> String {
    match count {
        1 => "1 znode".to_owned(),
        count => format!("{count} znodes"),
    }
}

/// Data as typed: the word itself; what a file holds, for `@file`; standard input, for `-`. A word
/// in quotes is always itself, and `@@` begins a word that begins with `@`.
pub(crate) async fn data_operand(
    shell: &Shell,
    word: &Word,
    is_base64: bool,
) -> Result<Vec<u8>, Failure> {
    let data = match (word.quoted, word.text.as_str()) {
        (false, "-") => from_input(shell).await?,
        (false, text) if text.starts_with("@@") => text.as_bytes()[1..].to_vec(),
        (false, text) if text.starts_with('@') => {
            let file = &text[1..];
            std::fs::read(file).map_err(|error| {
                let hint = "in quotes, or as @@, it is data";
                Failure::Other(format!(
                    "{file}: cannot be read: {error} (@ names a file; {hint})"
                ))
            })?
        }
        (_, text) => text.as_bytes().to_vec(),
    };
    if !is_base64 {
        return Ok(data);
    }
    let text = String::from_utf8_lossy(&data);
    show::from_base64(&text).map_err(Failure::Usage)
}

/// All of standard input, read on a thread of its own, so that Ctrl-C is heard meanwhile. At the
/// prompt it is read here, to its Ctrl-D: a thread left behind would take what is typed next.
pub(crate) async fn from_input(shell: &Shell) -> Result<Vec<u8>, Failure> {
    if shell.source == Source::Input {
        let what = "- is standard input, and the commands come from there: put the data into a file \
                    and write @file";
        return Err(Failure::Usage(what.to_owned()));
    }
    let read = || {
        let mut data = Vec::new();
        std::io::stdin().lock().read_to_end(&mut data).map(|_| data)
    };
    let data = if shell.source == Source::Prompt {
        read()
    } else {
        let data = tokio::task::spawn_blocking(read).await;
        data.unwrap_or_else(|ended| Err(ended.into()))
    };
    data.map_err(|error| Failure::Other(format!("standard input cannot be read: {error}")))
}
