//! The integration log: what an entry says, filters, pages, and how long it is kept.

use crate::api::{errors, field_errors};
use crate::restock::{Restock, eventually};
use jiff::Timestamp;
use restock_domain::automation::{AutomationTally, Tally};
use restock_domain::{Arrival, AutomationId, Scope, Sku, Source};
use restock_local::faults::Spec;
use restock_store::{LogFilter, LogKey, LoggedLevel, LoggedPage, Store};
use serde_json::{Value, json};
use std::time::Duration;

/// Sends levels of five SKUs with different outcomes, in this order.
fn with_five_levels() -> Restock {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B", "C", "E"]);
    let few = json!([{"field": "sku", "operator": "equals", "value": "C"}]);
    restock.automation("special", &json!({"name": "Special", "conditions": few}));
    for (name, sku) in [("a", "A"), ("bounce", "B"), ("c", "C"), ("d", "D"), ("e", "E")] {
        restock.subscribe(&restock.contact(name), sku, "sv-SE", None);
    }
    restock.level(json!({"sku": "A", "quantity": 1}));
    restock.level(json!({"sku": "B", "quantity": 1, "locale": "sv-SE"}));
    restock.level(json!({"sku": "C", "quantity": 1, "locale": "SV-se"}));
    restock.level(json!({"sku": "D", "quantity": 1}));
    restock.automation("default", &json!({"name": "Off", "enabled": false}));
    restock.level(json!({"sku": "E", "quantity": 1}));
    restock
}

impl Restock {
    /// Returns the SKUs of the entries that a query finds.
    fn logged(&self, query: &str) -> String {
        let answer = self.get(&format!("/inventory/backinstock/log?{query}"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        body["entries"].as_array().unwrap().iter().map(|entry| entry["sku"].as_str().unwrap()).collect()
    }
}

#[test]
fn the_log_is_filtered_by_sku_locale_automation_outcome_and_time() {
    let restock = with_five_levels();
    let entries = restock.get("/inventory/backinstock/log").json()["entries"].clone();
    let at = |index: usize| entries[index]["at"].as_str().unwrap().to_owned();

    assert_eq!(restock.logged(""), "EDCBA");
    assert_eq!(restock.logged("sku=B"), "B");
    assert_eq!(restock.logged("locale=sv-se"), "CB");
    assert_eq!(restock.logged("automation=special"), "ECBA");
    assert_eq!(restock.logged("automation=default"), "BA");
    assert_eq!(restock.logged("automation=nobody"), "");
    assert_eq!(restock.logged("outcome=sent"), "CBA");
    assert_eq!(restock.logged("outcome=bounced"), "B");
    assert_eq!(restock.logged("outcome=noProductData"), "D");
    assert_eq!(restock.logged("outcome=noAutomation"), "E");
    assert_eq!(restock.logged("outcome=refused&automation=default"), "");
    assert_eq!(restock.logged(&format!("from={}", at(1))), "ED");
    assert_eq!(restock.logged(&format!("to={}", at(1))), "CBA");
    assert_eq!(restock.logged(&format!("from={}&to={}&outcome=sent", at(3), at(0))), "CB");
    assert_eq!(restock.logged("to=2026-01-01"), "");
    assert_eq!(restock.logged("to=9999-12-31"), "EDCBA");
    assert_eq!(restock.logged("from=2026-01-01T00:00:00+01:00&to=2999-01-01T00:00:00+01:00"), "EDCBA", "not escaped");
    assert_eq!(restock.logged("from=2999-01-01"), "");
    assert_eq!(restock.logged("sku=A&automation=default&outcome=delivered"), "A");
}

#[test]
fn a_wrong_filter_is_named() {
    let restock = Restock::start();
    let wrong = |query: &str, parameter: &str, code: &str| {
        let answer = restock.get(&format!("/inventory/backinstock/log?{query}"));
        assert_eq!(field_errors(&answer), errors(&[(&format!("/{parameter}"), code)]), "{query}");
    };

    wrong("sku=%20", "sku", "Empty");
    wrong("sku=A%E5", "sku", "InvalidEncoding");
    wrong("sku=A&sku=B", "sku", "Duplicate");
    wrong("locale=swedish-language-x-", "locale", "InvalidLocale");
    wrong("automation=A", "automation", "InvalidAutomationId");
    wrong("outcome=Sent", "outcome", "InvalidOutcome");
    wrong("from=yesterday", "from", "InvalidTimestamp");
    wrong("limit=0", "limit", "OutOfRange");
    wrong("limit=101", "limit", "OutOfRange");
    wrong("cursor=x", "cursor", "InvalidCursor");
}

#[test]
fn pages_of_a_filtered_log_miss_nothing_and_repeat_nothing() {
    let restock = Restock::start();
    for sku in ["A", "B"] {
        restock.subscribe(&restock.contact(sku), sku, "sv-SE", None);
    }
    let levels: Vec<Value> =
        (1..=60).map(|n| json!({"sku": if n % 3 == 0 { "A" } else { "B" }, "quantity": n})).collect();
    restock.send_message("stock-levels", &Value::from(levels).to_string());
    restock.settle();

    let mut quantities: Vec<i64> = Vec::new();
    let mut cursor = String::new();
    loop {
        let query = format!("outcome=noFeed&sku=A&limit=7&cursor={cursor}");
        let page = restock.get(&format!("/inventory/backinstock/log?{query}")).json();
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= 7);
        quantities.extend(entries.iter().map(|entry| entry["quantity"].as_i64().unwrap()));
        match page["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }

    quantities.sort_unstable();
    assert_eq!(quantities, (1..=20).map(|n| n * 3).collect::<Vec<i64>>());
}

#[test]
fn entries_expire_as_the_setting_says() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("LogDays".to_owned(), "7".to_owned());
    });
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let items = restock.dynamodb("Scan", json!({"TableName": restock.stack.ready.tables["log"]}))["Items"].clone();
    let expires: i64 = items[0]["expiresAt"]["N"].as_str().unwrap().parse().unwrap();
    let days = (expires - Timestamp::now().as_second()) as f64 / 86_400.0;
    assert!((6.9..=7.0).contains(&days), "{days}");
}

