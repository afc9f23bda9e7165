//! The lines of the audit log: fields in ZooKeeper's order, `key=value` with tabs between.
//!
//! ```text
//! session  user  ip  operation  znode  znode_type  acl  result
//! ```
//!
//! A field that has nothing to say is left out. Source: `AuditEvent`, `AuditHelper`,
//! `ZKAuditProvider`, and the output of 3.8.0, which `tests` compares with. Three things differ on
//! purpose: createTTL has its line (3.8.0 forgets it); control characters are escaped, so that a
//! path cannot forge fields or lines; and of a digest in a list only the user is shown, as getACL
//! shows it, because whoever reads the hash can try passwords at home.

use std::fmt::Write;

use crate::proto::{
    Acl, Code, Create, Id, MultiOp, MultiOutcome, OpCode, Reply, Request, SessionId, perms,
};
use crate::tree::acl::{ANY_SASL_USER, redact};
use crate::tree::{Answering, Applied};

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Failure,
    /// It was begun.
    Invoked,
}

/// One line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) outcome: Outcome,
}

/// Who asked: the beginning of a line about a request.
pub(super) struct Asker {
    session: SessionId,
    user: String,
    ip: String,
}

impl Asker {
    /// The names of `identities`, that of the address last.
    pub(super) fn new(session: SessionId, identities: &[Id], ip: String) -> Asker {
        let named = identities.iter().filter(|id| &*id.scheme != ANY_SASL_USER);
        let (addresses, others): (Vec<&Id>, Vec<&Id>) = named.partition(|id| &*id.scheme == "ip");
        let names = others.into_iter().chain(addresses).map(user_name);
        let user = names.collect::<Vec<_>>().join(",");
        Asker { session, user, ip }
    }

    fn line(&self, operation: &str, fields: &[(&str, &str)], outcome: Outcome) -> Line {
        let session = self.session.to_string();
        let who = [
            ("session", &*session),
            ("user", &self.user),
            ("ip", &self.ip),
        ];
        line(&who, operation, fields, outcome)
    }
}

/// What `getUserName` of the scheme's provider gives.
fn user_name(id: &Id) -> &str {
    match &*id.scheme {
        "digest" => id.id.split(':').next().unwrap_or_default(),
        _ => &id.id,
    }
}

fn line(who: &[(&str, &str)], operation: &str, fields: &[(&str, &str)], outcome: Outcome) -> Line {
    let result = match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Invoked => "invoked",
    };
    let mut text = String::new();
    let fields = who
        .iter()
        .chain(&[("operation", operation)])
        .chain(fields)
        .chain(&[("result", result)])
        .copied()
        .collect::<Vec<_>>();
    for (key, value) in fields {
        if !text.is_empty() {
            text.push('\t');
        }
        text.push_str(key);
        text.push('=');
        escape(value, &mut text);
    }
    Line { text, outcome }
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
}

/// The server itself did something.
pub(super) fn of_server(user: &str, operation: &str, outcome: Outcome) -> Line {
    line(&[("user", user)], operation, &[], outcome)
}

/// An ephemeral went with its session.
pub(super) fn of_ephemeral(session: SessionId, user: &str, path: &str) -> Line {
    let session = session.to_string();
    let who = [("session", &*session), ("user", user)];
    let operation = "ephemeralZNodeDeletionOnSessionCloseOrExpire";
    line(&who, operation, &[("znode", path)], Outcome::Success)
}

/// A reconfiguration, once it is known what came of it.
pub(super) fn of_reconfig(asker: &Asker, outcome: Outcome) -> Line {
    asker.line("reconfig", &[], outcome)
}

