//! What AWS takes only so much of: mails of an account, requests about one key, mails that it refuses anyway.

use crate::restock::{Restock, eventually};
use restock_local::faults::Spec;
use restock_local::faults::limits::KeyUnits;
use restock_local::faults::proxy::SEND_BULK_EMAIL;
use serde_json::json;
use std::collections::HashSet;

#[test]
fn an_automation_whose_mails_ses_refuses_is_not_tried_with_everybody() {
    let restock = Restock::start_with_faults(Spec::default(), &[("SendRate", "20")]);
    restock.feed("sv-SE", &["A"]);
    for n in 0..150 {
        let contact = restock.contact(&format!("refuse+{n}"));
        restock.subscribe(&contact, "A", "sv-SE", None);
    }

    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.said("Put off") > 0 && restock.counts("notifications")[0] == 0).then_some(()));

    let asked: u64 = restock
        .stack
        .observer()
        .unwrap()
        .usage()
        .iter()
        .filter(|((_, name), _)| name == SEND_BULK_EMAIL)
        .map(|(_, used)| used.requests)
        .sum();
    // Each of two instances notices after a group of ten.
    assert!((1..=2).contains(&asked), "{asked} requests");
    assert!(restock.said("SES refuses the mails of an automation") > 0);
}

#[test]
fn everybody_is_mailed_once_although_the_account_may_send_less_than_the_senders_try() {
    let restock = Restock::start_with_faults(Spec { send_rate: Some(5), ..Spec::default() }, &[]);
    restock.feed("sv-SE", &["A"]);
    let people: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
    for name in &people {
        restock.subscribe(&restock.contact(name), "A", "sv-SE", None);
    }

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mut mailed = restock.mailed();
    mailed.sort();
    assert_eq!(mailed, people);
    assert!(restock.said("SES did not accept a mail for now") > 0);
}

#[test]
fn everybody_is_mailed_once_although_a_key_bears_few_writes_a_second() {
    let units = KeyUnits { writes: 4.0, reads: 3_000.0 };
    let faults = Spec { key_units: units, ..Spec::default() };
    let restock = Restock::start_with_faults(faults, &[("SendRate", "20")]);
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 40);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mailed = restock.mailed();
    assert_eq!((mailed.len(), mailed.iter().collect::<HashSet<_>>().len()), (40, 40));
    assert!(restock.stack.observer().unwrap().limits.refused() > 0);
}
