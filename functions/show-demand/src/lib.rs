//! `GET /inventory/backinstock/demand`

use jiff::Timestamp;
use restock_domain::{Locale, time};
use restock_http::{Call, Problem, Reply, limit};
use restock_store::{Store, Wanted};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

const USUAL_LIMIT: usize = 50;
const MOST_SKUS: usize = 1_000;
/// API Gateway waits for 30 seconds, and the function has 28.
const PATIENCE: Duration = Duration::from_secs(20);

/// What shoppers wait for most.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownDemand {
    /// RFC 3339. A subscription of the last second may be missing.
    #[serde(serialize_with = "time::rfc3339::serialize")]
    pub counted_on: Timestamp,
    /// Whether every subscription was counted; with millions of them the time may not be enough.
    pub complete: bool,
    /// All SKUs that somebody waits for; those shown are the first.
    pub total_skus: usize,
    pub skus: Vec<Wanted>,
}

/// The most wanted SKUs, of all locales or of one (`?locale=`), `?limit=` of them.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let locale = call.parsed_query("locale", Locale::parse)?;
    let limit = call.parsed_query("limit", |raw| limit(raw, MOST_SKUS))?.unwrap_or(USUAL_LIMIT);
    let counted_on = Timestamp::now();
    let mut demand = store.demand(locale.as_ref(), Instant::now() + PATIENCE).await?;
    let total_skus = demand.skus.len();
    demand.skus.truncate(limit);
    Reply::ok(&ShownDemand { counted_on, complete: demand.complete, total_skus, skus: demand.skus })
}
