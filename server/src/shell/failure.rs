//! Why a command did not do what was asked, what is said about it, and the exit code.

use std::io;

use serde_json::{Value, json};
use zoowarden::client::Error;
use zoowarden::proto::Code;

/// The exit code of a command that could not do its work.
pub(crate) const FAILED: u8 = 1;
/// The exit code of a command that was not understood.
pub(crate) const MISUSED: u8 = 2;

/// The exit code after Ctrl-C, as every shell has it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The words make no command: what is wrong, and the usage.
    Usage(String),
    /// ZooKeeper, or the way to it, said no.
    ZooKeeper(Error),
    /// A change within a multi was refused, and so nothing of the multi was done.
    Refused { code: Code, path: String },
    /// Something else did not work: one line that says what, and to what.
    Other(String),
    /// Ctrl-C was pressed.
    Interrupted,
    /// The reader of our output has gone; there is nobody to tell.
    ClosedOutput,
}

impl Failure {
    /// What the process ends with in one-shot mode.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => MISUSED,
            Self::Interrupted => INTERRUPTED,
            Self::ZooKeeper(_) | Self::Refused { .. } | Self::Other(_) | Self::ClosedOutput => {
                FAILED
            }
        }
    }

    /// For people, and for scripts that know zkCli's words.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Usage(what) | Self::Other(what) => what.clone(),
            Self::ZooKeeper(error) => zookeeper_text(error),
            Self::Refused { code, path } => match zkcli_words(*code) {
                Some(said) => format!("{said}{path}"),
                None => format!("{path}: {code} ({})", code.name()),
            },
            Self::Interrupted => "interrupted; what was sent may still be done".to_owned(),
            Self::ClosedOutput => String::new(),
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let error = match self {
            Self::Usage(what) => json!({ "code": "Usage", "message": what }),
            Self::Other(what) => json!({ "code": "Failed", "message": what }),
            Self::Interrupted => json!({ "code": "Interrupted", "message": self.text() }),
            Self::ClosedOutput => json!({ "code": "ClosedOutput" }),
            Self::Refused { code, path } => json!({
                "code": code.name(),
                "number": code.number(),
                "operation": "multi",
                "path": path,
                "message": self.text(),
                "nothing_changed": true,
            }),
            Self::ZooKeeper(error) => json!({
                "code": error.code().name(),
                "number": error.code().number(),
                "operation": error.operation(),
                "path": error.path(),
                "message": error.to_string(),
                "nothing_changed": error.nothing_changed(),
            }),
        };
        json!({ "error": error })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::ZooKeeper(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedOutput,
            _ => Self::Other(format!("cannot write: {error}")),
        }
    }
}

/// zkCli's words where it has some, else what the client says.
fn zookeeper_text(error: &Error) -> String {
    match (zkcli_words(error.code()), error.path(), error.detail()) {
        _ if error.code() == Code::ReconfigDisabled => {
            "KeeperErrorCode = Reconfig is disabled".to_owned()
        }
        (Some(said), Some(path), None) => format!("{said}{path}"),
        (Some(said), Some(path), Some(detail)) => format!("{said}{path} ({detail})"),
        _ => error.to_string(),
    }
}

/// What zkCli says before the path.
fn zkcli_words(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::NoNode => "Node does not exist: ",
        Code::NodeExists => "Node already exists: ",
        Code::NotEmpty => "Node not empty: ",
        Code::NoChildrenForEphemerals => "Ephemerals cannot have children: ",
        Code::NoAuth => "Insufficient permission : ",
        Code::BadVersion => "version No is not valid : ",
        Code::InvalidAcl => "Acl is not valid : ",
        Code::NotReadOnly => "Not a read-only call: ",
        Code::QuotaExceeded => "Quota has exceeded : ",
        Code::NoWatcher => "KeeperErrorCode = No such watcher for ",
        _ => return None,
    })
}

/// What helps after a failure, for a person at the keyboard.
pub(crate) fn hint(failure: &Failure) -> Option<String> {
    let Failure::ZooKeeper(error) = failure else {
        return None;
    };
    let creating = error
        .operation()
        .is_some_and(|name| name.starts_with("create"));
    let hint = match error.code() {
        Code::NoNode if creating => "its parent is not there; create -p makes it, too",
        Code::NodeExists => "set changes the data of a znode that exists",
        Code::NotEmpty => "deleteall deletes it with everything below",
        Code::BadVersion => "somebody was faster; stat shows the version there is now",
        Code::NoAuth => "addauth digest user:password shows who you are, getAcl who may what",
        Code::ReconfigDisabled => "servers allow it with reconfigEnabled=true",
        Code::ConnectionLoss if !error.nothing_changed() => {
            "nobody knows whether it was done; look before you try again"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misused_command_ends_with_2_and_a_failed_one_with_1() {
        let failed = Failure::ZooKeeper(Error::new(Code::NoNode));
        assert_eq!(Failure::Usage(String::new()).exit_code(), 2);
        assert_eq!(
            (failed.exit_code(), Failure::ClosedOutput.exit_code()),
            (1, 1)
        );
    }

    #[test]
    fn programs_get_the_code_with_its_number() {
        let error = Failure::ZooKeeper(Error::new(Code::BadVersion)).json();
        assert_eq!(error["error"]["code"], "BadVersion");
        assert_eq!(error["error"]["number"], -103);
        assert_eq!(error["error"]["nothing_changed"], true);
    }
}
