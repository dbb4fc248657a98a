//! The commands of `cargo restock`.

pub mod keys;
