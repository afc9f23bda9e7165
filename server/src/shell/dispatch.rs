//! From a line to a command that runs, and from its failure to what is said.

use zoowarden::proto::path;

use super::Shell;
use super::arguments::Arguments;
use super::failure::{Failure, hint};
use super::line::{self, Word};
use super::nearest::nearest;
use super::table::{self, Command};
use super::{Source, walk};

impl Shell {
    /// Runs a typed line; an empty one and a comment do nothing.
    pub(crate) async fn run_line(&mut self, typed: &str) -> Result<(), Failure> {
        if line::is_empty(typed) {
            return Ok(());
        }
        self.history.push(typed.trim().to_owned());
        let words = line::split(typed).map_err(|open| Failure::Usage(open.to_string()))?;
        self.run_words(&words).await
    }

    /// Runs a command with its arguments.
    pub(crate) async fn run_words(&mut self, words: &[Word]) -> Result<(), Failure> {
        let Some((name, rest)) = words.split_first() else {
            return Ok(());
        };
        let command = table::find(&name.text).ok_or_else(|| unknown(&name.text))?;
        let arguments =
            Arguments::parse(rest, command.flags).map_err(|what| misused(command, &what))?;
        let (least, most) = command.operands;
        let given = arguments.operands().len();
        if given < least {
            return Err(misused(command, "an argument is missing"));
        }
        if given > most {
            let what = format!(
                "{} is one argument too many; quotes join words",
                rest_of(&arguments, most)
            );
            return Err(misused(command, &what));
        }
        self.json = self.json_always || arguments.has("json");
        table::told_old_name(&self.output, &name.text);
        self.streams = false;
        let outcome = tokio::select! {
            // Listening begins before the command says anything.
            biased;
            // Where nobody can listen for Ctrl-C it ends the process, as it does everywhere.
            Ok(()) = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
            outcome = (command.run)(self, &arguments) => outcome,
        };
        let outcome = match outcome {
            Err(Failure::Interrupted) if self.streams => Ok(()),
            outcome => outcome,
        };
        let outcome = outcome.map_err(|failure| match failure {
            Failure::Usage(what) => misused(command, &what),
            other => other,
        });
        outcome.and(self.output.flush())
    }

    /// Says what went wrong, and answers the exit code.
    pub(crate) fn told(&self, outcome: Result<(), Failure>) -> u8 {
        let Err(failure) = outcome else {
            return 0;
        };
        match &failure {
            Failure::ClosedOutput => {}
            failure if self.json => self.output.message(&failure.json().to_string()),
            failure => {
                self.output.message(&failure.text());
                if self.source == Source::Prompt
                    && let Some(hint) = hint(failure)
                {
                    self.output.message(&format!("  {hint}"));
                }
            }
        }
        failure.exit_code()
    }
}

fn rest_of(arguments: &Arguments, most: usize) -> &str {
    arguments.operand(most).unwrap_or_default()
}

fn unknown(name: &str) -> Failure {
    let names = table::COMMANDS.iter().map(|command| command.name);
    let hint = match nearest(name, names) {
        Some(name) => format!("did you mean {name}?"),
        None => "help lists the commands".to_owned(),
    };
    Failure::Usage(format!("Command not found: {name}; {hint}"))
}

fn misused(command: &Command, what: &str) -> Failure {
    let usage = command.usage_line();
    Failure::Usage(format!("{}: {what}\nusage: {usage}", command.name))
}

/// The path operand of a command that changes something. A slash at the end is refused: more often
/// than not it is `/app/$JOB` with nothing in `JOB`, and what is above it is not what was meant.
pub(crate) fn exact_path_operand(arguments: &Arguments, at: usize) -> Result<&str, Failure> {
    checked(arguments.operand(at).unwrap_or_default())
}

/// The path operand of a command that only looks. A slash at the end does not count.
pub(crate) fn path_operand(arguments: &Arguments, at: usize) -> Result<&str, Failure> {
    let typed = arguments.operand(at).unwrap_or("/");
    let path = match typed.trim_end_matches('/') {
        "" if typed.starts_with('/') => "/",
        path => path,
    };
    checked(path)
}

/// A path that obeys ZooKeeper's rules.
pub(crate) fn checked(path: &str) -> Result<&str, Failure> {
    match path::validate(path) {
        Ok(()) => Ok(path),
        Err(path::PathError::NotAbsolute) => Err(Failure::Usage(format!(
            "{path}: path does not start with /; did you mean {}?",
            walk::join("/", path)
        ))),
        Err(error) => Err(Failure::Usage(format!("{path}: {error}"))),
    }
}
