//! Moving in: waiting lists of other systems.

use crate::api::{assert_problem, field_errors, line_errors};
use crate::restock::Restock;
use restock_local::client::Answer;
use serde_json::{Value, json};

const PATH: &str = "/inventory/backinstock/subscriptions/imports";

impl Restock {
    pub fn move_in(&self, content_type: &str, list: &str) -> Answer {
        self.api.header("content-type", content_type).send("POST", PATH, list.as_bytes()).expect("an answer")
    }

    /// Moves a table in, and returns how many lines were created, updated, unchanged and rejected.
    fn moved(&self, list: &str) -> [u64; 4] {
        let answer = self.move_in("text/csv", list);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let report = answer.json();
        ["created", "updated", "unchanged", "rejected"].map(|outcome| report[outcome].as_u64().unwrap())
    }

    pub fn moved_contact(&self, name: &str) -> String {
        self.get(&format!("/contacts/id?email={name}@example.com")).json()["id"].as_str().unwrap().to_owned()
    }
}

const LIST: &str = "\
Email;Variant SKU;Language;Created At
cy@example.com;A;sv-SE;2026-03-01 10:00:00 +0100
ann@example.com;A;sv-SE;2026-01-01 10:00:00 +0100
bo@example.com;A;sv-SE;2026-02-01 10:00:00 +0100
";

#[test]
fn whoever_waited_longest_elsewhere_is_the_first_to_be_mailed_here() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1}));
    restock.subscribe(&restock.contact("dan"), "A", "sv-SE", None);

    assert_eq!(restock.moved(LIST), [3, 0, 0, 0]);

    for (quantity, mailed) in [(1, "ann"), (2, "bo"), (3, "cy"), (4, "dan")] {
        restock.level(json!({"sku": "A", "quantity": quantity}));
        let names = ["ann", "bo", "cy", "dan"];
        assert_eq!(restock.mailed(), names[..quantity as usize], "{mailed}");
    }
}

#[test]
fn the_same_list_again_changes_nothing_even_after_mails_and_ends() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.moved(LIST);
    let ended = restock.subscriptions(&restock.moved_contact("cy"))[0]["id"].as_str().unwrap().to_owned();
    restock.delete(&format!("/inventory/backinstock/subscriptions/{ended}"));
    assert_eq!(restock.moved(LIST), [0, 0, 3, 0]);
    restock.level(json!({"sku": "A", "quantity": 9}));
    assert_eq!(restock.mailed(), ["ann", "bo"]);

    assert_eq!(restock.moved(LIST), [0, 0, 3, 0]);
    restock.level(json!({"sku": "A", "quantity": 9}));

    assert_eq!(restock.mailed(), ["ann", "bo"]);
    for name in ["ann", "bo", "cy"] {
        assert_eq!(restock.subscriptions(&restock.moved_contact(name)), Vec::<Value>::new(), "{name}");
    }
}

#[test]
fn a_subscription_that_ended_does_not_come_back_with_the_first_of_two_lists() {
    let restock = Restock::start();
    let list = |month: &str| format!("email,sku,locale,subscribedOn\nann@example.com,A,sv-SE,2026-{month}-01\n");
    assert_eq!(restock.moved(&list("06")), [1, 0, 0, 0]);
    assert_eq!(restock.moved(&list("01")), [0, 1, 0, 0]);
    let ann = restock.moved_contact("ann");
    let id = restock.subscriptions(&ann)[0]["id"].as_str().unwrap().to_owned();
    restock.delete(&format!("/inventory/backinstock/subscriptions/{id}"));

    for month in ["06", "01"] {
        assert_eq!(restock.moved(&list(month)), [0, 0, 1, 0], "{month}");
    }

    assert_eq!(restock.subscriptions(&ann), Vec::<Value>::new());
}

#[test]
fn whoever_was_mailed_or_ended_and_asks_anew_does_not_get_the_old_place_back_with_the_same_list() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1}));
    restock.moved(LIST);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["ann"]);
    let [ann, cy] = ["ann", "cy"].map(|name| restock.moved_contact(name));
    let ended = restock.subscriptions(&cy)[0]["id"].as_str().unwrap().to_owned();
    restock.delete(&format!("/inventory/backinstock/subscriptions/{ended}"));
    for contact in [&ann, &cy] {
        restock.subscribe(contact, "A", "sv-SE", None);
    }

    assert_eq!(restock.moved(LIST), [0, 0, 3, 0]);

    restock.level(json!({"sku": "A", "quantity": 2}));
    assert_eq!(restock.mailed(), ["ann", "bo"]);
}

