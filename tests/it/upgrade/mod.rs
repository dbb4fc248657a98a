//! An update of a running stack: what the version before has stored and queued is taken over, under load.
//!
//! `snapshot.json` has the items and the messages of that version. A new one is recorded before a release, by that
//! release:
//!
//! ```sh
//! cargo test -p restock-tests -- --ignored upgrade::record
//! ```

use crate::restock::{Restock, eventually};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const SNAPSHOT: &str = include_str!("snapshot.json");
const QUEUES: [&str; 4] = ["stock-levels", "notifications", "email-events", "erasures"];
/// Kinds of configuration that each stack makes for itself, and nobody else may know.
const OF_THE_STACK: [&str; 3] = ["secret", "link-key", "api-key"];
/// Functions that are replaced while they work.
const UPDATED: [&str; 6] = [
    "match-stock",
    "send-email",
    "record-email-events",
    "finish-erasure",
    "create-subscription",
    "update-stock-levels",
];
/// Who waits in the snapshot, and is to be mailed: for a SKU that was matched, and for one whose level is on the queue.
const MATCHED: usize = 8;
const QUEUED: usize = 4;

#[test]
#[ignore = "writes tests/it/upgrade/snapshot.json"]
fn record_what_this_version_stores_and_queues() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("upgrade");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let restock = Restock::start_as(|options| {
        options.data = Some(directory.clone());
        options.parameters.insert("SecondLookSeconds".to_owned(), "0".to_owned());
    });
    let skus = ["mailed", "matched", "queued", "load"];
    ["sv-SE", "pl-PL"].iter().for_each(|locale| restock.feed(locale, &skus));
    restock.put("/brand", &json!({"shop": {"name": "Northfell"}}));
    restock.automation(
        "plenty",
        &json!({
            "name": "Plenty", "conditions": [{"field": "quantity", "operator": "greaterOrEqual", "value": 5}],
        }),
    );
    let contacts: Vec<String> = (0..MATCHED).map(|n| restock.contact(&format!("before-{n}"))).collect();
    let wait = |sku: &str, contacts: &[String]| {
        for (n, contact) in contacts.iter().enumerate() {
            let (locale, external_id) = if n % 2 == 0 { ("sv-SE", None) } else { ("pl-PL", Some("north")) };
            restock.subscribe(contact, sku, locale, external_id);
        }
    };
    // One is done, but for what SES tells of it.
    wait("mailed", &contacts[..2]);
    restock.stack.hold("email-events", true).unwrap();
    restock.put("/inventory/stock-levels", &json!({"sku": "mailed", "quantity": 1}));
    eventually(|| (restock.mails().len() == 2).then_some(()));
    restock.settle_queues(&["stock-levels", "notifications"]);
    // One has notifications on the queue, two of them for people who must not be mailed.
    wait("matched", &contacts);
    let [unsubscribed, erased] = ["unsubscribed", "erased"].map(|name| restock.contact(name));
    wait("matched", &[unsubscribed.clone(), erased.clone()]);
    restock.stack.hold("notifications", true).unwrap();
    restock.put("/inventory/stock-levels", &json!({"sku": "matched", "quantity": 9, "eventId": "one"}));
    restock.settle_queues(&["stock-levels"]);
    restock.stack.hold("erasures", true).unwrap();
    let link = restock.unsubscribe_link(&unsubscribed);
    assert_eq!(restock_local::client::Client::new(&link).send("POST", "", b"").unwrap().status, 200);
    assert_eq!(restock.delete(&format!("/contacts/{erased}")).status, 200);
    // One has its level on the queue.
    restock.stack.hold("stock-levels", true).unwrap();
    wait("queued", &contacts[..QUEUED]);
    restock.put(
        "/inventory/stock-levels/batch",
        &json!([{"sku": "queued", "quantity": 2}, {"sku": "matched", "quantity": 9, "eventId": "one"}]),
    );

    let items = |table: &str| {
        let items = restock.dynamodb("Scan", json!({"TableName": table}))["Items"].as_array().cloned().unwrap();
        items.into_iter().filter(|item| !is_of_the_stack(item)).collect::<Vec<_>>()
    };
    let tables = restock.stack.ready.tables.iter().map(|(name, table)| (name, items(table)));
    let tables: BTreeMap<&String, Vec<Value>> = tables.collect();
    let tables = json!(tables);
    let Restock { stack, runtime, .. } = restock;
    stack.stop().unwrap();
    drop(runtime);
    let queues: Value = serde_json::from_str(&std::fs::read_to_string(directory.join("queues.json")).unwrap()).unwrap();
    let messages = |queue: &str| -> Vec<Value> {
        let stored = queues[format!("restock-{queue}")].as_array().unwrap();
        stored
            .iter()
            .map(|stored| json!({"body": stored["message"]["body"], "attributes": stored["message"]["attributes"]}))
            .collect()
    };
    let queues: BTreeMap<&str, Vec<Value>> = QUEUES.iter().map(|queue| (*queue, messages(queue))).collect();
    let snapshot = json!({"version": env!("CARGO_PKG_VERSION"), "tables": tables, "queues": queues});
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/upgrade/snapshot.json");
    std::fs::write(path, serde_json::to_string_pretty(&snapshot).unwrap() + "\n").unwrap();
}

