//! What the HTTP functions share: the frame around a handler, API keys, reading requests and problem documents.

mod call;
mod keys;
mod lines;
mod problem;
mod serve;
mod versions;

pub use call::{Call, limit};
pub use lines::{LineError, LineOutcome, LinesReport, read_lines};
pub use problem::{Problem, ProblemDocument};
pub use serve::{IdReply, Reply, serve, serve_public};
pub use versions::{etag, expected_version};
