//! Many who wait for one SKU.

use crate::restock::Restock;
use restock_local::faults::Spec;
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

#[test]
fn a_level_that_is_sent_on_more_often_than_lambda_lets_a_loop_go_is_matched_to_its_end() {
    let restock = Restock::start_as(|options| {
        // Half a second for an invocation, and a page takes longer than that.
        options.settings.push(("match-stock", "TIMEOUT_SECONDS", "1"));
        let function = Some("match-stock".to_owned());
        options.faults = Some(Spec { function, slow: 1.0, slow_ms: 400, ..Spec::default() });
        // Nothing hangs, but a machine may be busy.
        let functions = ["match-stock", "send-email", "record-email-events"];
        options.settings.extend(functions.map(|function| (function, "REQUEST_TIMEOUT_SECONDS", "20")));
        options.parameters.insert("ClaimLeaseSeconds".to_owned(), "60".to_owned());
    });
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 5_000);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mailed = restock.mailed();
    let different: HashSet<&String> = mailed.iter().collect();
    assert_eq!((mailed.len(), different.len()), (5_000, 5_000));
    // An invocation queues its mails and what is left of the level.
    let usage = restock.stack.observer().unwrap().usage();
    let sent = usage[&("match-stock".to_owned(), "SendMessageBatch".to_owned())].requests;
    assert!(sent > 2 * 16, "{sent} requests\n{}", table(&usage));
}