/// A level's entry of the log, told page by page.
struct Told {
    restock: Restock,
    store: Store,
    key: LogKey,
}

const KEPT: Duration = Duration::from_secs(3600);

impl Told {
    fn new() -> Self {
        let restock = Restock::start_without_functions();
        let arrival = Arrival { at: Timestamp::now(), id: "m-0".into(), source: Source::Http };
        let (store, key) = (restock.store(), LogKey::new(Sku::parse("A").unwrap(), &arrival));
        Self { restock, store, key }
    }

    fn tell(&self, page: LoggedPage) {
        let level = LoggedLevel { source: Source::Http, scope: &Scope::Sku, quantity: 1, kept: KEPT, late: false };
        self.restock.runtime.block_on(self.store.log_matches(&self.key, &level, &[page])).unwrap();
    }

    /// Returns how many were matched, and whether that is an estimate.
    fn matched(&self) -> (u64, bool) {
        let filter = LogFilter::default();
        let page = self.store.log_page(&filter, None, 10, KEPT, Timestamp::now());
        let entry = &self.restock.runtime.block_on(page).unwrap().entries[0];
        (entry.tally.matched, entry.mails_estimated)
    }
}

fn page(number: u64, matched: u64) -> LoggedPage {
    LoggedPage { number, tally: Tally { matched, ..Default::default() }, places: None, estimated: false }
}

#[test]
fn the_pages_of_a_level_are_added_up_once_each() {
    let told = Told::new();

    for (number, matched) in [(0, 200), (1, 200), (0, 150), (1, 90), (2, 30), (1_000_000, 5), (2, 7)] {
        told.tell(page(number, matched));
    }
    assert_eq!(told.matched(), (435, false));

    // Pages that were too large for a message travel on as their sum.
    let sum = LoggedPage::sum_of(&[page(1_000_001, 3), page(1_000_002, 4)]).unwrap();
    let sum = LoggedPage::from_text(&sum.to_text()).unwrap();
    told.tell(sum.clone());
    told.tell(sum);
    assert_eq!(told.matched(), (442, true));
}

