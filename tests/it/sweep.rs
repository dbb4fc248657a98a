//! The daily sweep: the net under everything that matching may miss.

use crate::queues::second_look;
use crate::restock::{Restock, eventually};
use jiff::Timestamp;
use restock_domain::{Arrival, Scope, Sku, Source, StockLevel, SubscriptionId};
use restock_queue::{Message, Sweep};
use restock_store::LogKey;
use serde_json::{Value, json};
use std::time::Duration;

impl Restock {
    /// Lets a sweep run as the schedule begins one, but with levels that have only just come.
    fn sweep(&self) {
        self.send_message("stock-levels", &Sweep::default().body());
        self.settle();
    }

    /// Returns how the newest level of all of a SKU came in, as the table has it.
    fn known_arrival(&self, sku: &str) -> Arrival {
        let key = json!({"sku": {"S": sku}, "scope": {"S": "level#all"}});
        let item = self.dynamodb("GetItem", json!({"TableName": self.stack.ready.tables["stock"], "Key": key}));
        let arrival = &item["Item"]["arrival"]["M"];
        let word = |name: &str| arrival[name]["S"].as_str().unwrap();
        Arrival { at: word("at").parse().unwrap(), id: word("id").into(), source: word("source").parse().unwrap() }
    }

    /// Returns how many a log entry says were matched, and how many of these by a sweep.
    fn matched(&self, sku: &str) -> [Value; 2] {
        let entry = self.log_entry(sku);
        [entry["matched"].clone(), entry["lateFinds"].clone()]
    }
}

#[test]
fn whom_an_index_never_showed_is_found_by_the_sweep_and_the_log_says_so() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let hidden = restock.contact("hidden");
    let _hidden = restock.hide_from_index(&restock.subscribe(&hidden, "A", "sv-SE", None));
    restock.subscribe(&restock.contact("shown"), "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["shown"]);

    restock.sweep();
    restock.sweep();

    assert_eq!(restock.mailed(), ["hidden", "shown"]);
    assert_eq!(restock.matched("A"), [2, 1]);
    assert_eq!(restock.log_entry("A")["mails"]["accepted"], 2);
}

#[test]
fn a_level_whose_message_was_given_up_is_met_by_everybody_in_the_sweep_however_long_they_have_waited() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let contact = restock.contact("a");
    ["A", "B"].iter().for_each(|sku| drop(restock.subscribe(&contact, sku, "sv-SE", None)));
    let store = restock.store();
    let level = |sku: &str| StockLevel {
        sku: Sku::parse(sku).unwrap(),
        scope: Scope::Sku,
        quantity: 3,
        updated_on: None,
        event_id: None,
    };
    // Two days later, of which one was matched to its end.
    let at = Timestamp::now() + Duration::from_secs(48 * 3_600);
    for sku in ["A", "B"] {
        let (level, arrival) = (level(sku), Arrival { at, id: format!("{sku}-0"), source: Source::Queue });
        restock.runtime.block_on(async {
            let mark = store.in_demand(&[level.sku.clone()].into()).await.unwrap().remove(&level.sku).unwrap();
            store.put_level(&level, &arrival, &mark).await.unwrap();
            if sku == "B" {
                store.note_matched(&level.sku, &Scope::Sku, &arrival).await.unwrap();
            }
        });
    }

    let sweep = Sweep { started_at: Some(at + Duration::from_secs(3_600)), ..Sweep::default() };
    restock.send_message("stock-levels", &sweep.body());
    restock.settle();

    assert_eq!(restock.mails().len(), 1, "whoever a level has met waits for another one");
    assert_eq!(restock.subscriptions(&contact)[0]["sku"], "B");
}

