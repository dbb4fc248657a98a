//! The record of a delivery, which outlives its subscription.

use crate::database::Item;
use crate::item::{damaged, string_of, text, texts};
use crate::keyspace;
use crate::subscription_item::MOVED_IN_ON;
use crate::{Error, LogKey};
use jiff::Timestamp;
use restock_domain::delivery::{Milestone, Record};
use restock_domain::mail_count::{automation_of, tag};
use restock_domain::{AutomationId, ContactId, DeliveryId, ExternalId, Locale, Sku, Subscription, time};
use strum::IntoEnumIterator;

const TABLE: keyspace::Deliveries = keyspace::Deliveries;
/// Sorts after every record, whose sort key is a UUID, and before what else there is of a contact.
pub const AFTER_ALL: &str = "g";
const CREATED_ON: &str = "createdOn";
const TEMPLATE: &str = "template";
const CHOSEN_BY: &str = "chosenBy";

pub fn key(contact_id: ContactId, delivery: DeliveryId) -> Item {
    texts([("contactId", &contact_id.to_string()), ("delivery", &delivery.to_string())])
}

/// Returns the key of the record of a subscription's delivery.
pub fn key_for(subscription: &Subscription) -> Item {
    key(subscription.contact_id, subscription.delivery)
}

/// Returns when SES accepted the mail, by its record. A damaged record is an error: taken for no mail, it would be one
/// more.
pub fn sent_at(record: &Item) -> Result<Option<Timestamp>, Error> {
    reached(record, Milestone::Accepted)
}

fn reached(record: &Item, milestone: Milestone) -> Result<Option<Timestamp>, Error> {
    let at = string_of(record, milestone.as_str());
    at.map(|at| at.parse().map_err(|error: jiff::Error| damaged(TABLE, record, error))).transpose()
}

/// Returns the log entry of the level for which SES permanently refused the mail, if that was what became of it.
pub fn refused_for(record: &Item) -> Option<String> {
    let refused = record.contains_key(Milestone::Failed.as_str()) && !record.contains_key(Milestone::Accepted.as_str());
    string_of(record, "entry").filter(|_| refused).cloned()
}

/// Returns what a record says besides its milestones.
pub fn facts(subscription: &Subscription, log_entry: &str) -> Item {
    let Subscription { sku, locale, external_id, created_on, moved_in_on, .. } = subscription;
    let mut facts = texts([
        ("sku", sku.as_str()),
        ("locale", locale.as_str()),
        (CREATED_ON, &time::sortable(*created_on)),
        ("entry", log_entry),
    ]);
    facts.extend(external_id.as_ref().map(|id| ("externalId".to_owned(), text(id.as_str()))));
    facts.extend(moved_in_on.map(|on| (MOVED_IN_ON.to_owned(), text(time::sortable(on)))));
    facts
}

/// Returns what a record says of the mail itself, as far as it is known: the tag of what it was made of, and the
/// version of the automation that chose its recipient.
pub fn facts_of_mail(template: Option<&str>, chosen_by: Option<&(AutomationId, u64)>) -> Item {
    let template = template.map(|template| (TEMPLATE.to_owned(), text(template)));
    let chosen_by = chosen_by.map(|(id, version)| (CHOSEN_BY.to_owned(), text(tag(id, *version))));
    template.into_iter().chain(chosen_by).collect()
}

/// Returns the log entry of the level that the mail was for.
pub fn log_key(record: &Item) -> Option<LogKey> {
    let sku = Sku::restore(string_of(record, "sku")?);
    Some(LogKey { sku, entry: string_of(record, "entry")?.clone() })
}

/// Reads a record; `None` if it does not say what the subscription was, which was gone when SES told of its mail.
pub fn read(record: &Item) -> Result<Option<Record>, Error> {
    let word = |name: &str| string_of(record, name);
    let missing = |name: &str| damaged(TABLE, record, format!("{name} is missing, or not as it should be"));
    let (Some(sku), Some(locale), Some(entry)) = (word("sku"), word("locale"), word("entry")) else { return Ok(None) };
    let contact_id = word("contactId").and_then(|id| ContactId::parse(id).ok()).ok_or_else(|| missing("contactId"))?;
    let delivery = word("delivery").and_then(|id| DeliveryId::parse(id)).ok_or_else(|| missing("delivery"))?;
    let created_on = word(CREATED_ON).and_then(|on| on.parse().ok()).ok_or_else(|| missing(CREATED_ON))?;
    let mut milestones = Vec::new();
    for milestone in Milestone::iter() {
        milestones.extend(reached(record, milestone)?.map(|at| (milestone, at)));
    }
    Ok(Some(Record {
        subscription: Subscription {
            contact_id,
            sku: Sku::restore(sku),
            locale: Locale::from(locale.clone()),
            external_id: word("externalId").map(|id| ExternalId::restore(id)),
            created_on,
            moved_in_on: word(MOVED_IN_ON).and_then(|on| on.parse().ok()),
            delivery,
            expires_on: None,
        },
        entry: entry.clone(),
        chosen_by: word(CHOSEN_BY).and_then(|tag| automation_of(tag)),
        template: word(TEMPLATE).cloned(),
        reason: word("reason").cloned(),
        milestones,
    }))
}
