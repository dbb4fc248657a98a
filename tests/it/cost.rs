//! What AWS is asked for, counted. A change that makes something dearer has to change these numbers.

use crate::restock::Restock;
use restock_local::usage::{Usage, Use, table};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// What a thousand mails of one SKU may take, all events included, if SES takes 200 a second.
const BUDGET: Use = Use { requests: 500, reads: 4_240.0, writes: 6_120.0, mails: 1_000 };
/// The same of 400 mails if SES takes 14 a second.
const SLOW_BUDGET: Use = Use { requests: 480, reads: 1_840.0, writes: 2_480.0, mails: 400 };

#[test]
fn a_thousand_mails_cost_no_more_requests_and_capacity_units_than_they_may() {
    assert_within(BUDGET, 200);
}

#[test]
fn mails_at_the_rate_of_a_new_account_cost_no_more_requests_and_capacity_units_than_they_may() {
    assert_within(SLOW_BUDGET, 14);
}

#[test]
fn a_second_look_reads_only_whom_the_first_may_not_have_seen() {
    let restock = Restock::start_as(|options| {
        let parameters = [("ClaimLeaseSeconds", "60"), ("SecondLookSeconds", "1"), ("AutomationsKeptSeconds", "60")];
        options.parameters.extend(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    });
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", 2_000);

    // The second look comes a moment after the first.
    restock.level(json!({"sku": "A", "quantity": 1}));

    let usage = restock.stack.observer().unwrap().usage();
    let queries = usage[&("match-stock".to_owned(), "Query".to_owned())].requests;
    // Ten pages and their end, a page of the second look and its end, and the automations, by each of some instances.
    assert!(queries <= 17, "{queries} requests\n{}", table(&usage));
    assert_eq!(restock.mailed().len(), 2_000);
}

#[test]
fn what_is_decided_is_written_down_for_a_twentieth_of_a_write_unit_each() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.automation("default", &json!({"name": "Nobody", "enabled": false}));
    restock.many_wait("A", 1_000);
    let before = restock.stack.observer().unwrap().usage();

    restock.level(json!({"sku": "A", "quantity": 1}));

    let usage = since(&restock.stack.observer().unwrap().usage(), &before);
    let writes = usage[&("match-stock".to_owned(), "UpdateItem".to_owned())].writes;
    // The counts of the log are among them.
    assert!(writes <= 50.0, "{writes} write units\n{}", table(&usage));
}

#[test]
fn a_tick_of_five_of_whom_ninety_nine_in_a_hundred_are_refused_reads_at_most_five_hundred_units() {
    let people = people(1_500);
    let tick = measured("500 read units", |used| used.reads <= 500.0, || usage_of_a_tick_among(people));

    println!("among {people}:\n{}", table(&tick));
}

/// Returns what a tick takes that lets five be mailed, of so many of whom one in a hundred is accepted.
fn usage_of_a_tick_among(people: u64) -> Usage {
    let restock = with_waves();
    restock.feed("sv-SE", &["A"]);
    let condition = json!({"field": "contact.attributes.club", "operator": "equals", "value": true});
    restock.automation("default", &json!({"name": "The club", "conditions": [condition]}));
    restock.many_wait("A", people);
    for number in (99..people).step_by(100) {
        let contact = Uuid::from_u128(u128::from(number) + 1);
        let changed = restock.patch(&contact.to_string(), &json!({"attributes": {"club": true}}));
        assert_eq!(changed.status, 200, "{}", changed.text);
    }
    restock.level(json!({"sku": "A", "quantity": 5}));
    usage_of_next_wave(&restock)
}

#[test]
fn oldest_first_over_five_locales_reads_at_most_twice_what_one_locale_does() {
    let people = people(1_000);
    let locales = ["sv-SE", "da-DK", "nb-NO", "fi-FI", "de-DE"];
    let reads = [&locales[..1], &locales].map(|locales| {
        let restock = with_waves();
        let each = people / locales.len() as u64;
        for (place, locale) in (0..).zip(locales) {
            restock.feed(locale, &["A"]);
            restock.many_wait_in(locale, "A", place * each..(place + 1) * each);
        }
        let before = restock.stack.observer().unwrap().usage();
        restock.level(json!({"sku": "A", "quantity": 5}));
        let level = matching(since(&restock.stack.observer().unwrap().usage(), &before));
        let tick = usage_of_next_wave(&restock);
        println!("{} locales:\n{}{}", locales.len(), table(&level), table(&tick));
        [level, tick].map(|usage| usage.values().copied().sum::<Use>().reads)
    });

    let [one, five] = reads;
    assert!((0..2).all(|step| five[step] <= 2.0 * one[step]), "a level and a tick read {one:?} and {five:?}");
}

