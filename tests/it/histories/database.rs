//! Tables in memory that do what DynamoDB does with the words of `restock_store::database`: conditions, and indexes
//! that lag.

mod limits;

use self::limits::{Limits, Units, of_index, of_table, throttled};
use super::history::StoredLevel;
use super::world::{Mishap, Sabotage, State, World, now};
use jiff::Timestamp;
use restock_domain::waves::StockHistory;
use restock_domain::{Arrival, ExternalId, KnownLevel, Locale, Scope, Source};
use restock_store::Error;
use restock_store::database::{
    Action, AllWritten, Alteration, AttributeValue, BatchGot, Change, Consistency, Database, Executed, FoundItems,
    Index, Item, Pending, PlainWrite, Query, Range, Scan, Statement, Table, TableCondition, Write, Written,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long an index mostly lags its table, in milliseconds; far less than the second look waits.
const LAG: u64 = 5_000;
/// Of names and values (Amazon DynamoDB Developer Guide, "Quotas").
const MAX_ITEM_BYTES: usize = 400 * 1024;
/// How long it lags when it can't keep up.
const LONG_LAG: u64 = 6 * 3_600_000;
/// How old an item may be that an eventually consistent read shows, in milliseconds; DynamoDB's is rarely older than a
/// second.
const STALE: u64 = 5_000;

type Key = (Table, String, String);

#[derive(Default)]
pub struct Tables {
    items: BTreeMap<Key, Item>,
    /// What the indexes show of each partition, by sort key and the item's own key.
    shown: BTreeMap<(Index, String), BTreeMap<(String, Key), Item>>,
    /// The items that they show.
    shown_items: BTreeMap<Key, Item>,
    /// What they will show, by when and the order of the writes.
    coming: BTreeMap<(Timestamp, u64), (Key, Option<Item>)>,
    /// When the last write of an item will be shown.
    coming_last: BTreeMap<Key, Timestamp>,
    writes: u64,
    /// What items were before, until when, for eventually consistent reads.
    past: VecDeque<(Timestamp, Key, Option<Item>)>,
    /// SKUs whose part of an index can't keep up.
    hot: BTreeSet<String>,
    limits: Limits,
    /// The most messages on their way that a wave's item named.
    pub most_on_the_way: usize,
    /// Levels in the order in which they were stored.
    pub stored: Vec<StoredLevel>,
    /// Records of deliveries that were deleted with their contact.
    erased: Vec<Item>,
}

pub struct Simulated(pub Arc<World>);

impl Database for Simulated {
    fn batch_get(&self, keys: Vec<(Table, Item)>, consistency: Consistency) -> Pending<'_, BatchGot> {
        Box::pin(async move {
            self.faulty("BatchGetItem", |world| {
                let mut state = world.lock();
                let mut keys: Vec<(Key, (Table, Item))> =
                    keys.iter().map(|(table, key)| (key_of(*table, key), (*table, key.clone()))).collect();
                // Callers gather keys in hash maps, whose order is no part of a seed.
                keys.sort_by(|a, b| a.0.cmp(&b.0));
                let mut got = BatchGot::default();
                for (key, asked) in keys {
                    let bears = state.bears(&world.faults, vec![of_table(key.0, &key.1)], Units::Read);
                    if !bears || state.partial() {
                        got.unprocessed.push(asked);
                        continue;
                    }
                    let sabotaged = world.sabotage == Sabotage::OldContacts && key.0 == Table::Contacts && !state.quiet;
                    let may_be_old = consistency == Consistency::Eventual || sabotaged;
                    let age = if may_be_old { state.random.u64(0..STALE) } else { 0 };
                    let at = now() - Duration::from_millis(age);
                    let is_stop = |kind: &str| key.0 == Table::Configuration && ["pause", "hold"].contains(&kind);
                    if world.sabotage == Sabotage::NoStops && is_stop(&string(&asked.1, "kind")) {
                        continue;
                    }
                    if let Some(item) = state.tables.item_at(&key, at) {
                        got.found.push((key.0, world.sabotage.distort(item)));
                    }
                }
                got
            })
            .await
        })
    }

    fn write(&self, write: Write) -> Pending<'_, Written> {
        Box::pin(async move {
            if self.0.sabotage == Sabotage::AnsweredBeforeWritten && subscribes(&write) {
                let world = self.0.clone();
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    world.apply(&write);
                });
                return Ok(Written::Done(None));
            }
            self.0.bear("a write", &[&write])?;
            self.faulty("a write", |world| world.apply(&write)).await
        })
    }

    fn write_all(&self, writes: Vec<Write>) -> Pending<'_, AllWritten> {
        Box::pin(async move {
            self.0.bear("TransactWriteItems", &writes.iter().collect::<Vec<_>>())?;
            // The SDK repeats a transaction with the same token, and DynamoDB does not carry it out twice.
            let is_done = AtomicBool::new(false);
            self.faulty("TransactWriteItems", |world| {
                if is_done.load(Ordering::Relaxed) {
                    return AllWritten::Done;
                }
                let refused: Vec<Option<Item>> = {
                    let state = world.lock();
                    let item = |write: &Write| state.tables.items.get(&key_of(write.table, &write.key));
                    if writes.iter().all(|write| holds(&write.condition, item(write))) {
                        Vec::new()
                    } else {
                        let held = |write: &&Write| holds(&write.condition, item(write));
                        writes.iter().map(|write| (!held(&write)).then(|| item(write).cloned()).flatten()).collect()
                    }
                };
                if !refused.is_empty() {
                    return AllWritten::Refused(refused);
                }
                writes.iter().for_each(|write| drop(world.apply(write)));
                is_done.store(true, Ordering::Relaxed);
                AllWritten::Done
            })
            .await
        })
    }

    fn execute(&self, statements: Vec<Statement>) -> Pending<'_, Vec<Executed>> {
        Box::pin(async move {
            self.faulty("BatchExecuteStatement", |world| {
                statements.iter().map(|statement| world.execute(statement)).collect()
            })
            .await
        })
    }

    fn batch_write(&self, writes: Vec<PlainWrite>) -> Pending<'_, Vec<PlainWrite>> {
        Box::pin(async move {
            self.faulty("BatchWriteItem", |world| {
                let mut left = Vec::new();
                for plain in &writes {
                    let (table, key, change) = match plain {
                        PlainWrite::Put(table, item) => (*table, key_item(*table, item), Change::Put(item.clone())),
                        PlainWrite::Delete(table, key) => (*table, key.clone(), Change::Delete),
                    };
                    let write = Write { table, key, change, condition: TableCondition::Always };
                    if world.lock().partial() || world.bear("BatchWriteItem", &[&write]).is_err() {
                        left.push(plain.clone());
                    } else {
                        world.apply(&write);
                    }
                }
                left
            })
            .await
        })
    }

    fn query(&self, query: Query) -> Pending<'_, FoundItems> {
        Box::pin(async move {
            let partition = &query.partition;
            let part = query.index.map_or_else(|| of_table(query.table, partition), |index| of_index(index, partition));
            if !self.0.lock().bears(&self.0.faults, vec![part], Units::Read) {
                return Err(throttled("Query"));
            }
            let mut found = self.faulty("Query", |world| world.lock().tables.query(&query, now())).await?;
            let of_line = query.index == Some(Index::BySkuLocale) && found.items.len() > 1;
            if of_line && self.0.sabotage == Sabotage::OldestHidden {
                found.items.remove(0);
            }
            Ok(found)
        })
    }

    fn scan(&self, scan: Scan) -> Pending<'_, FoundItems> {
        Box::pin(async move { self.faulty("Scan", |world| world.lock().tables.scan(&scan)).await })
    }
}

