//! The record of a delivery, which outlives its subscription.

use crate::database::Item;
use crate::item::{damaged, string_of, texts};
use crate::keyspace;
use crate::{Error, LogKey};
use jiff::Timestamp;
use restock_domain::delivery::Milestone;
use restock_domain::{DeliveryId, Sku, Subscription};

pub fn key(delivery: DeliveryId) -> Item {
    texts([("delivery", &delivery.to_string())])
}

/// Returns when SES accepted the mail, by its record. A damaged record is an error: taken for no mail, it would be one more.
pub fn sent_at(record: &Item) -> Result<Option<Timestamp>, Error> {
    let at = string_of(record, Milestone::Accepted.as_str());
    at.map(|at| at.parse().map_err(|error: jiff::Error| damaged(keyspace::Deliveries, record, error))).transpose()
}

/// Returns the log entry of the level for which SES permanently refused the mail, if that was what became of it.
pub fn refused_for(record: &Item) -> Option<String> {
    let refused = record.contains_key(Milestone::Failed.as_str()) && !record.contains_key(Milestone::Accepted.as_str());
    string_of(record, "entry").filter(|_| refused).cloned()
}

/// Returns what a record says besides its milestones.
pub fn facts(subscription: &Subscription, log_entry: &str) -> Item {
    let contact_id = subscription.contact_id.to_string();
    texts([("contactId", &contact_id), ("sku", subscription.sku.as_str()), ("entry", log_entry)])
}

/// Returns the log entry of the level that the mail was for.
pub fn log_key(record: &Item) -> Option<LogKey> {
    let sku = Sku::restore(string_of(record, "sku")?);
    Some(LogKey { sku, entry: string_of(record, "entry")?.clone() })
}
