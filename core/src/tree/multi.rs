//! multi: all of several operations, or none.

use crate::proto::{Code, MultiOp, MultiOutcome, OpCode};
use crate::tree::Tree;
use crate::tree::apply::Change;
use crate::tree::write::Place;

/// The create mode that makes a plain create of a multi a createContainer, answer included.
const CONTAINER: i32 = 4;

impl Tree {
    /// Carries out operations in order, each in the light of those before it. When one fails, the
    /// tree is what it was, and the outcomes say so.
    pub(super) fn multi(
        &mut self,
        change: &mut Change<'_>,
        ops: &[MultiOp<'_>],
    ) -> Result<Vec<MultiOutcome>, Code> {
        if ops.iter().any(has_bad_flags) {
            return Err(Code::MarshallingError);
        }
        if change.rules.enforce_quota && !self.quotas.is_empty() {
            change.before_multi = Some(self.clone());
        }
        let mut outcomes = Vec::with_capacity(ops.len());
        let mut before = None;
        for (i, op) in ops.iter().enumerate() {
            // Each operation checks before it changes, so the last one needs no way back.
            let changes = !matches!(op, MultiOp::Check { .. });
            if before.is_none() && changes && i + 1 < ops.len() {
                before = Some(self.clone());
            }
            match self.multi_op(change, op) {
                Ok(outcome) => outcomes.push(outcome),
                Err(code) => {
                    change.forget();
                    if let Some(before) = before {
                        *self = before;
                    }
                    return Ok(failed(ops.len(), i, code));
                }
            }
        }
        Ok(outcomes)
    }

    fn multi_op(
        &mut self,
        change: &mut Change<'_>,
        op: &MultiOp<'_>,
    ) -> Result<MultiOutcome, Code> {
        Ok(match op {
            MultiOp::Create(create) => {
                let (path, stat) = self.create(change, create, Place::InMulti)?;
                match (create.op, create.flags) {
                    // A createTTL without a TTL mode is a create in everything.
                    (OpCode::Create | OpCode::CreateTtl, 0..CONTAINER) => {
                        MultiOutcome::Created(path)
                    }
                    _ => MultiOutcome::CreatedWithStat(path, stat),
                }
            }
            MultiOp::Delete { path, version } => {
                self.delete(change, path, *version)?;
                MultiOutcome::Deleted
            }
            MultiOp::SetData {
                path,
                data,
                version,
            } => MultiOutcome::Set(self.set_data(change, path, *data, *version)?),
            MultiOp::Check { path, version } => {
                self.check(change, path, *version)?;
                MultiOutcome::Checked
            }
        })
    }
}

/// Whether a create's flags are none that its record can have. In a multi that makes the whole
/// request one that does not decode; createTTL alone is judged when its turn comes.
fn has_bad_flags(op: &MultiOp<'_>) -> bool {
    matches!(op, MultiOp::Create(create)
        if create.op != OpCode::CreateTtl && !(0..=CONTAINER).contains(&create.flags))
}

/// The outcomes of a multi whose operation `at` failed.
fn failed(count: usize, at: usize, code: Code) -> Vec<MultiOutcome> {
    (0..count)
        .map(|i| {
            MultiOutcome::Failed(match i.cmp(&at) {
                std::cmp::Ordering::Less => None,
                std::cmp::Ordering::Equal => Some(code),
                std::cmp::Ordering::Greater => Some(Code::RuntimeInconsistency),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::EventKind::{ChildrenChanged, Created, DataChanged, Deleted};
    use crate::proto::{Reply, Stat};
    use crate::tree::stage::{
        Stage, check, create, create_as, create_ttl, delete, events, multi, set,
    };
    use crate::tree::{Applied, Rules};

    fn outcomes(applied: &Applied) -> &[MultiOutcome] {
        match &applied.result {
            Ok(Reply::Multi(outcomes)) => outcomes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_operation_sees_those_before_it() {
        let mut stage = Stage::new();
        let applied = stage.ok(&multi(&[
            create("/a", 0),
            create("/a/b", 0),
            set("/a/b", Some(b"x"), 0),
            check("/a/b", 1),
            create("/a/s-", 2),
            create_as(OpCode::Create2, "/a/s-", 3),
            delete("/a/b", 1),
        ]));
        let [a, b, set, checked, s1, s2, deleted] = outcomes(&applied) else {
            panic!("{applied:?}");
        };
        assert_eq!(*a, MultiOutcome::Created("/a".into()));
        assert_eq!(*b, MultiOutcome::Created("/a/b".into()));
        assert!(matches!(set, MultiOutcome::Set(Stat { version: 1, .. })));
        assert_eq!(*checked, MultiOutcome::Checked);
        assert_eq!(*s1, MultiOutcome::Created("/a/s-0000000001".into()));
        assert!(matches!(s2, MultiOutcome::CreatedWithStat(path, stat)
                if path == "/a/s-0000000002" && stat.ephemeral_owner != 0));
        assert_eq!(*deleted, MultiOutcome::Deleted);
        assert_eq!(
            events(&applied),
            [
                (Created, "/a"),
                (ChildrenChanged, "/"),
                (Created, "/a/b"),
                (ChildrenChanged, "/a"),
                (DataChanged, "/a/b"),
                (Created, "/a/s-0000000001"),
                (ChildrenChanged, "/a"),
                (Created, "/a/s-0000000002"),
                (ChildrenChanged, "/a"),
                (Deleted, "/a/b"),
                (ChildrenChanged, "/a"),
            ]
        );
        assert_eq!(stage.stat("/a").czxid, applied.zxid.0);
        assert_eq!(stage.stat("/a").pzxid, applied.zxid.0);
    }

    #[test]
    fn a_failure_undoes_everything_and_says_where_it_was() {
        let mut stage = Stage::new();
        stage.ok(&create("/keep", 0));
        for at in 0..4 {
            let mut acts = vec![
                create("/a", 1),
                set("/keep", Some(b"y"), -1),
                delete("/keep", -1),
            ];
            acts.insert(at, delete("/none", -1));
            assert_eq!(stage.err(&multi(&acts)), Code::NoNode);
            let applied = stage.play(&multi(&acts));
            let expected = (0..4).map(|i| match i {
                _ if i < at => None,
                _ if i == at => Some(Code::NoNode),
                _ => Some(Code::RuntimeInconsistency),
            });
            let expected = expected.map(MultiOutcome::Failed).collect::<Vec<_>>();
            assert_eq!(outcomes(&applied), expected, "fails at {at}");
        }
        assert_eq!(stage.tree.ephemerals_count(), 0);
    }

    #[test]
    fn an_empty_multi_is_a_change_of_nothing() {
        let mut stage = Stage::new();
        let applied = stage.ok(&multi(&[]));
        assert_eq!((outcomes(&applied), &*applied.events), (&[][..], &[][..]));
    }

    #[test]
    fn a_check_alone_is_a_multi_of_one() {
        let mut stage = Stage::new();
        let applied = stage.ok(&check("/", -1));
        assert_eq!(outcomes(&applied), [MultiOutcome::Checked]);
        assert_eq!(stage.err(&check("/", 7)), Code::BadVersion);
    }

    /// As Apache ZooKeeper 3.8.0 answers: inside a multi the flags alone decide what is made.
    #[test]
    fn inside_a_multi_flags_decide_what_a_create_makes() {
        let mut stage = Stage::new();
        stage.rules.extended_types = true;
        let acts = [
            create("/persistent", 0),
            create("/container", 4),
            create_as(OpCode::Create2, "/container2", 4),
            create_as(OpCode::CreateContainer, "/persistent2", 0),
            create_ttl("/persistent3", 0, 5000),
            create_ttl("/ttl", 5, 5000),
        ];
        let applied = stage.ok(&multi(&acts));
        let with_stat = outcomes(&applied)
            .iter()
            .map(|outcome| matches!(outcome, MultiOutcome::CreatedWithStat(..)))
            .collect::<Vec<_>>();
        assert_eq!(with_stat, [false, true, true, true, false, true]);
        let reapables = stage.tree.reapables.iter().map(|path| &**path);
        assert_eq!(
            reapables.collect::<Vec<_>>(),
            ["/container", "/container2", "/ttl"]
        );
    }

    /// As the reference says; Apache ZooKeeper 3.8.0 still answers flags outside of 0 to 6 with an
    /// element's BadArguments.
    #[test]
    fn creates_of_impossible_modes_fail_apart() {
        for extended_types in [false, true] {
            let mut stage = Stage::new();
            stage.rules = Rules {
                extended_types,
                ..Rules::default()
            };
            let ttl = if extended_types {
                Code::BadArguments
            } else {
                Code::Unimplemented
            };
            let first = create("/first", 0);
            for (act, code) in [
                (create_ttl("/a", 9, 1), Code::BadArguments),
                (create_ttl("/a", 5, 0), ttl),
            ] {
                let applied = stage.play(&multi(&[first.clone(), act]));
                let failed = [None, Some(code)].map(MultiOutcome::Failed);
                assert_eq!(outcomes(&applied), failed);
            }
            for op in [OpCode::Create, OpCode::Create2, OpCode::CreateContainer] {
                for flags in [-1, 5, 6, 7, i32::MAX] {
                    let act = multi(&[first.clone(), create_as(op, "/a", flags)]);
                    let applied = stage.play(&act);
                    assert_eq!(applied.result, Err(Code::MarshallingError), "{flags}");
                }
            }
        }
    }
}
