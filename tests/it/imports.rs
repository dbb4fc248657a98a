//! Contacts and purchases as JSON lines.

use crate::api::{assert_problem, line_errors};
use crate::restock::Restock;
use restock_local::client::Answer;
use serde_json::{Value, json};

impl Restock {
    fn upload(&self, path: &str, lines: &[String]) -> Answer {
        let api = self.api.header("content-type", "application/x-ndjson");
        api.send("POST", path, lines.join("\n").as_bytes()).expect("an answer")
    }

    fn contact_of(&self, email: &str) -> Value {
        let id = self.get(&format!("/contacts/id?email={email}")).json()["id"].as_str().expect("an id").to_owned();
        self.get(&format!("/contacts/{id}")).json()
    }
}

fn counts(report: &Value) -> [u64; 5] {
    ["lines", "created", "updated", "unchanged", "rejected"].map(|name| report[name].as_u64().expect("a count"))
}

#[test]
fn contacts_are_created_changed_and_bad_lines_reported() {
    let restock = Restock::start();
    restock.post("/contacts", &json!({"email": "known@example.com", "firstName": "K", "attributes": {"a": 1}}));
    let lines = [
        "\u{feff}".to_owned() + &json!({"email": "new@example.com", "attributes": {"club": "gold"}}).to_string(),
        json!({"email": "KNOWN@example.com", "attributes": {"b": 2}}).to_string() + "\r",
        String::new(),
        "{broken".to_owned(),
        json!({"email": "nobody"}).to_string(),
        json!({"email": "new@example.com", "firstName": "Nina"}).to_string(),
        json!({"email": "other@example.com", "countryCode": "Sweden", "language": 5}).to_string(),
        "[]".to_owned(),
    ];

    let answer = restock.upload("/contacts/imports", &lines);
    let again = restock.upload("/contacts/imports", &lines[..3]);

    assert_eq!(answer.status, 200, "{}", answer.text);
    let report = answer.json();
    assert_eq!(counts(&report), [7, 1, 2, 0, 4]);
    assert_eq!(line_errors(&report), [(4, "MalformedJson"), (5, "InvalidEmail"), (7, "WrongType"), (8, "NotAnObject")]);
    let (new, known) = (restock.contact_of("new@example.com"), restock.contact_of("known@example.com"));
    assert_eq!((&new["firstName"], &new["attributes"]), (&json!("Nina"), &json!({"club": "gold"})));
    assert_eq!((&known["firstName"], &known["attributes"]), (&json!("K"), &json!({"a": 1, "b": 2})));
    assert_eq!(counts(&again.json()), [2, 0, 0, 2, 0]);
}

#[test]
fn an_import_never_lifts_an_unsubscription() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    let store = restock.store();
    let id = restock_domain::ContactId::parse(&contact).unwrap();
    restock.runtime.block_on(store.suppress(id, restock_domain::Suppression::Unsubscribed)).unwrap();

    let line = json!({"email": "a@example.com", "acceptsEmail": true}).to_string();
    restock.upload("/contacts/imports", &[line]);

    let contact = restock.contact_of("a@example.com");
    assert_eq!((&contact["acceptsEmail"], &contact["suppressed"]), (&json!(true), &json!("unsubscribed")));
}

#[test]
fn purchases_are_recorded_once_and_bad_lines_reported() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    let line = |buyer: Value, receipt: &str| {
        let mut line = json!({"receiptId": receipt, "purchasedOn": "2026-11-01T00:00:00Z", "items": [{"sku": "A"}]});
        line.as_object_mut().unwrap().extend(buyer.as_object().unwrap().clone());
        line.to_string()
    };
    let lines = [
        line(json!({"contactId": contact}), "R-1"),
        line(json!({"email": "A@example.com"}), "R-2"),
        line(json!({"email": "nobody@example.com"}), "R-3"),
        line(json!({"contactId": "00000000-0000-4000-8000-000000000000"}), "R-4"),
        line(json!({}), "R-5"),
        line(json!({"contactId": contact, "email": "a@example.com"}), "R-6"),
        json!({"contactId": contact, "items": []}).to_string(),
    ];

    let report = restock.upload("/purchases/imports", &lines).json();
    let again = restock.upload("/purchases/imports", &lines[..2]).json();

    assert_eq!(counts(&report), [7, 2, 0, 0, 5]);
    let errors: Vec<&str> =
        report["errors"].as_array().unwrap().iter().map(|error| error["errorCode"].as_str().unwrap()).collect();
    assert_eq!(errors, ["ContactNotFound", "ContactNotFound", "Required", "Ambiguous", "Required"]);
    assert_eq!(counts(&again), [2, 0, 0, 2, 0]);
}

#[test]
fn two_thousand_lines_are_taken_and_more_refused() {
    let restock = Restock::start();
    let lines: Vec<String> = (0..2_001).map(|n| json!({"email": format!("c{n}@example.com")}).to_string()).collect();

    // A busy machine may take several uploads to get through.
    let (mut created, mut out_of_time) = (0, true);
    while out_of_time {
        let report = restock.upload("/contacts/imports", &lines[..2_000]).json();
        let [received, new, ..] = counts(&report);
        assert!(received == 2_000 && new > 0, "{report}");
        created += new;
        let errors = report["errors"].as_array().unwrap();
        assert!(errors.iter().all(|error| error["errorCode"] == "OutOfTime"), "{report}");
        out_of_time = !errors.is_empty();
    }
    let too_many = restock.upload("/contacts/imports", &lines);
    let no_lines = restock.post("/contacts/imports", &json!({"email": "a@example.com"}));
    let empty = restock.upload("/purchases/imports", &[]);

    assert_eq!(created, 2_000);
    assert_problem(&too_many, 413, "PayloadTooLarge");
    assert_problem(&no_lines, 415, "UnsupportedMediaType");
    assert_problem(&empty, 400, "MissingBody");
}
