//! The pause of all sending.

use crate::api::assert_problem;
use crate::restock::{Restock, eventually};
use jiff::Timestamp;
use restock_domain::MailCounts;
use serde_json::json;

#[test]
fn nobody_is_mailed_during_a_pause_and_everybody_after_it() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);

    let paused = restock.put("/sending/pause", &json!({"reason": "Wrong prices in the feed"}));
    let level = restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.said("sending is paused") > 0).then_some(()));

    assert_eq!((paused.status, level.status), (200, 202), "{}", paused.text);
    let shown = restock.get("/sending").json();
    assert_eq!((&shown["state"], &shown["pauseReason"]), (&json!("paused"), &json!("Wrong prices in the feed")));
    assert!(restock.mailed().is_empty());

    let resumed = restock.delete("/sending/pause");
    restock.settle();

    assert_eq!((resumed.status, resumed.json()["state"].as_str()), (200, Some("sending")));
    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.get("/sending").json()["pausedOn"].is_null());
}

#[test]
fn a_line_that_waits_for_the_end_of_a_pause_is_told_in_the_log_too() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.put("/waves", &json!({"perUnit": 1}));
    restock.put("/sending/pause", &json!({}));

    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));

    eventually(|| (restock.said("sending is paused") > 0).then_some(()));
    assert!(restock.mailed().is_empty());
}

#[test]
fn a_pause_needs_no_body_and_lasts_since_it_began() {
    let restock = Restock::start();

    let first = restock.api.send("PUT", "/sending/pause", &[]).unwrap().json();
    let again = restock.put("/sending/pause", &json!({"reason": "Still"})).json();

    assert_eq!((&first["state"], &again["pauseReason"]), (&json!("paused"), &json!("Still")));
    assert_eq!(first["pausedOn"], again["pausedOn"]);
    let ended = [restock.delete("/sending/pause"), restock.delete("/sending/pause")];
    assert_eq!(ended.map(|answer| answer.status), [200, 200], "that there is none is fine");
}

#[test]
fn nobody_is_mailed_about_a_sku_that_is_held_and_everybody_once_it_is_released() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    for sku in ["A", "B"] {
        restock.subscribe(&restock.contact(&sku.to_lowercase()), sku, "sv-SE", None);
    }

    let held = restock.put("/inventory/backinstock/holds", &json!({"sku": "A", "reason": "Recalled"}));
    restock.subscribe(&restock.contact("meanwhile"), "A", "sv-SE", None);
    for sku in ["A", "B"] {
        restock.put("/inventory/stock-levels", &json!({"sku": sku, "quantity": 1}));
    }
    eventually(|| (restock.said("the SKU is held") > 0 && restock.mailed() == ["b"]).then_some(()));

    assert_eq!((held.status, held.json()["reason"].as_str()), (200, Some("Recalled")), "{}", held.text);
    let shown = restock.get("/inventory/backinstock/holds").json();
    assert_eq!((shown.as_array().unwrap().len(), &shown[0]["sku"]), (1, &json!("A")));
    let released = restock.delete("/inventory/backinstock/holds?sku=A").json();
    restock.settle();
    let again = restock.delete("/inventory/backinstock/holds?sku=A").json();

    assert_eq!(released["heldOn"], held.json()["heldOn"]);
    assert_eq!(restock.mailed(), ["a", "b", "meanwhile"]);
    assert!(again["heldOn"].is_null(), "that there is none is fine");
    assert_eq!(restock.get("/inventory/backinstock/holds").json(), json!([]));
}

#[test]
fn a_sku_that_is_sold_out_when_it_is_released_mails_nobody_until_it_is_back() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.put("/inventory/backinstock/holds", &json!({"sku": "A"}));
    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.said("the SKU is held") > 0).then_some(()));
    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 0}));
    eventually(|| (restock.get("/inventory/stock-levels?sku=A").text.contains(":0")).then_some(()));

    restock.delete("/inventory/backinstock/holds?sku=A");
    restock.settle();
    assert!(restock.mailed().is_empty());
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed(), ["a"]);
    assert_problem(&restock.delete("/inventory/backinstock/holds"), 422, "ValidationFailed");
}

