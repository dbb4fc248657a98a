//! The matching table of `docs/contract.md`, through the real indexes, against a model that only filters.

use crate::restock::Restock;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use restock_domain::{ContactId, DeliveryId, ExternalId, Locale, Scope, Sku, Subscription};
use restock_store::Store;
use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// Returns a subscription of a contact that was made in 2023.
pub fn subscription_of(contact: &str, sku: &str, locale: &str) -> Subscription {
    Subscription { contact_id: ContactId::parse(contact).unwrap(), ..subscription(0, sku, locale, None) }
}

fn subscription(n: u128, sku: &str, locale: &str, external_id: Option<&str>) -> Subscription {
    Subscription {
        contact_id: ContactId::new(Uuid::from_u128(n + 1)),
        sku: Sku::parse(sku).unwrap(),
        locale: Locale::parse(locale).unwrap(),
        external_id: external_id.map(|id| ExternalId::parse(id).unwrap()),
        created_on: Timestamp::from_millisecond(1_700_000_000_000 + (n % 7) as i64).unwrap(),
        delivery: DeliveryId::new(Uuid::from_u128(n + 1)),
        moved_in_on: None,
        expires_on: None,
    }
}

const LOCALES: [&str; 4] = ["sv-SE", "SV-se", "sv", "pl-PL"];
/// Some begin as others do, and some look like parts of keys.
const EXTERNAL_IDS: [&str; 5] = ["A", "a", "A#", "A#2023-11-14T22:13:20.000Z", "AB"];

fn external_id() -> impl Strategy<Value = Option<&'static str>> {
    proptest::option::of(proptest::sample::select(&EXTERNAL_IDS[..]))
}

#[test]
fn a_level_matches_what_a_plain_filter_over_all_subscriptions_finds() {
    let restock = Restock::start_without_functions();
    let store = restock.store();
    let subscriptions =
        proptest::collection::vec((0..2_u8, proptest::sample::select(&LOCALES[..]), external_id()), 0..24);
    let level = (0..2_u8, proptest::option::of(proptest::sample::select(&LOCALES[..])), external_id());
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };

    let case = Cell::new(0);
    TestRunner::new(config)
        .run(&(subscriptions, proptest::collection::vec(level, 1..4), 1..5_i32), |(subscriptions, levels, page)| {
            // Each case has SKUs of its own, so that no case sees what another one left.
            case.set(case.get() + 1);
            let name = |sku: u8| format!("case-{}-{sku}", case.get());
            let made: Vec<Subscription> = subscriptions
                .iter()
                .enumerate()
                .map(|(n, (sku, locale, external_id))| subscription(n as u128, &name(*sku), locale, *external_id))
                .collect();
            restock.runtime.block_on(async {
                for subscription in &made {
                    store.put_subscription(subscription.clone()).await.unwrap();
                }
                for (sku, locale, external_id) in &levels {
                    let wanted_locale = locale.map(|locale| locale.to_lowercase());
                    let expected: BTreeSet<String> = made
                        .iter()
                        .filter(|found| found.sku.as_str() == name(*sku))
                        .filter(|found| {
                            wanted_locale.as_ref().is_none_or(|locale| found.locale.as_str().to_lowercase() == *locale)
                        })
                        .filter(|found| {
                            external_id.is_none_or(|id| found.external_id.as_ref().map(ExternalId::as_str) == Some(id))
                        })
                        .map(|found| found.id().to_string())
                        .collect();
                    let scope = Scope::of(
                        locale.map(|locale| Locale::parse(locale).unwrap()),
                        external_id.map(|id| ExternalId::parse(id).unwrap()),
                    );
                    let found = all_pages(&store, &Sku::parse(&name(*sku)).unwrap(), &scope, page).await;
                    assert_eq!(found, expected, "{scope:?}");
                }
            });
            Ok(())
        })
        .unwrap();
}

/// Returns every match, read in pages of a few; none may come twice.
async fn all_pages(store: &Store, sku: &Sku, scope: &Scope, page: i32) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.matching(sku, scope, None, after, page).await.unwrap();
        for subscription in page.subscriptions {
            assert!(found.insert(subscription.id().to_string()), "a match came twice");
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

#[test]
fn a_subscription_marks_the_demand_for_its_sku_before_it_is_answered() {
    let restock = Restock::start();
    let store = restock.store();
    let sku = Sku::parse("A").unwrap();
    let skus = HashSet::from([sku.clone()]);
    let contact = restock.contact("a");
    assert!(restock.runtime.block_on(store.in_demand(&skus)).unwrap().is_empty());

    restock.subscribe(&contact, "A", "sv-SE", None);

    assert_eq!(restock.runtime.block_on(store.in_demand(&skus)).unwrap().len(), skus.len());
}
