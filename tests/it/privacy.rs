//! What may be kept of people, and where.

use crate::restock::{Restock, eventually};
use restock_local::faults::Spec;
use serde_json::json;

/// What is told of one person, and must not get out.
const SECRETS: [&str; 5] = ["asa.secret", "Åsa-Secret", "Öberg-Secret", "attribute-secret", "password-secret"];

impl Restock {
    /// Subscribes somebody who is easily found again, and returns the contact's id.
    fn secret_person(&self) -> String {
        let body = json!({
            "email": "asa.secret@example.com", "firstName": "Åsa-Secret", "lastName": "Öberg-Secret",
            "attributes": {"club": "attribute-secret"},
        });
        let id = eventually(|| self.post("/contacts", &body).json()["id"].as_str().map(ToOwned::to_owned));
        let subscribe = json!({"contactId": id, "sku": "A", "locale": "sv-SE"});
        eventually(|| (self.post("/inventory/backinstock/subscriptions", &subscribe).status == 201).then_some(()));
        id
    }

    /// Returns all items of a table as a text.
    fn items_of(&self, table: &str) -> String {
        self.dynamodb("Scan", json!({"TableName": table}))["Items"].to_string()
    }
}

#[test]
fn no_log_has_an_address_a_name_an_attribute_a_password_a_key_or_a_token_of_a_link_whatever_goes_wrong() {
    let faults = Spec { seed: 7, throttle: 0.1, error: 0.1, error_after: 0.05, lost: 0.05, ..Spec::default() };
    let restock = Restock::start_with_faults(faults, &[]);
    let observer = restock.stack.observer().unwrap().clone();
    observer.faults.pause(true);
    restock.feed("sv-SE", &["A"]);
    let secured = json!({"url": "http://127.0.0.1:1/feed.xml", "user": "shop", "password": "password-secret"});
    assert_eq!(restock.put("/feeds/pl-PL", &secured).status, 200);
    observer.faults.pause(false);

    let id = restock.secret_person();
    eventually(|| {
        (restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1})).status == 202).then_some(())
    });
    eventually(|| (restock.mails().len() == 1).then_some(()));
    restock.api.send("POST", "/feeds/pl-PL/imports", &[]).unwrap();
    restock.patch(&id, &json!({"firstName": 5, "email": "asa.secret"}));
    eventually(|| (restock.delete(&format!("/contacts/{id}")).status < 500).then_some(()));
    restock.settle();

    let link = restock.mails()[0]["headers"]["List-Unsubscribe"].as_str().unwrap().to_owned();
    let token = link.trim_matches(['<', '>']).rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    for secret in SECRETS.into_iter().chain([token.as_str(), restock.stack.ready.api_key.as_str()]) {
        assert_eq!(restock.said(secret), 0, "{secret} is in a log");
    }
    assert!(restock.said("sku") > 0, "something was logged");
}

#[test]
fn nothing_of_an_erased_contact_is_left_in_any_table_or_queue() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let id = restock.secret_person();
    restock.subscribe(&id, "B", "sv-SE", Some("north"));
    restock.post(&format!("/contacts/{id}/purchases"), &json!({"receiptId": "r", "items": [{"sku": "X"}]}));
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mails().len(), 1);
    let tables: Vec<(String, String)> = restock.stack.ready.tables.clone().into_iter().collect();
    assert!(tables.iter().any(|(_, table)| restock.items_of(table).contains("asa.secret")), "it can be found");

    // What is left of it is deleted a minute later; here as soon as the answer is there, and not before.
    restock.stack.let_messages_wait_at_most(0);
    restock.stack.hold("erasures", true).unwrap();
    assert_eq!(restock.delete(&format!("/contacts/{id}")).status, 200);
    restock.stack.hold("erasures", false).unwrap();
    restock.settle_queues(&["erasures"]);
    restock.settle();

    for (name, table) in &tables {
        let items = restock.items_of(table).to_lowercase();
        for secret in SECRETS {
            assert!(!items.contains(&secret.to_lowercase()), "{name} still has {secret}");
        }
        assert!(!items.contains(&id), "{name} still has the contact's id");
    }
    // A second look for what was written meanwhile may still be queued; it names the contact by its id.
    let is_waiting = |queue: &&String| *queue != "erasures" && restock.on_queue(queue) > 0;
    assert_eq!(restock.stack.ready.queues.keys().filter(is_waiting).collect::<Vec<_>>(), Vec::<&String>::new());
}
