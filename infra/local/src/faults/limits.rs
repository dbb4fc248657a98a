//! How much one partition key of a table or index bears, as DynamoDB documents it. Beyond that, requests are throttled; an index
//! that bears no more throttles the writes of its table.

use crate::template::Table;
use serde_json::Value;
use std::collections::HashMap;
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

/// The units that keys have left.
#[derive(Default)]
pub struct Limits {
    units: KeyUnits,
    /// The partition key's name of each table, and of its indexes with their names.
    schemas: HashMap<String, (String, Vec<(String, String)>)>,
    left: Mutex<HashMap<Counted, (f64, Instant)>>,
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
            let indexes = table.properties["GlobalSecondaryIndexes"].as_array().into_iter().flatten();
            let of_index = |index: &Value| Some((index["IndexName"].as_str()?.to_owned(), partition_key(index)?));
            let indexes = indexes.filter_map(of_index).collect();
            Some((table.name.clone(), (partition_key(&table.properties)?, indexes)))
        };
        Self { units, schemas: tables.iter().filter_map(schema).collect(), left: Mutex::default() }
    }

    /// Returns true if a request is about a partition that has nothing left.
    pub fn is_over(&self, operation: &str, body: &Value) -> bool {
        let mut left = self.left();
        self.touched(operation, body).into_iter().any(|counted| *self.refilled(&mut left, &counted) <= 0.0)
    }

    /// Takes off what a request used, by its answer.
    pub fn charge(&self, operation: &str, body: &Value, answer: &Value) {
        let mut touched = self.touched(operation, body);
        // What an update or a deletion changed in indexes is known afterwards only.
        if let Some(table) = body["TableName"].as_str().filter(|_| !answer["Attributes"].is_null()) {
            touched.extend(self.of_indexes(table, &answer["Attributes"]));
        }
        let mut left = self.left();
        for consumed in each(&answer["ConsumedCapacity"]) {
            let Some(table) = consumed["TableName"].as_str() else { continue };
            let indexes = consumed["GlobalSecondaryIndexes"].as_object().into_iter().flatten();
            let of_indexes = indexes.map(|(index, used)| (format!("{table}/{index}"), used));
            for (of, used) in of_indexes.chain([(table.to_owned(), &consumed["Table"])]) {
                let same: Vec<&Counted> = touched.iter().filter(|counted| counted.of == of).collect();
                let units = used["CapacityUnits"].as_f64().unwrap_or_default() / same.len().max(1) as f64;
                same.into_iter().for_each(|counted| *self.refilled(&mut left, counted) -= units);
            }
        }
    }

    fn left(&self) -> MutexGuard<'_, HashMap<Counted, (f64, Instant)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what a partition has left by now.
    fn refilled<'a>(&self, left: &'a mut HashMap<Counted, (f64, Instant)>, counted: &Counted) -> &'a mut f64 {
        let rate = if counted.is_write { self.units.writes } else { self.units.reads };
        let most = rate * BURST.as_secs_f64();
        let (units, since) = left.entry(counted.clone()).or_insert((most, Instant::now()));
        *units = (*units + rate * since.elapsed().as_secs_f64()).min(most);
        *since = Instant::now();
        units
    }

    /// Returns the partitions that a request is about, as far as it says so.
    fn touched(&self, operation: &str, body: &Value) -> Vec<Counted> {
        let is_write = !matches!(operation, "BatchGetItem" | "GetItem" | "Query" | "Scan");
        let table_of = |request: &Value| request["TableName"].as_str().unwrap_or_default().to_owned();
        let items: Vec<(String, &Value)> = match operation {
            "BatchGetItem" | "BatchWriteItem" => {
                let tables = body["RequestItems"].as_object().into_iter().flatten();
                let of_table = |(table, asked): (&String, &'_ Value)| -> Vec<(String, Value)> {
                    let list = asked.as_array().or(asked["Keys"].as_array()).into_iter().flatten();
                    list.map(|one| (table.clone(), one.clone())).collect()
                };
                let all: Vec<(String, Value)> = tables.flat_map(of_table).collect();
                return all
                    .iter()
                    .flat_map(|(table, one)| {
                        let put = &one["PutRequest"]["Item"];
                        let deleted = &one["DeleteRequest"]["Key"];
                        let item = [put, deleted].into_iter().find(|value| !value.is_null()).unwrap_or(one);
                        self.of_item(table, item, is_write)
                    })
                    .collect();
            }
            "TransactWriteItems" => {
                let single = each(&body["TransactItems"]).filter_map(|item| item.as_object()?.values().next());
                single.map(|write| (table_of(write), item_of(write))).collect()
            }
            "Query" => {
                let of = match body["IndexName"].as_str() {
                    Some(index) => format!("{}/{index}", table_of(body)),
                    None => table_of(body),
                };
                // The partition is the first value that an expression of ours has.
                let partition = text(&body["ExpressionAttributeValues"][":v0"]);
                return partition.map(|partition| Counted { of, partition, is_write }).into_iter().collect();
            }
            "Scan" => return Vec::new(),
            _ => vec![(table_of(body), item_of(body))],
        };
        items.into_iter().flat_map(|(table, item)| self.of_item(&table, item, is_write)).collect()
    }

    fn of_item(&self, table: &str, item: &Value, is_write: bool) -> Vec<Counted> {
        let Some((key, _)) = self.schemas.get(table) else { return Vec::new() };
        let partition = text(&item[key]);
        let own = partition.map(|partition| Counted { of: table.to_owned(), partition, is_write });
        let of_indexes = if is_write { self.of_indexes(table, item) } else { Vec::new() };
        own.into_iter().chain(of_indexes).collect()
    }

    fn of_indexes(&self, table: &str, item: &Value) -> Vec<Counted> {
        let indexes = self.schemas.get(table).into_iter().flat_map(|(_, indexes)| indexes);
        let counted = |(index, key): &(String, String)| {
            Some(Counted { of: format!("{table}/{index}"), partition: text(&item[key])?, is_write: true })
        };
        indexes.filter_map(counted).collect()
    }
}

