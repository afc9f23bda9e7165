//! Commands about the shell, its session and the ensemble: help, history, redo, connect, close, quit,
//! addauth, whoami, version, config, reconfig.

use serde_json::json;
use zoowarden::client::ConnectString;
use zoowarden::proto::Stat;

use super::Shell;
use super::arguments::Arguments;
use super::failure::Failure;
use super::{reads, requests, show, table};

/// `history` shows so many lines before the current one, as zkCli does.
const HISTORY_SHOWN: usize = 10;

/// `help [command]`
pub(crate) async fn help(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let Some(name) = arguments.operand(0) else {
        if shell.json {
            let one = |command: &table::Command| {
                json!({
                    "name": command.name,
                    "usage": command.usage_line(),
                    "summary": command.summary,
                })
            };
            return shell
                .output
                .json(&table::COMMANDS.iter().map(one).collect());
        }
        shell.output.line(&table::overview())?;
        return shell
            .output
            .line("help <command> tells more, with examples");
    };
    match table::find(name) {
        Some(command) if shell.json => shell.output.json(&json!({
            "name": command.name, "usage": command.usage_line(), "help": command.help(),
        })),
        Some(command) => shell.output.line(&command.help()),
        None => Err(Failure::Usage(format!("there is no command {name}"))),
    }
}

/// `history`
pub(crate) async fn history(shell: &mut Shell, _: &Arguments) -> Result<(), Failure> {
    if shell.json {
        return shell.output.json(&json!({ "history": shell.history }));
    }
    let first = shell.history.len().saturating_sub(HISTORY_SHOWN + 1);
    for (number, line) in shell.history.iter().enumerate().skip(first) {
        shell.output.line(&format!("{number} - {line}"))?;
    }
    Ok(())
}

/// `redo cmdno`
pub(crate) async fn redo(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let typed = arguments.operand(0).unwrap_or_default();
    let number: usize = typed.parse().map_err(|_| {
        Failure::Usage(format!("{typed}: expected the number of a line of history"))
    })?;
    let Some(line) = shell.history.get(number).cloned() else {
        return Err(Failure::Other("Command index out of range".to_owned()));
    };
    // A redo could name itself, and never end.
    if line
        .split_whitespace()
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("redo"))
    {
        return Err(Failure::Usage(format!(
            "{number} is a redo itself: name what it repeats"
        )));
    }
    if let Some(current) = shell.history.last_mut() {
        current.clone_from(&line);
    }
    let words = super::line::split(&line).map_err(|open| Failure::Usage(open.to_string()))?;
    Box::pin(shell.run_words(&words)).await
}

/// `connect [hosts]`
pub(crate) async fn connect(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let hosts = arguments
        .operand(0)
        .map(str::parse::<ConnectString>)
        .transpose();
    let hosts = hosts.map_err(|error| Failure::Usage(error.to_string()))?;
    shell.link.reconnect(hosts).await;
    if shell.json {
        shell.link.client().await?;
        shell
            .output
            .json(&json!({ "connected": shell.link.hosts() }))?;
    }
    Ok(())
}

/// `close`
pub(crate) async fn close(shell: &mut Shell, _: &Arguments) -> Result<(), Failure> {
    shell.link.close().await;
    if shell.json {
        shell.output.json(&json!({ "closed": true }))?;
    }
    Ok(())
}

/// `quit`
pub(crate) async fn quit(shell: &mut Shell, _: &Arguments) -> Result<(), Failure> {
    shell.quits = true;
    Ok(())
}

/// `addauth scheme auth`
pub(crate) async fn add_auth(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let scheme = arguments.operand(0).unwrap_or_default();
    let auth = arguments.operand(1).unwrap_or_default().as_bytes();
    let client = shell.link.client().await?;
    client.add_auth(scheme, auth).await?;
    shell.link.remember_auth(scheme, auth);
    if shell.json {
        shell
            .output
            .json(&json!({ "scheme": scheme, "added": true }))?;
    }
    Ok(())
}

/// `whoami`
pub(crate) async fn who_am_i(shell: &mut Shell, _: &Arguments) -> Result<(), Failure> {
    let client = shell.link.client().await?;
    let ids = requests::who_am_i(&client).await?;
    if shell.json {
        let one = |id: &zoowarden::proto::Id| json!({ "scheme": id.scheme, "id": id.id });
        let ids: Vec<_> = ids.iter().map(one).collect();
        return shell.output.json(&json!({ "ids": ids }));
    }
    shell.output.line("Auth scheme: User")?;
    ids.iter()
        .try_for_each(|id| shell.output.line(&format!("{}: {}", id.scheme, id.id)))
}

