//! The ten examples of `docs/automations.md`, as they stand there: who gets the mail, who does not and stays, and what
//! the log says.

use crate::restock::{Restock, item, rss};
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../docs/automations.md");

/// Returns the body of an example, by its number.
fn example(number: usize) -> Value {
    let section = DOCUMENT.split(&format!("### {number}. ")).nth(1).expect("the example");
    let body = section.split("```json").nth(1).expect("its body").split("```").next().expect("the end of its body");
    serde_json::from_str(body).expect("JSON")
}

/// Starts a shop with the example as its only automation, and the SKU in two feeds.
fn with_example(number: usize) -> Restock {
    let restock = Restock::start();
    assert_eq!(restock.delete("/automations/default").status, 200);
    restock.automation("example", &example(number));
    restock.feed("sv-SE", &["A"]);
    restock.feed("pl-PL", &["A"]);
    restock
}

fn one(sku: &str) -> Value {
    json!({"sku": sku, "quantity": 1})
}

impl Restock {
    /// Makes a contact who waits for a SKU.
    fn waits(&self, name: &str, sku: &str, locale: &str) -> String {
        let contact = self.contact(name);
        self.subscribe(&contact, sku, locale, None);
        contact
    }

    fn contact_with(&self, name: &str, attributes: &Value) -> String {
        let body = json!({"email": format!("{name}@example.com"), "attributes": attributes});
        self.post("/contacts", &body).json()["id"].as_str().expect("an id").to_owned()
    }

    /// Returns what the newest entry says of each condition that refused somebody.
    fn refusals(&self, sku: &str) -> Vec<(String, u64)> {
        let entry = self.log_entry(sku);
        let conditions = entry["automations"][0]["conditions"].as_array().expect("conditions").iter();
        conditions.map(|of| (of["condition"].as_str().unwrap().to_owned(), of["refused"].as_u64().unwrap())).collect()
    }
}

fn refused(condition: &str, count: u64) -> Vec<(String, u64)> {
    vec![(condition.to_owned(), count)]
}

#[test]
fn there_are_ten_examples_and_every_one_is_stored_as_it_is_written() {
    let restock = Restock::start();

    for number in 1..=10 {
        let stored = restock.automation(&format!("example-{number}"), &example(number));
        assert_eq!(stored["version"], 1, "{number}");
    }

    assert!(!DOCUMENT.contains("### 11. "));
}

#[test]
fn example_1_two_markets() {
    let restock = with_example(1);
    restock.waits("swede", "A", "SV-se");
    let pole = restock.waits("pole", "A", "pl-PL");

    restock.level(one("A"));

    assert_eq!(restock.mailed(), ["swede"]);
    assert_eq!(restock.subscriptions(&pole).len(), 1);
    assert_eq!(restock.refusals("A"), refused("locale is one of sv-SE, nb-NO", 1));
}

