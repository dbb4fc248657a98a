//! Automations from their JSON to their decisions.

use crate::automations::{AutomationSettings, warnings};
use crate::conditions::Conditions;
use crate::contacts::NewContact;
use crate::{FieldError, Read};
use jiff::Timestamp;
use proptest::prelude::*;
use restock_domain::automation::Operator;
use restock_domain::{
    Automation, AutomationId, Candidate, Condition, Contact, ContactId, DeliveryId, ExternalId, Facts, FieldValue,
    Locale, Product, Skip, Sku, Subscription, Suppression, decide,
};
use serde_json::json;
use std::time::Duration;
use strum::VariantNames;
use uuid::Uuid;

const OPERATORS: &[&str] = Operator::VARIANTS;

/// Returns every error of a value as pointer and word.
fn named(errors: Vec<FieldError>) -> Vec<(String, &'static str)> {
    errors.into_iter().map(|error| (error.pointer, error.error_code.as_str())).collect()
}

/// One subscription and what belongs to it.
#[derive(Debug)]
struct World {
    subscription: Subscription,
    product: Product,
    contact: Contact,
    quantity: i64,
    purchased_on: Option<Timestamp>,
}

fn at(raw: &str) -> Timestamp {
    raw.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T12:00:00Z")
}

fn world() -> World {
    let contact = json!({
        "email": "anna@example.com", "firstName": "Anna", "countryCode": "SE", "language": "sv-SE", "acceptsEmail": true,
        "attributes": {"club": "Gold", "points": 120, "score": "7.50", "vip": true, "born": "1990-05-01", "a.b": "dots", "blank": " "},
    });
    let product = json!({
        "id": "SKU-1", "title": "Wool Socks", "link": "https://shop.example/1", "price": "499.00 SEK", "brand": " Nordvik ",
        "product_type": ["Clothes > Socks", "Sale"], "custom_label_0": "12", "availability_date": "2026-11-20T00:00+0100",
        "shipping": [{"country": "SE", "price": "49.00 SEK"}, {"country": "NO", "price": "99.00 NOK"}],
    });
    let product = serde_json::from_value(product).unwrap();
    let contact_id = ContactId::new(Uuid::from_u128(1));
    World {
        subscription: Subscription {
            contact_id,
            sku: Sku::parse("SKU-1").unwrap(),
            locale: Locale::parse("sv-SE").unwrap(),
            external_id: Some(ExternalId::parse("SE-north").unwrap()),
            created_on: at("2026-11-01T00:00:00Z"),
            delivery: DeliveryId::new(Uuid::from_u128(2)),
            moved_in_on: None,
            expires_on: None,
        },
        product: Product::from_feed(product, None).unwrap().0,
        contact: NewContact::read(contact).unwrap().into_contact(contact_id, at("2025-01-01T00:00:00Z")),
        quantity: 5,
        purchased_on: Some(at("2026-11-20T00:00:00Z")),
    }
}

impl World {
    fn facts(&self) -> Facts<'_> {
        let World { subscription, product, contact, quantity, purchased_on } = self;
        Facts { subscription, product, contact, quantity: *quantity, purchased_on: *purchased_on, now: now() }
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            subscription: &self.subscription,
            quantity: self.quantity,
            feed_configured: true,
            product: Some(&self.product),
            contact: Some(&self.contact),
            purchased_on: self.purchased_on,
            now: now(),
        }
    }
}

fn read(condition: serde_json::Value) -> Result<Condition, Vec<(String, &'static str)>> {
    let Conditions(conditions) = Conditions::read(json!([condition])).map_err(named)?;
    Ok(conditions.into_iter().next().unwrap())
}

#[track_caller]
fn test(field: &str, operator: &str, value: serde_json::Value) -> bool {
    read(json!({"field": field, "operator": operator, "value": value})).unwrap().holds(&world().facts())
}

