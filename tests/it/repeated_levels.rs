//! Stock levels that are sent again: by the same call, or as the same event.

use crate::api::{assert_problem, field_errors};
use crate::restock::Restock;
use restock_local::client::Answer;
use serde_json::{Value, json};

impl Restock {
    fn put_once(&self, key: &str, path: &str, body: &Value) -> Answer {
        self.api.header("idempotency-key", key).json("PUT", path, body).expect("an answer")
    }

    /// Lets somebody else wait, so that a level that counts is seen by its mail.
    fn somebody_waits(&self, name: &str) {
        self.subscribe(&self.contact(name), "A", "sv-SE", None);
    }
}

const LEVELS: &str = "/inventory/stock-levels";

#[test]
fn the_same_call_again_is_answered_the_same_and_does_nothing() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.somebody_waits("ann");
    let body = json!({"sku": "A", "quantity": 1});
    let first = restock.put_once("call-1", LEVELS, &body);
    restock.settle();
    assert_eq!(restock.mailed(), ["ann"]);
    restock.somebody_waits("bo");

    let again = restock.put_once("call-1", LEVELS, &body);
    restock.settle();

    assert_eq!((first.status, first.json()), (again.status, again.json()));
    assert_eq!(restock.mailed(), ["ann"]);
    restock.put_once("call-2", LEVELS, &body);
    restock.settle();
    assert_eq!(restock.mailed(), ["ann", "bo"]);
}

#[test]
fn a_key_belongs_to_one_content_and_has_a_form() {
    let restock = Restock::start();
    let body = json!({"sku": "A", "quantity": 1});
    assert_eq!(restock.put_once("call", LEVELS, &body).status, 202);

    let differs = restock.put_once("call", LEVELS, &json!({"sku": "A", "quantity": 2}));
    let another_path = restock.put_once("call", &format!("{LEVELS}/batch"), &json!([body]));
    let too_long = restock.put_once(&"x".repeat(256), LEVELS, &body);
    let blank = restock.put_once("a b", LEVELS, &body);

    assert_problem(&differs, 422, "IdempotencyKeyReused");
    assert_problem(&another_path, 422, "IdempotencyKeyReused");
    for wrong in [too_long, blank] {
        assert_eq!(field_errors(&wrong), [("/Idempotency-Key".to_owned(), "InvalidIdempotencyKey".to_owned())]);
    }
    let batch = json!([{"sku": "A", "quantity": 1}, {"sku": "", "quantity": 1}]);
    let first = restock.put_once("batch", &format!("{LEVELS}/batch"), &batch);
    let again = restock.put_once("batch", &format!("{LEVELS}/batch"), &batch);
    assert_eq!((first.status, first.json()), (again.status, again.json()));
}

#[test]
fn a_call_that_does_not_end_is_refused_for_a_moment_and_then_made_again() {
    let restock = Restock::start();
    let store = restock.store();
    let content = br#"level#{"quantity":1,"sku":"A"}"#;
    let begin = |seconds_ago: u64| {
        let at = jiff::Timestamp::now() - std::time::Duration::from_secs(seconds_ago);
        let key = format!("call-{seconds_ago}");
        let key = restock_store::CallKey::new(&restock.stack.ready.api_key, &key);
        let begun = store.begin_call(&key, content, at, std::time::Duration::from_secs(30));
        assert_eq!(restock.runtime.block_on(begun).unwrap(), restock_store::Begun::Now);
    };
    begin(0);
    begin(31);

    let send = |key: &str| restock.api.header("idempotency-key", key).header("content-type", "application/json");
    let send = |key: &str| send(key).send("PUT", LEVELS, &content["level#".len()..]).unwrap();

    let running = send("call-0");
    assert_problem(&running, 409, "StillRunning");
    assert_eq!(running.headers["retry-after"], "1");
    assert_eq!(send("call-31").status, 202);
}

#[test]
fn a_level_that_was_not_taken_may_be_sent_again_with_its_key() {
    let restock = Restock::start_as(|options| {
        options.faults = Some("seed=1,error=1,function=update-stock-levels".parse().unwrap());
    });
    let observer = restock.stack.observer().unwrap().clone();
    observer.faults.pause(true);
    restock.feed("sv-SE", &["A"]);
    restock.somebody_waits("ann");
    observer.faults.pause(false);
    let body = json!({"sku": "A", "quantity": 1});
    let failed = restock.put_once("call", LEVELS, &body);
    observer.faults.pause(true);
    assert!(failed.status >= 429, "{}", failed.text);

    let again = crate::restock::eventually(|| {
        let again = restock.put_once("call", LEVELS, &body);
        (again.status == 202).then_some(again)
    });

    assert_eq!(again.json()["accepted"], 1);
    restock.settle();
    assert_eq!(restock.mailed(), ["ann"]);
}

