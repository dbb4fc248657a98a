//! How much one partition key of a table or index bears, as DynamoDB documents it. Beyond that, requests are throttled;
//! an index that bears no more throttles the writes of its table.

use crate::faults::request::Part;
use crate::template::Table;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Units a second of one partition (DynamoDB developer guide, "Best practices for designing partition keys").
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyUnits {
    pub writes: f64,
    pub reads: f64,
}

impl Default for KeyUnits {
    fn default() -> Self {
        Self { writes: 1_000.0, reads: 3_000.0 }
    }
}

/// How long what was not used may be made up for.
const BURST: Duration = Duration::from_secs(2);
/// Partitions that are remembered before those that are full again are forgotten.
const MAX_KNOWN: usize = 10_000;

/// The units that keys have left.
#[derive(Default)]
pub struct Limits {
    units: KeyUnits,
    schemas: HashMap<String, Schema>,
    /// What partitions had left after their last request; those that are not known are full.
    left: Mutex<HashMap<Counted, (f64, Instant)>>,
    refused: AtomicU64,
    /// The partitions of indexes that items were in when they were read, by table and key.
    read: Mutex<HashMap<(String, String), Vec<Counted>>>,
}

/// The keys of a table.
struct Schema {
    /// The partition key first.
    key: Vec<String>,
    /// The partition keys of indexes, by their names.
    indexes: HashMap<String, String>,
}

/// A partition of a table or index, and what is done with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Counted {
    of: String,
    partition: String,
    is_write: bool,
}

impl Limits {
    pub fn new(units: KeyUnits, tables: &[Table]) -> Self {
        let partition_key = |owner: &Value| owner["KeySchema"][0]["AttributeName"].as_str().map(ToOwned::to_owned);
        let schema = |table: &Table| {
            let key = table.properties["KeySchema"].as_array().into_iter().flatten();
            let key = key.filter_map(|part| part["AttributeName"].as_str().map(ToOwned::to_owned)).collect();
            let indexes = table.properties["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
            let of_index = |index: &Value| Some((index["IndexName"].as_str()?.to_owned(), partition_key(index)?));
            let indexes = indexes.filter_map(of_index).collect();
            (table.name.clone(), Schema { key, indexes })
        };
        Self { units, schemas: tables.iter().map(schema).collect(), ..Self::default() }
    }

    /// Returns true if a request is about a partition that has nothing left.
    pub fn is_over(&self, parts: &[Part]) -> bool {
        let left = self.left();
        let mut known = self.touched(parts).into_iter().filter_map(|counted| {
            let since = left.get(&counted)?;
            Some(self.by_now(&counted, *since))
        });
        let is_over = known.any(|left| left <= 0.0);
        self.refused.fetch_add(u64::from(is_over), Ordering::Relaxed);
        is_over
    }

    /// Remembers the indexes that items are in, by the answer to a read: a deletion does not say so.
    pub fn learn(&self, found: &Value) {
        let tables = found.as_object().into_iter().flatten();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() > MAX_KNOWN {
            read.clear();
        }
        for (table, item) in tables.flat_map(|(table, items)| each(items).map(move |item| (table, item))) {
            let indexes = self.of_indexes(table, item);
            if let (Some(key), false) = (self.key_of(table, item), indexes.is_empty()) {
                read.insert((table.clone(), key), indexes);
            }
        }
    }

    fn key_of(&self, table: &str, item: &Value) -> Option<String> {
        let names = &self.schemas.get(table)?.key;
        names.iter().map(|name| text(&item[name])).collect::<Option<Vec<_>>>().map(|key| key.join("\n"))
    }

    /// Returns the indexes that an item was in when it was read.
    fn indexes_read(&self, table: &str, item: &Value) -> Vec<Counted> {
        let key = self.key_of(table, item).map(|key| (table.to_owned(), key));
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        key.and_then(|key| read.get(&key).cloned()).unwrap_or_default()
    }

    /// Returns how many requests were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Takes off what a request used, by its answer.
    pub fn charge(&self, parts: &[Part], body: &Value, answer: &Value) {
        let mut touched = self.touched(parts);
        // What an update or a deletion changed in indexes is known afterwards only.
        if let Some(table) = body["TableName"].as_str().filter(|_| !answer["Attributes"].is_null()) {
            touched.extend(self.of_indexes(table, &answer["Attributes"]));
        }
        for answer in each(&answer["Responses"]).filter(|answer| answer["Item"].is_object()) {
            touched.extend(self.of_indexes(answer["TableName"].as_str().unwrap_or_default(), &answer["Item"]));
        }
        let mut seen = HashSet::new();
        touched.retain(|counted| seen.insert(counted.clone()));
        let mut left = self.left();
        if left.len() > MAX_KNOWN {
            left.retain(|counted, since| self.by_now(counted, *since) < self.most(counted));
        }
        for consumed in each(&answer["ConsumedCapacity"]) {
            let Some(table) = consumed["TableName"].as_str() else { continue };
            let indexes = consumed["GlobalSecondaryIndexes"].as_object().into_iter().flatten();
            let of_indexes = indexes.map(|(index, used)| (format!("{table}/{index}"), used));
            for (of, used) in of_indexes.chain([(table.to_owned(), &consumed["Table"])]) {
                let same: Vec<&Counted> = touched.iter().filter(|counted| counted.of == of).collect();
                let units = used["CapacityUnits"].as_f64().unwrap_or_default() / same.len().max(1) as f64;
                for counted in same {
                    let now = left.get(counted).map_or(self.most(counted), |since| self.by_now(counted, *since));
                    left.insert(counted.clone(), (now - units, Instant::now()));
                }
            }
        }
    }

    fn left(&self) -> MutexGuard<'_, HashMap<Counted, (f64, Instant)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rate(&self, counted: &Counted) -> f64 {
        if counted.is_write { self.units.writes } else { self.units.reads }
    }

