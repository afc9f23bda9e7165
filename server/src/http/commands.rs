//! The commands: their names, how they are asked, what they need.

use hyper::StatusCode;
use zoowarden::history::{CHANGES_MAX, Query};
use zoowarden::server::Observer;

use super::json::{Fields, field};
use super::shapes;

/// The one command whose answer is no JSON.
pub(crate) const SNAPSHOT: &str = "snapshot";

/// The one command whose body is as long as all data.
pub(crate) const RESTORE: &str = "restore";

/// The one command that ZooKeeper does not have: who changed a znode.
pub(crate) const HISTORY: &str = "history";

/// What came with a request.
pub(crate) struct Asked<'a> {
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
}

/// Why a command has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) what: String,
}

impl Failure {
    fn new(status: StatusCode, what: impl Into<String>) -> Failure {
        let what = what.into();
        Failure { status, what }
    }

    /// As ZooKeeper says it, with a status of success.
    pub(crate) fn told(what: &str) -> Failure {
        Failure::new(StatusCode::OK, what)
    }

    pub(crate) fn unknown(name: &str) -> Failure {
        Failure::told(&format!("Unknown command: {name}"))
    }

    pub(crate) fn not_serving() -> Failure {
        Failure::told("This ZooKeeper instance is not currently serving requests")
    }

    pub(crate) fn bad_request(what: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, what)
    }

    pub(crate) fn unauthorized(what: &str) -> Failure {
        Failure::new(StatusCode::UNAUTHORIZED, what)
    }

    pub(crate) fn forbidden(what: &str) -> Failure {
        Failure::new(StatusCode::FORBIDDEN, what)
    }

    pub(crate) fn unavailable(what: &str) -> Failure {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, what)
    }

    pub(crate) fn too_many(what: String) -> Failure {
        Failure::new(StatusCode::TOO_MANY_REQUESTS, what)
    }

    pub(crate) fn broken(what: String) -> Failure {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    }
}

/// How a command is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
}

impl Verb {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

/// What a command does.
type Run = fn(&Observer, &Asked<'_>) -> Result<Fields, Failure>;

/// One command.
pub(crate) struct Command {
    /// Its name in every answer.
    pub(crate) name: &'static str,
    aliases: &'static [&'static str],
    pub(crate) verb: Verb,
    /// Whether it is refused while clients are not served.
    pub(crate) needs_server: bool,
    /// Whether who asks must be allowed to do everything with the root.
    pub(crate) needs_auth: bool,
    pub(crate) run: Run,
}

const fn get(name: &'static str, aliases: &'static [&'static str], run: Run) -> Command {
    Command {
        name,
        aliases,
        verb: Verb::Get,
        needs_server: true,
        needs_auth: false,
        run,
    }
}

/// A command that is answered by a server that does not serve, too.
const fn always(name: &'static str, aliases: &'static [&'static str], run: Run) -> Command {
    Command {
        needs_server: false,
        ..get(name, aliases, run)
    }
}

/// A command that only somebody with all permissions may use.
const fn guarded(
    verb: Verb,
    name: &'static str,
    aliases: &'static [&'static str],
    run: Run,
) -> Command {
    Command {
        verb,
        needs_auth: true,
        ..get(name, aliases, run)
    }
}

/// Every command, in the order of the alphabet.
static COMMANDS: [Command; 30] = [
    get("configuration", &["conf", "config"], |o, _| {
        Ok(shapes::configuration(o))
    }),
    get("connection_stat_reset", &["crst"], |o, _| {
        o.reset_connections();
        Ok(Fields::new())
    }),
    get("connections", &["cons"], |o, _| Ok(shapes::connections(o))),
    get("dirs", &[], |o, _| Ok(shapes::dirs(o))),
    get("dump", &[], |o, _| Ok(shapes::dump(o))),
    always("environment", &["env", "envi"], |o, _| {
        Ok(shapes::environment(o))
    }),
    always("get_trace_mask", &["gtmk"], |o, _| {
        Ok(vec![field("tracemask", o.trace_mask())])
    }),
    get("hash", &[], |o, _| Ok(shapes::hash(o))),
    guarded(Verb::Get, HISTORY, &[], |_, _| Ok(Fields::new())),
    get("initial_configuration", &["icfg"], |o, _| {
        let text = o.config().initial_configuration.clone();
        Ok(vec![field("initial_configuration", text)])
    }),
    get("is_read_only", &["isro"], |o, _| {
        Ok(vec![field("read_only", shapes::is_read_only(o))])
    }),
    get("last_snapshot", &["lsnp"], |o, _| {
        Ok(shapes::last_snapshot(o))
    }),
    get("leader", &["lead"], |o, _| {
        let told = shapes::leader(o);
        told.ok_or_else(|| Failure::told("server is not initialized"))
    }),
    always("monitor", &["mntr"], |o, _| Ok(shapes::monitor(o))),
    get("observer_connection_stat_reset", &["orst"], |_, _| {
        // Nothing is counted of them.
        Ok(Fields::new())
    }),
    get("observers", &["obsr"], |o, _| Ok(shapes::observers(o))),
    guarded(Verb::Post, RESTORE, &["rest"], |_, _| Ok(Fields::new())),
    always("ruok", &[], |_, _| Ok(Fields::new())),
    get("server_stats", &["srvr"], |o, _| {
        Ok(shapes::server_stats(o))
    }),
    always("set_trace_mask", &["stmk"], set_trace_mask),
    guarded(Verb::Post, "shed_connections", &["shed"], shed),
    guarded(Verb::Get, SNAPSHOT, &["snap"], |_, _| Ok(Fields::new())),
    get("stat_reset", &["srst"], |o, _| {
        o.reset_server();
        Ok(Fields::new())
    }),
    get("stats", &["stat"], |o, _| Ok(shapes::stats(o))),
    always("system_properties", &["sysp"], |o, _| {
        Ok(shapes::system_properties(o))
    }),
    get("voting_view", &[], |o, _| Ok(shapes::voting_view(o))),
    get("watch_summary", &["wchs"], |o, _| {
        Ok(shapes::watch_summary(o))
    }),
    get("watches", &["wchc"], |o, _| Ok(shapes::watches(o))),
    get("watches_by_path", &["wchp"], |o, _| {
        Ok(shapes::watches_by_path(o))
    }),
    always("zabstate", &[], |o, _| Ok(shapes::zabstate(o))),
];

/// The names of all commands, in the order of the alphabet.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

/// The command of a name or an alias.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS
        .iter()
        .find(|command| command.name == name || command.aliases.contains(&name))
}

/// The value of a parameter in a query. What is encoded in it stays so: see [`decoded`].
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    values.next().map(|(_, value)| value.to_owned())
}