#[test]
fn a_level_that_found_nobody_is_logged_with_its_late_finds() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    let _hidden = restock.hide_from_index(&restock.subscribe(&contact, "A", "sv-SE", Some("north")));
    restock.level(json!({"sku": "A", "quantity": 7, "locale": "sv-SE", "externalId": "north"}));

    restock.sweep();

    assert_eq!(restock.mailed(), ["a"]);
    assert_eq!(restock.matched("A"), [1, 1]);
    let entry = restock.log_entry("A");
    assert_eq!(
        [&entry["quantity"], &entry["locale"], &entry["externalId"]],
        [&json!(7), &json!("sv-SE"), &json!("north")]
    );
    assert_eq!(entry["source"], "http");
}

#[test]
fn who_waits_rightly_is_no_late_find() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["refused", "sold-out", "after", "elsewhere"]);
    let unwilling = restock.post("/contacts", &json!({"email": "unwilling@example.com", "acceptsEmail": false})).json();
    let unwilling = unwilling["id"].as_str().unwrap().to_owned();
    let contact = restock.contact("a");
    restock.subscribe(&unwilling, "refused", "sv-SE", None);
    restock.subscribe(&contact, "elsewhere", "sv-SE", Some("south"));
    let hidden = restock.hide_from_index(&restock.subscribe(&contact, "sold-out", "sv-SE", None));
    restock.subscribe(&restock.contact("b"), "after", "sv-SE", None);
    for sku in ["refused", "sold-out", "after"] {
        restock.level(json!({"sku": sku, "quantity": 1}));
    }
    restock.level(json!({"sku": "elsewhere", "quantity": 1, "externalId": "north"}));
    restock.level(json!({"sku": "sold-out", "quantity": 0}));
    restock.subscribe(&contact, "after", "sv-SE", None);
    // A decision is for a level, even if the next one would be another.
    restock.patch(&unwilling, &json!({"acceptsEmail": true}));
    hidden();

    restock.sweep();

    assert_eq!(restock.mailed(), ["b"]);
    for sku in ["refused", "after"] {
        assert_eq!(restock.matched(sku), [1, 0], "{sku}");
    }
}

#[test]
fn a_demand_mark_that_is_gone_is_restored_so_the_next_level_finds_whoever_waits() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    let mark = json!({"sku": {"S": "A"}, "scope": {"S": "demand"}});
    restock.dynamodb("DeleteItem", json!({"TableName": restock.stack.ready.tables["stock"], "Key": mark}));
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert!(restock.mails().is_empty());

    restock.sweep();
    restock.level(json!({"sku": "A", "quantity": 2}));

    assert_eq!(restock.mailed(), ["a"]);
}

#[test]
fn a_sweep_goes_through_all_pages_and_mails_everybody_once() {
    let restock = Restock::start();
    let skus: Vec<String> = (0..30).map(|n| format!("sku-{n}")).collect();
    restock.feed("sv-SE", &skus.iter().map(String::as_str).collect::<Vec<_>>());
    let contacts: Vec<String> = (0..20).map(|n| restock.contact(&format!("c{n}"))).collect();
    for contact in &contacts {
        for sku in &skus {
            let _hidden = restock.hide_from_index(&restock.subscribe(contact, sku, "sv-SE", None));
        }
    }
    let levels: Vec<Value> = skus.iter().map(|sku| json!({"sku": sku, "quantity": 1})).collect();
    restock.put("/inventory/stock-levels/batch", &json!(levels));
    restock.settle();
    assert!(restock.mails().is_empty());

    restock.sweep();

    let usage = restock.stack.observer().unwrap().usage();
    let scan = &usage[&("match-stock".to_owned(), "Scan".to_owned())];
    assert!(scan.requests == 2 && scan.reads <= 30.0, "{} read units", scan.reads);
    assert_eq!(restock.mails().len(), 600);
    for sku in &skus {
        assert_eq!(restock.matched(sku), [20, 20], "{sku}");
    }
}

