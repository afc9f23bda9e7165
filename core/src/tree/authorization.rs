//! Which operation needs which permission of which znode: the one place where it is decided.
//!
//! Invariant: the match of [`required`] has no wildcard, so that a new operation does not compile
//! before somebody has decided what it needs. Parts of a multi and of a multiRead are operations
//! too, and are judged as they are alone.
//!
//! Source: `PrepRequestProcessor`, `FinalRequestProcessor`.

use crate::proto::{Acl, Code, Id, OpCode, perms};
use crate::tree::acl::allows;

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Nothing of any znode: it concerns the session alone, or tells what everybody may know.
    Nothing,
    /// One of these bits in the list of the znode that it names.
    OfZnode(i32),
    /// One of these bits in the list of the parent of the znode that it names.
    OfParent(i32),
    /// Nothing itself: each operation inside is judged alone.
    OfItsParts,
    /// One of these bits in the list of `/zookeeper/config`.
    OfConfig(i32),
}

/// What `op` needs.
pub(super) const fn required(op: OpCode) -> Access {
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
            Access::OfParent(perms::CREATE)
        }
        OpCode::Delete => Access::OfParent(perms::DELETE),
        OpCode::SetData => Access::OfZnode(perms::WRITE),
        OpCode::SetAcl => Access::OfZnode(perms::ADMIN),
        OpCode::GetAcl => Access::OfZnode(perms::READ | perms::ADMIN),
        // A missing znode has no list, and that it is missing is no secret.
        OpCode::Exists => Access::OfZnode(perms::READ),
        OpCode::GetData
        | OpCode::GetChildren
        | OpCode::GetChildren2
        | OpCode::GetAllChildrenNumber
        | OpCode::Check => Access::OfZnode(perms::READ),
        OpCode::Multi | OpCode::MultiRead => Access::OfItsParts,
        OpCode::Reconfig => Access::OfConfig(perms::WRITE),
        // Watches may be set on anything; READ is checked when there is something to tell.
        OpCode::AddWatch
        | OpCode::SetWatches
        | OpCode::SetWatches2
        | OpCode::CheckWatches
        | OpCode::RemoveWatches => Access::Nothing,
        // Of the session's own.
        OpCode::GetEphemerals
        | OpCode::WhoAmI
        | OpCode::Ping
        | OpCode::Auth
        | OpCode::Sasl
        | OpCode::CloseSession => Access::Nothing,
        OpCode::Sync => Access::Nothing,
    }
}

/// Whether `identities` may carry out `op`, by the list that [`required`] speaks of.
pub(super) fn permit(
    op: OpCode,
    list: &[Acl],
    identities: &[Id],
    skip_acl: bool,
) -> Result<(), Code> {
    let bits = match required(op) {
        Access::OfZnode(bits) | Access::OfParent(bits) | Access::OfConfig(bits) => bits,
        // No list decides about these; asked all the same, none of its entries allows them.
        Access::Nothing | Access::OfItsParts => 0,
    };
    if skip_acl || allows(list, identities, bits) {
        Ok(())
    } else {
        Err(Code::NoAuth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{MultiOutcome, Reply};
    use crate::tree::Applied;
    use crate::tree::stage::{
        Act, Stage, acl, check, create_as, create_ttl, create_with, delete, multi, set, set_acl,
    };

    fn entry(bits: i32) -> [Acl; 1] {
        [acl(bits, "world", "anyone")]
    }

    /// A parent and its child `/p/c`, each with one list.
    fn stage(parent: i32, child: i32) -> Stage {
        let mut stage = Stage::new();
        stage.rules.extended_types = true;
        stage.identities = vec![Id::new("super", "")];
        stage.ok(&create_with("/p", b"", &entry(parent)));
        stage.ok(&create_with("/p/c", b"", &entry(child)));
        stage.identities = vec![Id::new("ip", "127.0.0.1")];
        stage
    }

    /// The code that a write failed with, or the part of a multi.
    fn refusal(applied: &Applied) -> Option<Code> {
        match &applied.result {
            Err(code) => Some(*code),
            Ok(Reply::Multi(outcomes)) => outcomes.iter().find_map(|outcome| match outcome {
                MultiOutcome::Failed(code) => *code,
                _ => None,
            }),
            Ok(_) => None,
        }
    }

    /// The writes that name a znode: what they need, alone and as the part of a multi.
    fn writes() -> Vec<(OpCode, Act)> {
        vec![
            (OpCode::Create, create_as(OpCode::Create, "/p/new", 0)),
            (OpCode::Create2, create_as(OpCode::Create2, "/p/new", 0)),
            (
                OpCode::CreateContainer,
                create_as(OpCode::CreateContainer, "/p/new", 4),
            ),
            (OpCode::CreateTtl, create_ttl("/p/new", 5, 1000)),
            (OpCode::Delete, delete("/p/c", -1)),
            (OpCode::SetData, set("/p/c", Some(b"x"), -1)),
            (OpCode::SetAcl, set_acl("/p/c", &entry(perms::ALL), -1)),
            (OpCode::Check, check("/p/c", -1)),
        ]
    }

    /// Every operation with every single bit of the znode's list and of its parent's.
    #[test]
    fn each_write_needs_exactly_what_is_required_of_it() {
        for (op, act) in writes() {
            for inside in [false, true] {
                if inside && op == OpCode::SetAcl {
                    continue;
                }
                for bit in 0..5 {
                    let bit = 1 << bit;
                    for (parent, child) in [(bit, 0), (0, bit), (31 - bit, 31), (31, 31 - bit)] {
                        let allowed = match required(op) {
                            Access::OfZnode(bits) => child & bits != 0,
                            Access::OfParent(bits) => parent & bits != 0,
                            other => panic!("{op:?}: {other:?}"),
                        };
                        let mut stage = stage(parent, child);
                        let act = match inside {
                            true => multi(std::slice::from_ref(&act)),
                            false => act.clone(),
                        };
                        let refused = refusal(&stage.play(&act)) == Some(Code::NoAuth);
                        assert_eq!(refused, !allowed, "{op:?} {parent} {child} {inside}");
                    }
                }
            }
        }
    }

    /// etcd's CVE-2026-33343: parts of a transaction were not checked.
    #[test]
    fn cve_2026_33343_a_part_of_a_multi_is_judged_as_it_is_alone() {
        for (op, act) in writes().into_iter().filter(|(op, _)| *op != OpCode::SetAcl) {
            let harmless = create_as(OpCode::Create, "/free", 0);
            let code = stage(0, 0).err(&multi(&[harmless, act]));
            assert_eq!(code, Code::NoAuth, "{op:?}");
        }
    }

    #[test]
    fn what_no_list_decides_no_list_allows() {
        let ids = [Id::new("ip", "127.0.0.1")];
        for op in OpCode::ALL {
            let all = permit(op, &entry(perms::ALL), &ids, false);
            let nothing = matches!(required(op), Access::Nothing | Access::OfItsParts);
            assert_eq!(all.is_err(), nothing, "{op:?}");
            assert!(permit(op, &entry(0), &ids, false).is_err(), "{op:?}");
            assert!(permit(op, &entry(0), &ids, true).is_ok(), "{op:?}");
        }
    }
}

#[cfg(test)]
#[path = "authorization_test.rs"]
mod matrix;
