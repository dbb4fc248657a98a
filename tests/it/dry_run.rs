//! What a level would do, without doing it.

use crate::api::{assert_problem, errors, field_errors};
use crate::restock::Restock;
use serde_json::{Value, json};

impl Restock {
    fn dry_run(&self, level: &Value) -> Value {
        let answer = self.post("/inventory/stock-levels/dry-run", level);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

/// Makes one shopper for each outcome.
fn with_a_mixed_crowd() -> Restock {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let club = json!([{"field": "contact.attributes.club", "operator": "exists"}]);
    restock.automation("club", &json!({"name": "Club", "priority": 1, "conditions": club}));
    let few = json!([{"field": "quantity", "operator": "less", "value": 50}]);
    restock.automation("default", &json!({"name": "Everybody", "conditions": few}));
    let of = |name: &str, more: Value, locale: &str| {
        let mut body = json!({"email": format!("{name}@example.com")});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let contact = restock.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();
        restock.subscribe(&contact, "A", locale, None);
    };
    of("member", json!({"attributes": {"club": "gold"}}), "sv-SE");
    of("other", json!({}), "sv-SE");
    of("unwilling", json!({"acceptsEmail": false}), "sv-SE");
    of("pole", json!({}), "pl-PL");
    restock
}

#[test]
fn a_dry_run_says_what_would_happen_and_why_and_the_level_then_does_just_that() {
    let restock = with_a_mixed_crowd();
    let level = json!({"sku": "A", "quantity": 5});

    let said = restock.dry_run(&level);
    restock.level(level);

    let entry = restock.log_entry("A");
    for member in ["matched", "skipped", "automations"] {
        assert_eq!(said[member], entry[member], "{member}");
    }
    assert_eq!((&said["effect"], &said["complete"], &said["matched"]), (&json!("matches"), &json!(true), &json!(4)));
    assert_eq!(said["skipped"], json!({"noConsent": 1, "noFeed": 1}));
    assert_eq!(Restock::sent(&said), json!({"club": 1, "default": 1}));
    assert_eq!(restock.mailed(), ["member", "other"]);
}

#[test]
fn a_dry_run_says_what_stops_the_mails() {
    let restock = with_a_mixed_crowd();
    let stopped = || restock.dry_run(&json!({"sku": "A", "quantity": 5}))["stoppedBy"].clone();
    assert_eq!(stopped(), Value::Null);

    restock.put("/sending/pause", &json!({}));
    assert_eq!(stopped(), "pause");
    restock.put("/inventory/backinstock/holds", &json!({"sku": "A"}));
    assert_eq!(stopped(), "hold");
    restock.delete("/sending/pause");
    assert_eq!(stopped(), "hold");
    restock.delete("/inventory/backinstock/holds?sku=A");
    assert_eq!(stopped(), Value::Null);
}

#[test]
fn an_example_names_the_conditions_that_refused_it() {
    let restock = with_a_mixed_crowd();

    let said = restock.dry_run(&json!({"sku": "A", "quantity": 70, "locale": "sv-SE"}));

    let examples = said["examples"].as_array().unwrap();
    let outcomes: Vec<&Value> = examples.iter().map(|example| &example["outcome"]).collect();
    assert_eq!(outcomes, ["sent", "noAutomation", "noAutomation"]);
    assert_eq!(examples[0]["automation"], "club");
    assert_eq!(examples[0]["subscription"]["sku"], "A");
    let club = json!({"pointer": "/conditions/0", "condition": "contact.attributes.club is there"});
    let few = json!({"pointer": "/conditions/0", "condition": "quantity is less than 50"});
    assert_eq!(
        examples[2]["refusals"],
        json!([
            {"id": "club", "version": 1, "noConsent": true, "conditions": [club]},
            {"id": "default", "version": 1, "noConsent": true, "conditions": [few]},
        ])
    );
}

#[test]
fn a_dry_run_changes_nothing() {
    let restock = with_a_mixed_crowd();
    let items = || {
        let scan = |table: &String| restock.dynamodb("Scan", json!({"TableName": table}))["Items"].clone();
        let all = restock.stack.ready.tables.values().map(scan).flat_map(|items| items.as_array().unwrap().clone());
        // That the key was used is noted, whatever it is used for.
        all.filter(|item| item["kind"]["S"] != "api-key-use").collect::<Vec<_>>()
    };
    let before = items();

    restock.dry_run(&json!({"sku": "A", "quantity": 5}));
    restock.dry_run(&json!({"sku": "B", "quantity": 5}));

    assert_eq!(items(), before);
    assert_eq!((restock.on_queue("stock-levels"), restock.mails().len()), (0, 0));
}

#[test]
fn a_level_that_does_nothing_says_why() {
    let restock = with_a_mixed_crowd();
    let effect = |level: Value| restock.dry_run(&level)["effect"].clone();
    restock.level(json!({"sku": "A", "quantity": 0}));

    assert_eq!(effect(json!({"sku": "B", "quantity": 5})), "nobodyWaits");
    assert_eq!(effect(json!({"sku": "A", "quantity": 5, "externalId": "X"})), "nobodyWaits");
    assert_eq!(effect(json!({"sku": "A", "quantity": -1})), "notInStock");
    assert_eq!(effect(json!({"sku": "A", "quantity": 5, "updatedOn": "2026-01-01T00:00:00Z"})), "outdated");
    restock.level(json!({"sku": "A", "quantity": 0, "eventId": "delivery-1"}));
    assert_eq!(effect(json!({"sku": "A", "quantity": 5, "eventId": "delivery-1"})), "repeated");
    assert_eq!(effect(json!({"sku": "A", "quantity": 5, "eventId": "delivery-2"})), "matches");
    let wrong = restock.post("/inventory/stock-levels/dry-run", &json!({"sku": "A", "quantity": "5"}));
    assert_eq!(field_errors(&wrong), errors(&[("/quantity", "WrongType")]));
}

#[test]
fn who_is_left_out_and_why_is_told_to_keys_that_may_read_contacts_only() {
    let restock = with_a_mixed_crowd();
    let contact = restock.contact("asked-about");
    let shop = restock.with_key("erp", &["read-log"]);
    let path = "/inventory/stock-levels/dry-run";
    let level = json!({"sku": "A", "quantity": 5});

    let said = shop.json("POST", path, &level).unwrap().json();
    let of_contact = shop.json("POST", &format!("{path}?contactId={contact}"), &level).unwrap();

    assert_eq!((&said["matched"], &said["examples"]), (&json!(4), &json!([])), "{said}");
    assert_problem(&of_contact, 403, "MissingScope");
}

#[test]
fn a_dry_run_goes_by_who_has_waited_longest_whatever_the_locale() {
    let restock = Restock::start();
    ["sv-SE", "da-DK"].iter().for_each(|locale| restock.feed(locale, &["A"]));
    for (name, locale) in [("first", "sv-SE"), ("second", "da-DK"), ("third", "sv-SE"), ("fourth", "da-DK")] {
        restock.subscribe(&restock.contact(name), "A", locale, None);
    }

    let said = restock.dry_run(&json!({"sku": "A", "quantity": 5}));

    let examples = said["examples"].as_array().unwrap().iter();
    let locales: Vec<&str> = examples.map(|one| one["subscription"]["locale"].as_str().unwrap()).collect();
    assert_eq!(locales, ["sv-SE", "da-DK", "sv-SE", "da-DK"]);
}

#[test]
fn a_dry_run_counts_everybody_and_shows_a_hundred() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 450);

