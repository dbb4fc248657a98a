//! Items of a table, copied into another one: those of a backup, or of a stack that was deleted, into the table that functions use.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeySchemaElement, KeyType};
use display_error_chain::DisplayErrorChain;
use futures::{StreamExt, TryStreamExt, stream};
use restock_local::Error;
use std::collections::HashMap;
use std::io::Write;

/// Items that are written at the same time.
const IN_FLIGHT: usize = 32;

/// Copies items. Those that the other table has already stay as they are, unless `overwrite` says otherwise.
pub async fn run(client: &Client, from: &str, to: &str, overwrite: bool, out: &mut impl Write) -> Result<(), Error> {
    let keys = key_of(client, to).await?;
    if key_of(client, from).await? != keys {
        return Err(format!("{from} and {to} have different keys, so one is no backup of the other.").into());
    }
    let partition = keys.iter().find(|element| *element.key_type() == KeyType::Hash);
    let partition = partition.ok_or_else(|| format!("{to} has no partition key"))?.attribute_name();
    let (mut copied, mut kept) = (0_u64, 0_u64);
    let mut pages = client.scan().table_name(from).consistent_read(true).into_paginator().send();
    while let Some(page) = pages.next().await {
        let items = page.map_err(|error| about(from, &error))?.items.unwrap_or_default();
        let writes = items.into_iter().map(|item| put(client, to, (!overwrite).then_some(partition), item));
        let written: Vec<bool> = stream::iter(writes).buffer_unordered(IN_FLIGHT).try_collect().await?;
        let new = written.iter().filter(|copied| **copied).count() as u64;
        copied += new;
        kept += written.len() as u64 - new;
    }
    writeln!(out, "copied: {copied}, there already: {kept}")?;
    Ok(())
}

/// Puts an item. Returns false if there is one with its key, and it is to stay.
async fn put(
    client: &Client,
    table: &str,
    unless: Option<&str>,
    item: HashMap<String, AttributeValue>,
) -> Result<bool, Error> {
    let mut request = client.put_item().table_name(table).set_item(Some(item));
    if let Some(partition) = unless {
        request =
            request.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", partition);
    }
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) => {
            Ok(false)
        }
        Err(error) => Err(about(table, &error)),
    }
}

async fn key_of(client: &Client, table: &str) -> Result<Vec<KeySchemaElement>, Error> {
    let described = client.describe_table().table_name(table).send().await.map_err(|error| about(table, &error))?;
    Ok(described.table.and_then(|table| table.key_schema).unwrap_or_default())
}

fn about(table: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    format!("{table}: {}", DisplayErrorChain::new(error)).into()
}
