//! Reads the facts that decisions need, and decides: for `match-stock`, which acts on it, and for the dry run, which shows it.

use jiff::Timestamp;
use restock_domain::{Automation, Candidate, Condition, ContactId, Decision, Locale, Sku, Subscription, decide};
use restock_store::{Error, Store};
use std::collections::{HashMap, HashSet};

/// Subscriptions that are read and decided about at a time.
pub const PAGE: i32 = 200;

/// Decides about each of a SKU's subscriptions, in their order. Whatever several of them need is read once.
pub async fn decide_all<'a>(
    store: &Store,
    automations: &'a [Automation],
    sku: &Sku,
    quantity: i64,
    subscriptions: &[Subscription],
    now: Timestamp,
) -> Result<Vec<Decision<'a>>, Error> {
    let locales: HashSet<&Locale> = subscriptions.iter().map(|subscription| &subscription.locale).collect();
    let feeds_of: HashMap<&Locale, Vec<Locale>> = locales.iter().map(|locale| (*locale, locale.feeds())).collect();
    let may_serve: HashSet<&Locale> = feeds_of.values().flatten().collect();
    let contacts: HashSet<ContactId> = subscriptions.iter().map(|subscription| subscription.contact_id).collect();
    let purchases = async {
        let enabled = automations.iter().filter(|automation| automation.enabled);
        if enabled.flat_map(|automation| &automation.conditions).any(Condition::looks_at_purchases) {
            store.last_purchases(sku, &contacts).await
        } else {
            Ok(HashMap::new())
        }
    };
    let (feeds, products, found, purchases) = tokio::try_join!(
        store.with_feed(&may_serve),
        store.products(may_serve.iter().map(|locale| (*locale, sku))),
        store.contacts(contacts.iter().copied()),
        purchases,
    )?;
    let decisions = subscriptions.iter().map(|subscription| {
        let feed = feeds_of[&subscription.locale].iter().find(|feed| feeds.contains(feed));
        let candidate = Candidate {
            subscription,
            quantity,
            feed_configured: feed.is_some(),
            product: feed.and_then(|feed| products.get(&(feed.key().to_owned(), sku.clone()))),
            contact: found.get(&subscription.contact_id),
            purchased_on: purchases.get(&subscription.contact_id).copied(),
            now,
        };
        decide(&candidate, automations)
    });
    Ok(decisions.collect())
}
