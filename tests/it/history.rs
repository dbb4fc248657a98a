//! Histories of subscriptions and contacts: what happened, and why.

use crate::api::{assert_problem, errors, field_errors};
use crate::restock::{Restock, eventually};
use serde_json::{Value, json};

impl Restock {
    fn history(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    fn history_of(&self, subscription: &Value) -> Value {
        self.history(&format!("/inventory/backinstock/subscriptions/{}/history", subscription["id"].as_str().unwrap()))
    }
}

impl Restock {
    fn entries_page_by_page(&self, path: &str, limit: usize) -> Value {
        let (mut read, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.history(&format!("{path}?limit={limit}{cursor}"));
            assert!(cursor.is_empty() || page["waiting"] == json!([]));
            read.extend(page["entries"].as_array().unwrap().clone());
            let Some(next) = page["cursor"].as_str() else { return json!(read) };
            assert!(cursor != format!("&cursor={next}"), "the pages stand still");
            cursor = format!("&cursor={next}");
        }
    }
}

/// Returns the events of a history, newest first.
fn events(history: &Value) -> Vec<&str> {
    history["entries"].as_array().unwrap().iter().map(|entry| entry["event"].as_str().unwrap()).collect()
}

/// Returns the sentence of the newest event of this kind.
fn sentence<'a>(history: &'a Value, event: &str) -> &'a str {
    let entries = history["entries"].as_array().unwrap();
    entries.iter().find(|entry| entry["event"] == event).unwrap()["text"].as_str().unwrap()
}

fn why_waiting(history: &Value) -> &str {
    history["waiting"][0]["text"].as_str().unwrap()
}

#[test]
fn a_history_tells_why_a_shopper_was_not_mailed_and_then_was_and_stays_what_it_was() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let gold = json!({"field": "contact.attributes.club", "operator": "equals", "value": "gold"});
    restock.automation("default", &json!({"name": "Club first", "conditions": [gold]}));
    let contact = restock.contact("ann");
    let subscription = restock.subscribe(&contact, "A", "sv-SE", None);
    assert_eq!(
        why_waiting(&restock.history_of(&subscription)),
        "The product was not reported in stock since the shopper subscribed, as far as the log goes back. If it was, ask whoever \
         runs the stock system: a report with an older time than the one before does not count."
    );

    restock.level(json!({"sku": "A", "quantity": 5}));
    let refused = restock.history_of(&subscription);
    assert_eq!(events(&refused), ["skipped", "subscribed"]);
    assert_eq!(
        sentence(&refused, "skipped"),
        "The product was reported in stock (5). The automation “Club first” left the shopper out, because this did not hold: \
         the shopper's club is gold. So there was no mail. The shopper stays on the list for the next time that it is \
         reported in stock."
    );

    // What is so later changes nothing about what was decided.
    restock.automation("default", &json!({"name": "Everybody"}));
    restock.api.json("PATCH", &format!("/contacts/{contact}"), &json!({"attributes": {"club": "gold"}})).unwrap();
    restock.feed("sv-SE", &["A", "B"]);
    assert_eq!(restock.history_of(&subscription)["entries"], refused["entries"]);

    restock.level(json!({"sku": "A", "quantity": 7}));
    let mailed = restock.history_of(&subscription);
    assert_eq!(events(&mailed), ["delivered", "sent", "taken", "skipped", "subscribed"]);
    assert_eq!(
        sentence(&mailed, "taken"),
        "The product was reported in stock (7). The automation “Everybody” chose the shopper, so a mail was to leave."
    );
    assert_eq!(
        (sentence(&mailed, "sent"), &mailed["entries"][1]["template"]["version"]),
        ("The mail was sent by the automation “Everybody”.", &json!(0))
    );
    assert_eq!(mailed["waiting"], json!([]), "it is used up");
    assert_eq!(mailed["entries"][3], refused["entries"][0]);
    assert_eq!(restock.history(&format!("/contacts/{contact}/history"))["entries"], mailed["entries"]);
}

