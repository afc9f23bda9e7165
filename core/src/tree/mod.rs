//! The tree.

mod proposal;

pub use proposal::{Batch, Draft, Lane, Proposals, Rules, Run};
