//! Functions that are killed while they work.

use crate::restock::{Restock, eventually};
use jiff::Timestamp;
use restock_local::faults::Spec;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Lets subscribers wait and restocks once, while `send-email` is killed again and again, each time at a request to
/// DynamoDB, SQS or SES: before it is carried out, or before its answer arrives. Returns how often each was mailed.
fn drain_while_killing(subscribers: u64, kills: u64, events_lost: bool) -> (Restock, BTreeMap<String, u64>) {
    let faults =
        Spec { seed: 3, kill: 0.15, kills, function: Some("send-email".into()), events_lost, ..Spec::default() };
    let grace = if events_lost { "0" } else { "8" };
    // Mails leave in groups of ten, so that there are enough requests to be killed at.
    let parameters = [("ClaimLeaseSeconds", "4"), ("ClaimGraceSeconds", grace), ("MaxMailsPerSecond", "20")];
    let restock = Restock::start_with_faults(faults, &parameters);
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", subscribers);

    restock.level(json!({"sku": "A", "quantity": 1}));
    // Whoever is killed so often has messages given up, which an operator then redrives.
    while restock.on_queue("notifications-dead-letters") > 0 {
        restock.redrive("notifications-dead-letters");
        restock.settle();
    }

    let mut mails = BTreeMap::new();
    for name in restock.mailed() {
        *mails.entry(name).or_default() += 1;
    }
    (restock, mails)
}

fn kills(restock: &Restock) -> u64 {
    let counted = restock.stack.observer().unwrap().faults.injected().values().sum();
    assert_eq!(restock.said("it was killed") as u64, counted);
    counted
}

/// Returns how many mails SES accepted whose sender did not live to record it.
fn unrecorded(restock: &Restock) -> u64 {
    let scan = json!({"TableName": restock.stack.ready.tables["deliveries"]});
    let records = restock.dynamodb("Scan", scan)["Items"].as_array().unwrap().clone();
    let recorded: BTreeSet<&str> = records.iter().filter_map(|record| record["messageId"]["S"].as_str()).collect();
    let mails = restock.mails();
    mails.iter().filter(|mail| !recorded.contains(mail["id"].as_str().unwrap())).count() as u64
}

#[test]
fn a_thousand_subscribers_are_mailed_once_each_while_the_sender_is_killed_a_hundred_times() {
    let (restock, mails) = drain_while_killing(1_000, 100, false);

    assert_eq!(kills(&restock), 100);
    assert_eq!(mails.len(), 1_000);
    assert!(mails.values().all(|count| *count == 1), "{mails:?}");
}

#[test]
fn waves_leave_no_more_mails_than_the_stock_has_places_for_while_functions_are_killed() {
    let (interval, perhaps_later) = (Duration::from_secs(4), Duration::from_secs(1));
    for (function, kill) in [("match-stock", 0.1), ("send-email", 0.05)] {
        let faults = Spec { seed: 5, kill, kills: 20, function: Some(function.into()), ..Spec::default() };
        let parameters = [("ClaimLeaseSeconds", "4"), ("ClaimGraceSeconds", "8")];
        let restock = Restock::start_with_faults(faults, &parameters);
        restock.feed("sv-SE", &["A"]);
        restock.many_wait("A", 30);
        restock.put("/waves", &json!({"perUnit": 1, "interval": "PT4S"}));

        restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 5}));
        eventually(|| {
            restock.tick();
            restock.redrive("stock-levels-dead-letters");
            restock.redrive("notifications-dead-letters");
            (restock.mailed().len() >= 30).then_some(())
        });

        let everybody = restock.mailed();
        assert_eq!((everybody.len(), everybody.iter().collect::<BTreeSet<_>>().len()), (30, 30), "{function}");
        let at = |mail: &Value| mail["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let at: Vec<Timestamp> = restock.mails().iter().map(at).collect();
        // A request that leaves in time may reach SES a little later.
        let until = |first: &Timestamp| *first + (interval - perhaps_later);
        let wave = |first: &Timestamp| at.iter().filter(|at| *at >= first && **at < until(first)).count();
        assert!(at.iter().all(|first| wave(first) <= 5), "{function}: {at:?}");
        assert!(kills(&restock) > 0, "{function}");
    }
}

/// Mails that leave together.
const GROUP: u64 = 10;

#[test]
fn without_events_nobody_is_lost_and_each_kill_doubles_at_most_what_was_on_its_way() {
    let (restock, mails) = drain_while_killing(300, 30, true);

    let doubled = mails.values().sum::<u64>() - mails.len() as u64;
    let unrecorded = unrecorded(&restock);
    println!("30 kills left {unrecorded} mails without a record, and {doubled} were sent again");
    assert_eq!(kills(&restock), 30);
    assert_eq!(mails.len(), 300);
    assert!(doubled <= unrecorded && unrecorded <= 30 * GROUP);
}

#[test]
fn the_log_counts_everybody_once_though_the_function_that_matches_them_is_killed() {
    let restock = Restock::start();
    // Long enough for the second try, even on a busy machine: a third one beside it would make the counts estimates.
    restock.stack.hide_messages_for(20);
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 3_000);

    assert_eq!(restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1})).status, 202);
    eventually(|| (restock.log_entry("A")["matched"].as_u64() >= Some(600)).then_some(()));
    restock.stack.kill("match-stock");
    restock.settle();

    let entry = restock.log_entry("A");
    assert_eq!((restock.mails().len(), &entry["matched"]), (3_000, &json!(3_000)), "{entry}");
    assert_eq!(Restock::sent(&entry), json!({"default": 3_000}));
}