#[test]
fn text_compares_without_case_but_skus_and_external_ids_exactly() {
    assert!(test("locale", "equals", json!("SV-se")) && !test("locale", "equals", json!("sv")));
    assert!(test("locale", "startsWith", json!("sv")) && test("locale", "in", json!(["nb-NO", "sv-SE"])));
    assert!(test("sku", "equals", json!("SKU-1")) && !test("sku", "equals", json!("sku-1")));
    assert!(test("sku", "notIn", json!(["SKU-2"])) && !test("sku", "notIn", json!(["SKU-2", "SKU-1"])));
    assert!(test("externalId", "startsWith", json!("SE-")) && !test("externalId", "startsWith", json!("se-")));
    assert!(test("product.brand", "equals", json!("nordvik")) && test("product.title", "contains", json!("SOCKS")));
    assert!(
        test("product.g:Brand", "equals", json!("nordvik")) && test("contact.attributes.CLUB", "equals", json!("gold"))
    );
    assert!(test("product.title", "startsWith", json!("wool ")) && !test("product.title", "contains", json!("wool  ")));
    assert!(!test("product.title", "startsWith", json!("woo ")), "a space counts");
    assert!(
        test("contact.attributes.club", "equals", json!("gold"))
            && test("contact.attributes.a.b", "equals", json!("dots"))
    );
    assert!(
        test("contact.email", "contains", json!("@example.com")) && test("contact.countryCode", "in", json!(["se"]))
    );
}

#[test]
fn values_of_conditions_are_read_as_the_fields_are() {
    assert!(!test("sku", "notIn", json!(["SKU-1 "])) && test("sku", "equals", json!(" SKU-1")));
    assert!(!test("sku", "notEquals", json!("\tSKU-1")) && test("externalId", "in", json!(["SE-north\n"])));
    assert!(test("sku", "startsWith", json!(" SKU-")), "no SKU begins with a space");
    assert!(test("locale", "in", json!(["sv_SE"])) && !test("locale", "notEquals", json!(" sv_se ")));
    assert!(test("contact.language", "equals", json!("sv_SE")));
    let hebrew = json!({"field": "locale", "operator": "startsWith", "value": "iw"});
    let mut world = world();
    world.subscription.locale = Locale::parse("he-IL").unwrap();
    assert!(read(hebrew).unwrap().holds(&world.facts()), "the old code of a language is the same one");
}

#[test]
fn numbers_and_prices_compare_as_what_they_are() {
    assert!(test("quantity", "greaterOrEqual", json!(5)) && !test("quantity", "greater", json!(5)));
    assert!(test("quantity", "less", json!(10)) && test("quantity", "notEquals", json!(-1)));
    assert!(test("product.price", "less", json!(500)) && !test("product.price", "less", json!(90)));
    assert!(
        test("product.price", "equals", json!("499 SEK")) && test("product.price", "lessOrEqual", json!("499.0 sek"))
    );
    assert!(!test("product.price", "less", json!("500 EUR")) && !test("product.price", "greater", json!("1 EUR")));
    assert!(
        test("product.custom_label_0", "greater", json!(9)) && test("product.custom_label_0", "equals", json!(12.0))
    );
    assert!(
        !test("product.custom_label_0", "equals", json!("12.0"))
            && test("product.custom_label_0", "equals", json!("12"))
    );
    assert!(
        test("contact.attributes.points", "greaterOrEqual", json!(120))
            && test("contact.attributes.points", "equals", json!("120"))
    );
    assert!(
        test("contact.attributes.score", "equals", json!(7.5)) && test("contact.attributes.vip", "equals", json!(true))
    );
    assert!(!test("product.title", "less", json!(5)) && !test("product.title", "greaterOrEqual", json!(5)));
}

#[test]
fn of_a_field_that_repeats_or_nests_one_value_has_to_fit() {
    assert!(
        test("product.product_type", "equals", json!("sale"))
            && test("product.product_type", "contains", json!("socks"))
    );
    assert!(
        !test("product.product_type", "notEquals", json!("sale"))
            && test("product.product_type", "notEquals", json!("x"))
    );
    assert!(
        test("product.shipping.country", "equals", json!("NO"))
            && test("product.shipping.price", "less", json!("50 SEK"))
    );
    assert!(
        test("product.shipping", "exists", json!(true)) && !test("product.shipping.service", "exists", json!(true))
    );
}

