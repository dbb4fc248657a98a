//! The only crate that knows DynamoDB: keys, items, queries and conditional writes.
//!
//! `docs/architecture.md` lists the tables with their keys, and says which order of writes the guarantees rest on.

mod api_keys;
mod batch;
mod contacts;
mod deliveries;
mod feeds;
mod log;
mod products;
mod secrets;
mod stock;
mod subscriptions;
mod uploads;

pub use api_keys::{ApiKey, KeyScope};
pub use contacts::NewContact;
pub use deliveries::{Claim, Claimed, Milestone};
pub use feeds::{Feed, Import, ImportError, ImportStatus};
pub use log::{Counts, LogEntry, LogKey, LogPage};
pub use products::ProductChange;
pub use stock::LevelWrite;
pub use subscriptions::{Cursor, Page};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::Arc;

type Item = HashMap<String, AttributeValue>;

/// The names of the tables, as deployed.
#[derive(Debug, Clone)]
pub struct Tables {
    pub configuration: String,
    pub contacts: String,
    pub deliveries: String,
    pub log: String,
    pub products: String,
    pub stock: String,
    pub subscriptions: String,
    pub uploads: String,
}

#[derive(Clone)]
pub struct Store {
    client: Client,
    tables: Arc<Tables>,
}

impl Store {
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client, tables: Arc::new(tables) }
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
    #[error("an item of {table} is not as this version writes it")]
    Item {
        table: &'static str,
        #[source]
        source: serde_dynamo::Error,
    },
    #[error("the uploaded file {0} is not complete")]
    Upload(String),
}

impl Error {
    /// DynamoDB asks to slow down; the same request may go through later.
    pub fn throttled(&self) -> bool {
        match self {
            Self::Request { throttled, .. } => *throttled,
            Self::Unprocessed { .. } => true,
            Self::Item { .. } | Self::Upload(_) => false,
        }
    }
}

/// Names the operation that an SDK error belongs to.
fn failed<E, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    move |source| {
        let throttled = matches!(
            source.code(),
            Some("ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded")
        );
        Error::Request { operation, throttled, source: Box::new(source) }
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

fn write_item(table: &'static str, value: impl Serialize) -> Result<Item, Error> {
    serde_dynamo::to_item(value).map_err(|source| Error::Item { table, source })
}

fn read_item<T: DeserializeOwned>(table: &'static str, item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|source| Error::Item { table, source })
}
