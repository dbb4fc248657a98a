use crate::database::{Action, Index, Item, Query, Range, Table, TableCondition, Write, Written, wanted};
use crate::item::{damaged, or_none, read_each, read_item, string_of, text, texts, write_attribute, write_item};
use crate::keyspace;
use crate::{Error, Race, Store, contacts, delivery_record};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use restock_domain::waves::StockHistory;
use restock_domain::{
    Arrival, Contact, ExternalId, KnownLevel, Locale, Repetition, Scope, SeenEvents, Sku, StockLevel, Subscription,
    time,
};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

const TABLE: keyspace::Stock = keyspace::Stock;
const DEMAND: &str = "demand";
/// On a demand mark: when somebody last subscribed, to an hour.
const NEWEST: &str = "newest";
/// On a level: the events of its scope that were handled.
const EVENTS: &str = "events";
/// On a level: how it came in.
const ARRIVAL: &str = "arrival";
/// On a level: since when its scope's stock has been how high.
const HISTORY: &str = "history";
/// On a level: the arrival whose matching has gone through everybody whom an index shows.
const MATCHED: &str = "matched";
/// On a demand mark: when it was made.
const SINCE: &str = "since";
/// A younger mark is not written again, so that a storm of subscribers does not write it each time.
const FRESH: Duration = Duration::from_secs(3_600);

/// A demand mark.
pub struct Mark {
    /// When it was made; since then, levels are stored.
    since: Option<Timestamp>,
    newest: Option<Timestamp>,
}

impl Mark {
    /// Reads a demand mark; nothing for another item of the table.
    pub fn of(item: &Item) -> Option<Self> {
        string_of(item, "scope").filter(|scope| *scope == DEMAND)?;
        // Somebody waits, whatever can't be read of it.
        let moment = |name: &str| {
            let read = string_of(item, name).map(|at| at.parse().map_err(|error| damaged(TABLE, item, error)));
            or_none(read.transpose()).ok().flatten()
        };
        Some(Self { since: moment(SINCE), newest: moment(NEWEST) })
    }

    /// Returns true if a level came since. Without a mark levels pass unseen, so what was stored before may be long
    /// over.
    pub fn has_seen(&self, level: &KnownLevel) -> bool {
        let came = level.arrival.as_ref().map(|arrival| arrival.at);
        self.since.zip(came).is_some_and(|(since, came)| came >= since)
    }

    /// Returns the history of a stock after a level that comes then; `before` is the newest one that is stored.
    pub fn history_after(&self, before: Option<KnownLevel>, quantity: i64, at: Timestamp) -> StockHistory {
        match before.filter(|before| self.has_seen(before)) {
            Some(before) => before.history.then(quantity, at),
            None => StockHistory::beginning(quantity, at),
        }
    }

    /// Returns true if it was there at a moment.
    fn was_there(&self, at: Timestamp) -> bool {
        self.since.is_some_and(|since| since <= at)
    }

    /// Returns true if it was written so recently that another subscriber need not write it.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.newest.is_some_and(|newest| newest >= now - FRESH)
    }
}

/// The outcome of storing a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelWrite {
    Stored,
    /// A newer level of the same scope is known.
    Outdated,
    /// The same event was told before; `differs` says that it said something else then.
    Repeated {
        differs: bool,
    },
}

/// The facts about a subscription just before its mail leaves.
#[derive(Default)]
pub struct LastLook {
    pub contact: Option<Contact>,
    /// The newest level of each scope that covers it.
    pub levels: Vec<KnownLevel>,
    /// When SES accepted its mail, if it is known to have.
    pub sent_at: Option<Timestamp>,
    /// The log entry of the level for which SES permanently refused its mail.
    pub refused_for: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LevelItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<Locale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<ExternalId>,
    quantity: i64,
    #[serde(with = "time::rfc3339")]
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arrival: Option<Arrival>,
    #[serde(default)]
    history: StockHistory,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Arrival>,
}

/// What is known of the stock of SKUs.
#[derive(Debug, Default)]
pub struct StockFacts {
    /// Those that have a demand mark.
    pub in_demand: HashSet<Sku>,
    /// The newest level of each scope.
    pub levels: HashMap<Sku, Vec<KnownLevel>>,
    /// The arrivals of those that have been matched to their end, by their ids.
    pub matched: HashSet<String>,
}

