//! What an operator sees and does with `cargo restock status` and `redrive`.

use crate::docs::parts_of_the_manual;
use crate::restock::{Restock, eventually};
use jiff::{SignedDuration, Timestamp};
use restock_domain::{QuotaReading, SendQuota};
use restock_local::client::Client;
use restock_operator::copy::{self, Copy};
use restock_operator::stack::Stack;
use restock_operator::{redrive, status};
use restock_queue::Queue;
use restock_store::ApiKey;
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Restock {
    fn status(&self) -> String {
        let (stack, mut out) = (Stack::running(&self.stack.ready), Vec::new());
        self.runtime.block_on(status::run(&stack, &mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn redrive_queues(&self, queues: &[Queue]) -> String {
        let (stack, mut out) = (Stack::running(&self.stack.ready), Vec::new());
        self.runtime.block_on(redrive::run(&stack, queues.to_vec(), &mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }
}

/// Returns the line of a table that is about something, word by word.
fn line<'a>(status: &'a str, about: &str) -> Vec<&'a str> {
    let lines = status.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.into_iter().find(|words| words.first() == Some(&about)).unwrap_or_else(|| panic!("{about} in {status}"))
}

#[test]
fn a_stack_that_is_well_says_what_leaves_and_asks_for_nothing() {
    let restock = Restock::start();
    assert!(restock.status().contains("none, so nobody can be mailed"));
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    let status = restock.status();

    assert!(line(&status, "Sending").starts_with(&["Sending", "mails", "leave;"]), "{status}");
    assert!(status.contains("accepted by SES: 1, bounced permanently: 0, complaints: 0"), "{status}");
    assert_eq!(line(&status, "sv-SE")[2..], ["1", "of", "1"], "{status}");
    restock.feed("sv-SE", &["A"]);
    assert_eq!(line(&restock.status(), "sv-SE")[2..], ["1", "of", "1"], "what has not changed can be mailed too");
    for queue in ["stock-levels", "notifications", "feed-imports", "email-events", "erasures"] {
        assert_eq!(line(&status, queue)[1..2], ["0"], "{status}");
        assert_eq!(line(&status, queue).last(), Some(&"0"), "{status}");
    }
    assert!(!status.contains("To do"), "{status}");
}

#[test]
fn whatever_asks_for_an_operator_is_named_with_its_page() {
    let restock = Restock::start();
    restock.put("/sending/pause", &json!({"reason": "a wrong price"}));
    restock.put("/inventory/backinstock/holds", &json!({"sku": "RED-1"}));
    restock.put("/feeds/sv-SE", &json!({"url": "http://127.0.0.1:1/feed.xml", "schedule": "P1D"}));
    restock.api.send("POST", "/feeds/sv-SE/imports", &[]).unwrap();
    restock.settle();
    restock.send_message("stock-levels", "no level");
    eventually(|| (restock.on_queue("stock-levels-dead-letters") == 1).then_some(()));

    let status = restock.status();

    assert!(status.contains("paused, since") && status.contains("a wrong price"), "{status}");
    assert_eq!(line(&status, "Held")[1], "RED-1,");
    assert_eq!(line(&status, "stock-levels").last(), Some(&"1"), "{status}");
    assert_eq!(line(&status, "sv-SE")[1..], ["never", "0", "of", "0", "failing"], "{status}");
    let pages: Vec<&str> = status.split("docs/operations.md#").skip(1).collect();
    let parts = parts_of_the_manual();
    for page in &pages {
        assert!(parts.contains(page.split([',', '\n']).next().unwrap()), "{page}");
    }
    assert_eq!(pages.len(), 4, "{status}");
}

#[test]
fn a_key_that_ends_soon_is_named_unless_it_was_meant_to_or_has_a_successor() {
    let restock = Restock::start();
    let (now, day) = (Timestamp::now(), SignedDuration::from_hours(24));
    for (name, made_for, ends_in) in [("shop", 365, 10), ("erp", 365, 20), ("me", 2, 1), ("replaced", 365, 3)] {
        let expires_on = now + day * ends_in;
        let made_ago = if name == "replaced" { 100 } else { made_for - ends_in };
        let key = ApiKey {
            name: name.into(),
            scopes: vec!["read-log".into()],
            created_on: Some(now - day * made_ago),
            expires_on: Some(expires_on),
            made_for_seconds: Some((day * made_for).as_secs()),
            max_calls_per_second: 1,
        };
        restock.runtime.block_on(restock.store().put_api_key(&ApiKey::digest(name), &key)).unwrap();
    }

    let status = restock.status();

    let to_do: Vec<&str> = status.lines().skip_while(|line| *line != "To do").skip(1).collect();
    assert_eq!(to_do.len(), 1, "{status}");
    assert!(to_do[0].starts_with("- The key of shop ends on ") && to_do[0].contains("keys rotate "), "{status}");
}

#[test]
fn a_quota_that_is_used_up_is_named_too() {
    let restock = Restock::start();
    let quota = SendQuota { rate: 14.0, day: Some(200.0), sent: 190.0, enabled: true };
    let now = Timestamp::now();
    let reading = QuotaReading { quota, read_on: now, stopped_on: Some(now) };
    restock.runtime.block_on(restock.store().put_send_quota(reading)).unwrap();

    let status = restock.status();

    assert!(status.contains("the quota of 24 hours is used up; 14 a second, 190 of 200 in 24 hours"), "{status}");
    assert!(status.contains("Sending: docs/operations.md#the-account-may-send-no-more"), "{status}");
    assert!(parts_of_the_manual().contains("the-account-may-send-no-more"));
}

#[test]
fn what_was_given_up_is_moved_back_by_queue_or_all_of_it() {
    let restock = Restock::start();
    restock.send_message("stock-levels", "no level");
    restock.send_message("notifications", "no notification");
    let given_up = || ["stock-levels", "notifications"].map(|queue| restock.on_queue(&format!("{queue}-dead-letters")));
    eventually(|| (given_up() == [1, 1]).then_some(()));
    for queue in ["stock-levels", "notifications"] {
        restock.stack.hold(queue, true).unwrap();
    }

    let one = restock.redrive_queues(&[Queue::StockLevels]);
    assert_eq!((one.trim_end(), given_up()), ("stock-levels   moved back: 1", [0, 1]));
    let all = restock.redrive_queues(&[]);

    assert_eq!(given_up(), [0, 0]);
    assert!(all.contains("stock-levels   moved back: 0\nnotifications  moved back: 1\n"), "{all}");
    assert_eq!([restock.on_queue("stock-levels"), restock.on_queue("notifications")], [1, 1]);
    assert!(redrive::queue("mails").unwrap_err().contains("stock-levels, notifications, feed-imports"));
}

impl Restock {
    /// Copies a table's items into another one, and returns what the command says.
    fn copy(&self, from: &str, to: &str, go_on: bool, overwrite: bool) -> Result<String, String> {
        let (stack, mut out) = (Stack::running(&self.stack.ready), Vec::new());
        let command = Copy { from: from.to_owned(), to: to.to_owned(), go_on, overwrite };
        let run = copy::run(command, &stack.dynamodb, &mut out);
        self.runtime.block_on(run).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap().trim_end().to_owned())
    }

    fn table(&self, name: &str) -> String {
        self.stack.ready.tables[name].clone()
    }

    fn scan(&self, table: &str) -> Vec<Value> {
        self.dynamodb("Scan", json!({"TableName": table}))["Items"].as_array().unwrap().clone()
    }
}

/// Starts a stack with what is in the tables of another one.
fn restored(old: &Restock, tables: &[&str]) -> Restock {
    let new = Restock::start();
    for name in tables {
        let backup = format!("{name}-restored");
        let described = new.dynamodb("DescribeTable", json!({"TableName": new.table(name)}))["Table"].clone();
        let keys = described["KeySchema"].clone();
        let is_key = |attribute: &&Value| {
            keys.as_array().unwrap().iter().any(|key| key["AttributeName"] == attribute["AttributeName"])
        };
        let attributes: Vec<_> =
            described["AttributeDefinitions"].as_array().unwrap().iter().filter(is_key).cloned().collect();
        new.dynamodb("CreateTable", json!({
            "TableName": backup, "KeySchema": keys, "AttributeDefinitions": attributes, "BillingMode": "PAY_PER_REQUEST",
        }));
        for item in old.scan(&old.table(name)) {
            new.dynamodb("PutItem", json!({"TableName": backup, "Item": item}));
        }
        new.copy(&backup, &new.table(name), false, *name == "configuration").unwrap();
    }
    // As another `Restart` does to those who have read the secrets.
    for function in ["create-contact", "create-subscription", "send-email"] {
        new.stack.kill(function);
    }
    new
}

#[test]
fn a_new_stack_goes_on_with_the_tables_of_an_old_one_where_that_ended() {
    let old = Restock::start();
    old.feed("sv-SE", &["A", "B"]);
    let (mailed, waits, gone) = (old.contact("mailed"), old.contact("waits"), old.contact("gone"));
    old.subscribe(&mailed, "A", "sv-SE", None);
    old.level(json!({"sku": "A", "quantity": 1}));
    old.subscribe(&waits, "B", "sv-SE", None);
    let link = old.unsubscribe_link(&waits);
    Client::new(&old.unsubscribe_link(&gone)).send("POST", "", b"").unwrap();
    old.delete(&format!("/contacts/{gone}"));

    let tables = ["configuration", "contacts", "deliveries", "log", "purchases", "stock", "subscriptions"];
    let new = restored(&old, &tables);
    new.feed("sv-SE", &["A", "B"]);
    for sku in ["A", "B"] {
        new.level(json!({"sku": sku, "quantity": 1}));
    }

    assert_eq!(new.mailed(), ["waits"], "the other one was mailed before");
    assert_eq!(new.get("/feeds/sv-SE").status, 200);
    let again = new.contact("gone");
    assert_eq!(
        new.get(&format!("/contacts/{again}")).json()["suppressed"],
        "unsubscribed",
        "the address is recognised"
    );
    let token = link.rsplit('/').next().unwrap();
    let page = Client::new(&format!("{}/unsubscribe/{token}", new.stack.ready.api)).get("").unwrap();
    assert_eq!(page.status, 200, "links of old mails work");
}

#[test]
fn a_table_in_use_is_not_copied_into() {
    let restock = Restock::start();
    restock.contact("a");
    let (contacts, stock) = (restock.table("contacts"), restock.table("stock"));

    let mut other = restock.dynamodb("DescribeTable", json!({"TableName": contacts}))["Table"].clone();
    other["TableName"] = json!("other");
    other["BillingMode"] = json!("PAY_PER_REQUEST");
    let kept = ["TableName", "BillingMode", "KeySchema", "AttributeDefinitions"];
    other.as_object_mut().unwrap().retain(|name, _| kept.contains(&name.as_str()));
    restock.dynamodb("CreateTable", other);

    let refused = |from: &str, to: &str, go_on, overwrite| restock.copy(from, to, go_on, overwrite).unwrap_err();
    assert_eq!(restock.copy(&contacts, "other", false, false).unwrap(), "copied: 2, there already: 0");
    assert!(refused(&contacts, "other", false, false).contains("would come back"));
    assert!(refused(&contacts, "other", false, true).contains("Only the configuration"));
    assert!(refused(&contacts, &contacts, true, false).starts_with("Give two tables"));
    assert!(refused(&contacts, &stock, false, false).contains("different keys"));
    assert!(refused("nothing", &contacts, false, false).starts_with("nothing: "));
    assert_eq!(restock.copy(&contacts, "other", true, false).unwrap(), "copied: 0, there already: 2");
}

#[test]
fn a_new_stack_fetches_feeds_as_a_whole_whatever_an_old_one_knew_of_them() {
    let old = Restock::start();
    let configuration = old.table("configuration");
    let item = json!({"kind": {"S": "feed-fetch"}, "id": {"S": "sv-se"}, "etag": {"S": "x"}});
    old.dynamodb("PutItem", json!({"TableName": configuration, "Item": item}));

    let new = restored(&old, &["configuration"]);

    let kinds = |restock: &Restock| {
        let items = restock.scan(&restock.table("configuration"));
        items.iter().map(|item| item["kind"]["S"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert!(kinds(&old).contains("feed-fetch") && !kinds(&new).contains("feed-fetch"));
    assert!(kinds(&new).contains("secret"));
}
