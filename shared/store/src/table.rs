//! The tables and their keys.

use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

pub type Item = HashMap<String, AttributeValue>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, strum::EnumIter, strum::Display)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Table {
    Configuration,
    Contacts,
    Deliveries,
    Log,
    Products,
    Purchases,
    Stock,
    Subscriptions,
    Uploads,
}

impl Table {
    /// Returns the partition key, and the sort key if there is one.
    pub fn key(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Configuration => ("kind", Some("id")),
            Self::Contacts => ("key", None),
            Self::Deliveries => ("contactId", Some("delivery")),
            Self::Log => ("sku", Some("entry")),
            Self::Products => ("feed", Some("sku")),
            Self::Purchases => ("contactId", Some("purchase")),
            Self::Stock => ("sku", Some("scope")),
            Self::Subscriptions => ("contactId", Some("subscription")),
            Self::Uploads => ("upload", Some("part")),
        }
    }

    /// Returns the environment variable with the table's name.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Configuration => "CONFIGURATION_TABLE",
            Self::Contacts => "CONTACTS_TABLE",
            Self::Deliveries => "DELIVERIES_TABLE",
            Self::Log => "LOG_TABLE",
            Self::Products => "PRODUCTS_TABLE",
            Self::Purchases => "PURCHASES_TABLE",
            Self::Stock => "STOCK_TABLE",
            Self::Subscriptions => "SUBSCRIPTIONS_TABLE",
            Self::Uploads => "UPLOADS_TABLE",
        }
    }

    /// Returns the attributes of an item that are its key.
    pub fn key_of(self, item: &Item) -> Item {
        let (partition, sort) = self.key();
        let names = [Some(partition), sort].into_iter().flatten();
        names.filter_map(|name| Some((name.to_owned(), item.get(name)?.clone()))).collect()
    }
}