#[test]
fn what_is_missing_equals_nothing() {
    for field in ["product.color", "contact.attributes.size", "contact.attributes.blank", "contact.lastName"] {
        assert!(test(field, "exists", json!(false)) && !test(field, "exists", json!(true)), "{field}");
        assert!(test(field, "notEquals", json!("x")) && test(field, "notIn", json!(["x"])), "{field}");
        assert!(!test(field, "equals", json!("x")) && !test(field, "in", json!(["x"])), "{field}");
        assert!(!test(field, "less", json!(5)) && !test(field, "greater", json!(5)), "{field}");
        assert!(!test(field, "contains", json!("x")) && !test(field, "before", json!("2030-01-01")), "{field}");
    }
}

#[test]
fn moments_are_within_a_period_before_or_after() {
    assert!(test("subscribedOn", "within", json!("P30D")) && !test("subscribedOn", "within", json!("P22D")));
    assert!(test("subscribedOn", "within", json!("1 month")) && test("subscribedOn", "within", json!("P4W")));
    assert!(
        test("subscribedOn", "before", json!("2026-11-02")) && !test("subscribedOn", "before", json!("2026-11-01"))
    );
    assert!(
        test("subscribedOn", "after", json!("2026-10-31T23:59:59Z"))
            && !test("subscribedOn", "after", json!("2026-11-01"))
    );
    assert!(test("purchasedOn", "within", json!("P5D")) && !test("purchasedOn", "within", json!("P2D")));
    assert!(
        test("contact.createdOn", "before", json!("2026-01-01"))
            && test("contact.attributes.born", "before", json!("2000-01-01"))
    );
    assert!(
        test("product.availability_date", "within", json!("P4D"))
            && !test("product.availability_date", "within", json!("PT12H"))
    );
}

#[test]
fn who_never_bought_the_sku_has_not_bought_it_within_any_period() {
    let not_bought = read(json!({"not": {"field": "purchasedOn", "operator": "within", "value": "P5D"}})).unwrap();
    let never = World { purchased_on: None, ..world() };

    assert!(not_bought.looks_at_purchases() && not_bought.holds(&never.facts()) && !not_bought.holds(&world().facts()));
}

