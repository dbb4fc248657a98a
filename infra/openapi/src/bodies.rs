//! What callers send. The parsers in `domain` name everything that is wrong at once, which a derived one can't; these are the
//! shapes that they read.

use jiff::Timestamp;
use restock_domain::{Condition, ContactId, EmailAddress, ExternalId, Locale, Sender, Sku, Template};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSubscription {
    pub contact_id: ContactId,
    pub sku: Sku,
    pub locale: Locale,
    pub external_id: Option<ExternalId>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockLevel {
    pub sku: Sku,
    /// Zero and below mean "not in stock".
    pub quantity: i64,
    pub locale: Option<Locale>,
    pub external_id: Option<ExternalId>,
    /// The time of the reading; a level that is older than the newest known for its scope is ignored.
    pub updated_on: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewContact {
    pub email: EmailAddress,
    #[schema(max_length = 200)]
    pub first_name: Option<String>,
    #[schema(max_length = 200)]
    pub last_name: Option<String>,
    pub language: Option<Locale>,
    /// ISO 3166-1 alpha-2.
    #[schema(pattern = "^[A-Za-z]{2}$")]
    pub country_code: Option<String>,
    /// Strings, numbers and booleans by name; at most 100.
    pub attributes: Option<Map<String, Value>>,
    pub accepts_email: Option<bool>,
}

/// A merge patch (RFC 7396): what is missing stays, `null` removes, attributes are merged one by one.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactPatch {
    #[schema(nullable = false)]
    pub email: Option<EmailAddress>,
    #[schema(max_length = 200)]
    pub first_name: Option<String>,
    #[schema(max_length = 200)]
    pub last_name: Option<String>,
    pub language: Option<Locale>,
    #[schema(pattern = "^[A-Za-z]{2}$")]
    pub country_code: Option<String>,
    pub attributes: Option<Map<String, Value>>,
    /// `true` also lifts an unsubscription.
    pub accepts_email: Option<bool>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The first receipt with an id counts.
    #[schema(min_length = 1, max_length = 200)]
    pub receipt_id: String,
    /// Now, unless told.
    pub purchased_on: Option<Timestamp>,
    #[schema(min_items = 1, max_items = 200)]
    pub items: Vec<ReceiptItem>,
}

#[derive(Serialize, ToSchema)]
pub struct ReceiptItem {
    pub sku: Sku,
}

/// One receipt, or up to a hundred.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described")]
pub enum Receipts {
    One(Receipt),
    Many(Vec<Receipt>),
}

#[derive(Serialize, ToSchema)]
pub struct FeedSettings {
    /// Where the feed is fetched; without it, it is uploaded.
    #[schema(max_length = 2000)]
    pub url: Option<String>,
}

/// An automation as it is stored. `docs/automations.md` teaches it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationSettings {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// `true` unless told.
    pub enabled: Option<bool>,
    /// The lowest number comes first; 100 unless told.
    #[schema(minimum = 1, maximum = 1000)]
    pub priority: Option<u32>,
    /// `true` unless told.
    pub requires_consent: Option<bool>,
    /// All of them must hold.
    pub conditions: Option<Vec<Condition>>,
    pub email: Option<EmailSettings>,
}

/// What is missing is as the deployment's settings and the compiled-in texts say.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmailSettings {
    /// `back-in-stock` unless told.
    pub template: Option<Template>,
    pub sender: Option<Sender>,
    pub reply_to: Option<EmailAddress>,
    /// By language tag (`sv`, `sv-SE`) or `default`. A text may hold `{ $title }` and `{ $price }`.
    pub subject: Option<BTreeMap<String, String>>,
}
