//! Storing automations, and when a change takes effect. `examples.rs` has what conditions do.

use crate::api::{assert_problem, errors, field_errors};
use crate::restock::{Restock, eventually};
use restock_local::client::Answer;
use serde_json::{Value, json};

fn etag(answer: &Answer) -> &str {
    &answer.headers["etag"]
}

impl Restock {
    fn put_if(&self, header: &str, tag: &str, body: &Value) -> Answer {
        self.api.header(header, tag).json("PUT", "/automations/a", body).expect("an answer")
    }
}

#[test]
fn an_automation_is_stored_shown_listed_by_priority_and_deleted() {
    let restock = Restock::start();
    let body =
        json!({"name": "First", "priority": 5, "conditions": [{"field": "quantity", "operator": "less", "value": 9}]});

    let stored = restock.put("/automations/a", &body);
    restock.automation("b", &json!({"name": "Second", "priority": 5}));
    restock.automation("c", &json!({"name": "Third", "enabled": false, "priority": 4}));

    let shown = restock.get("/automations/a");
    let mut answer = stored.json();
    let warnings = answer.as_object_mut().unwrap().remove("warnings").unwrap();
    assert!(warnings[0].as_str().unwrap().starts_with("default is asked after this one"), "{warnings}");
    assert_eq!((answer, etag(&stored)), (shown.json(), etag(&shown)));
    assert_eq!((&shown.json()["conditions"], &shown.json()["version"]), (&body["conditions"], &json!(1)));
    let listed = restock.get("/automations").json();
    let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|automation| &automation["id"]).collect();
    assert_eq!(ids, ["c", "a", "b", "default"]);
    assert_eq!(restock.put("/automations/a", &stored.json()).status, 200, "what is shown may be sent back");
    assert_eq!(restock.delete("/automations/a").json(), json!({"id": "a"}));
    for answer in [restock.get("/automations/a"), restock.delete("/automations/a"), restock.delete("/automations/x")] {
        assert_problem(&answer, 404, "AutomationNotFound");
    }
}

#[test]
fn a_change_of_what_somebody_else_has_changed_is_refused() {
    let restock = Restock::start();
    let named = |name: &str| json!({ "name": name });
    let first = restock.put_if("if-none-match", "*", &named("first"));
    let seen = etag(&first).to_owned();

    let changed = restock.put_if("if-match", &seen, &named("changed"));
    let stale = restock.put_if("if-match", &seen, &named("stale"));
    let stale_delete = restock.api.header("if-match", &seen).send("DELETE", "/automations/a", &[]).unwrap();
    let exists = restock.put_if("if-none-match", "*", &named("again"));
    let nonsense = restock.put_if("if-match", "abc", &named("nonsense"));

    assert_eq!((first.status, changed.status), (200, 200));
    for refused in [stale, stale_delete, exists, nonsense] {
        assert_problem(&refused, 412, "StaleVersion");
    }
    assert_eq!(restock.get("/automations/a").json()["name"], "changed");
    let nothing = restock.api.header("if-match", "*").json("PUT", "/automations/b", &named("new")).unwrap();
    assert_problem(&nothing, 412, "StaleVersion");
}