impl Store {
    /// Makes sure that levels of this SKU are looked at. It comes after the subscription is written and before it is
    /// answered, so a subscription answered before a level was accepted is always looked for.
    pub async fn mark_demand(&self, sku: &Sku, now: Timestamp) -> Result<(), Error> {
        let now = text(time::sortable(now));
        let marked = vec![Action::set(NEWEST, now.clone()), Action::SetIfMissing(SINCE.into(), now)];
        self.database.write(Write::update(TABLE, demand(sku), marked)).await.map(drop)
    }

    /// Returns the demand marks of the given SKUs that somebody may be waiting for; strongly consistent.
    pub async fn in_demand(&self, skus: &HashSet<Sku>) -> Result<HashMap<Sku, Mark>, Error> {
        let items = self.batch_get(TABLE, skus.iter().map(demand).collect()).await?;
        let mark = |item: &Item| Some((Sku::restore(string_of(item, "sku")?), Mark::of(item)?));
        Ok(items.iter().filter_map(mark).collect())
    }

    /// Removes a demand mark that found nobody, if the newest subscriber came before a time. Between that time and now
    /// there has to be more than an index ever lags: then nobody waits whom it does not show.
    pub async fn clear_demand(&self, sku: &Sku, nobody_since: Timestamp) -> Result<(), Error> {
        let old = TableCondition::AtMost(NEWEST, text(time::sortable(nobody_since)));
        self.database.write(Write::delete(TABLE, demand(sku)).when(old)).await.map(drop)
    }

    /// Returns true if the index shows anybody who waits for the SKU, in whatever locale.
    pub async fn anybody_waits(&self, sku: &Sku) -> Result<bool, Error> {
        let all = Query::of_index(keyspace::Subscriptions, Index::BySkuLocale, sku.as_str());
        let query = Query { limit: Some(1), ..all };
        Ok(!self.database.query(query).await?.items.is_empty())
    }

    /// Remembers a level of a SKU that has this mark, unless a newer one of its scope is known: of that one, the
    /// history then knows how high the stock was before it.
    pub async fn put_level(&self, level: &StockLevel, arrival: &Arrival, mark: &Mark) -> Result<LevelWrite, Error> {
        let StockLevel { sku, scope, quantity, .. } = level;
        let at = time::to_millisecond(level.effective_at(arrival.at));
        let mut race = Race::about("a stock level");
        loop {
            race.enter()?;
            let item = self.get(TABLE, level_key(sku, scope)).await?;
            let seen = item.as_ref().and_then(|item| string_of(item, "at")).cloned();
            let same_level = seen.map_or(TableCondition::Missing("at"), |seen| TableCondition::Is("at", text(seen)));
            let same_arrival = unchanged(ARRIVAL, item.as_ref().and_then(|item| item.get(ARRIVAL)));
            let same_history = unchanged(HISTORY, item.as_ref().and_then(|item| item.get(HISTORY)));
            let events = item.as_ref().and_then(|item| item.get(EVENTS)).cloned();
            match seen_events(events.as_ref()).compare(level) {
                Repetition::None => {}
                repetition => return Ok(LevelWrite::Repeated { differs: repetition == Repetition::Different }),
            }
            let before = or_none(item.map(known).transpose())?;
            // Of two that speak of one moment, the one counts that came later, in whatever order they are handled.
            let order = (at, Some(arrival.order()));
            let is_newer = |known: &KnownLevel| (known.at, known.arrival.as_ref().map(Arrival::order)) > order;
            if let Some(newer) = before.as_ref().filter(|known| is_newer(known)) {
                let came = newer.arrival.as_ref().map_or(newer.at, |arrival| arrival.at);
                let history = newer.history.interrupted(*quantity, at, came);
                if history == newer.history || !mark.was_there(at) {
                    return Ok(LevelWrite::Outdated);
                }
                let history = vec![Action::set(HISTORY, write_attribute(TABLE, history)?)];
                let write = Write::update(TABLE, level_key(sku, scope), history);
                let same = TableCondition::All(vec![same_level, same_arrival, same_history]);
                if let Written::Done(_) = self.database.write(write.when(same)).await? {
                    return Ok(LevelWrite::Outdated);
                }
                continue;
            }
            let (history, earlier) = match before {
                Some(same) if same.arrival.as_ref() == Some(arrival) => (same.history, same.earlier),
                before => {
                    let earlier = before.as_ref().map(|before| before.earlier_than(arrival.at)).unwrap_or_default();
                    (mark.history_after(before, *quantity, arrival.at), earlier)
                }
            };
            let (locale, external_id) = (scope.locale().cloned(), scope.external_id().cloned());
            let arrival = Some(arrival.clone());
            let level = LevelItem { locale, external_id, quantity: *quantity, at, arrival, history, earlier };
            let mut item = write_item(TABLE, level)?;
            let same_events = unchanged(EVENTS, events.as_ref());
            item.extend(events.map(|events| (EVENTS.to_owned(), events)));
            let write = Write::put(TABLE, level_key(sku, scope), item);
            let same = TableCondition::All(vec![same_level, same_arrival, same_history, same_events]);
            if let Written::Done(_) = self.database.write(write.when(same)).await? {
                return Ok(LevelWrite::Stored);
            }
        }
    }