/// A client's write. None for what did not decode, for what changes nothing, and for a reconfig
/// that was accepted: whether it is done, its leader says later.
pub(super) fn of_request(asker: &Asker, op: OpCode, body: &[u8], applied: &Applied) -> Vec<Line> {
    let Ok(request) = Request::decode(op, body) else {
        return Vec::new();
    };
    if applied.answering == Answering::Nobody {
        return Vec::new();
    }
    let outcome = match &applied.result {
        // The connection ends, and nothing was tried.
        Err(Code::SessionMoved | Code::SessionExpired) => return Vec::new(),
        Err(_) => Outcome::Failure,
        Ok(_) => Outcome::Success,
    };
    let one =
        |operation: &str, fields: &[(&str, &str)]| vec![asker.line(operation, fields, outcome)];
    match &request {
        Request::Create(create) => {
            let path = match &applied.result {
                Ok(Reply::Created(path) | Reply::CreatedWithStat(path, _)) => path,
                _ => &create.path,
            };
            match znode_type(create.flags) {
                Some(kind) => one("create", &[("znode", path), ("znode_type", kind)]),
                None => Vec::new(),
            }
        }
        Request::Delete { path, .. } => one("delete", &[("znode", path)]),
        Request::SetData { path, .. } => one("setData", &[("znode", path)]),
        Request::SetAcl { path, acl, .. } => {
            let acl = acl_text(acl.as_deref().unwrap_or_default());
            one("setAcl", &[("znode", path), ("acl", &acl)])
        }
        Request::Reconfig { .. } => one("reconfig", &[]),
        Request::Multi(ops) => of_multi(asker, ops, &applied.result),
        _ => Vec::new(),
    }
}

fn of_multi(
    asker: &Asker,
    ops: &[MultiOp<'_>],
    result: &Result<Reply<'static>, Code>,
) -> Vec<Line> {
    let outcomes = match result {
        Ok(Reply::Multi(outcomes)) => &outcomes[..],
        _ => &[],
    };
    let failed = |outcome: &MultiOutcome| matches!(outcome, MultiOutcome::Failed(_));
    if result.is_err() || outcomes.iter().any(failed) {
        return vec![asker.line("multiOperation", &[], Outcome::Failure)];
    }
    let both = ops.iter().zip(outcomes);
    both.filter_map(|(op, outcome)| of_part(asker, op, outcome))
        .collect()
}

fn of_part(asker: &Asker, op: &MultiOp<'_>, outcome: &MultiOutcome) -> Option<Line> {
    let done = |operation: &str, fields: &[(&str, &str)]| {
        Some(asker.line(operation, fields, Outcome::Success))
    };
    match op {
        MultiOp::Create(create) => {
            let (MultiOutcome::Created(path) | MultiOutcome::CreatedWithStat(path, _)) = outcome
            else {
                return None;
            };
            // 3.8.0 looks the mode up by the path that was asked for, and does not find it when a
            // number was appended.
            match znode_type(create.flags).filter(|_| !is_sequential(create)) {
                Some(kind) => done("create", &[("znode", path), ("znode_type", kind)]),
                None => done("create", &[("znode", path)]),
            }
        }
        MultiOp::Delete { path, .. } => done("delete", &[("znode", path)]),
        MultiOp::SetData { path, .. } => done("setData", &[("znode", path)]),
        MultiOp::Check { .. } => None,
    }
}

fn is_sequential(create: &Create<'_>) -> bool {
    matches!(create.flags, 2 | 3 | 6)
}

/// The create mode in lower case, as ZooKeeper names it.
fn znode_type(flags: i32) -> Option<&'static str> {
    Some(match flags {
        0 => "persistent",
        1 => "ephemeral",
        2 => "persistent_sequential",
        3 => "ephemeral_sequential",
        4 => "container",
        5 => "persistent_with_ttl",
        6 => "persistent_sequential_with_ttl",
        _ => return None,
    })
}

/// As `ZKUtil.aclToString` writes a list, without hashes: nothing between its entries.
fn acl_text(list: &[Acl]) -> String {
    let letters = [
        (perms::CREATE, 'c'),
        (perms::DELETE, 'd'),
        (perms::READ, 'r'),
        (perms::WRITE, 'w'),
        (perms::ADMIN, 'a'),
    ];
    let mut text = String::new();
    for acl in list.iter().map(redact) {
        // Writing to a string does not fail.
        let _ = write!(text, "{}:{}:", acl.id.scheme, acl.id.id);
        let given = letters.iter().filter(|(bit, _)| acl.perms & bit != 0);
        text.extend(given.map(|(_, letter)| letter));
    }
    text
}

#[cfg(test)]
#[path = "line_test.rs"]
mod tests;
