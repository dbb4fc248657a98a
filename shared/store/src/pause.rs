//! The pause of all sending, and holds of single SKUs, which an operator may make and end at any time.

use crate::database::{Action, Item, Query, Write, Written, wanted};
use crate::item::{read_each, read_item, string_of, text};
use crate::keyspace::{self, Keyspace, kind_key};
use crate::{Error, Since, Store};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use restock_domain::{Pause, Sku, time};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const PAUSES: keyspace::Pauses = keyspace::Pauses;
const HOLDS: keyspace::Holds = keyspace::Holds;
/// The id of the only pause.
const ALL: &str = "sending";

/// How long what was seen is used without another look.
const SEEN_FOR: Duration = Duration::from_secs(2);

/// What stops the mails about a SKU, at some moment.
#[derive(Debug, Clone)]
pub struct Stops {
    /// The pause of all sending.
    all: Option<Pause>,
    /// The hold of the SKU.
    hold: Option<Pause>,
    /// That moment; a stop that was made before it is seen.
    pub seen_at: Since,
}

impl Stops {
    pub fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// Returns what stops the mails, if anything does.
    pub fn pause(&self) -> Option<&Pause> {
        self.all.as_ref().or(self.hold.as_ref())
    }
}

/// What stops mails, as it was a moment ago: so many mails share a look.
pub struct CachedStops {
    store: Store,
    seen: Mutex<HashMap<Sku, Stops>>,
}

impl CachedStops {
    pub fn new(store: Store) -> Self {
        Self { store, seen: Mutex::default() }
    }

    /// Returns what stops the mails about a SKU.
    pub async fn of(&self, sku: &Sku) -> Result<Stops, Error> {
        let is_fresh = |stops: &Stops| stops.seen_at.elapsed() < SEEN_FOR;
        if let Some(stops) = self.lock().get(sku).filter(|stops| is_fresh(stops)) {
            return Ok(stops.clone());
        }
        let stops = self.store.stops(sku).await?;
        let mut seen = self.lock();
        seen.retain(|_, stops| is_fresh(stops));
        seen.insert(sku.clone(), stops.clone());
        Ok(stops)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sku, Stops>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PauseItem {
    since: Timestamp,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    by_itself: bool,
}

impl Store {
    /// Pauses sending. A pause that is in force goes on since when it was, for the new reason if one is given.
    pub async fn pause(&self, pause: &Pause) -> Result<Pause, Error> {
        self.put_pause(PAUSES, ALL, pause).await
    }

    /// Ends the pause, and returns it if there was one.
    pub async fn resume(&self) -> Result<Option<Pause>, Error> {
        self.end_pause(PAUSES, ALL).await
    }

    /// Returns the pause that is in force; strongly consistent.
    pub async fn pause_in_force(&self) -> Result<Option<Pause>, Error> {
        self.get(PAUSES, kind_key(PAUSES, ALL)).await?.map(|item| read(PAUSES, item)).transpose()
    }

    /// Holds a SKU, as `pause` does all of them.
    pub async fn hold(&self, sku: &Sku, pause: &Pause) -> Result<Pause, Error> {
        self.put_pause(HOLDS, sku.as_str(), pause).await
    }

    /// Ends the hold of a SKU, and returns it if there was one.
    pub async fn release_hold(&self, sku: &Sku) -> Result<Option<Pause>, Error> {
        self.end_pause(HOLDS, sku.as_str()).await
    }

    /// Returns the SKUs that are held.
    pub async fn holds(&self) -> Result<Vec<(Sku, Pause)>, Error> {
        let items = self.query_all(Query::of(HOLDS, keyspace::Holds::KIND)).await?;
        let sku = |item: &Item| Sku::restore(string_of(item, "id").map_or("", String::as_str));
        Ok(read_each(items, |item| Ok((sku(&item), read(HOLDS, item)?))))
    }

    /// Reads what stops the mails about a SKU, a pause or its hold, in one request; strongly consistent.
    pub async fn stops(&self, sku: &Sku) -> Result<Stops, Error> {
        let seen_at = Since::now();
        let keys = vec![wanted(PAUSES, kind_key(PAUSES, ALL)), wanted(HOLDS, kind_key(HOLDS, sku.as_str()))];
        let mut stops = Stops { all: None, hold: None, seen_at };
        for (_, item) in self.batch_get_all(keys).await? {
            if string_of(&item, "kind").is_some_and(|kind| kind == keyspace::Holds::KIND) {
                stops.hold = Some(read(HOLDS, item)?);
            } else {
                stops.all = Some(read(PAUSES, item)?);
            }
        }
        Ok(stops)
    }

    async fn put_pause<K: Keyspace>(&self, table: K, id: &str, pause: &Pause) -> Result<Pause, Error> {
        let since = Action::SetIfMissing("since".into(), text(time::sortable(pause.since)));
        let reason = pause.reason.as_ref().map(|reason| Action::set("reason", text(reason)));
        let by_itself = pause.by_itself.then(|| Action::set("byItself", AttributeValue::Bool(true)));
        let actions = [since].into_iter().chain(reason).chain(by_itself).collect();
        match self.database.write(Write::update(table, kind_key(table, id), actions)).await? {
            Written::Done(Some(item)) => read(table, item),
            // An update answers with the item.
            Written::Done(None) | Written::Refused(_) => Ok(pause.clone()),
        }
    }

    async fn end_pause<K: Keyspace>(&self, table: K, id: &str) -> Result<Option<Pause>, Error> {
        let deletion = Write::delete(table, kind_key(table, id));
        let (Written::Done(item) | Written::Refused(item)) = self.database.write(deletion).await?;
        item.map(|item| read(table, item)).transpose()
    }
}

fn read<K: Keyspace>(table: K, item: Item) -> Result<Pause, Error> {
    let PauseItem { since, reason, by_itself } = read_item(table, item)?;
    Ok(Pause { since, reason, by_itself })
}