#[test]
fn whoever_waits_is_told_what_stands_in_the_way() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let (ann, bo) = (restock.contact("ann"), restock.contact("bo"));
    let no_feed = restock.subscribe(&ann, "A", "de-DE", None);
    let not_in_it = restock.subscribe(&ann, "Z", "sv-SE", None);
    let unsubscribed = restock.subscribe(&bo, "A", "sv-SE", None);
    restock.api.json("PATCH", &format!("/contacts/{bo}"), &json!({"acceptsEmail": false})).unwrap();

    restock.level(json!({"sku": "A", "quantity": 1}));
    restock.level(json!({"sku": "Z", "quantity": 1}));

    let history = restock.history_of(&no_feed);
    assert_eq!(why_waiting(&history), "No mail can come, because no product feed serves the locale de-DE.");
    assert!(sentence(&history, "skipped").contains("no product feed served the locale de-DE"), "{history}");
    let history = restock.history_of(&not_in_it);
    assert_eq!(why_waiting(&history), "No mail can come, because the product feed of sv-SE does not have Z.");
    let history = restock.history_of(&unsubscribed);
    assert_eq!(history["entries"][0]["reason"], "noConsent", "{history}");
    assert!(
        sentence(&history, "skipped").contains("left the shopper out, because the shopper does not accept email"),
        "{history}"
    );
    assert_eq!(why_waiting(&history), "No mail can come, because the shopper does not accept email.");
    let both = restock.history(&format!("/contacts/{ann}/history"));
    assert_eq!(both["waiting"].as_array().unwrap().len(), 2);
    assert_eq!(events(&both), ["skipped", "skipped", "subscribed", "subscribed"]);
}

#[test]
fn whoever_waits_for_something_else_than_came_is_told_so() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let swedish = restock.subscribe(&restock.contact("ann"), "A", "sv-SE", None);
    restock.subscribe(&restock.contact("bo"), "A", "pl-PL", None);

    restock.level(json!({"sku": "A", "quantity": 4, "locale": "pl-PL"}));
    let only = "The product was reported in stock for pl-PL only, which is not what the shopper waits for (sv-SE).";
    assert_eq!(why_waiting(&restock.history_of(&swedish)), only);

    restock.level(json!({"sku": "A", "quantity": 3}));
    let late = restock.subscribe(&restock.contact("cy"), "A", "sv-SE", None);
    let before = "The product was in stock already (3) when the shopper subscribed. The next time that the product is reported in stock counts.";
    assert_eq!(why_waiting(&restock.history_of(&late)), before);
}

#[test]
fn whoever_waited_for_a_wave_is_told_if_there_are_none_any_more() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1, "interval": "PT1H"}));
    restock.subscribe(&restock.contact("ann"), "A", "sv-SE", None);
    let second = restock.subscribe(&restock.contact("bo"), "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    restock.delete("/waves");

    let said = restock.history_of(&second);
    assert!(why_waiting(&said).contains("mails do not leave in waves any more"), "{said}");
}

#[test]
fn a_mail_that_was_not_sent_after_all_says_why() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let subscription = restock.subscribe(&restock.contact("ann"), "A", "sv-SE", None);
    restock.stack.hold("notifications", true).unwrap();
    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 5}));
    restock.settle_queues(&["stock-levels"]);
    let on_its_way = "A mail is on its way.";
    assert_eq!(why_waiting(&restock.history_of(&subscription)), on_its_way);
    restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 0}));
    restock.settle_queues(&["stock-levels"]);
    restock.stack.hold("notifications", false).unwrap();
    restock.settle();

    let history = restock.history_of(&subscription);

    assert_eq!(events(&history), ["notSent", "taken", "subscribed"]);
    assert!(sentence(&history, "notSent").contains("sold out again before the mail left"), "{history}");
    assert_eq!(
        why_waiting(&history),
        "The product is not in stock now. The shopper waits for it to be reported in stock."
    );
}

