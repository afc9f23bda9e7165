//! multi: all of several operations, or none.

use crate::proto::{Code, MultiOp, MultiOutcome, OpCode};
use crate::tree::Tree;
use crate::tree::apply::Change;
use crate::tree::write::Place;

impl Tree {
    /// Carries out operations in order, each in the light of those before it. When one fails, the
    /// tree is what it was.
    pub(super) fn multi(
        &mut self,
        change: &mut Change<'_>,
        ops: &[MultiOp<'_>],
    ) -> Vec<MultiOutcome> {
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
                    change.events.clear();
                    if let Some(before) = before {
                        *self = before;
                    }
                    return failed(ops.len(), i, code);
                }
            }
        }
        outcomes
    }

    fn multi_op(
        &mut self,
        change: &mut Change<'_>,
        op: &MultiOp<'_>,
    ) -> Result<MultiOutcome, Code> {
        Ok(match op {
            MultiOp::Create(create) => {
                let (path, stat) = self.create(change, create, Place::InMulti)?;
                match create.op {
                    OpCode::Create => MultiOutcome::Created(path),
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
