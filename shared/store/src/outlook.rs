//! What is known when somebody subscribes.

use crate::database::{Item, Table, wanted};
use crate::item::read_each;
use crate::keyspace;
use crate::open_subscriptions::is_at_bound;
use crate::stock::{Mark, covering, demand, known, level_key};
use crate::{Error, Store, contacts, products};
use jiff::Timestamp;
use restock_domain::{Feed, KnownLevel, Locale, Outlook, Product, Subscription};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A feed that was imported less than so long ago is believed about stock: one that is fetched each hour always is. An
/// older one may be from before it sold out.
const FRESH_FEED: Duration = Duration::from_secs(5_400);

/// The facts about a subscription, and how its SKU's demand mark is.
pub struct Prospect {
    pub outlook: Outlook,
    /// True if the mark need not be written. It stays for a day after it was, so it is there when this subscription is.
    pub marked: bool,
    /// True if the contact had as many subscriptions as it may when they were last counted.
    pub was_at_bound: bool,
}

impl Store {
    /// Reads what is known about a subscription that is about to be made, strongly consistent. `feeds` reads those that
    /// may serve its locale: with a request of its own, as the policy limits them by their key and nothing says how
    /// that goes with other tables in one.
    pub async fn prospect(
        &self,
        subscription: &Subscription,
        feeds: impl Future<Output = Result<Arc<[Feed]>, Error>>,
        now: Timestamp,
    ) -> Result<Prospect, Error> {
        let sku = &subscription.sku;
        let may_serve = subscription.locale.feeds();
        let mut keys: Vec<(Table, Item)> =
            covering(subscription).iter().map(|scope| wanted(keyspace::Stock, level_key(sku, scope))).collect();
        keys.push(wanted(keyspace::Stock, demand(sku)));
        keys.push(wanted(keyspace::Contacts, contacts::key(subscription.contact_id)));
        keys.extend(may_serve.iter().map(|locale| wanted(keyspace::Products, products::key(locale, sku))));
        let (items, feeds) = tokio::try_join!(self.batch_get_all(keys), feeds)?;
        let mut outlook = Outlook::default();
        let (mut mark, mut levels, mut was_at_bound) = (None, Vec::new(), false);
        let fresh: HashMap<String, bool> =
            feeds.iter().map(|feed| (feed.locale.key().to_owned(), feed.fresh_at(now, FRESH_FEED))).collect();
        let mut found: HashMap<String, Product> = HashMap::new();
        for (table, item) in items {
            match table {
                Table::Contacts => {
                    was_at_bound = is_at_bound(&item);
                    outlook.contact = Some(contacts::read(item)?);
                }
                Table::Products => {
                    found.extend(read_each([item], products::read).into_iter().map(|((feed, _), one)| (feed, one)));
                }
                _ => match Mark::of(&item) {
                    Some(found) => mark = Some(found),
                    None => levels.extend(read_each([item], known)),
                },
            }
        }
        // The first that has the SKU, as for the mail; if none has, the one that should. What has products is a feed,
        // even one so new that whoever remembers feeds does not know it.
        let is_feed = |feed: &Locale| fresh.contains_key(feed.key()) || found.contains_key(feed.key());
        let feeds: Vec<Locale> = may_serve.into_iter().filter(is_feed).collect();
        let with_sku = feeds.iter().find(|feed| found.contains_key(feed.key()));
        outlook.feed = with_sku.or(feeds.first()).cloned();
        outlook.feed_is_fresh = outlook.feed.as_ref().is_some_and(|feed| fresh.get(feed.key()) == Some(&true));
        outlook.product = outlook.feed.as_ref().and_then(|feed: &Locale| found.remove(feed.key()));
        let counts = |level: &KnownLevel| mark.as_ref().is_some_and(|mark| mark.has_seen(level));
        outlook.levels = levels.into_iter().filter(counts).collect();
        Ok(Prospect { outlook, marked: mark.is_some_and(|mark| mark.is_fresh(now)), was_at_bound })
    }
}