#[test]
fn what_is_wrong_with_a_condition_is_said_where_it_is() {
    let error = |condition: serde_json::Value| read(condition).unwrap_err();
    let one = |pointer: &str, code| vec![(pointer.to_owned(), code)];
    let test = |field: &str, operator: &str, value: serde_json::Value| {
        error(json!({"field": field, "operator": operator, "value": value}))
    };

    assert_eq!(error(json!(5)), one("/0", "NotAnObject"));
    assert_eq!(error(json!({})), one("/0", "InvalidCondition"));
    assert_eq!(error(json!({"all": [], "any": []})), one("/0", "InvalidCondition"));
    assert_eq!(error(json!({"all": []})), one("/0/all", "Empty"));
    assert_eq!(error(json!({"any": {}})), one("/0/any", "WrongType"));
    assert_eq!(error(json!({"not": []})), one("/0/not", "NotAnObject"));
    assert_eq!(error(json!({"field": "sku"})), one("/0/operator", "Required"));
    assert_eq!(test("colour", "equals", json!("x")), one("/0/field", "UnknownField"));
    assert_eq!(test("product.", "equals", json!("x")), one("/0/field", "UnknownField"));
    assert_eq!(test("contact.attributes.", "equals", json!("x")), one("/0/field", "UnknownField"));
    assert_eq!(test("product.a.b.c.d.e.f", "equals", json!("x")), one("/0/field", "TooLong"));
    assert_eq!(
        test(&format!("contact.attributes.{}", "x".repeat(210)), "equals", json!("x")),
        one("/0/field", "TooLong")
    );
    assert_eq!(test("quantity", "contains", json!("x")), one("/0/operator", "UnknownOperator"));
    assert_eq!(test("subscribedOn", "equals", json!("2026-01-01")), one("/0/operator", "UnknownOperator"));
    assert_eq!(test("sku", "less", json!(5)), one("/0/operator", "UnknownOperator"));
    assert_eq!(test("locale", "equals", json!("no tag")), one("/0/value", "InvalidLocale"));
    assert_eq!(test("locale", "in", json!(["sv-SE", "x"])), one("/0/value/1", "InvalidLocale"));
    let misspelled = json!({"field": "sku", "operator": "exists", "values": 1});
    assert_eq!(error(misspelled), one("/0/values", "UnknownProperty"));
    assert_eq!(error(json!({"any": [], "a/b": 1})), one("/0/a~1b", "UnknownProperty"));
    assert_eq!(test("sku", "equals", json!(null)), one("/0/value", "Required"));
    assert_eq!(test("sku", "equals", json!(5)), one("/0/value", "WrongType"));
    assert_eq!(test("sku", "in", json!([])), one("/0/value", "WrongLength"));
    assert_eq!(test("sku", "in", json!(["A", " "])), one("/0/value/1", "Empty"));
    assert_eq!(test("quantity", "less", json!("5")), one("/0/value", "WrongType"));
    assert_eq!(test("quantity", "equals", json!(1.5)), one("/0/value", "WrongType"));
    assert_eq!(test("product.price", "less", json!("cheap")), one("/0/value", "WrongType"));
    assert_eq!(test("subscribedOn", "within", json!("a while")), one("/0/value", "InvalidPeriod"));
    assert_eq!(test("subscribedOn", "within", json!("-P1D")), one("/0/value", "InvalidPeriod"));
    assert_eq!(test("subscribedOn", "within", json!("P200Y")), one("/0/value", "InvalidPeriod"));
    assert_eq!(test("subscribedOn", "before", json!("yesterday")), one("/0/value", "InvalidTimestamp"));
    let nested = json!({"any": [{"field": "sku", "operator": "is", "value": "A"}, {"not": {"all": [{"field": "x"}]}}]});
    let codes: Vec<String> = error(nested).into_iter().map(|(pointer, code)| format!("{pointer} {code}")).collect();
    assert_eq!(
        codes,
        [
            "/0/any/0/operator UnknownOperator",
            "/0/any/1/not/all/0/field UnknownField",
            "/0/any/1/not/all/0/operator Required"
        ]
    );
}

fn nested(levels: usize) -> serde_json::Value {
    let test = json!({"field": "quantity", "operator": "less", "value": 5});
    (1..levels).fold(test, |inner, _| json!({"not": inner}))
}

#[test]
fn ten_levels_and_a_hundred_conditions_are_the_most() {
    assert!(read(nested(10)).is_ok());
    assert_eq!(read(nested(11)).unwrap_err()[0].1, "TooDeep");
    let many = |count: usize| json!({"any": vec![nested(1); count]});
    assert!(read(many(100)).is_ok());
    assert_eq!(read(many(101)).unwrap_err(), [("/0/any/100".to_owned(), "TooMany")]);
}

#[test]
fn a_condition_is_described_in_words() {
    let condition = read(json!({"any": [
        {"field": "locale", "operator": "in", "value": ["sv-SE", "nb-NO"]},
        {"not": {"field": "purchasedOn", "operator": "within", "value": "P5D"}},
        {"field": "contact.attributes.club", "operator": "exists"},
    ]}));

    assert_eq!(
        condition.unwrap().to_string(),
        "any of (locale is one of sv-SE, nb-NO; not (purchasedOn is within the last P5D); contact.attributes.club is there)"
    );
}