#[test]
fn whoever_was_mailed_here_after_the_time_on_a_first_list_keeps_the_place_of_the_new_subscription() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let ann = restock.contact("ann");
    restock.subscribe(&ann, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    let made = restock.subscribe(&ann, "A", "sv-SE", None)["createdOn"].clone();

    assert_eq!(restock.moved("email,sku,locale,subscribedOn\nann@example.com,A,sv-SE,2026-01-01\n"), [0, 0, 1, 0]);
    assert_eq!(restock.subscriptions(&ann)[0]["createdOn"], made);
}

#[test]
fn lines_without_a_time_are_in_the_order_of_the_list_and_a_column_that_is_not_read_is_named() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1}));
    let names = ["z", "m", "a", "q", "b", "y"];
    let lines: String = names.iter().map(|name| format!("{name}@example.com,A,sv-SE,2026-01-01\n")).collect();

    let report = restock.move_in("text/csv", &format!("email,sku,locale,Since When\n{lines}")).json();
    restock.level(json!({"sku": "A", "quantity": 3}));

    assert_eq!((&report["created"], &report["ignored"]), (&json!(6), &json!(["Since When"])), "{report}");
    let mut mailed = restock.mailed();
    mailed.sort();
    assert_eq!(mailed, ["a", "m", "z"]);
}

#[test]
fn of_several_times_the_earliest_is_the_place_in_line() {
    let restock = Restock::start();
    let contact = restock.contact("ann");
    restock.subscribe(&contact, "A", "sv-SE", None);

    let list =
        "email,sku,locale,subscribedOn\nann@example.com,A,sv-SE,2026-03-01\nann@example.com,A,sv-SE,2026-01-01\n";
    assert_eq!(restock.moved(list), [0, 1, 1, 0]);

    let subscriptions = restock.subscriptions(&contact);
    assert_eq!((subscriptions.len(), &subscriptions[0]["createdOn"]), (1, &json!("2026-01-01T00:00:00.000Z")));
    let history = restock.get(&format!("/contacts/{contact}/history")).json();
    let text = history["entries"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("The shopper subscribed to A (sv-SE)"), "{text}");
}

#[test]
fn whoever_was_mailed_after_the_time_on_the_list_does_not_wait_again() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("ann");
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    let list = "email,sku,locale,subscribedOn\nann@example.com,A,sv-SE,2026-03-01\n";

    assert_eq!(restock.moved(list), [0, 0, 1, 0]);
    assert_eq!(restock.subscriptions(&contact), Vec::<Value>::new());
}

#[test]
fn a_level_of_before_is_not_for_whoever_moves_in_after_it_and_the_next_one_is() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("first"), "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    restock.moved(LIST);
    // A sweep looks for those who were there before a level.
    restock.send_message("stock-levels", r#"{"v": 1, "type": "sweep", "settledSeconds": 0}"#);
    restock.settle();
    assert_eq!(restock.mailed(), ["first"]);

    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["ann", "bo", "cy", "first"]);
}

#[test]
fn whoever_moved_in_before_a_level_and_was_not_shown_by_the_index_is_found_by_the_sweep() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.stack.hold("stock-levels", true).unwrap();
    restock.moved(LIST);
    // As if the level had been matched at a moment at which the index did not show them.
    let store = restock.store();
    let arrival = restock_domain::Arrival {
        at: jiff::Timestamp::now(),
        id: "level-0".into(),
        source: restock_domain::Source::Queue,
    };
    let level = restock_domain::StockLevel {
        sku: restock_domain::Sku::parse("A").unwrap(),
        scope: restock_domain::Scope::Sku,
        quantity: 3,
        updated_on: None,
        event_id: None,
    };
    restock.runtime.block_on(async {
        let marks = store.in_demand(&std::collections::HashSet::from([level.sku.clone()])).await.unwrap();
        store.put_level(&level, &arrival, &marks[&level.sku]).await.unwrap();
    });
    restock.stack.hold("stock-levels", false).unwrap();

    restock.send_message("stock-levels", r#"{"v": 1, "type": "sweep", "settledSeconds": 0}"#);
    restock.settle();

    assert_eq!(restock.mailed(), ["ann", "bo", "cy"]);
}

#[test]
fn whoever_moves_in_while_a_wave_goes_on_waits_for_the_next_level() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1, "interval": "PT1S"}));
    for name in ["xan", "yve", "zoe"] {
        restock.subscribe(&restock.contact(name), "A", "sv-SE", None);
    }
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["xan"]);

    restock.moved(LIST);
    restock.tick_until(3);
    assert_eq!(restock.mailed(), ["xan", "yve", "zoe"]);

    restock.level(json!({"sku": "A", "quantity": 3}));
    restock.tick_until(6);
    assert_eq!(restock.mailed(), ["ann", "bo", "cy", "xan", "yve", "zoe"]);
}

