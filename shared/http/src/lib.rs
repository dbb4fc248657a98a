//! Shared by the HTTP functions: the frame around a handler, API keys, and reading requests.

mod call;
mod cursor;
mod failure;
mod key_limits;
mod keys;
mod serve;
mod versions;

pub use call::{Call, boolean, limit};
pub use failure::Failure;
pub use key_limits::KeyLimits;
pub use serve::{Handles, Reply, Service, answer};
pub use versions::{expected_version, wanted_version};

use std::time::Duration;

/// How long a request goes on that takes as long as it is given. API Gateway waits for 30 seconds, and such a function
/// has 28; the rest is for what is on its way.
pub const LONG_REQUEST: Duration = Duration::from_secs(20);
/// How long a caller waits for subscriptions and the like to be deleted; what is left then is for `finish-erasure`.
pub const MAX_DELETING: Duration = Duration::from_secs(5);
/// How long after a call begins what it may leave undone is taken up: longer than its function may take, and than an
/// index mostly lags.
pub const FINISHED_AFTER: Duration = Duration::from_secs(60);
