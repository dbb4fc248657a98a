//! The record of a delivery, which outlives its subscription.

use crate::LogKey;
use crate::database::{Action, Item};
use crate::item::{string_of, text, texts};
use jiff::Timestamp;
use restock_domain::delivery::Milestone;
use restock_domain::{DeliveryId, Sku, Subscription};

pub fn key(delivery: DeliveryId) -> Item {
    texts([("delivery", &delivery.to_string())])
}

/// Returns when SES accepted the mail, by its record.
pub fn sent_at(record: &Item) -> Option<Timestamp> {
    string_of(record, Milestone::Accepted.as_str())?.parse().ok()
}

/// Returns what a record says besides its milestones.
pub fn facts(subscription: &Subscription, log_entry: &str) -> Vec<Action> {
    vec![
        Action::set("contactId", text(subscription.contact_id.to_string())),
        Action::set("sku", text(subscription.sku.as_str())),
        Action::set("entry", text(log_entry)),
    ]
}

/// Returns the log entry of the level that the mail was for.
pub fn log_key(record: &Item) -> Option<LogKey> {
    let sku = Sku::restore(string_of(record, "sku")?);
    Some(LogKey { sku, entry: string_of(record, "entry")?.clone() })
}
