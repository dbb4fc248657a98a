//! What somebody who subscribes is told about whether a mail can come.

use crate::restock::{Restock, eventually, item, rss};
use restock_local::client::Client;
use serde_json::{Value, json};

/// Returns whether a mail can come, and what stands in the way.
fn outlook(subscribed: &Value) -> (bool, Option<&str>) {
    assert_eq!(subscribed["reason"].is_null(), subscribed["advice"].is_null(), "{subscribed}");
    (subscribed["canBeMailed"].as_bool().unwrap(), subscribed["reason"].as_str())
}

/// Uploads a feed in which every SKU says whether it is in stock.
fn feed_with_availability(restock: &Restock, locale: &str, skus: &[(&str, &str)]) {
    let items: String = skus
        .iter()
        .map(|(sku, availability)| item(sku, &format!("<g:availability>{availability}</g:availability>")))
        .collect();
    assert_eq!(restock.import(locale, "application/xml", rss(&items).as_bytes())["status"], "succeeded");
}

#[test]
fn a_subscription_that_no_feed_has_is_accepted_and_told_why_no_mail_can_come() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");

    assert_eq!(outlook(&restock.subscribe(&contact, "A", "sv-SE", None)), (true, None));
    assert_eq!(outlook(&restock.subscribe(&contact, "B", "sv-SE", None)), (false, Some("noProductData")));
    assert_eq!(outlook(&restock.subscribe(&contact, "A", "pl-PL", None)), (false, Some("noFeed")));
    assert_eq!(outlook(&restock.subscribe(&contact, "A", "sv-FI", None)), (false, Some("noFeed")));
    assert_eq!(restock.subscriptions(&contact).len(), 4);
}

#[test]
fn whoever_does_not_accept_email_is_told_so_unless_an_automation_does_not_ask_for_that() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.patch(&contact, &json!({"acceptsEmail": false}));

    assert_eq!(outlook(&restock.subscribe(&contact, "A", "sv-SE", None)), (false, Some("noConsent")));
    restock.automation("all", &json!({"name": "All", "requiresConsent": false}));
    assert_eq!(outlook(&restock.subscribe(&contact, "A", "sv-SE", None)), (true, None));
}

#[test]
fn a_feed_that_is_new_is_known_at_once_although_feeds_are_remembered() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("AutomationsKeptSeconds".to_owned(), "60".to_owned());
    });
    let contact = restock.contact("a");
    let subscribe = |locale: &str| restock.subscribe(&contact, "A", locale, None);

    assert_eq!(outlook(&subscribe("sv-SE")), (false, Some("noFeed")));
    restock.feed("sv", &["B"]);
    assert_eq!(outlook(&subscribe("sv-SE")), (false, Some("noProductData")));
    restock.feed("sv-SE", &["A"]);
    assert_eq!(outlook(&subscribe("sv-SE")), (true, None));
}

#[test]
fn a_product_comes_from_the_first_feed_that_has_it_when_subscribing_matching_and_sending() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["B"]);
    restock.feed("sv", &["A"]);
    let contact = restock.contact("a");

    let subscribed = restock.subscribe(&contact, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!((outlook(&subscribed), &subscribed["feedLocale"]), ((true, None), &json!("sv")));
    assert_eq!(restock.mailed(), ["a"]);
}

#[test]
fn what_is_in_stock_already_is_said_by_the_newest_level_and_else_by_a_fresh_feed() {
    let restock = Restock::start();
    feed_with_availability(&restock, "sv-SE", &[("in", "in_stock"), ("out", "out_of_stock")]);
    let contact = restock.contact("a");
    let subscribe = |sku: &str, external_id: Option<&str>| restock.subscribe(&contact, sku, "sv-SE", external_id);

    assert_eq!(outlook(&subscribe("in", None)), (false, Some("inStock")));
    assert_eq!(outlook(&subscribe("out", None)), (true, None));
    restock.level(json!({"sku": "in", "quantity": 0}));
    assert_eq!(outlook(&subscribe("in", None)), (true, None));
    // The level's mail leaves, and who asks again waits for the next one.
    restock.level(json!({"sku": "out", "quantity": 5}));
    assert_eq!(restock.mailed(), ["a"]);
    assert_eq!(outlook(&subscribe("out", None)), (false, Some("inStock")));
    restock.level(json!({"sku": "out", "quantity": 0, "externalId": "north"}));
    assert_eq!(outlook(&subscribe("out", Some("north"))), (true, None));
    assert_eq!(outlook(&subscribe("out", Some("south"))), (false, Some("inStock")));
}