/// Returns the bytes of an item's names and texts, about.
fn bytes_of(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.as_s().map_or(8, String::len)).sum()
}

/// Returns the level of an item.
fn level_of(item: &Item) -> Option<KnownLevel> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    let scope =
        Scope::of(text("locale").map(Locale::from), text("externalId").map(|id| ExternalId::parse(&id).unwrap()));
    let quantity = item.get("quantity")?.as_n().ok()?.parse().ok()?;
    let arrival = item.get("arrival")?.as_m().ok()?;
    let of_arrival = |name: &str| arrival.get(name)?.as_s().ok().cloned();
    let (at, id) = (of_arrival("at")?.parse().ok()?, of_arrival("id")?);
    let arrival = Some(Arrival { at, id, source: Source::Http });
    let at = text("at")?.parse().ok()?;
    Some(KnownLevel { scope, quantity, at, arrival, history: StockHistory::default(), earlier: Vec::new() })
}

fn injected() -> Arc<dyn std::error::Error + Send + Sync> {
    Arc::new(std::io::Error::other("injected"))
}

impl Simulated {
    /// Carries a request out as fate has it: in time or late, once, twice or not at all, with or without an answer.
    async fn faulty<T>(&self, operation: &'static str, effect: impl Fn(&World) -> T) -> Result<T, Error> {
        let world = &self.0;
        let error = |throttled| Error::Request { operation, throttled, source: injected() };
        match world.fate().await {
            Mishap::Fine => {}
            Mishap::Refused => return Err(error(true)),
            Mishap::LostBefore => return Err(error(false)),
            Mishap::LostAfter => {
                effect(world);
                return Err(error(false));
            }
            // The SDK asks again when an answer is lost.
            Mishap::Twice => {
                drop(effect(world));
                world.wait_up_to(9_000).await;
            }
            Mishap::KilledAfter => {
                effect(world);
                world.die().await;
            }
        }
        let answer = effect(world);
        world.dawdle().await;
        Ok(answer)
    }
}

