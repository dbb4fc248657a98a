//! Compares what a request needs with what its function may do by its policies in `template.yaml`, so that a missing
//! permission fails a test here and not a deployment.

use crate::aws::names::{last_part, queue_arn, table_arn};
use crate::faults::request::{Part, parts};
use restock_access::Noted;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Statements that allow something, by function.
#[derive(Debug, Clone, Default)]
pub struct Permissions(BTreeMap<String, Vec<Statement>>);

#[derive(Debug, Clone)]
struct Statement {
    actions: Vec<String>,
    /// ARNs, which may end with `*`.
    resources: Vec<String>,
    /// The partition keys that a condition limits it to.
    leading_keys: Option<Vec<String>>,
    /// The ends of addresses that a condition limits senders to.
    senders: Vec<String>,
}

/// One thing that a request does.
#[derive(Debug, PartialEq, Eq)]
pub struct Needed {
    action: String,
    resource: String,
    /// The partition keys that it touches, where that matters.
    leading_keys: Vec<String>,
    /// The address of the sender, of a mail.
    sender: Option<String>,
}

impl Permissions {
    /// Adds a resolved policy document.
    pub fn add(&mut self, function: &str, document: &Value) {
        let statements = document["Statement"].as_array().into_iter().flatten().map(|statement| Statement {
            actions: texts(&statement["Action"]),
            resources: texts(&statement["Resource"]),
            leading_keys: statement["Condition"]["ForAllValues:StringEquals"].get("dynamodb:LeadingKeys").map(texts),
            senders: texts(&statement["Condition"]["StringLikeIfExists"]["ses:FromAddress"]),
        });
        self.0.entry(function.to_owned()).or_default().extend(statements);
    }

    /// Returns the same once for each statement about a function, without that one.
    pub fn without_each(&self, function: &str) -> Vec<Self> {
        let without = |index: usize| {
            let mut others = self.clone();
            others.0.entry(function.to_owned()).and_modify(|statements| drop(statements.remove(index)));
            others
        };
        (0..self.statements(function).len()).map(without).collect()
    }

    /// Returns everything that a function may ask for, each action of each resource by itself. `setting_of` says which
    /// setting names a table or queue.
    pub fn granted(&self, function: &str, setting_of: impl Fn(&str) -> String) -> BTreeSet<Noted> {
        let mut granted = BTreeSet::new();
        for statement in self.statements(function) {
            let any_key = vec![String::new()];
            let keys = statement.leading_keys.as_ref().unwrap_or(&any_key);
            let of_resource = |resource| keys.iter().map(move |key| (resource, key));
            let of_all = statement.resources.iter().flat_map(of_resource);
            for (action, (resource, key)) in
                statement.actions.iter().flat_map(|action| of_all.clone().map(move |of| (action, of)))
            {
                let (table, index) = resource.split_once("/index/").unwrap_or((resource, ""));
                // Mails are sent by an identity and with a configuration set, which code does not choose, as little as
                // the bus.
                let is_of_account = action.starts_with("ses:") || action.starts_with("events:");
                let resource = if is_of_account { String::new() } else { setting_of(last_part(table)) };
                granted.insert(Noted {
                    action: action.clone(),
                    resource,
                    leading_key: key.clone(),
                    of_index: !index.is_empty(),
                });
            }
        }
        granted
    }

    /// Returns true if a function may do this with a resource.
    pub fn allows(&self, function: &str, action: &str, resource: &str) -> bool {
        let needed =
            Needed { action: action.into(), resource: resource.into(), leading_keys: Vec::new(), sender: None };
        self.missing(function, std::slice::from_ref(&needed)).is_none()
    }

    /// Returns true if a function may touch items of this partition key of a table.
    pub fn may_touch(&self, function: &str, leading_key: &str) -> bool {
        let limited = self.statements(function).iter().filter_map(|statement| statement.leading_keys.as_ref());
        limited.flatten().any(|key| key == leading_key)
    }

    /// Returns what of this the function may not do.
    pub fn missing<'a>(&self, function: &str, needed: &'a [Needed]) -> Option<&'a Needed> {
        let statements = self.statements(function);
        needed.iter().find(|needed| !statements.iter().any(|statement| statement.allows(needed)))
    }

    fn statements(&self, function: &str) -> &[Statement] {
        self.0.get(function).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Statement {
    fn allows(&self, needed: &Needed) -> bool {
        let resource = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => needed.resource.starts_with(prefix),
            None => *pattern == needed.resource,
        };
        let keys = self.leading_keys.as_ref();
        self.actions.contains(&needed.action)
            && (self.resources.iter().any(resource) || needed.resource == ANY)
            && keys.is_none_or(|keys| needed.leading_keys.iter().all(|key| keys.contains(key)))
            && needed.sender.as_ref().is_none_or(|sender| self.takes(sender))
    }

    /// Returns true if a mail may be from an address.
    fn takes(&self, sender: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_prefix('*') {
            Some(end) => sender.ends_with(end),
            None => *pattern == sender,
        };
        self.senders.is_empty() || self.senders.iter().any(fits)
    }
}

/// Stands for whatever resource a statement names.
const ANY: &str = "";

