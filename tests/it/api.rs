//! Every endpoint: its success and each error that `docs/contract.md` documents.

use crate::restock::{Restock, eventually};
use restock_local::client::{Answer, Client};
use serde_json::{Value, json};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// Checks that an answer is a problem document with this status and error code.
#[track_caller]
pub fn assert_problem(answer: &Answer, status: u16, error_code: &str) {
    let body = answer.json();
    let seen = (answer.status, answer.content_type.as_str(), body["errorCode"].as_str().unwrap_or_default());
    assert_eq!(seen, (status, "application/problem+json", error_code), "{}", answer.text);
    assert_eq!(body["status"], status);
    for member in ["type", "title", "detail"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member} is missing: {}", answer.text);
    }
}

/// Returns the pointers and codes of a validation problem.
#[track_caller]
pub fn field_errors(answer: &Answer) -> Vec<(String, String)> {
    assert_problem(answer, 422, "ValidationFailed");
    let text = |error: &Value, member: &str| error[member].as_str().unwrap().to_owned();
    let body = answer.json();
    body["errors"].as_array().unwrap().iter().map(|error| (text(error, "pointer"), text(error, "errorCode"))).collect()
}

/// Returns the lines of a report that were rejected, and why.
pub fn line_errors(report: &Value) -> Vec<(u64, &str)> {
    let rejected = report["errors"].as_array().unwrap().iter();
    rejected.map(|error| (error["line"].as_u64().unwrap(), error["errorCode"].as_str().unwrap())).collect()
}

pub fn errors(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}

#[test]
fn subscribing_answers_with_the_subscription_and_again_with_the_same() {
    let restock = Restock::start();
    let contact = restock.contact("a");

    let first = restock.subscribe(&contact.to_uppercase(), "SKU 1/ä", "sv-SE", Some("X"));
    let again = restock.subscribe(&contact, "SKU 1/ä", "SV-se", Some("X"));

    assert_eq!(first, again);
    assert_eq!(
        (&first["contactId"], &first["sku"], &first["locale"], &first["externalId"]),
        (&json!(contact), &json!("SKU 1/ä"), &json!("sv-SE"), &json!("X"))
    );
    assert!(first["id"].as_str().unwrap().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    assert!(first["createdOn"].as_str().unwrap().ends_with('Z'));
    let listed = &restock.subscriptions(&contact)[0];
    assert!(listed.as_object().unwrap().iter().all(|(name, value)| first[name] == *value), "{listed}");
}

#[test]
fn subscribing_names_every_field_that_is_wrong() {
    let restock = Restock::start();

    let answer = restock.post(
        "/inventory/backinstock/subscriptions",
        &json!({"contactId": "x", "sku": "", "locale": 5, "externalId": 7}),
    );

    assert_eq!(
        field_errors(&answer),
        errors(&[
            ("/contactId", "InvalidContactId"),
            ("/sku", "Empty"),
            ("/locale", "WrongType"),
            ("/externalId", "WrongType")
        ])
    );
    let answer = restock.post("/inventory/backinstock/subscriptions", &json!({}));
    assert_eq!(
        field_errors(&answer),
        errors(&[("/contactId", "Required"), ("/sku", "Required"), ("/locale", "Required")])
    );
}

#[test]
fn an_optional_text_that_is_blank_counts_as_missing() {
    let restock = Restock::start();

    let body = json!({"email": "a@example.com", "firstName": "", "language": "", "countryCode": " "});
    let contact = restock.post("/contacts", &body).json();
    let subscription = restock.subscribe(contact["id"].as_str().unwrap(), "A", "sv-SE", Some(""));
    let level =
        restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 0, "locale": "", "updatedOn": ""}));

    assert!(["firstName", "language", "countryCode"].iter().all(|name| contact.get(name).is_none()), "{contact}");
    assert_eq!(subscription.get("externalId"), None);
    assert_eq!(level.status, 202, "{}", level.text);
}

