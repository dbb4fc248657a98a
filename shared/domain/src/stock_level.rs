use crate::wire::{self, FieldError, Fields};
use crate::{ExternalId, Locale, Sku};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What a shop or a warehouse says about its stock of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockLevel {
    pub sku: Sku,
    pub scope: Scope,
    /// Zero and below mean "not in stock"; oversold shops send negative numbers.
    pub quantity: i64,
    /// The time of the reading, if the sender knows it.
    pub updated_on: Option<Timestamp>,
}

/// Which of a SKU's subscriptions a level speaks about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    Sku,
    Locale(Locale),
    ExternalId(ExternalId),
    Both(Locale, ExternalId),
}

/// How a level reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Http,
    Queue,
}

/// A level that was accepted, as later decisions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLevel {
    pub scope: Scope,
    pub quantity: i64,
    pub at: Timestamp,
}

impl StockLevel {
    /// Reads the object that `contract.md` describes, from an HTTP body or a queue message alike.
    pub fn from_json(value: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(value).map_err(|invalid| vec![invalid.at("")])?;
        let sku = fields.required("sku", wire::string(Sku::parse));
        let quantity = fields.required("quantity", wire::integer);
        let locale = fields.optional("locale", wire::string(Locale::parse));
        let external_id = fields.optional("externalId", wire::string(ExternalId::parse));
        let updated_on = fields.optional("updatedOn", wire::string(wire::timestamp));
        fields.finish()?;
        let (Some(sku), Some(quantity)) = (sku, quantity) else { return Err(Vec::new()) };
        Ok(Self { sku, scope: Scope::of(locale, external_id), quantity, updated_on })
    }

    /// The object that [`StockLevel::from_json`] reads.
    pub fn to_json(&self) -> Value {
        let mut value = json!({ "sku": self.sku, "quantity": self.quantity });
        if let Some(locale) = self.scope.locale() {
            value["locale"] = json!(locale);
        }
        if let Some(external_id) = self.scope.external_id() {
            value["externalId"] = json!(external_id);
        }
        if let Some(updated_on) = self.updated_on {
            value["updatedOn"] = json!(updated_on);
        }
        value
    }

    /// The moment the level speaks of. A reading can't be newer than its arrival, so a sender whose clock is ahead
    /// can't shut out the levels that follow.
    pub fn effective_at(&self, received_at: Timestamp) -> Timestamp {
        self.updated_on.map_or(received_at, |updated_on| updated_on.min(received_at))
    }
}

impl Scope {
    pub fn of(locale: Option<Locale>, external_id: Option<ExternalId>) -> Self {
        match (locale, external_id) {
            (None, None) => Self::Sku,
            (Some(locale), None) => Self::Locale(locale),
            (None, Some(external_id)) => Self::ExternalId(external_id),
            (Some(locale), Some(external_id)) => Self::Both(locale, external_id),
        }
    }

    pub fn locale(&self) -> Option<&Locale> {
        match self {
            Self::Locale(locale) | Self::Both(locale, _) => Some(locale),
            Self::Sku | Self::ExternalId(_) => None,
        }
    }

    pub fn external_id(&self) -> Option<&ExternalId> {
        match self {
            Self::ExternalId(external_id) | Self::Both(_, external_id) => Some(external_id),
            Self::Sku | Self::Locale(_) => None,
        }
    }

    /// The table "Which subscriptions a stock level triggers" of `contract.md`, for subscriptions of the level's SKU.
    pub fn covers(&self, locale: &Locale, external_id: Option<&ExternalId>) -> bool {
        match self {
            Self::Sku => true,
            Self::Locale(wanted) => wanted == locale,
            Self::ExternalId(wanted) => Some(wanted) == external_id,
            Self::Both(wanted_locale, wanted_id) => wanted_locale == locale && Some(wanted_id) == external_id,
        }
    }
}