    /// Returns what a partition has that was not used for a while.
    fn most(&self, counted: &Counted) -> f64 {
        self.rate(counted) * BURST.as_secs_f64()
    }

    /// Returns what a partition has left by now that had so much then.
    fn by_now(&self, counted: &Counted, (left, then): (f64, Instant)) -> f64 {
        (left + self.rate(counted) * then.elapsed().as_secs_f64()).min(self.most(counted))
    }

    /// Returns the partitions that a request is about, as far as it says so.
    fn touched(&self, parts: &[Part]) -> Vec<Counted> {
        let of_part = |Part { action, table, index, item }: &Part| {
            let is_write = !matches!(action.as_str(), "BatchGetItem" | "Query" | "Scan");
            match index {
                Some(index) => self.of_index(table, index, item, is_write).into_iter().collect(),
                None => {
                    let own = self.schemas.get(table).and_then(|schema| text(&item[schema.key.first()?]));
                    let own = own.map(|partition| Counted { of: table.clone(), partition, is_write });
                    // An update changes nothing here that an index shows.
                    let of_indexes = match action.as_str() {
                        "DeleteItem" | "PartiQLDelete" => self.indexes_read(table, item),
                        _ if is_write => self.of_indexes(table, item),
                        _ => Vec::new(),
                    };
                    own.into_iter().chain(of_indexes).collect::<Vec<_>>()
                }
            }
        };
        parts.iter().flat_map(of_part).collect()
    }

    fn of_indexes(&self, table: &str, item: &Value) -> Vec<Counted> {
        let indexes = self.schemas.get(table).into_iter().flat_map(|schema| schema.indexes.keys());
        indexes.filter_map(|index| self.of_index(table, index, item, true)).collect()
    }

    fn of_index(&self, table: &str, index: &str, item: &Value, is_write: bool) -> Option<Counted> {
        let key = self.schemas.get(table)?.indexes.get(index)?;
        Some(Counted { of: format!("{table}/{index}"), partition: text(&item[key])?, is_write })
    }
}

fn text(value: &Value) -> Option<String> {
    value["S"].as_str().map(ToOwned::to_owned)
}

