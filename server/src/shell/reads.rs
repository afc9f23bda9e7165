//! Commands that look: ls, get, stat, getAcl, getEphemerals, getAllChildrenNumber, sync.

use serde_json::{Map, Value, json};
use zoowarden::client::Error;
use zoowarden::proto::Stat;

use super::Shell;
use super::arguments::Arguments;
use super::dispatch::path_operand;
use super::events::Watching;
use super::failure::Failure;
use super::walk::{self, ALL_LEVELS};
use super::{requests, show};

/// `ls [-s] [-w] [-R] path`
pub(crate) async fn ls(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let watches = old_watch(shell, arguments, "ls")? || arguments.has("watch");
    let (names, stat) = if watches && !shell.events.has(path, Watching::Children) {
        let (sink, over) = shell.events.sink(Watching::Children, shell.json);
        let (listed, id) = requests::children_and_watch(&client, path, sink).await?;
        shell.events.add(path, Watching::Children, id, over);
        listed
    } else {
        requests::children(&client, path).await?
    };
    if arguments.has("recursive") {
        return list_all(shell, path).await;
    }
    if shell.json {
        return shell.output.json(&json!({
            "path": path, "children": names, "stat": show::stat_json(&stat),
        }));
    }
    shell.output.line(&show::list(&names))?;
    with_stat(shell, arguments, &stat)
}

/// `ls2 path`, which is `ls -s`.
pub(crate) async fn ls2(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let (names, stat) = requests::children(&client, path).await?;
    if shell.json {
        let stat = show::stat_json(&stat);
        return shell
            .output
            .json(&json!({ "path": path, "children": names, "stat": stat }));
    }
    shell.output.line(&show::list(&names))?;
    shell.output.line(&show::stat(&stat))
}

async fn list_all(shell: &mut Shell, path: &str) -> Result<(), Failure> {
    let client = shell.link.client().await?;
    let found = walk::paths(&client, path, ALL_LEVELS).await?;
    if shell.json {
        shell
            .output
            .json(&json!({ "path": path, "paths": found.paths }))?;
    } else {
        for path in &found.paths {
            shell.output.line(path)?;
        }
    }
    denied(shell, found.denied)
}

/// Says what could not be seen; the first is what the command fails with.
pub(crate) fn denied(shell: &Shell, mut denied: Vec<Error>) -> Result<(), Failure> {
    if denied.is_empty() {
        return Ok(());
    }
    let first = denied.remove(0);
    for error in denied {
        shell.output.message(&Failure::from(error).text());
    }
    Err(first.into())
}

/// `get [-s] [-w] [-b] [-x] path`
pub(crate) async fn get(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let watches = old_watch(shell, arguments, "get")? || arguments.has("watch");
    let (data, stat) = if watches && !shell.events.has(path, Watching::Data) {
        let (sink, over) = shell.events.sink(Watching::Data, shell.json);
        let (got, id) = requests::get_and_watch(&client, path, sink).await?;
        shell.events.add(path, Watching::Data, id, over);
        got
    } else {
        requests::get(&client, path).await?
    };
    let data = data.as_deref();
    if shell.json {
        let mut object = Map::new();
        object.insert("path".to_owned(), path.into());
        show::put_data(&mut object, data);
        object.insert("stat".to_owned(), show::stat_json(&stat));
        return shell.output.json(&Value::Object(object));
    }
    print_data(shell, arguments, data)?;
    with_stat(shell, arguments, &stat)
}

fn print_data(shell: &Shell, arguments: &Arguments, data: Option<&[u8]>) -> Result<(), Failure> {
    let output = &shell.output;
    if arguments.has("base64") {
        return output.line(&show::base64(data.unwrap_or_default()));
    }
    if arguments.has("hexdump") {
        return output.line(&show::hexdump(data.unwrap_or_default()));
    }
    let bytes = show::data_or_null(data);
    let is_text = show::is_text(bytes);
    match (output.is_terminal(), arguments.has("raw")) {
        (true, true) if !is_text => Err(Failure::Other(
            "binary data is not written to a terminal: redirect it, or use -x or -b".to_owned(),
        )),
        (_, true) => output.raw(data.unwrap_or_default()),
        (true, false) if !is_text => {
            output.line(&show::hexdump(bytes))?;
            let told = "binary data; get -r writes it as it is, to a file or a pipe";
            output.message(&format!("{} bytes of {told}", bytes.len()));
            Ok(())
        }
        (true, false) => output.line(&String::from_utf8_lossy(bytes)),
        (false, false) => {
            output.raw(bytes)?;
            output.raw(b"\n")
        }
    }
}

/// `stat [-w] path`
pub(crate) async fn stat(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let watches = old_watch(shell, arguments, "stat")? || arguments.has("watch");
    let stat = if watches && !shell.events.has(path, Watching::Data) {
        let (sink, over) = shell.events.sink(Watching::Data, shell.json);
        let (found, id) = requests::stat_and_watch(&client, path, sink).await;
        shell.events.add(path, Watching::Data, id, over);
        found?
    } else {
        requests::stat(&client, path).await?
    };
    if shell.json {
        let stat = show::stat_json(&stat);
        return shell.output.json(&json!({ "path": path, "stat": stat }));
    }
    shell.output.line(&show::stat(&stat))
}

/// `getAcl [-s] path`
pub(crate) async fn get_acl(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let (list, stat) = requests::acl(&client, path).await?;
    if shell.json {
        return shell.output.json(&json!({
            "path": path, "acl": show::acl_json(&list), "stat": show::stat_json(&stat),
        }));
    }
    shell.output.line(&show::acl(&list))?;
    with_stat(shell, arguments, &stat)
}

/// `getEphemerals [path]`
pub(crate) async fn ephemerals(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let mut paths = requests::ephemerals(&client, path).await?;
    paths.sort_unstable();
    if shell.json {
        return shell
            .output
            .json(&json!({ "path": path, "ephemerals": paths }));
    }
    shell.output.line(&show::list(&paths))
}

/// `getAllChildrenNumber path`
pub(crate) async fn count(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    let count = requests::count(&client, path).await?;
    if shell.json {
        return shell.output.json(&json!({ "path": path, "count": count }));
    }
    shell.output.line(&count.to_string())
}

/// `sync path`
pub(crate) async fn sync(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let client = shell.link.client().await?;
    requests::sync(&client, path).await?;
    if shell.json {
        return shell.output.json(&json!({ "path": path, "synced": true }));
    }
    shell.output.line("Sync is OK")
}

/// The stat block, if `-s` was given.
pub(crate) fn with_stat(shell: &Shell, arguments: &Arguments, stat: &Stat) -> Result<(), Failure> {
    if arguments.has("stat") {
        shell.output.line(&show::stat(stat))?;
    }
    Ok(())
}

/// zkCli's old form: a second word, `watch`.
fn old_watch(shell: &Shell, arguments: &Arguments, name: &str) -> Result<bool, Failure> {
    match arguments.operand(1) {
        None => Ok(false),
        Some("watch" | "true") => {
            let flags = if name == "get" { "[-s] [-w]" } else { "[-w]" };
            shell.output.message(&format!(
                "'{name} path [watch]' has been deprecated. Please use '{name} {flags} path' instead."
            ));
            Ok(true)
        }
        Some(other) => Err(Failure::Usage(format!("{other} is one argument too many"))),
    }
}
