//! Things that happen while a mail is on its way. The histories meet them by chance; here each is made to happen.

use crate::hooked::Hooked;
use crate::restock::{Restock, by_default, eventually, notification, notification_for};
use jiff::{SignedDuration, Timestamp};
use restock_domain::delivery::{Standing, Terms};
use restock_domain::waves::StockHistory;
use restock_domain::{
    Arrival, ContactId, DeliveryId, KnownLevel, Locale, Scope, Sku, Source, StockLevel, Subscription, Suppression, time,
};
use restock_queue::{AcceptedMail, Message, Notification, Recipient};
use restock_store::database::{Action, AttributeValue, Change, Item, Pending, Table, TableCondition, Write};
use restock_store::{Accepted, LevelWrite, LogKey, PlaceAsk, Store, Turn, Waiting};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// The log entry of a level.
const ENTRY: &str = "2026-11-23T00:00:00.000Z#x";

/// Starts a stack in which `a` waits for A, and returns the subscription.
fn with_one_waiting() -> (Restock, Store, String, Waiting) {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("a");
    restock.subscribe(&contact, "A", "sv-SE", None);
    let store = restock.store();
    let waiting = waiting(&restock, &store, &contact);
    (restock, store, contact, waiting)
}

pub fn waiting(restock: &Restock, store: &Store, contact: &str) -> Waiting {
    restock.runtime.block_on(async {
        let id = store.subscriptions_of(ContactId::parse(contact).unwrap()).await.unwrap()[0].id();
        store.waiting(&[id]).await.unwrap().remove(&id).unwrap()
    })
}

/// Claims the delivery as a sender does that is then slow, or dies.
pub fn claim(restock: &Restock, store: &Store, waiting: &Waiting, lease: Duration) {
    let terms = Terms { lease, grace: Duration::ZERO };
    let claim = waiting.standing.claim(Uuid::new_v4(), Timestamp::now(), terms).unwrap();
    restock.runtime.block_on(store.claim(waiting, &claim, ENTRY, &by_default())).unwrap();
}

fn notify(restock: &Restock, waiting: &Waiting, automation: &str) {
    restock.send_message("notifications", &notification(&waiting.subscription, automation));
}

#[test]
fn a_subscription_that_was_deleted_after_it_was_matched_is_not_mailed() {
    let (restock, _, contact, waiting) = with_one_waiting();
    let id = waiting.subscription.id();

    restock.delete(&format!("/inventory/backinstock/subscriptions/{id}"));
    notify(&restock, &waiting, "default");
    restock.settle();

    assert!(restock.mails().is_empty());
    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn a_contact_that_was_erased_after_it_was_matched_is_not_mailed_and_nothing_of_it_is_left() {
    let (restock, store, contact, waiting) = with_one_waiting();

    let answer = restock.delete(&format!("/contacts/{contact}"));
    notify(&restock, &waiting, "default");
    restock.settle();

    assert_eq!((answer.status, answer.json()["id"].as_str()), (200, Some(contact.as_str())));
    assert!(restock.mails().is_empty());
    assert_eq!(restock.get(&format!("/contacts/{contact}")).status, 404);
    assert_eq!(restock.get("/contacts/id?email=a@example.com").status, 404);
    let id = ContactId::parse(&contact).unwrap();
    assert!(restock.runtime.block_on(store.subscriptions_of(id)).unwrap().is_empty());
    assert_eq!(restock.delete(&format!("/contacts/{contact}")).status, 404);
}

#[test]
fn an_address_that_bounced_is_suppressed_also_for_a_contact_that_is_made_after_the_first_was_erased() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    let contact = restock.contact("bounce");
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    restock.delete(&format!("/contacts/{contact}"));
    let again = restock.contact("bounce");
    restock.subscribe(&again, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));

    assert_ne!(again, contact);
    assert_eq!(restock.mailed(), ["bounce"]);
    assert_eq!(restock.log_entry("A")["skipped"], json!({"suppressed": 1}));
}

