use crate::table::Table;
use std::sync::Arc;

/// What a service or a library said.
pub(crate) type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why something was not read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("DynamoDB did not carry out {operation}")]
    Request {
        operation: &'static str,
        throttled: bool,
        #[source]
        source: Source,
    },
    /// DynamoDB is being throttled.
    #[error("DynamoDB left a part of {operation} undone after every retry")]
    Unprocessed { operation: &'static str },
    /// Others changed the same item between reading and writing it, each time.
    #[error("{what} was lost to other writers")]
    Contended { what: &'static str },
    #[error("the item {key} of {table:?} is not as this version writes it")]
    Damaged {
        table: Table,
        /// Without personal data.
        key: String,
        #[source]
        source: Source,
    },
    #[error("a new item of {table:?} can't be written")]
    Unwritable {
        table: Table,
        #[source]
        source: Source,
    },
    /// The function was not told about a table; template.yaml says which ones it may use.
    #[error("set the environment variable {}", .0.setting())]
    NoTable(Table),
    /// The stack makes one when it is deployed.
    #[error("the configuration table has no key for links; `cargo restock link-keys rotate` makes one")]
    NoLinkKey,
    /// The stack makes it when it is deployed.
    #[error(
        "the configuration table has no key for addresses; restore the item secret/unsubscribe from a backup, or let \
         `cargo restock link-keys rotate` make another one, which does not recognise who was suppressed before"
    )]
    NoAddressKey,
    #[error("the uploaded file {0} is not complete")]
    Upload(String),
}

impl Error {
    /// Returns true if DynamoDB asks to slow down; the same request may go through later.
    pub fn throttled(&self) -> bool {
        match self {
            Self::Request { throttled, .. } => *throttled,
            Self::Unprocessed { .. } => true,
            Self::Contended { .. }
            | Self::Damaged { .. }
            | Self::Unwritable { .. }
            | Self::NoTable(_)
            | Self::NoLinkKey
            | Self::NoAddressKey
            | Self::Upload(_) => false,
        }
    }
}

/// Five lost races in a row mean that an item is written far more often than Restock writes any.
const MAX_ATTEMPTS: u32 = 5;

/// Counts the tries of a change that reads an item, and writes it on the condition that it is still the same.
pub struct Race {
    what: &'static str,
    attempts: u32,
}

impl Race {
    pub fn about(what: &'static str) -> Self {
        Self { what, attempts: 0 }
    }

    /// Begins the next try, or gives up.
    pub fn enter(&mut self) -> Result<(), Error> {
        self.attempts += 1;
        if self.attempts > MAX_ATTEMPTS { Err(Error::Contended { what: self.what }) } else { Ok(()) }
    }
}