#[test]
fn subscribing_an_unknown_contact_is_not_found() {
    let restock = Restock::start();

    let answer = restock
        .post("/inventory/backinstock/subscriptions", &json!({"contactId": NOBODY, "sku": "A", "locale": "sv-SE"}));

    assert_problem(&answer, 404, "ContactNotFound");
}

#[test]
fn unsubscribing_answers_with_the_id_and_the_second_time_it_is_not_found() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    let id = restock.subscribe(&contact, "A", "sv-SE", None)["id"].as_str().unwrap().to_owned();
    let path = format!("/inventory/backinstock/subscriptions/{id}");

    let deleted = restock.api.json("DELETE", &path, &json!({})).unwrap();

    assert_eq!((deleted.status, deleted.json()), (200, json!({"id": id})));
    assert!(restock.subscriptions(&contact).is_empty());
    assert_problem(&restock.delete(&path), 404, "SubscriptionNotFound");
    assert_problem(&restock.delete("/inventory/backinstock/subscriptions/nonsense"), 404, "SubscriptionNotFound");
}

#[test]
fn the_subscriptions_of_a_contact_are_listed_oldest_first() {
    let restock = Restock::start();
    let contact = restock.contact("a");
    for sku in ["C", "A", "B"] {
        restock.subscribe(&contact, sku, "sv-SE", None);
    }

    let skus: Vec<Value> = restock.subscriptions(&contact).iter().map(|found| found["sku"].clone()).collect();

    assert_eq!(skus, ["C", "A", "B"]);
    assert!(restock.subscriptions(NOBODY).is_empty());
    assert_eq!(
        field_errors(&restock.get("/contacts/7/backinstock/subscriptions")),
        errors(&[("/contactId", "InvalidContactId")])
    );
}

#[test]
fn one_stock_level_is_accepted_or_refused_with_reasons() {
    let restock = Restock::start();

    let accepted = restock.put("/inventory/stock-levels", &json!({"SKU": "A", "quantity": -2, "unknown": {}}));
    let refused =
        restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": "2", "updatedOn": "yesterday"}));

    assert_eq!((accepted.status, accepted.json()), (202, json!({"accepted": 1, "rejected": []})));
    for whole in ["5.0", "1e3", "-0.0"] {
        let body = format!("{{\"sku\":\"A\",\"quantity\":{whole}}}");
        let client = restock.api.header("content-type", "application/json");
        let answer = client.send("PUT", "/inventory/stock-levels", body.as_bytes()).unwrap();
        assert_eq!(answer.status, 202, "{whole}: {}", answer.text);
    }
    assert_eq!(field_errors(&refused), errors(&[("/quantity", "WrongType"), ("/updatedOn", "InvalidTimestamp")]));
}

#[test]
fn of_a_batch_the_invalid_levels_are_listed_and_the_valid_ones_accepted() {
    let restock = Restock::start();
    let path = "/inventory/stock-levels/batch";

    let mixed =
        restock.put(path, &json!([{"sku": "A", "quantity": 1}, {"quantity": 1}, 7, {"sku": "B", "quantity": 0}]));
    assert_eq!((mixed.status, &mixed.json()["accepted"]), (202, &json!(2)));
    let rejected = mixed.json()["rejected"].clone();
    let short: Vec<_> =
        rejected.as_array().unwrap().iter().map(|level| (level["index"].clone(), level["errorCode"].clone())).collect();
    assert_eq!(short, [(json!(1), json!("Required")), (json!(2), json!("NotAnObject"))]);

    for empty in [json!({}), json!([])] {
        let answer = restock.put(path, &empty);
        assert_eq!((answer.status, answer.json()), (202, json!({"accepted": 0, "rejected": []})));
    }
    assert_problem(&restock.put(path, &json!([{}, {"sku": "A"}])), 400, "NoValidStockLevel");
    assert_problem(&restock.put(path, &json!({"sku": "A", "quantity": 1})), 400, "NotAnArray");
}