/// Whether the newest of the levels that speak about a subscription says that the SKU is sold out again.
pub fn sold_out_since(levels: &[KnownLevel], locale: &Locale, external_id: Option<&ExternalId>) -> bool {
    newest(levels, locale, external_id).is_some_and(|newest| newest.quantity <= 0)
}

/// Whether the newest of the levels that speak about a subscription says that the SKU is in stock, and is not older than
/// that moment.
pub fn restocked_since(
    levels: &[KnownLevel],
    locale: &Locale,
    external_id: Option<&ExternalId>,
    since: Timestamp,
) -> bool {
    newest(levels, locale, external_id).is_some_and(|newest| newest.quantity > 0 && newest.at >= since)
}

fn newest<'a>(levels: &'a [KnownLevel], locale: &Locale, external_id: Option<&ExternalId>) -> Option<&'a KnownLevel> {
    // Of two that came in the same millisecond, the one that mails: a mail too many is better than one too few.
    let concerned = levels.iter().filter(|level| level.scope.covers(locale, external_id));
    concerned.max_by_key(|level| (level.at, level.quantity > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(json: Value) -> Result<StockLevel, Vec<&'static str>> {
        StockLevel::from_json(json).map_err(|errors| errors.iter().map(|error| error.error_code).collect())
    }

    #[test]
    fn property_names_match_whatever_their_case_and_unknown_ones_are_ignored() {
        let read = level(json!({"SKU": "A", "Quantity": 3, "EXTERNALID": "x", "colour": {"deep": []}})).unwrap();

        assert_eq!(read, level(json!({"sku": "A", "quantity": 3, "externalId": "x"})).unwrap());
    }

    #[test]
    fn oversold_shops_may_send_negative_numbers() {
        assert_eq!(level(json!({"sku": "A", "quantity": -4})).unwrap().quantity, -4);
    }

    #[test]
    fn a_quantity_is_a_whole_number() {
        for quantity in [json!("5"), json!(5.0), json!(1.5), json!(true), json!([]), json!({})] {
            assert_eq!(level(json!({"sku": "A", "quantity": quantity})), Err(vec!["WrongType"]), "{quantity}");
        }
        assert_eq!(level(json!({"sku": "A", "quantity": null})), Err(vec!["WrongType"]));
        assert_eq!(level(json!({"sku": "A", "quantity": u64::MAX})), Err(vec!["OutOfRange"]));
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        assert_eq!(level(json!({"sku": " ", "locale": "x"})), Err(vec!["Empty", "Required", "InvalidLocale"]));
        assert_eq!(level(json!([1])), Err(vec!["NotAnObject"]));
    }

    #[test]
    fn a_level_reads_back_as_it_was_written() {
        let json = json!({"sku": "A", "quantity": 3, "locale": "sv-SE", "externalId": "x", "updatedOn": "2026-01-02T03:04:05Z"});

        assert_eq!(level(json.clone()).unwrap().to_json(), json);
    }

    #[test]
    fn the_newest_level_that_concerns_a_subscription_decides_whether_it_is_sold_out() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let sv = Locale::parse("sv-SE").unwrap();
        let pl = Locale::parse("pl-PL").unwrap();
        let known = [
            KnownLevel { scope: Scope::Sku, quantity: 5, at: at(1) },
            KnownLevel { scope: Scope::Locale(sv.clone()), quantity: 0, at: at(2) },
        ];

        assert!(sold_out_since(&known, &sv, None));
        assert!(!sold_out_since(&known, &pl, None));
        assert!(!sold_out_since(&[], &pl, None));
    }

    #[test]
    fn a_clock_that_is_ahead_shuts_no_later_level_out() {
        let received = Timestamp::from_second(1_000).unwrap();
        let ahead = level(json!({"sku": "A", "quantity": 1, "updatedOn": "2099-01-01T00:00:00Z"})).unwrap();

        assert_eq!(ahead.effective_at(received), received);
    }
}
