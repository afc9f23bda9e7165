//! t

/// x
#[derive(Debug)]
pub struct Table;
/// x
#[derive(Debug)]
pub struct Session;
