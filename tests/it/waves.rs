//! Waves, as callers and mailboxes see them.

use crate::api::{assert_problem, field_errors};
use crate::restock::{Restock, eventually};
use restock_local::client::Answer;
use serde_json::{Value, json};

impl Restock {
    /// Lets so many people wait for a SKU, one after the other.
    fn line(&self, sku: &str, people: usize) -> Vec<String> {
        let names: Vec<String> = (10..10 + people).map(|n| format!("shopper{n}")).collect();
        for name in &names {
            self.subscribe(&self.contact(name), sku, "sv-SE", None);
        }
        names
    }

    /// Makes two automations with a line of their own, and returns a contact of each, who is called as the automation
    /// is.
    fn sides(&self, intervals: [(&str, &str); 2]) -> [String; 2] {
        let mut priority = 0;
        intervals.map(|(side, interval)| {
            priority += 1;
            let condition = json!({"field": "contact.attributes.side", "operator": "equals", "value": side});
            let waves = json!({"perUnit": 1, "interval": interval});
            let own = json!({"name": side, "conditions": [condition], "priority": priority, "waves": waves});
            self.automation(side, &own);
            let body = json!({"email": format!("{side}@example.com"), "attributes": {"side": side}});
            self.post("/contacts", &body).json()["id"].as_str().expect("an id").to_owned()
        })
    }

    fn mailed_in_order_of_names(&self) -> Vec<String> {
        let mut mailed = self.mailed();
        mailed.sort();
        mailed
    }

    /// Asks for due ticks, as the schedule does each minute.
    pub fn tick(&self) {
        self.send_message("stock-levels", r#"{"v": 1, "type": "due-wave-ticks"}"#);
        self.settle();
    }

    /// Asks for due ticks until so many are mailed.
    pub fn tick_until(&self, mails: usize) {
        eventually(|| {
            self.tick();
            (self.mailed().len() >= mails).then_some(())
        });
    }
}

#[test]
fn five_in_stock_mail_the_five_who_waited_longest_and_the_next_five_an_interval_later() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let names = restock.line("A", 12);
    let stored = restock.put("/waves", &json!({"perUnit": 1, "interval": "PT4S"}));
    assert_eq!(stored.status, 200, "{}", stored.text);

    restock.level(json!({"sku": "A", "quantity": 5}));
    restock.settle();
    assert_eq!(restock.mailed_in_order_of_names(), names[..5]);

    restock.tick_until(10);
    assert_eq!(restock.mailed_in_order_of_names(), names[..10]);
    restock.tick_until(12);
    assert_eq!(restock.mailed_in_order_of_names(), names);
}

#[test]
fn whoever_is_in_the_first_wave_is_counted_and_has_a_history() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.line("A", 2);
    restock.put("/waves", &json!({"perUnit": 1}));

    restock.level(json!({"sku": "A", "quantity": 1}));
    restock.settle();

    let history = restock.get(&format!("/contacts/{contact}/history")).json();
    let events: Vec<_> = history["entries"].as_array().unwrap().iter().map(|entry| entry["event"].clone()).collect();
    assert_eq!(events, ["delivered", "sent", "waitedInLine", "subscribed"], "{history}");
    assert_eq!(
        (&restock.log_entry("A")["matched"], &restock.log_entry("A")["mails"]["accepted"]),
        (&json!(3), &json!(1))
    );
}

#[test]
fn a_stock_that_rises_lets_the_difference_leave_and_one_that_is_sent_again_nobody() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let names = restock.line("A", 6);
    restock.put("/waves", &json!({"perUnit": 1}));

    for (quantity, mailed) in [(2, 2), (2, 2), (0, 2), (2, 2), (3, 3), (1, 3)] {
        restock.level(json!({"sku": "A", "quantity": quantity}));
        restock.settle();
        assert_eq!(restock.mailed_in_order_of_names(), names[..mailed], "{quantity}");
    }
}

#[test]
fn whoever_cannot_be_mailed_gives_the_place_to_the_next() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("refuse"), "A", "sv-SE", None);
    let names = restock.line("A", 3);
    restock.put("/waves", &json!({"perUnit": 1}));

    restock.level(json!({"sku": "A", "quantity": 2}));
    restock.settle();

    assert_eq!(restock.mailed_in_order_of_names(), names[..2]);
}

#[test]
fn a_person_takes_one_place_however_far_apart_their_subscriptions_are() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let keen = restock.contact("keen");
    restock.subscribe(&keen, "A", "sv-SE", None);
    let names = restock.line("A", 40);
    restock.subscribe(&keen, "A", "sv-SE", Some("dress"));
    let refused = json!({"field": "externalId", "operator": "notEquals", "value": "hat"});
    restock.automation("default", &json!({"name": "All but hats", "conditions": [refused]}));
    restock.subscribe(&keen, "A", "sv-SE", Some("hat"));
    restock.put("/waves", &json!({"perUnit": 1}));

    restock.level(json!({"sku": "A", "quantity": 1}));
    let waits: Vec<_> = restock.subscriptions(&keen).iter().map(|one| one["externalId"].clone()).collect();
    restock.level(json!({"sku": "A", "quantity": 2}));

    assert_eq!(restock.mailed_in_order_of_names(), ["keen", &names[0]]);
    assert_eq!(waits, ["hat"], "whom the conditions refuse stays");
}

