//! Changing contacts, and recording what they bought.

use crate::api::{assert_problem, errors, field_errors};
use crate::restock::Restock;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_domain::{ContactId, DeliveryId, Locale, Sku, Subscription};
use restock_local::client::Answer;
use restock_local::client::Client;
use restock_queue::{Erasure, Message};
use serde_json::{Value, json};

impl Restock {
    pub fn patch(&self, contact: &str, body: &Value) -> Answer {
        self.api.json("PATCH", &format!("/contacts/{contact}"), body).expect("an answer")
    }
}

#[test]
fn a_patch_changes_what_it_names_and_leaves_the_rest() {
    let restock = Restock::start();
    let body = json!({"email": "a@example.com", "firstName": "Anna", "attributes": {"club": "gold", "points": 5}});
    let contact = restock.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();

    let patched = restock
        .patch(&contact, &json!({"lastName": "Berg", "firstName": null, "attributes": {"points": null, "vip": true}}));

    assert_eq!(patched.status, 200, "{}", patched.text);
    let shown = restock.get(&format!("/contacts/{contact}")).json();
    assert_eq!(shown, patched.json());
    assert_eq!(
        (&shown["lastName"], &shown["firstName"], &shown["attributes"], &shown["email"]),
        (&json!("Berg"), &json!(null), &json!({"club": "gold", "vip": true}), &json!("a@example.com"))
    );
}

#[test]
fn what_is_wrong_with_a_patch_is_said_and_nothing_changes() {
    let restock = Restock::start();
    let contact = restock.contact("a");

    let wrong = restock.patch(&contact, &json!({"email": null, "countryCode": "Sweden"}));
    let nested = restock.patch(&contact, &json!({"attributes": {"a": []}, "language": 5}));

    assert_eq!(field_errors(&wrong), errors(&[("/email", "Required")]));
    assert_eq!(field_errors(&nested), errors(&[("/language", "WrongType"), ("/attributes/a", "WrongType")]));
    assert_problem(&restock.patch("00000000-0000-4000-8000-000000000000", &json!({})), 404, "ContactNotFound");
    assert_eq!(restock.get(&format!("/contacts/{contact}")).json()["email"], "a@example.com");
}

#[test]
fn patches_at_the_same_time_all_count() {
    let restock = Restock::start();
    let contact = restock.contact("a");

    std::thread::scope(|scope| {
        for n in 0..4 {
            let (restock, contact) = (&restock, &contact);
            scope.spawn(move || {
                let body = json!({"attributes": {format!("a{n}"): n}});
                while restock.patch(contact, &body).status != 200 {}
            });
        }
    });

    let attributes = restock.get(&format!("/contacts/{contact}")).json()["attributes"].clone();
    assert_eq!(attributes, json!({"a0": 0, "a1": 1, "a2": 2, "a3": 3}));
}

#[test]
fn a_changed_address_gets_the_mail_is_found_and_belongs_to_one_contact() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let (moved, other) = (restock.contact("old"), restock.contact("other"));
    restock.subscribe(&moved, "A", "sv-SE", None);

    assert_eq!(restock.patch(&moved, &json!({"email": "NEW@example.com"})).status, 200);
    let taken = restock.patch(&moved, &json!({"email": "Other@example.com"}));
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_problem(&taken, 409, "EmailTaken");
    assert_eq!(taken.json()["id"], json!(other));
    assert_eq!(restock.mailed(), ["NEW"]);
    assert_eq!(restock.get("/contacts/id?email=new@example.com").json()["id"], json!(moved));
    assert_eq!(restock.get("/contacts/id?email=old@example.com").status, 404);
    assert_eq!(restock.post("/contacts", &json!({"email": "old@example.com"})).status, 201);
}

#[test]
fn a_key_that_may_write_contacts_reads_none() {
    let restock = Restock::start();
    let known = restock.post("/contacts", &json!({"email": "known@example.com", "firstName": "Åsa"})).json();
    let id = known["id"].as_str().unwrap();
    let writer = restock.with_key("writer", &["write-contacts"]);

    let taken = writer.json("POST", "/contacts", &json!({"email": "known@example.com"})).unwrap();
    let unchanged = writer.json("PATCH", &format!("/contacts/{id}"), &json!({})).unwrap();
    let changed = writer.json("PATCH", &format!("/contacts/{id}"), &json!({"lastName": "Öberg"})).unwrap();
    let created = writer.json("POST", "/contacts", &json!({"email": "new@example.com"})).unwrap();
    let new = created.json()["id"].as_str().unwrap().to_owned();
    let moved = writer.json("PATCH", &format!("/contacts/{new}"), &json!({"email": "known@example.com"})).unwrap();

    for taken in [taken, moved] {
        assert_problem(&taken, 409, "EmailTaken");
        assert!(!taken.text.contains(id), "{}", taken.text);
    }
    assert_eq!((unchanged.json(), changed.json()), (json!({"id": id}), json!({"id": id})));
    assert_eq!((created.status, created.json()), (201, json!({"id": new})));
    assert_eq!(restock.get(&format!("/contacts/{id}")).json()["lastName"], "Öberg");
}