/// `version`
pub(crate) async fn version(shell: &mut Shell, _: &Arguments) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if shell.json {
        return shell.output.json(&json!({ "version": version }));
    }
    shell
        .output
        .line(&format!("ZooKeeper CLI version: zoowarden {version}"))
}

/// `config [-c] [-w] [-s]`
pub(crate) async fn config(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let client = shell.link.client().await?;
    let watch = arguments.has("watch").then(|| {
        shell
            .events
            .sink(super::events::Watching::Data, shell.json)
            .0
    });
    let (data, stat) = requests::config(&client, watch).await?;
    let text = String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned();
    show_config(shell, arguments, &text, &stat)
}

/// `reconfig [-s] [-v version] [-file path | -members list] | [-add list] [-remove ids]`
pub(crate) async fn reconfig(shell: &mut Shell, arguments: &Arguments) -> Result<(), Failure> {
    let from_file = match arguments.value("file") {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.map_err(|error| Failure::Other(format!("{file}: {error}")))?;
            Some(members_of(&text))
        }
    };
    let joined = |flag| {
        let all: Vec<&str> = arguments.values(flag).collect();
        (!all.is_empty()).then(|| all.join(","))
    };
    let (joining, leaving) = (joined("add"), joined("remove"));
    let members = from_file.or_else(|| joined("members"));
    if members.is_some() == (joining.is_some() || leaving.is_some()) {
        let what = "either the whole list (-file or -members), or what changes (-add, -remove)";
        return Err(Failure::Usage(what.to_owned()));
    }
    let version = match arguments.value("version") {
        None => -1,
        Some(text) => i64::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|error| {
            Failure::Usage(format!(
                "-v {text}: expected a hexadecimal version ({error})"
            ))
        })?,
    };
    let client = shell.link.client().await?;
    let (data, stat) = requests::reconfig(
        &client,
        joining.as_deref(),
        leaving.as_deref(),
        members.as_deref(),
        version,
    )
    .await?;
    let text = String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned();
    if !shell.json {
        shell.output.line("Committed new configuration:")?;
    }
    show_config(shell, arguments, &text, &stat)
}

/// The servers of a configuration file, as the request lists them.
fn members_of(text: &str) -> String {
    let servers = text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("server."));
    servers.collect::<Vec<_>>().join(",")
}

fn show_config(
    shell: &Shell,
    arguments: &Arguments,
    text: &str,
    stat: &Stat,
) -> Result<(), Failure> {
    if shell.json {
        let servers: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("server."))
            .collect();
        return shell.output.json(&json!({
            "version": config_version(text), "servers": servers, "stat": show::stat_json(stat),
        }));
    }
    match arguments.has("client") {
        true => shell.output.line(&client_string(text))?,
        false => shell.output.line(text)?,
    }
    reads::with_stat(shell, arguments, stat)
}

fn config_version(text: &str) -> &str {
    text.lines()
        .find_map(|line| line.strip_prefix("version="))
        .unwrap_or_default()
}

/// `<version> host:port,host:port`: what a client needs to connect.
fn client_string(text: &str) -> String {
    let addresses: Vec<String> = text.lines().filter_map(client_address).collect();
    format!("{} {}", config_version(text), addresses.join(","))
}

/// `server.1=host:peer:election:role;[client host:]client port`, of which the client's part.
fn client_address(line: &str) -> Option<String> {
    let (_, value) = line.strip_prefix("server.")?.split_once('=')?;
    let (peer, client) = value.split_once(';')?;
    let host = match peer.strip_prefix('[') {
        Some(rest) => format!("[{}]", rest.split_once(']')?.0),
        None => peer.split(':').next()?.to_owned(),
    };
    match client.rsplit_once(':') {
        Some((own, port)) if own != "0.0.0.0" && own != "[::]" => Some(format!("{own}:{port}")),
        Some((_, port)) => Some(format!("{host}:{port}")),
        None => Some(format!("{host}:{client}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_where_to_connect() {
        let text = "server.1=a:2888:3888:participant;0.0.0.0:2181\n\
                    server.2=[::2]:1:2:observer;2182\nserver.3=c:1:2;10.0.0.3:9\nversion=100000000";
        assert_eq!(
            client_string(text),
            "100000000 a:2181,[::2]:2182,10.0.0.3:9"
        );
        assert_eq!(client_string(""), " ");
        assert_eq!(members_of(text).split(',').count(), 3);
    }
}
