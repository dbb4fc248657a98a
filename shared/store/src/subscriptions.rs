use crate::database::{Action, Condition, Index, Item, PlainWrite, Query, Range, Table, Write, Written};
use crate::{Error, Store, deliveries, read_item, string_of, text, texts, write_item};
use jiff::Timestamp;
use restock_domain::delivery::Standing;
use restock_domain::{ContactId, ExternalId, Locale, Scope, Sku, Subscription, SubscriptionId, time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

const TABLE: Table = Table::Subscriptions;
/// Beyond that, the last one is replaced.
const MOST_RENEWALS: usize = 10;

/// Where a page of matches ended; the key that DynamoDB returned, whose attributes are all texts.
pub type Cursor = BTreeMap<String, String>;

/// Some of the subscriptions that a level covers, oldest first within a locale or an external id.
pub struct Page {
    pub subscriptions: Vec<Subscription>,
    pub next: Option<Cursor>,
}

/// A subscription with what its item says about the delivery.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub subscription: Subscription,
    pub standing: Standing,
    /// When the shopper subscribed again while somebody had the delivery; oldest first.
    pub renewed_on: Vec<Timestamp>,
    /// The instance whose place this one took, if it was renewed so.
    pub follows: Option<Uuid>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubscriptionItem<'a> {
    contact_id: ContactId,
    /// The digest of SKU, locale and external id.
    subscription: String,
    sku: &'a Sku,
    locale: &'a Locale,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a ExternalId>,
    created_on: String,
    instance: Uuid,
    /// Sort key of `by-sku-locale`.
    locale_order: String,
    /// Sort key of `by-sku-external-id`, which therefore has no subscription without an external id.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id_order: Option<String>,
}

impl Store {
    /// Writes a subscription unless it exists, and returns the one that exists now. Whoever answers a subscriber calls
    /// [`Store::mark_demand`] in between.
    ///
    /// One whose mail is on its way is marked as wanted again: see [`Store::use_up`].
    pub async fn put_subscription(&self, subscription: Subscription) -> Result<Subscription, Error> {
        let item = item_of(&subscription)?;
        let key = key(subscription.id());
        // It may be used up between one write and the next, but hardly so often.
        for _ in 0..5 {
            let put = Write::put(TABLE, key.clone(), item.clone()).when(Condition::Missing("contactId"));
            let existing = match self.database.write(put).await? {
                Written::Done(_) => return Ok(subscription),
                Written::Refused(None) => continue,
                Written::Refused(Some(existing)) => read_waiting(existing)?,
            };
            let instance = existing.subscription.instance;
            let record = self.get(Table::Deliveries, deliveries::key(instance)).await?;
            if let Some(sent_at) = record.as_ref().and_then(deliveries::sent_at) {
                // Its mail is out, so it is about to be deleted, or was brought back by a write that the SDK repeated. The
                // new one counts from when the shopper first asked for it.
                let created_on = existing.renewed_since(sent_at).unwrap_or(subscription.created_on);
                let anew = Subscription { created_on, ..subscription.clone() };
                let write = Write::put(TABLE, key.clone(), following(&anew, instance)?);
                if let Written::Done(_) = self.database.write(write.when(existing.unchanged())).await? {
                    return Ok(anew);
                }
                continue;
            }
            // Once it was claimed, its mail may be out.
            if existing.standing.attempts() == 0 {
                return Ok(existing.subscription);
            }
            let mut renewed_on = existing.renewed_on.clone();
            renewed_on.truncate(MOST_RENEWALS - 1);
            renewed_on.push(subscription.created_on);
            let renewed = Action::set("renewedOn", text(renewals(&renewed_on)));
            let renew = Write::update(TABLE, key.clone(), vec![renewed]).when(existing.unchanged());
            if let Written::Done(_) = self.database.write(renew).await? {
                return Ok(existing.subscription);
            }
        }
        Err(Error::Unprocessed { operation: "a subscription" })
    }

    /// Deletes a subscription and says whether there was one.
    pub async fn delete_subscription(&self, id: SubscriptionId) -> Result<bool, Error> {
        Ok(matches!(self.database.write(Write::delete(TABLE, key(id))).await?, Written::Done(Some(_))))
    }

    /// Every subscription of a contact, oldest first; strongly consistent.
    pub async fn subscriptions_of(&self, contact: ContactId) -> Result<Vec<Subscription>, Error> {
        let items = self.query_all(Query::of(TABLE, contact.to_string())).await?;
        let found: Result<Vec<Waiting>, Error> = items.into_iter().map(read_waiting).collect();
        let mut subscriptions: Vec<Subscription> = found?.into_iter().map(|found| found.subscription).collect();
        subscriptions.sort_by_key(|subscription| (subscription.created_on, subscription.id().key.to_string()));
        Ok(subscriptions)
    }

    /// Deletes every subscription of a contact, and says how many there were.
    pub async fn delete_subscriptions_of(&self, contact: ContactId) -> Result<usize, Error> {
        let subscriptions = self.subscriptions_of(contact).await?;
        let deletions =
            subscriptions.iter().map(|subscription| PlainWrite::Delete(TABLE, key(subscription.id()))).collect();
        self.batch_write(deletions).await?;
        Ok(subscriptions.len())
    }

