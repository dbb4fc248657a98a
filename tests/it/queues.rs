//! What can't be handled ends in a dead-letter queue, and holds nothing else up.

use crate::races;
use crate::restock::{Restock, eventually, notification_for};
use jiff::Timestamp;
use restock_domain::{Arrival, ContactId, Scope, Sku, Source, StockLevel, SubscriptionId};
use restock_local::aws::lineage::{Lineage, MAX_INVOCATIONS};
use restock_queue::{Continuation, Message, Notification};
use serde_json::{Value, json};
use std::time::Duration;

impl Restock {
    /// Hides a subscription from every index, as if none had caught up. Returns what ends that.
    pub fn hide_from_index<'a>(&'a self, subscription: &Value) -> impl Fn() + use<'a> {
        let id = SubscriptionId::parse(subscription["id"].as_str().unwrap()).unwrap();
        let key = json!({"contactId": {"S": id.contact_id}, "subscription": {"S": id.key.to_string()}});
        let update = move |expression: &str, values: Value| {
            let mut request = json!({"TableName": self.stack.ready.tables["subscriptions"], "Key": key, "UpdateExpression": expression});
            if !values.is_null() {
                request["ExpressionAttributeValues"] = values;
            }
            self.dynamodb("UpdateItem", request);
        };
        // Without its sort key an item is not in the index.
        update("REMOVE localeOrder, externalIdOrder", Value::Null);
        move || update("SET localeOrder = :order", json!({":order": {"S": "sv-se#"}}))
    }
}

#[test]
fn a_malformed_stock_message_ends_in_the_dead_letter_queue_and_the_others_are_processed() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.subscribe(&restock.contact("b"), "B", "sv-SE", None);

    restock.send_message("stock-levels", "this is no JSON");
    restock.send_message("stock-levels", r#"{"sku":"A","quantity":1}"#);
    restock.send_message("stock-levels", r#"[{"sku":"B","quantity":1},{"sku":"B","quantity":"1"}]"#);

    let mut dead = restock.bodies("stock-levels-dead-letters", 2);
    dead.sort();
    // Without its valid neighbour.
    assert_eq!(dead, [r#"[{"quantity":"1","sku":"B"}]"#, "this is no JSON"]);
    restock.settle();
    assert_eq!(restock.mailed(), ["a", "b"]);
}

#[test]
fn a_malformed_notification_ends_in_the_dead_letter_queue_and_the_others_are_sent() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);

    restock.send_message("notifications", r#"{"v":1,"type":"notify","sku":"A"}"#);
    restock.send_message("notifications", "[]");
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.bodies("notifications-dead-letters", 2).len(), 2);
    assert_eq!(restock.mailed(), ["a"]);
}

/// Returns the message of the second look at a level that says that there is one.
pub fn second_look(sku: &str, arrival: Arrival) -> String {
    let level =
        StockLevel { sku: Sku::parse(sku).unwrap(), scope: Scope::Sku, quantity: 1, updated_on: None, event_id: None };
    Continuation { second_look: true, page: 1_000_000, ..Continuation::new(level, arrival) }.body()
}

/// Returns the notification of a contact's only subscription.
fn notification(restock: &Restock, contact: &str) -> String {
    let store = restock.store();
    let contact = ContactId::parse(contact).unwrap();
    let found = restock.runtime.block_on(store.subscriptions_of(contact)).unwrap();
    crate::restock::notification(&found[0], "default")
}

#[test]
fn a_subscription_whose_sku_sold_out_again_is_skipped_and_stays() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 0}));

    restock.send_message("notifications", &notification(&restock, &contact));
    restock.settle();

    assert!(restock.mails().is_empty());
    assert_eq!(restock.subscriptions(&contact).len(), 1);
}

#[test]
fn a_subscription_that_the_index_did_not_show_yet_is_found_by_the_second_look() {
    let restock = Restock::start_with_second_look_after("900");
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    let shown = restock.hide_from_index(&restock.subscribe(&contact, "A", "sv-SE", None));

    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.counts("stock-levels") == [0, 0, 1]).then_some(()));
    assert!(restock.mails().is_empty());
    shown();
    // The message that waits for a quarter of an hour, now.
    let arrival = Arrival { at: jiff::Timestamp::now(), id: "level".into(), source: Source::Http };
    restock.send_message("stock-levels", &second_look("A", arrival));
    eventually(|| (!restock.mails().is_empty()).then_some(()));

    assert_eq!(restock.mailed(), ["a"]);
    assert_eq!(Restock::sent(&restock.log_entry("A")), json!({"default": 1}));
}