#[test]
fn the_same_event_again_changes_nothing_by_whatever_door_it_comes() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.somebody_waits("ann");
    restock.level(json!({"sku": "A", "quantity": 1, "eventId": "e-1"}));
    restock.level(json!({"sku": "A", "quantity": 0, "eventId": "e-2"}));
    restock.somebody_waits("bo");

    restock.level(json!({"sku": "A", "quantity": 1, "eventId": "e-1"}));
    assert_eq!(restock.mailed(), ["ann"], "by HTTP");
    restock.send_message("stock-levels", r#"{"sku": "A", "quantity": 1, "EventID": "e-1"}"#);
    restock.settle();
    assert_eq!(restock.mailed(), ["ann"], "by the queue");
    let csv = restock.api.header("content-type", "text/csv");
    let file = "sku;quantity;event id\nA;1;e-1\n";
    assert_eq!(csv.send("POST", &format!("{LEVELS}/imports"), file.as_bytes()).unwrap().status, 202);
    restock.settle();
    assert_eq!(restock.mailed(), ["ann"], "in a file");
    // One that says something else under a known name is ignored too, and told in the log of the function.
    restock.level(json!({"sku": "A", "quantity": 9, "eventId": "e-2"}));
    assert_eq!(restock.mailed(), ["ann"]);
    assert_eq!(restock.said("has the event id of another one"), 1);

    restock.level(json!({"sku": "A", "quantity": 1, "eventId": "e-3"}));
    assert_eq!(restock.mailed(), ["ann", "bo"]);
}

#[test]
fn an_event_that_was_not_matched_before_its_message_was_given_up_is_matched_after_a_redrive() {
    let restock = Restock::start_as(|options| {
        options.faults = Some("seed=1,error=1,function=match-stock,table=SubscriptionsTable".parse().unwrap());
    });
    let observer = restock.stack.observer().unwrap().clone();
    observer.faults.pause(true);
    restock.feed("sv-SE", &["A"]);
    restock.somebody_waits("ann");
    restock.stack.let_messages_wait_at_most(0);
    observer.faults.pause(false);
    restock.send_message("stock-levels", r#"{"sku": "A", "quantity": 1, "eventId": "e-1"}"#);
    crate::restock::eventually(|| (restock.on_queue("stock-levels-dead-letters") > 0).then_some(()));
    observer.faults.pause(true);

    // SQS gives messages that are moved back another id, and so another arrival.
    let body = restock.bodies("stock-levels-dead-letters", 1).remove(0);
    restock.send_message("stock-levels", &body);
    restock.settle();

    assert_eq!(restock.mailed(), ["ann"]);
}

#[test]
fn an_event_that_came_too_late_is_known_when_it_comes_again() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.somebody_waits("ann");
    restock.level(json!({"sku": "A", "quantity": 0, "updatedOn": "2026-11-20T10:00:00Z", "eventId": "e-2"}));
    restock.level(json!({"sku": "A", "quantity": 1, "updatedOn": "2026-11-20T09:00:00Z", "eventId": "e-1"}));

    restock.level(json!({"sku": "A", "quantity": 1, "eventId": "e-1"}));

    assert_eq!(restock.mailed(), Vec::<String>::new());
}

#[test]
fn two_callers_may_have_the_same_key() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let other = restock.with_key("other", &["write-stock-levels"]);
    let body = json!({"sku": "A", "quantity": 1});
    restock.somebody_waits("ann");
    restock.put_once("1", LEVELS, &body);
    restock.settle();
    restock.somebody_waits("bo");

    assert_eq!(other.header("idempotency-key", "1").json("PUT", LEVELS, &body).unwrap().status, 202);
    restock.settle();

    assert_eq!(restock.mailed(), ["ann", "bo"]);
}

#[test]
fn an_id_of_a_row_is_no_event() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    for name in ["ann", "bo"] {
        restock.somebody_waits(name);
        restock.level(json!({"id": 17, "sku": "A", "quantity": 1}));
    }
    assert_eq!(restock.mailed(), ["ann", "bo"]);
}
