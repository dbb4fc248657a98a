//! Ticks: when the line of a scope is to be looked at again. Each is an item until it was handled, so none is lost.

use crate::database::{Query, Range, Write};
use crate::item::{read_each, read_item, write_item};
use crate::keyspace::{self, kind_key};
use crate::stock::scope_key;
use crate::{Error, Store};
use jiff::Timestamp;
use restock_domain::{ExternalId, Locale, Scope, Sku, hex, time};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

const TABLE: keyspace::WaveTicks = keyspace::WaveTicks;

/// Seconds between moments at which ticks are due.
const STEP: i64 = 10;
const MAX_AHEAD: Duration = Duration::from_secs(3_600);

/// A scope of a SKU whose line is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tick {
    pub sku: Sku,
    pub scope: Scope,
}

/// A tick that is due, with the id by which it is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTick {
    pub id: String,
    pub tick: Tick,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TickItem {
    #[serde(default, skip_serializing)]
    id: String,
    sku: Sku,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<Locale>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<ExternalId>,
}

impl Store {
    /// Makes sure that a scope is looked at then, or soon after. Of several at about the same time there is one. What
    /// lies far ahead is looked at before too, as settings may change.
    pub async fn put_tick(&self, tick: &Tick, at: Timestamp, now: Timestamp) -> Result<(), Error> {
        let Tick { sku, scope } = tick.clone();
        let second = at.min(now + MAX_AHEAD).as_second();
        let at = Timestamp::from_second((second.div_euclid(STEP) + 1) * STEP).unwrap_or(at);
        let digest = Sha256::digest(format!("{} {}{}", sku.as_str().len(), sku.as_str(), scope_key(&scope)).as_bytes());
        let id = format!("{}#{}", time::sortable(at), hex(&digest[..16]));
        let (locale, external_id) = (scope.locale().cloned(), scope.external_id().cloned());
        let item = write_item(TABLE, TickItem { id: String::new(), sku, locale, external_id })?;
        self.database.write(Write::put(TABLE, kind_key(TABLE, &id), item)).await.map(drop)
    }

    /// Returns ticks that are due, the oldest first, at most so many.
    pub async fn due_ticks(&self, now: Timestamp, max: i32) -> Result<Vec<DueTick>, Error> {
        let due = Query { range: Range::Before(time::sortable(now)), limit: Some(max), ..Query::of_kind(TABLE) };
        let found = self.database.query(due).await?;
        Ok(read_each(found.items, |item| {
            let TickItem { id, sku, locale, external_id } = read_item(TABLE, item)?;
            Ok(DueTick { id, tick: Tick { sku, scope: Scope::of(locale, external_id) } })
        }))
    }

    /// Removes a tick that was handled.
    pub async fn remove_tick(&self, id: &str) -> Result<(), Error> {
        self.database.write(Write::delete(TABLE, kind_key(TABLE, id))).await.map(drop)
    }
}