#[test]
fn an_automation_may_have_waves_of_its_own_and_other_mails_take_places_too() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let club = restock.post("/contacts", &json!({"email": "club@example.com", "attributes": {"club": true}})).json();
    restock.subscribe(club["id"].as_str().unwrap(), "A", "sv-SE", None);
    let condition = json!({"field": "contact.attributes.club", "operator": "notEquals", "value": true});
    let others = json!({"name": "Others", "conditions": [condition], "priority": 1, "waves": {"perUnit": 1, "interval": "PT1H"}});
    let stored = restock.automation("others", &others);
    assert_eq!(stored["waves"]["interval"], "PT1H", "{stored}");

    restock.level(json!({"sku": "A", "quantity": 2}));
    restock.settle();
    assert_eq!(restock.mailed(), ["club"]);
    let names = restock.line("A", 3);
    restock.level(json!({"sku": "A", "quantity": 2}));
    restock.settle();

    assert_eq!(restock.mailed_in_order_of_names(), ["club", &names[0]]);
}

#[test]
fn a_mail_that_was_throttled_and_then_not_wanted_any_more_takes_no_place() {
    let restock = Restock::start();
    let skus = ["A", "B", "C", "D", "E", "F"];
    restock.feed("sv-SE", &skus);
    let condition = json!({"field": "contact.attributes.club", "operator": "notEquals", "value": true});
    let others = json!({"name": "Others", "conditions": [condition], "priority": 1, "waves": {"perUnit": 1, "interval": "PT1H"}});
    restock.automation("others", &others);
    // Who is throttled may be mailed before they are gone; then it is tried once more, with another SKU.
    let sku = skus.iter().find(|sku| {
        let email = format!("throttle+{sku}@example.com");
        let club = restock.post("/contacts", &json!({"email": email, "attributes": {"club": true}})).json();
        let subscription = restock.subscribe(club["id"].as_str().unwrap(), sku, "sv-SE", None);
        let said = restock.said("Put off");
        restock.put("/inventory/stock-levels", &json!({"sku": sku, "quantity": 1}));
        eventually(|| (restock.said("Put off") > said).then_some(()));
        restock.delete(&format!("/inventory/backinstock/subscriptions/{}", subscription["id"].as_str().unwrap()));
        restock.settle();
        !restock.mailed().contains(&format!("throttle+{sku}"))
    });

    let sku = sku.expect("somebody is gone before their second try");
    let names = restock.line(sku, 1);
    restock.level(json!({"sku": sku, "quantity": 1}));
    restock.settle();

    assert!(restock.mailed().contains(&names[0]), "{:?}", restock.mailed());
}

#[test]
fn whoever_waited_by_a_policy_of_their_own_is_not_overtaken_once_they_wait_by_that_of_the_shop() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let club = ["club1", "club2"].map(str::to_owned);
    for name in &club {
        let body = json!({"email": format!("{name}@example.com"), "attributes": {"club": true}});
        let contact = restock.post("/contacts", &body).json();
        restock.subscribe(contact["id"].as_str().unwrap(), "A", "sv-SE", None);
    }
    let names = restock.line("A", 4);
    let condition = json!({"field": "contact.attributes.club", "operator": "equals", "value": true});
    let own = json!({"name": "Club", "conditions": [condition], "priority": 1});
    let with = |waves: Value| {
        let mut own = own.clone();
        own["waves"] = waves;
        own
    };
    restock.automation("club", &with(json!({"perUnit": 1, "minimum": 100})));
    restock.automation("others", &json!({"name": "Others"}));
    restock.put("/waves", &json!({"perUnit": 1, "interval": "PT4S"}));

    restock.level(json!({"sku": "A", "quantity": 1}));
    restock.settle();
    assert_eq!(restock.mailed(), names[..1]);

    restock.automation("club", &own);
    restock.tick_until(3);

    assert_eq!(restock.mailed_in_order_of_names(), [&club[..], &names[..1]].concat());
}

#[test]
fn a_line_whose_places_others_took_is_not_forgotten_once_those_have_all_left() {
    let restock = Restock::start_with_second_look_after("800");
    restock.feed("sv-SE", &["A"]);
    let contacts = restock.sides([("one", "PT4S"), ("other", "PT4S")]);
    contacts.iter().for_each(|contact| drop(restock.subscribe(contact, "A", "sv-SE", None)));

    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    // Not by the second look, which would find them after all.
    eventually(|| (restock.mailed().len() == 2).then_some(()));
}

