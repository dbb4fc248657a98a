//! What the HTTP functions share: the frame around a handler, API keys, reading requests and problem documents.

mod call;
mod keys;
mod problem;
mod serve;

pub use call::Call;
pub use problem::Problem;
pub use serve::{Reply, serve, serve_public};
