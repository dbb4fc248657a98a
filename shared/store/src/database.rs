//! The requests that Restock makes of its tables: a small part of what DynamoDB can do, as values.
//!
//! [`Store`](crate::Store) says everything in these words. DynamoDB carries them out in production; the simulation of
//! the delivery guarantee has tables in memory that do the same, with faults.

use crate::Error;
use crate::keyspace::{self, Keyspace};
pub use crate::table::{Item, Table};
pub use aws_sdk_dynamodb::types::AttributeValue;
use std::pin::Pin;

pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

pub trait Database: Send + Sync {
    /// Reads at most 100 items by key, in no particular order. Keys must not repeat.
    fn batch_get(&self, keys: Vec<(Table, Item)>, consistency: Consistency) -> Pending<'_, BatchGot>;

    /// Carries a change out if its condition holds.
    fn write(&self, write: Write) -> Pending<'_, Written>;

    /// Carries every change out, or none if one condition does not hold.
    fn write_all(&self, writes: Vec<Write>) -> Pending<'_, AllWritten>;

    /// Carries at most 25 statements out, each by itself, and answers in their order. No two may be about one item.
    fn execute(&self, statements: Vec<Statement>) -> Pending<'_, Vec<Executed>>;

    /// Puts and deletes at most 25 items, and returns what was left undone.
    fn batch_write(&self, writes: Vec<PlainWrite>) -> Pending<'_, Vec<PlainWrite>>;

    /// Reads a page of a partition: of a table strongly consistent, of an index as far as it has caught up.
    fn query(&self, query: Query) -> Pending<'_, FoundItems>;

    /// Reads a page of a part of a table or index, in no particular order: of a table strongly consistent, of an index
    /// as far as it has caught up.
    fn scan(&self, scan: Scan) -> Pending<'_, FoundItems>;
}

/// What a read of items by key shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Every write that was answered before.
    Strong,
    /// The item as it is or was a moment ago, for half the read units.
    Eventual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Index {
    BySkuLocale,
    BySkuExternalId,
    ByMonth,
    ByProductType,
}

/// One change of one item.
#[derive(Debug, Clone)]
pub struct Write {
    pub table: Table,
    pub key: Item,
    pub change: Change,
    pub condition: TableCondition,
}

/// A change of one item that can be carried out together with others.
#[derive(Debug, Clone)]
pub struct Statement {
    pub table: Table,
    pub key: Item,
    pub alteration: Alteration,
    pub condition: TableCondition,
    /// True if the item is wanted as it is after the change.
    pub returns_item: bool,
}