#[test]
fn a_bounce_belongs_to_the_address_and_a_complaint_to_the_contact() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let of = |name: &str| {
        let contact = restock.contact(name);
        restock.subscribe(&contact, "A", "sv-SE", None);
        contact
    };
    let (bounced, complained) = (of("bounce"), of("complaint"));
    restock.level(json!({"sku": "A", "quantity": 1}));

    let moved = restock.patch(&bounced, &json!({"email": "works@example.com"})).json();
    let still = restock.patch(&complained, &json!({"email": "quiet@example.com", "acceptsEmail": true})).json();
    let again = restock.post("/contacts", &json!({"email": "bounce@example.com"})).json();

    assert_eq!((&moved["suppressed"], &still["suppressed"]), (&json!(null), &json!("complaint")));
    assert_eq!(again["suppressed"], "bounce", "the old address bounces still");
}

/// Suppresses a contact as an event of SES or the link of a mail does.
fn suppress(restock: &Restock, contact: &str, why: &str) {
    let store = restock.store();
    let id = restock_domain::ContactId::parse(contact).unwrap();
    restock.runtime.block_on(store.suppress(id, why.parse().unwrap())).unwrap();
}

#[test]
fn an_unsubscription_outlives_a_bounce_and_a_change_of_address() {
    let restock = Restock::start();
    for (name, reasons) in [("a", ["unsubscribed", "bounce"]), ("b", ["bounce", "unsubscribed"])] {
        let contact = restock.contact(name);
        for why in reasons {
            suppress(&restock, &contact, why);
        }
        assert_eq!(restock.get(&format!("/contacts/{contact}")).json()["suppressed"], "bounce");

        let moved = restock.patch(&contact, &json!({"email": format!("new-{name}@example.com")})).json();
        let lifted = restock.patch(&contact, &json!({"acceptsEmail": true})).json();

        assert_eq!((&moved["suppressed"], &lifted["suppressed"]), (&json!("unsubscribed"), &json!(null)));
    }
}

#[test]
fn the_link_of_an_erased_contact_that_bounced_is_remembered_with_the_bounce() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    let link = restock.unsubscribe_link(&contact);
    suppress(&restock, &contact, "bounce");
    restock.delete(&format!("/contacts/{contact}"));

    Client::new(&link).send("POST", "", b"").unwrap();
    let again = restock.post("/contacts", &json!({"email": "a@example.com"})).json();

    assert_eq!((&again["suppressed"], &again["unsubscribed"]), (&json!("bounce"), &json!(true)));
}

#[test]
fn erasing_and_making_a_contact_again_keeps_both_a_bounce_and_an_unsubscription() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    suppress(&restock, &contact, "unsubscribed");
    suppress(&restock, &contact, "bounce");

    restock.delete(&format!("/contacts/{contact}"));
    let again = restock.contact("a");
    let bounced = restock.get(&format!("/contacts/{again}")).json()["suppressed"].clone();
    let moved = restock.patch(&again, &json!({"email": "new@example.com"})).json();

    assert_eq!((bounced, &moved["suppressed"]), (json!("bounce"), &json!("unsubscribed")));
}

