//! The pause of all sending.

use crate::api::assert_problem;
use crate::restock::{Restock, eventually};
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
fn a_pause_needs_a_scope_of_its_own() {
    let restock = Restock::start();
    let reader = restock.with_key("reader", &["read-log", "write-stock-levels"]);

    assert_problem(&reader.json("PUT", "/sending/pause", &json!({})).unwrap(), 403, "MissingScope");
    assert_problem(&reader.send("DELETE", "/sending/pause", &[]).unwrap(), 403, "MissingScope");
    assert_eq!(reader.get("/sending").unwrap().json()["state"], "sending");
}
