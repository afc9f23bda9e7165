//! Who expires.

/// x
#[derive(Debug)]
pub struct Expiry;
