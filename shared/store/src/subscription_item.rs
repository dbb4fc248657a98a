//! The item of a subscription: its key, its attributes, and who has claimed it.

use crate::Error;
use crate::database::{Item, TableCondition};
use crate::item::{read_item, text, texts, write_item};
use crate::keyspace;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond;
use restock_domain::delivery::Standing;
use restock_domain::mail_count::automation_of;
use restock_domain::{
    AutomationId, ContactId, DeliveryId, ExternalId, Locale, Sku, Subscription, SubscriptionId, SubscriptionKey, time,
};
use serde::{Deserialize, Serialize};

pub const TABLE: keyspace::Subscriptions = keyspace::Subscriptions;

/// Names the subscription's instance, and the delivery of its mail.
pub const DELIVERY: &str = "delivery";
/// Until when somebody has claimed it, in milliseconds since 1970.
pub const CLAIMED_UNTIL: &str = "claimedUntil";
pub const CLAIMED_BY: &str = "claimedBy";
/// The log entry of the level that the claim is for.
pub const CLAIMED_FOR: &str = "claimedFor";
/// The automation that the claim is for, by its tag.
pub const CHOSEN_BY: &str = "chosenBy";
pub const ATTEMPTS: &str = "attempts";
/// When the shopper subscribed again while somebody had the delivery.
pub const RENEWED_ON: &str = "renewedOn";
/// When it was moved in from another system.
pub const MOVED_IN_ON: &str = "movedInOn";
/// When it got an earlier place, as a list that was moved in had it.
pub const PLACE_CHANGED_ON: &str = "placeChangedOn";
/// The log entry of a level that met it and did not use it up.
pub const DECIDED_FOR: &str = "decidedFor";

/// A subscription with what its item says about the delivery.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub subscription: Subscription,
    pub standing: Standing,
    /// When the shopper subscribed again while somebody had the delivery; oldest first.
    pub renewed_on: Vec<Timestamp>,
    /// The delivery whose place this one took, if it was renewed.
    pub follows: Option<DeliveryId>,
    /// The log entry of the level that it was claimed for.
    pub claimed_for: Option<String>,
    /// The version of the automation that it was claimed for.
    pub chosen_by: Option<(AutomationId, u64)>,
    /// The log entry of the last level that met it and did not use it up, where that was kept.
    pub decided_for: Option<String>,
    /// When it got an earlier place in line, if it did.
    pub place_changed_on: Option<Timestamp>,
}

/// The item as the table has it. An index has nothing about the delivery but its id.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionItem {
    contact_id: ContactId,
    /// The digest of SKU, locale and external id.
    subscription: SubscriptionKey,
    sku: Sku,
    locale: Locale,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<ExternalId>,
    #[serde(with = "time::rfc3339")]
    created_on: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved_in_on: Option<Timestamp>,
    delivery: DeliveryId,
    /// Sort key of `by-sku-locale`.
    #[serde(default)]
    locale_order: String,
    /// Sort key of `by-sku-external-id`, which therefore has no subscription without an external id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id_order: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follows: Option<DeliveryId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    // Not a moment, it would stand for nobody's claim, and the mail could be sent twice: such an item can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millisecond::optional")]
    claimed_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed_for: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chosen_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decided_for: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    renewed_on: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place_changed_on: Option<Timestamp>,
}

pub fn key(id: SubscriptionId) -> Item {
    texts([("contactId", &id.contact_id.to_string()), ("subscription", &id.key.to_string())])
}

/// Returns the item of a new subscription. `follows` is the delivery whose place it takes, if its mail is out.
pub fn item_of(subscription: &Subscription, follows: Option<DeliveryId>) -> Result<Item, Error> {
    let Subscription { contact_id, sku, locale, external_id, created_on, moved_in_on, delivery, expires_on } =
        subscription.clone();
    let key = subscription.id().key;
    let order = |scope: &str| format!("{scope}#{}#{key}", time::sortable(created_on));
    let item = SubscriptionItem {
        contact_id,
        subscription: key,
        locale_order: order(locale.key()),
        external_id_order: external_id.as_ref().map(|id| order(id.as_str())),
        sku,
        locale,
        external_id,
        created_on,
        moved_in_on,
        delivery,
        follows,
        attempts: None,
        claimed_until: None,
        claimed_for: None,
        chosen_by: None,
        decided_for: None,
        renewed_on: Vec::new(),
        expires_at: expires_on.map(Timestamp::as_second),
        place_changed_on: None,
    };
    write_item(TABLE, item)
}

