//! Commands about watches: addWatch, removewatches, printwatches, and watch, which streams.

use serde_json::json;
use zoowarden::client::{Error, WatchEvent};
use zoowarden::proto::{AddWatchMode, Code};

use super::Shell;
use super::arguments::Arguments;
use super::dispatch::path_operand;
use super::events::{self, Watching};
use super::failure::Failure;
use super::{requests, show};

/// `addWatch [-m mode] path`
pub(crate) async fn add(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let (mode, watching) = mode(arguments)?;
    let client = shell.link.client().await?;
    if !shell.events.has(path, watching) {
        let (sink, over) = shell.events.sink(watching, shell.json);
        let id = requests::add_watch(&client, path, mode, sink).await?;
        shell.events.add(path, watching, id, over);
    }
    if shell.json {
        shell
            .output
            .json(&json!({ "path": path, "watching": true }))?;
    }
    Ok(())
}

fn mode(arguments: &Arguments) -> Result<(AddWatchMode, Watching), Failure> {
    let mode = arguments.value("mode").unwrap_or("PERSISTENT_RECURSIVE");
    match mode.to_ascii_uppercase().as_str() {
        "PERSISTENT" => Ok((AddWatchMode::Persistent, Watching::Persistent)),
        "PERSISTENT_RECURSIVE" => Ok((
            AddWatchMode::PersistentRecursive,
            Watching::PersistentRecursive,
        )),
        _ => Err(Failure::Usage(format!(
            "-m {mode}: expected PERSISTENT (the znode and its children) or PERSISTENT_RECURSIVE \
             (everything below)"
        ))),
    }
}

/// `removewatches path [-c|-d|-p|-r|-a] [-l]`
pub(crate) async fn remove(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    const KINDS: [(&str, Watching); 4] = [
        ("children", Watching::Children),
        ("data", Watching::Data),
        ("persistent", Watching::Persistent),
        ("recursive", Watching::PersistentRecursive),
    ];
    let path = path_operand(arguments, 0)?;
    let named: Vec<Watching> = KINDS
        .iter()
        .filter(|(flag, _)| arguments.has(flag))
        .map(|(_, kind)| *kind)
        .collect();
    let wanted = match named.as_slice() {
        [] => KINDS.map(|(_, kind)| kind).to_vec(),
        _ => named,
    };
    let client = shell.link.client().await?;
    let taken = shell.events.take(path, &wanted);
    if taken.is_empty() {
        return Err(Failure::Refused {
            code: Code::NoWatcher,
            path: path.to_owned(),
        });
    }
    for (id, watching) in &taken {
        client.forget(*id);
        let name = match watching {
            Watching::Data => "DataWatchRemoved",
            Watching::Children => "ChildWatchRemoved",
            Watching::Persistent | Watching::PersistentRecursive => "PersistentWatchRemoved",
        };
        if !shell.json {
            let line = format!("WatchedEvent state:SyncConnected type:{name} path:{path}");
            shell.events.line(line);
        }
    }
    if shell.json {
        shell
            .output
            .json(&json!({ "path": path, "removed": taken.len() }))?;
    }
    Ok(())
}

/// `printwatches on|off`
pub(crate) async fn print(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    match arguments.operand(0) {
        None => {
            let shown = if shell.events.are_shown() {
                "on"
            } else {
                "off"
            };
            if shell.json {
                return shell.output.json(&json!({ "printwatches": shown }));
            }
            shell.output.line(&format!("printwatches is {shown}"))
        }
        Some(word @ ("on" | "off")) => {
            shell.events.show(word == "on");
            Ok(())
        }
        Some(other) => Err(Failure::Usage(format!("{other}: expected on or off"))),
    }
}

/// `watch [-m mode] [-c count] path`
pub(crate) async fn watch(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let path = path_operand(arguments, 0)?;
    let (mode, _) = mode(arguments)?;
    let count = arguments
        .number::<u64>("count")
        .map_err(Failure::Usage)?
        .unwrap_or(u64::MAX);
    let client = shell.link.client().await?;
    let mut watcher = client.watch(path, mode).await?;
    let told = "watching; Ctrl-C ends it";
    shell.output.message(&format!("{path}: {told}"));
    shell.streams = true;
    let mut seen = 0;
    while seen < count {
        let Some(event) = watcher.next().await else {
            return Err(Failure::ZooKeeper(Error::new(Code::SessionExpired)));
        };
        seen += u64::from(matches!(event, WatchEvent::Changed { .. }));
        tell(shell, &event)?;
    }
    Ok(())
}

fn tell(shell: &Shell, event: &WatchEvent) -> Result<(), Failure> {
    let now = show::now();
    let line = match event {
        WatchEvent::Changed { kind, path, zxid } if shell.json => {
            let zxid = (zxid.0 > 0).then(|| zxid.to_string());
            let name = events::name(*kind);
            json!({ "time": now, "event": name, "path": path, "zxid": zxid }).to_string()
        }
        WatchEvent::State(state) if shell.json => {
            json!({ "time": now, "state": state.to_string() }).to_string()
        }
        WatchEvent::Overflow { dropped } if shell.json => {
            json!({ "time": now, "dropped": dropped }).to_string()
        }
        WatchEvent::Changed { kind, path, .. } => format!("{now} {} {path}", events::name(*kind)),
        WatchEvent::State(state) => format!("{now} {state}"),
        WatchEvent::Overflow { dropped } => {
            format!("{now} {dropped} events were lost: read everything anew")
        }
    };
    shell.output.line(&line)?;
    shell.output.flush()
}