    let said = restock.dry_run(&json!({"sku": "A", "quantity": 5}));

    assert_eq!((&said["matched"], Restock::sent(&said)), (&json!(450), json!({"default": 450})));
    assert_eq!(said["examples"].as_array().unwrap().len(), 100);
}

#[test]
fn a_dry_run_tells_the_waves_to_come_and_who_is_at_which_place() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.feed("pl-PL", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1, "interval": "PT1H"}));
    for (n, locale) in ["sv-SE", "pl-PL", "sv-SE", "pl-PL", "sv-SE"].into_iter().enumerate() {
        restock.subscribe(&restock.contact(&format!("shopper{n}")), "A", locale, None);
    }

    let said = restock.dry_run(&json!({"sku": "A", "quantity": 2}));

    let [wave] = said["waves"].as_array().unwrap().as_slice() else { panic!("{said}") };
    assert_eq!((&wave["leaveNow"], &wave["wait"]), (&json!(2), &json!(3)), "{wave}");
    let moment = |name: &str| wave[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let apart = moment("lastOn").duration_since(moment("nextOn")).as_secs();
    assert!((3_600..3_610).contains(&apart), "{wave}");
    let mut places: Vec<(i64, &str)> = said["examples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|example| (example["place"].as_i64().unwrap(), example["subscription"]["locale"].as_str().unwrap()))
        .collect();
    places.sort_unstable();
    assert_eq!(places, [(1, "sv-SE"), (2, "pl-PL"), (3, "sv-SE"), (4, "pl-PL"), (5, "sv-SE")]);

    restock.put("/waves", &json!({"perUnit": 1, "minimum": 3}));
    let said = restock.dry_run(&json!({"sku": "A", "quantity": 2}));
    assert_eq!(said["waves"], json!([{"leaveNow": 0, "wait": 0}]), "nobody is mailed at this stock");
    assert_eq!((&said["skipped"], &said["matched"]), (&json!({"belowMinimum": 5}), &json!(5)));
    restock.delete("/waves");
    assert!(restock.dry_run(&json!({"sku": "A", "quantity": 2}))["waves"].is_null());
}

#[test]
fn a_dry_run_counts_a_person_once_and_the_mails_that_no_wave_holds_up() {
    let restock = Restock::start();
    ["sv-SE", "pl-PL"].iter().for_each(|locale| restock.feed(locale, &["A"]));
    let swedes = json!([{"field": "locale", "operator": "equals", "value": "sv-SE"}]);
    restock.automation("swedes", &json!({"name": "Swedes", "priority": 1, "conditions": swedes}));
    restock.automation("default", &json!({"name": "Others", "waves": {"perUnit": 1, "interval": "PT1H"}}));
    let (both, swede) = (restock.contact("both"), restock.contact("swede"));
    for contact in [&both, &swede] {
        restock.subscribe(contact, "A", "sv-SE", None);
    }
    restock.subscribe(&both, "A", "pl-PL", None);
    for name in ["one", "two"] {
        restock.subscribe(&restock.contact(name), "A", "pl-PL", None);
    }

    let said = restock.dry_run(&json!({"sku": "A", "quantity": 3}));

    let [wave] = said["waves"].as_array().unwrap().as_slice() else { panic!("{said}") };
    assert_eq!((&wave["leaveNow"], &wave["wait"]), (&json!(1), &json!(1)), "{said}");
}

#[test]
fn somebody_who_waits_in_two_lines_is_counted_in_the_one_where_they_come_first() {
    let restock = Restock::start();
    ["sv-SE", "pl-PL"].iter().for_each(|locale| restock.feed(locale, &["A"]));
    let swedes = json!([{"field": "locale", "operator": "equals", "value": "sv-SE"}]);
    let waves = json!({"perUnit": 1, "interval": "PT1H"});
    restock.automation("swedes", &json!({"name": "S", "priority": 1, "conditions": swedes, "waves": waves}));
    restock.automation("default", &json!({"name": "Others", "waves": waves}));
    let both = restock.contact("both");
    for locale in ["pl-PL", "sv-SE"] {
        restock.subscribe(&both, "A", locale, None);
    }
    restock.subscribe(&restock.contact("swede"), "A", "sv-SE", None);

    let said = restock.dry_run(&json!({"sku": "A", "quantity": 5}));

    let mut numbers: Vec<_> = said["waves"].as_array().unwrap().iter().map(|wave| &wave["leaveNow"]).collect();
    numbers.sort_by_key(|number| number.as_u64());
    assert_eq!(numbers, [&json!(1), &json!(1)], "{said}");
    assert_eq!(said["cost"]["mails"], 2);
}

#[test]
fn whoever_an_automation_without_waves_mails_is_foretold_by_none_and_counts_for_the_waves_of_others() {
    let restock = Restock::start();
    ["sv-SE", "pl-PL"].iter().for_each(|locale| restock.feed(locale, &["A"]));
    let swedes = json!([{"field": "locale", "operator": "equals", "value": "sv-SE"}]);
    let own = json!({"name": "S", "priority": 1, "conditions": swedes, "waves": {"minimum": 1}});
    restock.automation("swedes", &own);
    restock.automation("default", &json!({"name": "Others", "waves": {"perUnit": 1, "interval": "PT1H"}}));
    let both = restock.contact("both");
    for locale in ["pl-PL", "sv-SE"] {
        restock.subscribe(&both, "A", locale, None);
    }
    for name in ["first", "second", "third"] {
        restock.subscribe(&restock.contact(name), "A", "pl-PL", None);
    }

    let said = restock.dry_run(&json!({"sku": "A", "quantity": 3}));

    // Three places, of which one goes to whoever waits in Swedish too.
    let numbers = |key: &str| -> Vec<u64> {
        let mut numbers: Vec<u64> =
            said["waves"].as_array().unwrap().iter().map(|wave| wave[key].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!((numbers("leaveNow"), numbers("wait")), (vec![1, 2], vec![0, 1]), "{said}");
}

#[test]
fn a_contact_that_is_asked_about_comes_first_and_the_cost_is_told() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 150);
    let last = restock.contact("last");
    restock.subscribe(&last, "A", "sv-SE", None);
    restock.subscribe(&last, "A", "sv-SE", Some("x"));
    let dry_run = |query: &str| {
        let answer =
            restock.post(&format!("/inventory/stock-levels/dry-run{query}"), &json!({"sku": "A", "quantity": 5}));
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    };
    let names = |run: &Value| -> Vec<String> {
        let examples = run["examples"].as_array().unwrap().iter();
        examples.map(|example| example["subscription"]["contactId"].as_str().unwrap().to_owned()).collect()
    };

    assert!(!names(&dry_run("")).contains(&last));
    let asked = dry_run(&format!("?contactId={last}"));
    assert_eq!((&names(&asked)[..2], names(&asked).len()), ([last.clone(), last.clone()].as_slice(), 102));
    assert_eq!(asked["examples"][0]["outcome"], "sent");
    // 151 people, of whom one has two subscriptions, at 0.00010582 dollars.
    assert_eq!(asked["cost"], json!({"mails": 151, "usDollars": "0.0160"}));
    let unknown = format!("/inventory/stock-levels/dry-run?contactId={}", uuid::Uuid::new_v4());
    assert_problem(&restock.post(&unknown, &json!({"sku": "A", "quantity": 5})), 404, "ContactNotFound");
    let wrong = restock.post("/inventory/stock-levels/dry-run?contactId=x", &json!({"sku": "A", "quantity": 5}));
    assert_eq!(field_errors(&wrong), errors(&[("/contactId", "InvalidContactId")]));
}
