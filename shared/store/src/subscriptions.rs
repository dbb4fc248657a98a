use crate::batch::Deleted;
use crate::database::{
    Action, Index, Item, PlainWrite, Query, Range, Scan, Statement, Table, TableCondition, Write, Written,
};
use crate::item::{EXPIRES_AT, number, read_each, string_of, text, texts};
use crate::keyspace;
use crate::subscription_item::{DECIDED_FOR, DELIVERY, RENEWED_ON, TABLE, Waiting, item_of, key, read, renewals};
use crate::{Error, Race, Store, delivery_record};
use futures::future::try_join_all;
use jiff::Timestamp;
use restock_domain::{ContactId, ExternalId, Locale, Product, Scope, Sku, Subscription, SubscriptionId, time};
use std::collections::{BTreeMap, HashMap, HashSet};
use tokio::time::Instant;

/// Renewals that a subscription keeps; beyond that, the last one is replaced.
const MAX_RENEWALS: usize = 10;

/// Where a page of matches ended; the key that DynamoDB returned, whose attributes are all texts.
pub type Cursor = BTreeMap<String, String>;

/// Some of the subscriptions that a level covers, oldest first within a locale or an external id.
pub struct MatchedPage {
    pub subscriptions: Vec<Subscription>,
    pub next: Option<Cursor>,
}

/// Some of all subscriptions.
pub struct WaitingPage {
    pub waiting: Vec<Waiting>,
    pub next: Option<Cursor>,
}

/// Other wishes that a mail shows.
const MAX_OTHER_WISHES: usize = 5;

impl Store {
    /// Writes a subscription unless it exists, and returns the one that exists now. Whoever answers a subscriber calls
    /// [`Store::mark_demand`] in between.
    ///
    /// One that exists is marked as wanted again, as a mail that answers it may be on its way: see [`Store::use_up`].
    /// It ends as late as a new one would. One that has expired is replaced.
    pub async fn put_subscription(&self, subscription: Subscription) -> Result<Subscription, Error> {
        let item = item_of(&subscription, None)?;
        let key = key(subscription.id());
        let mut race = Race::about("a subscription");
        loop {
            race.enter()?;
            let put = Write::put(TABLE, key.clone(), item.clone()).when(TableCondition::Missing("contactId"));
            let existing = match self.database.write(put).await? {
                Written::Done(_) => return Ok(subscription),
                Written::Refused(None) => continue,
                Written::Refused(Some(existing)) => read(existing)?,
            };
            let delivery = existing.subscription.delivery;
            if existing.subscription.has_expired(subscription.created_on) {
                let write = Write::put(TABLE, key.clone(), item_of(&subscription, Some(delivery))?);
                if let Written::Done(_) = self.database.write(write.when(existing.unchanged())).await? {
                    return Ok(subscription);
                }
                continue;
            }
            let record = self.get(keyspace::Deliveries, delivery_record::key_for(&existing.subscription)).await?;
            if let Some(sent_at) = record.as_ref().map(delivery_record::sent_at).transpose()?.flatten() {
                // Its mail is out, so it is about to be deleted, or was brought back by a write that the SDK repeated.
                // The new one counts from when the shopper first asked for it.
                let mut asked_on = existing.renewed_since(sent_at);
                asked_on.push(subscription.created_on);
                let renewed = Subscription { created_on: asked_on.remove(0), ..subscription.clone() };
                let write = Write::put(TABLE, key.clone(), existing.followed_by(&renewed, &asked_on)?);
                if let Written::Done(_) = self.database.write(write.when(existing.unchanged())).await? {
                    return Ok(renewed);
                }
                continue;
            }
            let mut renewed_on = existing.renewed_on.clone();
            renewed_on.truncate(MAX_RENEWALS - 1);
            renewed_on.push(subscription.created_on);
            let mut actions = vec![Action::set(RENEWED_ON, renewals(&renewed_on))];
            // It has no end if it was made without one, or if new subscriptions have none.
            let end = existing.subscription.expires_on.zip(subscription.expires_on);
            let expires_on = end.map(|(end, new_end)| end.max(new_end));
            actions.push(match expires_on {
                Some(end) => Action::set(EXPIRES_AT, number(end.as_second())),
                None => Action::Remove(EXPIRES_AT.into()),
            });
            let renew = Write::update(TABLE, key.clone(), actions).when(existing.unchanged());
            if let Written::Done(_) = self.database.write(renew).await? {
                return Ok(Subscription { expires_on, ..existing.subscription });
            }
        }
    }

