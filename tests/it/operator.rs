//! What an operator sees and does with `cargo restock status` and `redrive`.

use crate::docs::parts_of_the_manual;
use crate::restock::{Restock, eventually};
use jiff::Timestamp;
use restock_domain::{QuotaReading, SendQuota};
use restock_operator::stack::Stack;
use restock_operator::{copy, redrive, status};
use restock_queue::Queue;
use serde_json::{Value, json};

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
    assert!(status.contains("accepted by SES: 1, bounced for good: 0, complaints: 0"), "{status}");
    assert_eq!(line(&status, "sv-SE")[2..], ["1", "of", "1"], "{status}");
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
    fn copy(&self, from: &str, to: &str, overwrite: bool) -> Result<String, String> {
        let (stack, mut out) = (Stack::running(&self.stack.ready), Vec::new());
        let run = copy::run(&stack.dynamodb, from, to, overwrite, &mut out);
        self.runtime.block_on(run).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap().trim_end().to_owned())
    }

    /// Makes a table like another one, with its items, as a restored backup is.
    fn backup_of(&self, table: &str) -> String {
        let described = self.dynamodb("DescribeTable", json!({"TableName": table}))["Table"].clone();
        let keys = described["KeySchema"].clone();
        let is_key = |attribute: &&Value| {
            keys.as_array().unwrap().iter().any(|key| key["AttributeName"] == attribute["AttributeName"])
        };
        let attributes = described["AttributeDefinitions"].as_array().unwrap().iter().filter(is_key);
        let backup = format!("{table}-restored");
        let create = json!({
            "TableName": backup,
            "KeySchema": keys,
            "AttributeDefinitions": attributes.collect::<Vec<_>>(),
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.dynamodb("CreateTable", create);
        self.copy(table, &backup, false).unwrap();
        backup
    }

    fn table(&self, name: &str) -> String {
        self.stack.ready.tables[name].clone()
    }
}

#[test]
fn what_was_deleted_comes_back_from_a_backup_and_what_has_changed_since_stays() {
    let restock = Restock::start();
    let (deleted, changed) = (restock.contact("deleted"), restock.contact("changed"));
    let contacts = restock.table("contacts");
    let backup = restock.backup_of(&contacts);
    restock.dynamodb("DeleteItem", json!({"TableName": contacts, "Key": {"key": {"S": format!("contact#{deleted}")}}}));
    restock.patch(&changed, &json!({"firstName": "New"}));
    assert_eq!(restock.get(&format!("/contacts/{deleted}")).status, 404);

    let said = restock.copy(&backup, &contacts, false).unwrap();

    assert_eq!(said, "copied: 1, there already: 3", "each contact has an item for its address too");
    assert_eq!(restock.get(&format!("/contacts/{deleted}")).status, 200);
    assert_eq!(restock.get(&format!("/contacts/{changed}")).json()["firstName"], "New");
    restock.copy(&backup, &contacts, true).unwrap();
    assert_ne!(restock.get(&format!("/contacts/{changed}")).json()["firstName"], "New");
    assert!(restock.copy(&backup, &restock.table("stock"), false).unwrap_err().contains("different keys"));
    assert!(restock.copy("nothing", &contacts, false).unwrap_err().starts_with("nothing: "));
}

#[test]
fn whoever_was_mailed_since_the_backup_is_not_mailed_again_for_a_restored_subscription() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    let subscriptions = restock.table("subscriptions");
    let backup = restock.backup_of(&subscriptions);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["a"]);

    assert_eq!(restock.copy(&backup, &subscriptions, false).unwrap(), "copied: 1, there already: 0");
    restock.level(json!({"sku": "A", "quantity": 2}));

    assert_eq!(restock.mailed(), ["a"]);
    assert_eq!(restock.subscriptions(&contact), Vec::<Value>::new());
}