/// Returns what a request to DynamoDB does.
pub fn of_dynamodb(operation: &str, body: &Value) -> Vec<Needed> {
    let needed = |Part { action, table, index, item }| Needed {
        action: format!("dynamodb:{action}"),
        resource: table_arn(&table) + &index.map(|index| format!("/index/{index}")).unwrap_or_default(),
        leading_keys: item["kind"]["S"].as_str().map(ToOwned::to_owned).into_iter().collect(),
        sender: None,
    };
    let mut needed: Vec<Needed> = parts(operation, body).into_iter().map(needed).collect();
    // Nothing says how a condition on keys goes with other tables in one request, so it is taken to fail.
    let is_mixed = needed.iter().any(|one| one.resource != needed[0].resource);
    if is_mixed && operation == "BatchGetItem" {
        let limited = needed.iter_mut().filter(|one| !one.leading_keys.is_empty());
        limited.for_each(|one| one.leading_keys.push("a key of another table".to_owned()));
    }
    needed
}

/// Returns what a request to SQS does; a batch needs what a single one needs.
pub fn of_sqs(operation: &str, body: &Value) -> Vec<Needed> {
    let queue = body["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
    let action = format!("sqs:{}", operation.trim_end_matches("Batch"));
    vec![Needed { action, resource: queue_arn(queue), leading_keys: Vec::new(), sender: None }]
}

/// Returns what a request to SES does. Whose identities it needs depends on the account.
pub fn of_ses(operation: &str, body: &Value) -> Vec<Needed> {
    let from = body["FromEmailAddress"].as_str();
    let address = |from: &str| from.rsplit('<').next().unwrap_or_default().trim_end_matches('>').to_owned();
    let action = format!("ses:{operation}");
    vec![Needed { action, resource: ANY.into(), leading_keys: Vec::new(), sender: from.map(address) }]
}

/// Returns what a request to EventBridge needs; Restock knows the default bus only.
pub fn of_events(operation: &str) -> Vec<Needed> {
    let action = format!("events:{operation}");
    vec![Needed { action, resource: ANY.into(), leading_keys: Vec::new(), sender: None }]
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().filter_map(|value| value.as_str().map(ToOwned::to_owned)).collect(),
        value => value.as_str().map(ToOwned::to_owned).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn permissions() -> Permissions {
        let mut permissions = Permissions::default();
        let statement = |action: &str, resource: String| json!({"Action": [action], "Resource": resource});
        let limited = json!({
            "Action": "dynamodb:BatchGetItem",
            "Resource": table_arn("Configuration"),
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["feed"]}},
        });
        let statements = [
            statement("dynamodb:Query", table_arn("Subscriptions") + "/index/*"),
            statement("dynamodb:PutItem", table_arn("Contacts")),
            statement("dynamodb:BatchGetItem", table_arn("Other")),
            limited,
        ];
        permissions.add("f", &json!({"Statement": statements}));
        permissions
    }

    #[test]
    fn what_a_policy_allows_is_allowed_and_nothing_else() {
        let permissions = permissions();
        let allowed =
            |function, operation, body| permissions.missing(function, &of_dynamodb(operation, &body)).is_none();
        let get = |kind: &str| json!({"RequestItems": {"Configuration": {"Keys": [{"kind": {"S": kind}}]}}});

        assert!(allowed("f", "Query", json!({"TableName": "Subscriptions", "IndexName": "by-sku-locale"})));
        assert!(!allowed("f", "Query", json!({"TableName": "Subscriptions"})));
        assert!(allowed("f", "TransactWriteItems", json!({"TransactItems": [{"Put": {"TableName": "Contacts"}}]})));
        assert!(!allowed("f", "TransactWriteItems", json!({"TransactItems": [{"Delete": {"TableName": "Contacts"}}]})));
        assert!(allowed("f", "BatchGetItem", get("feed")));
        assert!(!allowed("f", "BatchGetItem", get("secret")));
        let other = json!({"Keys": [{"key": {"S": "contact#1"}}]});
        let both = json!({"RequestItems": {"Configuration": {"Keys": [{"kind": {"S": "feed"}}]}, "Other": other}});
        assert!(!allowed("f", "BatchGetItem", both), "nobody knows what AWS makes of that");
        assert!(!allowed("g", "PutItem", json!({"TableName": "Contacts"})));
    }

    #[test]
    fn a_mail_is_from_an_address_of_the_senders_identity_and_of_no_other() {
        let mut permissions = Permissions::default();
        let condition =
            json!({"StringLikeIfExists": {"ses:FromAddress": ["shop.example", "*@shop.example", "*.shop.example"]}});
        let statement = json!({"Action": "ses:SendBulkEmail", "Resource": "identity/*", "Condition": condition});
        permissions.add("f", &json!({"Statement": [statement]}));
        let allowed = |from: &str| {
            permissions.missing("f", &of_ses("SendBulkEmail", &json!({"FromEmailAddress": from}))).is_none()
        };

        assert!(allowed("My Shop <hello@shop.example>") && allowed("a@mail.shop.example"));
        assert!(!allowed("My Shop <hello@other.example>") && !allowed("a@myshop.example"));
    }
}
