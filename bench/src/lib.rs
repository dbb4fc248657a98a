//! What the benchmarks work on, and the loops that they are compared with.

// Inputs are made here, so a broken one is a mistake in here.
#![allow(clippy::expect_used)]

pub mod feeds;
pub mod mails;
pub mod waiting;
