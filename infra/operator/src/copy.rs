//! The items of a table, copied into that of a new stack: from a stack that was deleted, or from a backup.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::types::{AttributeValue, KeySchemaElement, KeyType};
use clap::Args;
use display_error_chain::DisplayErrorChain;
use futures::{StreamExt, TryStreamExt, stream};
use restock_local::Error;
use std::collections::HashMap;
use std::io::Write;

#[derive(Args)]
pub struct Copy {
    /// The table to copy from.
    pub from: String,
    /// The table of the new stack, which is empty.
    pub to: String,
    /// Goes on with a copy that broke off: what is there already stays.
    #[arg(long)]
    pub go_on: bool,
    /// Replaces what the configuration of the new stack has already.
    #[arg(long, conflicts_with = "go_on")]
    pub overwrite: bool,
}

/// The partition key of the configuration table.
const KIND: &str = "kind";
/// What servers said about feeds when they were last fetched. The new stack has no products yet, so it fetches each
/// feed as a whole.
const NOT_COPIED: &str = "feed-fetch";
/// Items that are written at the same time.
const IN_FLIGHT: usize = 32;
/// Of one write: a new table grows with what is written, and refuses some meanwhile.
const MAX_ATTEMPTS: u32 = 10;

/// Copies items, and says how many. A table that has some already is refused, since what was erased or has ended after
/// the backup would come back.
pub async fn run(copy: Copy, client: &Client, out: &mut impl Write) -> Result<(), Error> {
    let Copy { from, to, go_on, overwrite } = copy;
    if from == to {
        return Err("Give two tables: the one to copy from, and that of the new stack.".into());
    }
    let retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
    let client = Client::from_conf(client.config().to_builder().retry_config(retries).build());
    let keys = key_of(&client, &to).await?;
    if key_of(&client, &from).await? != keys {
        return Err(format!("{from} and {to} have different keys, so one is no copy of the other.").into());
    }
    let partition = keys.iter().find(|element| *element.key_type() == KeyType::Hash);
    let partition = partition.ok_or_else(|| format!("{to} has no partition key"))?.attribute_name();
    if overwrite && partition != KIND {
        return Err("Only the configuration of a new stack may be overwritten.".into());
    }
    if !go_on && !overwrite && !is_empty(&client, &to).await? {
        let why = "what was erased, has ended or was changed since would come back";
        let instead = "docs/operations.md, Backup and restore, says how to bring single people back";
        return Err(format!("{to} has items, and {why}. {instead}. A copy that broke off goes on with --go-on.").into());
    }
    let (mut copied, mut kept) = (0_u64, 0_u64);
    let mut pages = client.scan().table_name(&from).consistent_read(true).into_paginator().send();
    while let Some(page) = pages.next().await {
        let mut items = page.map_err(|error| about(&from, &error))?.items.unwrap_or_default();
        items.retain(|item| item.get(KIND).and_then(|kind| kind.as_s().ok()).is_none_or(|kind| kind != NOT_COPIED));
        let writes = items.into_iter().map(|item| put(&client, &to, (!overwrite).then_some(partition), item));
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

async fn is_empty(client: &Client, table: &str) -> Result<bool, Error> {
    let found = client.scan().table_name(table).consistent_read(true).limit(1).send().await;
    Ok(found.map_err(|error| about(table, &error))?.items.unwrap_or_default().is_empty())
}

fn about(table: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    format!("{table}: {}", DisplayErrorChain::new(error)).into()
}