#[test]
fn whoever_waits_for_a_wave_is_told_the_place_in_line() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1, "interval": "PT1H"}));
    let names = ["ann", "bo", "cy"];
    let subscriptions = names.map(|name| restock.subscribe(&restock.contact(name), "A", "sv-SE", None));

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(events(&restock.history_of(&subscriptions[0])), ["delivered", "sent", "waitedInLine", "subscribed"]);
    let last = restock.history_of(&subscriptions[2]);
    assert_eq!(events(&last), ["waitedInLine", "subscribed"]);
    assert_eq!(last["entries"][0]["place"], 3, "{last}");
    assert!(sentence(&last, "waitedInLine").ends_with("at place 3 of those who waited in sv-SE."), "{last}");
    assert_eq!(
        why_waiting(&last),
        "The shopper waits for a turn, as mails leave in waves; 1 of the same locale asked before."
    );
}

#[test]
fn whoever_waits_in_line_is_told_what_holds_the_mail_now() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let policy = |extra: Value| {
        let mut policy = json!({"perUnit": 1, "interval": "PT1H"});
        policy.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        restock.put("/waves", &policy);
    };
    policy(json!({}));
    let first = restock.subscribe(&restock.contact("ann"), "A", "sv-SE", None);
    let second = restock.subscribe(&restock.contact("bo"), "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    let why = || why_waiting(&restock.history_of(&second)).to_owned();
    assert_eq!(events(&restock.history_of(&first))[0], "delivered");

    restock.put("/inventory/backinstock/holds", &json!({"sku": "A"}));
    assert!(why().starts_with("No mail about the product leaves now, because it is held."), "{}", why());
    restock.delete("/inventory/backinstock/holds?sku=A");
    restock.put("/sending/pause", &json!({}));
    assert!(why().starts_with("Nothing leaves now, because all sending is paused."), "{}", why());
    restock.delete("/sending/pause");
    policy(json!({"minimum": 10}));
    assert!(why().starts_with("The stock of 1 is below the minimum of 10 that is set for waves"), "{}", why());
    policy(json!({"holdDown": "PT1H"}));
    assert!(why().starts_with("The stock has to hold for a while first: mails about it leave from 20"), "{}", why());
    policy(json!({"first": {"attribute": "club", "values": ["gold"], "headStart": "PT1H"}}));
    assert!(why().starts_with("Others come first until 20"), "{}", why());
    let hour = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    let [from, to] = [hour + 23, hour + 2].map(|hour| format!("{:02}:00", hour % 24));
    policy(json!({"quietHours": {"from": from, "to": to, "zone": "UTC"}}));
    assert!(why().starts_with("Nothing leaves in quiet hours, which end at 20"), "{}", why());
    policy(json!({}));
    restock.automation("default", &json!({"name": "Back in stock", "enabled": false}));
    assert!(why().starts_with("The automation that chose the shopper is switched off or deleted now."), "{}", why());
}

