//! Conditions in words that somebody at a help desk can say to a shopper. What an engineer reads has the names of the
//! fields.

use super::condition::{Condition, Test};
use super::field::{ContactField, Field};

impl Condition {
    /// Returns the condition as it is said to a shopper: `the shopper's club is gold`.
    pub fn in_words(&self) -> String {
        let joined = |conditions: &[Self], word: &str| {
            conditions.iter().map(Self::in_words).collect::<Vec<_>>().join(&format!(", {word} "))
        };
        match self {
            Self::All { all } => joined(all, "and"),
            Self::Any { any } => joined(any, "or"),
            Self::Not { not } => format!("it is not true that {}", not.in_words()),
            Self::Test(Test { field, predicate }) => format!("{} {}", field.in_words(), predicate.in_words()),
        }
    }
}

impl Field {
    fn in_words(&self) -> String {
        let known = match self {
            Self::Locale => "the locale",
            Self::Quantity => "the stock",
            Self::Sku => "the SKU",
            Self::ExternalId => "the external id",
            Self::SubscribedOn => "the time of subscribing",
            Self::PurchasedOn => "the shopper's last purchase of the product",
            Self::Product(path) => return format!("the product's {}", path.join(" ").replace('_', " ")),
            Self::Contact(ContactField::Attribute(name)) => return format!("the shopper's {name}"),
            Self::Contact(ContactField::Email) => "the shopper's email address",
            Self::Contact(ContactField::FirstName) => "the shopper's first name",
            Self::Contact(ContactField::LastName) => "the shopper's last name",
            Self::Contact(ContactField::Language) => "the shopper's language",
            Self::Contact(ContactField::CountryCode) => "the shopper's country",
            Self::Contact(ContactField::AcceptsEmail) => "the shopper's consent to email",
            Self::Contact(ContactField::CreatedOn) => "the time at which the shopper became known",
        };
        known.to_owned()
    }
}