#[test]
fn a_sweep_does_not_shut_out_what_the_level_still_has_to_log() {
    let restock = Restock::start_with_second_look_after("900");
    restock.feed("sv-SE", &["A"]);
    let hidden = restock.contact("hidden");
    let _hidden = restock.hide_from_index(&restock.subscribe(&hidden, "A", "sv-SE", None));
    let late = restock.contact("late");
    let _late = restock.hide_from_index(&restock.subscribe(&late, "A", "sv-SE", None));
    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.counts("stock-levels") == [0, 0, 1]).then_some(()));
    let arrival = restock.known_arrival("A");

    restock.send_message("stock-levels", &Sweep::default().body());
    eventually(|| (restock.mailed().len() == 2).then_some(()));
    restock.subscribe(&restock.contact("seen-by-second-look"), "A", "sv-SE", None);
    restock.send_message("stock-levels", &second_look("A", arrival));
    eventually(|| (restock.mailed().len() == 3).then_some(()));

    assert_eq!(restock.matched("A"), [3, 2]);
}

#[test]
fn the_decision_for_the_newest_level_stays_in_whatever_order_levels_come() {
    let restock = Restock::start_without_functions();
    restock.many_wait("A", 1);
    let store = restock.store();
    restock.runtime.block_on(async {
        let page = store.every_subscription(None, 10).await.unwrap();
        let subscription = &page.waiting[0].subscription;
        for entry in ["2026-11-25T10:00:00.000Z#b", "2026-11-25T09:00:00.000Z#a"] {
            store.note_decisions(&[subscription], entry).await.unwrap();
        }

        let known = store.every_subscription(None, 10).await.unwrap().waiting[0].decided_for.clone();
        assert_eq!(known.as_deref(), Some("2026-11-25T10:00:00.000Z#b"));
    });
}

#[test]
fn who_was_refused_by_levels_that_came_in_another_order_than_they_were_read_is_no_late_find() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let body = json!({"email": "a@example.com", "acceptsEmail": false});
    let contact = restock.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();
    for sku in ["A", "B"] {
        restock.subscribe(&contact, sku, "sv-SE", None);
    }

    let both = json!([{"sku": "A", "quantity": 5}, {"sku": "A", "locale": "sv-SE", "quantity": 3}]);
    assert_eq!(restock.put("/inventory/stock-levels/batch", &both).status, 202);
    restock.settle();
    restock.level(json!({"sku": "B", "quantity": 5}));
    let an_hour_ago = jiff::Timestamp::now() - std::time::Duration::from_secs(3600);
    restock.level(json!({"sku": "B", "locale": "sv-SE", "quantity": 3, "updatedOn": an_hour_ago}));
    restock.sweep();
    restock.sweep();

    assert_eq!(restock.said("A sweep found whom a level had not"), 0);
}

#[test]
fn whose_claim_found_no_place_and_whom_an_index_did_not_show_in_the_line_is_found_by_the_sweep() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1}));
    let subscription = restock.subscribe(&restock.contact("keen"), "A", "sv-SE", None);
    let id = SubscriptionId::parse(subscription["id"].as_str().unwrap()).unwrap();
    let key = json!({"contactId": {"S": id.contact_id}, "subscription": {"S": id.key.to_string()}});
    let table = &restock.stack.ready.tables["subscriptions"];
    let order = restock.dynamodb("GetItem", json!({"TableName": table, "Key": key}))["Item"]["localeOrder"].clone();
    let _hidden = restock.hide_from_index(&subscription);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert!(restock.mailed().is_empty());

    // A message about it was sent back for want of a place, and the index shows it only now.
    let entry = LogKey::new(Sku::parse("A").unwrap(), &restock.known_arrival("A")).entry;
    let (set, values) =
        ("SET localeOrder = :order, claimedFor = :entry", json!({":order": order, ":entry": {"S": entry}}));
    let update = json!({"TableName": table, "Key": key, "UpdateExpression": set, "ExpressionAttributeValues": values});
    restock.dynamodb("UpdateItem", update);
    restock.sweep();

    assert_eq!(restock.mailed(), ["keen"]);
}
