//! Whether a mail can come, as somebody who subscribes is told.

use crate::stock_level::in_stock;
use crate::{Availability, Contact, KnownLevel, Locale, Product, Subscription, Suppression};
use strum::{EnumIter, IntoStaticStr};

/// The facts about a subscription when it is made.
#[derive(Debug, Default)]
pub struct Outlook {
    pub contact: Option<Contact>,
    /// True if every automation that is on asks for contacts who accept email.
    pub asks_for_consent: bool,
    /// The locale whose feed serves the subscription; none if no feed does.
    pub feed: Option<Locale>,
    /// True if the feed was imported so recently that its word about stock still counts.
    pub feed_is_fresh: bool,
    pub product: Option<Product>,
    /// The newest level of each scope that covers it, as far as levels are known.
    pub levels: Vec<KnownLevel>,
}

/// What stands in the way of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum Obstacle {
    /// Mail to the address permanently bounced, or its owner complained.
    Suppressed,
    Unsubscribed,
    /// The contact does not accept email, and every automation that is on asks for that.
    NoConsent,
    /// No product feed is configured that serves the locale.
    NoFeed,
    /// The feed has no such SKU.
    NoProductData,
    /// The mail comes when it is in stock again after it was sold out.
    InStock,
}

impl Obstacle {
    /// Returns the word that the API shows.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns true if it tells something about the contact.
    pub fn is_personal(self) -> bool {
        matches!(self, Self::Suppressed | Self::Unsubscribed | Self::NoConsent)
    }
}

impl Outlook {
    /// Returns true if the contact does not accept email.
    pub fn refuses_email(&self) -> bool {
        self.contact.as_ref().is_some_and(|contact| contact.accepts_email == Some(false))
    }

    /// Returns everything that stands in the way, the contact's own first.
    pub fn obstacles(&self, subscription: &Subscription) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        match self.contact.as_ref().and_then(|contact| contact.suppressed) {
            Some(Suppression::Unsubscribed) => obstacles.push(Obstacle::Unsubscribed),
            Some(Suppression::Bounce | Suppression::Complaint) => obstacles.push(Obstacle::Suppressed),
            None if self.asks_for_consent && self.refuses_email() => obstacles.push(Obstacle::NoConsent),
            None => {}
        }
        if self.feed.is_none() {
            obstacles.push(Obstacle::NoFeed);
        } else if self.product.is_none() {
            obstacles.push(Obstacle::NoProductData);
        }
        let said = || self.product.as_ref().filter(|_| self.feed_is_fresh).and_then(Product::availability);
        let of_feed = || said().map(|availability| availability == Availability::InStock);
        let of_levels = in_stock(&self.levels, &subscription.locale, subscription.external_id.as_ref());
        if of_levels.or_else(of_feed) == Some(true) {
            obstacles.push(Obstacle::InStock);
        }
        obstacles
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContactId, DeliveryId, FieldValue, Fields, Scope, Sku};
    use jiff::Timestamp;
    use uuid::Uuid;

    fn subscription() -> Subscription {
        Subscription {
            contact_id: ContactId::new(Uuid::from_u128(1)),
            sku: Sku::parse("A").unwrap(),
            locale: Locale::parse("sv-SE").unwrap(),
            external_id: None,
            created_on: Timestamp::from_second(10).unwrap(),
            delivery: DeliveryId::new(Uuid::from_u128(2)),
            moved_in_on: None,
            expires_on: None,
        }
    }

    fn outlook(availability: &str, feed_is_fresh: bool, level: Option<i64>) -> Outlook {
        let data = Fields::from([("availability".to_owned(), FieldValue::Text(availability.to_owned()))]);
        let level = level.map(|quantity| KnownLevel {
            scope: Scope::Sku,
            quantity,
            at: Timestamp::UNIX_EPOCH,
            arrival: None,
            history: Default::default(),
            earlier: Vec::new(),
        });
        Outlook {
            contact: None,
            asks_for_consent: false,
            feed: Some(Locale::parse("sv-SE").unwrap()),
            feed_is_fresh,
            product: Some(Product::restore(Sku::parse("A").unwrap(), data)),
            levels: level.into_iter().collect(),
        }
    }

    #[test]
    fn a_level_says_what_is_in_stock_and_else_a_fresh_feed() {
        let in_stock = |outlook: Outlook| outlook.obstacles(&subscription()).contains(&Obstacle::InStock);

        for word in ["in_stock", "in stock", "In Stock", "https://schema.org/InStock", "http://schema.org/InStock"] {
            assert!(in_stock(outlook(word, true, None)), "{word}");
            assert!(!in_stock(outlook(word, false, None)), "{word}");
            assert!(!in_stock(outlook(word, true, Some(0))), "{word}");
        }
        for word in ["out_of_stock", "preorder", "backorder", ""] {
            assert!(!in_stock(outlook(word, true, None)), "{word}");
            assert!(in_stock(outlook(word, true, Some(2))), "{word}");
        }
    }

    #[test]
    fn without_a_feed_or_a_product_no_mail_can_come() {
        let nothing = Outlook::default();
        let no_product = Outlook { feed: Some(Locale::parse("sv").unwrap()), ..Outlook::default() };

        assert_eq!(nothing.obstacles(&subscription()), [Obstacle::NoFeed]);
        assert_eq!(no_product.obstacles(&subscription()), [Obstacle::NoProductData]);
    }
}
