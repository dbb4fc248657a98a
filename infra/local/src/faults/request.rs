//! What a request to DynamoDB is about, in whatever form its operation has it.

use serde_json::{Value, json};

/// What a request does with one item, one partition, or a whole table or index.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// As policies name it, such as `PutItem`, also within a transaction.
    pub action: String,
    pub table: String,
    pub index: Option<String>,
    /// The item with its key, its key alone, or of a query the partition key. Null for a scan.
    pub item: Value,
}

/// Returns the parts of a request.
pub fn parts(operation: &str, body: &Value) -> Vec<Part> {
    let part = |action: String, request: &Value, item: &Value| Part {
        action,
        table: request["TableName"].as_str().unwrap_or_default().to_owned(),
        index: request["IndexName"].as_str().map(ToOwned::to_owned),
        item: item.clone(),
    };
    match operation {
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            let of_table = |(table, asked): (&String, &Value)| -> Vec<Part> {
                let list = asked.as_array().or(asked["Keys"].as_array()).into_iter().flatten();
                let part = |one: &Value| {
                    let forms = [&one["PutRequest"]["Item"], &one["DeleteRequest"]["Key"]];
                    let item = forms.into_iter().find(|form| !form.is_null()).unwrap_or(one).clone();
                    Part { action: operation.to_owned(), table: table.clone(), index: None, item }
                };
                list.map(part).collect()
            };
            tables.flat_map(of_table).collect()
        }
        "TransactWriteItems" => {
            let writes = body["TransactItems"].as_array().into_iter().flatten();
            let single = writes.filter_map(|write| write.as_object()?.iter().next());
            single.map(|(kind, write)| part(format!("{kind}Item"), write, item_of(write))).collect()
        }
        "BatchExecuteStatement" => {
            let statements = body["Statements"].as_array().into_iter().flatten();
            statements.map(of_statement).collect()
        }
        "Query" => vec![part(operation.to_owned(), body, &partition_of(body))],
        _ => vec![part(operation.to_owned(), body, item_of(body))],
    }
}

/// Returns what a statement of a batch does, as the store prints it: every name is quoted, and every value a parameter.
pub fn of_statement(statement: &Value) -> Part {
    let text = statement["Statement"].as_str().unwrap_or_default();
    let action = match text.split(' ').next() {
        Some("INSERT") => "PartiQLInsert",
        Some("UPDATE") => "PartiQLUpdate",
        _ => "PartiQLDelete",
    };
    let names = text.split('?').map(|before| before.rsplit(['"', '\'']).nth(1).unwrap_or_default());
    // The attributes that an update sets come before those that say which item it is.
    let first = text
        .split(" WHERE ")
        .next()
        .map_or(0, |set| if action == "PartiQLUpdate" { set.matches('?').count() } else { 0 });
    let mut item = serde_json::Map::new();
    let parameters = statement["Parameters"].as_array().into_iter().flatten();
    for (name, value) in names.zip(parameters).skip(first) {
        item.entry(name).or_insert_with(|| value.clone());
    }
    let table = text.split('"').nth(1).unwrap_or_default().to_owned();
    Part { action: action.to_owned(), table, index: None, item: item.into() }
}

fn item_of(request: &Value) -> &Value {
    if request["Item"].is_null() { &request["Key"] } else { &request["Item"] }
}

/// Returns the partition that a query is of, as its condition begins with it: `#name = :value`.
fn partition_of(query: &Value) -> Value {
    let condition = query["KeyConditionExpression"].as_str().unwrap_or_default();
    let Some((name, rest)) = condition.split_once(" = ") else { return Value::Null };
    let value = rest.split(' ').next().unwrap_or_default();
    let name = query["ExpressionAttributeNames"][name].as_str().unwrap_or(name);
    json!({ name: query["ExpressionAttributeValues"][value] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(operation: &str, body: &Value) -> Vec<String> {
        let of_part = |Part { action, table, index, item }| {
            format!("{action} {table}{} {item}", index.map(|index| format!("/{index}")).unwrap_or_default())
        };
        parts(operation, body).into_iter().map(of_part).collect()
    }

    fn statement<const N: usize>(text: &str, values: [&str; N]) -> Value {
        let parameters: Vec<Value> = values.iter().map(|value| json!({"S": value})).collect();
        json!({"Statements": [{"Statement": text, "Parameters": parameters}]})
    }

    #[test]
    fn every_form_of_a_request_is_taken_apart() {
        let key = json!({"id": {"S": "a"}});
        for (operation, body, expected) in [
            ("PutItem", json!({"TableName": "t", "Item": key}), r#"PutItem t {"id":{"S":"a"}}"#),
            ("DeleteItem", json!({"TableName": "t", "Key": key}), r#"DeleteItem t {"id":{"S":"a"}}"#),
            ("BatchGetItem", json!({"RequestItems": {"t": {"Keys": [key]}}}), r#"BatchGetItem t {"id":{"S":"a"}}"#),
            (
                "BatchWriteItem",
                json!({"RequestItems": {"t": [{"DeleteRequest": {"Key": key}}]}}),
                r#"BatchWriteItem t {"id":{"S":"a"}}"#,
            ),
            (
                "TransactWriteItems",
                json!({"TransactItems": [{"Update": {"TableName": "t", "Key": key}}]}),
                r#"UpdateItem t {"id":{"S":"a"}}"#,
            ),
            (
                "Query",
                json!({
                    "TableName": "t", "IndexName": "i", "KeyConditionExpression": "#n0 = :v0 AND begins_with(#n1, :v1)",
                    "ExpressionAttributeNames": {"#n0": "sku"}, "ExpressionAttributeValues": {":v0": {"S": "1"}},
                }),
                r#"Query t/i {"sku":{"S":"1"}}"#,
            ),
            ("Scan", json!({"TableName": "t"}), "Scan t null"),
            (
                "BatchExecuteStatement",
                statement("UPDATE \"t\" SET \"id\" = ? REMOVE \"x\" WHERE \"id\" = ? AND (\"d\" = ?)", ["b", "a", "c"]),
                r#"PartiQLUpdate t {"d":{"S":"c"},"id":{"S":"a"}}"#,
            ),
            (
                "BatchExecuteStatement",
                statement("INSERT INTO \"t\" VALUE {'id': ?, 'sku': ?}", ["a", "1"]),
                r#"PartiQLInsert t {"id":{"S":"a"},"sku":{"S":"1"}}"#,
            ),
            (
                "BatchExecuteStatement",
                statement("DELETE FROM \"t\" WHERE \"id\" = ?", ["a"]),
                r#"PartiQLDelete t {"id":{"S":"a"}}"#,
            ),
        ] {
            assert_eq!(summary(operation, &body), [expected]);
        }
    }
}