#[test]
fn a_demand_mark_stays_while_an_index_may_not_show_who_waits() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    let shown = restock.hide_from_index(&restock.subscribe(&contact, "A", "sv-SE", None));

    restock.level(json!({"sku": "A", "quantity": 1}));
    restock.level(json!({"sku": "A", "quantity": 2}));
    assert!(restock.mails().is_empty());
    shown();
    restock.level(json!({"sku": "A", "quantity": 3}));

    assert_eq!(restock.mailed(), ["a"]);
}

#[test]
fn a_notification_that_is_delivered_again_mails_nobody_again_not_even_a_new_subscription() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    let first = notification(&restock, &contact);

    for _ in 0..5 {
        restock.send_message("notifications", &first);
    }
    restock.settle();
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.send_message("notifications", &first);
    restock.settle();

    assert_eq!(restock.mailed(), ["a"]);
    assert_eq!(restock.subscriptions(&contact).len(), 1);
}

#[test]
fn a_mail_that_was_refused_for_good_is_not_asked_for_again_for_the_same_level_or_an_older_one() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let body = json!({"email": "refuse@example.com"});
    let contact = restock.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();
    restock.subscribe(&contact, "A", "sv-SE", None);
    let first = notification(&restock, &contact);

    for _ in 0..3 {
        restock.send_message("notifications", &first);
    }
    restock.settle();
    assert_eq!(restock.said("SES permanently refused a mail"), 1);
    // The next level is another matter.
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.said("SES permanently refused a mail"), 2);
    // A message about an older level that was put off finds that the newer one was refused.
    restock.send_message("notifications", &first);
    restock.settle();

    assert_eq!(restock.said("SES permanently refused a mail"), 2);
    assert_eq!(restock.subscriptions(&contact).len(), 1);
}

#[test]
fn matching_and_sending_go_on_where_lambda_stops_other_functions_as_a_loop() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    let functions = ["match-stock", "send-email", "record-email-events"];
    let invoked = |chain: Lineage| functions.iter().fold(chain, |chain, function| chain.allowed(function));
    let chain = (0..MAX_INVOCATIONS).fold(Lineage::default(), |chain, _| invoked(chain));

    restock.send_message_of(&chain, "stock-levels", r#"{"sku":"A","quantity":1}"#);
    restock.send_message_of(&chain, "email-events", "{}");

    eventually(|| (restock.mailed() == ["a"]).then_some(()));
    eventually(|| (restock.said("recursive-loop detection") > 0).then_some(()));
}

#[test]
fn what_was_sent_on_more_often_than_anything_needs_ends_in_the_dead_letter_queue() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    let store = restock.store();
    let waiting = races::waiting(&restock, &store, &contact);
    races::claim(&restock, &store, &waiting, Duration::from_secs(3_600));
    let most = 10_000;

    // Somebody else has claimed it for long, so it would be put off once more.
    let notification = Notification { hops: most, ..notification_for(&waiting.subscription, "default") };
    restock.send_message("notifications", &notification.body());
    // It has found everybody, and would be looked at once more.
    let (sku, scope) = (Sku::parse("A").unwrap(), Scope::Sku);
    let level = StockLevel { sku, scope, quantity: 1, updated_on: None, event_id: None };
    let arrival = Arrival { at: Timestamp::now(), id: "x".into(), source: Source::Queue };
    let continuation = Continuation { hops: most, ..Continuation::new(level, arrival) };
    restock.send_message("stock-levels", &continuation.body());

    for queue in ["notifications-dead-letters", "stock-levels-dead-letters"] {
        eventually(|| (restock.on_queue(queue) == 1).then_some(()));
    }
}

#[test]
fn no_message_whatever_it_holds_stops_a_function() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    let deep = "[".repeat(5_000);
    let long = json!({"sku": "x".repeat(10_000), "quantity": 1}).to_string();
    let bodies = [
        "null",
        "0",
        "\"A\"",
        "{}",
        &deep,
        &long,
        r#"{"sku":"A","quantity":1e400}"#,
        r#"[[{"sku":"A","quantity":1}]]"#,
        "\u{0}\u{ffff}",
    ];

    for body in bodies {
        restock.send_message("stock-levels", body);
    }
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.bodies("stock-levels-dead-letters", bodies.len()).len(), bodies.len());
    assert_eq!(restock.mailed(), ["a"]);
}

#[test]
fn a_batch_of_ten_thousand_levels_reaches_the_one_who_waits() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["sku-9999"]);
    restock.subscribe(&restock.contact("a"), "sku-9999", "sv-SE", None);
    let levels: Vec<Value> = (0..10_000).map(|n| json!({"sku": format!("sku-{n}"), "quantity": 1})).collect();

    let answer = restock.put("/inventory/stock-levels/batch", &json!(levels));
    restock.settle();

    assert_eq!((answer.status, answer.json()["accepted"].clone()), (202, json!(10_000)));
    assert_eq!(restock.mailed(), ["a"]);
}
