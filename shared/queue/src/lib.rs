//! The messages between functions, and how batches of them are sent and consumed over SQS.
//!
//! Messages are versioned and small: they carry ids, never addresses or names.

mod consume;
mod email_event;
mod error;
mod messages;
mod queue;
mod send;
pub mod transport;

pub use consume::{Failure, Record, consume, correlate, correlation_in, while_hidden};
pub use email_event::{EmailEvent, EmailEventKind};
pub use error::Error;
pub use messages::{
    AcceptedMail, Continuation, CountMails, DueTicks, EndedSku, Erasure, ErasureMessage, FeedImport, FeedMessage,
    FeedSource, InvalidLevel, LinedUp, Message, Notification, NotificationMessage, ParseError, Recipient,
    StockFileImport, StockMessage, Sweep, WaveShare, WaveTick,
};
pub use queue::{Queue, named};
pub use send::{MAX_DELAY, Queues};
pub use transport::{Sqs, Urls};