#[test]
fn an_unsubscription_that_was_lifted_does_not_come_back() {
    let restock = Restock::start();
    let erase = |contact: &str| assert_eq!(restock.delete(&format!("/contacts/{contact}")).status, 200);
    let suppressed = |contact: &str| restock.get(&format!("/contacts/{contact}")).json()["suppressed"].clone();
    let first = restock.contact("a");
    suppress(&restock, &first, "unsubscribed");
    erase(&first);

    let second = restock.contact("a");
    assert_eq!(suppressed(&second), "unsubscribed");
    restock.patch(&second, &json!({"acceptsEmail": true}));
    restock.patch(&second, &json!({"firstName": "A"}));
    let lines = restock.api.header("content-type", "application/x-ndjson");
    let imported = lines.send("POST", "/contacts/imports", br#"{"email":"a@example.com","lastName":"B"}"#).unwrap();
    assert_eq!(imported.json()["updated"], 1);
    assert_eq!(suppressed(&second), json!(null));
    erase(&second);

    assert_eq!(suppressed(&restock.contact("a")), json!(null));
}

#[test]
fn asking_for_mail_at_an_address_that_had_unsubscribed_lifts_that() {
    let restock = Restock::start();
    let (former, other) = (restock.contact("a"), restock.contact("b"));
    suppress(&restock, &former, "unsubscribed");
    restock.delete(&format!("/contacts/{former}"));

    let moved = restock.patch(&other, &json!({"email": "a@example.com", "acceptsEmail": true})).json();

    assert_eq!((&moved["email"], &moved["suppressed"]), (&json!("a@example.com"), &json!(null)));
}

#[test]
fn a_late_bounce_or_complaint_concerns_the_address_that_the_mail_went_to() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("old");
    let id = restock.subscribe(&contact, "A", "sv-SE", None)["id"].as_str().unwrap().to_owned();
    restock.patch(&contact, &json!({"email": "new@example.com"}));
    let event = |kind: &str, more: Value| {
        let tags = json!({"delivery": ["00000000-0000-4000-8000-000000000001"], "subscription": [id]});
        let mail = json!({"messageId": "m", "timestamp": "2026-11-23T08:00:00.000Z", "destination": ["old@example.com"], "tags": tags});
        let mut event = json!({"eventType": kind, "mail": mail});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        restock.send_message("email-events", &event.to_string());
        restock.settle();
    };

    event("Bounce", json!({"bounce": {"bounceType": "Permanent"}}));
    let after_bounce = restock.get(&format!("/contacts/{contact}")).json()["suppressed"].clone();
    let old = restock.post("/contacts", &json!({"email": "old@example.com"})).json();
    event("Complaint", json!({}));
    let after_complaint = restock.get(&format!("/contacts/{contact}")).json()["suppressed"].clone();

    assert_eq!((after_bounce, &old["suppressed"]), (json!(null), &json!("bounce")));
    assert_eq!(after_complaint, "complaint");
    let old = restock.get(&format!("/contacts/{}", old["id"].as_str().unwrap())).json();
    assert_eq!(old["suppressed"], "complaint");
}

#[test]
fn asking_for_mail_again_lifts_an_unsubscription() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    let mail = restock.mails().remove(0);
    let link = mail["headers"]["List-Unsubscribe"].as_str().unwrap().trim_matches(['<', '>']).to_owned();
    restock_local::client::Client::new(&link).send("POST", "", b"").unwrap();

    let otherwise = restock.patch(&contact, &json!({"firstName": "A", "acceptsEmail": false})).json();
    let lifted = restock.patch(&contact, &json!({"acceptsEmail": true})).json();

    assert_eq!((&otherwise["suppressed"], &lifted["suppressed"]), (&json!("unsubscribed"), &json!(null)));
}

#[test]
fn a_receipt_is_recorded_once_and_the_first_one_counts() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    let path = format!("/contacts/{contact}/purchases");
    let receipt =
        |id: &str, on: &str| json!({"receiptId": id, "purchasedOn": on, "items": [{"sku": "A"}, {"sku": "B"}]});

    let one = restock.post(&path, &receipt("R-1", "2026-01-01T00:00:00Z"));
    let more =
        restock.post(&path, &json!([receipt("R-1", "2026-05-05T00:00:00Z"), receipt("R-2", "2025-01-01T00:00:00Z")]));

    assert_eq!((one.status, one.json()), (200, json!({"recorded": 1, "known": 0})));
    assert_eq!((more.status, more.json()), (200, json!({"recorded": 1, "known": 1})));
    let store = restock.store();
    let id = restock_domain::ContactId::parse(&contact).unwrap();
    let (sku, contacts) = (restock_domain::Sku::parse("B").unwrap(), [id].into());
    let last = restock.runtime.block_on(store.last_purchases(&sku, &contacts)).unwrap()[&id];
    assert_eq!(last.to_string(), "2026-01-01T00:00:00Z", "neither the repeated receipt nor the older one counts");
}

#[test]
fn what_is_wrong_with_receipts_is_said_and_none_is_recorded() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    let path = format!("/contacts/{contact}/purchases");

    let answer = restock.post(&path, &json!([{"receiptId": "R", "items": [{"sku": "A"}]}, {"items": [{"sku": 5}]}]));

    assert_eq!(field_errors(&answer), errors(&[("/1/receiptId", "Required"), ("/1/items/0/sku", "WrongType")]));
    let again = restock.post(&path, &json!({"receiptId": "R", "items": [{"sku": "A"}]}));
    assert_eq!(again.json(), json!({"recorded": 1, "known": 0}));
    let nobody = restock.post("/contacts/00000000-0000-4000-8000-000000000000/purchases", &json!([]));
    assert_problem(&nobody, 404, "ContactNotFound");
}

