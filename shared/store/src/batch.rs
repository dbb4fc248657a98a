//! Batches of any size: cut to DynamoDB's limits, and asked again for what was left undone.

use crate::database::{Consistency, Item, PlainWrite, Query, Table, wanted};
use crate::keyspace::Keyspace;
use crate::{Error, Store};
use futures::future::try_join_all;
use futures::{StreamExt, TryStreamExt, stream};
use restock_domain::time;
use std::time::Duration;
use tokio::time::Instant;

/// Limits of BatchGetItem and BatchWriteItem (DynamoDB API reference).
pub(crate) const MAX_KEYS: usize = 100;
const MAX_WRITES: usize = 25;
/// With the pauses in between about half a minute: a table that is throttled grows within minutes, and a message or an
/// import that gives up starts from the beginning.
pub(crate) const ATTEMPTS: u32 = 10;
const IN_FLIGHT: usize = 8;

/// Items that are read and deleted together.
const DELETED_AT_ONCE: i32 = 500;

/// The outcome of a deletion of many items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    pub items: usize,
    /// False if the time was over before all were deleted.
    pub complete: bool,
}

impl Store {
    /// Reads items of one table by key, strongly consistent, in no particular order. Keys must not repeat.
    pub(crate) async fn batch_get(&self, of: impl Keyspace, keys: Vec<Item>) -> Result<Vec<Item>, Error> {
        self.batch_get_as(of, keys, Consistency::Strong).await
    }

    /// Reads items of one table by key, in no particular order. Keys must not repeat.
    pub(crate) async fn batch_get_as(
        &self,
        of: impl Keyspace,
        keys: Vec<Item>,
        consistency: Consistency,
    ) -> Result<Vec<Item>, Error> {
        let keys = keys.into_iter().map(|key| wanted(of, key)).collect();
        Ok(self.read_chunks(keys, consistency).await?.into_iter().map(|(_, item)| item).collect())
    }

    /// Reads items by key, as `batch_get` does, of several tables. Tasks that read at the same time share requests.
    pub(crate) async fn batch_get_all(&self, keys: Vec<(Table, Item)>) -> Result<Vec<(Table, Item)>, Error> {
        self.read_chunks(keys, Consistency::Strong).await
    }

    async fn read_chunks(
        &self,
        keys: Vec<(Table, Item)>,
        consistency: Consistency,
    ) -> Result<Vec<(Table, Item)>, Error> {
        let chunks: Vec<Vec<(Table, Item)>> = keys.chunks(MAX_KEYS).map(<[_]>::to_vec).collect();
        let read = |key| self.together.read(key, consistency);
        let reads = chunks.into_iter().map(|chunk| try_join_all(chunk.into_iter().map(read)));
        let found: Vec<Vec<Option<(Table, Item)>>> =
            stream::iter(reads).buffer_unordered(IN_FLIGHT).try_collect().await?;
        Ok(found.into_iter().flatten().flatten().collect())
    }

    /// Puts and deletes items, in no particular order. Keys must not repeat.
    pub(crate) async fn batch_write(&self, writes: Vec<PlainWrite>) -> Result<(), Error> {
        let chunks: Vec<Vec<PlainWrite>> = writes.chunks(MAX_WRITES).map(<[PlainWrite]>::to_vec).collect();
        let writes = chunks.into_iter().map(|chunk| self.write_chunk(chunk));
        stream::iter(writes).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    /// Deletes what is in a partition, until the deadline.
    pub(crate) async fn delete_all<K: Keyspace>(
        &self,
        of: K,
        partition: String,
        deadline: Instant,
    ) -> Result<Deleted, Error> {
        let delete = |items: Vec<Item>| async move {
            // By their keys alone, so that an item that can't be read is deleted too.
            let deletions: Vec<_> = items.iter().map(|item| PlainWrite::delete(of, K::TABLE.key_of(item))).collect();
            self.batch_write(deletions).await?;
            Ok(items.len())
        };
        self.delete_pages(of, partition, delete, deadline).await
    }

    /// Goes through a partition page by page until the deadline. `delete` deletes what it will of a page, and returns
    /// how many items.
    pub(crate) async fn delete_pages<D: Future<Output = Result<usize, Error>>>(
        &self,
        of: impl Keyspace,
        partition: String,
        delete: impl Fn(Vec<Item>) -> D,
        deadline: Instant,
    ) -> Result<Deleted, Error> {
        let mut query = Query { limit: Some(DELETED_AT_ONCE), ..Query::of(of, partition) };
        let mut deleted = Deleted { items: 0, complete: false };
        while !deleted.complete && Instant::now() < deadline {
            let found = self.database.query(query.clone()).await?;
            deleted.items += delete(found.items).await?;
            query.after = found.next;
            deleted.complete = query.after.is_none();
        }
        Ok(deleted)
    }

    /// Returns every item that a query finds, over all its pages.
    pub(crate) async fn query_all(&self, mut query: Query) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        loop {
            let found = self.database.query(query.clone()).await?;
            items.extend(found.items);
            query.after = found.next;
            if query.after.is_none() {
                return Ok(items);
            }
        }
    }

    /// Returns the item with this key; strongly consistent.
    pub(crate) async fn get(&self, of: impl Keyspace, key: Item) -> Result<Option<Item>, Error> {
        Ok(self.batch_get(of, vec![key]).await?.pop())
    }

    async fn write_chunk(&self, mut pending: Vec<PlainWrite>) -> Result<(), Error> {
        for attempt in 0..ATTEMPTS {
            pause_before(attempt).await;
            pending = self.database.batch_write(pending).await?;
            if pending.is_empty() {
                return Ok(());
            }
        }
        Err(Error::Unprocessed { operation: "BatchWriteItem" })
    }
}

/// Waits before a part is tried again. Unprocessed parts mean that the table is being throttled.
pub(crate) async fn pause_before(attempt: u32) {
    if attempt > 0 {
        let (first, max) = (Duration::from_millis(25), Duration::from_secs(20));
        tokio::time::sleep(time::backoff(first, attempt, max, fastrand::f64())).await;
    }
}
