//! Making and reading items.

use crate::Error;
use crate::table::{Item, Table};
use aws_sdk_dynamodb::types::AttributeValue;
use display_error_chain::DisplayErrorChain;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tracing::error;

/// The attribute by which DynamoDB deletes an item that counts no more, in seconds since 1970.
pub const EXPIRES_AT: &str = "expiresAt";
/// The attribute that has the document of an item.
pub const DOCUMENT: &str = "document";

pub fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Makes a key, or any other item, of text attributes.
pub fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Item {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

pub fn string_of<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name)?.as_s().ok()
}

/// Returns a number that an item may lack.
pub fn number_of(table: impl Into<Table>, item: &Item, name: &str) -> Result<Option<i64>, Error> {
    let read = |value: &AttributeValue| value.as_n().ok()?.parse().ok();
    let number = |value| read(value).ok_or_else(|| damaged(table, item, format!("{name} is no whole number")));
    item.get(name).map(number).transpose()
}

/// Returns a count that an item lacks while it is 0.
pub fn count_in(table: impl Into<Table>, item: &Item, name: &str) -> Result<u64, Error> {
    let table = table.into();
    let count = number_of(table, item, name)?.unwrap_or_default();
    count.try_into().map_err(|_| damaged(table, item, format!("{name} is negative")))
}

/// Writes the attributes of an item; the key may be among them.
pub fn write_item(table: impl Into<Table>, value: impl Serialize) -> Result<Item, Error> {
    let table = table.into();
    serde_dynamo::to_item(value).map_err(|source| Error::Unwritable { table, source: Arc::new(source) })
}

/// Writes an attribute that is neither a text nor a number.
pub fn write_attribute(table: impl Into<Table>, value: impl Serialize) -> Result<AttributeValue, Error> {
    let table = table.into();
    serde_dynamo::to_attribute_value(value).map_err(|source| Error::Unwritable { table, source: Arc::new(source) })
}

/// Writes a document that stands in one attribute of an item.
pub fn write_document(table: impl Into<Table>, document: &impl Serialize) -> Result<String, Error> {
    let table = table.into();
    serde_json::to_string(document).map_err(|source| Error::Unwritable { table, source: Arc::new(source) })
}

/// Reads the document of an item.
pub fn read_document<T: DeserializeOwned>(table: impl Into<Table>, item: &Item) -> Result<T, Error> {
    let document = string_of(item, DOCUMENT).map(String::as_str).unwrap_or_default();
    serde_json::from_str(document).map_err(|error| damaged(table, item, error))
}

/// Reads an item. What is stored was checked when it came in, and is trusted.
pub fn read_item<T: DeserializeOwned>(table: impl Into<Table>, item: Item) -> Result<T, Error> {
    let table = table.into();
    let key = key_of(table, &item);
    serde_dynamo::from_item(item).map_err(|source| Error::Damaged { table, key, source: Arc::new(source) })
}

/// Returns the error of an item that has an attribute that can't be read.
pub fn damaged(
    table: impl Into<Table>,
    item: &Item,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let table = table.into();
    Error::Damaged { table, key: key_of(table, item), source: reason.into().into() }
}

/// Reads items; one that can't be read is logged, and costs only itself.
pub fn read_each<T>(items: impl IntoIterator<Item = Item>, read: impl Fn(Item) -> Result<T, Error>) -> Vec<T> {
    let read =
        |item| read(item).inspect_err(|damage| error!(error = %DisplayErrorChain::new(damage), "An item was left out"));
    items.into_iter().filter_map(|item| read(item).ok()).collect()
}

/// Returns what was read; of an item that can't be read, what stands for none, and logs that. For settings without
/// which people can be mailed.
pub fn or_none<T: Default>(read: Result<T, Error>) -> Result<T, Error> {
    match read {
        Err(damage @ Error::Damaged { .. }) => {
            error!(error = %DisplayErrorChain::new(&damage), "An item was left out");
            Ok(T::default())
        }
        read => read,
    }
}

/// Returns the key of an item for an operator, without addresses.
fn key_of(table: Table, item: &Item) -> String {
    let (partition, sort) = table.key();
    let parts = [Some(partition), sort].into_iter().flatten();
    let shown = parts.map(|name| match string_of(item, name).map(String::as_str) {
        Some(address) if address.starts_with("email#") => "email#…",
        Some(value) => value,
        None => "?",
    });
    shown.collect::<Vec<_>>().join(", ")
}