#[test]
fn example_2_enough_for_everybody() {
    let restock = with_example(2);
    let contact = restock.waits("a", "A", "sv-SE");

    restock.level(json!({"sku": "A", "quantity": 4}));
    assert_eq!((restock.mailed().len(), restock.subscriptions(&contact).len()), (0, 1));
    assert_eq!(restock.refusals("A"), refused("quantity is at least 5", 1));
    restock.level(json!({"sku": "A", "quantity": 5}));

    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn example_3_no_mails_about_certain_products() {
    let restock = with_example(3);
    restock.feed("sv-SE", &["A", "GIFT-CARD-500", "SAMPLE-A", "gift-card-500"]);
    let crowd = [("a", "A"), ("b", "GIFT-CARD-500"), ("c", "SAMPLE-A"), ("d", "gift-card-500")];
    let still_waiting = crowd.map(|(name, sku)| {
        let contact = restock.waits(name, sku, "sv-SE");
        restock.level(one(sku));
        restock.subscriptions(&contact).len()
    });

    assert_eq!(restock.mailed(), ["a", "d"], "a SKU compares exactly");
    assert_eq!(still_waiting, [0, 1, 1, 0]);
    assert_eq!(restock.refusals("GIFT-CARD-500"), refused("sku is none of GIFT-CARD-500, GIFT-CARD-1000", 1));
    assert_eq!(restock.refusals("SAMPLE-A"), refused("not (sku starts with SAMPLE-)", 1));
}

#[test]
fn example_4_one_warehouse() {
    let restock = with_example(4);
    let (north, south, none) = (restock.contact("north"), restock.contact("south"), restock.contact("none"));
    restock.subscribe(&north, "A", "sv-SE", Some("NORTH-7"));
    restock.subscribe(&south, "A", "sv-SE", Some("SOUTH-1"));
    restock.subscribe(&none, "A", "sv-SE", None);

    restock.level(one("A"));

    assert_eq!(restock.mailed(), ["north"]);
    assert_eq!((restock.subscriptions(&south).len(), restock.subscriptions(&none).len()), (1, 1));
    assert_eq!(restock.refusals("A"), refused("externalId starts with NORTH-", 2));
}

#[test]
fn example_5_affordable_and_of_one_brand() {
    let restock = with_example(5);
    let product =
        |sku, brand: &str, price: &str| item(sku, &format!("<g:brand>{brand}</g:brand><g:price>{price}</g:price>"));
    let items = [
        product("A", "NORDVIK", "499.90 SEK"),
        product("B", "Nordvik", "500.00 SEK"),
        product("C", "Nordvik", "45.00 EUR"),
        product("D", "Fjell", "99.00 SEK"),
    ];
    restock.import("sv-SE", "application/xml", rss(&items.concat()).as_bytes());
    let still_waiting = [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")].map(|(name, sku)| {
        let contact = restock.waits(name, sku, "sv-SE");
        restock.level(one(sku));
        restock.subscriptions(&contact).len()
    });

    assert_eq!((restock.mailed(), still_waiting), (vec!["a".to_owned()], [0, 1, 1, 1]));
    for sku in ["B", "C"] {
        assert_eq!(restock.refusals(sku), refused("product.price is less than 500 SEK", 1), "{sku}");
    }
    assert_eq!(restock.refusals("D"), refused("product.brand is Nordvik", 1));
}

#[test]
fn example_6_fresh_interest_only() {
    let restock = with_example(6);
    // As if it had been made long ago: nobody can subscribe in the past.
    let store = restock.store();
    let old = restock.contact("old");
    let subscription = crate::matching::subscription_of(&old, "A", "sv-SE");
    restock.runtime.block_on(store.put_subscription(subscription)).unwrap();
    restock.waits("new", "A", "sv-SE");

    restock.level(one("A"));

    assert_eq!(restock.mailed(), ["new"]);
    assert_eq!(restock.subscriptions(&old).len(), 1);
    assert_eq!(restock.refusals("A"), refused("subscribedOn is within the last P30D", 1));
}

#[test]
fn example_7_not_who_has_bought_it_meanwhile() {
    let restock = with_example(7);
    let (buyer, once) = (restock.waits("buyer", "A", "sv-SE"), restock.waits("once", "A", "sv-SE"));
    restock.waits("never", "A", "sv-SE");
    let bought = |contact: &str, receipt: &str, sku: &str, on: &str| {
        let body = json!({"receiptId": receipt, "purchasedOn": on, "items": [{"sku": sku}]});
        assert_eq!(restock.post(&format!("/contacts/{contact}/purchases"), &body).status, 200);
    };
    bought(&buyer, "R-1", "A", &jiff::Timestamp::now().to_string());
    bought(&once, "R-2", "A", "2026-01-01T00:00:00Z");
    bought(&once, "R-3", "B", &jiff::Timestamp::now().to_string());

    restock.level(one("A"));

    assert_eq!(restock.mailed(), ["never", "once"]);
    assert_eq!(restock.subscriptions(&buyer).len(), 1);
    assert_eq!(restock.refusals("A"), refused("not (purchasedOn is within the last P5D)", 1));
}

#[test]
fn example_8_club_members_get_a_mail_of_their_own() {
    let restock = Restock::start();
    restock.automation("example", &example(8));
    restock.feed("sv-SE", &["A"]);
    let member = restock.contact_with("member", &json!({"club": "Gold"}));
    restock.subscribe(&member, "A", "sv-SE", None);
    restock.waits("other", "A", "sv-SE");

    restock.level(one("A"));

    let subjects: Vec<Value> = {
        let mut mails = restock.mails();
        mails.sort_by_key(|mail| mail["to"][0].to_string());
        mails.iter().map(|mail| mail["subject"].clone()).collect()
    };
    assert_eq!(subjects, ["Först för medlemmar: Product A", "Åter i lager: Product A"]);
    let entry = restock.log_entry("A");
    assert_eq!(Restock::sent(&entry), json!({"example": 1, "default": 1}));
    assert_eq!(restock.refusals("A"), refused("contact.attributes.club is one of gold, platinum", 1));
}

