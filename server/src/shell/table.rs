//! The commands: one table for dispatch, help and completion.
//!
//! A usage line begins as zkCli's where zkCli has the command.

use std::fmt::Write;
use std::pin::Pin;

use super::arguments::{Arguments, Flag, JSON, spelled};
use super::failure::Failure;
use super::flags::{
    ADD, ANY, BASE64_IN, BASE64_OUT, BATCH, BYTES, CHILDREN, CLIENT, CONTAINER, COUNT, DATA,
    DEL_BYTES, DEL_COUNT, DEL_HARD_BYTES, DEL_HARD_COUNT, DEPTH, EPHEMERAL, EPHEMERALS, EVENTS,
    FILE, FIXED, HARD_BYTES, HARD_COUNT, HEXDUMP, IGNORE_CASE, LIST, LOCAL, LONG, MEMBERS,
    MIN_BYTES, MODE, MV_EPHEMERALS, NAME, NO_ACL, ON_CONFLICT, PARENTS, PERSISTENT, PERSISTENT_R,
    RAW, RECURSIVE, REMOVE, SEQUENTIAL, STAT, TTL, TYPE, VERSION, WATCH,
};
use super::output::Output;
use super::{Shell, archive, control, quota, reads, search, transfer, watching, writes};

/// What a command does.
pub(crate) type Run = for<'a> fn(
    &'a mut Shell,
    &'a Arguments,
) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

/// A command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    /// The heading it stands under.
    pub(crate) group: &'static str,
    /// What stands behind the name.
    usage: &'static str,
    /// The fewest and the most operands.
    pub(crate) operands: (usize, usize),
    pub(crate) flags: &'static [Flag],
    /// So many of its first operands may be paths of znodes.
    pub(crate) paths: usize,
    pub(crate) summary: &'static str,
    examples: &'static [&'static str],
    pub(crate) run: Run,
}

impl Command {
    /// Name and arguments.
    pub(crate) fn usage_line(&self) -> String {
        format!("{} {}", self.name, self.usage)
            .trim_end()
            .to_owned()
    }

    /// Everything about it.
    pub(crate) fn help(&self) -> String {
        let mut help = format!("{}\n\n  {}\n", self.usage_line(), self.summary);
        if !self.aliases.is_empty() {
            help += &format!("  also called {}\n", self.aliases.join(", "));
        }
        help += "\n";
        for flag in self.flags.iter().chain([&JSON]) {
            let value = flag
                .value
                .map(|value| format!(" {value}"))
                .unwrap_or_default();
            let long = flag
                .short
                .map(|_| format!(", --{}", flag.long))
                .unwrap_or_default();
            let typed = format!("{}{long}{value}", spelled(flag));
            let _ = writeln!(help, "  {typed:<28} {}", flag.help);
        }
        help += "\nexamples:\n";
        for example in self.examples {
            let _ = writeln!(help, "  {example}");
        }
        help.trim_end().to_owned()
    }
}

/// The command of a name or an alias; capitals do not count.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    let is_it = |known: &str| known.eq_ignore_ascii_case(name);
    COMMANDS
        .iter()
        .find(|command| is_it(command.name) || command.aliases.iter().any(|alias| is_it(alias)))
}

/// All commands with what they do, by group.
pub(crate) fn overview() -> String {
    let mut text = String::new();
    let mut group = "";
    for command in COMMANDS {
        if command.group != group {
            group = command.group;
            let _ = writeln!(text, "{group}");
        }
        let _ = writeln!(text, "  {:<21} {}", command.name, command.summary);
    }
    text.trim_end().to_owned()
}

/// Says what old scripts should call a command today.
pub(crate) fn told_old_name(output: &Output, name: &str) {
    let (old, new) = match name {
        "rmr" => ("rmr path", "deleteall path"),
        "ls2" => ("ls2 path [watch]", "ls -s [-w] path"),
        _ => return,
    };
    output.message(&format!(
        "'{old}' has been deprecated. Please use '{new}' instead."
    ));
}

