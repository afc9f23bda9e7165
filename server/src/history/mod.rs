//! `zoowarden history` and `zoowarden restore`, and the socket by which a server answers them.
//!
//! What lives here: options, questions, tables and plans. What does not: what is kept and for how
//! long; that is `zoowarden::history`.

pub(crate) mod json;
mod restore;
mod show;
mod socket;
mod source;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use zoowarden::client::{ClientConfig, ConnectString, OnExpiry, TlsConfig, TlsOptions};
use zoowarden::history::{CHANGES_MAX, Query};
use zoowarden::proto::Zxid;

use crate::FAILED;
use crate::shell::{Credential, parse_auth};
use restore::Plan;
pub(crate) use socket::Desk;
use socket::Question;
use source::{Answer, Place};

const HISTORY_EXAMPLES: &str = "\
Examples:
  zoowarden history /app/config --data-dir /srv/zk
  zoowarden history /app --config /etc/zookeeper/conf/zoo.cfg --recursive --since 2h
  zoowarden history / --recursive --limit 1000 --json | jq '.changes[].path'

A running server answers by a socket in its data directory; of one that does not run the directory
is read. Every server keeps the history of all changes that it applied.

Exit codes: 0 done, 1 there is no answer, 2 wrong options";

const RESTORE_EXAMPLES: &str = "\
Examples:
  zoowarden history /app --recursive           which change was the last good one? 0x100000007, say
  zoowarden restore /app@0x100000007 --dry-run what would be done
  zoowarden restore /app@0x100000007           deleted znodes come back, with data, list and kind
  zoowarden restore /app@0x100000007 --force   and what was overwritten is set back, too
  zoowarden restore /app@0x100000007 --auth digest:super:secret

Ephemerals are not put back, and what was created since stays.

Exit codes: 0 done, 1 refused or failed, 2 wrong options";

/// Options of `zoowarden history`.
#[derive(Debug, Clone, Args)]
#[command(after_help = HISTORY_EXAMPLES)]
pub(crate) struct HistoryOptions {
    /// The znode
    #[arg(value_name = "PATH", value_parser = parse_path)]
    path: String,
    #[command(flatten)]
    place: Place,
    /// Everything below it, too
    #[arg(short, long)]
    recursive: bool,
    /// Nothing older: a time such as 2026-11-22T17:00:00Z, or how long ago, such as 30m, 2h, 7d
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Since>,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=CHANGES_MAX as i64))]
    limit: u32,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Options of `zoowarden restore`.
#[derive(Debug, Clone, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(crate) struct RestoreOptions {
    /// The znode, which is restored with everything below it, and the change after which it was
    /// as it shall be
    #[arg(value_name = "PATH@ZXID", value_parser = parse_target)]
    target: (String, Zxid),
    #[command(flatten)]
    place: Place,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Overwrite what has changed since
    #[arg(long)]
    force: bool,
    /// Where to write [default: the server that runs on the data directory]
    #[arg(short = 's', long, value_name = "HOSTS")]
    server: Option<ConnectString>,
    /// Who you are: a scheme and what it takes, digest:user:password say; repeatable
    #[arg(long, value_name = "SCHEME:AUTH", value_parser = parse_auth)]
    auth: Vec<Credential>,
    /// How long to try to connect, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
    /// Speak TLS, and trust these authorities, PEM
    #[arg(long, value_name = "FILE", requires = "server")]
    tls_ca: Option<PathBuf>,
    /// The certificate to show a server that asks for one, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", requires = "tls_ca")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM, not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// A time, milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Since(i64);

fn parse_path(text: &str) -> Result<String, String> {
    let is_path = zoowarden::proto::path::validate(text).is_ok();
    match is_path {
        true => Ok(text.to_owned()),
        false => Err("expected a path such as /app/config".to_owned()),
    }
}

fn parse_target(text: &str) -> Result<(String, Zxid), String> {
    let parts = text.rsplit_once('@');
    let parsed = parts.and_then(|(path, zxid)| Some((path, json::read_zxid(zxid)?)));
    let (path, zxid) = parsed.ok_or("expected PATH@ZXID, as in /app/config@0x100000007")?;
    Ok((parse_path(path)?, zxid))
}

fn parse_since(text: &str) -> Result<Since, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Since(time.as_millisecond()));
    }
    let units = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    let ago = units.iter().find_map(|(suffix, ms)| {
        let count = text.strip_suffix(suffix)?.parse::<i64>().ok()?;
        count.checked_mul(*ms).filter(|ms| *ms >= 0)
    });
    let ago = ago.ok_or("expected a time with its zone, 2026-11-22T17:00:00Z, or 30m, 2h, 7d")?;
    let since = Timestamp::now().checked_sub(SignedDuration::from_millis(ago));
    let since = since.map_err(|_| "that is before all times".to_owned())?;
    Ok(Since(since.as_millisecond()))
}