#[test]
fn of_many_changes_at_once_with_one_etag_one_is_made() {
    let restock = Restock::start();
    let seen = etag(&restock.put("/automations/a", &json!({"name": "seen"}))).to_owned();

    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let change = |n: usize| restock.put_if("if-match", &seen, &json!({"name": n.to_string()})).status;
        let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || change(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(restock.get("/automations/a").json()["version"], 2);
}

#[test]
fn every_version_stays_readable_and_numbers_go_on_after_a_deletion() {
    let restock = Restock::start();
    restock.automation("a", &json!({"name": "one"}));
    restock.automation("a", &json!({"name": "two"}));
    restock.delete("/automations/a");
    let again = restock.automation("a", &json!({"name": "again"}));

    assert_eq!(again["version"], 4);
    assert_eq!(restock.get("/automations/a?version=1").json()["name"], "one");
    assert_eq!(restock.get("/automations/a?version=2").json()["name"], "two");
    assert_eq!(restock.get("/automations/default?version=0").json()["name"], "Back in stock");
    assert_problem(&restock.get("/automations/a?version=9"), 404, "AutomationNotFound");
    assert_eq!(field_errors(&restock.get("/automations/a?version=x")), errors(&[("/version", "WrongType")]));
}

#[test]
fn everything_that_is_wrong_with_an_automation_is_named() {
    let restock = Restock::start();
    let body = json!({
        "enabled": "on", "conditions": [{"any": [{"field": "quantity", "operator": "contains", "value": "x"}]}],
        "email": {"template": "None!", "replyTo": "nobody"},
    });

    let answer = restock.put("/automations/a", &body);

    let expected = [
        ("/name", "Required"),
        ("/enabled", "WrongType"),
        ("/conditions/0/any/0/operator", "UnknownOperator"),
        ("/email/template", "InvalidTemplateId"),
        ("/email/replyTo", "InvalidEmail"),
    ];
    assert_eq!(field_errors(&answer), errors(&expected));
    let email = json!({"template": "none", "sender": "a@elsewhere.example", "subject": {"sv": "{ $name }"}});
    let answer = restock.put("/automations/a", &json!({"name": "a", "email": email}));
    let expected = [
        ("/email/template", "UnknownTemplate"),
        ("/email/sender", "SenderNotVerified"),
        ("/email/subject/sv", "InvalidSubject"),
    ];
    assert_eq!(field_errors(&answer), errors(&expected));
    let answer = restock.put("/automations/A%20b", &json!({"name": "a"}));
    assert_eq!(field_errors(&answer), errors(&[("/automationId", "InvalidAutomationId")]));
}

#[test]
fn there_are_fifty_automations_at_the_most() {
    let restock = Restock::start();
    for n in 1..50 {
        restock.automation(&format!("a{n}"), &json!({"name": "a"}));
    }

    assert_problem(&restock.put("/automations/b", &json!({"name": "b"})), 409, "TooManyAutomations");
    assert_eq!(restock.put("/automations/a1", &json!({"name": "changed"})).status, 200);
    restock.delete("/automations/default");
    assert_eq!(restock.put("/automations/b", &json!({"name": "b"})).status, 200);
}

/// Makes somebody who waits for A.
fn with_one_waiting(restock: &Restock) -> String {
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    contact
}

#[test]
fn a_subscription_accepted_by_two_automations_is_mailed_once_by_the_one_with_the_better_priority() {
    let restock = Restock::start();
    for (id, priority) in [("second", 20), ("first", 10), ("third", 20)] {
        restock.automation(id, &json!({"name": id, "priority": priority, "email": {"subject": {"default": id}}}));
    }
    let contact = with_one_waiting(&restock);

    restock.level(json!({"sku": "A", "quantity": 1}));

    let subjects: Vec<Value> = restock.mails().iter().map(|mail| mail["subject"].clone()).collect();
    assert_eq!(subjects, ["first"]);
    assert!(restock.subscriptions(&contact).is_empty());
    assert_eq!(Restock::sent(&restock.log_entry("A")), json!({"first": 1}));
}

#[test]
fn a_change_takes_effect_without_a_deploy_once_what_functions_remember_is_old() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("AutomationsKeptSeconds".to_owned(), "1".to_owned());
    });
    let contact = with_one_waiting(&restock);
    restock.automation("default", &json!({"name": "off", "enabled": false}));
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.log_entry("A")["skipped"], json!({"noAutomation": 1}));

    restock.automation("default", &json!({"name": "on"}));
    eventually(|| {
        restock.level(json!({"sku": "A", "quantity": 1}));
        restock.subscriptions(&contact).is_empty().then_some(())
    });

    assert_eq!(restock.mailed(), ["a"]);
    let decided = &restock.log_entry("A")["automations"][0];
    assert_eq!((&decided["version"], &decided["name"]), (&json!(2), &json!("on")));
}

