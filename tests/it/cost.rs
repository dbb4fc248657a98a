//! What one email costs, in requests and in capacity units. A change that makes it dearer has to change these numbers.

use crate::restock::Restock;
use serde_json::json;
use std::collections::BTreeMap;

const MAILS: u64 = 100;

/// Requests and capacity units of an operation for all mails together.
type Costs = BTreeMap<String, (u64, f64)>;

#[test]
fn an_email_costs_no_more_requests_and_capacity_units_than_it_did() {
    // With a lease that no machine is too slow for: while events wait, a mail whose answer is late would be sent again.
    let restock = Restock::start_as(|options| {
        let parameters = [("ClaimLeaseSeconds", "60"), ("SecondLookSeconds", "0")];
        options.parameters.extend(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    });
    restock.feed("sv-SE", &["A"]);
    restock.runtime.block_on(crate::matching::many_subscriptions(&restock, "A", MAILS.into()));
    let before = costs(&restock);

    // The events of SES wait until the last mail has left, so that none overtakes the sender that records its mail.
    restock.stack.hold("email-events", true).unwrap();
    let answer = restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    assert_eq!(answer.status, 202, "{}", answer.text);
    restock.settle_queues(&["stock-levels", "notifications"]);
    restock.stack.hold("email-events", false).unwrap();
    restock.settle();

    assert_eq!(restock.mailed().len() as u64, MAILS);
    let spent: Costs = costs(&restock)
        .into_iter()
        .map(|(operation, (requests, units))| {
            let earlier = before.get(&operation).copied().unwrap_or_default();
            (operation, (requests - earlier.0, units - earlier.1))
        })
        .collect();
    for (operation, (requests, units)) in &spent {
        println!("{operation}: {requests} requests, {units} capacity units for {MAILS} mails");
    }
    let requests: u64 = spent.values().map(|(requests, _)| requests).sum();
    let reads: f64 = ["BatchGetItem", "Query"].iter().map(|name| spent[*name].1).sum();
    let writes: f64 = ["PutItem", "UpdateItem", "DeleteItem"].iter().map(|name| spent[*name].1).sum();
    println!("{requests} requests, {reads} read units, {writes} write units for {MAILS} mails");
    assert_eq!(spent["SendEmail"].0, MAILS);
    // Each instance of a function reads the signing key once, and how many are started depends on the machine.
    assert!((944..=970).contains(&requests), "{requests} requests");
    assert!((1_029.0..=1_045.0).contains(&reads), "{reads} read units");
    // The events of a batch are added to the log by one write of one unit; batches may be less than full.
    assert!((622.0..=636.0).contains(&writes), "{writes} write units");
}

/// Returns what the functions that a mail takes have used so far.
fn costs(restock: &Restock) -> Costs {
    let mut costs = Costs::new();
    for ((function, operation), used) in restock.stack.observer().unwrap().usage() {
        if ["match-stock", "send-email", "record-email-events"].contains(&function.as_str()) {
            let (requests, units) = costs.entry(operation).or_default();
            *requests += used.requests;
            *units += used.capacity_units;
        }
    }
    costs
}
