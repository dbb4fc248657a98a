//! Shoppers subscribe, a stock level arrives, everyone waiting gets one mail.

use crate::restock::{Restock, eventually, item, rss};
use serde_json::json;

/// Returns the five subscriptions of the example in `docs/contract.md`, named after their numbers.
fn with_the_five_subscriptions() -> Restock {
    let restock = Restock::start();
    restock.feed("sv-SE", &["SKU-1", "SKU-2"]);
    restock.feed("pl-PL", &["SKU-1", "SKU-2"]);
    let five = [
        ("SKU-1", "sv-se", None),
        ("SKU-1", "pl-pl", None),
        ("SKU-1", "sv-se", Some("SE-SKU-1")),
        ("SKU-1", "pl-pl", Some("PL-SKU-1")),
        ("SKU-2", "sv-se", None),
    ];
    for (index, (sku, locale, external_id)) in five.into_iter().enumerate() {
        let contact = restock.contact(&format!("n{}", index + 1));
        restock.subscribe(&contact, sku, locale, external_id);
    }
    restock
}

#[test]
fn a_level_with_a_locale_triggers_the_subscriptions_of_that_locale_whatever_their_external_id() {
    let restock = with_the_five_subscriptions();

    restock.level(json!({"sku": "SKU-1", "quantity": 1, "locale": "SV-SE"}));

    assert_eq!(restock.mailed(), ["n1", "n3"]);
}

#[test]
fn a_level_with_an_external_id_triggers_exactly_the_subscriptions_with_it() {
    let restock = with_the_five_subscriptions();

    restock.level(json!({"sku": "SKU-1", "quantity": 1, "externalId": "SE-SKU-1"}));

    assert_eq!(restock.mailed(), ["n3"]);
}

#[test]
fn a_level_with_a_sku_alone_triggers_every_subscription_of_it() {
    let restock = with_the_five_subscriptions();

    restock.level(json!({"sku": "SKU-1", "quantity": 1}));

    assert_eq!(restock.mailed(), ["n1", "n2", "n3", "n4"]);
}

#[test]
fn a_level_with_locale_and_external_id_triggers_what_matches_both() {
    let restock = with_the_five_subscriptions();

    restock.level(json!({"sku": "SKU-1", "quantity": 1, "locale": "pl-PL", "externalId": "SE-SKU-1"}));
    restock.level(json!({"sku": "SKU-1", "quantity": 1, "locale": "pl-PL", "externalId": "PL-SKU-1"}));

    assert_eq!(restock.mailed(), ["n4"]);
}

#[test]
fn the_mail_of_a_contact_ends_a_subscription_whose_product_its_feed_has_lost_meanwhile() {
    let restock = Restock::start();
    ["sv-SE", "en-GB"].iter().for_each(|locale| restock.feed(locale, &["A"]));
    let contact = restock.contact("a");
    for locale in ["sv-SE", "en-GB"] {
        restock.subscribe(&contact, "A", locale, None);
    }
    restock.put("/inventory/backinstock/holds", &json!({"sku": "A"}));
    // It stays on its queue for as long as the product is held.
    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.on_queue("stock-levels") == 0).then_some(()));
    restock.feed("sv-SE", &["B"]);
    restock.delete("/inventory/backinstock/holds?sku=A");

    eventually(|| restock.subscriptions(&contact).is_empty().then_some(()));
    assert_eq!(restock.mailed(), ["a"]);
}

#[test]
fn a_contact_with_many_subscriptions_gets_one_mail_in_the_locale_of_the_newest_and_all_are_used_up() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.feed("pl-PL", &["A"]);
    let contact = restock.contact("a");
    for shop in 0..100 {
        restock.subscribe(&contact, "A", "sv-SE", Some(&format!("shop-{shop}")));
    }
    restock.subscribe(&contact, "A", "pl-PL", None);
    restock.subscribe(&contact, "A", "de-DE", None);

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.mails()[0]["subject"].as_str().unwrap().contains("Znów"), "{}", restock.mails()[0]);
    // No feed has it in German, so no automation accepted that one.
    let waiting = restock.subscriptions(&contact);
    assert_eq!(waiting.iter().map(|one| &one["locale"]).collect::<Vec<_>>(), ["de-DE"]);
    let skipped = &restock.log_entry("A")["mails"];
    assert_eq!((&skipped["accepted"], &skipped["sameContact"]), (&json!(1), &json!(100)), "{skipped}");
}