#[test]
fn a_contact_attribute_refuses_and_the_subscription_stays_until_the_attribute_is_there() {
    let restock = with_example(8);
    let contact = restock.waits("a", "A", "sv-SE");

    restock.level(one("A"));
    assert_eq!((restock.mailed().len(), restock.subscriptions(&contact).len()), (0, 1));
    assert_eq!(restock.refusals("A"), refused("contact.attributes.club is one of gold, platinum", 1));
    let joined = restock.api.json("PATCH", &format!("/contacts/{contact}"), &json!({"attributes": {"club": "gold"}}));
    assert_eq!(joined.expect("an answer").status, 200);
    restock.level(one("A"));

    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn example_9_either_or() {
    let restock = with_example(9);
    let of = |name: &str, attributes: Value| {
        restock.subscribe(&restock.contact_with(name, &attributes), "A", "sv-SE", None);
    };
    of("member", json!({"club": "silver"}));
    of("angry", json!({"club": "gold", "openComplaint": true}));
    of("other", json!({"openComplaint": false}));

    restock.level(one("A"));
    assert_eq!(restock.mailed(), ["member"]);
    let any = "any of (contact.attributes.club is there; all of (quantity is at least 20; contact.attributes.club is missing))";
    let complaint = "contact.attributes.openComplaint is not true";
    assert_eq!(restock.refusals("A"), [(any.to_owned(), 1), (complaint.to_owned(), 1)]);
    restock.level(json!({"sku": "A", "quantity": 20}));

    assert_eq!(restock.mailed(), ["member", "other"]);
}

#[test]
fn example_10_a_letter_in_five_languages() {
    let restock = with_example(10);
    let locales = [
        ("sv-SE", "Sockor", "99.00 SEK", "Sockor finns igen för 99,00 kr"),
        ("de-DE", "Socken", "9.90 EUR", "Socken ist wieder da für 9,90 €"),
        ("de-AT", "Socken", "1299.00 EUR", "Socken gibt's wieder um € 1.299,00"),
        ("pl-PL", "Skarpety", "39.00 PLN", "Skarpety is back for 39,00 zł"),
        ("en-US", "Socks", "9.00 USD", "Socks is back for $9.00"),
    ];
    for (locale, title, price, _) in locales {
        let item = format!(
            "<item><g:id>A</g:id><title>{title}</title><link>https://shop.example/{locale}</link><g:price>{price}</g:price></item>"
        );
        restock.import(locale, "application/xml", rss(&item).as_bytes());
        restock.waits(&locale.to_lowercase(), "A", locale);
    }

    restock.level(one("A"));

    let mails = restock.mails();
    assert_eq!(mails.len(), 5);
    for (locale, title, _, subject) in locales {
        let to = format!("{}@example.com", locale.to_lowercase());
        let mail = mails.iter().find(|mail| mail["to"][0] == to.as_str()).expect("a mail");
        let plain = |text: &Value| text.as_str().unwrap().replace(['\u{a0}', '\u{202f}'], " ");
        assert_eq!(plain(&mail["subject"]), subject, "{locale}");
        let text = plain(&mail["text"]);
        assert!(text.contains(title) && text.contains(&format!("https://shop.example/{locale}")), "{text}");
        let html = mail["html"].as_str().unwrap();
        assert!(html.contains("Georgia") && !html.contains("<img"), "the letter has no picture");
        assert_eq!(mail["from"], "=?UTF-8?B?QW5uYSBww6UgQnV0aWtlbg==?= <anna@shop.example>");
        assert_eq!(mail["replyTo"], json!(["kundservice@shop.example"]));
        assert_eq!(mail["tags"]["automation"], "example");
    }
    let polish = mails.iter().find(|mail| mail["to"][0] == "pl-pl@example.com").expect("a mail");
    assert!(polish["text"].as_str().unwrap().starts_with("Cześć"), "the texts are in the locale's language");
    assert_eq!(Restock::sent(&restock.log_entry("A")), json!({"example": 5}));
}