fn item_of(write: &Value) -> &Value {
    if write["Item"].is_null() { &write["Key"] } else { &write["Item"] }
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
    use serde_json::json;

    fn limits() -> Limits {
        let index = json!({"IndexName": "by-sku", "KeySchema": [{"AttributeName": "sku"}]});
        let properties = json!({"KeySchema": [{"AttributeName": "id"}], "GlobalSecondaryIndexes": [index]});
        let table = Table { id: "T".into(), name: "t".into(), properties };
        Limits::new(KeyUnits { writes: 1.0, reads: 1.0 }, &[table])
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
        limits.charge("PutItem", &put("a", "1"), &used(5.0, 0.0));

        assert!(limits.is_over("PutItem", &put("a", "2")));
        assert!(!limits.is_over("PutItem", &put("b", "1")));
        let read = json!({"RequestItems": {"t": {"Keys": [{"id": {"S": "a"}}]}}});
        assert!(!limits.is_over("BatchGetItem", &read));
    }

    #[test]
    fn an_index_that_was_written_too_often_throttles_its_table() {
        let limits = limits();
        limits.charge("PutItem", &put("a", "1"), &used(1.0, 5.0));

        assert!(limits.is_over("PutItem", &put("b", "1")));
        assert!(!limits.is_over("PutItem", &put("b", "2")));
    }

    #[test]
    fn a_deletion_counts_for_the_index_that_its_item_was_in() {
        let limits = limits();
        let deletion = json!({"TableName": "t", "Key": {"id": {"S": "a"}}});
        let mut answer = used(1.0, 5.0);
        answer["Attributes"] = put("a", "1")["Item"].clone();
        limits.charge("DeleteItem", &deletion, &answer);

        assert!(limits.is_over("PutItem", &put("b", "1")));
    }
}
