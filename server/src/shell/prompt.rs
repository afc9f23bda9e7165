//! The prompt: line editing, history, completion, and events above what is being typed.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor, ExternalPrinter};
use tokio::runtime::Runtime;

use super::complete::Completion;
use super::failure::FAILED;
use super::{Shell, line};

/// Names the file that keeps what was typed; empty keeps nothing.
const HISTORY_VARIABLE: &str = "ZOOWARDEN_HISTORY";

/// Kept in the home directory unless the variable names another file.
const HISTORY_FILE: &str = ".zoowarden_history";

/// Lines kept.
const HISTORY_LINES_MAX: usize = 2000;

/// How long the first prompt waits for a connection.
const PATIENCE: Duration = Duration::from_millis(500);

/// Reads and runs lines until the end; answers the exit code.
pub(crate) fn run(shell: &mut Shell, runtime: &Runtime) -> u8 {
    let mut editor = match editor(runtime) {
        Ok(editor) => editor,
        Err(error) => {
            shell
                .output
                .message(&format!("the terminal cannot be used: {error}"));
            return FAILED;
        }
    };
    greet(shell, runtime);
    if let Ok(mut printer) = editor.create_external_printer() {
        shell.events.print_above(Box::new(move |text| {
            // The prompt may be ending just now.
            let _ = printer.print(text);
        }));
    }
    let file = history_file();
    if let Some(file) = &file {
        // There is none before the first time.
        let _ = editor.load_history(file);
    }
    while !shell.quits {
        if let Some(helper) = editor.helper_mut() {
            helper.set_client(shell.link.peek().cloned());
        }
        match editor.readline(&prompt(shell)) {
            Ok(typed) => {
                remember(&mut editor, &typed);
                let outcome = runtime.block_on(shell.run_line(&typed));
                shell.told(outcome);
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                shell
                    .output
                    .message(&format!("the terminal cannot be read: {error}"));
                return FAILED;
            }
        }
    }
    if let Some(file) = &file {
        keep(&mut editor, file);
    }
    0
}

fn editor(runtime: &Runtime) -> rustyline::Result<Editor<Completion, FileHistory>> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .max_history_size(HISTORY_LINES_MAX)?
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Completion::new(runtime.handle().clone())));
    Ok(editor)
}

fn greet(shell: &mut Shell, runtime: &Runtime) {
    let version = env!("CARGO_PKG_VERSION");
    let hosts = shell.link.hosts();
    let help = "help lists the commands, Tab completes, Ctrl-D ends";
    shell.output.message(&format!(
        "zoowarden {version}, connecting to {hosts}; {help}"
    ));
    runtime.block_on(async {
        let client = shell.link.open();
        // A server that takes longer is waited for by the first command.
        let _ = tokio::time::timeout(PATIENCE, client.connected()).await;
    });
}

fn prompt(shell: &Shell) -> String {
    let (hosts, state) = (shell.link.hosts(), shell.link.state());
    format!("[zk: {hosts}({state}) {}] ", shell.history.len())
}

/// Secrets are not kept.
fn remember(editor: &mut Editor<Completion, FileHistory>, typed: &str) {
    let name = typed.split_whitespace().next().unwrap_or_default();
    if !line::is_empty(typed) && !name.eq_ignore_ascii_case("addauth") {
        // A line that cannot be remembered can still be run.
        let _ = editor.add_history_entry(typed);
    }
}

fn history_file() -> Option<PathBuf> {
    match std::env::var_os(HISTORY_VARIABLE) {
        Some(file) if file.is_empty() => None,
        Some(file) => Some(PathBuf::from(file)),
        None => std::env::var_os("HOME").map(|home| Path::new(&home).join(HISTORY_FILE)),
    }
}

fn keep(editor: &mut Editor<Completion, FileHistory>, file: &Path) {
    // A home that cannot be written to is no reason to complain at every end.
    let _ = editor.save_history(file);
    let _ = std::fs::set_permissions(file, Permissions::from_mode(0o600));
}