#[test]
fn an_export_has_the_mails_that_were_refused_too() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let id = restock.contact("refuse");
    restock.subscribe(&id, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    let mails = restock.get(&format!("/contacts/{id}/export")).json()["mails"].clone();

    assert!(mails[0]["events"]["failed"].is_string() && mails[0]["sentOn"].is_null(), "{mails}");
}

#[test]
fn an_export_has_all_that_is_known_of_a_contact_and_nothing_of_others() {
    let restock = Restock::start();
    let body = json!({"email": "a@example.com", "firstName": "Åsa", "attributes": {"club": true}});
    let id = restock.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();
    let other = restock.contact("other");
    for contact in [&id, &other] {
        restock.subscribe(contact, "A", "sv-SE", None);
    }
    restock.subscribe(&id, "B", "sv-SE", Some("north"));
    let receipt =
        |id: &str| json!({"receiptId": id, "purchasedOn": "2026-01-02T03:04:05.000Z", "items": [{"sku": "X"}]});
    restock.post(&format!("/contacts/{id}/purchases"), &json!([receipt("r1"), receipt("r2")]));
    restock.post(&format!("/contacts/{other}/purchases"), &receipt("of other"));

    restock.feed("sv-SE", &["C"]);
    restock.subscribe(&id, "C", "sv-SE", None);
    restock.level(json!({"sku": "C", "quantity": 1}));

    let export = restock.get(&format!("/contacts/{id}/export"));

    let all = export.json();
    assert_eq!(
        (export.status, &all["contact"]),
        (200, &restock.get(&format!("/contacts/{id}")).json()),
        "{}",
        export.text
    );
    assert_eq!(all["subscriptions"], json!(restock.subscriptions(&id)));
    assert_eq!(all["receipts"], json!([receipt("r1"), receipt("r2")]));
    let [mail] = all["mails"].as_array().unwrap().as_slice() else { panic!("{all}") };
    assert_eq!((&mail["sku"], &mail["sentOn"]), (&json!("C"), &mail["events"]["accepted"]));
    assert!(mail["events"]["delivered"].is_string(), "{mail}");
    assert!(!export.headers.contains_key("next-cursor") && !export.text.contains(&other));
    assert_problem(&restock.get(&format!("/contacts/{}/export", uuid::Uuid::new_v4())), 404, "ContactNotFound");
    let writer = restock.with_key("writer", &["write-contacts", "read-subscriptions"]);
    assert_problem(&writer.get(&format!("/contacts/{id}/export")).unwrap(), 403, "MissingScope");
}