fn is_of_the_stack(item: &Value) -> bool {
    item["kind"]["S"].as_str().is_some_and(|kind| OF_THE_STACK.contains(&kind))
}

/// Puts the items of the snapshot into the tables. They expire later than they did.
fn load_tables(restock: &Restock, tables: &Value) {
    let expires_at = (Timestamp::now() + SignedDuration::from_hours(24 * 90)).as_second().to_string();
    for (name, items) in tables.as_object().unwrap() {
        for item in items.as_array().unwrap() {
            let mut item = item.clone();
            if !item["expiresAt"].is_null() {
                item["expiresAt"] = json!({"N": expires_at});
            }
            restock.dynamodb("PutItem", json!({"TableName": restock.stack.ready.tables[name], "Item": item}));
        }
    }
}

fn load_queues(restock: &Restock, queues: &Value) {
    for (queue, messages) in queues.as_object().unwrap() {
        for message in messages.as_array().unwrap() {
            restock.sqs("SendMessage", json!({
                "QueueUrl": restock.queue(queue), "MessageBody": message["body"], "MessageAttributes": message["attributes"],
            }));
        }
    }
}

#[test]
fn a_stack_that_is_updated_under_load_goes_on_with_what_the_version_before_stored_and_queued() {
    let restock = Restock::start();
    let snapshot: Value = serde_json::from_str(SNAPSHOT).unwrap();
    // Else what a replaced function had in hand would come back only after minutes.
    restock.stack.hide_messages_for(4);
    restock.stack.let_messages_wait_at_most(30);
    let hold = |held| QUEUES.iter().for_each(|queue| restock.stack.hold(queue, held).unwrap());
    hold(true);
    load_tables(&restock, &snapshot["tables"]);
    load_queues(&restock, &snapshot["queues"]);
    assert!(QUEUES.iter().all(|queue| restock.on_queue(queue) > 0), "the snapshot has messages of each kind");

    hold(false);
    // Requests to functions that are being replaced are asked again, as any client does.
    let again = |ask: &dyn Fn() -> u16, done: u16| {
        eventually(|| (ask() == done).then_some(()));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..20 {
                let contact = restock.contact(&format!("during-{n}"));
                let wish = json!({"contactId": contact, "sku": "load", "locale": "sv-SE"});
                again(&|| restock.post("/inventory/backinstock/subscriptions", &wish).status, 201);
            }
        });
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(100));
            UPDATED.iter().for_each(|function| restock.stack.kill(function));
        }
    });
    again(&|| restock.put("/inventory/stock-levels", &json!({"sku": "load", "quantity": 1})).status, 202);
    restock.settle();
    restock.settle_queues(&["erasures"]);

    let mut mailed: BTreeMap<(String, String), usize> = BTreeMap::new();
    for mail in restock.mails() {
        let subject = mail["subject"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
        let to = mail["to"][0].as_str().unwrap().trim_end_matches("@example.com").to_owned();
        *mailed.entry((subject, to)).or_default() += 1;
    }
    let expected = |sku: &str, who: &str, count: usize| {
        (0..count).map(move |n| ((sku.to_owned(), format!("{who}-{n}")), 1)).collect::<Vec<_>>()
    };
    let expected: BTreeMap<_, _> =
        [("matched", "before", MATCHED), ("queued", "before", QUEUED), ("load", "during", 20)]
            .into_iter()
            .flat_map(|(sku, who, count)| expected(sku, who, count))
            .collect();
    assert_eq!(mailed, expected);
    // All that is stored can be read, and tells what happened.
    assert_eq!(restock.said("An item was left out"), 0);
    for (sku, count) in [("mailed", 2), ("matched", MATCHED)] {
        let mails = restock.log_entry(sku)["mails"].clone();
        assert_eq!((&mails["accepted"], &mails["delivered"]), (&json!(count), &json!(count)), "{sku}: {mails}");
    }
    assert_eq!(restock.get("/brand").json()["shop"]["name"], "Northfell");
    assert_eq!(restock.get("/automations/plenty").json()["version"], 1);
}
