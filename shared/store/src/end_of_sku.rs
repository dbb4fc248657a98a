use crate::database::{Statement, TableCondition};
use crate::item::text;
use crate::subscription_item::{DELIVERY, RENEWED_ON, TABLE, Waiting, key, read};
use crate::together::Tried;
use crate::{Deleted, Error, Store};
use futures::future::try_join_all;
use jiff::Timestamp;
use restock_domain::{Scope, Sku, Subscription};
use tokio::time::Instant;

/// Subscriptions that are read and deleted together.
const PAGE: i32 = 200;

impl Store {
    /// Deletes the subscriptions of a SKU, or as many as the deadline allows. Those that were made, or asked for again, after
    /// `made_until` stay. The index that it reads lags the table, so whoever subscribed a moment before may be left.
    pub async fn end_subscriptions(
        &self,
        sku: &Sku,
        made_until: Timestamp,
        deadline: Instant,
    ) -> Result<Deleted, Error> {
        let (mut ended, mut after) = (Deleted { items: 0, complete: false }, None);
        while !ended.complete && Instant::now() < deadline {
            let page = self.matching(sku, &Scope::Sku, None, after, PAGE).await?;
            let old = page.subscriptions.iter().filter(|found| found.created_on <= made_until);
            let deleted = try_join_all(old.map(|found| self.end_subscription(found, made_until))).await?;
            ended.items += deleted.into_iter().filter(|deleted| *deleted).count();
            after = page.next;
            ended.complete = after.is_none();
        }
        Ok(ended)
    }

    /// Deletes a subscription as the index shows it. Returns false if it is gone, or was asked for again.
    async fn end_subscription(&self, found: &Subscription, made_until: Timestamp) -> Result<bool, Error> {
        let same = || TableCondition::Is(DELIVERY, text(found.delivery.to_string()));
        let remove = || Statement::remove(TABLE, key(found.id()));
        let unless_renewed = TableCondition::All(vec![same(), TableCondition::Missing(RENEWED_ON)]);
        let item = match self.together.change(remove().when(unless_renewed)).await? {
            Tried::Done(_) => return Ok(true),
            Tried::Refused(None) => return Ok(false),
            Tried::Refused(Some(item)) => item,
        };
        let Waiting { subscription, renewed_on, .. } = read(item)?;
        if subscription.delivery != found.delivery || renewed_on.iter().any(|on| *on > made_until) {
            return Ok(false);
        }
        Ok(matches!(self.together.change(remove().when(same())).await?, Tried::Done(_)))
    }
}
