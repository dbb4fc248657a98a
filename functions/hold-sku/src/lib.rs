//! Serves `PUT`, `DELETE` and `GET /inventory/backinstock/holds`.

use jiff::Timestamp;
use restock_api::holds::{Hold, HoldRequest, HoldSku, ReleaseSku, Released, ShowHolds};
use restock_api::values::ShortText;
use restock_api::{Moment, Problem};
use restock_domain::{Arrival, ErrorCode, Invalid, KnownLevel, Pause, Sku, Source, StockLevel};
use restock_http::{Call, Failure, Handles, Reply};
use restock_queue::{Continuation, Queues};
use restock_store::Store;
use std::time::Duration;
use tracing::info;

pub struct App {
    pub store: Store,
    pub queues: Queues,
    pub clock: fn() -> Timestamp,
}

/// Holds a SKU. Levels of it are stored meanwhile, and meet nobody.
impl Handles<HoldSku> for App {
    async fn handle(&self, _: Call, body: HoldRequest) -> Result<Reply<HoldSku>, Failure> {
        let HoldRequest { sku, reason } = body;
        let reason = reason.and_then(ShortText::not_empty);
        let hold = self.store.hold(&sku, &Pause { since: (self.clock)(), reason }).await?;
        info!(%sku, since = %hold.since, "A SKU is held");
        Ok(Reply::new(Hold::new(sku, hold)))
    }
}

/// Ends a hold, and lets the newest positive levels meet whoever waits. The hold ends first: a level that comes meanwhile is
/// either met by whoever takes it, or among those that are read afterwards.
impl Handles<ReleaseSku> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ReleaseSku>, Failure> {
        let missing = || Problem::invalid_parameter("sku", Invalid::new(ErrorCode::Required, "Name the SKU: ?sku=…"));
        let sku = call.parsed_query("sku", Sku::parse)?.ok_or_else(missing)?;
        let ended = self.store.release_hold(&sku).await?;
        let (_, levels) = self.store.stock_levels(&sku).await?;
        let mut met = 0;
        for level in levels.into_iter().filter(|level| level.quantity > 0) {
            let again = first_look(sku.clone(), level);
            self.queues.send_continuation(&again, Duration::ZERO).await?;
            met += 1;
        }
        info!(%sku, levels = met, "A SKU is released");
        let held_on = ended.map(|hold| Moment(hold.since));
        Ok(Reply::new(Released { sku, held_on, levels: met }))
    }
}

impl Handles<ShowHolds> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ShowHolds>, Failure> {
        let holds = self.store.holds().await?.into_iter();
        Ok(Reply::new(holds.map(|(sku, hold)| Hold::new(sku, hold)).collect::<Vec<_>>()))
    }
}

/// Returns the first look at a level that is known: the same level, so nobody who was mailed for it is mailed again.
fn first_look(sku: Sku, known: KnownLevel) -> Continuation {
    let KnownLevel { scope, quantity, at, arrival } = known;
    // Versions before this one did not keep it.
    let arrival = arrival.unwrap_or_else(|| Arrival { at, id: "release".into(), source: Source::Http });
    Continuation::first(StockLevel { sku, scope, quantity, updated_on: Some(at) }, arrival)
}