#[test]
fn what_stands_in_the_contacts_way_is_told_to_keys_that_may_read_contacts() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let body = json!({"email": "bounce@example.com"});
    let bounced = restock.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();
    restock.subscribe(&bounced, "B", "sv-SE", None);
    restock.level(json!({"sku": "B", "quantity": 1}));
    let left = restock.contact("left");
    let link = restock.unsubscribe_link(&left);
    assert_eq!(Client::new(&link).send("POST", "", b"").unwrap().status, 200);

    assert_eq!(outlook(&restock.subscribe(&bounced, "A", "sv-SE", None)), (false, Some("suppressed")));
    let unsubscribed = restock.subscribe(&left, "A", "sv-SE", None);
    assert_eq!(outlook(&unsubscribed), (false, Some("unsubscribed")));
    assert!(unsubscribed["advice"].as_str().unwrap().contains("acceptsEmail"));

    let storefront = restock.with_key("storefront", &["write-subscriptions"]);
    let told = |sku: &str, contact: &str| {
        let body = json!({"contactId": contact, "sku": sku, "locale": "sv-SE"});
        storefront.json("POST", "/inventory/backinstock/subscriptions", &body).unwrap().json()
    };
    assert_eq!(outlook(&told("A", &left)), (false, None));
    assert_eq!(outlook(&told("C", &left)), (false, Some("noProductData")));

    // As the advice says.
    assert_eq!(restock.patch(&left, &json!({"acceptsEmail": true})).status, 200);
    assert_eq!(outlook(&restock.subscribe(&left, "A", "sv-SE", None)), (true, None));
}

#[test]
fn norwegian_by_any_of_its_names_is_served_by_the_feed_that_there_is() {
    let restock = Restock::start();
    restock.feed("nb-NO", &["A"]);
    for (name, locale) in [("macro", "no"), ("bokmal", "nb"), ("nynorsk", "nn-NO"), ("own", "nb-NO")] {
        let subscribed = restock.subscribe(&restock.contact(name), "A", locale, None);

        assert_eq!(outlook(&subscribed), (true, None), "{locale}");
        let feed = if name == "own" { Value::Null } else { json!("nb-NO") };
        assert_eq!(subscribed["feedLocale"], feed, "{locale}");
    }

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed(), ["bokmal", "macro", "nynorsk", "own"]);
    assert!(restock.mails().iter().all(|mail| mail["html"].as_str().unwrap().contains("lang=\"nb\"")));
}

#[test]
fn a_locale_is_served_by_a_feed_whose_tag_means_the_same() {
    let restock = Restock::start();
    for feed in ["de-DE", "sv", "zh-TW", "he-IL"] {
        restock.feed(feed, &["A"]);
    }

    for (name, locale, feed) in [
        ("a", "de", json!("de-DE")),
        ("b", "sv-SE", json!("sv")),
        ("c", "zh-Hant-TW", json!("zh-TW")),
        ("d", "iw_IL", Value::Null),
    ] {
        let subscribed = restock.subscribe(&restock.contact(name), "A", locale, None);
        assert_eq!((outlook(&subscribed), &subscribed["feedLocale"]), ((true, None), &feed), "{locale}");
    }
    restock.level(json!({"sku": "A", "quantity": 1}));

    eventually(|| (restock.mailed() == ["a", "b", "c", "d"]).then_some(()));
}

#[test]
fn a_shop_that_wants_it_tells_shoppers_their_place_in_line() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("ShowPlaces".into(), "true".into());
    });
    let [ann, bo] = ["ann", "bo"].map(|name| restock.contact(name));
    restock.subscribe(&ann, "A", "de-DE", None);
    assert_eq!(restock.subscribe(&ann, "A", "sv-SE", None)["position"], 1);
    let second = restock.subscribe(&bo, "A", "sv-SE", Some("x"));
    assert_eq!((&second["ahead"], &second["position"]), (&json!(1), &json!(2)));

    let listed = restock.subscriptions(&bo);
    assert_eq!((&listed[0]["ahead"], &listed[0]["position"]), (&json!(1), &json!(2)));
    // Many are told a bound.
    restock.many_wait("B", 1_100);
    let last = restock.subscribe(&bo, "B", "sv-SE", None);
    assert_eq!((&last["ahead"], &last["position"]), (&json!(1_000), &json!(1_001)));
    // A list that is long has no places.
    for n in 0..19 {
        restock.subscribe(&bo, &format!("S{n}"), "sv-SE", None);
    }
    let long = restock.subscriptions(&bo);
    assert_eq!((long.len(), &long[0]["position"]), (21, &serde_json::Value::Null));
}

#[test]
fn a_place_in_line_is_nobodys_business_unless_the_shop_says_so() {
    let restock = Restock::start();
    let ann = restock.contact("ann");
    assert_eq!(restock.subscribe(&ann, "A", "sv-SE", None).get("position"), None);
    assert_eq!(restock.subscriptions(&ann)[0].get("ahead"), None);
}