    /// Deletes a subscription and returns true if there was one.
    pub async fn delete_subscription(&self, id: SubscriptionId) -> Result<bool, Error> {
        Ok(matches!(self.database.write(Write::delete(TABLE, key(id))).await?, Written::Done(Some(_))))
    }

    /// Returns every subscription of a contact, oldest first; strongly consistent.
    pub async fn subscriptions_of(&self, contact: ContactId) -> Result<Vec<Subscription>, Error> {
        let items = self.query_all(Query::of(TABLE, contact.to_string())).await?;
        let mut subscriptions = read_each(items, |item| Ok(read(item)?.subscription));
        subscriptions.sort_by_key(|subscription| (subscription.created_on, subscription.id().key.to_string()));
        Ok(subscriptions)
    }

    /// Returns the products of other SKUs that a contact waits for, the newest wish first, at most five: as the feed of
    /// `locale` has them, if the contact waits in that one too.
    pub async fn other_wishes(
        &self,
        contact: ContactId,
        sku: &Sku,
        locale: &Locale,
        now: Timestamp,
    ) -> Result<Vec<Product>, Error> {
        let mut wishes = self.subscriptions_of(contact).await?;
        wishes.retain(|wish| wish.sku != *sku && !wish.has_expired(now));
        let of_locale: HashSet<Sku> =
            wishes.iter().filter(|wish| wish.locale == *locale).map(|wish| wish.sku.clone()).collect();
        wishes.retain(|wish| wish.locale == *locale || !of_locale.contains(&wish.sku));
        wishes.reverse();
        let mut seen = HashSet::new();
        wishes.retain(|wish| seen.insert(wish.sku.clone()));
        wishes.truncate(MAX_OTHER_WISHES);
        let feeds: Vec<(&Sku, Vec<Locale>)> = wishes.iter().map(|wish| (&wish.sku, wish.locale.feeds())).collect();
        let mut wanted: Vec<(&Locale, &Sku)> = Vec::new();
        for (sku, feeds) in &feeds {
            wanted.extend(feeds.iter().map(|feed| (feed, *sku)));
        }
        let mut found = self.products(wanted).await?;
        let product = |(sku, feeds): &(&Sku, Vec<Locale>)| {
            feeds.iter().find_map(|feed| found.remove(&(feed.key().to_owned(), (*sku).clone())))
        };
        Ok(feeds.iter().filter_map(product).collect())
    }

    /// Deletes the subscriptions of a contact, or as many as the deadline allows.
    pub async fn delete_subscriptions_of(&self, contact: ContactId, deadline: Instant) -> Result<Deleted, Error> {
        self.delete_all(TABLE, contact.to_string(), deadline).await
    }

    /// Deletes the subscriptions of a contact, or as many as the deadline allows. Those that were made, or asked for
    /// again, after `made_until` stay.
    pub async fn end_subscriptions_of(
        &self,
        contact: ContactId,
        made_until: Timestamp,
        deadline: Instant,
    ) -> Result<Deleted, Error> {
        let delete = |items: Vec<Item>| async move {
            let (mut old, mut damaged) = (Vec::new(), Vec::new());
            for item in items {
                match read(item.clone()) {
                    Ok(waiting) if waiting.is_made_until(made_until) => old.push(waiting.subscription),
                    Ok(_) => {}
                    Err(_) => damaged.push(PlainWrite::delete(TABLE, Table::Subscriptions.key_of(&item))),
                }
            }
            let deleted = damaged.len();
            self.batch_write(damaged).await?;
            let ended = try_join_all(old.iter().map(|found| self.end_subscription(found, made_until))).await?;
            Ok(deleted + ended.into_iter().filter(|ended| *ended).count())
        };
        self.delete_pages(TABLE, contact.to_string(), delete, deadline).await
    }

    /// Returns the given subscriptions that exist, whatever their delivery; strongly consistent.
    pub async fn waiting(&self, ids: &[SubscriptionId]) -> Result<HashMap<SubscriptionId, Waiting>, Error> {
        let keys = ids.iter().map(|id| key(*id)).collect();
        let items = self.batch_get(TABLE, keys).await?;
        Ok(read_each(items, read).into_iter().map(|found| (found.subscription.id(), found)).collect())
    }