/// Shows the history.
pub(crate) fn show(options: &HistoryOptions) -> ExitCode {
    let question = Question::Changes(Query {
        path: options.path.clone(),
        is_recursive: options.recursive,
        since_ms: options.since.map_or(i64::MIN, |since| since.0),
        limit: options.limit as usize,
    });
    let asked = options.place.data_dir();
    let asked = asked.and_then(|data_dir| source::ask(&data_dir, &question));
    let content = match asked {
        Ok(Answer { content, .. }) => content,
        Err(what) => return crate::fail(FAILED, &what),
    };
    say(&match options.json {
        true => content.to_string(),
        false => show::table(&content, options.limit as usize),
    });
    ExitCode::SUCCESS
}

/// Puts back what was there.
pub(crate) fn restore(options: &RestoreOptions) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(restore_with(options)),
        Err(error) => Err(format!("cannot start: {error}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => crate::fail(FAILED, &what),
    }
}

async fn restore_with(options: &RestoreOptions) -> Result<(), String> {
    let (path, zxid) = options.target.clone();
    let question = Question::Past {
        path: path.clone(),
        zxid,
    };
    let answer = source::ask(&options.place.data_dir()?, &question)?;
    warn_of_gaps(&answer, zxid);
    let client = restore::connect(options.client_config(&answer)?).await?;
    let done = carry_out(options, &client, &answer, &path, zxid).await;
    client.close().await;
    done
}

async fn carry_out(
    options: &RestoreOptions,
    client: &zoowarden::Client,
    answer: &Answer,
    path: &str,
    zxid: Zxid,
) -> Result<(), String> {
    let plan = Plan::make(client, &answer.content, zxid, options.force).await?;
    let refusals = plan.refusals();
    if !refusals.is_empty() {
        let why = refusals.join("\n  ");
        return Err(format!("nothing was changed:\n  {why}"));
    }
    if plan.is_idle() {
        plan.lines().iter().for_each(|line| say(line));
        let before = Zxid(zxid.0 - 1);
        say(&format!(
            "Nothing to restore: {path} has not changed since {zxid}. If that is the change to \
             be undone, restore the one before it: {path}@{before}"
        ));
        return Ok(());
    }
    plan.cautions().iter().for_each(|line| warn(line));
    if options.dry_run {
        plan.lines().iter().for_each(|line| say(line));
        return Ok(());
    }
    plan.run(client, say).await
}

/// What is missing from the history may be missing from what is put back.
fn warn_of_gaps(answer: &Answer, zxid: Zxid) {
    let empty = Vec::new();
    for gap in answer.content["gaps"].as_array().unwrap_or(&empty) {
        warn(&show::gap_line(gap));
    }
    let begins = answer.content["begins"]["zxid"].as_str();
    let begins = begins.and_then(json::read_zxid);
    if begins.is_none_or(|begins| begins.0 > zxid.0 + 1) {
        warn(&match begins {
            Some(begins) => format!("-- the history begins at {begins} only"),
            None => "-- the history is empty".to_owned(),
        });
    }
}

impl RestoreOptions {
    fn client_config(&self, answer: &Answer) -> Result<ClientConfig, String> {
        let hosts = match (&self.server, &answer.client_address) {
            (Some(hosts), _) => hosts.clone(),
            (None, Some(address)) => address
                .parse()
                .map_err(|_| format!("{address} is no place to connect to: -s HOSTS names one"))?,
            (None, None) => {
                let what = "no server runs on the data directory: -s HOSTS names one to write to";
                return Err(what.to_owned());
            }
        };
        let (auth, sasl) = Credential::divide(&self.auth);
        let tls = match &self.tls_ca {
            None => None,
            Some(ca) => {
                let identity = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
                let read = TlsOptions::from_files(Some(ca), identity).and_then(TlsConfig::new);
                Some(read.map_err(|error| error.to_string())?)
            }
        };
        Ok(ClientConfig {
            session_timeout_ms: self.timeout,
            auth,
            sasl,
            tls,
            on_expiry: OnExpiry::End,
            ..ClientConfig::new(hosts)
        })
    }
}

fn say(line: &str) {
    // A reader that has gone cannot be told.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn warn(line: &str) {
    // As above.
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_path_and_a_zxid() {
        let target = parse_target("/a@b/c@0x10");
        assert_eq!(target, Ok(("/a@b/c".to_owned(), Zxid(16))));
        for wrong in ["/a", "/a@", "a@1", "/a@0xg", "@1"] {
            assert!(parse_target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        let time = parse_since("1970-01-01T00:00:01Z");
        assert_eq!(time, Ok(Since(1000)));
        let now = Timestamp::now().as_millisecond();
        let Since(hour) = parse_since("1h").unwrap();
        assert!((3_500_000..3_700_000).contains(&(now - hour)), "{hour}");
        for wrong in ["", "h", "-1h", "1w", "yesterday", "99999999999999999d"] {
            assert!(parse_since(wrong).is_err(), "{wrong}");
        }
    }
}
