//! The harness shared by every suite.

#![forbid(unsafe_code)]
