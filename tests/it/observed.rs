//! What an operator sees of a running stack: metrics, and lines of the log that belong together.

use crate::restock::{Restock, eventually};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Restock {
    /// Returns what the functions have printed so far, as far as it is JSON.
    fn lines(&self) -> Vec<Value> {
        self.printed().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Returns what was counted, and how many times were measured, by metric and the value of its dimension.
    fn measured(&self) -> BTreeMap<String, f64> {
        let mut counted: BTreeMap<String, f64> = BTreeMap::new();
        for line in self.lines().iter().filter(|line| line["_aws"].is_object()) {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Namespace"], "restock");
            let dimensions = directive["Dimensions"][0].as_array().unwrap();
            let of: Vec<&str> = dimensions.iter().map(|name| line[name.as_str().unwrap()].as_str().unwrap()).collect();
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                let values = line[name].as_array().cloned().unwrap_or_else(|| vec![line[name].clone()]);
                let values = values.iter().map(|value| value.as_f64().unwrap());
                let value = match metric["Unit"].as_str().unwrap() {
                    "Count" => values.sum(),
                    "Seconds" => values.filter(|value| *value >= 0.0).count() as f64,
                    unit => panic!("{unit}"),
                };
                *counted.entry([&[name], of.as_slice()].concat().join(" ")).or_default() += value;
            }
        }
        counted
    }
}

#[test]
fn metrics_say_what_happened_in_the_format_that_cloudwatch_reads() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("Metrics".into(), "true".into());
    });
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.subscribe(&restock.contact("bounce"), "A", "sv-SE", None);
    restock.subscribe(&restock.contact("late"), "B", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    let bounced = restock.get("/contacts/id?email=bounce@example.com").json()["id"].as_str().unwrap().to_owned();
    restock.subscribe(&bounced, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 2}));
    restock.send_message("feed-imports", r#"{"v": 1, "type": "import-due-feeds"}"#);
    restock.settle();

    let expected = [
        ("FeedAge sv-SE", 1.0),
        ("Mails accepted", 2.0),
        ("Mails bounced", 1.0),
        ("Mails delivered", 1.0),
        ("Matched", 3.0),
        ("SecondsToMail", 2.0),
        ("Skipped suppressed", 1.0),
        ("StockLevels", 2.0),
        ("Subscribed", 4.0),
    ];
    let expected: BTreeMap<String, f64> = expected.map(|(name, count)| (name.to_owned(), count)).into();
    // What a function prints is there a moment after what it does.
    eventually(|| (restock.measured() == expected).then_some(()));
}

#[test]
fn without_metrics_nothing_is_measured() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    eventually(|| (restock.said("SES accepted a mail") > 0).then_some(()));
    assert_eq!(restock.said("_aws"), 0);
}

#[test]
fn one_id_leads_from_the_call_with_a_level_to_the_events_of_its_mails() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("bounce"), "A", "sv-SE", None);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);

    let called = restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    restock.settle();

    // As API Gateway tells the caller, but for the sign that no tag of a mail may have.
    let id = called.headers["apigw-requestid"].trim_end_matches('=');
    for message in ["Matched a stock level", "SES accepted a mail", "A contact gets no more mail"] {
        eventually(|| (restock.said(message) > 0).then_some(()));
        let lines = restock.lines();
        let said = lines.iter().filter(|line| line["message"] == message);
        let ids: Vec<&str> = said.map(|line| line["span"]["correlation"].as_str().unwrap_or_default()).collect();
        assert!(!ids.is_empty() && ids.iter().all(|found| *found == id), "{message}: {ids:?}, and not {id}");
    }
}
