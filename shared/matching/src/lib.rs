//! Reads the facts that decisions need, and decides: for `match-stock`, which acts on it, and for the dry run, which
//! shows it.

mod oldest;

pub use oldest::{MIN_READ, OldestFirst};

use jiff::Timestamp;
use restock_domain::{
    Automation, Candidate, Condition, Contact, ContactId, Decision, Locale, Sku, Subscription, decide,
};
use restock_store::database::Consistency;
use restock_store::{Error, Store};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Subscriptions that are read and decided about at a time.
pub const PAGE: i32 = 200;

/// What becomes of a refusal in which a contact had a part. Contacts are read as they may have been a moment ago, as
/// that costs half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefusal {
    /// It is decided again with the contact as it is, so that nobody is refused for what they no longer are.
    DecidedAgain,
    /// It stands: the level came so long ago that everybody was read as they were then, or as they became since.
    Stand,
}

impl OnRefusal {
    /// How long a read that costs half may lag. DynamoDB speaks of a second.
    const MAX_READ_LAG: Duration = Duration::from_secs(10);

    /// Returns what becomes of refusals at a level that came then.
    pub fn at(arrived: Timestamp, now: Timestamp) -> Self {
        if now > arrived + Self::MAX_READ_LAG { Self::Stand } else { Self::DecidedAgain }
    }
}

/// Decides about each of a SKU's subscriptions, in their order. Whatever several of them need is read once.
///
/// The sender checks the contacts of those who are accepted again, as they may have been read a moment late.
pub async fn decide_all<'a>(
    store: &Store,
    automations: &'a [Automation],
    sku: &Sku,
    quantity: i64,
    subscriptions: &[Subscription],
    refusals: OnRefusal,
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
    // A single one is read as it is, in the request that reads the products.
    let consistency = if contacts.len() == 1 { Consistency::Strong } else { Consistency::Eventual };
    let (feeds, products, found, purchases) = tokio::try_join!(
        store.with_feed(&may_serve),
        store.products(may_serve.iter().map(|locale| (*locale, sku))),
        store.contacts(contacts.iter().copied(), consistency),
        purchases,
    )?;
    let decide = |subscription: &Subscription, found: &HashMap<ContactId, Contact>| {
        let mut feeds = feeds_of[&subscription.locale].iter().filter(|feed| feeds.contains(feed)).peekable();
        let candidate = Candidate {
            subscription,
            quantity,
            feed_configured: feeds.peek().is_some(),
            product: feeds.find_map(|feed| products.get(&(feed.key().to_owned(), sku.clone()))),
            contact: found.get(&subscription.contact_id),
            purchased_on: purchases.get(&subscription.contact_id).copied(),
            now,
        };
        decide(&candidate, automations)
    };
    let mut decisions: Vec<Decision<'a>> =
        subscriptions.iter().map(|subscription| decide(subscription, &found)).collect();

    if refusals == OnRefusal::Stand || consistency == Consistency::Strong {
        return Ok(decisions);
    }
    let doubtful = subscriptions.iter().enumerate().filter(|(place, _)| decisions[*place].is_for_the_contact());
    let again: Vec<(usize, &Subscription)> = doubtful.collect();
    if !again.is_empty() {
        let contacts = again.iter().map(|(_, subscription)| subscription.contact_id);
        let found = store.contacts(contacts, Consistency::Strong).await?;
        again.into_iter().for_each(|(place, subscription)| decisions[place] = decide(subscription, &found));
    }
    Ok(decisions)
}