#[test]
fn a_long_condition_is_described_shortly() {
    let values: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    let listed = automation("a", json!({"conditions": [{"field": "sku", "operator": "in", "value": values}]}));
    let nested = automation("a", json!({"conditions": [{"any": vec![nested(9); 100]}]}));

    assert_eq!(listed.condition_in_words(0), "sku is one of 0, 1, 2, 3, 4 and 995 more");
    assert_eq!(nested.condition_in_words(0).chars().count(), 301);
}

#[test]
fn a_hundred_errors_are_the_most_that_are_said() {
    let errors = Conditions::read(json!(vec![0; 100_000])).unwrap_err();

    assert_eq!(errors.len(), 100);
}

fn automation(id: &str, body: serde_json::Value) -> Automation {
    let mut whole = json!({"name": id});
    if let (serde_json::Value::Object(whole), serde_json::Value::Object(body)) = (&mut whole, body) {
        whole.extend(body);
    }
    stored(whole, id).unwrap()
}

fn stored(body: serde_json::Value, id: &str) -> Result<Automation, Vec<(String, &'static str)>> {
    let settings = AutomationSettings::read(body).map_err(named)?;
    settings.into_automation(AutomationId::parse(id).unwrap(), Duration::ZERO).map_err(named)
}

fn at_least(quantity: i64) -> serde_json::Value {
    json!([{"field": "quantity", "operator": "greaterOrEqual", "value": quantity}])
}

#[test]
fn the_first_automation_that_accepts_gets_the_subscription_and_the_others_say_why_not() {
    let world = world();
    let automations = [
        automation("off", json!({"enabled": false})),
        automation("many", json!({"conditions": at_least(50)})),
        automation("some", json!({"conditions": at_least(5)})),
        automation("all", json!({})),
    ];

    let decision = decide(&world.candidate(), &automations);

    assert_eq!(decision.outcome.unwrap().id.as_str(), "some");
    let refusals: Vec<(&str, &[usize])> = decision
        .refusals
        .iter()
        .map(|refusal| (refusal.automation.id.as_str(), refusal.conditions.as_slice()))
        .collect();
    assert_eq!(refusals, [("many", [0].as_slice())]);
}

#[test]
fn preconditions_come_before_every_automation() {
    let world = world();
    let automations = [automation("all", json!({"requiresConsent": false}))];
    let suppressed = |why| Contact { suppressed: Some(why), ..world.contact.clone() };
    let (bounced, unsubscribed) = (suppressed(Suppression::Bounce), suppressed(Suppression::Unsubscribed));
    let skip = |candidate: Candidate<'_>| decide(&candidate, &automations).outcome.unwrap_err();

    assert_eq!(skip(Candidate { feed_configured: false, ..world.candidate() }), Skip::NoFeed);
    assert_eq!(skip(Candidate { product: None, ..world.candidate() }), Skip::NoProductData);
    assert_eq!(skip(Candidate { contact: None, ..world.candidate() }), Skip::ContactGone);
    assert_eq!(skip(Candidate { contact: Some(&bounced), ..world.candidate() }), Skip::Suppressed);
    assert_eq!(skip(Candidate { contact: Some(&unsubscribed), ..world.candidate() }), Skip::Unsubscribed);
}

#[test]
fn consent_is_the_automations_to_ask_for() {
    let mut world = world();
    world.contact.accepts_email = Some(false);
    let asks = automation("asks", json!({}));
    let asks_for_more = automation("more", json!({"conditions": at_least(50)}));
    let does_not_ask = automation("lax", json!({"requiresConsent": false}));
    let outcome =
        |automations: &[Automation]| decide(&world.candidate(), automations).outcome.map(|found| found.id.clone());

    assert_eq!(outcome(std::slice::from_ref(&asks)).unwrap_err(), Skip::NoConsent);
    assert_eq!(outcome(&[asks_for_more]).unwrap_err(), Skip::NoAutomation);
    assert_eq!(outcome(&[asks, does_not_ask]).unwrap().as_str(), "lax");
}

