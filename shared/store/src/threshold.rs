//! Whether so many wait for a SKU that other systems are told. The demand mark says for which threshold they were.

use crate::database::{Action, Index, Query, TableCondition, Write};
use crate::item::{number, number_of};
use crate::stock::demand;
use crate::{Error, Store, keyspace};
use restock_domain::Sku;

const ANNOUNCED: &str = "announced";

impl Store {
    /// Returns true if at least so many wait for a SKU, as an index shows them, and that was not announced. Once it is
    /// fewer, it may be announced again.
    pub async fn reaches_threshold(&self, sku: &Sku, threshold: u64) -> Result<bool, Error> {
        let mark = self.get(keyspace::Stock, demand(sku)).await?;
        let announced = mark.map(|mark| number_of(keyspace::Stock, &mark, ANNOUNCED)).transpose()?.flatten();
        let announced = announced.map(i64::unsigned_abs);
        let is_reached = self.at_least(sku, threshold).await?;
        if !is_reached && announced.is_some() {
            self.change_mark(sku, Action::Remove(ANNOUNCED.into())).await?;
        }
        Ok(is_reached && announced != Some(threshold))
    }

    /// Remembers that others were told.
    pub async fn note_announced(&self, sku: &Sku, threshold: u64) -> Result<(), Error> {
        self.change_mark(sku, Action::set(ANNOUNCED, number(threshold as i64))).await
    }

    async fn change_mark(&self, sku: &Sku, action: Action) -> Result<(), Error> {
        let write = Write::update(keyspace::Stock, demand(sku), vec![action]);
        self.database.write(write.when(TableCondition::Exists("scope"))).await.map(drop)
    }

    async fn at_least(&self, sku: &Sku, many: u64) -> Result<bool, Error> {
        let (mut found, mut after) = (0, None);
        loop {
            let all = Query::of_index(keyspace::Subscriptions, Index::BySkuLocale, sku.as_str());
            let limit = i32::try_from(many - found).ok();
            let page = self.database.query(Query { limit, after, ..all }).await?;
            found += page.items.len() as u64;
            after = page.next;
            if found >= many || after.is_none() {
                return Ok(found >= many);
            }
        }
    }
}