impl World {
    /// Carries one statement of a batch out.
    fn execute(&self, statement: &Statement) -> Executed {
        let Statement { table, key, alteration, condition, returns_item } = statement.clone();
        let exists = self.lock().tables.items.contains_key(&key_of(table, &key));
        let change = match alteration {
            Alteration::Insert(item) => Change::Put(item),
            Alteration::Set(item) => {
                Change::Update(item.into_iter().map(|(name, value)| Action::Set(name, value)).collect())
            }
            Alteration::Unset(names) => {
                Change::Update(names.iter().map(|name| Action::Remove((*name).to_owned())).collect())
            }
            Alteration::Remove => Change::Delete,
        };
        let write = Write { table, key, change, condition };
        if self.lock().partial() || self.bear("BatchExecuteStatement", &[&write]).is_err() {
            return Executed::NotNow;
        }
        match (&write.change, exists) {
            (Change::Put(_), true) | (Change::Update(_), false) => Executed::Refused(None),
            (Change::Delete, false) => Executed::Done(None),
            _ => match self.apply(&write) {
                Written::Done(item) => Executed::Done(item.filter(|_| returns_item)),
                Written::Refused(item) => Executed::Refused(item),
            },
        }
    }

    fn apply(&self, write: &Write) -> Written {
        let mut state = self.lock();
        let key = key_of(write.table, &write.key);
        let item = state.tables.items.get(&key);
        if self.sabotage == Sabotage::NoTraces && key.1.starts_with("erased#") {
            return Written::Done(None);
        }
        let passed_over = item.is_some() && self.sabotaged(write);
        if !(passed_over || holds(&write.condition, item)) {
            return Written::Refused(item.cloned());
        }
        let before = item.cloned();
        let after = match &write.change {
            Change::Put(attributes) => {
                let mut item = attributes.clone();
                item.extend(write.key.clone());
                Some(item)
            }
            Change::Update(actions) => {
                let mut item = before.clone().unwrap_or_else(|| write.key.clone());
                actions.iter().for_each(|action| act(&mut item, action));
                Some(item)
            }
            Change::Delete => None,
        };
        let answer = match write.change {
            Change::Update(_) => after.clone(),
            Change::Put(_) | Change::Delete => before,
        };
        let after = match self.sabotage {
            Sabotage::UsedUpBeforeTheMail if claims(write) => None,
            Sabotage::AlwaysRenewed if uses_up(write) => answer.clone().map(renewed),
            _ => after,
        };
        let sku = after.as_ref().or(answer.as_ref()).map(|item| string(item, "sku")).unwrap_or_default();
        let bytes = after.as_ref().map_or(0, bytes_of);
        assert!(bytes <= MAX_ITEM_BYTES, "DynamoDB takes no such item: {bytes} bytes of {key:?}");
        if let Some(wave) = after.as_ref().filter(|_| key.2.starts_with("wave#")) {
            let on_the_way = string(wave, "document").matches("\"places\":").count();
            state.tables.most_on_the_way = on_the_way.max(state.tables.most_on_the_way);
        }
        state.tables.keep_past(&key);
        let is_level = write.table == Table::Stock && key.2.starts_with("level#");
        if let Some(level) = after.as_ref().filter(|_| is_level).and_then(level_of) {
            let sku = key.1.clone();
            state.tables.stored.push(StoredLevel { at: now(), sku, level });
        }
        match &after {
            Some(item) => state.tables.items.insert(key.clone(), item.clone()),
            None => state.tables.remove(&key),
        };
        if write.table == Table::Subscriptions {
            let lag = self.lag(&mut state, &sku);
            state.tables.show(now() + lag, key, after);
        }
        Written::Done(answer)
    }

    /// Returns how long an index takes to show a write of a SKU's subscription. Now and then it takes hours, also for
    /// everything that is written of a SKU.
    fn lag(&self, state: &mut State, sku: &str) -> Duration {
        if state.strikes(self.faults.hours / 10) {
            state.tables.hot.insert(sku.to_owned());
        }
        let long = state.tables.hot.contains(sku) || state.strikes(self.faults.hours);
        Duration::from_millis(state.random.u64(0..if long { LONG_LAG } else { LAG }))
    }

