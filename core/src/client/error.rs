//! Why an operation failed, for users to read and for programs to match.

use std::fmt;

use crate::proto::{Code, OpCode};

/// A failed operation: ZooKeeper's code, what was asked of which path, and whether it is certain
/// that nothing was changed. Cheap to move, cloneable.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Failure>);

#[derive(Clone, PartialEq, Eq)]
struct Failure {
    code: Code,
    operation: Option<OpCode>,
    path: Option<Box<str>>,
    detail: Option<Box<str>>,
    /// Whether the request had left this client.
    sent: bool,
}

impl Error {
    /// A failure that happened before anything was sent.
    pub fn new(code: Code) -> Error {
        Error(Box::new(Failure {
            code,
            operation: None,
            path: None,
            detail: None,
            sent: false,
        }))
    }

    /// The same, of an operation on a path.
    pub(crate) fn of(mut self, operation: OpCode, path: &str) -> Error {
        self.0.operation = Some(operation);
        self.0.path = (!path.is_empty()).then(|| path.into());
        self
    }

    /// The same, with words that say more than the code.
    pub fn because(mut self, detail: impl fmt::Display) -> Error {
        self.0.detail = Some(detail.to_string().into());
        self
    }

    /// The same, for a request that a server may have carried out.
    pub(crate) fn after_sending(mut self) -> Error {
        self.0.sent = true;
        self
    }

    /// ZooKeeper's code.
    ///
    /// `ConnectionLoss`: the answer did not come. `Closing`: the client was closed.
    /// `ThrottledOp`: too many requests wait. A number that ZooKeeper does not have reads as
    /// `SystemError`, and the text names it.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// ZooKeeper's name of the operation, `getData` say; `None` if it was not about one.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation.map(OpCode::name)
    }

    /// The path as the caller gave it, without chroot.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// Words that say more than the code, if there are any.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Whether it is certain that the request changed nothing: a server refused it, or it was
    /// never sent. After a lost connection or a session that ended with the request on its way
    /// nobody knows; look before you try again.
    pub fn nothing_changed(&self) -> bool {
        match self.0.code {
            // Only a client says these, so the request's fate hangs on whether it was sent.
            Code::ConnectionLoss
            | Code::OperationTimeout
            | Code::RequestTimeout
            | Code::SessionExpired
            | Code::Closing
            | Code::AuthFailed
            | Code::InvalidState
            | Code::SessionMoved
            | Code::DataInconsistency => !self.0.sent,
            Code::SystemError
            | Code::RuntimeInconsistency
            | Code::MarshallingError
            | Code::Unimplemented
            | Code::BadArguments
            | Code::UnknownSession
            | Code::NewConfigNoQuorum
            | Code::ReconfigInProgress
            | Code::NoNode
            | Code::NoAuth
            | Code::BadVersion
            | Code::NoChildrenForEphemerals
            | Code::NodeExists
            | Code::NotEmpty
            | Code::InvalidCallback
            | Code::InvalidAcl
            | Code::NotReadOnly
            | Code::EphemeralOnLocalSession
            | Code::NoWatcher
            | Code::ReconfigDisabled
            | Code::SessionClosedRequireSaslAuth
            | Code::QuotaExceeded
            | Code::ThrottledOp => true,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = &self.0;
        if let Some(operation) = failure.operation {
            write!(f, "{}", operation.name())?;
            if let Some(path) = &failure.path {
                write!(f, " {path}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{} ({})", failure.code, failure.code.name())?;
        if let Some(detail) = &failure.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Error;
    use crate::proto::{Code, OpCode};

    #[test]
    fn text_says_what_happened_to_what_and_why() {
        let error = Error::new(Code::NoNode).of(OpCode::GetData, "/a");
        assert_eq!(error.to_string(), "getData /a: no such znode (NoNode)");
        let error = Error::new(Code::BadArguments).because("path is empty");
        assert_eq!(
            error.to_string(),
            "bad arguments (BadArguments): path is empty"
        );
    }

    #[test]
    fn outcome_is_unknown_only_after_sending() {
        let lost = Error::new(Code::ConnectionLoss);
        assert!(lost.nothing_changed());
        assert!(!lost.after_sending().nothing_changed());
        assert!(
            Error::new(Code::NodeExists)
                .after_sending()
                .nothing_changed()
        );
    }
}
