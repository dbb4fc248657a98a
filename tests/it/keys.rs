//! API keys, as the operator's command makes them.

use crate::api::assert_problem;
use crate::restock::Restock;
use jiff::{Span, Timestamp};
use restock_local::client::Client;
use restock_operator::keys::{self, Keys};
use restock_store::ApiKey;
use serde_json::json;

impl Restock {
    /// Carries a command out, and returns what it printed.
    fn keys(&self, command: Keys) -> Result<String, String> {
        let (store, mut out) = (self.store(), Vec::new());
        let run = keys::run(command, &store, &mut out);
        self.runtime.block_on(run).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap().trim_end().to_owned())
    }

    fn create_key(&self, scopes: &str) -> String {
        let scopes = scopes.split(',').map(ToOwned::to_owned).collect();
        self.keys(Keys::Create { name: "test".into(), scopes, expires_in: None }).unwrap()
    }

    fn client_of(&self, key: &str) -> Client {
        Client::new(&format!("{}/api/v3", self.stack.ready.api)).header("apikey", key)
    }
}

/// Returns what the commands call a key.
fn id(key: &str) -> String {
    ApiKey::digest(key)[..12].to_owned()
}

#[test]
fn a_set_of_scopes_lets_a_key_do_what_its_system_does_and_no_more() {
    let restock = Restock::start();
    let [shop, erp, operator] =
        ["storefront", "erp", "operator"].map(|set| restock.client_of(&restock.create_key(set)));

    let contact = json!({"email": "a@example.com"});
    let level = json!({"sku": "A", "quantity": 0});
    assert_eq!(shop.json("POST", "/contacts", &contact).unwrap().status, 201);
    assert_problem(&shop.json("PUT", "/inventory/stock-levels", &level).unwrap(), 403, "MissingScope");
    assert_eq!(erp.json("PUT", "/inventory/stock-levels", &level).unwrap().status, 202);
    assert_problem(&erp.json("POST", "/contacts", &contact).unwrap(), 403, "MissingScope");
    assert_problem(&erp.json("PUT", "/sending/pause", &json!({})).unwrap(), 403, "MissingScope");
    assert_eq!(operator.json("PUT", "/sending/pause", &json!({})).unwrap().status, 200);
}

#[test]
fn a_key_that_has_expired_is_refused_and_says_so() {
    let restock = Restock::start();
    let key = |expires_on| ApiKey {
        name: "x".into(),
        scopes: vec!["read-log".into()],
        created_on: None,
        expires_on,
        made_for_seconds: None,
    };
    for (word, offset) in [("past", -1), ("future", 3600)] {
        let expires_on = Timestamp::now() + Span::new().seconds(offset);
        let stored = restock.store();
        restock.runtime.block_on(stored.put_api_key(&ApiKey::digest(word), &key(Some(expires_on)))).unwrap();
    }

    assert_problem(&restock.client_of("past").get("/sending").unwrap(), 401, "ExpiredApiKey");
    assert_eq!(restock.client_of("future").get("/sending").unwrap().status, 200);
}

#[test]
fn a_rotated_key_has_a_successor_that_may_do_the_same_and_soon_expires() {
    let restock = Restock::start();
    let old = restock.create_key("read-log,read-feeds");

    let new = restock.keys(Keys::Rotate { id: id(&old), overlap: Span::new().hours(24) }).unwrap();

    for key in [&old, &new] {
        assert_eq!(restock.client_of(key).get("/feeds").unwrap().status, 200);
    }
    let stored = |key: &str| restock.runtime.block_on(restock.store().api_key(&ApiKey::digest(key))).unwrap().unwrap();
    let (old, new) = (stored(&old), stored(&new));
    assert_eq!((old.scopes, old.name), (new.scopes, new.name));
    let left = old.expires_on.unwrap().duration_since(Timestamp::now()).as_hours();
    assert!(left == 23 && new.expires_on.is_none(), "{left}");
}

#[test]
fn a_successor_lives_as_long_as_the_first_key_was_made_for_however_often_it_is_replaced() {
    let restock = Restock::start();
    let month = Some(Span::new().days(30));
    let create = Keys::Create { name: "test".into(), scopes: vec!["read-log".into()], expires_in: month };
    let mut key = restock.keys(create).unwrap();
    for _ in 0..2 {
        key = restock.keys(Keys::Rotate { id: id(&key), overlap: Span::new().hours(1) }).unwrap();
    }

    let stored = restock.runtime.block_on(restock.store().api_key(&ApiKey::digest(&key))).unwrap().unwrap();
    let days = stored.expires_on.unwrap().duration_since(stored.created_on.unwrap()).as_hours() / 24;
    assert_eq!(days, 30);
}

#[test]
fn a_shop_finds_the_contact_of_a_shopper_who_comes_back_and_sees_no_more_of_it() {
    let restock = Restock::start();
    let known = restock.contact("known");
    let shop = restock.client_of(&restock.create_key("storefront"));

    let taken = shop.json("POST", "/contacts", &json!({"email": "known@example.com"})).unwrap();
    let found = shop.get("/contacts/id?email=known@example.com").unwrap();
    let subscribe = json!({"contactId": known, "sku": "A", "locale": "sv-SE"});
    let subscribed = shop.json("POST", "/inventory/backinstock/subscriptions", &subscribe).unwrap();

    assert_eq!((taken.json()["id"].clone(), found.json()), (json!(known), json!({"id": known})));
    assert_eq!(subscribed.status, 201, "{}", subscribed.text);
    assert_problem(&shop.get(&format!("/contacts/{known}")).unwrap(), 403, "MissingScope");
}

#[test]
fn a_revoked_key_is_gone_from_the_list_and_a_wrong_id_is_told() {
    let restock = Restock::start();
    let (one, other) = (restock.create_key("read-log"), restock.create_key("erp"));

    let before = restock.keys(Keys::List).unwrap();
    restock.keys(Keys::Revoke { id: id(&one) }).unwrap();
    let after = restock.keys(Keys::List).unwrap();

    assert!(before.contains(&id(&one)) && before.contains("test: erp") && !before.contains(&one), "{before}");
    assert!(!after.contains(&id(&one)) && after.contains(&id(&other)), "{after}");
    assert_problem(&restock.client_of(&one).get("/sending").unwrap(), 401, "UnknownApiKey");
    assert!(restock.keys(Keys::Revoke { id: "nonsense".into() }).unwrap_err().contains("no key nonsense"));
    assert!(restock.keys(Keys::Revoke { id: String::new() }).is_err(), "not all of them");
}