#[test]
fn a_long_export_has_each_subscription_and_receipt_once_over_all_its_pages() {
    let restock = Restock::start();
    let id = restock.contact("a");
    for n in 0..3 {
        restock.subscribe(&id, &format!("S{n}"), "sv-SE", None);
    }
    let receipt = |n: u32| {
        let item = json!({
            "contactId": {"S": id}, "purchase": {"S": format!("receipt#r{n:04}")},
            "purchasedOn": {"S": "2026-01-02T03:04:05.000Z"}, "skus": {"S": "[\"X\"]"},
        });
        json!({"PutRequest": {"Item": item}})
    };
    let receipts: Vec<Value> = (0..1_200).map(receipt).collect();
    for some in receipts.chunks(25) {
        let request = json!({"RequestItems": {&restock.stack.ready.tables["purchases"]: some}});
        restock.dynamodb("BatchWriteItem", request);
    }

    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = restock.get(&format!("/contacts/{id}/export{cursor}"));
        let all = page.json();
        seen.extend(all["subscriptions"].as_array().unwrap().iter().map(|one| one["sku"].as_str().unwrap().to_owned()));
        seen.extend(
            all["receipts"].as_array().unwrap().iter().map(|one| one["receiptId"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        let Some(next) = page.headers.get("next-cursor") else { break };
        cursor = format!("?cursor={next}");
        // It is none of another contact's.
        let other = restock.contact(&format!("other{pages}"));
        let answer = restock.get(&format!("/contacts/{other}/export{cursor}"));
        assert_eq!(field_errors(&answer), errors(&[("/cursor", "InvalidCursor")]), "{}", answer.text);
    }

    let expected = (0..3).map(|n| format!("S{n}")).chain((0..1_200).map(|n| format!("r{n:04}")));
    assert_eq!((seen, pages), (expected.collect::<Vec<_>>(), 2));
}

#[test]
fn erasing_a_contact_erases_its_purchases() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    restock.post(&format!("/contacts/{contact}/purchases"), &json!({"receiptId": "R", "items": [{"sku": "A"}]}));

    restock.delete(&format!("/contacts/{contact}"));

    let request = json!({"TableName": restock.stack.ready.tables["purchases"]});
    assert_eq!(restock.dynamodb("Scan", request)["Count"], 0);
}

/// Makes subscriptions of a contact as the API does, but at once.
fn subscribe_to_many(restock: &Restock, contact: &str, count: usize) {
    let store = restock.store();
    let contact_id = ContactId::parse(contact).unwrap();
    let subscriptions = (0..count).map(|n| Subscription {
        contact_id,
        sku: Sku::parse(&format!("sku-{n}")).unwrap(),
        locale: Locale::parse("sv-SE").unwrap(),
        external_id: None,
        created_on: Timestamp::from_millisecond(1_700_000_000_000 + n as i64).unwrap(),
        delivery: DeliveryId::random(),
        moved_in_on: None,
        expires_on: None,
    });
    restock.runtime.block_on(async {
        let writes = stream::iter(subscriptions).map(|one| store.put_subscription(one)).buffer_unordered(16);
        writes.try_for_each(async |_| Ok(())).await.unwrap();
    });
}

#[test]
fn many_subscriptions_are_listed_page_by_page_oldest_first() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    subscribe_to_many(&restock, &contact, 1_030);
    let path = format!("/contacts/{contact}/backinstock/subscriptions");

    let first = restock.get(&path);
    let cursor = first.headers["next-cursor"].clone();
    let second = restock.get(&format!("{path}?cursor={cursor}"));
    let small = restock.get(&format!("{path}?limit=7"));

    let skus = |answer: &Answer| -> Vec<String> {
        answer.json().as_array().unwrap().iter().map(|one| one["sku"].as_str().unwrap().to_owned()).collect()
    };
    let all: Vec<String> = (0..1_030).map(|n| format!("sku-{n}")).collect();
    assert_eq!([skus(&first), skus(&second)].concat(), all);
    assert_eq!(second.headers.get("next-cursor"), None);
    assert_eq!(skus(&small), all[..7]);
    assert_eq!(restock.get(&format!("{path}?cursor=abc")).status, 422);
}

#[test]
fn an_erasure_that_breaks_off_or_takes_long_is_finished() {
    let restock = Restock::start();
    let (many, other) = (restock.contact("many"), restock.contact("other"));
    subscribe_to_many(&restock, &many, 1_200);
    subscribe_to_many(&restock, &other, 3);
    let receipt = json!({"receiptId": "R", "items": [{"sku": "A"}]});
    assert_eq!(restock.post(&format!("/contacts/{many}/purchases"), &receipt).status, 200);
    let made_until = Some(Timestamp::from_millisecond(1_700_000_000_000 + 1_099).unwrap());
    let erasure = |made_until| Erasure { contact_id: ContactId::parse(&many).unwrap(), made_until }.body();
    let purchases =
        || restock.dynamodb("Scan", json!({"TableName": restock.stack.ready.tables["purchases"]}))["Count"].clone();

    // Asked for again since.
    restock.subscribe(&many, "sku-5", "sv-SE", None);
    // Moved in since, with the time at which it was made elsewhere.
    let list = "email,sku,locale,subscribedOn\nmany@example.com,moved,sv-SE,2020-01-01T00:00:00Z\n";
    assert_eq!(restock.move_in("text/csv", list).json()["created"], 1);

    restock.send_message("erasures", &erasure(made_until));
    restock.settle_queues(&["erasures"]);
    // Whoever unsubscribed from everything and subscribes again later waits.
    assert_eq!((restock.subscriptions(&many).len(), purchases()), (102, json!(2)));

    // One that was refused, so the contact is there.
    restock.send_message("erasures", &erasure(None));
    restock.settle_queues(&["erasures"]);
    assert_eq!((restock.subscriptions(&many).len(), purchases()), (102, json!(2)));

    let key = json!({"key": {"S": format!("contact#{many}")}});
    restock.dynamodb("DeleteItem", json!({"TableName": restock.stack.ready.tables["contacts"], "Key": key}));
    restock.send_message("erasures", &erasure(None));
    restock.settle_queues(&["erasures"]);
    let left = restock.dynamodb("Scan", json!({"TableName": restock.stack.ready.tables["subscriptions"]}));
    assert_eq!((&left["Count"], purchases()), (&json!(3), json!(0)));
    assert_eq!(restock.subscriptions(&other).len(), 3);
}