#[test]
fn an_automation_is_checked_field_by_field() {
    let body = json!({
        "name": " ", "enabled": "yes", "condition": [], "priority": 0, "requiresConsent": 1, "conditions": [{"field": "x"}],
        "email": {"template": "None!", "sender": "shop", "replyTo": "a@b", "subjects": {}, "subject": {"no tag": "A", "default": ""}},
    });

    let errors = stored(body, "a").unwrap_err();

    let errors: Vec<(&str, &str)> = errors.iter().map(|(pointer, code)| (pointer.as_str(), *code)).collect();
    let expected = [
        ("/name", "Empty"),
        ("/enabled", "WrongType"),
        ("/priority", "OutOfRange"),
        ("/requiresConsent", "WrongType"),
        ("/conditions/0/field", "UnknownField"),
        ("/conditions/0/operator", "Required"),
        ("/email/template", "InvalidTemplateId"),
        ("/email/sender", "InvalidEmail"),
        ("/email/replyTo", "InvalidEmail"),
        ("/email/subject/default", "Empty"),
        ("/email/subject/no tag", "InvalidLocale"),
        ("/email/subjects", "UnknownProperty"),
        ("/condition", "UnknownProperty"),
    ];
    assert_eq!(errors, expected);
}

#[test]
fn a_property_that_there_is_not_is_answered_with_those_that_there_are() {
    let message = |body: serde_json::Value| AutomationSettings::read(body).unwrap_err().remove(0).message;

    assert_eq!(
        message(json!({"name": "a", "condition": []})),
        "There is no such property. Those that there are: name, enabled, priority, requiresConsent, conditions, email, waves."
    );
    assert_eq!(
        message(json!({"name": "a", "conditions": [{"field": "sku", "operator": "exists", "values": 1}]})),
        "There is no such property. Those that there are: field, operator, value."
    );
}

#[test]
fn storing_conditions_warns_of_an_automation_that_takes_everybody_all_the_same() {
    let warned = |body: serde_json::Value, other: Automation| warnings(&stored(body, "mine").unwrap(), &[other]);
    let conditions = json!([{"field": "quantity", "operator": "less", "value": 9}]);
    let choosy = json!({"name": "a", "conditions": conditions});
    let default = Automation::built_in();
    let first = Automation { priority: 1, ..default.clone() };

    let after = "default is asked after this one and takes everybody, so whoever this one refuses gets its mail. If they \
                 should get none, switch it off by \"enabled\": false.";
    assert_eq!(warned(choosy.clone(), default.clone()), [after]);
    let before = "default is asked before this one and takes everybody, so this one gets nobody. Give one of them another \
                  priority.";
    assert_eq!(warned(choosy.clone(), first.clone()), [before]);
    assert_eq!(warned(json!({"name": "a"}), default.clone()), [""; 0], "it refuses nobody");
    assert_eq!(warned(choosy.clone(), Automation { enabled: false, ..default.clone() }), [""; 0]);
    let picky = stored(choosy.clone(), "picky").unwrap();
    assert_eq!(warned(choosy.clone(), picky), [""; 0]);
    let off = json!({"name": "a", "enabled": false, "conditions": conditions});
    assert_eq!(warned(off, default.clone()), [""; 0]);
    assert_eq!(warned(choosy, Automation { id: AutomationId::parse("mine").unwrap(), ..default }), [""; 0]);
    let without_consent = json!({"name": "a", "requiresConsent": false});
    assert_eq!(warned(without_consent, first), [""; 0], "it gets those who accept no email");
}

#[test]
fn an_automation_is_not_longer_than_an_item_may_be() {
    let values: Vec<String> = (0..1_000).map(|n| format!("{n:0>400}")).collect();
    let long = json!({"name": "a", "conditions": [{"field": "sku", "operator": "in", "value": values}]});

    assert_eq!(stored(long, "a").unwrap_err(), [(String::new(), "TooLong")]);
}

