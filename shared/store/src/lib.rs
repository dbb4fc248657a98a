//! The only crate that knows DynamoDB: keys, items, queries and conditional writes.
//!
//! `docs/architecture.md` lists the tables with their keys, and says which order of writes the guarantees rest on.

mod api_keys;
mod automations;
mod batch;
mod contact_patches;
mod contacts;
pub mod database;
mod deliveries;
mod demand;
mod dynamodb;
mod feeds;
mod log;
mod log_pages;
mod products;
mod purchases;
mod secrets;
mod stock;
mod subscriptions;
mod uploads;

pub use api_keys::{ApiKey, KeyScope};
pub use automations::{AutomationChange, CachedAutomations, Expected, MOST_AUTOMATIONS};
pub use contact_patches::{ContactPatch, PatchedContact};
pub use contacts::NewContact;
pub use deliveries::Claimed;
pub use demand::{Demand, Waiters, Wanted};
pub use dynamodb::{DynamoDb, Tables};
pub use feeds::{Feed, Import, ImportError, ImportStatus};
pub use log::{LogEntry, LogKey, LoggedLevel};
pub use log_pages::{LogFilter, LogPage};
pub use products::ProductChange;
pub use purchases::RecordedReceipts;
pub use stock::{LastLook, LevelWrite};
pub use subscriptions::{Cursor, Page, Waiting};

use aws_sdk_dynamodb::types::AttributeValue;
use database::{Database, Item, Table};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Everything that Restock keeps. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Arc<dyn Database>,
}

impl Store {
    pub fn new(database: impl Database + 'static) -> Self {
        Self { database: Arc::new(database) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("DynamoDB did not carry out {operation}")]
    Request {
        operation: &'static str,
        throttled: bool,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("DynamoDB left a part of {operation} undone after every retry")]
    Unprocessed { operation: &'static str },
    #[error("an item of {table:?} is not as this version writes it")]
    Item {
        table: Table,
        #[source]
        source: serde_dynamo::Error,
    },
    #[error("the automation {id} is not as this version writes it: {reason}")]
    Automation { id: restock_domain::AutomationId, reason: String },
    #[error("the uploaded file {0} is not complete")]
    Upload(String),
}

impl Error {
    /// DynamoDB asks to slow down; the same request may go through later.
    pub fn throttled(&self) -> bool {
        match self {
            Self::Request { throttled, .. } => *throttled,
            Self::Unprocessed { .. } => true,
            Self::Item { .. } | Self::Automation { .. } | Self::Upload(_) => false,
        }
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A key, or any other item, of text attributes.
fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Item {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

fn write_item(table: Table, value: impl Serialize) -> Result<Item, Error> {
    serde_dynamo::to_item(value).map_err(|source| Error::Item { table, source })
}

fn read_item<T: DeserializeOwned>(table: Table, item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|source| Error::Item { table, source })
}

fn string_of<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name)?.as_s().ok()
}
