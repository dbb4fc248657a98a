//! Serves `DELETE /inventory/backinstock/subscriptions`.

use jiff::Timestamp;
use restock_api::holds::{EndSku, Ended};
use restock_domain::Sku;
use restock_http::{Call, FINISHED_AFTER, Failure, Handles, MAX_DELETING, Reply};
use restock_queue::{EndedSku, Queues};
use restock_store::{Deleted, Store};
use tokio::time::Instant;
use tracing::info;

pub struct App {
    pub store: Store,
    pub queues: Queues,
    pub clock: fn() -> Timestamp,
}

/// Ends all subscriptions of a SKU that were made until now, even those whose mail is queued.
impl Handles<EndSku> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<EndSku>, Failure> {
        let sku = call.required_query("sku", Sku::parse, "Add ?sku= with the SKU whose subscriptions are to end.")?;
        let made_until = (self.clock)();
        // First, so that the rest is deleted if this breaks off.
        self.queues.send(&EndedSku { sku: sku.clone(), made_until }, FINISHED_AFTER).await?;
        let ended = self.store.end_subscriptions(&sku, made_until, Instant::now() + MAX_DELETING).await?;
        let Deleted { items, complete } = ended;
        info!(%sku, subscriptions = items, complete, "The subscriptions of a SKU end");
        Ok(Reply::new(Ended { sku, ended: items as u64, complete }))
    }
}