#[test]
fn sending_is_paused_when_too_many_mails_bounce_and_counted_anew_once_it_goes_on() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let bounce = |name: &str| {
        let body = json!({"email": format!("bounce+{name}@example.com")});
        let id = restock.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();
        restock.subscribe(&id, "A", "sv-SE", None);
        restock.level(json!({"sku": "A", "quantity": 1}));
    };
    // As if many had been mailed today.
    let so_far = MailCounts { accepted: 2_000, bounced: 150, complained: 0 };
    let store = restock.store();
    restock.runtime.block_on(store.count_outcomes(so_far, Timestamp::now())).unwrap();

    bounce("one");
    let paused = eventually(|| Some(restock.get("/sending").json()).filter(|shown| shown["state"] == "paused"));
    assert!(paused["pauseReason"].as_str().unwrap().starts_with("151 of 200"), "{paused}");

    restock.delete("/sending/pause");
    bounce("two");
    assert_eq!((restock.get("/sending").json()["state"].as_str(), restock.mails().len()), (Some("sending"), 2));
    let counted = restock.runtime.block_on(store.outcomes_of_a_day(Timestamp::now())).unwrap();
    assert!(counted.bounced == 1 && counted.accepted <= 2, "{counted:?}");
}

#[test]
fn a_pause_needs_a_scope_of_its_own() {
    let restock = Restock::start();
    let reader = restock.with_key("reader", &["read-log", "write-stock-levels"]);

    assert_problem(&reader.json("PUT", "/sending/pause", &json!({})).unwrap(), 403, "MissingScope");
    assert_problem(&reader.send("DELETE", "/sending/pause", &[]).unwrap(), 403, "MissingScope");
    assert_eq!(reader.get("/sending").unwrap().json()["state"], "sending");
}

#[test]
fn nobody_who_waits_for_a_sku_that_ends_is_mailed_about_it_and_who_subscribes_later_is() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    restock.many_wait("A", 250);
    let both = restock.contact("both");
    for sku in ["A", "B"] {
        restock.subscribe(&both, sku, "sv-SE", None);
    }

    let ended = restock.delete("/inventory/backinstock/subscriptions?sku=A");
    restock.subscribe(&restock.contact("later"), "A", "sv-SE", None);
    for sku in ["A", "B"] {
        restock.level(json!({"sku": sku, "quantity": 1}));
    }

    assert_eq!((ended.status, ended.json()), (200, json!({"sku": "A", "ended": 251, "complete": true})));
    assert_eq!(restock.mailed(), ["both", "later"], "about B, and about A");
    assert_eq!(restock.mails().len(), 2);
    assert!(restock.subscriptions(&both).is_empty());
    let again = restock.delete("/inventory/backinstock/subscriptions?sku=A");
    assert_eq!(again.json()["ended"], 0);
    assert_problem(&restock.delete("/inventory/backinstock/subscriptions"), 422, "ValidationFailed");
}

#[test]
fn mails_that_are_queued_when_their_sku_ends_are_not_sent_and_the_rest_of_many_ends_by_itself() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 5);
    restock.stack.hold("notifications", true).unwrap();
    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    restock.settle_queues(&["stock-levels"]);

    // As the function leaves it if its time is over.
    let message = json!({"v": 1, "type": "end-sku", "sku": "A", "madeUntil": Timestamp::now()});
    restock.send_message("erasures", &message.to_string());
    restock.settle_queues(&["erasures"]);
    restock.stack.hold("notifications", false).unwrap();
    restock.settle();

    assert!(restock.mailed().is_empty());
    assert_eq!(restock.log_entry("A")["mails"], json!({"subscriptionGone": 5}));
}

#[test]
fn the_end_of_a_sku_takes_neither_who_asked_again_later_nor_who_was_moved_in_later() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let [old, twice, renewed] = ["old", "twice", "renewed"].map(|name| restock.contact(name));
    for contact in [&old, &twice, &twice, &renewed] {
        restock.subscribe(contact, "A", "sv-SE", None);
    }
    let ended_on = Timestamp::now();
    restock.subscribe(&renewed, "A", "sv-SE", None);
    let moved_in =
        restock.move_in("text/csv", "email,sku,locale,subscribedOn\nmoved@example.com,A,sv-SE,2026-01-01T00:00:00Z\n");
    assert_eq!(moved_in.json()["created"], 1, "{}", moved_in.text);

    let message = json!({"v": 1, "type": "end-sku", "sku": "A", "madeUntil": ended_on});
    restock.send_message("erasures", &message.to_string());
    restock.settle_queues(&["erasures"]);

    let moved = restock.moved_contact("moved");
    let waits = [&old, &twice, &renewed, &moved].map(|contact| restock.subscriptions(contact).len());
    assert_eq!(waits, [0, 0, 1, 1]);
}
