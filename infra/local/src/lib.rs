//! Everything that Restock needs, on this machine: it reads `template.yaml`, makes its tables and queues in embedded
//! emulators, starts every function as its real binary, routes HTTP to them and polls queues into them.
//!
//! The emulators and the functions meet behind the standard AWS endpoint variables, so the functions don't know.

pub mod aws;
pub mod client;
pub mod demo;
pub mod faults;
mod functions;
mod gallery;
mod inbox;
pub mod running;
mod sample_shop;
pub mod seed;
mod stack;
pub mod stats;
pub mod template;
pub mod usage;

pub use functions::{Binaries, build, workspace};
pub use running::Ready;
pub use stack::{Options, Stack};

/// Anything that keeps the local stack from starting; for people, so a sentence is enough.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
