//! What an operator sees and does with `cargo restock status` and `redrive`.

use crate::restock::{Restock, eventually};
use restock_operator::stack::Stack;
use restock_operator::{redrive, status};
use restock_queue::Queue;
use serde_json::json;

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
    assert_eq!(line(&status, "24")[2..4], ["1", "mails"], "{status}");
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
    let docs = std::fs::read_to_string(restock_local::workspace().join("docs/operations.md")).unwrap();
    let headings: Vec<String> = docs.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    for page in &pages {
        assert!(headings.iter().any(|heading| page.starts_with(heading.as_str())), "{page}");
    }
    assert_eq!(pages.len(), 3, "{status}");
}

fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
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
    assert_eq!((one.trim_end(), given_up()), ("stock-levels: 1 messages are moved back", [0, 1]));
    let all = restock.redrive_queues(&[]);

    assert_eq!(given_up(), [0, 0]);
    assert!(all.contains("stock-levels: nothing was given up\nnotifications: 1 messages are moved back"), "{all}");
    assert_eq!([restock.on_queue("stock-levels"), restock.on_queue("notifications")], [1, 1]);
    assert!(redrive::queue("mails").unwrap_err().contains("stock-levels, notifications, feed-imports"));
}
