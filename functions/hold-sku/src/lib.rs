//! Serves `PUT`, `DELETE` and `GET /inventory/backinstock/holds`.

use jiff::Timestamp;
use restock_api::Moment;
use restock_api::holds::{Hold, HoldRequest, HoldSku, ReleaseSku, Released, ShowHolds};
use restock_api::values::ShortText;
use restock_domain::{Pause, Sku};
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;
use tracing::info;

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Holds a SKU. Senders look at holds just before each mail; who is to be mailed waits on the queue.
impl Handles<HoldSku> for App {
    async fn handle(&self, _: Call, body: HoldRequest) -> Result<Reply<HoldSku>, Failure> {
        let HoldRequest { sku, reason } = body;
        let reason = reason.and_then(ShortText::not_empty);
        let hold = self.store.hold(&sku, &Pause { since: (self.clock)(), reason, by_itself: false }).await?;
        info!(%sku, since = %hold.since, "A SKU is held");
        Ok(Reply::new(Hold::new(sku, hold)))
    }
}

/// Ends a hold; that there is none is fine.
impl Handles<ReleaseSku> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ReleaseSku>, Failure> {
        let sku = call.required_query("sku", Sku::parse, "Add ?sku= with the SKU to release.")?;
        let ended = self.store.release_hold(&sku).await?;
        info!(%sku, was_held = ended.is_some(), "A SKU is released");
        let held_on = ended.map(|hold| Moment(hold.since));
        Ok(Reply::new(Released { sku, held_on }))
    }
}

impl Handles<ShowHolds> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ShowHolds>, Failure> {
        let holds = self.store.holds().await?.into_iter();
        Ok(Reply::new(holds.map(|(sku, hold)| Hold::new(sku, hold)).collect::<Vec<_>>()))
    }
}