    /// Remembers the event of a level that was handled, so that the same one again changes nothing. Not before: a
    /// message that comes back after a fault, perhaps from the dead-letter queue under another name, is no repetition.
    pub async fn note_event(&self, level: &StockLevel) -> Result<(), Error> {
        if level.event_id.is_none() {
            return Ok(());
        }
        let mut race = Race::about("the events of a stock level");
        loop {
            race.enter()?;
            let Some(item) = self.get(TABLE, level_key(&level.sku, &level.scope)).await? else { return Ok(()) };
            let before = item.get(EVENTS);
            let events = AttributeValue::B(Blob::new(seen_events(before).then(level).to_bytes()));
            if before == Some(&events) {
                return Ok(());
            }
            let there = vec![TableCondition::Exists("at"), unchanged(EVENTS, before)];
            let key = level_key(&level.sku, &level.scope);
            let write = Write::update(TABLE, key, vec![Action::set(EVENTS, events.clone())]);
            if let Written::Done(_) = self.database.write(write.when(TableCondition::All(there))).await? {
                return Ok(());
            }
        }
    }

    /// Remembers that a level has been matched to its end. Of one that never was, the sweep looks at everybody.
    pub async fn note_matched(&self, sku: &Sku, scope: &Scope, arrival: &Arrival) -> Result<(), Error> {
        let matched = vec![Action::set(MATCHED, text(&arrival.id))];
        // A newer one that has come meanwhile is known by another arrival.
        let write = Write::update(TABLE, level_key(sku, scope), matched).when(TableCondition::Exists("at"));
        self.database.write(write).await.map(drop)
    }

    /// Returns true if somebody may wait for a SKU, and the newest level of each of its scopes; strongly consistent.
    pub async fn stock_levels(&self, sku: &Sku) -> Result<(bool, Vec<KnownLevel>), Error> {
        let items = self.query_all(levels_and_mark(sku)).await?;
        let mark = items.iter().find_map(Mark::of);
        let mut levels = read_each(items.into_iter().filter(is_level), known);
        levels.retain(|level| mark.as_ref().is_some_and(|mark| mark.has_seen(level)));
        Ok((mark.is_some(), levels))
    }

    /// Returns the newest level of each scope of a SKU; strongly consistent.
    pub async fn levels_of(&self, sku: &Sku) -> Result<Vec<KnownLevel>, Error> {
        Ok(read_each(self.query_all(levels_and_mark(sku)).await?.into_iter().filter(is_level), known))
    }

    /// Returns the newest level of the scope that a level is of, and whether that level would repeat an earlier one.
    pub async fn known_level(&self, level: &StockLevel) -> Result<(Option<KnownLevel>, Repetition), Error> {
        let item = self.get(TABLE, level_key(&level.sku, &level.scope)).await?;
        let repetition = seen_events(item.as_ref().and_then(|item| item.get(EVENTS))).compare(level);
        Ok((item.map(known).transpose()?, repetition))
    }

