//! Deciding about those who wait for a SKU.

use jiff::{SignedDuration, Timestamp};
use restock_domain::{
    Attributes, Automation, Candidate, Condition, Contact, ContactId, DeliveryId, EmailAddress, FieldValue, Fields,
    Locale, Product, Scalar, Sku, Subscription, decide,
};
use uuid::Uuid;

/// A page of subscriptions and what decisions about them look at.
pub struct Page {
    waiting: Vec<(Subscription, Contact)>,
    product: Product,
    automations: Vec<Automation>,
}

impl Page {
    /// Returns as many subscriptions as `match-stock` decides about at a time, and this many automations, of which only
    /// the last one accepts.
    pub fn new(automations: usize) -> Self {
        let sku = Sku::parse("SKU-1").expect("a SKU");
        let locale = Locale::parse("sv-SE").expect("a locale");
        let waiting = (0..200_u32).map(|number| {
            let contact_id = ContactId::new(Uuid::from_u128(number.into()));
            let created_on = now() - SignedDuration::from_hours(number.into());
            let subscription = Subscription {
                contact_id,
                sku: sku.clone(),
                locale: locale.clone(),
                external_id: None,
                created_on,
                moved_in_on: None,
                delivery: DeliveryId::new(Uuid::from_u128(number.into())),
                expires_on: None,
            };
            (subscription, contact(contact_id, number, created_on))
        });
        let data: Fields = [
            ("id", "SKU-1"),
            ("title", "Wool sweater"),
            ("link", "https://shop.example/wool-sweater"),
            ("price", "1199.00 SEK"),
            ("brand", "Fjäll"),
            ("product_type", "Clothing > Sweaters"),
        ]
        .map(|(name, text)| (name.to_owned(), FieldValue::from(text)))
        .into();
        let (product, _) = Product::from_feed(data, None).expect("a product");
        Self {
            waiting: waiting.collect(),
            product,
            automations: (1..=automations).map(|n| automation(n == automations)).collect(),
        }
    }

    /// Decides about each, and returns how many are accepted.
    pub fn decide(&self) -> usize {
        let accepted = self.waiting.iter().filter(|(subscription, contact)| {
            let candidate = Candidate {
                subscription,
                quantity: 25,
                feed_configured: true,
                product: Some(&self.product),
                contact: Some(contact),
                purchased_on: None,
                now: now(),
            };
            decide(&candidate, &self.automations).outcome.is_ok()
        });
        accepted.count()
    }
}

/// Returns an automation of four conditions; the first of them refuses unless it is to accept.
fn automation(accepts: bool) -> Automation {
    let conditions = serde_json::json!([
        {"field": "quantity", "operator": "greaterOrEqual", "value": if accepts { 5 } else { 50 }},
        {"field": "locale", "operator": "in", "value": ["sv-SE", "nb-NO"]},
        {"any": [
            {"field": "contact.attributes.club", "operator": "in", "value": ["gold", "platinum"]},
            {"field": "subscribedOn", "operator": "within", "value": "P30D"}
        ]},
        {"field": "product.price", "operator": "less", "value": "1500 SEK"}
    ]);
    let conditions: Vec<Condition> = serde_json::from_value(conditions).expect("conditions");
    Automation { conditions, ..Automation::built_in() }
}

fn contact(id: ContactId, number: u32, created_on: Timestamp) -> Contact {
    let club = if number.is_multiple_of(4) { "gold" } else { "none" };
    Contact {
        id,
        email: EmailAddress::parse(&format!("shopper-{number}@mail.example")).expect("an address"),
        first_name: Some("Ann".into()),
        last_name: None,
        language: None,
        country_code: None,
        attributes: Attributes::from([("club".into(), Scalar::Text(club.into()))]),
        accepts_email: Some(true),
        created_on,
        suppressed: None,
        unsubscribed: false,
    }
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000)
}
