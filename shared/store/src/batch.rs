//! DynamoDB's batch calls: cut to their limits, and asked again for what they left undone.

use crate::{Error, Item, Store, failed};
use aws_sdk_dynamodb::types::{KeysAndAttributes, WriteRequest};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::HashMap;
use std::time::Duration;

/// Limits of BatchGetItem and BatchWriteItem (DynamoDB API reference).
const MOST_KEYS: usize = 100;
const MOST_WRITES: usize = 25;
const ATTEMPTS: u32 = 6;
const IN_FLIGHT: usize = 8;

impl Store {
    /// Reads items of one table by key, strongly consistent, in no particular order. Keys must not repeat.
    pub(crate) async fn batch_get(&self, table: &str, keys: Vec<Item>) -> Result<Vec<Item>, Error> {
        let chunks: Vec<Vec<Item>> = keys.chunks(MOST_KEYS).map(<[Item]>::to_vec).collect();
        let reads = chunks.into_iter().map(|chunk| self.get_chunk(table, chunk));
        let found: Vec<Vec<Item>> = stream::iter(reads).buffer_unordered(IN_FLIGHT).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Puts and deletes items of one table, in no particular order. Keys must not repeat.
    pub(crate) async fn batch_write(&self, table: &str, writes: Vec<WriteRequest>) -> Result<(), Error> {
        let chunks: Vec<Vec<WriteRequest>> = writes.chunks(MOST_WRITES).map(<[WriteRequest]>::to_vec).collect();
        let writes = chunks.into_iter().map(|chunk| self.write_chunk(table, chunk));
        stream::iter(writes).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    async fn get_chunk(&self, table: &str, keys: Vec<Item>) -> Result<Vec<Item>, Error> {
        let operation = "BatchGetItem";
        let mut pending = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().ok();
        let mut found = Vec::new();
        for attempt in 0..ATTEMPTS {
            let Some(keys) = pending.take() else { break };
            pause_before(attempt).await;
            let answer =
                self.client.batch_get_item().request_items(table, keys).send().await.map_err(failed(operation))?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            pending = answer.unprocessed_keys.unwrap_or_default().into_values().next();
        }
        if pending.is_some() { Err(Error::Unprocessed { operation }) } else { Ok(found) }
    }

    async fn write_chunk(&self, table: &str, writes: Vec<WriteRequest>) -> Result<(), Error> {
        let operation = "BatchWriteItem";
        let mut pending = writes;
        for attempt in 0..ATTEMPTS {
            pause_before(attempt).await;
            let answer = self
                .client
                .batch_write_item()
                .set_request_items(Some(HashMap::from([(table.to_owned(), pending)])))
                .send()
                .await
                .map_err(failed(operation))?;
            pending = answer.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
            if pending.is_empty() {
                return Ok(());
            }
        }
        Err(Error::Unprocessed { operation })
    }
}

/// 0, 50, 100, 200 … ms: unprocessed parts mean that the table is being throttled.
async fn pause_before(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(Duration::from_millis(25 << attempt)).await;
    }
}