#[test]
fn two_levels_that_cover_a_contact_by_different_subscriptions_are_two_mails() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", Some("north"));
    restock.subscribe(&contact, "A", "sv-SE", Some("south"));

    restock.level(json!({"sku": "A", "quantity": 1, "externalId": "north"}));
    restock.level(json!({"sku": "A", "quantity": 1, "externalId": "south"}));

    assert_eq!(restock.mailed(), ["a", "a"]);
}

#[test]
fn a_message_on_the_queue_works_as_a_request_does_alone_or_in_an_array() {
    let restock = with_the_five_subscriptions();

    restock.send_message("stock-levels", r#"{"Sku":"SKU-2","Quantity":3}"#);
    restock.send_message(
        "stock-levels",
        r#"[{"sku":"SKU-1","quantity":0},{"sku":"SKU-1","quantity":2,"locale":"pl-PL"}]"#,
    );
    restock.settle();

    assert_eq!(restock.mailed(), ["n2", "n4", "n5"]);
    assert_eq!(restock.log_entry("SKU-2")["source"], "queue");
}

#[test]
fn a_used_up_subscription_is_gone_and_a_second_stock_level_mails_nobody_twice() {
    let restock = with_the_five_subscriptions();

    restock.level(json!({"sku": "SKU-2", "quantity": 1}));
    restock.level(json!({"sku": "SKU-2", "quantity": 1}));

    assert_eq!(restock.mailed(), ["n5"]);
    let contact = restock.get("/contacts/id?email=N5@example.com").json()["id"].as_str().unwrap().to_owned();
    assert!(restock.subscriptions(&contact).is_empty());
}

/// Restocks a SKU that 300 wait for from several threads at once, so many times each, and checks that each is mailed
/// once.
fn restock_300_subscribers(threads: usize, times: usize) {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 300);

    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..times {
                    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
                }
            });
        }
    });
    restock.settle();

    let everybody: Vec<String> = (0..300).map(|n| format!("c{n:05}")).collect();
    assert_eq!(restock.mailed(), everybody);
    assert_eq!(restock.on_queue("notifications-dead-letters"), 0);
}

#[test]
fn two_levels_at_the_same_time_mail_each_subscriber_once() {
    restock_300_subscribers(2, 1);
}

#[test]
fn the_same_level_fifty_times_mails_each_subscriber_once() {
    restock_300_subscribers(5, 10);
}

#[test]
fn a_mail_shows_the_product_in_the_language_and_number_format_of_the_locale() {
    let restock = Restock::start();
    let fields = "<g:price>1299.00 PLN</g:price><g:sale_price>999.50 PLN</g:sale_price><g:image_link>https://shop.example/a.jpg</g:image_link>";
    restock.import("pl-PL", "application/xml", rss(&item("A", fields)).as_bytes());
    let contact = restock.contact("Zofia");
    restock.subscribe(&contact, "A", "pl-PL", None);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mail = &restock.mails()[0];
    assert_eq!(mail["subject"], "Znów dostępny: Product A");
    let text = mail["text"].as_str().unwrap().replace('\u{a0}', " ");
    assert!(
        text.contains("Cześć Zofia!") && text.contains("Teraz 999,50 zł") && text.contains("Wcześniej 1299,00 zł"),
        "{text}"
    );
    let html = mail["html"].as_str().unwrap().replace("&#x2f;", "/");
    assert!(html.contains("https://shop.example/a.jpg") && html.contains("href=\"https://shop.example/A\""));
    assert_eq!(mail["headers"]["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    assert!(mail["tags"]["delivery"].as_str().is_some_and(|delivery| delivery.len() == 36));
}

#[test]
fn nothing_is_sent_unless_the_quantity_is_above_zero() {
    let restock = with_the_five_subscriptions();

    restock.level(json!({"sku": "SKU-1", "quantity": 0}));
    restock.level(json!({"sku": "SKU-1", "quantity": -3}));

    assert!(restock.mails().is_empty());
}

#[test]
fn a_subscription_without_a_feed_for_its_locale_stays_and_the_log_says_why() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);

    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.log_entry("A")["skipped"], json!({"noFeed": 1}));
    assert_eq!(restock.subscriptions(&contact).len(), 1);

    restock.feed("sv-SE", &["B"]);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.log_entry("A")["skipped"], json!({"noProductData": 1}));

    restock.feed("sv-SE", &["A", "B"]);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["a"]);
}

