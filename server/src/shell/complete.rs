//! Completion: of commands, their flags, and the paths of znodes.
//!
//! The children of one znode are asked for while a person waits, so there is a limit to the waiting;
//! after it, nothing is offered.

use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use tokio::runtime::Handle;
use zoowarden::client::Client;

use super::line::{self, Word};
use super::output::{harmless, is_harmful};
use super::table::{self, Command};
use super::{requests, walk};

/// How long a person waits for children.
const WAIT_MAX: Duration = Duration::from_millis(700);

/// More children than this are not offered at once.
const OFFERED_MAX: usize = 1000;

/// What the prompt knows of the shell to complete a line.
pub(crate) struct Completion {
    runtime: Handle,
    client: Option<Client>,
}

impl Completion {
    /// Completes with the children that `client` sees.
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            client: None,
        }
    }

    /// The client may have changed.
    pub(crate) fn set_client(&mut self, client: Option<Client>) {
        self.client = client;
    }

    fn children(&self, parent: &str) -> Vec<String> {
        let Some(client) = self
            .client
            .as_ref()
            .filter(|client| client.state().is_connected())
        else {
            return Vec::new();
        };
        // The timer is made within the runtime, which alone has a clock.
        let asked =
            async { tokio::time::timeout(WAIT_MAX, requests::children(client, parent)).await };
        match self.runtime.block_on(asked) {
            Ok(Ok((names, _))) => names,
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }
}

/// What can stand where the cursor is: texts that replace the last word, and where that begins.
fn offers(typed: &str, children: impl Fn(&str) -> Vec<String>) -> (usize, Vec<String>) {
    let (words, begin) = line::unfinished(typed);
    let (last, before) = words.split_last().expect("there is always a last word");
    let Some((name, between)) = before.split_first() else {
        return (begin, commands(&last.text));
    };
    let Some(command) = table::find(&name.text) else {
        return (begin, Vec::new());
    };
    let offers = if last.text.starts_with('-') && !last.quoted {
        flags(command, &last.text)
    } else if command.name == "help" {
        commands(&last.text)
    } else if last.text.starts_with('/') && operands_before(between) < command.paths {
        paths(last, children)
    } else {
        Vec::new()
    };
    (begin, offers)
}

fn commands(begun: &str) -> Vec<String> {
    let begun = begun.to_ascii_lowercase();
    let fits = |name: &&str| name.to_ascii_lowercase().starts_with(&begun);
    let names = table::COMMANDS
        .iter()
        .map(|command| command.name)
        .filter(fits);
    names.map(|name| format!("{name} ")).collect()
}

fn flags(command: &Command, begun: &str) -> Vec<String> {
    let shorts = command
        .flags
        .iter()
        .filter_map(|flag| flag.short.map(|short| format!("-{short} ")));
    let longs = command.flags.iter().map(|flag| format!("--{} ", flag.long));
    shorts
        .chain(longs)
        .filter(|flag| flag.starts_with(begun))
        .collect()
}

/// Operands already typed. Each flag is taken to have a value, so that too much is offered rather
/// than too little.
fn operands_before(words: &[Word]) -> usize {
    let is_flag = |word: &&Word| !word.quoted && word.text.starts_with('-');
    let flags = words.iter().filter(is_flag).count();
    (words.len() - flags).saturating_sub(flags)
}

/// The children that fit. A name that a terminal should not see, or that no quote can hold within
/// this word, is left out.
fn paths(last: &Word, children: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let (parent, begun) = match last.text.rsplit_once('/') {
        Some(("", begun)) => ("/", begun),
        Some((parent, begun)) => (parent, begun),
        None => return Vec::new(),
    };
    let typeable = |name: &&String| {
        let is_safe = !name.chars().any(|c| is_harmful(c) || c == '"' || c == '\'');
        is_safe && (last.quoted || !name.contains(char::is_whitespace))
    };
    let names = children(parent);
    let fits = names
        .iter()
        .filter(|name| name.starts_with(begun))
        .filter(typeable);
    fits.take(OFFERED_MAX)
        .map(|name| walk::join(parent, name))
        .collect()
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (begin, offers) = offers(&line[..cursor], |parent| self.children(parent));
        let pair = |offer: String| Pair {
            display: harmless(offer.trim_end().rsplit('/').next().unwrap_or(&offer)),
            replacement: offer,
        };
        Ok((begin, offers.into_iter().map(pair).collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(typed: &str) -> (usize, Vec<String>) {
        offers(typed, |parent| {
            let names: &[&str] = match parent {
                "/" => &["app", "apple", "b c", "evil\u{1b}", "zookeeper"],
                "/app" => &["config"],
                _ => &[],
            };
            names.iter().map(|name| (*name).to_owned()).collect()
        })
    }

    #[test]
    fn no_more_is_offered_than_a_person_can_read() {
        let many = |_: &str| (0..OFFERED_MAX + 5).map(|n| format!("n{n}")).collect();
        assert_eq!(offers("ls /", many).1.len(), OFFERED_MAX);
    }

    #[test]
    fn commands_flags_and_paths_are_completed_where_they_can_stand() {
        for (typed, begin, want) in [
            ("geta", 0, &["getAcl ", "getAllChildrenNumber "][..]),
            ("ls /a", 3, &["/app", "/apple"]),
            ("ls -s /app/", 6, &["/app/config"]),
            ("ls /zoo", 3, &["/zookeeper"]),
            ("cp /app /a", 8, &["/app", "/apple"]),
            ("get \"/b", 5, &["/b c"]),
            ("get /b", 4, &[]),
            ("get /e", 4, &[]),
            ("set /app /a", 9, &[]),
            ("ls --", 3, &["--stat ", "--watch ", "--recursive "]),
            ("help cr", 5, &["create "]),
            ("nothing /", 8, &[]),
        ] {
            assert_eq!(
                offered(typed),
                (begin, want.iter().map(|it| (*it).to_owned()).collect()),
                "{typed}"
            );
        }
    }
}
