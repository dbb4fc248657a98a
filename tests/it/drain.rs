//! Many who wait for one SKU.

use crate::restock::Restock;
use restock_local::usage::table;
use serde_json::json;
use std::collections::HashSet;
use std::time::Instant;

/// Lets subscribers wait, restocks once, and checks that each is mailed once.
fn drain(subscribers: u64) {
    // A lease that no machine is too slow for.
    let restock = Restock::start_as(|options| {
        let parameters = [("ClaimLeaseSeconds", "60"), ("AutomationsKeptSeconds", "60")];
        options.parameters.extend(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    });
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", subscribers);
    let started = Instant::now();

    restock.level(json!({"sku": "A", "quantity": 1}));

    println!("{subscribers} mails took {} s", started.elapsed().as_secs());
    println!("{}", table(&restock.stack.observer().unwrap().usage()));
    let mailed = restock.mailed();
    let different: HashSet<&String> = mailed.iter().collect();
    assert_eq!((mailed.len() as u64, different.len() as u64), (subscribers, subscribers));
    assert_eq!(restock.log_entry("A")["mails"], json!({"accepted": subscribers, "delivered": subscribers}));
    for queue in ["stock-levels", "notifications", "email-events"] {
        assert_eq!(restock.on_queue(&format!("{queue}-dead-letters")), 0, "{queue}");
    }
}

#[test]
fn ten_thousand_subscribers_of_one_sku_are_all_mailed_once() {
    drain(10_000);
}

#[test]
#[ignore = "takes about a quarter of an hour on two cores"]
fn a_hundred_thousand_subscribers_of_one_sku_are_all_mailed_once() {
    drain(100_000);
}