#[test]
fn who_subscribes_again_while_the_mail_is_leaving_waits_for_the_next_level() {
    let (restock, store, contact, first) = with_one_waiting();
    let mailed_at = Timestamp::now();
    claim(&restock, &store, &first, Duration::from_secs(3600));

    restock.subscribe(&contact, "A", "sv-SE", None);
    let subscription = &first.subscription;
    restock.runtime.block_on(store.use_up(subscription.id(), subscription.delivery, mailed_at)).unwrap();

    let second = waiting(&restock, &store, &contact);
    assert_ne!(second.subscription.delivery, subscription.delivery);
    assert_eq!(second.subscription.id(), subscription.id());
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn who_subscribed_again_before_the_mail_left_is_answered_by_it() {
    let (restock, store, contact, first) = with_one_waiting();
    claim(&restock, &store, &first, Duration::from_secs(3600));
    restock.subscribe(&contact, "A", "sv-SE", None);

    let subscription = &first.subscription;
    restock.runtime.block_on(store.use_up(subscription.id(), subscription.delivery, Timestamp::now())).unwrap();

    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn each_time_that_somebody_subscribed_again_is_kept_until_a_mail_answers_it() {
    let (restock, store, contact, first) = with_one_waiting();
    let first = first.subscription;
    let at = |second: u64| first.created_on + Duration::from_secs(second);
    let subscribe = |second| {
        let again = Subscription { created_on: at(second), delivery: DeliveryId::random(), ..first.clone() };
        restock.runtime.block_on(store.put_subscription(again)).unwrap();
    };
    let mailed = |second| {
        let delivery = waiting(&restock, &store, &contact).subscription.delivery;
        restock.runtime.block_on(store.use_up(first.id(), delivery, at(second))).unwrap()
    };
    [2, 4, 6].into_iter().for_each(subscribe);

    // As when messages about older levels are handled one by one.
    assert_eq!([1, 3, 5].map(mailed), [true; 3]);
    assert_eq!(waiting(&restock, &store, &contact).subscription.created_on, at(6));
    subscribe(8);
    let accepted = Accepted { message_id: "m", template: None, chosen_by: None, at: at(7) };
    let kept = Duration::from_secs(3600);
    let known = waiting(&restock, &store, &contact).subscription;
    restock.runtime.block_on(store.record_sent(&known, "", accepted, kept)).unwrap();
    subscribe(10);

    assert_eq!([9, 11].map(mailed), [true, false]);
    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn who_subscribes_again_after_a_mail_is_not_mailed_for_an_older_level_that_is_handled_late() {
    let (restock, store, contact, first) = with_one_waiting();
    let begin = Timestamp::now() - Duration::from_secs(60);
    let at = |milliseconds: i64| begin + SignedDuration::from_millis(milliseconds);
    let (sku, scope) = (first.subscription.sku.clone(), Scope::Sku);
    let mark = restock.runtime.block_on(store.in_demand(&[sku.clone()].into())).unwrap().remove(&sku).unwrap();
    let level = StockLevel { sku: sku.clone(), scope, quantity: 4, updated_on: None, event_id: None };
    let arrival = Arrival { at: at(1_000), id: "newer".to_owned(), source: Source::Http };
    let entry = LogKey::new(sku.clone(), &arrival).entry;
    let older = LogKey::new(sku, &Arrival { at: at(0), id: "older".to_owned(), source: Source::Http }).entry;
    let mailed_at = at(1_100);
    restock.runtime.block_on(async {
        let Subscription { delivery, .. } = first.subscription;
        store.put_level(&level, &arrival, &mark).await.unwrap();
        let terms = Terms { lease: Duration::from_secs(30), grace: Duration::from_secs(600) };
        let claim = first.standing.claim(Uuid::new_v4(), at(1_050), terms).unwrap();
        store.claim(&first, &claim, &entry, &by_default()).await.unwrap();
        store.take_turn(&first.subscription, &entry, &claim, claim.until(), at(1_050)).await.unwrap();
        let accepted = Accepted { message_id: "m", template: None, chosen_by: None, at: mailed_at };
        store.record_sent(&first.subscription, &entry, accepted, Duration::from_secs(3600)).await.unwrap();
        store.use_up(first.subscription.id(), delivery, mailed_at).await.unwrap();
        let again =
            Subscription { created_on: at(1_200), delivery: DeliveryId::random(), ..first.subscription.clone() };
        store.put_subscription(again).await.unwrap();
    });

    // The second look at the older level finds it, as clocks may differ by so much.
    let again = waiting(&restock, &store, &contact).subscription;
    let late = Notification { log_entry: older, ..notification_for(&again, "default") };
    restock.send_message("notifications", &late.body());
    restock.settle();

    assert!(restock.mailed().is_empty());
    assert_eq!(restock.subscriptions(&contact).len(), 1);
    restock.level(json!({"sku": "A", "quantity": 3}));
    assert_eq!(restock.mailed(), ["a"]);
}

#[test]
fn a_level_that_comes_while_the_mail_is_leaving_mails_who_subscribed_again_before_it() {
    // Even if it was read from the shelf before they did.
    for read_before in [0, 60] {
        let (restock, store, contact, first) = with_one_waiting();
        let mailed_at = Timestamp::now();
        claim(&restock, &store, &first, Duration::ZERO);
        restock.subscribe(&contact, "A", "sv-SE", None);
        // It still meets the first instance.
        let read_at = Timestamp::now() - Duration::from_secs(read_before);
        restock.put("/inventory/stock-levels", &json!({"sku": "A", "quantity": 1, "updatedOn": read_at}));
        eventually(|| (restock.on_queue("stock-levels") == 0).then_some(()));

        let subscription = &first.subscription;
        restock.runtime.block_on(store.use_up(subscription.id(), subscription.delivery, mailed_at)).unwrap();
        restock.settle();

        assert_eq!(restock.mailed(), ["a"], "{read_before} s before");
        assert!(restock.subscriptions(&contact).is_empty());
    }
}

#[test]
fn of_two_levels_of_one_moment_the_one_counts_that_came_later_in_whatever_order_they_are_handled() {
    let (restock, store, _, _) = with_one_waiting();
    let (sku, now) = (Sku::parse("A").unwrap(), Timestamp::now());
    let mark = restock.runtime.block_on(store.in_demand(&[sku.clone()].into())).unwrap().remove(&sku).unwrap();
    let put = |scope: &Scope, quantity, updated_on, (second, id): (u64, &str)| {
        let level = StockLevel { sku: sku.clone(), scope: scope.clone(), quantity, updated_on, event_id: None };
        let arrival = Arrival { at: now + Duration::from_secs(second), id: id.to_owned(), source: Source::Http };
        restock.runtime.block_on(store.put_level(&level, &arrival, &mark)).unwrap()
    };

    // Of the messages of one call.
    assert_eq!(put(&Scope::Sku, 5, None, (0, "call.10-7")), LevelWrite::Stored);
    assert_eq!(put(&Scope::Sku, 0, None, (0, "call.2-90")), LevelWrite::Outdated);
    assert_eq!(put(&Scope::Sku, 0, None, (0, "call.10-6")), LevelWrite::Outdated);
    assert_eq!(put(&Scope::Sku, 5, None, (0, "call.10-7")), LevelWrite::Stored, "the same one again");
    assert_eq!(put(&Scope::Sku, 6, None, (0, "call.10-10")), LevelWrite::Stored);
    // Readings of one second.
    let scope = Scope::Locale(Locale::parse("sv-SE").unwrap());
    let read_at = Some(now - Duration::from_secs(60));
    assert_eq!(put(&scope, 5, read_at, (2, "b-0")), LevelWrite::Stored);
    assert_eq!(put(&scope, 0, read_at, (1, "c-0")), LevelWrite::Outdated);
    assert_eq!(put(&scope, 0, read_at, (3, "a-0")), LevelWrite::Stored);
}

#[test]
fn a_place_is_taken_once_although_the_request_is_repeated_after_many_others() {
    let (restock, store, _, waiting) = with_one_waiting();
    let sku = waiting.subscription.sku.clone();
    let take = move |store: Store, delivery: DeliveryId| {
        let sku = sku.clone();
        let arrival = Arrival { at: Timestamp::now(), id: "call.0-0".into(), source: Source::Http };
        let history = StockHistory::beginning(5, arrival.at);
        let (scope, at, arrival) = (Scope::Sku, arrival.at, Some(arrival));
        let level = KnownLevel { scope, quantity: 5, at, arrival, history, earlier: Vec::new() };
        let ask = PlaceAsk { delivery, turn: (0, at), level, policy: None, now: Timestamp::now() };
        async move { store.take_place(&sku, &Scope::Sku, ask).await.map(drop) }
    };
    let (others, taken) = (store.clone(), take.clone());
    let between = move || -> Pending<'static, ()> {
        let all = (0..100).map(|_| taken(others.clone(), DeliveryId::random())).collect::<Vec<_>>();
        Box::pin(async move {
            for one in all {
                one.await?;
            }
            Ok(())
        })
    };

    let hooked = Store::new(Hooked::twice_around(&restock, between));
    restock.runtime.block_on(take(hooked, waiting.subscription.delivery)).unwrap();

    let wave = restock.runtime.block_on(store.wave(&waiting.subscription.sku, &Scope::Sku)).unwrap();
    assert_eq!(wave.taken.since(Timestamp::now() - Duration::from_secs(3_600)), 101);
}

#[test]
fn an_unsubscription_holds_although_the_bounce_before_it_ends_at_the_same_moment() {
    let (restock, store, contact, _) = with_one_waiting();
    let contact = ContactId::parse(&contact).unwrap();
    restock.runtime.block_on(store.suppress(contact, Suppression::Bounce)).unwrap();
    // As where the contact takes another address.
    let key = Item::from([("key".to_owned(), AttributeValue::S(format!("contact#{contact}")))]);
    let moves = move |number| (number == 2).then(|| update(Table::Contacts, &key, Action::Remove("suppressed".into())));
    let hooked = Store::new(Hooked::new(&restock, moves));

    assert!(restock.runtime.block_on(hooked.suppress(contact, Suppression::Unsubscribed)).unwrap());

    let found = restock.runtime.block_on(store.contact(contact)).unwrap().unwrap();
    assert_eq!((found.suppressed, found.unsubscribed), (Some(Suppression::Unsubscribed), true));
}

#[test]
fn whoever_asks_again_while_the_subscriptions_of_the_contact_are_deleted_keeps_the_one_that_was_asked_for() {
    let (restock, _, contact, waiting) = with_one_waiting();
    let id = waiting.subscription.id();
    let key = [("contactId", id.contact_id.to_string()), ("subscription", id.key.to_string())];
    let key: Item = key.into_iter().map(|(name, text)| (name.to_owned(), AttributeValue::S(text))).collect();
    // After they were read.
    let again = AttributeValue::L(vec![AttributeValue::S(time::sortable(Timestamp::now() + Duration::from_secs(1)))]);
    let asks = move |number| {
        (number == 1).then(|| update(Table::Subscriptions, &key, Action::Set("renewedOn".into(), again.clone())))
    };
    let hooked = Store::new(Hooked::new(&restock, asks));
    let far = tokio::time::Instant::now() + Duration::from_secs(60);

    let delete = hooked.end_subscriptions_of(id.contact_id, Timestamp::now(), far);
    let deleted = restock.runtime.block_on(delete).unwrap();

    assert_eq!((deleted.items, restock.subscriptions(&contact).len()), (0, 1));
}

#[test]
fn a_record_whose_answer_was_lost_is_news_to_whoever_wrote_it_and_to_nobody_else() {
    let (restock, store, _, waiting) = with_one_waiting();
    let twice = Store::new(Hooked::twice(&restock));
    let mail = Accepted { message_id: "1", template: None, chosen_by: None, at: Timestamp::now() };
    let record = |store: &Store| {
        let record = store.record_sent(&waiting.subscription, ENTRY, mail, Duration::from_secs(60));
        restock.runtime.block_on(record).unwrap()
    };

    assert!(record(&twice));
    assert!(!record(&twice) && !record(&store));
}

fn update(table: Table, key: &Item, action: Action) -> Write {
    Write { table, key: key.clone(), change: Change::Update(vec![action]), condition: TableCondition::Always }
}

#[test]
fn a_subscription_that_a_repeated_write_brought_back_after_its_mail_is_not_mailed_again() {
    let (restock, store, contact, waiting) = with_one_waiting();
    restock.level(json!({"sku": "A", "quantity": 1}));

    restock.runtime.block_on(store.put_subscription(waiting.subscription.clone())).unwrap();
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.subscriptions(&contact).is_empty());

    restock.runtime.block_on(store.put_subscription(waiting.subscription)).unwrap();
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.level(json!({"sku": "A", "quantity": 1}));
    assert_eq!(restock.mailed(), ["a", "a"]);
}

#[test]
fn two_automations_that_accept_one_subscription_send_one_mail() {
    let (restock, _, contact, waiting) = with_one_waiting();
    restock.automation("another", &json!({"name": "Another"}));

    notify(&restock, &waiting, "default");
    notify(&restock, &waiting, "another");
    restock.settle();

    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn a_claim_that_nobody_settled_is_taken_over_after_lease_and_grace() {
    let (restock, store, contact, waiting) = with_one_waiting();
    claim(&restock, &store, &waiting, Duration::from_secs(2));

    notify(&restock, &waiting, "default");
    restock.settle();

    assert_eq!(restock.mailed(), ["a"]);
    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn a_demand_mark_that_brings_levels_in_vain_is_removed_a_day_after_the_newest_subscriber() {
    let (restock, store, contact, waiting) = with_one_waiting();
    let skus = std::collections::HashSet::from([waiting.subscription.sku.clone()]);
    let in_demand = || !restock.runtime.block_on(store.in_demand(&skus)).unwrap().is_empty();
    let age = |hours: i64| {
        let newest = restock_domain::time::sortable(Timestamp::now() - jiff::Span::new().hours(hours));
        restock.dynamodb(
            "UpdateItem",
            json!({
                "TableName": restock.stack.ready.tables["stock"],
                "Key": {"sku": {"S": "A"}, "scope": {"S": "demand"}},
                "UpdateExpression": "SET newest = :newest",
                "ExpressionAttributeValues": {":newest": {"S": newest}},
            }),
        );
    };
    let level = || restock.level(json!({"sku": "A", "quantity": 1}));
    level();
    assert_eq!(restock.mailed(), ["a"]);

    age(23);
    level();
    assert!(in_demand(), "an index may not show the newest subscriber yet");
    age(25);
    restock.subscribe(&contact, "A", "sv-SE", None);
    restock.delete(&format!("/inventory/backinstock/subscriptions/{}", waiting.subscription.id()));
    level();
    assert!(in_demand(), "whoever subscribes renews the mark");
    age(25);
    level();
    assert!(!in_demand());
}

#[test]
fn whoever_subscribed_before_a_mail_is_answered_by_it_and_whoever_did_after_it_waits_for_the_next_level() {
    let restock = Restock::start_without_functions();
    let store = restock.store();
    let contact = Uuid::from_u128(1).to_string();
    let (at, terms) = (
        time::to_millisecond(Timestamp::now()),
        Terms { lease: Duration::from_secs(30), grace: Duration::from_secs(600) },
    );
    let made = |locale: &str, seconds: i64, delivery: u128| Subscription {
        created_on: at + jiff::SignedDuration::from_secs(seconds),
        delivery: DeliveryId::new(Uuid::from_u128(delivery)),
        ..crate::matching::subscription_of(&contact, "A", locale)
    };
    let (mailed, later, waiting) = (made("sv-SE", 0, 1), made("pl-PL", 20, 2), made("de-DE", 1, 3));
    let take = async |subscription: &Subscription| {
        let claim = Standing::Open { attempts: 0 }.claim(Uuid::new_v4(), at, terms).unwrap();
        store.take_turn(subscription, ENTRY, &claim, claim.until() + terms.grace, at).await.unwrap()
    };

    restock.runtime.block_on(async {
        // It was given back: SES did not accept its mail.
        store.put_subscription(later.clone()).await.unwrap();
        let sent_at = at + jiff::SignedDuration::from_secs(10);
        let mail = Accepted { message_id: "mail", template: None, chosen_by: None, at: sent_at };
        assert_eq!(take(&mailed).await, Turn::Yours);
        store.record_sent(&mailed, ENTRY, mail, Duration::ZERO).await.unwrap();
        assert_eq!(take(&mailed).await, Turn::Yours);

        assert_eq!(take(&later).await, Turn::Over, "a mail does not answer who subscribed after it");
        assert_eq!(take(&waiting).await, Turn::Mailed(sent_at));
        assert_eq!(take(&later).await, Turn::Over);
    });
}

#[test]
fn a_mail_that_could_not_be_recorded_is_not_sent_again_even_if_its_subscription_has_ended_since() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A"]);
    restock.feed("pl-PL", &["A"]);
    let contact = restock.contact("a");
    let store = restock.store();
    restock.subscribe(&contact, "A", "sv-SE", None);
    let mailed = waiting(&restock, &store, &contact);
    // Its sender had the turn for the level, was answered by SES, and could not write that down.
    let (subscription, terms) = (&mailed.subscription, Terms { lease: Duration::from_secs(30), grace: Duration::ZERO });
    let about = notification_for(subscription, "default");
    let claim = mailed.standing.claim(Uuid::new_v4(), Timestamp::now(), terms).unwrap();
    let (known_by, now) = (claim.until(), Timestamp::now());
    let turn = store.take_turn(subscription, &about.log_entry, &claim, known_by, now);
    assert_eq!(restock.runtime.block_on(turn).unwrap(), Turn::Yours);
    restock.delete(&format!("/inventory/backinstock/subscriptions/{}", subscription.id()));
    restock.subscribe(&contact, "A", "pl-PL", None);
    let other = waiting(&restock, &store, &contact).subscription;

    let accepted = AcceptedMail {
        recipient: about.recipients[0],
        message_id: "mail".into(),
        asked_at: Timestamp::now(),
        template: None,
    };
    let of_other = Recipient { contact_id: other.contact_id, key: other.id().key, delivery: other.delivery };
    let then = vec![Notification { recipients: vec![of_other], ..about.clone() }];
    let message = Notification { accepted: vec![accepted], then, ..about };
    restock.send_message("notifications", &message.body());
    restock.settle();

    assert!(restock.mails().is_empty(), "{:?}", restock.mails());
    // The mail answered this subscription too.
    assert!(restock.subscriptions(&contact).is_empty());
}

#[test]
fn a_level_that_can_not_be_stored_holds_up_no_other_sku_of_its_message() {
    let restock = Restock::start();
    restock.feed("sv-SE", &["A", "B"]);
    let contact = restock.contact("a");
    ["A", "B"].iter().for_each(|sku| drop(restock.subscribe(&contact, sku, "sv-SE", None)));
    restock.level(json!({"sku": "A", "quantity": 0}));
    let table = &restock.stack.ready.tables["stock"];
    let items = restock.dynamodb("Scan", json!({"TableName": table}))["Items"].clone();
    let level = items.as_array().unwrap().iter().find(|item| !item["quantity"].is_null()).unwrap().clone();
    let damaged = json!({
        "TableName": table,
        "Key": {"sku": level["sku"], "scope": level["scope"]},
        "UpdateExpression": "SET #at = :one",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    });
    restock.dynamodb("UpdateItem", damaged);

    let levels = json!([{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1}, {"sku": "C"}]);
    restock.send_message("stock-levels", &levels.to_string());

    eventually(|| (restock.mails().len() == 1).then_some(()));
    assert_eq!(restock.subscriptions(&contact)[0]["sku"], "A");
    // What can't be read is not sent on anew at each try.
    eventually(|| (restock.said("will be retried") >= 2).then_some(()));
    assert_eq!(restock.said("is malformed"), 0);
}