#[test]
fn what_an_automation_is_written_as_it_is_read_from() {
    let body = json!({
        "name": "Early birds", "enabled": false, "priority": 7, "requiresConsent": false, "conditions": at_least(5),
        "email": {"template": "letter", "sender": "Min Butik <hej@shop.example>", "replyTo": "svar@shop.example",
                  "subject": {"sv": "Åter: { $title }", "default": "Back"}},
    });

    let automation = automation("early-birds", body.clone());

    let mut written = serde_json::to_value(crate::automations::Automation::from(automation.clone())).unwrap();
    assert_eq!(written["id"], "early-birds");
    let written = written.as_object_mut().unwrap();
    written.remove("id");
    written.remove("version");
    assert_eq!(serde_json::Value::Object(written.clone()), body);
    assert_eq!(automation.email.subject(&Locale::parse("sv-SE").unwrap()), Some("Åter: { $title }"));
    assert_eq!(automation.email.subject(&Locale::parse("fi-FI").unwrap()), Some("Back"));
}

const VALUES: [&str; 8] = ["sv-SE", "SKU-1", "499 SEK", "499.00 EUR", "P30D", "2026-11-01", "Gold", " 7.5 "];
const FIELDS: [&str; 12] = [
    "locale",
    "quantity",
    "sku",
    "externalId",
    "subscribedOn",
    "purchasedOn",
    "product.price",
    "product.shipping.price",
    "product.nothing",
    "contact.attributes.club",
    "contact.attributes.points",
    "contact.createdOn",
];
fn scalar() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        prop::sample::select(&VALUES[..]).prop_map(|text| json!(text)),
        (-10_i64..600).prop_map(|number| json!(number)),
        (-10_f64..600.0).prop_map(|number| json!(number)),
        any::<bool>().prop_map(|value| json!(value)),
    ]
}

/// Tests that make sense.
fn a_test() -> impl Strategy<Value = serde_json::Value> {
    let value = prop_oneof![scalar(), prop::collection::vec(scalar(), 1..4).prop_map(serde_json::Value::from)];
    (prop::sample::select(&FIELDS[..]), prop::sample::select(OPERATORS), value)
        .prop_map(|(field, operator, value)| json!({"field": field, "operator": operator, "value": value}))
        .prop_filter("a combination that is refused", |test| read(test.clone()).is_ok())
}

fn a_condition() -> impl Strategy<Value = serde_json::Value> {
    a_test().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({"all": all})),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|any| json!({"any": any})),
            inner.prop_map(|not| json!({"not": not})),
        ]
    })
}

fn a_world() -> impl Strategy<Value = World> {
    let attribute = prop::option::of(scalar());
    (-5_i64..600, prop::option::of(0_i64..4_000_000), attribute, prop::option::of(prop::sample::select(&VALUES[..])))
        .prop_map(|(quantity, bought_ago, club, price)| {
            let mut world = world();
            world.quantity = quantity;
            world.purchased_on = bought_ago.map(|seconds| now() - std::time::Duration::from_secs(seconds as u64));
            let club = crate::values::scalar(club.unwrap_or_default()).unwrap();
            world.contact.attributes.insert("club".into(), club);
            let mut data = world.product.data().clone();
            data.insert("price".into(), FieldValue::from(price.unwrap_or_default()));
            world.product = Product::restore(world.product.sku().clone(), data);
            world
        })
}

