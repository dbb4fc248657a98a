//! What one key of a table or of an index bears in a second, as a partition of DynamoDB bears only so much.

use super::super::world::{Faults, State, World, now};
use super::{key_of, string};
use restock_store::Error;
use restock_store::database::{Change, Index, Table, Write};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Limits {
    /// The write units that each key bears a second, once they were drawn.
    bearable: Option<u32>,
    /// What was taken of each key in a second.
    taken: BTreeMap<(Part, Units), (i64, u32)>,
}

/// A key of a table or of an index.
pub type Part = (Option<Table>, Option<Index>, String);

/// What a key bears so many of in a second: three times as many read units as write units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Units {
    Write = 1,
    Read = 3,
}

pub fn of_table(table: Table, partition: &str) -> Part {
    (Some(table), None, partition.to_owned())
}

pub fn of_index(index: Index, partition: &str) -> Part {
    (None, Some(index), partition.to_owned())
}

pub fn throttled(operation: &'static str) -> Error {
    Error::Request { operation, throttled: true, source: super::injected() }
}

impl State {
    /// Takes a unit of what each key bears in this second; returns false and takes nothing if one has none left.
    pub fn bears(&mut self, faults: &Faults, parts: Vec<Part>, units: Units) -> bool {
        let [fewest, most] = faults.key_units;
        if most == 0 || self.quiet {
            return true;
        }
        let drawn = self.random.u32(fewest..=most);
        let most = *self.tables.limits.bearable.get_or_insert(drawn) * units as u32;
        let second = now().as_second();
        let mut wanted: BTreeMap<(Part, Units), u32> = BTreeMap::new();
        for part in parts {
            *wanted.entry((part, units)).or_default() += 1;
        }
        for (key, count) in &mut wanted {
            *count += match self.tables.limits.taken.get(key) {
                Some((at, taken)) if *at == second => *taken,
                _ => 0,
            };
        }
        if wanted.values().any(|count| *count > most) {
            return false;
        }
        self.tables.limits.taken.extend(wanted.into_iter().map(|(key, count)| (key, (second, count))));
        true
    }
}

impl World {
    /// Refuses writes that a key of their table, or of an index that has to follow, can't bear in this second.
    pub fn bear(&self, operation: &'static str, writes: &[&Write]) -> Result<(), Error> {
        let mut state = self.lock();
        let mut parts = Vec::new();
        for write in writes {
            let key = key_of(write.table, &write.key);
            let before = state.tables.items.get(&key);
            let after = match &write.change {
                Change::Put(item) => Some(item),
                Change::Update(_) | Change::Delete => None,
            };
            parts.push(of_table(write.table, &key.1));
            // A claim changes nothing that an index shows.
            if let (Table::Subscriptions, false) = (write.table, matches!(write.change, Change::Update(_)))
                && let Some(item) = after.or(before)
            {
                parts.push(of_index(Index::BySkuLocale, &string(item, "sku")));
                if item.contains_key("externalIdOrder") {
                    parts.push(of_index(Index::BySkuExternalId, &string(item, "sku")));
                }
            }
            if let (Table::Log, Some(entry)) = (write.table, write.key.get("entry").and_then(|entry| entry.as_s().ok()))
                && !entry.ends_with("#mails")
            {
                parts.push(of_index(Index::ByMonth, entry.get(..7).unwrap_or_default()));
            }
        }
        if state.bears(&self.faults, parts, Units::Write) { Ok(()) } else { Err(throttled(operation)) }
    }
}