#[test]
fn a_batch_has_a_most_of_levels_and_of_bytes() {
    let restock = Restock::start();
    let levels =
        |count: usize, sku: &str| json!((0..count).map(|_| json!({"sku": sku, "quantity": 0})).collect::<Vec<_>>());

    let most = restock.put("/inventory/stock-levels/batch", &levels(10_000, "A"));
    let one_more = restock.put("/inventory/stock-levels/batch", &levels(10_001, "A"));
    let too_long = restock.put("/inventory/stock-levels/batch", &levels(10_000, &"x".repeat(512)));

    assert_eq!((most.status, &most.json()["accepted"]), (202, &json!(10_000)));
    assert_problem(&one_more, 413, "PayloadTooLarge");
    assert_problem(&too_long, 413, "PayloadTooLarge");
}

#[test]
fn the_levels_of_a_file_are_accepted_and_mail_who_waits() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let (a, b) = (restock.contact("a"), restock.contact("b"));
    restock.subscribe(&a, "A", "sv-SE", None);
    restock.subscribe(&b, "B", "sv-SE", None);
    let rows: String = (0..19_997).map(|n| format!("no-{n};0\n")).collect();
    let file = format!("SKU;Quantity\nA;5\nB;x\n;7\n{rows}B;2\n");

    let tables = restock.api.header("content-type", "text/csv");
    let answer = tables.send("POST", "/inventory/stock-levels/imports", file.as_bytes()).unwrap();

    assert_eq!(answer.status, 202, "{}", answer.text);
    let report = answer.json();
    assert_eq!((&report["accepted"], &report["rejected"]), (&json!(19_999), &json!(2)));
    let lines: Vec<_> = report["errors"].as_array().unwrap().iter().map(|error| error["line"].clone()).collect();
    assert_eq!(lines, [3, 4]);
    restock.settle();
    assert_eq!(restock.mailed(), ["a", "b"]);
    let mut known = restock.get("/inventory/stock-levels?sku=A").json();
    assert!(known["levels"][0].as_object_mut().unwrap().remove("updatedOn").is_some());
    assert_eq!(known, json!({"sku": "A", "inDemand": true, "levels": [{"quantity": 5}]}));
    let unknown = restock.get("/inventory/stock-levels?sku=no-1").json();
    assert_eq!(unknown, json!({"sku": "no-1", "inDemand": false, "levels": []}));
    assert_problem(&restock.get("/inventory/stock-levels"), 422, "ValidationFailed");
    let batch = tables.send("PUT", "/inventory/stock-levels/batch", b"sku,quantity\nA,0\nB,?\n").unwrap();
    assert_eq!(
        (batch.status, &batch.json()["accepted"], &batch.json()["rejected"][0]["index"]),
        (202, &json!(1), &json!(1))
    );
}

#[test]
fn a_contact_is_created_read_and_found_by_its_email() {
    let restock = Restock::start();
    let body = json!({"email": "Åsa.Öberg@Example.com".replace('Å', "A").replace('Ö', "O"), "firstName": "Åsa", "lastName": "Öberg", "language": "sv-SE", "countryCode": "se", "attributes": {"vip": true, "points": 12.5, "club": null}, "acceptsEmail": true});

    let created = restock.post("/contacts", &body);

    assert_eq!(created.status, 201, "{}", created.text);
    let contact = created.json();
    assert_eq!(
        (&contact["firstName"], &contact["countryCode"], &contact["attributes"]),
        (&json!("Åsa"), &json!("SE"), &body["attributes"])
    );
    let id = contact["id"].as_str().unwrap();
    assert_eq!(restock.get(&format!("/contacts/{id}")).json(), contact);
    assert_eq!(restock.get("/contacts/id?email=asa.oberg%40example.com").json(), json!({"id": id}));
}

#[test]
fn a_second_contact_with_an_email_is_a_conflict_with_the_first_ones_id() {
    let restock = Restock::start();
    let id = restock.contact("a");

    let second = restock.post("/contacts", &json!({"email": "A@EXAMPLE.com"}));

    assert_problem(&second, 409, "EmailTaken");
    assert_eq!(second.json()["id"], json!(id));
    // So the commands that cargo local prints can be run again: they take the first GUID of the answer.
    let is_guid = |part: &&str| uuid::Uuid::try_parse(part).is_ok();
    assert_eq!(second.text.split('"').find(is_guid), Some(id.as_str()));
}