/// What a statement can do, which is less than a [`Change`] can.
#[derive(Debug, Clone)]
pub enum Alteration {
    /// Makes the item, if there is none with its key.
    Insert(Item),
    /// Sets attributes of the item, if there is one.
    Set(Item),
    /// Removes attributes of the item, if there is one.
    Unset(Vec<&'static str>),
    /// Deletes the item, if there is one.
    Remove,
}

/// What became of a statement.
#[derive(Debug)]
pub enum Executed {
    /// The item after a change, if that was asked for.
    Done(Option<Item>),
    /// The condition does not hold; the item, if it is known.
    Refused(Option<Item>),
    /// It was certainly not carried out, and may be later.
    NotNow,
    Failed(Error),
}

/// A change without a condition, which can be batched.
#[derive(Debug, Clone)]
pub enum PlainWrite {
    /// The whole item, with its key.
    Put(Table, Item),
    /// By key.
    Delete(Table, Item),
}

#[derive(Debug, Clone)]
pub enum Change {
    /// Replaces the item by these attributes and the key's.
    Put(Item),
    /// Changes single attributes; makes the item where there is none.
    Update(Vec<Action>),
    Delete,
}

#[derive(Debug, Clone)]
pub enum Action {
    Set(String, AttributeValue),
    SetIfMissing(String, AttributeValue),
    /// A missing number counts as 0.
    Add(String, i64),
    Remove(String),
}

/// A condition on the item as it is.
#[derive(Debug, Clone)]
pub enum TableCondition {
    Always,
    Exists(&'static str),
    Missing(&'static str),
    Is(&'static str, AttributeValue),
    IsNot(&'static str, AttributeValue),
    AtMost(&'static str, AttributeValue),
    All(Vec<TableCondition>),
    Any(Vec<TableCondition>),
}

#[derive(Debug)]
pub enum Written {
    /// The item after an update; before a put or a deletion, if there was one.
    Done(Option<Item>),
    /// The condition does not hold of the item, if there is one.
    Refused(Option<Item>),
}

#[derive(Debug)]
pub enum AllWritten {
    Done,
    /// In the order of the writes, the items of those whose condition does not hold.
    Refused(Vec<Option<Item>>),
}

#[derive(Debug, Default)]
pub struct BatchGot {
    pub found: Vec<(Table, Item)>,
    /// The keys to ask for again.
    pub unprocessed: Vec<(Table, Item)>,
}

#[derive(Debug, Clone)]
pub struct Query {
    pub table: Table,
    pub index: Option<Index>,
    pub partition: String,
    pub range: Range,
    pub newest_first: bool,
    pub limit: Option<i32>,
    /// Where the page before ended.
    pub after: Option<Item>,
}

#[derive(Debug, Clone)]
pub struct Scan {
    pub table: Table,
    pub index: Option<Index>,
    /// The attributes that are wanted of each item; empty for all.
    pub attributes: &'static [&'static str],
    /// Which of how many parts; several can be read at the same time.
    pub segment: i32,
    pub segments: i32,
    pub limit: Option<i32>,
    /// Where the page before ended.
    pub after: Option<Item>,
}

/// A condition on the sort key.
#[derive(Debug, Clone)]
pub enum Range {
    All,
    BeginsWith(String),
    Before(String),
    /// From the first to the second, both included.
    Between(String, String),
}

#[derive(Debug, Default)]
pub struct FoundItems {
    pub items: Vec<Item>,
    /// Where the next page begins, if there is one.
    pub next: Option<Item>,
}

impl Index {
    pub fn name(self) -> &'static str {
        match self {
            Self::BySkuLocale => "by-sku-locale",
            Self::BySkuExternalId => "by-sku-external-id",
            Self::ByMonth => "by-month",
            Self::ByProductType => "by-product-type",
        }
    }

    /// Returns the partition key and the sort key.
    pub fn key(self) -> (&'static str, &'static str) {
        match self {
            Self::BySkuLocale => ("sku", "localeOrder"),
            Self::BySkuExternalId => ("sku", "externalIdOrder"),
            Self::ByMonth => ("month", "entry"),
            Self::ByProductType => ("productType", "itemGroup"),
        }
    }
}

impl Write {
    pub fn put(of: impl Keyspace, key: Item, attributes: Item) -> Self {
        Self::new(keyspace::put_of(of), key, Change::Put(attributes))
    }

    pub fn update(of: impl Keyspace, key: Item, actions: Vec<Action>) -> Self {
        Self::new(keyspace::update_of(of), key, Change::Update(actions))
    }

    pub fn delete(of: impl Keyspace, key: Item) -> Self {
        Self::new(keyspace::delete_of(of), key, Change::Delete)
    }

    fn new(table: Table, key: Item, change: Change) -> Self {
        Self { table, key, change, condition: TableCondition::Always }
    }

    #[must_use]
    pub fn when(mut self, condition: TableCondition) -> Self {
        self.condition = condition;
        self
    }
}

impl Statement {
    pub fn insert(of: impl Keyspace, key: Item, attributes: Item) -> Self {
        Self::new(keyspace::insert_of(of), key, Alteration::Insert(attributes))
    }

    pub fn set(of: impl Keyspace, key: Item, attributes: Item) -> Self {
        Self::new(keyspace::change_of(of), key, Alteration::Set(attributes))
    }

    pub fn unset(of: impl Keyspace, key: Item, names: &[&'static str]) -> Self {
        Self::new(keyspace::change_of(of), key, Alteration::Unset(names.to_vec()))
    }

    pub fn remove(of: impl Keyspace, key: Item) -> Self {
        Self::new(keyspace::remove_of(of), key, Alteration::Remove)
    }

    fn new(table: Table, key: Item, alteration: Alteration) -> Self {
        Self { table, key, alteration, condition: TableCondition::Always, returns_item: false }
    }

    #[must_use]
    pub fn when(self, condition: TableCondition) -> Self {
        Self { condition, ..self }
    }

    /// Asks for the item as it is after a change.
    #[must_use]
    pub fn returning(self) -> Self {
        Self { returns_item: true, ..self }
    }
}

impl PlainWrite {
    pub fn put(of: impl Keyspace, item: Item) -> Self {
        Self::Put(keyspace::batch_write_of(of), item)
    }

    pub fn delete(of: impl Keyspace, key: Item) -> Self {
        Self::Delete(keyspace::batch_write_of(of), key)
    }
}

/// Returns a key to be read in a batch.
pub fn wanted(of: impl Keyspace, key: Item) -> (Table, Item) {
    (keyspace::batch_get_of(of), key)
}

impl Query {
    /// Returns every item of a table's partition.
    pub fn of(of: impl Keyspace, partition: impl Into<String>) -> Self {
        Self::new(keyspace::query_of(of), None, partition.into())
    }

    /// Returns every item of an index's partition.
    pub fn of_index(of: impl Keyspace, index: Index, partition: impl Into<String>) -> Self {
        Self::new(keyspace::query_index_of(of), Some(index), partition.into())
    }

    /// Returns every item of a kind in the configuration table.
    pub fn of_kind<K: Keyspace>(of: K) -> Self {
        Self::of(of, K::KIND)
    }

    fn new(table: Table, index: Option<Index>, partition: String) -> Self {
        Self { table, index, partition, range: Range::All, newest_first: false, limit: None, after: None }
    }

    /// Returns the names of the partition key and the sort key.
    pub fn key(&self) -> (&'static str, &'static str) {
        match self.index {
            Some(index) => index.key(),
            None => (self.table.key().0, self.table.key().1.unwrap_or_default()),
        }
    }
}

impl Scan {
    /// Returns every item of a table.
    pub fn of(of: impl Keyspace) -> Self {
        Self::new(keyspace::scan_of(of), None)
    }

    /// Returns every item of an index.
    pub fn of_index(of: impl Keyspace, index: Index) -> Self {
        Self::new(keyspace::scan_index_of(of), Some(index))
    }

    fn new(table: Table, index: Option<Index>) -> Self {
        Self { table, index, attributes: &[], segment: 0, segments: 1, limit: None, after: None }
    }
}

impl Action {
    pub fn set(name: impl Into<String>, value: AttributeValue) -> Self {
        Self::Set(name.into(), value)
    }

    /// Returns the attribute that an item has after it, if it is new.
    pub fn of_new_item(&self) -> Option<(String, AttributeValue)> {
        match self {
            Self::Set(name, value) | Self::SetIfMissing(name, value) => Some((name.clone(), value.clone())),
            Self::Add(name, number) => Some((name.clone(), AttributeValue::N(number.to_string()))),
            Self::Remove(_) => None,
        }
    }
}
