//! The tables of a stack, in which something else is written just before a write, or each write is made twice.

use crate::restock::Restock;
use restock_local::running;
use restock_store::database::{
    AllWritten, BatchGot, Consistency, Database, Executed, FoundItems, Item, Pending, PlainWrite, Query, Scan,
    Statement, Table, Write, Written,
};
use restock_store::{DynamoDb, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone)]
pub struct Hooked {
    tables: Arc<DynamoDb>,
    writes: Arc<AtomicU64>,
    before: Arc<dyn Fn(u64) -> Option<Write> + Send + Sync>,
    twice: Option<Between>,
}

/// What others do before a writing request is repeated.
type Between = Arc<dyn Fn() -> Pending<'static, ()> + Send + Sync>;

impl Hooked {
    /// Hooks a stack's tables: `before` returns what is to be written before the writing request of a number, from 1.
    pub fn new(restock: &Restock, before: impl Fn(u64) -> Option<Write> + Send + Sync + 'static) -> Self {
        let tables = Arc::new(running::database(&restock.stack.ready));
        Self { tables, writes: Arc::default(), before: Arc::new(before), twice: None }
    }

    /// Repeats each writing request, as the SDK does when an answer is lost; the answer is that to the second one.
    pub fn twice(restock: &Restock) -> Self {
        Self::twice_around(restock, || Box::pin(async { Ok(()) }))
    }

    /// Repeats as [`Self::twice`] does, and lets others do something between the two.
    pub fn twice_around(restock: &Restock, between: impl Fn() -> Pending<'static, ()> + Send + Sync + 'static) -> Self {
        Self { twice: Some(Arc::new(between)), ..Self::new(restock, |_| None) }
    }

    /// Returns how many requests to write there were.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    async fn begin(&self) -> Result<(), Error> {
        let number = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        match (self.before)(number) {
            Some(other) => self.tables.write(other).await.map(drop),
            None => Ok(()),
        }
    }
}

impl Database for Hooked {
    fn write(&self, write: Write) -> Pending<'_, Written> {
        Box::pin(async move {
            self.begin().await?;
            if let Some(between) = &self.twice {
                self.tables.write(write.clone()).await?;
                between().await?;
            }
            self.tables.write(write).await
        })
    }

    fn batch_get(&self, keys: Vec<(Table, Item)>, consistency: Consistency) -> Pending<'_, BatchGot> {
        self.tables.batch_get(keys, consistency)
    }

    fn write_all(&self, writes: Vec<Write>) -> Pending<'_, AllWritten> {
        self.tables.write_all(writes)
    }

    fn execute(&self, statements: Vec<Statement>) -> Pending<'_, Vec<Executed>> {
        Box::pin(async move {
            self.begin().await?;
            if let Some(between) = &self.twice {
                self.tables.execute(statements.clone()).await?;
                between().await?;
            }
            self.tables.execute(statements).await
        })
    }

    fn batch_write(&self, writes: Vec<PlainWrite>) -> Pending<'_, Vec<PlainWrite>> {
        Box::pin(async move {
            self.begin().await?;
            self.tables.batch_write(writes).await
        })
    }

    fn query(&self, query: Query) -> Pending<'_, FoundItems> {
        self.tables.query(query)
    }

    fn scan(&self, scan: Scan) -> Pending<'_, FoundItems> {
        self.tables.scan(scan)
    }
}
