//! The commands of `cargo restock`.

pub mod copy;
pub mod keys;
pub mod link_keys;
pub mod redrive;
pub mod stack;
pub mod status;
