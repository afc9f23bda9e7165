//! server.

pub mod config;
pub mod four_letter;