/// Seconds between waves here.
const INTERVAL: u64 = 4;
/// How long after a wave, at the latest, its places are free and a tick is due: a place counts from 7 s after it was
/// taken, and a tick comes within 10 s. Contacts that are refused are not read twice any more by then.
const NEXT_WAVE_AFTER: Duration = Duration::from_secs(INTERVAL + 7 + 10);

/// Starts a stack that lets mails leave in waves, one for each unit, at the ticks that the test asks for and no others:
/// places become free one by one, and a tick in between would not let all five go at once.
fn with_waves() -> Restock {
    let restock = Restock::start_as(|options| {
        options.schedules = false;
        let parameters = [("SecondLookSeconds", "0"), ("AutomationsKeptSeconds", "60")];
        options.parameters.extend(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    });
    let stored = restock.put("/waves", &json!({"perUnit": 1, "interval": format!("PT{INTERVAL}S")}));
    assert_eq!(stored.status, 200, "{}", stored.text);
    restock
}

/// Returns how many wait: so many, unless `RESTOCK_WAITING` says otherwise.
fn people(by_default: u64) -> u64 {
    std::env::var("RESTOCK_WAITING").ok().and_then(|people| people.parse().ok()).unwrap_or(by_default)
}

/// Returns what the tick takes that lets the next five be mailed.
fn usage_of_next_wave(restock: &Restock) -> Usage {
    let mailed = restock.mailed().len();
    std::thread::sleep(NEXT_WAVE_AFTER);
    let before = restock.stack.observer().unwrap().usage();
    restock.tick();
    assert_eq!(restock.mailed().len(), mailed + 5);
    matching(since(&restock.stack.observer().unwrap().usage(), &before))
}

fn matching(mut usage: Usage) -> Usage {
    usage.retain(|(function, _), _| function == "match-stock");
    usage
}

/// Measures up to three times, and returns the first measurement that is within a budget; fails with the last one if
/// none is. On a busy machine fewer tasks share a request, and what comes too late is asked again.
fn measured(budget: &str, is_within: impl Fn(Use) -> bool, measure: impl Fn() -> Usage) -> Usage {
    let mut last = Usage::default();
    for _ in 0..3 {
        last = measure();
        let all = last.values().copied().sum::<Use>();
        if is_within(all) {
            return last;
        }
        println!("took {all:?}, of {budget}:\n{}", table(&last));
    }
    panic!("none of three measurements is within {budget}, at last:\n{}", table(&last));
}

/// Sends mails about one SKU, and fails with a table if they take more than they may.
fn assert_within(budget: Use, send_rate: u32) {
    let is_within = |all: Use| {
        let mails = all.mails == budget.mails;
        mails && all.requests <= budget.requests && all.reads <= budget.reads && all.writes <= budget.writes
    };
    let spent = measured(&format!("{budget:?}"), is_within, || usage_of_mails(budget.mails, send_rate));
    println!("{}", table(&spent));
}

/// Returns what it takes to send mails about one SKU.
fn usage_of_mails(mails: u64, send_rate: u32) -> Usage {
    // With a lease that no machine is too slow for: while events wait, a mail whose answer is late would be sent again.
    let restock = Restock::start_as(|options| {
        let rate = send_rate.to_string();
        let parameters = [
            ("ClaimLeaseSeconds", "60"),
            ("SecondLookSeconds", "0"),
            ("AutomationsKeptSeconds", "60"),
            ("MaxMailsPerSecond", rate.as_str()),
        ];
        options.parameters.extend(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    });
    restock.feed("sv-SE", &["A"]);
    restock.many_wait("A", mails);
    let before = restock.stack.observer().unwrap().usage();

    // Each queue waits for the one before, so that its batches are full: what is counted is the same each time.
    restock.stack.hold("notifications", true).unwrap();
    restock.stack.hold("email-events", true).unwrap();
    let answer = restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1}));
    assert_eq!(answer.status, 202, "{}", answer.text);
    restock.settle_queues(&["stock-levels"]);
    restock.stack.hold("notifications", false).unwrap();
    restock.settle_queues(&["notifications"]);
    restock.stack.hold("email-events", false).unwrap();
    restock.settle();

    assert_eq!(restock.mailed().len() as u64, mails);
    let spent = since(&restock.stack.observer().unwrap().usage(), &before);
    spent
        .into_iter()
        .filter(|((function, _), _)| ["match-stock", "send-email", "record-email-events"].contains(&function.as_str()))
        .collect()
}

