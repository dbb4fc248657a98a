//! Events for other systems, on the account's default bus of EventBridge. docs/operations.md has their schema.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use jiff::Timestamp;
use restock_access::{Access, note};
use restock_domain::{Sku, time};
use serde_json::json;
use std::time::Duration;

/// What stands in `source`.
const SOURCE: &str = "restock";
/// A caller waits for it, and what is not told is told at a later call.
const WITHIN: Duration = Duration::from_secs(2);

/// EventBridge. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    client: Client,
    /// The address of the API, by which stacks of one account are told apart.
    api: String,
}

/// EventBridge did not take an event.
#[derive(Debug, thiserror::Error)]
#[error("EventBridge did not take the event: {0}")]
pub struct NotTaken(String);

struct PutEvents;

impl Access for PutEvents {
    const ACTION: &'static str = "events:PutEvents";
    /// Of the default bus.
    const RESOURCE: &'static str = "";
}

impl Events {
    pub fn new(client: Client, api: String) -> Self {
        Self { client, api }
    }

    /// Tells that at least so many wait for a SKU.
    pub async fn tell_of_demand(&self, sku: &Sku, threshold: u64, now: Timestamp) -> Result<(), NotTaken> {
        note::<PutEvents>();
        let detail = json!({"sku": sku, "threshold": threshold, "noticedOn": time::sortable(now), "api": self.api});
        let entry = PutEventsRequestEntry::builder()
            .source(SOURCE)
            .detail_type("Demand Threshold Reached")
            .detail(detail.to_string())
            .build();
        let within = TimeoutConfig::builder().operation_timeout(WITHIN).build();
        let within = aws_sdk_eventbridge::Config::builder().timeout_config(within);
        let answer = self.client.put_events().entries(entry).customize().config_override(within).send().await;
        let answer = answer.map_err(|error| {
            let message = error.as_service_error().and_then(|error| error.meta().message());
            NotTaken(message.or(error.code()).unwrap_or("no answer in time").to_owned())
        })?;
        let refused = answer.entries().iter().find_map(|entry| entry.error_message().or(entry.error_code()));
        refused.map_or(Ok(()), |reason| Err(NotTaken(reason.to_owned())))
    }
}