    /// Returns true if a condition that does not hold is passed over, to see that somebody notices.
    fn sabotaged(&self, write: &Write) -> bool {
        match self.sabotage {
            Sabotage::ClaimsAlwaysSucceed => claims(write),
            Sabotage::NoTurns => takes_turn(write),
            Sabotage::HastyMarks => write.table == Table::Stock && matches!(write.change, Change::Delete),
            _ => false,
        }
    }
}

fn subscribes(write: &Write) -> bool {
    write.table == Table::Subscriptions && matches!(write.change, Change::Put(_))
}

fn uses_up(write: &Write) -> bool {
    let conditional = !matches!(write.condition, TableCondition::Always);
    write.table == Table::Subscriptions && matches!(write.change, Change::Delete) && conditional
}

/// Returns the item as that of another delivery, which nobody has claimed.
fn renewed(mut item: Item) -> Item {
    ["claimedUntil", "claimedBy", "claimedFor", "attempts"].iter().for_each(|name| drop(item.remove(*name)));
    item.insert("delivery".into(), AttributeValue::S(uuid::Uuid::new_v4().to_string()));
    item
}

fn takes_turn(write: &Write) -> bool {
    matches!(&write.change, Change::Update(actions)
        if actions.iter().any(|action| matches!(action, Action::Set(name, _) if name == "knownBy")))
}

fn claims(write: &Write) -> bool {
    matches!(&write.change, Change::Update(actions)
        if actions.iter().any(|action| matches!(action, Action::Set(name, _) if name == "claimedBy")))
}

impl Tables {
    /// Returns the least id of a kind of items of the configuration table.
    pub fn first_of_kind(&self, kind: &str) -> Option<&str> {
        let first = (Table::Configuration, kind.to_owned(), String::new());
        let ((table, partition, id), _) = self.items.range(first..).next()?;
        (*table == Table::Configuration && partition == kind).then_some(id)
    }

    pub fn items(&self, table: Table) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |((of, ..), _)| *of == table).map(|(_, item)| item)
    }

    /// Returns the records of deliveries, and those that were deleted with their contact.
    pub fn records(&self) -> impl Iterator<Item = &Item> {
        self.items(Table::Deliveries).chain(&self.erased)
    }

    fn remove(&mut self, key: &Key) -> Option<Item> {
        let removed = self.items.remove(key);
        self.erased.extend(removed.clone().filter(|_| key.0 == Table::Deliveries));
        removed
    }

    /// Remembers what an item is, which is about to change.
    fn keep_past(&mut self, key: &Key) {
        while self.past.front().is_some_and(|(until, ..)| *until < now() - Duration::from_millis(STALE)) {
            self.past.pop_front();
        }
        self.past.push_back((now(), key.clone(), self.items.get(key).cloned()));
    }

    /// Returns an item as it was then, at most `STALE` ago.
    fn item_at(&self, key: &Key, at: Timestamp) -> Option<&Item> {
        let past = self.past.iter().find(|(until, of, _)| of == key && *until > at);
        past.map_or_else(|| self.items.get(key), |(.., item)| item.as_ref())
    }

    /// Reads a page of a table; nothing that is simulated reads an index so.
    fn scan(&self, scan: &Scan) -> FoundItems {
        assert!(scan.index.is_none(), "no index is scanned in a simulation");
        let after = scan.after.as_ref().map(|after| key_of(scan.table, after));
        let rest =
            self.items.iter().filter(|(key, _)| key.0 == scan.table && after.as_ref().is_none_or(|after| *key > after));
        let limit = scan.limit.map_or(usize::MAX, |limit| limit as usize);
        let page: Vec<(&Key, &Item)> = rest.take(limit).collect();
        let next = page.last().filter(|_| page.len() == limit).map(|(_, item)| key_item(scan.table, item));
        FoundItems { items: page.into_iter().map(|(_, item)| item.clone()).collect(), next }
    }

    fn query(&mut self, query: &Query, now: Timestamp) -> FoundItems {
        let (partition_name, sort_name) = query.key();
        let in_range = |sort: &str| match &query.range {
            Range::All => true,
            Range::BeginsWith(prefix) => sort.starts_with(prefix),
            Range::Before(end) => sort < end.as_str(),
            Range::Between(first, last) if first > last => panic!("DynamoDB refuses a range from {first} to {last}"),
            Range::Between(first, last) => (first.as_str()..=last.as_str()).contains(&sort),
        };
        let mut found: Vec<(String, &Item)> = match query.index {
            None => {
                let start = (query.table, query.partition.clone(), String::new());
                let rows = self.items.range((Bound::Included(start), Bound::Unbounded));
                let rows = rows
                    .take_while(|((table, partition, _), _)| (*table, partition) == (query.table, &query.partition));
                rows.map(|((_, _, sort), item)| (sort.clone(), item)).collect()
            }
            Some(index) => {
                self.catch_up(now);
                let rows = self.shown.get(&(index, query.partition.clone())).into_iter().flatten();
                rows.map(|((sort, _), item)| (sort.clone(), item)).collect()
            }
        };
        found.retain(|(sort, _)| in_range(sort));
        if query.newest_first {
            found.reverse();
        }
        let place = |item: &Item| key_of(query.table, item);
        if let Some(after) = &query.after {
            let after = (string(after, sort_name), place(after));
            found.retain(|(sort, item)| (sort.clone(), place(item)) > after);
        }
        let limit = query.limit.map_or(usize::MAX, |limit| limit as usize);
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|(_, item)| {
            let (partition, sort) = query.table.key();
            let names = [Some(partition), sort, Some(partition_name), Some(sort_name)];
            let names = names.into_iter().flatten();
            names.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
        });
        FoundItems { items: found.into_iter().map(|(_, item)| item.clone()).collect(), next }
    }

    /// Lets the indexes show a write then, and after the writes of the item before.
    fn show(&mut self, at: Timestamp, key: Key, item: Option<Item>) {
        let last = self.coming_last.entry(key.clone()).or_insert(at);
        *last = at.max(*last);
        self.writes += 1;
        self.coming.insert((*last, self.writes), (key, item));
    }

    fn catch_up(&mut self, now: Timestamp) {
        while let Some(due) = self.coming.first_entry().filter(|first| first.key().0 <= now) {
            let (key, item) = due.remove();
            if let Some(before) = self.shown_items.remove(&key) {
                for (partition, sort) in places(&before) {
                    self.shown.get_mut(&partition).map(|shown| shown.remove(&(sort, key.clone())));
                }
            }
            let Some(item) = item else { continue };
            for (partition, sort) in places(&item) {
                self.shown.entry(partition).or_default().insert((sort, key.clone()), item.clone());
            }
            self.shown_items.insert(key, item);
        }
    }
}

