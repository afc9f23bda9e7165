//! The zoowarden server.

#![forbid(unsafe_code)]

fn main() {}
