//! Serves `GET /inventory/backinstock/demand`.

use jiff::Timestamp;
use restock_api::Moment;
use restock_api::log::{DEFAULT_LIMIT, Demand, MAX_SKUS, ShowDemand, Wanted};
use restock_domain::Locale;
use restock_http::{Call, Failure, Handles, LONG_REQUEST, Reply, limit};
use restock_store::Store;
use tokio::time::Instant;

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Shows the most wanted SKUs, of all locales or of one (`?locale=`), `?limit=` of them.
impl Handles<ShowDemand> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ShowDemand>, Failure> {
        let locale = call.parsed_query("locale", Locale::parse)?;
        let limit = call.parsed_query("limit", |raw| limit(raw, MAX_SKUS))?.unwrap_or(DEFAULT_LIMIT);
        let counted_on = Moment((self.clock)());
        let demand = self.store.demand(locale.as_ref(), Instant::now() + LONG_REQUEST).await?;
        let total_skus = demand.skus.len();
        let skus = demand.skus.into_iter().take(limit).map(Wanted::from).collect();
        Ok(Reply::new(Demand { counted_on, complete: demand.complete, total_skus, skus }))
    }
}