/// Where the costs of single operations are written down, and what says that they are.
const DOCS: &str = "docs/performance.md";
const COMMAND: &str = "RESTOCK_WRITE_DOCS=1 cargo test -p restock-tests -- cost::single";

#[test]
fn single_operations_cost_what_the_docs_say() {
    let restock = Restock::start_as(|options| {
        let parameters = [("SecondLookSeconds", "0"), ("AutomationsKeptSeconds", "60")];
        options.parameters.extend(parameters.map(|(name, value)| (name.to_owned(), value.to_owned())));
    });
    // Those of the last operation have a product, so that a mail leaves.
    restock.feed("sv-SE", &["6-0", "6-1", "6-2", "6-3"]);
    let waiting = restock.contact("waiting");
    restock.subscribe(&waiting, "in-demand", "sv-SE", None);
    let subscribe = |sku: &str, of: &str| drop(restock.subscribe(&restock.contact(of), sku, "sv-SE", None));
    let level = |sku: &str, quantity: i64| restock.level(json!({"sku": sku, "quantity": quantity}));
    let levels = |prefix: &str| {
        let levels: Vec<_> = (0..100).map(|n| json!({"sku": format!("{prefix}-{n}"), "quantity": 1})).collect();
        restock.put("/inventory/stock-levels/batch", &json!(levels));
        restock.settle();
    };
    type Operation<'a> = &'a dyn Fn(&str);
    // With the most requests that each may take.
    let of_mails = "create-contact create-subscription send-email record-email-events";
    let operations: [(&str, u64, &str, Operation<'_>); 7] = [
        ("a new contact", 2, "", &|of| drop(restock.contact(of))),
        ("a subscription, the first of its SKU", 4, "create-contact", &|of| subscribe(of, of)),
        ("a subscription, not the first of its SKU", 3, "create-contact", &|of| subscribe("in-demand", of)),
        ("a stock level of a SKU that nobody waits for, by HTTP", 2, "", &|of| level(of, 1)),
        ("a hundred of these in one call", 2, "", &|of| levels(of)),
        ("a stock level that is sold out, of a SKU that somebody waits for", 4, "", &|_| level("in-demand", 0)),
        ("a stock level that is in stock, of a SKU that one waits for, the mail apart", 12, of_mails, &|of| {
            subscribe(of, of);
            level(of, 5);
        }),
    ];
    let mut lines = String::from("| Operation | Requests | Read units | Write units |\n|---|---|--:|--:|\n");
    for (number, (name, budget, not_of, operation)) in operations.into_iter().enumerate() {
        // The least of four, as an instance that is new reads its settings, and each the key once a minute.
        let spent = (0..4).map(|time| {
            let before = restock.stack.observer().unwrap().usage();
            operation(&format!("{number}-{time}"));
            let mut spent = since(&restock.stack.observer().unwrap().usage(), &before);
            spent.retain(|(function, _), used| used.requests > 0 && !not_of.split(' ').any(|of| of == *function));
            spent
        });
        let spent = spent.min_by_key(|spent| spent.values().map(|used| used.requests).sum::<u64>()).unwrap();
        let Use { requests, reads, writes, .. } = spent.values().copied().sum();
        assert!(requests <= budget, "{name} took {requests} requests, of {budget}:\n{}", table(&spent));
        let requests = spent.iter().map(|((of, operation), used)| format!("{of}: {} {operation}", used.requests));
        let requests: Vec<String> = requests.collect();
        lines += &format!("| {name} | {} | {reads} | {writes} |\n", requests.join("<br>"));
    }
    let file = restock_local::workspace().join(DOCS);
    let docs = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = ("<!-- single operations -->\n", "<!-- end -->");
    let (head, rest) = docs.split_once(begin).unwrap();
    let (written, tail) = rest.split_once(end).unwrap();
    if std::env::var_os("RESTOCK_WRITE_DOCS").is_some() {
        std::fs::write(file, format!("{head}{begin}{lines}{end}{tail}")).unwrap();
        return;
    }
    assert_eq!(written, lines, "{DOCS} says something else; if that is meant, run {COMMAND}");
}

/// Returns what was used after an earlier count.
fn since(now: &Usage, before: &Usage) -> Usage {
    let earlier = |of| before.get(of).copied().unwrap_or_default();
    now.iter().map(|(of, used)| (of.clone(), *used - earlier(of))).collect()
}