    /// Returns the demand marks of subscriptions' SKUs, and the levels that cover the subscriptions; strongly
    /// consistent.
    pub async fn stock_of(&self, subscriptions: &[&Subscription]) -> Result<StockFacts, Error> {
        let mut levels = HashSet::new();
        for subscription in subscriptions {
            levels.extend(covering(subscription).into_iter().map(|scope| (&subscription.sku, scope)));
        }
        let marked: HashSet<&Sku> = subscriptions.iter().map(|subscription| &subscription.sku).collect();
        let keys = levels.iter().map(|(sku, scope)| level_key(sku, scope)).chain(marked.into_iter().map(demand));
        let mut facts = StockFacts::default();
        for item in self.batch_get(TABLE, keys.collect()).await? {
            let Some(sku) = string_of(&item, "sku").map(|sku| Sku::restore(sku)) else { continue };
            if Mark::of(&item).is_some() {
                facts.in_demand.insert(sku);
            } else {
                facts.matched.extend(string_of(&item, MATCHED).cloned());
                facts.levels.entry(sku).or_default().extend(read_each([item], known));
            }
        }
        Ok(facts)
    }

    /// Reads what may have changed since a subscription was matched. One request, strongly consistent.
    pub async fn last_look(&self, subscription: &Subscription) -> Result<LastLook, Error> {
        let sku = &subscription.sku;
        let mut keys: Vec<(Table, Item)> =
            covering(subscription).iter().map(|scope| wanted(TABLE, level_key(sku, scope))).collect();
        keys.push(wanted(keyspace::Contacts, contacts::key(subscription.contact_id)));
        keys.push(wanted(keyspace::Deliveries, delivery_record::key_for(subscription)));
        let mut seen = LastLook::default();
        for (table, item) in self.batch_get_all(keys).await? {
            match table {
                Table::Contacts => seen.contact = Some(contacts::read(item)?),
                Table::Deliveries => {
                    seen.sent_at = delivery_record::sent_at(&item)?;
                    seen.refused_for = delivery_record::refused_for(&item);
                }
                _ => seen.levels.push(known(item)?),
            }
        }
        Ok(seen)
    }
}

fn seen_events(events: Option<&AttributeValue>) -> SeenEvents {
    let bytes = events.and_then(|events| events.as_b().ok());
    bytes.map_or_else(SeenEvents::default, |bytes| SeenEvents::from_bytes(bytes.as_ref()))
}

/// Returns the condition that an attribute is still as it was read.
fn unchanged(name: &'static str, seen: Option<&AttributeValue>) -> TableCondition {
    seen.map_or(TableCondition::Missing(name), |seen| TableCondition::Is(name, seen.clone()))
}

pub(crate) fn known(item: Item) -> Result<KnownLevel, Error> {
    let LevelItem { locale, external_id, quantity, at, arrival, history, earlier } = read_item(TABLE, item)?;
    Ok(KnownLevel { scope: Scope::of(locale, external_id), quantity, at, arrival, history, earlier })
}

/// Returns what asks for the demand mark and the levels of a SKU; what else there is of it comes after them.
fn levels_and_mark(sku: &Sku) -> Query {
    Query { range: Range::Before("wave#".into()), ..Query::of(TABLE, sku.as_str()) }
}

/// Returns true for the item of a level.
fn is_level(item: &Item) -> bool {
    string_of(item, "scope").is_some_and(|scope| scope.starts_with("level#"))
}

/// Returns the scopes whose levels cover a subscription.
pub(crate) fn covering(subscription: &Subscription) -> Vec<Scope> {
    let Subscription { locale, external_id, .. } = subscription;
    let mut scopes = vec![Scope::Sku, Scope::Locale(locale.clone())];
    if let Some(id) = external_id {
        scopes.extend([Scope::ExternalId(id.clone()), Scope::Both(locale.clone(), id.clone())]);
    }
    scopes
}

pub(crate) fn demand(sku: &Sku) -> Item {
    texts([("sku", sku.as_str()), ("scope", DEMAND)])
}

/// Returns the key of a scope's level.
pub(crate) fn level_key(sku: &Sku, scope: &Scope) -> Item {
    texts([("sku", sku.as_str()), ("scope", &format!("level#{}", scope_key(scope)))])
}

/// Returns a text that no two scopes share: a locale has no `#`.
pub(crate) fn scope_key(scope: &Scope) -> String {
    match scope {
        Scope::Sku => "all".into(),
        Scope::Locale(locale) => format!("locale#{}", locale.key()),
        Scope::ExternalId(id) => format!("external-id#{}", id.as_str()),
        Scope::Both(locale, id) => format!("both#{}#{}", locale.key(), id.as_str()),
    }
}
