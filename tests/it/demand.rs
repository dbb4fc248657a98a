//! What shoppers wait for most.

use crate::api::{errors, field_errors};
use crate::restock::{Restock, eventually};
use restock_local::client::Client;
use serde_json::{Value, json};

impl Restock {
    fn demand(&self, query: &str) -> Value {
        let answer = self.get(&format!("/inventory/backinstock/demand?{query}"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

#[test]
fn the_most_wanted_skus_come_first_with_the_oldest_wish_and_by_locale() {
    let restock = Restock::start();
    let (a, b) = (restock.contact("a"), restock.contact("b"));
    let first = restock.subscribe(&a, "A", "sv-SE", None);
    restock.subscribe(&a, "B", "SV-se", None);
    restock.subscribe(&b, "B", "sv-SE", Some("X"));
    let polish = restock.subscribe(&b, "B", "pl-PL", None);
    let gone = restock.subscribe(&b, "C", "pl-PL", None);
    let id = gone["id"].as_str().unwrap();
    assert_eq!(restock.delete(&format!("/inventory/backinstock/subscriptions/{id}")).status, 200);

    let demand = restock.demand("");

    assert_eq!((&demand["complete"], &demand["totalSkus"]), (&json!(true), &json!(2)));
    let skus = demand["skus"].as_array().unwrap();
    assert_eq!((&skus[0]["sku"], &skus[0]["waiting"]), (&json!("B"), &json!(3)));
    assert_eq!(skus[0]["locales"]["sv-SE"]["waiting"], 2);
    assert_eq!(skus[0]["locales"]["pl-PL"], json!({"waiting": 1, "oldest": polish["createdOn"]}));
    assert_eq!((&skus[1]["sku"], &skus[1]["oldest"]), (&json!("A"), &first["createdOn"]));
    assert_eq!(restock.demand("limit=1")["skus"].as_array().unwrap().len(), 1);
    let polish = restock.demand("locale=PL-pl");
    assert_eq!((&polish["totalSkus"], &polish["skus"][0]["waiting"]), (&json!(1), &json!(1)));
    let wrong = restock.get("/inventory/backinstock/demand?limit=many&locale=swedish-language-x-");
    assert_eq!(field_errors(&wrong), errors(&[("/locale", "InvalidLocale")]));
}

#[test]
fn others_are_told_once_so_many_wait_for_a_sku_and_again_once_fewer_have_waited_meanwhile() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("DemandThreshold".into(), "3".into());
    });
    restock.feed("sv-SE", &["A", "B"]);
    let told = || Client::new(&restock.stack.ready.inbox).get("/events").unwrap().json();
    let contacts: Vec<String> = (0..5).map(|n| restock.contact(&format!("shopper{n}"))).collect();
    restock.subscribe(&contacts[0], "A", "sv-SE", None);
    restock.subscribe(&contacts[0], "B", "sv-SE", None);
    restock.subscribe(&contacts[1], "A", "pl-PL", None);
    assert_eq!(told(), json!([]));

    contacts[2..].iter().for_each(|contact| drop(restock.subscribe(contact, "A", "sv-SE", None)));

    let [event] = told().as_array().unwrap().clone().try_into().expect("one event");
    let kind = (&event["source"], &event["detail-type"]);
    assert_eq!(kind, (&json!("restock"), &json!("Demand Threshold Reached")));
    let detail = &event["detail"];
    let expected = (&json!("A"), &json!(3), &json!(restock.stack.ready.api));
    assert_eq!((&detail["sku"], &detail["threshold"], &detail["api"]), expected, "{event}");

    restock.level(json!({"sku": "A", "quantity": 1}));
    contacts[..4].iter().for_each(|contact| drop(restock.subscribe(contact, "A", "sv-SE", None)));
    assert_eq!(told().as_array().unwrap().len(), 2);
}

#[test]
fn whoever_subscribes_is_answered_although_no_event_can_be_told() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("DemandThreshold".into(), "1".into());
        // Nobody listens there.
        options.settings.push(("create-subscription", "AWS_ENDPOINT_URL_EVENTBRIDGE", "http://127.0.0.1:9"));
    });

    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);

    eventually(|| (restock.said("An event is told later") == 1).then_some(()));
}

#[test]
fn who_was_mailed_waits_no_more() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 300);
    assert_eq!(restock.demand("")["skus"][0]["waiting"], 300);
    let usage = restock.stack.observer().unwrap().usage();
    let read = usage[&("show-demand".to_owned(), "Scan".to_owned())];
    println!("{} requests and {} read units for 300 subscriptions", read.requests, read.reads);
    assert!(read.reads <= 12.0, "{} read units", read.reads);

    restock.level(json!({"sku": "A", "quantity": 1}));

    eventually(|| (restock.demand("")["skus"] == json!([])).then_some(()));
}
