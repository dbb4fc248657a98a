//! What one email costs, in requests and in capacity units. A change that makes it dearer has to change these numbers.

use crate::restock::Restock;
use serde_json::json;
use std::collections::BTreeMap;

const MAILS: u64 = 100;

#[test]
fn an_email_costs_no_more_requests_and_capacity_units_than_it_did() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.runtime.block_on(crate::matching::many_subscriptions(&restock, "A", MAILS.into()));
    let before = restock.stack.observer().unwrap().usage();

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed().len() as u64, MAILS);
    let mut total = BTreeMap::<&str, (u64, f64)>::new();
    let usage = restock.stack.observer().unwrap().usage();
    for (asked @ (function, operation), used) in &usage {
        if !["match-stock", "send-email", "record-email-events"].contains(&function.as_str()) {
            continue;
        }
        let earlier = before.get(asked).copied().unwrap_or_default();
        let (requests, units) = total.entry(operation).or_default();
        *requests += used.requests - earlier.requests;
        *units += used.capacity_units - earlier.capacity_units;
    }
    for (operation, (requests, units)) in &total {
        println!("{operation}: {requests} requests, {units} capacity units for {MAILS} mails");
    }
    let requests: u64 = total.values().map(|(requests, _)| requests).sum();
    let reads: f64 = ["BatchGetItem", "Query"].iter().map(|name| total[name].1).sum();
    let writes: f64 = ["PutItem", "UpdateItem", "DeleteItem"].iter().map(|name| total[name].1).sum();
    println!("{requests} requests, {reads} read units, {writes} write units for {MAILS} mails");
    // The rest up to the round numbers is for events that overtake their sender.
    assert_eq!(total["SendEmail"].0, MAILS);
    assert!(requests <= 12 * MAILS, "{requests} requests");
    assert!(reads <= 11.0 * MAILS as f64, "{reads} read units");
    assert!(writes <= 8.0 * MAILS as f64, "{writes} write units");
}
