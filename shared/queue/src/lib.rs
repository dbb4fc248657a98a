//! The messages between functions, and how batches of them are sent and consumed over SQS.
//!
//! Messages are versioned and small: they carry ids, never addresses or names.

mod consume;
mod messages;
mod send;

pub use consume::{Failure, Record, consume};
pub use messages::{Continuation, FeedImport, FeedSource, Notification, ParseError, Recipient, StockMessage};
pub use send::{Error, Queues, Urls};