#[test]
fn contact_errors_are_clear() {
    let restock = Restock::start();

    let bad = restock.post("/contacts", &json!({"email": "no address", "language": "?", "countryCode": "SWE", "attributes": {"a": []}, "acceptsEmail": "yes"}));

    assert_eq!(
        field_errors(&bad),
        errors(&[
            ("/email", "InvalidEmail"),
            ("/language", "InvalidLocale"),
            ("/countryCode", "InvalidCountryCode"),
            ("/attributes/a", "WrongType"),
            ("/acceptsEmail", "WrongType")
        ])
    );
    assert!(!bad.text.contains("no address"), "an error repeats personal data: {}", bad.text);
    assert_problem(&restock.get(&format!("/contacts/{NOBODY}")), 404, "ContactNotFound");
    assert_problem(&restock.get("/contacts/id?email=nobody@example.com"), 404, "ContactNotFound");
    assert_eq!(field_errors(&restock.get("/contacts/id")), errors(&[("/email", "Required")]));
    let plus = restock.get("/contacts/id?email=a+b@example.com");
    assert_eq!(field_errors(&plus), errors(&[("/email", "InvalidEmail")]));
    assert!(plus.json()["errors"][0]["message"].as_str().unwrap().contains("%2B"), "{}", plus.text);
    assert_eq!(field_errors(&restock.get("/contacts/nonsense")), errors(&[("/contactId", "InvalidContactId")]));
}

#[test]
fn a_feed_is_configured_and_shown() {
    let restock = Restock::start();

    let configured = restock.put("/feeds/sv-SE", &json!({"url": "https://shop.example/feed.xml"}));

    let expected =
        json!({"locale": "sv-SE", "url": "https://shop.example/feed.xml", "schedule": "PT1H", "failures": 0});
    assert_eq!((configured.status, configured.json()), (200, expected.clone()));
    assert_eq!(restock.get("/feeds/SV-se").json(), expected);
    assert_eq!(restock.get("/feeds").json(), json!([expected]));
    assert_eq!(restock.put("/feeds/sv-SE", &expected).json(), expected, "what is shown may be sent back");
    assert_eq!(
        restock.put("/feeds/sv-SE", &json!({})).json(),
        json!({"locale": "sv-SE", "schedule": "none", "failures": 0})
    );
}

#[test]
fn feed_errors_are_clear() {
    let restock = Restock::start();
    restock.put("/feeds/pl-PL", &json!({}));
    let post = |path: &str, content_type: &str, body: &[u8]| {
        restock.api.header("content-type", content_type).send("POST", path, body).unwrap()
    };

    assert_problem(&restock.get("/feeds/sv-SE"), 404, "FeedNotFound");
    assert_eq!(field_errors(&restock.get("/feeds/nonsense-")), errors(&[("/locale", "InvalidLocale")]));
    for url in ["ftp://shop.example/f", "nonsense", "https://user:secret@shop.example/f"] {
        let refused = restock.put("/feeds/sv-SE", &json!({"url": url}));
        assert_eq!(field_errors(&refused), errors(&[("/url", "InvalidUrl")]), "{url}");
    }
    let misspelled = restock.put("/feeds/sv-SE", &json!({"url": "https://shop.example/f", "shedule": "PT15M"}));
    assert_eq!(field_errors(&misspelled), errors(&[("/shedule", "UnknownProperty")]));
    assert_eq!(
        field_errors(&restock.api.send("POST", "/feeds/pl-PL/imports?allowShrink=yes", &[]).unwrap()),
        errors(&[("/allowShrink", "WrongType")])
    );
    assert_problem(&restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap(), 404, "FeedNotFound");
    assert_problem(&restock.api.send("POST", "/feeds/pl-PL/imports", &[]).unwrap(), 409, "FeedHasNoUrl");
    assert_problem(&post("/feeds/sv-SE/imports", "application/json", b"{}"), 415, "UnsupportedMediaType");
    assert_problem(&post("/feeds/sv-SE/imports", "text/csv", &vec![b'x'; 5 * 1024 * 1024 + 1]), 413, "PayloadTooLarge");
}