#[test]
fn pages_of_a_second_pass_are_added_up_from_where_the_first_one_came_to() {
    let told = Told::new();
    let tell = |number, matched, from: &str, up_to: &str| {
        let places = Some((from.to_owned(), up_to.to_owned()));
        let sent = LoggedPage { places: places.clone(), ..page(number, matched) };
        let read = LoggedPage::from_text(&sent.to_text()).unwrap();
        assert_eq!(read.places, places, "as it travels in a message");
        told.tell(read);
        told.matched()
    };

    assert_eq!(tell(0, 200, "a", "c"), (200, false));
    assert_eq!(tell(1, 200, "d", "f"), (400, false));
    assert_eq!(tell(0, 90, "b", "f"), (400, false), "known");
    assert_eq!(tell(1, 60, "g", "h"), (460, false), "though another page had the number");
    assert_eq!(tell(7, 10, "h", "k"), (470, true), "two passes at the same time");
}

#[test]
fn a_page_of_the_log_ends_before_it_is_too_large_for_an_answer_and_the_next_one_goes_on() {
    let restock = Restock::start_without_functions();
    let store = restock.store();
    let kept = Duration::from_secs(3600);
    let now = Timestamp::now();
    let automation = |n: usize| AutomationTally {
        id: AutomationId::parse(&format!("a-{n}")).unwrap(),
        version: 1,
        sent: 0,
        refused: 1,
        no_consent: 0,
        conditions: (0..20).map(|condition| (condition, 1)).collect(),
    };
    let tally = Tally { matched: 1, automations: (0..45).map(automation).collect(), ..Tally::default() };

    restock.runtime.block_on(async {
        for n in 0..12 {
            let (at, id) = (now - Duration::from_secs(n), n.to_string());
            let arrival = Arrival { at, id, source: Source::Http };
            let key = LogKey::new(Sku::parse("A").unwrap(), &arrival);
            let (source, scope) = (Source::Http, &Scope::Sku);
            let level = LoggedLevel { source, scope, quantity: 1, kept, late: false };
            let page = LoggedPage { number: 0, tally: tally.clone(), places: None, estimated: false };
            store.log_matches(&key, &level, &[page]).await.unwrap();
        }
        let filter = LogFilter::default();
        let first = store.log_page(&filter, None, 100, kept, now).await.unwrap();
        let second = store.log_page(&filter, first.next.as_deref(), 100, kept, now).await.unwrap();
        assert_eq!((first.entries.len(), second.entries.len(), second.next), (9, 3, None));
    });
}

#[test]
fn everybody_is_mailed_while_the_log_is_throttled_and_its_counts_are_exact_afterwards() {
    let throttled = Spec { throttle: 1.0, table: Some("LogTable".to_owned()), ..Spec::default() };
    let restock = Restock::start_with_faults(throttled, &[("SecondLookSeconds", "4")]);
    let observer = restock.stack.observer().unwrap().clone();
    restock.feed("sv-SE", &["A"]);
    (0..30).for_each(|n| drop(restock.subscribe(&restock.contact(&format!("c{n}")), "A", "sv-SE", None)));

    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.mails().len() == 30).then_some(()));
    observer.faults.pause(true);
    restock.settle();

    let entry = restock.log_entry("A");
    assert_eq!((&entry["matched"], &entry["mails"]["accepted"]), (&json!(30), &json!(30)), "{entry}");
    assert_eq!(Restock::sent(&entry), json!({"default": 30}));
    assert_eq!(entry["mailsEstimated"], false);
}

#[test]
fn counts_that_the_log_may_or_may_not_have_are_marked_as_estimates() {
    let unknown = Spec { error_after: 1.0, table: Some("LogTable".to_owned()), ..Spec::default() };
    let restock = Restock::start_with_faults(unknown, &[("SecondLookSeconds", "4")]);
    let observer = restock.stack.observer().unwrap().clone();
    restock.feed("sv-SE", &["A"]);
    restock.subscribe(&restock.contact("a"), "A", "sv-SE", None);

    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    eventually(|| (restock.mailed() == ["a"]).then_some(()));
    eventually(|| (restock.said("Mails will be counted later") > 0).then_some(()));
    observer.faults.pause(true);
    restock.settle();

    let entry = restock.log_entry("A");
    assert_eq!((&entry["matched"], &entry["mailsEstimated"]), (&json!(1), &json!(true)), "{entry}");
}