/// Returns where indexes show an item: their partition, and the sort key in it.
fn places(item: &Item) -> impl Iterator<Item = ((Index, String), String)> {
    let place = |index: Index| {
        let (partition, sort) = index.key();
        item.contains_key(sort).then(|| ((index, string(item, partition)), string(item, sort)))
    };
    [Index::BySkuLocale, Index::BySkuExternalId].into_iter().filter_map(place)
}

/// Returns the key's attributes of an item.
fn key_item(table: Table, item: &Item) -> Item {
    let (partition, sort) = table.key();
    let names = [Some(partition), sort].into_iter().flatten();
    names.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
}

fn key_of(table: Table, item: &Item) -> Key {
    let (partition, sort) = table.key();
    (table, string(item, partition), sort.map(|sort| string(item, sort)).unwrap_or_default())
}

pub fn string(item: &Item, name: &str) -> String {
    item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

fn holds(condition: &TableCondition, item: Option<&Item>) -> bool {
    let value = |name: &str| item.and_then(|item| item.get(name));
    match condition {
        TableCondition::Always => true,
        TableCondition::Exists(name) => value(name).is_some(),
        TableCondition::Missing(name) => value(name).is_none(),
        TableCondition::Is(name, wanted) => value(name) == Some(wanted),
        TableCondition::IsNot(name, other) => value(name) != Some(other),
        TableCondition::AtMost(name, most) => match (value(name), most) {
            (Some(AttributeValue::S(value)), AttributeValue::S(most)) => value <= most,
            (Some(AttributeValue::N(value)), AttributeValue::N(most)) => {
                let number = |text: &String| text.parse::<i64>().expect("a whole number");
                number(value) <= number(most)
            }
            _ => false,
        },
        TableCondition::All(conditions) => conditions.iter().all(|condition| holds(condition, item)),
        TableCondition::Any(conditions) => conditions.iter().any(|condition| holds(condition, item)),
    }
}

fn act(item: &mut Item, action: &Action) {
    match action {
        Action::Set(name, value) => drop(item.insert(name.clone(), value.clone())),
        Action::SetIfMissing(name, value) => drop(item.entry(name.clone()).or_insert_with(|| value.clone())),
        Action::Remove(name) => drop(item.remove(name)),
        Action::Add(name, number) => {
            let old: i64 = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(0);
            item.insert(name.clone(), AttributeValue::N((old + number).to_string()));
        }
    }
}
