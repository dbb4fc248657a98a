//! What AWS takes only so much of: mails of an account, requests about one key, mails that it refuses anyway.

use crate::restock::{Restock, eventually};
use jiff::Timestamp;
use restock_domain::{ContactId, DeliveryId, Locale, MAX_SUBSCRIPTIONS, Sku, Subscription};
use restock_local::faults::Spec;
use restock_local::faults::limits::KeyUnits;
use restock_local::faults::proxy::SEND_BULK_EMAIL;
use serde_json::json;
use std::collections::HashSet;

#[test]
fn an_automation_whose_mails_ses_refuses_is_not_tried_with_everybody() {
    let restock = Restock::start_with_faults(Spec { send_rate: Some(20), ..Spec::default() }, &[]);
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
fn mails_stop_before_the_quota_of_a_day_is_used_up_and_nobody_is_given_up_meanwhile() {
    let restock = Restock::start_with_faults(Spec { day_quota: Some(40), ..Spec::default() }, &[]);
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 120);
    assert_eq!(restock.get("/sending").json(), json!({"state": "sending"}));

    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    // A twentieth of the quota is left to other mail, and each of two senders has half of the rest.
    eventually(|| (restock.mailed().len() >= 19 && restock.said("Put off") > 0).then_some(()));
    let mailed = restock.mailed().len();
    assert!(mailed <= 38, "{mailed}");
    let sending = restock.get("/sending").json();
    assert_eq!((&sending["rate"], &sending["quota"]), (&json!(1000), &json!(40)));
    assert_eq!(restock.on_queue("notifications-dead-letters"), 0);
}

#[test]
fn a_contact_has_a_bounded_number_of_subscriptions_and_those_that_it_has_stay() {
    let restock = Restock::start();
    let contact = restock.contact("collects");
    let of_sku = |sku: &str| Subscription {
        contact_id: ContactId::parse(&contact).unwrap(),
        sku: Sku::parse(sku).unwrap(),
        locale: Locale::parse("sv-SE").unwrap(),
        external_id: None,
        created_on: Timestamp::now(),
        moved_in_on: None,
        delivery: DeliveryId::random(),
        expires_on: None,
    };
    let many: Vec<Subscription> = (0..MAX_SUBSCRIPTIONS).map(|n| of_sku(&format!("S{n}"))).collect();
    restock.runtime.block_on(restock.store().seed(&[], &many)).expect("the tables are there");
    let subscribe = |sku: &str| {
        let body = json!({"contactId": contact, "sku": sku, "locale": "sv-SE"});
        restock.post("/inventory/backinstock/subscriptions", &body)
    };

    // One of sixteen calls counts.
    let refused = (0..1_000).map(|n| subscribe(&format!("T{n}"))).find(|answer| answer.status != 201).unwrap();
    assert_eq!((refused.status, &refused.json()["errorCode"]), (409, &json!("TooManySubscriptions")));
    assert_eq!(subscribe("U").status, 409);
    assert_eq!(subscribe("S0").status, 201);

    let mut listed = restock.subscriptions(&contact);
    while listed.len() >= MAX_SUBSCRIPTIONS {
        let id = listed.pop().unwrap()["id"].as_str().unwrap().to_owned();
        assert_eq!(restock.delete(&format!("/inventory/backinstock/subscriptions/{id}")).status, 200);
    }
    assert_eq!(subscribe("U").status, 201);
}

#[test]
fn an_account_that_may_send_nothing_more_is_said_to_go_on_within_a_day() {
    let restock = Restock::start_with_faults(Spec { day_quota: Some(0), ..Spec::default() }, &[]);
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 1);

    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.said("the account may send no more for now") > 0).then_some(()));

    let sending = restock.get("/sending").json();
    let moment = |name: &str| sending[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(sending["state"], "quotaUsedUp");
    assert_eq!(moment("goesOnBy"), moment("stoppedOn") + std::time::Duration::from_secs(24 * 3600));
    assert_eq!(restock.said("The account may send no more mails for now"), 1);
    // No mail was begun.
    let usage = restock.stack.observer().unwrap().usage();
    assert!(!usage.contains_key(&("send-email".to_owned(), "BatchExecuteStatement".to_owned())));
}

#[test]
fn everybody_is_mailed_at_the_rate_of_the_account() {
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
    assert_eq!(restock.get("/sending").json()["rate"], 5);
}

#[test]
fn everybody_is_mailed_once_although_a_key_bears_few_writes_a_second() {
    let units = KeyUnits { writes: 4.0, reads: 3_000.0 };
    let faults = Spec { key_units: units, ..Spec::default() };
    let restock = Restock::start_with_faults(faults, &[("MaxMailsPerSecond", "20")]);
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 40);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mailed = restock.mailed();
    assert_eq!((mailed.len(), mailed.iter().collect::<HashSet<_>>().len()), (40, 40));
    assert!(restock.stack.observer().unwrap().limits.refused() > 0);
}
