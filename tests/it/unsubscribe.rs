//! The unsubscribe link of every mail.

use crate::restock::Restock;
use restock_domain::unsubscribe::{Unsubscribe, token};
use restock_domain::{ContactId, EmailAddress, Suppression};
use restock_local::client::{Answer, Client};
use serde_json::json;

impl Restock {
    /// Returns the link of a contact's mails that unsubscribes it from everything.
    pub fn unsubscribe_link(&self, contact: &str) -> String {
        let store = self.store();
        let link_key = self.runtime.block_on(store.newest_link_key()).unwrap();
        let address_key = self.runtime.block_on(store.address_key()).unwrap();
        let email = self.get(&format!("/contacts/{contact}")).json()["email"].as_str().unwrap().to_owned();
        let address = address_key.digest_of_address(&EmailAddress::parse(&email).unwrap());
        let token = token(&link_key, Unsubscribe::All { contact: ContactId::parse(contact).unwrap(), address });
        format!("{}/unsubscribe/{token}", self.stack.ready.api)
    }
}

/// Starts a stack in which `a` got a mail about A and still waits for B; returns the contact and the mail's one-click
/// link.
fn with_a_mail() -> (Restock, String, String) {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.subscribe(&contact, "B", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    let header = restock.mails()[0]["headers"]["List-Unsubscribe"].as_str().unwrap().to_owned();
    let link = header.trim_matches(['<', '>']).to_owned();
    (restock, contact, link)
}

#[test]
fn following_the_link_shows_a_button_and_changes_nothing() {
    let (restock, contact, link) = with_a_mail();

    let page = Client::new(&link).get("").unwrap();

    assert_eq!((page.status, page.content_type.as_str()), (200, "text/html; charset=utf-8"));
    assert!(
        page.text.contains("<form method=\"post\">") && page.text.contains("Ja, avregistrera mig"),
        "{}",
        page.text
    );
    assert_eq!(restock.subscriptions(&contact).len(), 1);
    // A link holds a token: no other page may show this one, or learn its address.
    assert_eq!((header(&page, "referrer-policy"), header(&page, "x-frame-options")), ("no-referrer", "DENY"));
    let policy = header(&page, "content-security-policy");
    assert!(
        ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"].iter().all(|part| policy.contains(part)),
        "{policy}"
    );
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", String::as_str)
}

#[test]
fn a_checker_of_links_that_asks_by_head_learns_whether_the_link_works() {
    let (restock, contact, link) = with_a_mail();
    let head = |link: &str| {
        let answer = Client::new(link).send("HEAD", "", b"").unwrap();
        (answer.status, answer.text)
    };

    assert_eq!(head(&link), (200, String::new()));
    assert_eq!(head(&link.replace("/unsubscribe/", "/unsubscribe/x")), (404, String::new()));
    assert_eq!(restock.subscriptions(&contact).len(), 1);
}

#[test]
fn posting_to_the_link_ends_every_subscription_of_the_contact() {
    let (restock, contact, link) = with_a_mail();
    let other = restock.contact("other");
    restock.subscribe(&other, "B", "sv-SE", None);

    let one_click = Client::new(&link).header("content-type", "application/x-www-form-urlencoded");
    let page = one_click.send("POST", "", b"List-Unsubscribe=One-Click").unwrap();
    restock.level(json!({"sku": "B", "quantity": 1}));

    assert_eq!(page.status, 200, "{}", page.text);
    assert!(restock.subscriptions(&contact).is_empty());
    assert_eq!(restock.mailed(), ["a", "other"]);
}

#[test]
fn the_link_of_an_erased_contact_says_that_it_did_nothing() {
    let (restock, contact, link) = with_a_mail();
    restock.delete(&format!("/contacts/{contact}"));
    let again = restock.contact("a");
    restock.subscribe(&again, "B", "sv-SE", None);

    let page = Client::new(&link).send("POST", "", b"").unwrap();

    assert_eq!(page.status, 404);
    assert!(page.text.contains("Länken fungerar inte längre"), "{}", page.text);
    assert_eq!(restock.subscriptions(&again).len(), 1);
}

#[test]
fn a_link_of_a_mail_to_an_address_that_its_contact_has_left_does_not_say_that_the_address_gets_no_more() {
    let (restock, contact, link) = with_a_mail();
    restock.api.json("PATCH", &format!("/contacts/{contact}"), &json!({"email": "b@example.com"})).unwrap();
    let again = restock.contact("a");
    restock.subscribe(&again, "B", "sv-SE", None);

    let page = Client::new(&link).send("POST", "", b"").unwrap();

    assert_eq!(page.status, 404);
    assert_eq!(restock.get(&format!("/contacts/{contact}")).json()["suppressed"], "unsubscribed");
    assert_eq!(restock.subscriptions(&again).len(), 1);
}

#[test]
fn the_link_of_an_erased_contact_holds_for_who_takes_its_address_next() {
    let (restock, contact, link) = with_a_mail();
    restock.delete(&format!("/contacts/{contact}"));
    Client::new(&link).send("POST", "", b"").unwrap();

    let again = restock.contact("a");

    assert_eq!(restock.get(&format!("/contacts/{again}")).json()["suppressed"], "unsubscribed");
}

#[test]
fn the_link_for_one_subscription_of_an_erased_contact_says_that_it_did_nothing() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    let body = |contact: &str| json!({"contactId": contact, "sku": "A", "locale": "en-GB"});
    let answer = restock.post("/inventory/backinstock/subscriptions", &body(&contact));
    let link = answer.headers["unsubscribe-url"].clone();
    restock.delete(&format!("/contacts/{contact}"));
    let again = restock.contact("a");
    restock.post("/inventory/backinstock/subscriptions", &body(&again));

    let page = Client::new(&link).send("POST", "", b"").unwrap();

    assert_eq!((page.status, restock.subscriptions(&again).len()), (404, 1));
}

