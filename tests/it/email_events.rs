//! What SES says about mails, by way of addresses that make the local SES behave so.

use crate::restock::{Restock, by_default, eventually, notification_for, rss};
use jiff::Timestamp;
use restock_domain::ContactId;
use restock_domain::delivery::Terms;
use restock_queue::{Message, Notification};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

fn with_subscriber(name: &str) -> (Restock, String) {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let contact = restock.contact(name);
    restock.subscribe(&contact, "A", "sv-SE", None);
    (restock, contact)
}

#[test]
fn a_hard_bounce_stops_mail_to_the_address_also_for_what_it_subscribes_to_later() {
    let (restock, contact) = with_subscriber("bounce");
    restock.level(json!({"sku": "A", "quantity": 1}));

    restock.subscribe(&contact, "B", "sv-SE", None);
    restock.level(json!({"sku": "B", "quantity": 1}));

    assert_eq!(restock.log_entry("A")["mails"], json!({"accepted": 1, "bounced": 1}));
    assert_eq!(restock.log_entry("B")["skipped"], json!({"suppressed": 1}));
    assert_eq!(restock.mailed(), ["bounce"]);
    assert_eq!(restock.get(&format!("/contacts/{contact}")).json()["suppressed"], "bounce");
}

#[test]
fn a_complaint_stops_mail_to_the_address() {
    let (restock, contact) = with_subscriber("complaint");
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.log_entry("A")["mails"], json!({"accepted": 1, "complained": 1, "delivered": 1}));
    assert_eq!(restock.get(&format!("/contacts/{contact}")).json()["suppressed"], "complaint");
}

#[test]
fn a_mail_that_ses_rejects_after_accepting_it_is_told_to_the_log() {
    let (restock, _) = with_subscriber("reject");
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.log_entry("A")["mails"], json!({"accepted": 1, "rejected": 1}));
    assert!(restock.mails().is_empty());
}

#[test]
fn a_mail_that_ses_can_not_make_of_its_template_is_told_to_the_log() {
    let (restock, _) = with_subscriber("unrendered");
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.log_entry("A")["mails"], json!({"accepted": 1, "notRendered": 1}));
    assert_eq!(restock.said("SES could not make a mail of its template"), 1);
    assert!(restock.mails().is_empty());
}

#[test]
fn nobody_stays_without_a_mail_because_of_an_address_for_which_ses_refuses_a_whole_request() {
    let (restock, _) = with_subscriber("malformed");
    for name in ["a", "b"] {
        restock.subscribe(&restock.contact(name), "A", "sv-SE", None);
    }

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed(), ["a", "b"]);
    assert_eq!(restock.log_entry("A")["mails"], json!({"accepted": 2, "delivered": 2, "failed": 1}));
}

#[test]
fn what_looks_like_a_placeholder_in_a_title_or_a_name_is_a_text_in_the_mail() {
    let restock = Restock::start();
    let odd = "{{subject}} {{#if a}}b{{/if}} {{{greeting_html}}} {{";
    let item = format!("<item><g:id>A</g:id><title>{odd}</title><link>https://shop.example/a</link></item>");
    restock.import("sv-SE", "application/xml", rss(&item).as_bytes());
    let contact = restock.post("/contacts", &json!({"email": "a@example.com", "firstName": "{{b}}"}));
    restock.subscribe(contact.json()["id"].as_str().unwrap(), "A", "sv-SE", None);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let mail = &restock.mails()[0];
    for part in ["subject", "html", "text"] {
        assert!(mail[part].as_str().unwrap().contains(odd), "{part}: {mail}");
    }
    assert!(mail["text"].as_str().unwrap().contains("{{b}}"), "{mail}");
}

#[test]
fn a_throttled_mail_is_retried_and_holds_nobody_else_up() {
    let (restock, _) = with_subscriber("throttle");
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed(), ["a", "throttle"]);
    assert_eq!(restock.log_entry("A")["mails"], json!({"accepted": 2, "delivered": 2}));
}

#[test]
fn a_mail_that_never_leaves_holds_up_the_other_subscriptions_of_its_contact_for_some_attempts_only() {
    let (restock, contact) = with_subscriber("a");
    restock.subscribe(&contact, "A", "sv-SE", Some("dress"));
    let all = restock.runtime.block_on(restock.store().subscriptions_of(ContactId::parse(&contact).unwrap())).unwrap();
    let (stuck, other) = (&all[0], &all[1]);
    let (contact_id, delivery) = (json!({"S": contact}), json!({"S": stuck.delivery.to_string()}));
    let record = json!({"contactId": contact_id, "delivery": delivery, "accepted": {"S": "damaged"}});
    restock.dynamodb("PutItem", json!({"TableName": restock.stack.ready.tables["deliveries"], "Item": record}));
    let mut message = notification_for(stuck, "default");
    message.then = vec![Notification { log_entry: message.log_entry.clone(), ..notification_for(other, "default") }];

    restock.send_message("notifications", &Notification { attempt: 10, ..message }.body());

    eventually(|| (restock.mailed() == ["a"]).then_some(()));
}

#[test]
fn an_event_settles_a_delivery_whose_sender_died_before_it_could_record_it() {
    let (restock, contact) = with_subscriber("a");
    let store = restock.store();
    let (id, subscription) = restock.runtime.block_on(async {
        let contact = restock_domain::ContactId::parse(&contact).unwrap();
        let id = store.subscriptions_of(contact).await.unwrap()[0].id();
        let waiting = store.waiting(&[id]).await.unwrap().remove(&id).unwrap();
        let hour = Duration::from_secs(3600);
        let terms = Terms { lease: hour, grace: hour };
        let claim = waiting.standing.claim(Uuid::new_v4(), Timestamp::now(), terms).unwrap();
        store.claim(&waiting, &claim, "2026-11-23T00:00:00.000Z#x", &by_default()).await.unwrap();
        (id, waiting.subscription)
    });

    let tags = json!({"delivery": [subscription.delivery], "subscription": [id.to_string()]});
    let event = json!({"eventType": "Send", "send": {}, "mail": {"messageId": "m", "timestamp": Timestamp::now(), "tags": tags}});
    restock.send_message("email-events", &event.to_string());
    restock.settle();

    assert!(restock.subscriptions(&contact).is_empty());
    assert!(restock.runtime.block_on(store.last_look(&subscription)).unwrap().sent_at.is_some());
    let history = restock.get(&format!("/inventory/backinstock/subscriptions/{id}/history")).json();
    let sent = &history["entries"][0];
    assert_eq!((&sent["event"], &sent["automation"]["id"]), (&json!("sent"), &json!("default")), "as the claim says");
}

#[test]
fn a_malformed_event_ends_in_the_dead_letter_queue() {
    let (restock, _) = with_subscriber("a");

    restock.send_message("email-events", "{}");
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.bodies("email-events-dead-letters", 1), ["{}"]);
    assert_eq!(restock.log_entry("A")["mails"], json!({"accepted": 1, "delivered": 1}));
}
