use crate::database::{Statement, TableCondition, Write, Written};
use crate::item::text;
use crate::subscription_item::{DELIVERY, RENEWED_ON, TABLE, key, read};
use crate::together::Tried;
use crate::{Deleted, Error, Store};
use futures::future::try_join_all;
use jiff::Timestamp;
use restock_domain::{Scope, Sku, Subscription};
use tokio::time::Instant;

/// Subscriptions that are read and deleted together.
const PAGE: i32 = 200;

impl Store {
    /// Deletes the subscriptions of a SKU, or as many as the deadline allows. Those that were made, moved in or asked
    /// for again after `made_until` stay. The index that it reads lags the table, so whoever subscribed a moment before
    /// may be left.
    pub async fn end_subscriptions(
        &self,
        sku: &Sku,
        made_until: Timestamp,
        deadline: Instant,
    ) -> Result<Deleted, Error> {
        let (mut ended, mut after) = (Deleted { items: 0, complete: false }, None);
        while !ended.complete && Instant::now() < deadline {
            let page = self.matching(sku, &Scope::Sku, None, after, PAGE).await?;
            let old = page.subscriptions.iter().filter(|found| found.here_since() <= made_until);
            let deleted = try_join_all(old.map(|found| self.end_subscription(found, made_until))).await?;
            ended.items += deleted.into_iter().filter(|deleted| *deleted).count();
            after = page.next;
            ended.complete = after.is_none();
        }
        Ok(ended)
    }

    /// Deletes a subscription that the index shows. Returns false if it is gone, or was made or asked for again later.
    pub(crate) async fn end_subscription(&self, found: &Subscription, made_until: Timestamp) -> Result<bool, Error> {
        let same = TableCondition::Is(DELIVERY, text(found.delivery.to_string()));
        let unless_renewed = TableCondition::All(vec![same, TableCondition::Missing(RENEWED_ON)]);
        let statement = Statement::remove(TABLE, key(found.id())).when(unless_renewed);
        let mut seen = match self.together.change(statement).await? {
            Tried::Done(_) => return Ok(true),
            Tried::Refused(item) => item,
        };
        while let Some(item) = seen {
            let waiting = read(item)?;
            if !waiting.is_made_until(made_until) {
                return Ok(false);
            }
            let delete = Write::delete(TABLE, key(found.id())).when(waiting.unchanged());
            match self.database.write(delete).await? {
                Written::Done(_) => return Ok(true),
                Written::Refused(item) => seen = item,
            }
        }
        Ok(false)
    }
}