#[test]
fn what_kept_a_mail_from_leaving_is_told_after_it_is_over() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["held", "paused", "steady", "quiet"]);
    let ann = restock.contact("ann");
    let decided = |sku: &str, event: &str| {
        let subscription = restock.subscribe(&ann, sku, "sv-SE", None);
        // It is not settled while nothing may leave.
        restock.put("/inventory/stock-levels", &json!({"sku": sku, "quantity": 3}));
        let entry = |history: &Value| {
            let mut entries = history["entries"].as_array().unwrap().iter();
            entries.find(|entry| entry["event"] == event).cloned()
        };
        eventually(|| entry(&restock.history_of(&subscription)));
        // What is set from now on changes nothing of it.
        restock.delete("/waves");
        restock.delete("/sending/pause");
        restock.delete("/inventory/backinstock/holds?sku=held");
        entry(&restock.history_of(&subscription)).unwrap()
    };

    restock.put("/inventory/backinstock/holds", &json!({"sku": "held"}));
    let held = decided("held", "taken");
    assert_eq!(held["heldBack"], json!({"by": "hold"}), "{held}");
    assert!(held["text"].as_str().unwrap().ends_with("Nothing left then, because the product was held."), "{held}");
    restock.put("/sending/pause", &json!({}));
    assert_eq!(decided("paused", "taken")["heldBack"], json!({"by": "pause"}));
    restock.put("/waves", &json!({"perUnit": 1, "holdDown": "PT1H"}));
    let steady = decided("steady", "waitedInLine");
    assert_eq!(steady["heldBack"]["by"], "holdDown", "{steady}");
    assert!(steady["text"].as_str().unwrap().ends_with("because the stock had to hold for a while first."), "{steady}");
    let hour = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    let [from, to] = [hour + 23, hour + 2].map(|hour| format!("{:02}:00", hour % 24));
    restock.put("/waves", &json!({"quietHours": {"from": from, "to": to, "zone": "UTC"}}));
    let quiet = decided("quiet", "taken");
    assert_eq!(quiet["heldBack"]["by"], "quietHours", "{quiet}");
    assert!(quiet["heldBack"]["until"].as_str().unwrap().contains(&format!("T{to}:00")), "{quiet}");
}

#[test]
fn a_level_while_the_stock_holds_already_does_not_begin_the_hold_down_again() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1, "holdDown": "PT1H"}));
    let subscription = restock.subscribe(&restock.contact("ann"), "A", "sv-SE", None);

    restock.level(json!({"sku": "A", "quantity": 3}));
    restock.level(json!({"sku": "A", "quantity": 4}));

    let history = restock.history_of(&subscription);
    assert_eq!(events(&history), ["waitedInLine", "waitedInLine", "subscribed"]);
    let until = |entry: usize| history["entries"][entry]["heldBack"]["until"].as_str().unwrap();
    assert_eq!(until(0), until(1), "{history}");
}

#[test]
fn a_mail_that_ses_refused_and_a_level_for_something_else_are_told_as_such() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let refused = restock.subscribe(&restock.contact("refuse"), "A", "sv-SE", Some("north"));
    restock.level(json!({"sku": "A", "quantity": 5}));
    assert!(why_waiting(&restock.history_of(&refused)).starts_with("The mail service refused the mail."));

    let south = restock.subscribe(&restock.contact("bo"), "A", "sv-SE", Some("south"));
    restock.level(json!({"sku": "A", "quantity": 0}));
    restock.level(json!({"sku": "A", "quantity": 5, "externalId": "east"}));
    assert_eq!(
        why_waiting(&restock.history_of(&south)),
        "The product was reported in stock for east only, which is not what the shopper waits for (sv-SE, south)."
    );
}

#[test]
fn everybody_of_many_finds_their_own_decision_whatever_the_page_and_the_scope() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.automation("default", &json!({"name": "Nobody", "enabled": false}));
    restock.many_wait("A", 450);
    let others: Vec<Value> = ["de-DE", "pl-PL", "sv-SE"]
        .iter()
        .map(|locale| restock.subscribe(&restock.contact(locale), "A", locale, Some("shelf")))
        .collect();
    restock.level(json!({"sku": "A", "quantity": 3}));
    restock.level(json!({"sku": "A", "quantity": 4, "locale": "sv-SE"}));
    restock.level(json!({"sku": "A", "quantity": 5, "externalId": "shelf"}));

    let of = |subscription: &Value| {
        let history = restock.history_of(subscription);
        let entries = history["entries"].as_array().unwrap().iter();
        let levels =
            entries.filter(|entry| entry["event"] == "skipped").map(|entry| entry["level"]["quantity"].clone());
        json!(levels.collect::<Vec<_>>())
    };
    assert_eq!(others.iter().map(of).collect::<Vec<_>>(), [json!([5, 3]), json!([5, 3]), json!([5, 4, 3])]);
    let many = restock.runtime.block_on(restock.store().every_subscription(None, 1_000)).unwrap().waiting;
    let seeded: Vec<_> = many.iter().filter(|waiting| waiting.subscription.external_id.is_none()).collect();
    assert_eq!(seeded.len(), 450);
    for waiting in seeded.iter().step_by(37) {
        assert_eq!(of(&json!({"id": waiting.subscription.id().to_string()})), json!([4, 3]));
    }
}

