//! API keys, as the operator's command makes them.

use crate::api::assert_problem;
use crate::hooked::Hooked;
use crate::restock::Restock;
use jiff::{SignedDuration, Span, Timestamp};
use restock_http::KeyLimits;
use restock_local::client::Client;
use restock_operator::keys::{self, Keys};
use restock_store::{ApiKey, Store};
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
        self.keys(create(scopes)).unwrap()
    }

    fn client_of(&self, key: &str) -> Client {
        Client::new(&format!("{}/api/v3", self.stack.ready.api)).header("apikey", key)
    }
}

/// Makes a key without an end, with the usual limit.
fn create(scopes: Vec<String>) -> Keys {
    Keys::Create { name: "test".into(), scopes, expires_in: None, calls_per_second: ApiKey::CALLS_PER_SECOND }
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
        max_calls_per_second: ApiKey::CALLS_PER_SECOND,
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
fn the_name_of_a_key_fits_a_line() {
    let restock = Restock::start();
    let create = |name: &str| {
        let scopes = vec!["read-log".into()];
        let calls_per_second = ApiKey::CALLS_PER_SECOND;
        restock.keys(Keys::Create { name: name.into(), scopes, expires_in: None, calls_per_second })
    };

    for name in ["", " ", "two\nlines", "\u{1b}[31mred", &"x".repeat(101)] {
        let error = create(name).unwrap_err().to_string();
        assert!(error.starts_with("Give the key a name"), "{name}: {error}");
    }
    create(&"x".repeat(100)).unwrap();
}

#[test]
fn a_successor_lives_as_long_as_the_first_key_was_made_for_however_often_it_is_replaced() {
    let restock = Restock::start();
    let month = Some(Span::new().days(30));
    let create =
        Keys::Create { name: "test".into(), scopes: vec!["read-log".into()], expires_in: month, calls_per_second: 1 };
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
    let part = id(&other)[..11].to_owned();
    assert!(restock.keys(Keys::Revoke { id: part }).unwrap_err().contains("12 characters"), "a slip is no id");
}

#[test]
fn a_key_that_can_not_be_written_down_is_not_made() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let restock = Restock::start();
    let key = restock.create_key("erp");
    let before = restock.keys(Keys::List).unwrap();
    let store = restock.store();

    let rotate = Keys::Rotate { id: id(&key), overlap: Span::new().hours(1) };
    let failed = restock.runtime.block_on(keys::run(rotate, &store, &mut Full)).unwrap_err().to_string();

    assert!(failed.contains("Nothing has changed"), "{failed}");
    assert_eq!(restock.keys(Keys::List).unwrap(), before);
}

/// Lets so many instances handle calls of one key for a minute, each in turn, and returns how many calls came, were let
/// through and were asked of the table.
fn minute_of_calls(instances: usize, calls_per_second: i64, limit: u32) -> [u64; 3] {
    let restock = Restock::start();
    let database = Hooked::new(&restock, |_| None);
    let limits: Vec<_> = (0..instances).map(|_| KeyLimits::of(Store::new(database.clone()))).collect();
    let (begin, calls) = (Timestamp::from_second(1_800_000_000).unwrap(), 60 * calls_per_second);
    let admit = async {
        let mut admitted = 0;
        for (call, limits) in (0..calls).zip(limits.iter().cycle()) {
            let now = begin + SignedDuration::from_millis(call * 1_000 / calls_per_second);
            admitted += u64::from(limits.admit("digest", limit, now).await.is_ok());
        }
        admitted
    };
    let admitted = restock.runtime.block_on(admit);
    [calls as u64, admitted, database.writes()]
}

#[test]
fn a_limit_holds_over_all_instances_and_takes_a_request_for_each_ten_calls_at_the_most() {
    // Of three functions with four instances each.
    for (offered, limit) in [(120, 100), (300, 100), (1_000, 100), (100, 200), (30, 10)] {
        let [calls, admitted, requests] = minute_of_calls(12, offered, limit);

        let allowed = calls.min(u64::from(limit) * 60);
        let told =
            format!("{offered} a second of {limit}: {admitted} of {allowed} were let through, by {requests} requests");
        println!("{told}");
        assert!((allowed * 8 / 10..=allowed * 12 / 10).contains(&admitted), "{told}");
        assert!(requests * 10 <= calls, "{told}");
    }
}

#[test]
fn many_instances_that_begin_at_the_same_moment_let_their_first_calls_through() {
    let restock = Restock::start();
    let now = Timestamp::now();
    // As after a deployment: nobody has asked before.
    for (instances, limit) in [(200, ApiKey::CALLS_PER_SECOND), (20, 10)] {
        let digest = format!("key of {limit}");
        let admitted = restock.runtime.block_on(async {
            let mut admitted = 0;
            for _ in 0..instances {
                admitted += u32::from(KeyLimits::of(restock.store()).admit(&digest, limit, now).await.is_ok());
            }
            admitted
        });
        assert_eq!(admitted, instances);
    }
}

#[test]
fn a_key_that_makes_too_many_calls_is_told_when_to_go_on_and_others_do_not_notice() {
    let restock = Restock::start();
    let scopes = || vec!["erp".to_owned()];
    let mut slow = create(scopes());
    if let Keys::Create { calls_per_second, .. } = &mut slow {
        *calls_per_second = 1;
    }
    let (slow, other, unused) = (restock.keys(slow).unwrap(), restock.create_key("erp"), restock.create_key("erp"));
    let level = |key: &str| {
        restock.client_of(key).json("PUT", "/inventory/stock-levels", &json!({"sku": "A", "quantity": 0})).unwrap()
    };

    let mut answer = level(&slow);
    // Far more than a burst and what all instances may have taken.
    for _ in 0..200 {
        answer = level(&slow);
        if answer.status != 202 {
            break;
        }
    }

    assert_problem(&answer, 429, "TooManyRequests");
    assert!(answer.text.contains("1 calls a second"), "{}", answer.text);
    assert!(answer.headers["retry-after"].parse::<u32>().unwrap() >= 1);
    assert_eq!(level(&other).status, 202);
    let listed = restock.keys(Keys::List).unwrap();
    let line = |key: &str| listed.lines().find(|line| line.starts_with(&id(key))).unwrap().to_owned();
    let today = format!("used {}", Timestamp::now().strftime("%Y-%m-%d"));
    assert!(line(&slow).contains(&today) && line(&slow).contains("1/s"), "{listed}");
    assert!(line(&unused).contains("never used"), "{listed}");

    restock.keys(Keys::Limit { id: id(&slow), calls_per_second: 100_000 }).unwrap();
    assert!(restock.keys(Keys::List).unwrap().contains("100000/s"));
}