    /// Those of the given subscriptions that exist, whatever their instance; strongly consistent.
    pub async fn waiting(&self, ids: &[SubscriptionId]) -> Result<HashMap<SubscriptionId, Waiting>, Error> {
        let keys = ids.iter().map(|id| key(*id)).collect();
        let items = self.batch_get(TABLE, keys).await?;
        items.into_iter().map(|item| read_waiting(item).map(|found| (found.subscription.id(), found))).collect()
    }

    /// One page of the subscriptions that a level covers. The index it reads lags the table by up to about a second.
    pub async fn matching(&self, sku: &Sku, scope: &Scope, after: Option<Cursor>, limit: i32) -> Result<Page, Error> {
        let (index, range) = match scope {
            Scope::Sku => (Index::BySkuLocale, Range::All),
            Scope::Locale(locale) => (Index::BySkuLocale, Range::BeginsWith(format!("{}#", locale.key()))),
            Scope::ExternalId(id) | Scope::Both(_, id) => {
                (Index::BySkuExternalId, Range::BeginsWith(format!("{}#", id.as_str())))
            }
        };
        let after = after.map(|cursor| cursor.into_iter().map(|(name, value)| (name, text(value))).collect());
        let query = Query { index: Some(index), range, limit: Some(limit), after, ..Query::of(TABLE, sku.as_str()) };
        let found = self.database.query(query).await?;
        let subscriptions: Result<Vec<Subscription>, Error> =
            found.items.into_iter().map(|item| read_waiting(item).map(|found| found.subscription)).collect();
        // The prefix alone is not exact: "A#" also begins the order of the external id "A#B".
        let mut subscriptions = subscriptions?;
        subscriptions.retain(|found| scope.covers(&found.locale, found.external_id.as_ref()));
        let next = found
            .next
            .map(|key| key.into_iter().filter_map(|(name, value)| Some((name, value.as_s().ok()?.clone()))).collect());
        Ok(Page { subscriptions, next })
    }
}

impl Waiting {
    /// When the shopper first subscribed again after a mail that was accepted then.
    pub(crate) fn renewed_since(&self, accepted_at: Timestamp) -> Option<Timestamp> {
        self.renewed_on.iter().find(|on| **on > accepted_at).copied()
    }

    /// That it is still the same instance, and was not renewed since it was read.
    pub(crate) fn unchanged(&self) -> Condition {
        let same = Condition::Is("instance", text(self.subscription.instance.to_string()));
        let renewed = match self.renewed_on.as_slice() {
            [] => Condition::Missing("renewedOn"),
            renewed_on => Condition::Is("renewedOn", text(renewals(renewed_on))),
        };
        Condition::All(vec![same, renewed])
    }
}

fn renewals(renewed_on: &[Timestamp]) -> String {
    renewed_on.iter().map(|on| time::sortable(*on)).collect::<Vec<_>>().join(" ")
}

pub(crate) fn key(id: SubscriptionId) -> Item {
    texts([("contactId", &id.contact_id.to_string()), ("subscription", &id.key.to_string())])
}

fn item_of(subscription: &Subscription) -> Result<Item, Error> {
    let created_on = time::sortable(subscription.created_on);
    let order = |scope: &str| format!("{scope}#{created_on}#{}", subscription.id().key);
    write_item(
        TABLE,
        SubscriptionItem {
            contact_id: subscription.contact_id,
            subscription: subscription.id().key.to_string(),
            sku: &subscription.sku,
            locale: &subscription.locale,
            external_id: subscription.external_id.as_ref(),
            instance: subscription.instance,
            locale_order: order(subscription.locale.key()),
            external_id_order: subscription.external_id.as_ref().map(|id| order(id.as_str())),
            created_on: created_on.clone(),
        },
    )
}

/// The item of a subscription that takes the place of an instance whose mail is out.
pub(crate) fn following(subscription: &Subscription, instance: Uuid) -> Result<Item, Error> {
    let mut item = item_of(subscription)?;
    item.insert("follows".into(), text(instance.to_string()));
    Ok(item)
}

/// Reads an item of the table, or of an index, which has nothing about the delivery.
pub(crate) fn read_waiting(item: Item) -> Result<Waiting, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Stored {
        contact_id: ContactId,
        sku: Sku,
        locale: Locale,
        external_id: Option<ExternalId>,
        #[serde(with = "time::rfc3339")]
        created_on: Timestamp,
        instance: Uuid,
        #[serde(default)]
        attempts: u32,
        claimed_until: Option<i64>,
    }
    let follows = string_of(&item, "follows").and_then(|instance| instance.parse().ok());
    let renewed_on = string_of(&item, "renewedOn").map(String::as_str).unwrap_or_default();
    let renewed_on = renewed_on.split_whitespace().filter_map(|on| on.parse().ok()).collect();
    let stored: Stored = read_item(TABLE, item)?;
    let Stored { contact_id, sku, locale, external_id, created_on, instance, attempts, claimed_until } = stored;
    let until = claimed_until.and_then(|until| Timestamp::from_millisecond(until).ok());
    let standing = match until {
        Some(until) => Standing::Claimed { attempts, until },
        None => Standing::Open { attempts },
    };
    let subscription = Subscription { contact_id, sku, locale, external_id, created_on, instance };
    Ok(Waiting { subscription, standing, renewed_on, follows })
}