#[test]
fn a_sender_that_remembers_older_automations_looks_again_before_it_leaves_anybody_out() {
    let restock = Restock::start_as(|options| {
        options.parameters.insert("AutomationsKeptSeconds".to_owned(), "60".to_owned());
    });
    with_one_waiting(&restock);
    let gone = crate::matching::subscription_of("00000000-0000-4000-8000-000000000009", "A", "sv-SE");
    restock.send_message("notifications", &crate::restock::notification(&gone, "default"));
    restock.settle();

    // Only the sender has seen automations by now.
    restock.automation("new", &json!({"name": "New", "email": {"subject": {"default": "New"}}}));
    restock.level(json!({"sku": "A", "quantity": 1}));

    let subjects: Vec<Value> = restock.mails().iter().map(|mail| mail["subject"].clone()).collect();
    assert_eq!(subjects, ["New"]);
}

#[test]
fn an_automation_that_is_switched_off_mails_nobody_any_more_also_of_those_that_are_queued() {
    let restock = Restock::start();
    let contact = with_one_waiting(&restock);
    let store = restock.store();
    let id = restock_domain::ContactId::parse(&contact).unwrap();
    let waiting = restock.runtime.block_on(store.subscriptions_of(id)).unwrap().remove(0);
    restock.automation("other", &json!({"name": "other", "enabled": false}));

    restock.send_message("notifications", &crate::restock::notification(&waiting, "other"));
    restock.send_message("notifications", &crate::restock::notification(&waiting, "deleted"));
    restock.settle();

    assert!(restock.mails().is_empty());
    assert_eq!(restock.subscriptions(&contact).len(), 1);
}

#[test]
fn the_log_explains_what_each_version_decided_also_after_it_was_deleted() {
    let restock = Restock::start();
    let at_least = |quantity| json!([{"field": "quantity", "operator": "greaterOrEqual", "value": quantity}]);
    restock.automation("a", &json!({"name": "Many", "conditions": at_least(9)}));
    restock.delete("/automations/default");
    with_one_waiting(&restock);
    restock.level(json!({"sku": "A", "quantity": 1}));

    restock.automation("a", &json!({"name": "Even more", "conditions": at_least(99)}));
    restock.delete("/automations/a");

    let entry = restock.log_entry("A");
    assert_eq!(
        entry["automations"],
        json!([{
            "id": "a", "version": 1, "name": "Many", "sent": 0, "refused": 1, "noConsent": 0,
            "conditions": [{"pointer": "/conditions/0", "condition": "quantity is at least 9", "refused": 1}],
        }])
    );
    assert_eq!((&entry["matched"], &entry["skipped"]), (&json!(1), &json!({"noAutomation": 1})));
}

#[test]
fn the_versions_of_an_automation_are_listed_with_their_times_even_after_it_was_deleted() {
    let restock = Restock::start();
    for name in ["First", "Second"] {
        restock.automation("club", &json!({"name": name}));
    }
    for n in 0..10 {
        restock.automation("default", &json!({"name": format!("Changed {n}"), "enabled": n % 2 == 0}));
    }
    assert_eq!(restock.delete("/automations/club").status, 200);

    let club = restock.get("/automations/club/versions").json();
    let default = restock.get("/automations/default/versions").json();

    let names: Vec<&str> = club.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Second", "First"]);
    let numbers: Vec<u64> = default.as_array().unwrap().iter().map(|one| one["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], "the newest first, and the one that is built in");
    assert!(default[0]["updatedOn"].is_string() && default[10].get("updatedOn").is_none());
    let missing = restock.get("/automations/nobody/versions");
    assert_eq!((missing.status, &missing.json()["errorCode"]), (404, &json!("AutomationNotFound")));
}
