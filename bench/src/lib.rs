//! What the benchmarks work on, and the loops that they are compared with.

#![expect(clippy::expect_used, reason = "inputs are made here, so a broken one is a mistake in here")]

pub mod feeds;
pub mod mails;
pub mod waiting;
