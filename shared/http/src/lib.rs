//! Shared by the HTTP functions: the frame around a handler, API keys, and reading requests.

mod call;
mod failure;
mod keys;
mod serve;
mod versions;

pub use call::{Call, limit};
pub use failure::Failure;
pub use serve::{Handles, Reply, Service, answer};
pub use versions::{etag, expected_version};
