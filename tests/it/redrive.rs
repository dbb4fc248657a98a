//! What `docs/operations.md` says about dead-letter queues: what was given up comes back by one command, and does no
//! harm.

use crate::restock::{Restock, eventually, notification};
use jiff::Timestamp;
use restock_domain::{ContactId, Locale, Subscription};
use restock_local::faults::Spec;
use restock_queue::{FeedImport, FeedSource};
use serde_json::{Value, json};

const QUEUES: [&str; 4] = ["stock-levels", "notifications", "email-events", "feed-imports"];

#[test]
fn what_was_given_up_in_an_outage_is_done_once_after_each_queue_is_redriven() {
    let restock = Restock::start_as(|options| options.faults = Some(Spec { kill: 1.0, ..Spec::default() }));
    let faults = &restock.stack.observer().unwrap().faults;
    faults.pause(true);
    restock.feed("sv-SE", &["A", "B"]);
    let (a, b, c) = (restock.contact("a"), restock.contact("b"), restock.contact("c"));
    restock.subscribe(&a, "A", "sv-SE", None);
    restock.subscribe(&b, "B", "sv-SE", None);
    restock.subscribe(&c, "B", "pl-PL", None);

    // Every function dies at its first request, so messages come back after a second and are soon given up.
    faults.pause(false);
    restock.stack.hide_messages_for(1);
    restock.send_message("stock-levels", r#"{"sku":"A","quantity":1}"#);
    restock.send_message("notifications", &notification(&subscription(&restock, &b), "default"));
    restock.send_message("email-events", &bounce(&restock, &c));
    restock.send_import(&import(&restock));
    eventually(|| QUEUES.iter().all(|queue| restock.on_queue(&dead_letters(queue)) == 1).then_some(()));
    assert!(restock.mails().is_empty());

    faults.pause(true);
    restock.stack.hide_messages_for(360);
    for queue in QUEUES {
        restock.redrive(&dead_letters(queue));
        restock.settle();
    }

    assert!(QUEUES.iter().all(|queue| restock.on_queue(&dead_letters(queue)) == 0));
    assert_eq!(restock.mailed(), ["a", "b"]);
    assert_eq!(restock.get(&format!("/contacts/{c}")).json()["suppressed"], "bounce");
    assert_eq!(restock.get("/feeds/pl-PL").json()["lastImport"]["imported"], 1);
}

fn dead_letters(queue: &str) -> String {
    format!("{queue}-dead-letters")
}

fn subscription(restock: &Restock, contact: &str) -> Subscription {
    let store = restock.store();
    let contact_id = ContactId::parse(contact).unwrap();
    restock.runtime.block_on(store.subscriptions_of(contact_id)).unwrap().remove(0)
}

fn bounce(restock: &Restock, contact: &str) -> String {
    let subscription = subscription(restock, contact);
    let tags: Value = json!({"delivery": [subscription.delivery], "subscription": [subscription.id().to_string()]});
    let mail = json!({"messageId": "m", "timestamp": Timestamp::now(), "tags": tags});
    json!({"eventType": "Bounce", "bounce": {"bounceType": "Permanent"}, "mail": mail}).to_string()
}

/// Returns a queued import of a feed with one product.
fn import(restock: &Restock) -> FeedImport {
    let store = restock.store();
    let file = crate::restock::rss(&crate::restock::item("A", ""));
    let put = store.put_upload("upload", "application/xml", file.as_bytes(), Timestamp::now());
    restock.runtime.block_on(put).unwrap();
    FeedImport {
        locale: Locale::parse("pl-PL").unwrap(),
        import_id: "upload".into(),
        started_at: Timestamp::now(),
        source: FeedSource::Upload,
        allow_shrink: false,
        scheduled: false,
    }
}