#[test]
fn a_history_is_read_page_by_page_without_a_gap_or_a_repetition() {
    let restock = Restock::start();
    restock.automation("default", &json!({"name": "Nobody", "enabled": false}));
    let contact = restock.contact("ann");
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.subscribe(&contact, "B", "sv-SE", Some("x"));
    for quantity in 1..=7 {
        restock.level(json!({"sku": "A", "quantity": quantity}));
        restock.level(json!({"sku": "B", "quantity": quantity}));
    }
    let path = format!("/contacts/{contact}/history");
    let whole = restock.history(&format!("{path}?limit=50"));
    assert_eq!(whole["entries"].as_array().unwrap().len(), 16);
    assert_eq!(whole["cursor"], Value::Null);

    assert_eq!(restock.entries_page_by_page(&path, 3), whole["entries"]);
}

#[test]
fn levels_of_one_moment_are_each_told_once_however_short_the_pages_are() {
    let restock = Restock::start();
    restock.automation("default", &json!({"name": "Nobody", "enabled": false}));
    let contact = restock.contact("ann");
    restock.subscribe(&contact, "A", "sv-SE", None);
    let levels = json!([{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 2, "locale": "sv-SE"}]);
    assert_eq!(restock.put("/inventory/stock-levels/batch", &levels).status, 202);
    restock.settle();

    let path = format!("/contacts/{contact}/history");
    let whole = restock.history(&path)["entries"].clone();
    assert_eq!((&whole[0]["at"], whole.as_array().unwrap().len()), (&whole[1]["at"], 3), "{whole}");
    assert_eq!(restock.entries_page_by_page(&path, 1), whole);
}

#[test]
fn a_level_that_covers_more_subscriptions_than_a_page_has_entries_does_not_hold_the_pages_up() {
    let restock = Restock::start();
    restock.automation("default", &json!({"name": "Nobody", "enabled": false}));
    let contact = restock.contact("ann");
    for external_id in [None, Some("x"), Some("y")] {
        restock.subscribe(&contact, "A", "sv-SE", external_id);
    }
    for quantity in 1..=3 {
        restock.level(json!({"sku": "A", "quantity": quantity}));
    }

    let path = format!("/contacts/{contact}/history");
    let whole = restock.history(&format!("{path}?limit=50"))["entries"].clone();
    assert_eq!(whole.as_array().unwrap().len(), 12);
    for limit in [1, 2, 5] {
        assert_eq!(restock.entries_page_by_page(&path, limit), whole, "{limit}");
    }
}

#[test]
fn pages_go_on_before_the_time_from_which_on_a_subscription_could_meet_levels() {
    let restock = Restock::start();
    let list =
        "email,sku,locale,subscribedOn\nann@example.com,A,sv-SE,2026-01-01\nann@example.com,B,sv-SE,2026-02-01\n";
    let api = restock.api.header("content-type", "text/csv");
    api.send("POST", "/inventory/backinstock/subscriptions/imports", list.as_bytes()).unwrap();
    let contact = restock.get("/contacts/id?email=ann@example.com").json()["id"].as_str().unwrap().to_owned();

    let path = format!("/contacts/{contact}/history");

    let whole = restock.history(&path)["entries"].clone();
    assert_eq!(events(&json!({"entries": whole})), ["subscribed", "subscribed"]);
    assert!(whole[0]["text"].as_str().unwrap().contains("in another system"), "{whole}");
    assert_eq!(restock.entries_page_by_page(&path, 1), whole);
}