#[test]
fn unsubscribing_from_everything_is_for_good_also_for_what_is_subscribed_to_later() {
    let (restock, contact, link) = with_a_mail();
    Client::new(&link).send("POST", "", b"").unwrap();

    restock.subscribe(&contact, "B", "sv-SE", None);
    restock.level(json!({"sku": "B", "quantity": 1}));

    assert_eq!(restock.mailed(), ["a"]);
    assert_eq!(restock.log_entry("B")["skipped"], json!({"unsubscribed": 1}));
    assert_eq!(restock.get(&format!("/contacts/{contact}")).json()["suppressed"], "unsubscribed");
}

#[test]
fn a_link_that_was_tampered_with_does_nothing() {
    let (restock, contact, link) = with_a_mail();
    let (path, query) = link.split_once('?').unwrap();
    let (start, last) = path.split_at(path.len() - 1);
    let forged = format!("{start}{}?{query}", if last == "x" { "y" } else { "x" });

    let page = Client::new(&forged).send("POST", "", b"").unwrap();

    assert_eq!(page.status, 404);
    assert_eq!(restock.subscriptions(&contact).len(), 1);
}

#[test]
fn the_link_that_comes_with_a_subscription_ends_that_one_only() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    let body = json!({"contactId": contact, "sku": "A", "locale": "en-GB"});
    let link = restock.post("/inventory/backinstock/subscriptions", &body).headers["unsubscribe-url"].clone();

    let question = Client::new(&link).get("").unwrap();
    let done = Client::new(&link).send("POST", "", b"").unwrap();

    assert!(question.text.contains("stop waiting for this product"), "{}", question.text);
    assert!(done.text.contains("no email about this product"), "{}", done.text);
    let left = restock.subscriptions(&contact);
    assert_eq!(left.iter().map(|subscription| &subscription["locale"]).collect::<Vec<_>>(), ["sv-SE"]);
}

#[test]
fn who_does_not_accept_email_is_left_out_unless_the_automation_says_that_subscribing_is_consent_enough() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let body = json!({"email": "a@example.com", "acceptsEmail": false});
    let contact = restock.post("/contacts", &body).json()["id"].as_str().unwrap().to_owned();
    restock.subscribe(&contact, "A", "sv-SE", None);

    restock.level(json!({"sku": "A", "quantity": 1}));
    let refused = restock.log_entry("A");
    let stayed = restock.subscriptions(&contact).len();
    restock.automation("default", &json!({"name": "Back in stock", "requiresConsent": false}));
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!((&refused["skipped"], &refused["automations"][0]["noConsent"]), (&json!({"noConsent": 1}), &json!(1)));
    assert_eq!((stayed, restock.mailed()), (1, vec!["a".to_owned()]));
}

#[test]
fn the_link_of_an_erased_contact_holds_for_whoever_takes_the_address_after_the_one_that_has_it() {
    let restock = Restock::start();
    let erase = |contact: &str| assert_eq!(restock.delete(&format!("/contacts/{contact}")).status, 200);
    let follow = |link: &str| Client::new(link).send("POST", "", b"").unwrap().status;
    let shown = |contact: &str| {
        let contact = restock.get(&format!("/contacts/{contact}")).json();
        (contact["suppressed"].clone(), contact["unsubscribed"].clone())
    };
    let first = restock.contact("a");
    let old_link = restock.unsubscribe_link(&first);
    erase(&first);

    // Its mail bounces, which is no reason to forget the unsubscription.
    let second = restock.contact("a");
    assert_eq!(follow(&old_link), 404);
    let store = restock.store();
    let id = ContactId::parse(&second).unwrap();
    restock.runtime.block_on(store.suppress(id, Suppression::Bounce)).unwrap();
    erase(&second);
    let third = restock.contact("a");
    assert_eq!(shown(&third), (json!("bounce"), json!(true)));

    // It asks for mail, and that holds for its address too.
    let other = restock.contact("b");
    let old_link = restock.unsubscribe_link(&other);
    erase(&other);
    let asks = restock.contact("b");
    assert_eq!(follow(&old_link), 404);
    assert_eq!(restock.patch(&asks, &json!({"acceptsEmail": true})).status, 200);
    erase(&asks);
    assert_eq!(shown(&restock.contact("b")), (json!(null), json!(null)));
}

#[test]
fn asking_for_mail_lifts_the_unsubscription_of_an_address_and_not_its_bounce() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    let address = EmailAddress::parse("a@example.com").unwrap();
    let digest = restock.runtime.block_on(restock.store().address_key()).unwrap().digest_of_address(&address);
    // An old link, and a bounce that SES told of before the contact had the address.
    let trace = json!({
        "key": {"S": format!("erased#{digest}")}, "suppressed": {"S": "bounce"}, "unsubscribed": {"BOOL": true},
    });
    restock.dynamodb("PutItem", json!({"TableName": restock.stack.ready.tables["contacts"], "Item": trace}));

    assert_eq!(restock.patch(&contact, &json!({"acceptsEmail": true})).status, 200);
    restock.delete(&format!("/contacts/{contact}"));
    let again = restock.post("/contacts", &json!({"email": "a@example.com"})).json();

    assert_eq!((&again["suppressed"], &again["unsubscribed"]), (&json!("bounce"), &json!(null)));
}