/// All commands, in the order of help.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        name: "ls",
        aliases: &[],
        group: "Look",
        usage: "[-s] [-w] [-R] path",
        operands: (0, 2),
        flags: &[STAT, WATCH, RECURSIVE],
        paths: 1,
        summary: "the children of a znode",
        examples: &["ls /", "ls -s /app", "ls -R /app"],
        run: |shell, arguments| Box::pin(reads::ls(shell, arguments)),
    },
    Command {
        name: "ls2",
        aliases: &[],
        group: "Look",
        usage: "path",
        operands: (0, 1),
        flags: &[],
        paths: 1,
        summary: "ls -s, as old scripts call it",
        examples: &["ls2 /app"],
        run: |shell, arguments| Box::pin(reads::ls2(shell, arguments)),
    },
    Command {
        name: "get",
        aliases: &[],
        group: "Look",
        usage: "[-s] [-w] [-b] [-x] [-r] path",
        operands: (1, 2),
        flags: &[STAT, WATCH, BASE64_OUT, HEXDUMP, RAW],
        paths: 1,
        summary: "the data of a znode",
        examples: &[
            "get /app/config",
            "get -s -w /app/config",
            "get -x /app/blob",
            "get -r /app/blob > blob",
        ],
        run: |shell, arguments| Box::pin(reads::get(shell, arguments)),
    },
    Command {
        name: "stat",
        aliases: &[],
        group: "Look",
        usage: "[-w] path",
        operands: (1, 2),
        flags: &[WATCH],
        paths: 1,
        summary: "what is known about a znode",
        examples: &["stat /app"],
        run: |shell, arguments| Box::pin(reads::stat(shell, arguments)),
    },
    Command {
        name: "tree",
        aliases: &[],
        group: "Look",
        usage: "[-d depth] [-l] [path]",
        operands: (0, 1),
        flags: &[DEPTH, LONG],
        paths: 1,
        summary: "a subtree, drawn",
        examples: &["tree /", "tree -d 2 -l /app"],
        run: |shell, arguments| Box::pin(search::tree(shell, arguments)),
    },
    Command {
        name: "find",
        aliases: &[],
        group: "Look",
        usage: "[path] [-n glob] [-t e|p] [-m bytes] [-d depth]",
        operands: (0, 1),
        flags: &[NAME, TYPE, MIN_BYTES, DEPTH],
        paths: 1,
        summary: "znodes by name, kind and size",
        examples: &["find / -n 'lock-*'", "find /app -t e", "find / -m 100000"],
        run: |shell, arguments| Box::pin(search::find(shell, arguments)),
    },
    Command {
        name: "grep",
        aliases: &[],
        group: "Look",
        usage: "[-i] [-F] [-l] pattern [path]",
        operands: (1, 2),
        flags: &[IGNORE_CASE, FIXED, LIST],
        paths: 2,
        summary: "lines of data that match a regular expression",
        examples: &[
            "grep -i timeout /app",
            "grep -F 10.0.0.7: /",
            "grep -l . /app",
        ],
        run: |shell, arguments| Box::pin(search::grep(shell, arguments)),
    },
    Command {
        name: "getAcl",
        aliases: &[],
        group: "Look",
        usage: "[-s] path",
        operands: (1, 1),
        flags: &[STAT],
        paths: 1,
        summary: "who may do what with a znode",
        examples: &["getAcl /app"],
        run: |shell, arguments| Box::pin(reads::get_acl(shell, arguments)),
    },
    Command {
        name: "getEphemerals",
        aliases: &[],
        group: "Look",
        usage: "[path]",
        operands: (0, 1),
        flags: &[],
        paths: 1,
        summary: "the ephemerals of this session",
        examples: &["getEphemerals", "getEphemerals /app"],
        run: |shell, arguments| Box::pin(reads::ephemerals(shell, arguments)),
    },
    Command {
        name: "getAllChildrenNumber",
        aliases: &[],
        group: "Look",
        usage: "path",
        operands: (1, 1),
        flags: &[],
        paths: 1,
        summary: "how many znodes are below a znode, on all levels",
        examples: &["getAllChildrenNumber /app"],
        run: |shell, arguments| Box::pin(reads::count(shell, arguments)),
    },
    Command {
        name: "sync",
        aliases: &[],
        group: "Look",
        usage: "path",
        operands: (1, 1),
        flags: &[],
        paths: 1,
        summary: "bring this server up to date, so that the next read sees everything",
        examples: &["sync /"],
        run: |shell, arguments| Box::pin(reads::sync(shell, arguments)),
    },
    Command {
        name: "create",
        aliases: &[],
        group: "Change",
        usage: "[-s] [-e] [-c] [-t ttl] [-p] path [data] [acl]",
        operands: (1, 3),
        flags: &[SEQUENTIAL, EPHEMERAL, CONTAINER, TTL, PARENTS, BASE64_IN],
        paths: 1,
        summary: "make a znode",
        examples: &[
            "create /app 'hello world'",
            "create -e -s /app/member- 10.0.0.7",
            "create -p /app/a/b @file",
            "create -t 60000 /app/token x",
            "create /app/private x digest:joe:hash=:cdrwa",
        ],
        run: |shell, arguments| Box::pin(writes::create(shell, arguments)),
    },
    Command {
        name: "set",
        aliases: &[],
        group: "Change",
        usage: "[-s] [-v version] [-b] path data",
        operands: (2, 3),
        flags: &[STAT, VERSION, BASE64_IN],
        paths: 1,
        summary: "change the data of a znode",
        examples: &[
            "set /app/config 'a=1'",
            "set -v 3 /app/config @app.toml",
            "set -b /app/blob AAEC",
        ],
        run: |shell, arguments| Box::pin(writes::set(shell, arguments)),
    },
    Command {
        name: "delete",
        aliases: &[],
        group: "Change",
        usage: "[-v version] path",
        operands: (1, 2),
        flags: &[VERSION],
        paths: 1,
        summary: "delete a znode without children",
        examples: &["delete /app/old", "delete -v 3 /app/old"],
        run: |shell, arguments| Box::pin(writes::delete(shell, arguments)),
    },
    Command {
        name: "deleteall",
        aliases: &["rmr"],
        group: "Change",
        usage: "path [-b batch size]",
        operands: (1, 1),
        flags: &[BATCH],
        paths: 1,
        summary: "delete a znode and everything below it",
        examples: &["deleteall /app/old"],
        run: |shell, arguments| Box::pin(writes::delete_all(shell, arguments)),
    },
    Command {
        name: "setAcl",
        aliases: &[],
        group: "Change",
        usage: "[-s] [-v version] [-R] path acl",
        operands: (2, 2),
        flags: &[STAT, VERSION, RECURSIVE],
        paths: 1,
        summary: "say who may do what with a znode",
        examples: &[
            "setAcl /app world:anyone:r,auth::cdrwa",
            "setAcl -R /app world:anyone:cdrwa",
        ],
        run: |shell, arguments| Box::pin(writes::set_acl(shell, arguments)),
    },
    Command {
        name: "cp",
        aliases: &[],
        group: "Change",
        usage: "[-R] [-p] [--on-conflict policy] [--ephemerals policy] from to",
        operands: (2, 2),
        flags: &[RECURSIVE, PARENTS, ON_CONFLICT, EPHEMERALS],
        paths: 2,
        summary: "copy a znode, or a subtree, with data and ACLs",
        examples: &[
            "cp /app/config /app/config.old",
            "cp -R /app /copy --on-conflict skip",
        ],
        run: |shell, arguments| Box::pin(transfer::cp(shell, arguments)),
    },
    Command {
        name: "mv",
        aliases: &[],
        group: "Change",
        usage: "[-p] [--ephemerals policy] from to",
        operands: (2, 2),
        flags: &[PARENTS, MV_EPHEMERALS],
        paths: 2,
        summary: "move a subtree, in one multi if it fits (about 900 kB)",
        examples: &["mv /app/old /app/new"],
        run: |shell, arguments| Box::pin(transfer::mv(shell, arguments)),
    },
    Command {
        name: "export",
        aliases: &[],
        group: "Change",
        usage: "path [file]",
        operands: (1, 2),
        flags: &[],
        paths: 1,
        summary: "a subtree as JSON, to a file or to stdout",
        examples: &["export /app app.json", "export /app | gzip > app.json.gz"],
        run: |shell, arguments| Box::pin(archive::export(shell, arguments)),
    },
    Command {
        name: "import",
        aliases: &[],
        group: "Change",
        usage: "[-p] [--on-conflict policy] [--ephemerals policy] [--no-acl] file [path]",
        operands: (1, 2),
        flags: &[PARENTS, ON_CONFLICT, EPHEMERALS, NO_ACL],
        paths: 2,
        summary: "a subtree from JSON, to where it was or elsewhere; - is stdin",
        examples: &[
            "import app.json",
            "import app.json /copy --on-conflict overwrite",
        ],
        run: |shell, arguments| Box::pin(archive::import(shell, arguments)),
    },
    Command {
        name: "listquota",
        aliases: &[],
        group: "Quota",
        usage: "path",
        operands: (1, 1),
        flags: &[],
        paths: 1,
        summary: "the limits of a subtree, and what is used of them",
        examples: &["listquota /app"],
        run: |shell, arguments| Box::pin(quota::list(shell, arguments)),
    },
    Command {
        name: "setquota",
        aliases: &[],
        group: "Quota",
        usage: "-n|-b|-N|-B val path",
        operands: (1, 1),
        flags: &[COUNT, BYTES, HARD_COUNT, HARD_BYTES],
        paths: 1,
        summary: "limit the znodes and the bytes of a subtree",
        examples: &["setquota -n 1000 /app", "setquota -N 1000 -B 10000000 /app"],
        run: |shell, arguments| Box::pin(quota::set(shell, arguments)),
    },
    Command {
        name: "delquota",
        aliases: &[],
        group: "Quota",
        usage: "[-n|-b|-N|-B] path",
        operands: (1, 1),
        flags: &[DEL_COUNT, DEL_BYTES, DEL_HARD_COUNT, DEL_HARD_BYTES],
        paths: 1,
        summary: "take a limit back, or all of them",
        examples: &["delquota /app", "delquota -N /app"],
        run: |shell, arguments| Box::pin(quota::delete(shell, arguments)),
    },
    Command {
        name: "watch",
        aliases: &[],
        group: "Watch",
        usage: "[-m mode] [-c events] path",
        operands: (1, 1),
        flags: &[MODE, EVENTS],
        paths: 1,
        summary: "events as they come, one per line, until Ctrl-C",
        examples: &[
            "watch /app",
            "watch -m PERSISTENT -c 1 /app",
            "--json watch /app",
        ],
        run: |shell, arguments| Box::pin(watching::watch(shell, arguments)),
    },
    Command {
        name: "addWatch",
        aliases: &[],
        group: "Watch",
        usage: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE",
        operands: (1, 1),
        flags: &[MODE],
        paths: 1,
        summary: "report every change of a znode, in the background",
        examples: &["addWatch /app"],
        run: |shell, arguments| Box::pin(watching::add(shell, arguments)),
    },
    Command {
        name: "removewatches",
        aliases: &[],
        group: "Watch",
        usage: "path [-c|-d|-p|-r|-a] [-l]",
        operands: (1, 1),
        flags: &[CHILDREN, DATA, PERSISTENT, PERSISTENT_R, ANY, LOCAL],
        paths: 1,
        summary: "end the watches of a znode",
        examples: &["removewatches /app"],
        run: |shell, arguments| Box::pin(watching::remove(shell, arguments)),
    },
    Command {
        name: "printwatches",
        aliases: &[],
        group: "Watch",
        usage: "on|off",
        operands: (0, 1),
        flags: &[],
        paths: 0,
        summary: "whether events are printed",
        examples: &["printwatches off"],
        run: |shell, arguments| Box::pin(watching::print(shell, arguments)),
    },
    Command {
        name: "addauth",
        aliases: &[],
        group: "Session",
        usage: "scheme auth",
        operands: (1, 2),
        flags: &[],
        paths: 0,
        summary: "show who you are",
        examples: &["addauth digest joe:secret"],
        run: |shell, arguments| Box::pin(control::add_auth(shell, arguments)),
    },
    Command {
        name: "whoami",
        aliases: &[],
        group: "Session",
        usage: "",
        operands: (0, 0),
        flags: &[],
        paths: 0,
        summary: "who the server takes you for",
        examples: &["whoami"],
        run: |shell, arguments| Box::pin(control::who_am_i(shell, arguments)),
    },
    Command {
        name: "connect",
        aliases: &[],
        group: "Session",
        usage: "[host:port,host:port/path]",
        operands: (0, 1),
        flags: &[],
        paths: 0,
        summary: "begin a new session, here or elsewhere",
        examples: &["connect", "connect zk1:2181,zk2:2181/app"],
        run: |shell, arguments| Box::pin(control::connect(shell, arguments)),
    },
    Command {
        name: "close",
        aliases: &[],
        group: "Session",
        usage: "",
        operands: (0, 0),
        flags: &[],
        paths: 0,
        summary: "end the session; its ephemerals go",
        examples: &["close"],
        run: |shell, arguments| Box::pin(control::close(shell, arguments)),
    },
    Command {
        name: "quit",
        aliases: &["exit"],
        group: "Session",
        usage: "",
        operands: (0, 0),
        flags: &[],
        paths: 0,
        summary: "end the shell",
        examples: &["quit"],
        run: |shell, arguments| Box::pin(control::quit(shell, arguments)),
    },
    Command {
        name: "history",
        aliases: &[],
        group: "Session",
        usage: "",
        operands: (0, 0),
        flags: &[],
        paths: 0,
        summary: "the last commands, with numbers",
        examples: &["history"],
        run: |shell, arguments| Box::pin(control::history(shell, arguments)),
    },
    Command {
        name: "redo",
        aliases: &[],
        group: "Session",
        usage: "cmdno",
        operands: (1, 1),
        flags: &[],
        paths: 0,
        summary: "a command of history again",
        examples: &["redo 3"],
        run: |shell, arguments| Box::pin(control::redo(shell, arguments)),
    },
    Command {
        name: "help",
        aliases: &["?"],
        group: "Session",
        usage: "[command]",
        operands: (0, 1),
        flags: &[],
        paths: 0,
        summary: "this list, or everything about one command",
        examples: &["help", "help create"],
        run: |shell, arguments| Box::pin(control::help(shell, arguments)),
    },
    Command {
        name: "version",
        aliases: &[],
        group: "Session",
        usage: "",
        operands: (0, 0),
        flags: &[],
        paths: 0,
        summary: "the version of this shell",
        examples: &["version"],
        run: |shell, arguments| Box::pin(control::version(shell, arguments)),
    },
    Command {
        name: "config",
        aliases: &[],
        group: "Ensemble",
        usage: "[-c] [-w] [-s]",
        operands: (0, 0),
        flags: &[CLIENT, WATCH, STAT],
        paths: 0,
        summary: "the servers of the ensemble",
        examples: &["config", "config -c"],
        run: |shell, arguments| Box::pin(control::config(shell, arguments)),
    },
    Command {
        name: "reconfig",
        aliases: &[],
        group: "Ensemble",
        usage: "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        operands: (0, 0),
        flags: &[STAT, VERSION, FILE, MEMBERS, ADD, REMOVE],
        paths: 0,
        summary: "change the servers of the ensemble, where it allows that",
        examples: &[
            "reconfig -remove 3",
            "reconfig -add server.4=zk4:2888:3888;2181",
        ],
        run: |shell, arguments| Box::pin(control::reconfig(shell, arguments)),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::line;
    use super::*;

    #[test]
    fn names_are_unique_and_found_whatever_their_capitals() {
        let mut seen = HashSet::new();
        for command in COMMANDS {
            for name in command.aliases.iter().chain([&command.name]) {
                assert!(seen.insert(name.to_lowercase()), "{name} twice");
                assert_eq!(
                    find(&name.to_uppercase()).map(|it| it.name),
                    Some(command.name)
                );
            }
        }
        assert!(find("nothing").is_none());
    }

    #[test]
    fn no_two_flags_of_a_command_are_typed_alike() {
        for command in COMMANDS {
            let (mut shorts, mut longs) = (HashSet::new(), HashSet::new());
            for flag in command.flags {
                assert!(
                    flag.short.is_none_or(|it| shorts.insert(it)),
                    "{} {flag:?}",
                    command.name
                );
                assert!(longs.insert(flag.long), "{} {flag:?}", command.name);
            }
        }
    }

    #[test]
    fn every_flag_of_a_usage_line_is_known_and_every_example_parses() {
        for command in COMMANDS {
            let usage = command.usage_line();
            for word in usage.split(|c: char| !c.is_alphanumeric() && c != '-') {
                let known = |flag: &Flag| {
                    format!("--{}", flag.long) == word
                        || format!("-{}", flag.long) == word
                        || flag.short.is_some_and(|short| format!("-{short}") == word)
                };
                let is_flag = word.len() > 1 && word.starts_with('-');
                assert!(
                    !is_flag || command.flags.iter().any(known),
                    "{usage}: {word}"
                );
            }
            for example in command.examples {
                let example = example.trim_start_matches("--json ");
                let example = example.split(['>', '|']).next().unwrap_or_default();
                let words = line::split(example).unwrap();
                assert_eq!(
                    find(&words[0].text).map(|it| it.name),
                    Some(command.name),
                    "{example}"
                );
                let parsed = Arguments::parse(&words[1..], command.flags).expect(example);
                let (least, most) = command.operands;
                assert!(
                    (least..=most).contains(&parsed.operands().len()),
                    "{example}"
                );
            }
        }
    }

    #[test]
    fn help_names_every_flag_with_its_value_and_an_example() {
        let help = find("create").unwrap().help();
        for part in [
            "create [-s] [-e]",
            "-t, --ttl ms",
            "--json",
            "examples:",
            "create -p",
        ] {
            assert!(help.contains(part), "no {part} in:\n{help}");
        }
        assert!(COMMANDS.iter().all(|command| !command.examples.is_empty()));
        assert!(overview().lines().count() > COMMANDS.len());
    }
}