    /// Returns a page of the subscriptions that a level covers. The index that it reads lags the table. Who is asked
    /// for those that were made `since` a time may get some older ones too; the page after leaves the others out.
    pub async fn matching(
        &self,
        sku: &Sku,
        scope: &Scope,
        since: Option<Timestamp>,
        after: Option<Cursor>,
        limit: i32,
    ) -> Result<MatchedPage, Error> {
        let range = match scope {
            Scope::Sku => Range::All,
            Scope::Locale(locale) => Range::BeginsWith(format!("{}#", locale.key())),
            Scope::ExternalId(id) | Scope::Both(_, id) => Range::BeginsWith(format!("{}#", id.as_str())),
        };
        let after = after.map(start_of);
        let all = Query::of_index(TABLE, index_of(scope), sku.as_str());
        let query = Query { range, limit: Some(limit), after, ..all };
        let found = self.database.query(query).await?;
        let mut subscriptions = read_each(found.items, |item| Ok(read(item)?.subscription));
        // The prefix alone is not exact: "A#" also begins the order of the external id "A#B".
        subscriptions.retain(|found| scope.covers(&found.locale, found.external_id.as_ref()));
        let next = found.next.map(cursor_at).map(|next| match since {
            Some(since) => past_older(next, since),
            None => next,
        });
        Ok(MatchedPage { subscriptions, next })
    }

    /// Returns the groups of those whom a scope covers: within each, an index has the oldest first. They are the
    /// locales of a SKU, or the one group of a scope that names a locale or an external id.
    pub async fn groups(&self, sku: &Sku, scope: &Scope) -> Result<Vec<String>, Error> {
        match scope {
            Scope::Sku => {}
            Scope::Locale(locale) => return Ok(vec![locale.key().to_owned()]),
            Scope::ExternalId(id) | Scope::Both(_, id) => return Ok(vec![id.as_str().to_owned()]),
        }
        let (mut groups, mut after) = (Vec::new(), None);
        loop {
            let all = Query::of_index(TABLE, Index::BySkuLocale, sku.as_str());
            let found = self.database.query(Query { limit: Some(1), after, ..all }).await?;
            let Some(first) = found.items.into_iter().next() else { return Ok(groups) };
            let mut cursor = cursor_at(first);
            cursor.retain(|name, _| {
                ["sku", "contactId", "subscription", Index::BySkuLocale.key().1].contains(&name.as_str())
            });
            let order = order_of(&cursor);
            let group = order.split('#').next().unwrap_or(order).to_owned();
            // The character after `#`: past everybody of this locale.
            cursor.insert(Index::BySkuLocale.key().1.to_owned(), format!("{group}$"));
            groups.push(group);
            after = Some(start_of(cursor));
        }
    }

    /// Returns a page of a group of a scope.
    pub async fn page_of_group(
        &self,
        sku: &Sku,
        scope: &Scope,
        group: &str,
        after: Option<Cursor>,
        limit: i32,
    ) -> Result<MatchedPage, Error> {
        match scope {
            Scope::Sku => self.matching(sku, &Scope::Locale(group.to_owned().into()), None, after, limit).await,
            named => self.matching(sku, named, None, after, limit).await,
        }
    }

    /// Returns how many other people of a subscription's locale wait for its SKU and asked before, as the index shows
    /// them; at most `max`.
    pub async fn ahead_of(&self, subscription: &Subscription, max: usize) -> Result<usize, Error> {
        let begin = format!("{}#", subscription.locale.key());
        let own = cursor_after(&Scope::Sku, subscription)?;
        let range = Range::Between(begin, order_of(&own).to_owned());
        let all = Query::of_index(TABLE, Index::BySkuLocale, subscription.sku.as_str());
        // One more, as its own may be among them.
        let mut query = Query { range, limit: i32::try_from(max + 1).ok(), ..all };
        let mut ahead = HashSet::new();
        loop {
            let found = self.database.query(query.clone()).await?;
            let before = read_each(found.items, |item| Ok(read(item)?.subscription.contact_id));
            ahead.extend(before.into_iter().filter(|other| *other != subscription.contact_id));
            query.after = found.next;
            if ahead.len() >= max || query.after.is_none() {
                return Ok(ahead.len().min(max));
            }
        }
    }

    /// Returns a page of all subscriptions, whatever an index shows of them; strongly consistent.
    pub async fn every_subscription(&self, after: Option<Cursor>, limit: i32) -> Result<WaitingPage, Error> {
        let scan = Scan { limit: Some(limit), after: after.map(start_of), ..Scan::of(TABLE) };
        let found = self.database.scan(scan).await?;
        Ok(WaitingPage { waiting: read_each(found.items, read), next: found.next.map(cursor_at) })
    }

