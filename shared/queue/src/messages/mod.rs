//! What travels in the bodies of messages, a file for each queue.

mod erasure;
mod feed_import;
mod notification;
mod scope;
mod stock;

pub use erasure::{EndedSku, Erasure, ErasureMessage};
pub use feed_import::{FeedImport, FeedMessage, FeedSource, StockFileImport};
pub use notification::{AcceptedMail, CountMails, Notification, NotificationMessage, Recipient, WaveShare};
pub use stock::{Continuation, DueTicks, InvalidLevel, LinedUp, StockMessage, Sweep, WaveTick};

use crate::queue::Named;
use restock_api::wire::unmarked;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt;

/// The `v` of every message. A message of another version is not read.
const VERSION: u32 = 1;

/// A message of Restock's own functions, which names its type.
pub trait Message: Serialize + DeserializeOwned {
    /// The queue that carries it.
    type Queue: Named;
    /// The `type` of its body.
    const TYPE: &'static str;

    /// Returns the body that a queue carries.
    fn body(&self) -> String {
        let mut message = json!(self);
        message["v"] = json!(VERSION);
        message["type"] = json!(Self::TYPE);
        message.to_string()
    }
}

/// A body that cannot be read, in words for whoever looks into the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseError {
    NotJson(String),
    NotOurs { expected: &'static str, reason: String },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(reason) => write!(f, "the body is not JSON: {reason}"),
            Self::NotOurs { expected, reason } => {
                write!(f, "the body is not a message of version {VERSION} and type {expected}: {reason}")
            }
        }
    }
}

/// A body whose type is not known yet.
struct Body(Value);

impl Body {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let value = serde_json::from_slice(unmarked(text.as_bytes()));
        value.map(Self).map_err(|error| ParseError::NotJson(error.to_string()))
    }

    /// Returns the type that the body names; empty if it names none.
    fn kind(&self) -> &str {
        self.0.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    fn read<M: Message>(self) -> Result<M, ParseError> {
        let not_ours = |reason: String| ParseError::NotOurs { expected: M::TYPE, reason };
        if self.0.get("v") != Some(&json!(VERSION)) || self.kind() != M::TYPE {
            return Err(not_ours("v or type differ".into()));
        }
        serde_json::from_value(self.0).map_err(|error| not_ours(error.to_string()))
    }
}