/// Reads an item of the table or of an index.
pub fn read(item: Item) -> Result<Waiting, Error> {
    let item: SubscriptionItem = read_item(TABLE, item)?;
    let SubscriptionItem { contact_id, sku, locale, external_id, created_on, moved_in_on, delivery, .. } = item;
    let SubscriptionItem { follows, claimed_for, decided_for, renewed_on, place_changed_on, .. } = item;
    let chosen_by = item.chosen_by.as_deref().and_then(automation_of);
    let attempts = item.attempts.unwrap_or_default();
    let standing = match item.claimed_until {
        Some(until) => Standing::Claimed { attempts, until },
        None => Standing::Open { attempts },
    };
    let expires_on = item.expires_at.and_then(|at| Timestamp::from_second(at).ok());
    let subscription =
        Subscription { contact_id, sku, locale, external_id, created_on, moved_in_on, delivery, expires_on };
    Ok(Waiting { subscription, standing, renewed_on, follows, claimed_for, chosen_by, decided_for, place_changed_on })
}

/// Returns moments of renewal as the attribute has them.
pub fn renewals(renewed_on: &[Timestamp]) -> AttributeValue {
    AttributeValue::L(renewed_on.iter().map(|on| text(time::sortable(*on))).collect())
}

impl Waiting {
    /// Returns true if nobody made it, moved it in or asked for it again later.
    pub(crate) fn is_made_until(&self, until: Timestamp) -> bool {
        self.subscription.here_since() <= until && self.renewed_on.iter().all(|on| *on <= until)
    }

    /// Returns when the shopper subscribed again after a mail that was accepted then, oldest first.
    pub(crate) fn renewed_since(&self, accepted_at: Timestamp) -> Vec<Timestamp> {
        self.renewed_on.iter().copied().filter(|on| *on > accepted_at).collect()
    }

    /// Returns the item of `next`, which takes its place as its mail is out. The shopper asked for it again `later`
    /// too, which is kept: another mail that is out may answer `next`, and not those.
    pub(crate) fn followed_by(&self, next: &Subscription, later: &[Timestamp]) -> Result<Item, Error> {
        let mut item = item_of(next, Some(self.subscription.delivery))?;
        if !later.is_empty() {
            item.insert(RENEWED_ON.into(), renewals(later));
        }
        Ok(item)
    }

    /// Returns the condition that it is still the same delivery, and was not renewed since it was read.
    pub(crate) fn unchanged(&self) -> TableCondition {
        let same = TableCondition::Is(DELIVERY, text(self.subscription.delivery.to_string()));
        let renewed = match self.renewed_on.as_slice() {
            [] => TableCondition::Missing(RENEWED_ON),
            renewed_on => TableCondition::Is(RENEWED_ON, renewals(renewed_on)),
        };
        TableCondition::All(vec![same, renewed])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::number;

    #[test]
    fn a_claim_that_can_not_be_read_is_not_taken_for_none() {
        let subscription = Subscription {
            contact_id: ContactId::new(uuid::Uuid::nil()),
            sku: Sku::restore("A"),
            locale: Locale::parse("sv-SE").unwrap(),
            external_id: None,
            created_on: Timestamp::UNIX_EPOCH,
            moved_in_on: None,
            delivery: DeliveryId::random(),
            expires_on: None,
        };
        let mut item = item_of(&subscription, None).unwrap();
        assert_eq!(read(item.clone()).unwrap().standing, Standing::Open { attempts: 0 });

        item.insert(CLAIMED_UNTIL.into(), number(5_000));
        let until = Timestamp::from_second(5).unwrap();
        assert_eq!(read(item.clone()).unwrap().standing, Standing::Claimed { attempts: 0, until });

        item.insert(CLAIMED_UNTIL.into(), number(i64::MAX));
        assert!(matches!(read(item), Err(Error::Damaged { .. })));
    }
}
