//! Functions that are killed while they work.

use crate::restock::Restock;
use restock_local::faults::Spec;
use serde_json::json;
use std::collections::BTreeMap;

/// As many subscribers as wait, restocked once while `send-email` is killed again and again, each time at a request to
/// DynamoDB, SQS or SES: before it is carried out, or before its answer arrives. Returns how often each was mailed.
fn drain_while_killing(subscribers: u128, kills: u64, events_lost: bool) -> (Restock, BTreeMap<String, u64>) {
    let faults =
        Spec { seed: 3, kill: 0.03, kills, function: Some("send-email".into()), events_lost, ..Spec::default() };
    let parameters = [("ClaimLeaseSeconds", "4"), ("ClaimGraceSeconds", if events_lost { "0" } else { "8" })];
    let restock = Restock::start_with_faults(faults, &parameters);
    restock.feed("sv-SE", &["A"]);
    restock.runtime.block_on(crate::matching::many_subscriptions(&restock, "A", subscribers));

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mut mails = BTreeMap::new();
    for name in restock.mailed() {
        *mails.entry(name).or_default() += 1;
    }
    (restock, mails)
}

fn kills(restock: &Restock) -> u64 {
    restock.stack.observer().unwrap().faults.injected().values().sum()
}

#[test]
fn a_thousand_subscribers_are_mailed_once_each_while_the_sender_is_killed_a_hundred_times() {
    let (restock, mails) = drain_while_killing(1_000, 100, false);

    assert_eq!(kills(&restock), 100);
    assert_eq!(mails.len(), 1_000);
    assert!(mails.values().all(|count| *count == 1), "{mails:?}");
    assert_eq!(restock.on_queue("notifications-dead-letters"), 0);
}

/// What one instance of `send-email` has on its way: four messages with five mails each.
const CONCURRENCY: u64 = 20;

#[test]
fn without_events_nobody_is_lost_and_each_kill_doubles_at_most_what_was_on_its_way() {
    let (restock, mails) = drain_while_killing(300, 30, true);

    let doubled = mails.values().sum::<u64>() - mails.len() as u64;
    println!("{doubled} second mails by 30 kills");
    assert_eq!(kills(&restock), 30);
    assert_eq!(mails.len(), 300);
    assert!(doubled <= 30 * CONCURRENCY);
}