/// Returns any JSON at all, with the words of conditions in it more often than by chance.
fn json_soup() -> impl Strategy<Value = serde_json::Value> {
    let words = ["all", "any", "not", "field", "operator", "value", "locale", "within", "equals", "product.a"];
    let leaf = prop_oneof![
        Just(json!(null)),
        scalar(),
        prop::sample::select(words.to_vec()).prop_map(|word| json!(word)),
        any::<String>().prop_map(|text| json!(text)),
        any::<f64>().prop_map(|number| json!(number)),
    ];
    leaf.prop_recursive(12, 60, 4, move |inner| {
        let key = prop_oneof![prop::sample::select(words.to_vec()).prop_map(ToOwned::to_owned), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::hash_map(key, inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_panics_and_what_was_read_is_written_the_same(soup in json_soup()) {
        if let Ok(Conditions(conditions)) = Conditions::read(soup) {
            let written = serde_json::to_value(&conditions).unwrap();
            prop_assert_eq!(&Conditions::read(written.clone()).unwrap().0, &conditions);
            // And as it is read from a table, where it is trusted.
            prop_assert_eq!(serde_json::from_value::<Vec<Condition>>(written).unwrap(), conditions);
        }
    }

    #[test]
    fn a_condition_reads_back_as_it_was_written(condition in a_condition()) {
        let condition = read(condition).unwrap();
        prop_assert_eq!(read(serde_json::to_value(&condition).unwrap()).unwrap(), condition);
    }

    #[test]
    fn not_not_is_nothing_and_de_morgan_holds(a in a_condition(), b in a_condition(), world in a_world()) {
        let (a, b) = (read(a).unwrap(), read(b).unwrap());
        let not = |condition: &Condition| Condition::Not { not: Box::new(condition.clone()) };
        let facts = world.facts();

        prop_assert_eq!(not(&not(&a)).holds(&facts), a.holds(&facts));
        let neither = Condition::All { all: vec![not(&a), not(&b)] };
        prop_assert_eq!(not(&Condition::Any { any: vec![a, b] }).holds(&facts), neither.holds(&facts));
    }

    #[test]
    fn not_equals_is_the_opposite_of_equals(test in a_test(), world in a_world()) {
        let operator = test["operator"].as_str().unwrap().to_owned();
        if let Some(opposite) = [("equals", "notEquals"), ("in", "notIn")].iter().find(|(of, _)| *of == operator) {
            let mut other = test.clone();
            other["operator"] = json!(opposite.1);
            prop_assert_ne!(read(test).unwrap().holds(&world.facts()), read(other).unwrap().holds(&world.facts()));
        }
    }

    #[test]
    fn the_order_of_conditions_does_not_matter(
        conditions in prop::collection::vec(a_condition(), 1..5),
        seed in any::<prop::sample::Index>(),
        world in a_world(),
    ) {
        let mut turned = conditions.clone();
        turned.rotate_left(seed.index(conditions.len()));
        let group = |kind: &str, list: &[serde_json::Value]| read(json!({kind: list})).unwrap();
        for kind in ["all", "any"] {
            let (one, other) = (group(kind, &conditions), group(kind, &turned));
            prop_assert_eq!(one.holds(&world.facts()), other.holds(&world.facts()));
        }
        let refused = |list: &[serde_json::Value]| {
            let automations = [automation("a", json!({"conditions": list}))];
            let decision = decide(&world.candidate(), &automations);
            let mut refused: Vec<String> = decision.refusals.iter()
                .flat_map(|refusal| refusal.conditions.iter().map(|index| refusal.automation.conditions[*index].to_string()))
                .collect();
            refused.sort();
            (decision.outcome.is_ok(), refused)
        };
        prop_assert_eq!(refused(&conditions), refused(&turned));
    }
}

#[test]
fn conditions_are_said_in_words_of_a_help_desk() {
    for (condition, words) in [
        (
            json!({"any": [
                {"field": "contact.attributes.club", "operator": "equals", "value": "gold"},
                {"all": [
                    {"field": "quantity", "operator": "greaterOrEqual", "value": 20},
                    {"not": {"field": "purchasedOn", "operator": "within", "value": "P1M5D"}},
                ]},
            ]}),
            "the shopper's club is gold, or the stock is at least 20, and it is not true that the shopper's last purchase of the \
             product is within the last 1 month 5 days",
        ),
        (
            json!({"field": "product.google_product_category", "operator": "exists", "value": true}),
            "the product's google product category is there",
        ),
        (
            json!({"field": "contact.countryCode", "operator": "in", "value": ["SE", "NO"]}),
            "the shopper's country is one of SE, NO",
        ),
    ] {
        assert_eq!(serde_json::from_value::<Condition>(condition).unwrap().in_words(), words);
    }
}