/// A value of a query without its encoding; `None` if that is broken, or no text.
pub(crate) fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match first {
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                let digits = std::str::from_utf8(digits).ok()?;
                let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// What a query asks the history.
pub(crate) fn history_query(query: &str) -> Result<Query, Failure> {
    let text = |name: &str| match parameter(query, name) {
        None => Ok(None),
        Some(value) => decoded(&value).map(Some).ok_or_else(|| {
            Failure::bad_request(format!("{name} is not encoded as values in an address are"))
        }),
    };
    let path = text("path")?;
    let path = path.ok_or_else(|| Failure::bad_request("history requires path, like ?path=/a"))?;
    if let Err(error) = zoowarden::proto::path::validate(&path) {
        return Err(Failure::bad_request(format!("{path} is no path: {error}")));
    }
    let number = |name: &str| match text(name)? {
        None => Ok(None),
        Some(value) => value.parse::<i64>().map(Some).map_err(|_| {
            Failure::bad_request(format!("{name} is {value}, expected a whole number"))
        }),
    };
    let mut asked = Query::of(&path);
    asked.is_recursive = matches!(text("recursive")?.as_deref(), Some("true" | ""));
    if let Some(since_ms) = number("since_ms")? {
        asked.since_ms = since_ms;
    }
    if let Some(limit) = number("limit")? {
        let within = usize::try_from(limit).ok();
        let within = within.filter(|limit| (1..=CHANGES_MAX).contains(limit));
        asked.limit = within.ok_or_else(|| {
            Failure::bad_request(format!("limit is {limit}, expected 1 to {CHANGES_MAX}"))
        })?;
    }
    Ok(asked)
}

fn set_trace_mask(observer: &Observer, asked: &Asked<'_>) -> Result<Fields, Failure> {
    let needed = || Failure::told("setTraceMask requires long traceMask argument");
    let mask = parameter(asked.query, "traceMask").ok_or_else(needed)?;
    let mask = mask.parse::<i64>().map_err(|_| needed())?;
    observer.set_trace_mask(mask);
    Ok(vec![field("tracemask", observer.trace_mask())])
}

fn shed(observer: &Observer, asked: &Asked<'_>) -> Result<Fields, Failure> {
    let wanted = || {
        let what = "expected a body like {\"percentage\": 25}, a whole number from 0 to 100";
        Failure::bad_request(what)
    };
    let body: serde_json::Value = serde_json::from_slice(asked.body).map_err(|_| wanted())?;
    let percentage = body.get("percentage").and_then(serde_json::Value::as_u64);
    let percentage = percentage.and_then(|percentage| u8::try_from(percentage).ok());
    let percentage = percentage.filter(|percentage| *percentage <= 100);
    let percentage = percentage.ok_or_else(wanted)?;
    let shed = observer.shed_connections(percentage);
    Ok(vec![
        field("connections_shed", shed),
        field("percentage_requested", u32::from(percentage)),
    ])
}