#[test]
fn log_errors_are_clear() {
    let restock = Restock::start();

    assert_eq!(restock.get("/inventory/backinstock/log").json(), json!({"entries": []}));
    assert_eq!(
        field_errors(&restock.get("/inventory/backinstock/log?cursor=nonsense")),
        errors(&[("/cursor", "InvalidCursor")])
    );
}

#[test]
fn a_parameter_that_a_call_does_not_have_is_refused_as_it_would_look_like_a_filter() {
    let restock = Restock::start();
    let contact = restock.contact("a");

    for (path, pointer) in [
        ("/inventory/backinstock/log?contactId=1", "/contactId"),
        ("/inventory/backinstock/log?outcom=bounced", "/outcom"),
        ("/inventory/backinstock/demand?sku=SKU-1", "/sku"),
        ("/automations?enabled=true", "/enabled"),
        ("/contacts/id?email=a@example.com&externalId=1", "/externalId"),
        (&format!("/contacts/{contact}/backinstock/subscriptions?sku=A"), "/sku"),
    ] {
        assert_eq!(field_errors(&restock.get(path)), errors(&[(pointer, "UnknownParameter")]), "{path}");
    }
    let misspelled = restock.get("/inventory/backinstock/demand?Locale=sv-SE&limits=5").json();
    let message = "There is no such parameter. Those that there are: locale, limit.";
    assert_eq!(misspelled["errors"][0]["message"], message, "{misspelled}");
    let client = Client::new(&restock.stack.ready.api);
    assert_eq!(client.get("/api/v3/openapi.json?utm_source=x").unwrap().status, 200, "a link works with what is added");
}

#[test]
fn every_path_is_the_same_under_v2_and_nothing_is_under_another_version() {
    let restock = Restock::start();
    let under = |version: &str| {
        Client::new(&format!("{}/api/{version}", restock.stack.ready.api))
            .header("apiKey", &restock.stack.ready.api_key)
    };

    assert_eq!(
        under("v2").json("PUT", "/inventory/stock-levels", &json!({"sku": "A", "quantity": 1})).unwrap().status,
        202
    );
    assert_problem(&under("v4").get("/feeds").unwrap(), 404, "RouteNotFound");
    assert_problem(&under("v3").get("/nonsense").unwrap(), 404, "RouteNotFound");
    assert_problem(&under("v3").send("PATCH", "/feeds", &[]).unwrap(), 404, "RouteNotFound");
}

#[test]
fn a_key_is_needed_known_and_with_the_scope() {
    let restock = Restock::start();
    let without = Client::new(&format!("{}/api/v3", restock.stack.ready.api));
    restock.with_key("reader", &["read-feeds"]);

    assert_problem(&without.get("/feeds").unwrap(), 401, "MissingApiKey");
    assert_problem(&without.header("apikey", "wrong").get("/feeds").unwrap(), 401, "UnknownApiKey");
    assert_eq!(without.header("x-api-key", "reader").get("/feeds").unwrap().status, 200);
    let forbidden = without.header("apikey", "reader").json("PUT", "/feeds/sv-SE", &json!({})).unwrap();
    assert_problem(&forbidden, 403, "MissingScope");
    assert!(forbidden.json()["detail"].as_str().unwrap().contains("write-feeds"));
}

#[test]
fn a_word_among_the_scopes_of_a_key_that_is_none_allows_nothing_and_is_logged() {
    let restock = Restock::start();

    let client = restock.with_key("odd", &["read-feeds", "write-feedz"]);

    assert_eq!(client.get("/feeds").unwrap().status, 200);
    assert_problem(&client.json("PUT", "/feeds/sv-SE", &json!({})).unwrap(), 403, "MissingScope");
    eventually(|| (restock.said("A key has a scope that there is not") > 0).then_some(()));
}