/// Returns the elements of an array, or the one thing that is there instead.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.iter(),
        Value::Null => [].iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::request::parts;
    use serde_json::json;

    fn limits() -> Limits {
        let index = json!({"IndexName": "by-sku", "KeySchema": [{"AttributeName": "sku"}]});
        let properties = json!({"KeySchema": [{"AttributeName": "id"}], "GlobalSecondaryIndexes": [index]});
        let table = Table { id: "T".into(), name: "t".into(), properties };
        Limits::new(KeyUnits { writes: 1.0, reads: 1.0 }, &[table])
    }

    fn is_over(limits: &Limits, operation: &str, body: &Value) -> bool {
        limits.is_over(&parts(operation, body))
    }

    fn charge(limits: &Limits, operation: &str, body: &Value, answer: &Value) {
        limits.charge(&parts(operation, body), body, answer);
    }

    fn put(id: &str, sku: &str) -> Value {
        json!({"TableName": "t", "Item": {"id": {"S": id}, "sku": {"S": sku}}})
    }

    fn used(table: f64, index: f64) -> Value {
        let indexes = json!({"by-sku": {"CapacityUnits": index}});
        let table = json!({"TableName": "t", "Table": {"CapacityUnits": table}, "GlobalSecondaryIndexes": indexes});
        json!({ "ConsumedCapacity": table })
    }

    #[test]
    fn a_partition_that_was_written_too_often_takes_no_more_and_others_do() {
        let limits = limits();
        charge(&limits, "PutItem", &put("a", "1"), &used(5.0, 0.0));

        assert!(is_over(&limits, "PutItem", &put("a", "2")));
        assert!(!is_over(&limits, "PutItem", &put("b", "1")));
        let read = json!({"RequestItems": {"t": {"Keys": [{"id": {"S": "a"}}]}}});
        assert!(!is_over(&limits, "BatchGetItem", &read));
    }

    #[test]
    fn an_index_that_was_written_too_often_throttles_its_table() {
        let limits = limits();
        charge(&limits, "PutItem", &put("a", "1"), &used(1.0, 5.0));

        assert!(is_over(&limits, "PutItem", &put("b", "1")));
        assert!(!is_over(&limits, "PutItem", &put("b", "2")));
    }

    #[test]
    fn a_deletion_is_throttled_by_the_index_that_its_item_was_in_when_it_was_read() {
        let limits = limits();
        charge(&limits, "PutItem", &put("a", "1"), &used(1.0, 5.0));
        limits.learn(&json!({"t": [put("b", "1")["Item"], put("c", "2")["Item"]]}));
        let deletion = |id: &str| json!({"TableName": "t", "Key": {"id": {"S": id}}});

        assert!(is_over(&limits, "DeleteItem", &deletion("b")));
        assert!(!is_over(&limits, "DeleteItem", &deletion("c")));
    }

    #[test]
    fn a_query_counts_for_the_index_that_it_reads_and_for_reads_alone() {
        let limits = limits();
        let query = json!({
            "TableName": "t", "IndexName": "by-sku", "KeyConditionExpression": "#n0 = :v0",
            "ExpressionAttributeNames": {"#n0": "sku"}, "ExpressionAttributeValues": {":v0": {"S": "1"}},
        });
        charge(&limits, "Query", &query, &used(0.0, 5.0));

        assert!(is_over(&limits, "Query", &query) && !is_over(&limits, "PutItem", &put("a", "1")));
        assert_eq!(limits.refused(), 1);
    }

    #[test]
    fn a_deletion_counts_for_the_index_that_its_item_was_in() {
        let limits = limits();
        let deletion = json!({"TableName": "t", "Key": {"id": {"S": "a"}}});
        let mut answer = used(1.0, 5.0);
        answer["Attributes"] = put("a", "1")["Item"].clone();
        charge(&limits, "DeleteItem", &deletion, &answer);

        assert!(is_over(&limits, "PutItem", &put("b", "1")));
    }
}