#[test]
fn whoever_may_leave_after_a_short_interval_does_not_wait_for_the_long_one_of_another_line() {
    // Which line comes first is left to chance for each.
    let skus = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let restock = Restock::start_with_second_look_after("800");
    restock.feed("sv-SE", &skus);
    let contacts = restock.sides([("long", "PT1H"), ("short", "PT4S")]);
    for sku in skus {
        contacts.iter().for_each(|contact| drop(restock.subscribe(contact, sku, "sv-SE", None)));
        restock.put("/inventory/stock-levels", &json!({"sku": sku, "quantity": 1}));
    }

    eventually(|| {
        let short = restock.mailed().into_iter().filter(|name| name == "short").count();
        (short == skus.len()).then_some(())
    });
}

#[test]
fn a_policy_is_stored_shown_and_deleted_with_versions() {
    let restock = Restock::start();
    assert_problem(&restock.get("/waves"), 404, "WavesNotFound");

    let night = json!({"from": "22:00", "to": "07:00", "zone": "Europe/Stockholm"});
    let stored = restock.put("/waves", &json!({"perUnit": 2.5, "holdDown": "P1D", "quietHours": night}));
    let shown = restock.get("/waves");

    assert_eq!((stored.status, stored.headers["etag"].as_str()), (200, "\"1\""), "{}", stored.text);
    assert_eq!(stored.json(), shown.json());
    let expected = json!({
        "perUnit": 2.5, "interval": "PT1H", "minimum": 1, "holdDown": "PT24H", "trigger": "level", "quietHours": night,
        "version": 1, "updatedOn": shown.json()["updatedOn"],
    });
    assert_eq!(shown.json(), expected);
    let back = restock.put("/waves", &shown.json());
    assert_eq!((back.status, &back.json()["version"]), (200, &json!(2)), "what is shown may be sent back");
    let stale = restock.api.header("if-match", "\"1\"").send("PUT", "/waves", b"{\"perUnit\": 1}");
    assert_eq!(stale.unwrap().status, 412);
    assert_eq!([restock.delete("/waves").status, restock.delete("/waves").status], [200, 404]);
    assert_eq!(restock.put("/waves", &json!({"perUnit": 1})).json()["version"], 4);
}

#[test]
fn what_is_wrong_with_a_policy_is_said_for_the_shop_and_for_an_automation() {
    let restock = Restock::start();
    let wrong =
        json!({"perUnit": 0, "interval": "PT8D", "quietHours": {"from": "22:00", "to": "7", "zone": "Stockholm"}});
    let named = |answer: &Answer, prefix: &str| {
        let mut pointers: Vec<String> = field_errors(answer).into_iter().map(|(pointer, _)| pointer).collect();
        pointers.sort();
        pointers.iter().map(|pointer| pointer.strip_prefix(prefix).unwrap_or(pointer).to_owned()).collect::<Vec<_>>()
    };

    let shop = restock.put("/waves", &wrong);
    let automation = restock.put("/automations/club", &json!({"name": "Club", "waves": wrong}));

    let pointers = ["/interval", "/perUnit", "/quietHours/to", "/quietHours/zone"];
    assert_eq!(named(&shop, ""), pointers);
    assert_eq!(named(&automation, "/waves"), pointers);
    assert_eq!(field_errors(&restock.put("/waves", &json!({}))), [(String::new(), "Required".to_owned())]);
}

#[test]
fn a_mail_answers_what_the_same_person_waits_for_by_another_automation() {
    let policy = json!({"perUnit": 1, "interval": "PT1H"});
    // The German mail leaves through a line of its own, and at once.
    for (shop, others, german) in
        [(Some(&policy), Value::Null, json!({"minimum": 1})), (None, policy.clone(), Value::Null)]
    {
        let restock = Restock::start();
        ["sv-SE", "de-DE"].iter().for_each(|locale| restock.feed(locale, &["A"]));
        shop.iter().for_each(|policy| drop(restock.put("/waves", policy)));
        restock.automation("default", &json!({"name": "Others", "waves": others}));
        let condition = json!([{"field": "locale", "operator": "equals", "value": "de-DE"}]);
        let german = json!({"name": "German", "priority": 1, "conditions": condition, "waves": german});
        restock.automation("german", &german);
        restock.subscribe(&restock.contact("oldest"), "A", "sv-SE", None);
        let both = restock.contact("both");
        ["sv-SE", "de-DE"].iter().for_each(|locale| drop(restock.subscribe(&both, "A", locale, None)));

        restock.level(json!({"sku": "A", "quantity": 1}));

        eventually(|| restock.mailed().contains(&"both".to_owned()).then_some(()));
        restock.settle();
        let left = restock.get(&format!("/contacts/{both}/backinstock/subscriptions")).json();
        assert_eq!(left, json!([]), "one mail answers both");
        assert_eq!(restock.mailed().iter().filter(|name| *name == "both").count(), 1);
    }
}