#[test]
fn a_list_that_had_no_times_may_be_moved_in_again_with_them() {
    let restock = Restock::start();
    assert_eq!(restock.moved("email,sku,locale\nann@example.com,A,sv-SE\n"), [1, 0, 0, 0]);
    assert_eq!(restock.moved("email,sku,locale,date\nann@example.com,A,sv-SE,2026-03-01\n"), [0, 1, 0, 0]);
    assert_eq!(restock.moved("email,sku,locale,date\nann@example.com,A,sv-SE,2026-01-01\n"), [0, 1, 0, 0]);
    let subscriptions = restock.subscriptions(&restock.moved_contact("ann"));
    assert_eq!(subscriptions[0]["createdOn"], "2026-01-01T00:00:00.000Z");
}

#[test]
fn whoever_gets_an_earlier_place_is_noted_for_the_sweep() {
    let restock = Restock::start();
    restock.subscribe(&restock.contact("ann"), "A", "sv-SE", None);

    restock.moved("email,sku,locale,date\nann@example.com,A,sv-SE,2026-01-01\n");

    let waiting = restock.runtime.block_on(restock.store().every_subscription(None, 10)).unwrap().waiting;
    assert!(waiting[0].place_changed_on.is_some_and(|on| on > waiting[0].subscription.here_since()));
}

#[test]
fn contacts_that_are_there_stay_as_they_are_and_bad_lines_are_named() {
    let restock = Restock::start();
    let contact = restock.post("/contacts", &json!({"email": "ann@example.com", "firstName": "Ann"})).json();

    let list = [
        json!({"email": "ANN@example.com", "firstName": "Other", "sku": "A", "locale": "sv-SE"}),
        json!({"email": "bo@example.com", "EMAIL": "bo@example.com", "firstName": "Bo", "lastName": "Ek", "sku": "A", "locale": "sv-SE"}),
        json!({"email": "no", "sku": "A", "locale": "sv-SE"}),
        json!({"email": "cy@example.com", "locale": "sv-SE"}),
        json!({"email": "cy@example.com", "sku": "A"}),
        json!({"email": "cy@example.com", "sku": "A", "locale": "sv-SE", "subscribedOn": "2999-01-01"}),
    ];
    let lines: Vec<String> = list.iter().map(Value::to_string).collect();
    let answer = restock.move_in("application/x-ndjson", &lines.join("\n"));

    let report = answer.json();
    assert_eq!((answer.status, &report["created"], &report["rejected"]), (200, &json!(2), &json!(4)), "{report}");
    assert_eq!(report["ignored"], json!(["email"]), "one that stands twice counts once: {report}");
    assert_eq!(line_errors(&report), [(3, "InvalidEmail"), (4, "Required"), (5, "Required"), (6, "InvalidTimestamp")]);
    assert_eq!(restock.get(&format!("/contacts/{}", contact["id"].as_str().unwrap())).json()["firstName"], "Ann");
    let made = restock.get(&format!("/contacts/{}", restock.moved_contact("bo"))).json();
    assert_eq!((&made["firstName"], &made["lastName"]), (&json!("Bo"), &json!("Ek")));
}

#[test]
fn a_list_without_a_locale_takes_the_one_of_the_query_and_one_that_is_no_list_is_refused() {
    let restock = Restock::start();
    let list = "email,sku\nann@example.com,A\n";
    let send = |path: &str, content_type: &str, list: &str| {
        restock.api.header("content-type", content_type).send("POST", path, list.as_bytes()).unwrap()
    };

    assert_eq!(send(&format!("{PATH}?locale=de-DE"), "text/csv", list).json()["created"], 1);
    assert_eq!(restock.subscriptions(&restock.moved_contact("ann"))[0]["locale"], "de-DE");
    assert_eq!(field_errors(&send(&format!("{PATH}?locale=x!"), "text/csv", list))[0].0, "/locale");
    assert_problem(&send(PATH, "application/json", "[]"), 415, "UnsupportedMediaType");
    assert_problem(&send(PATH, "text/csv", "a,b\n1,2\n"), 400, "Required");
    for scope in ["write-subscriptions", "write-contacts"] {
        let shop = restock.with_key(scope, &[scope]).header("content-type", "text/csv");
        assert_problem(&shop.send("POST", PATH, list.as_bytes()).unwrap(), 403, "MissingScope");
    }
}