#[test]
fn the_log_has_an_entry_for_each_level_that_met_demand_newest_first() {
    let restock = with_the_five_subscriptions();

    restock.level(json!({"sku": "SKU-2", "quantity": 7, "locale": "sv-SE"}));
    restock.level(json!({"sku": "SKU-1", "quantity": 9}));
    restock.level(json!({"sku": "SKU-2", "quantity": 8}));

    let entries = restock.get("/inventory/backinstock/log").json()["entries"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 2, "the third level met no demand: {entries}");
    assert_eq!(
        (&entries[0]["sku"], &entries[0]["matched"], Restock::sent(&entries[0])),
        (&json!("SKU-1"), &json!(4), json!({"default": 4}))
    );
    let swedish = &entries[1];
    assert_eq!(
        (&swedish["quantity"], &swedish["locale"], &swedish["source"]),
        (&json!(7), &json!("sv-SE"), &json!("http"))
    );
    assert_eq!(swedish["mails"], json!({"accepted": 1, "delivered": 1}));
}

#[test]
fn the_log_is_read_page_by_page() {
    let restock = Restock::start();
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    // What is in one message is handled in its order; of two messages the later one might overtake the other.
    for quantities in [1..=60, 61..=120] {
        let levels: Vec<_> = quantities.map(|quantity| json!({"sku": "A", "quantity": quantity})).collect();
        restock.put("/inventory/stock-levels/batch", &json!(levels));
        restock.settle();
    }

    for start in ["?sku=A", "?"] {
        let (mut quantities, mut cursor) = (Vec::new(), String::new());
        for _ in 0..10 {
            let page = restock.get(&format!("/inventory/backinstock/log{start}&cursor={cursor}")).json();
            quantities
                .extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["quantity"].as_i64().unwrap()));
            match page["cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        quantities.sort_unstable();
        assert_eq!(quantities, (1..=120).collect::<Vec<_>>());
    }
}

#[test]
fn a_level_that_is_older_than_the_newest_known_is_accepted_and_ignored() {
    let restock = with_the_five_subscriptions();

    restock.level(json!({"sku": "SKU-1", "quantity": 0, "updatedOn": "2026-03-01T12:00:00Z"}));
    restock.level(json!({"sku": "SKU-1", "quantity": 5, "updatedOn": "2026-03-01T11:59:59Z"}));
    assert!(restock.mails().is_empty());

    restock.level(json!({"sku": "SKU-1", "quantity": 5, "updatedOn": "2026-03-01T13:00:00+01:00"}));
    assert_eq!(restock.mailed().len(), 4);
}

#[test]
fn a_subscription_may_be_made_again_after_it_was_used_up() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");

    for _ in 0..2 {
        restock.subscribe(&contact, "A", "sv-SE", None);
        restock.level(json!({"sku": "A", "quantity": 1}));
    }

    assert_eq!(restock.mailed(), ["a", "a"]);
}

#[test]
fn a_sku_with_more_subscribers_than_one_invocation_handles_is_mailed_completely() {
    // A lease that no machine is too slow for.
    let restock = Restock::start_as(|options| {
        options.parameters.insert("ClaimLeaseSeconds".to_owned(), "60".to_owned());
    });
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 2_300);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let entry = restock.log_entry("A");
    assert_eq!((&entry["matched"], Restock::sent(&entry)), (&json!(2300), json!({"default": 2300})));
    let mut mailed = restock.mailed();
    mailed.dedup();
    assert_eq!(mailed.len(), 2300);
}