    /// Remembers that a level met subscriptions, and did not use them up. Those that are gone or renewed stay as they
    /// are.
    pub async fn note_decisions(&self, subscriptions: &[&Subscription], log_entry: &str) -> Result<(), Error> {
        let notes = subscriptions.iter().map(|subscription| {
            let same = TableCondition::Is(DELIVERY, text(subscription.delivery.to_string()));
            // The newest one counts, in whatever order they come.
            let newest =
                vec![TableCondition::Missing(DECIDED_FOR), TableCondition::AtMost(DECIDED_FOR, text(log_entry))];
            let condition = TableCondition::All(vec![same, TableCondition::Any(newest)]);
            let noted = texts([(DECIDED_FOR, log_entry)]);
            self.together.change(Statement::set(TABLE, key(subscription.id()), noted).when(condition))
        });
        try_join_all(notes).await.map(drop)
    }
}

/// Returns where the page after a subscription begins, in the index that shows those of a scope.
pub fn cursor_after(scope: &Scope, subscription: &Subscription) -> Result<Cursor, Error> {
    let item = item_of(subscription, None)?;
    let index = index_of(scope);
    let names = ["sku", index.key().1, "contactId", "subscription"];
    Ok(names.into_iter().filter_map(|name| Some((name.to_owned(), string_of(&item, name)?.clone()))).collect())
}

/// Returns where a page begins that has everybody who subscribed when this one did, or later.
pub(crate) fn cursor_before(scope: &Scope, subscription: &Subscription) -> Cursor {
    let group = scope.external_id().map_or(subscription.locale.key(), ExternalId::as_str);
    // No item has this key, but whatever follows on it has a greater one.
    let order = format!("{group}#{}", time::sortable(subscription.created_on));
    let SubscriptionId { contact_id, key } = subscription.id();
    Cursor::from([
        ("sku".to_owned(), subscription.sku.as_str().to_owned()),
        (index_of(scope).key().1.to_owned(), order),
        ("contactId".to_owned(), contact_id.to_string()),
        ("subscription".to_owned(), key.to_string()),
    ])
}

/// Returns the part of a cursor by which an index sorts.
pub(crate) fn order_of(cursor: &Cursor) -> &str {
    let order = |index: Index| cursor.get(index.key().1);
    order(Index::BySkuLocale).or_else(|| order(Index::BySkuExternalId)).map_or("", String::as_str)
}

/// Returns the index that shows the subscriptions of a scope.
fn index_of(scope: &Scope) -> Index {
    match scope {
        Scope::Sku | Scope::Locale(_) => Index::BySkuLocale,
        Scope::ExternalId(_) | Scope::Both(..) => Index::BySkuExternalId,
    }
}

fn start_of(cursor: Cursor) -> Item {
    cursor.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// Moves a cursor past the subscriptions of its locale or external id that were made before a time. No item has the key
/// that comes out, but whatever follows on it has a greater one.
fn past_older(mut cursor: Cursor, since: Timestamp) -> Cursor {
    let since = time::sortable(since);
    for order in [Index::BySkuLocale, Index::BySkuExternalId].map(|index| index.key().1) {
        let Some(value) = cursor.get_mut(order) else { continue };
        let mut parts = value.rsplitn(3, '#');
        if let (Some(_), Some(made), Some(scope)) = (parts.next(), parts.next(), parts.next())
            && made < since.as_str()
        {
            *value = format!("{scope}#{since}");
        }
    }
    cursor
}

fn cursor_at(key: Item) -> Cursor {
    key.into_iter().filter_map(|(name, value)| Some((name, value.as_s().ok()?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_moves_past_what_is_older_within_its_locale_or_external_id_only() {
        let since = "2026-11-28T12:00:00Z".parse().unwrap();
        let moved = |name: &str, order: &str| {
            past_older(Cursor::from([(name.to_owned(), order.to_owned())]), since)[name].clone()
        };

        let since = "2026-11-28T12:00:00.000Z";
        assert_eq!(moved("localeOrder", "sv-se#2025-01-01T00:00:00.000Z#abc"), format!("sv-se#{since}"));
        assert_eq!(moved("externalIdOrder", "A#1#2025-01-01T00:00:00.000Z#abc"), format!("A#1#{since}"));
        for newer in ["sv-se#2026-11-28T12:00:00.000Z#abc", "sv-se#2026-11-28T12:00:01.000Z#abc"] {
            assert_eq!(moved("localeOrder", newer), newer);
        }
    }
}
