//! p

/// x
#[derive(Debug)]
pub struct Pipeline;
/// x
#[derive(Debug)]
pub struct Slot;
/// x
#[derive(Debug)]
pub struct Arrival;