#[test]
fn a_subscription_that_another_ones_mail_has_used_up_says_so() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("ann");
    let old = restock.subscribe(&contact, "A", "sv-SE", Some("north"));
    restock.subscribe(&contact, "A", "sv-SE", Some("south"));

    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_eq!(restock.mailed(), ["ann"]);
    let history = restock.history_of(&old);
    assert_eq!(events(&history), ["notSent", "taken", "subscribed"]);
    assert!(sentence(&history, "notSent").ends_with("This one ended with it."));
    restock.level(json!({"sku": "A", "quantity": 2}));
    assert_eq!(restock.history_of(&old), history, "a level that comes later is not for it");
}

#[test]
fn whoever_a_later_wave_refuses_is_told_why() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1, "interval": "PT5S"}));
    let contacts = ["ann", "bo"].map(|name| restock.contact(name));
    let subscriptions = contacts.each_ref().map(|contact| restock.subscribe(contact, "A", "sv-SE", None));
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["ann"]);
    restock.api.json("PATCH", &format!("/contacts/{}", contacts[1]), &json!({"acceptsEmail": false})).unwrap();

    let history = eventually(|| {
        restock.tick();
        let history = restock.history_of(&subscriptions[1]);
        (events(&history).len() > 2).then_some(history)
    });

    assert_eq!(events(&history), ["notSent", "waitedInLine", "subscribed"]);
    assert_eq!(history["entries"][0]["reason"], "noConsent");
}

#[test]
fn a_mail_stands_under_the_automation_that_chose_the_shopper_when_the_turn_came() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.put("/waves", &json!({"perUnit": 1, "interval": "PT5S"}));
    for (id, priority) in [("club", 1), ("all", 2)] {
        restock.automation(id, &json!({"name": id, "priority": priority}));
    }
    let [_, second] = ["ann", "bo"].map(|name| restock.subscribe(&restock.contact(name), "A", "sv-SE", None));
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["ann"]);

    restock.automation("club", &json!({"name": "club", "enabled": false}));
    let history = eventually(|| {
        restock.tick();
        let history = restock.history_of(&second);
        events(&history).contains(&"sent").then_some(history)
    });

    let chosen_by = |event: &str| {
        let entries = history["entries"].as_array().unwrap();
        entries.iter().find(|entry| entry["event"] == event).unwrap()["automation"].clone()
    };
    assert_eq!(chosen_by("waitedInLine"), json!({"id": "club", "version": 1}));
    assert_eq!(chosen_by("sent"), json!({"id": "all", "version": 1}));
    assert_eq!(sentence(&history, "sent"), "The mail was sent by the automation “all”.");
    let of = |id: &str| json!({"id": id, "version": 1, "mails": 1});
    eventually(|| (restock.log_entry("A")["mailedBy"] == json!([of("all"), of("club")])).then_some(()));
    let filtered = restock.get("/inventory/backinstock/log?automation=all&outcome=accepted").json();
    assert_eq!(filtered["entries"].as_array().unwrap().len(), 1);
}

#[test]
fn there_is_no_history_of_what_never_was_or_was_erased() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("ann");
    let subscription = restock.subscribe(&contact, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    let id = subscription["id"].as_str().unwrap();
    let (one, all) =
        (format!("/inventory/backinstock/subscriptions/{id}/history"), format!("/contacts/{contact}/history"));
    assert_eq!(restock.get(&one).status, 200);
    assert_eq!(field_errors(&restock.get(&format!("{all}?limit=51"))), errors(&[("/limit", "OutOfRange")]));
    assert_eq!(field_errors(&restock.get(&format!("{all}?cursor=x"))), errors(&[("/cursor", "InvalidCursor")]));

    assert_eq!(restock.delete(&format!("/contacts/{contact}")).status, 200);

    assert_problem(&restock.get(&one), 404, "SubscriptionNotFound");
    assert_problem(&restock.get("/inventory/backinstock/subscriptions/x/history"), 404, "SubscriptionNotFound");
    assert_problem(&restock.get(&all), 404, "ContactNotFound");
    let reader = restock.with_key("reader", &["read-subscriptions"]);
    assert_problem(&reader.get(&all).unwrap(), 403, "MissingScope");
}
