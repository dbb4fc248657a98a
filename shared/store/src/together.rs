//! Reads and changes of single items, made together with those of other tasks at the same time.

use crate::batch::{ATTEMPTS, MAX_KEYS, pause_before};
use crate::database::{Action, Consistency, Database, Executed, Item, Statement, Table};
use crate::keyspace::Keyspace;
use crate::{Error, Store};
use futures::FutureExt;
use restock_gather::{Ask, Gather, Second};
use std::collections::HashMap;
use std::sync::Arc;

/// The limit of BatchExecuteStatement (DynamoDB API reference).
const MAX_STATEMENTS: usize = 25;
/// With the pauses in between less than a second: others wait for the same request, and hold claims.
const TRIES: u32 = 5;

/// The outcome of a change that was made together with others.
#[derive(Debug, Clone)]
pub enum Tried {
    /// The item after the change, if that was asked for.
    Done(Option<Item>),
    /// The condition does not hold; the item, if it is known.
    Refused(Option<Item>),
}

type Read = Result<Option<(Table, Item)>, Error>;

/// Reads that may share a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reads {
    consistency: Consistency,
    /// Policies limit the configuration by its keys, and nothing says how that goes with other tables in one request.
    of_configuration: bool,
}

pub struct Together {
    database: Arc<dyn Database>,
    reads: Gather<Reads, (Table, Item), Read>,
    changes: Gather<(), Statement, Result<Tried, Error>>,
}

impl Together {
    pub fn new(database: Arc<dyn Database>) -> Self {
        let reads = Gather::new(MAX_KEYS, Second::Shares);
        Self { database, reads, changes: Gather::new(MAX_STATEMENTS, Second::Waits) }
    }

    /// Returns the item with this key, if there is one.
    pub async fn read(&self, key: (Table, Item), consistency: Consistency) -> Read {
        let database = self.database.clone();
        let group = Reads { consistency, of_configuration: key.0 == Table::Configuration };
        let ask = Ask { group, about: name_of(key.0, &key.1), weight: 1, asked: key };
        self.reads.ask(ask, move |keys| read_all(database, keys, consistency).boxed()).await
    }

    /// Makes a change if its condition holds. AWS makes changes of a batch each by itself, so one says nothing of the
    /// others.
    pub async fn change(&self, statement: Statement) -> Result<Tried, Error> {
        let database = self.database.clone();
        let about = name_of(statement.table, &statement.key);
        let ask = Ask { group: (), about, weight: 1, asked: statement };
        self.changes.ask(ask, move |statements| execute_all(database, statements).boxed()).await
    }
}

impl Store {
    /// Makes an item with the attributes that an update would give it, together with changes of other tasks; returns
    /// false if it is there already.
    pub(crate) async fn insert(&self, of: impl Keyspace, key: Item, actions: &[Action]) -> Result<bool, Error> {
        let attributes = actions.iter().filter_map(Action::of_new_item).collect();
        let tried = self.together.change(Statement::insert(of, key, attributes)).await?;
        Ok(matches!(tried, Tried::Done(_)))
    }
}

async fn read_all(database: Arc<dyn Database>, keys: Vec<(Table, Item)>, consistency: Consistency) -> Vec<Read> {
    let names: Vec<String> = keys.iter().map(|(table, key)| name_of(*table, key)).collect();
    let (mut read, mut pending): (HashMap<String, Read>, _) = (HashMap::new(), keys);
    let mut failure = Error::Unprocessed { operation: "BatchGetItem" };
    for attempt in 0..ATTEMPTS {
        pause_before(attempt).await;
        match database.batch_get(pending.clone(), consistency).await {
            Ok(got) => {
                let found = got.found.into_iter();
                read.extend(found.map(|(table, item)| (name_of(table, &table.key_of(&item)), Ok(Some((table, item))))));
                pending = got.unprocessed;
            }
            Err(error) => {
                failure = error;
                break;
            }
        }
        if pending.is_empty() {
            break;
        }
    }
    // What others were still waiting for costs only them.
    read.extend(pending.iter().map(|(table, key)| (name_of(*table, key), Err(failure.clone()))));
    names.iter().map(|name| read.remove(name).unwrap_or(Ok(None))).collect()
}

async fn execute_all(database: Arc<dyn Database>, statements: Vec<Statement>) -> Vec<Result<Tried, Error>> {
    let undone = || Err(Error::Unprocessed { operation: "BatchExecuteStatement" });
    let mut outcomes: Vec<Result<Tried, Error>> = statements.iter().map(|_| undone()).collect();
    let mut pending: Vec<(usize, Statement)> = statements.into_iter().enumerate().collect();
    for attempt in 0..TRIES {
        pause_before(attempt).await;
        let executed = match database.execute(pending.iter().map(|(_, statement)| statement.clone()).collect()).await {
            Ok(executed) => executed,
            Err(error) => {
                pending.iter().for_each(|(place, _)| outcomes[*place] = Err(error.clone()));
                return outcomes;
            }
        };
        let mut left = Vec::new();
        for ((place, statement), executed) in pending.into_iter().zip(executed) {
            outcomes[place] = match executed {
                Executed::Done(item) => Ok(Tried::Done(item)),
                Executed::Refused(item) => Ok(Tried::Refused(item)),
                Executed::Failed(error) => Err(error),
                Executed::NotNow => {
                    left.push((place, statement));
                    continue;
                }
            };
        }
        pending = left;
        if pending.is_empty() {
            break;
        }
    }
    outcomes
}

/// Returns a text that is different for each item.
fn name_of(table: Table, key: &Item) -> String {
    let (partition, sort) = table.key();
    let value = |name: &str| key.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    // A length, so that no two keys are joined to the same text.
    format!("{table} {} {}{}", value(partition).len(), value(partition), sort.map_or("", value))
}
