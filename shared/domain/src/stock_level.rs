use crate::waves::StockHistory;
use crate::{EventId, ExternalId, Locale, Sku, Subscription};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// A statement of a shop or a warehouse about its stock of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockLevel {
    pub sku: Sku,
    pub scope: Scope,
    /// Zero and below mean "not in stock"; oversold shops send negative numbers.
    pub quantity: i64,
    /// The time of the reading, if the sender knows it.
    pub updated_on: Option<Timestamp>,
    /// What the sender calls this statement, so that the same one again can be told from a new one that says the same.
    pub event_id: Option<EventId>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Source {
    Http,
    Queue,
}

/// How a level came in; names it among all levels of its SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// When the queue took it.
    pub at: Timestamp,
    /// The message and the place in it that it came from; the same at every redelivery.
    pub id: String,
    pub source: Source,
}

/// A level that was accepted, as later decisions see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLevel {
    pub scope: Scope,
    pub quantity: i64,
    pub at: Timestamp,
    /// Missing if the level was stored by a version that did not keep it.
    pub arrival: Option<Arrival>,
    /// Since when its scope's stock has been how high, by arrival.
    pub history: StockHistory,
    /// Positive levels of the scope that came shortly before, the newest first.
    pub earlier: Vec<Arrival>,
}

/// How long before a level those came that it names as earlier ones. Whoever they mailed may have further subscriptions
/// whose messages are on their way still.
const EARLIER: Duration = Duration::from_secs(15 * 60);
/// Earlier levels that are named. Each is a read for each mail while they are many.
const MAX_EARLIER: usize = 8;

impl Source {
    /// Returns the word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl StockLevel {
    /// Returns the moment that the level speaks of. A reading can't be newer than its arrival, so a sender whose clock
    /// is ahead can't shut out the levels that follow.
    pub fn effective_at(&self, received_at: Timestamp) -> Timestamp {
        self.updated_on.map_or(received_at, |updated_on| updated_on.min(received_at))
    }
}

impl Arrival {
    /// Returns what sorts arrivals: by time, and those of one call by their place in it.
    pub fn order(&self) -> impl Ord + use<> {
        // The id ends with the number of the call's message, behind a dot, and the place in the message.
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        let (message, place) = self.id.rsplit_once('-').unwrap_or((&self.id, ""));
        let (call, message) = message.rsplit_once('.').unwrap_or((message, ""));
        (self.at, call.to_owned(), number(message), number(place))
    }
}

impl KnownLevel {
    /// Returns what a level of the scope that comes then has to name as earlier ones.
    pub fn earlier_than(&self, at: Timestamp) -> Vec<Arrival> {
        let own = self.arrival.iter().filter(|_| self.quantity > 0);
        let recent = |arrival: &&Arrival| arrival.at >= at - EARLIER;
        own.chain(&self.earlier).filter(recent).take(MAX_EARLIER).cloned().collect()
    }

    /// Returns since when the stock has been at least `minimum`, if it is; a minimum is at least 1.
    pub fn in_stock_since(&self, minimum: i64) -> Option<Timestamp> {
        let minimum = minimum.max(1);
        // One that was stored by a version without histories has none.
        let since = self.history.since(minimum).or(self.arrival.as_ref().map(|arrival| arrival.at));
        (self.quantity >= minimum).then_some(since.unwrap_or(self.at))
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

    /// Returns true if a level of this scope triggers such a subscription of its SKU (`docs/contract.md`, "Which
    /// subscriptions a stock level triggers").
    pub fn covers(&self, locale: &Locale, external_id: Option<&ExternalId>) -> bool {
        match self {
            Self::Sku => true,
            Self::Locale(wanted) => wanted == locale,
            Self::ExternalId(wanted) => Some(wanted) == external_id,
            Self::Both(wanted_locale, wanted_id) => wanted_locale == locale && Some(wanted_id) == external_id,
        }
    }
}

/// Returns true if the newest of the levels that cover a subscription says that the SKU is in stock; `None` if none
/// does.
pub fn in_stock(levels: &[KnownLevel], locale: &Locale, external_id: Option<&ExternalId>) -> Option<bool> {
    newest_covering(levels, locale, external_id).map(|newest| newest.quantity > 0)
}

/// Returns true if the newest of the levels that cover a subscription says that the SKU is sold out.
pub fn sold_out_since(levels: &[KnownLevel], locale: &Locale, external_id: Option<&ExternalId>) -> bool {
    in_stock(levels, locale, external_id) == Some(false)
}

/// Returns the level that must have met a subscription: the newest that covers it, if it is positive and came after the
/// subscription.
pub fn level_met<'a>(levels: &'a [KnownLevel], subscription: &Subscription) -> Option<(&'a KnownLevel, &'a Arrival)> {
    let newest = newest_covering(levels, &subscription.locale, subscription.external_id.as_ref())?;
    let arrival = newest.arrival.as_ref()?;
    (newest.quantity > 0 && subscription.here_since() <= arrival.at).then_some((newest, arrival))
}

/// Returns the arrivals of positive levels that met a subscription, as far as they are one with the newest: those of
/// the newest level of each scope, and earlier ones. `levels` cover the subscription.
pub fn met_together<'a>(levels: &'a [KnownLevel], subscription: &Subscription) -> [Vec<&'a Arrival>; 2] {
    let newest = levels.iter().filter_map(|level| level.arrival.as_ref()).map(|arrival| arrival.at).max();
    let since = newest.map(|newest| (newest - EARLIER).max(subscription.here_since()));
    let is_met = |arrival: &&Arrival| since.is_some_and(|since| arrival.at >= since);
    let in_stock = levels.iter().filter(|level| level.quantity > 0);
    let current = in_stock.filter_map(|level| level.arrival.as_ref()).filter(is_met);
    let earlier = levels.iter().flat_map(|level| &level.earlier).filter(is_met);
    [current.collect(), earlier.collect()]
}

/// Returns the arrivals of positive levels that came up to a quarter of an hour before a subscription was made.
/// `levels` cover the subscription.
pub fn just_before<'a>(levels: &'a [KnownLevel], subscription: &Subscription) -> Vec<&'a Arrival> {
    let made = subscription.here_since();
    let in_stock = levels.iter().filter(|level| level.quantity > 0).filter_map(|level| level.arrival.as_ref());
    let all = in_stock.chain(levels.iter().flat_map(|level| &level.earlier));
    all.filter(|arrival| arrival.at >= made - EARLIER && arrival.at < made).collect()
}

/// Returns the level that counts for such subscriptions: the newest that covers them.
pub fn newest_covering<'a>(
    levels: &'a [KnownLevel],
    locale: &Locale,
    external_id: Option<&ExternalId>,
) -> Option<&'a KnownLevel> {
    // Of two that speak of one moment, the one that came later. Of two that came in the same millisecond, the one that
    // mails: a mail too many is better than one too few. Of two of one message, always the same one.
    let concerned = levels.iter().filter(|level| level.scope.covers(locale, external_id));
    let came = |level: &'a KnownLevel| level.arrival.as_ref().map(|arrival| arrival.at);
    let id = |level: &'a KnownLevel| level.arrival.as_ref().map(|arrival| &arrival.id);
    concerned.max_by_key(|level| (level.at, came(level), level.quantity > 0, id(level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContactId, DeliveryId};
    use uuid::Uuid;

    #[test]
    fn the_newest_level_that_concerns_a_subscription_decides_whether_it_is_sold_out() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let sv = Locale::parse("sv-SE").unwrap();
        let pl = Locale::parse("pl-PL").unwrap();
        let known = [
            KnownLevel {
                scope: Scope::Sku,
                quantity: 5,
                at: at(1),
                arrival: None,
                history: StockHistory::default(),
                earlier: Vec::new(),
            },
            KnownLevel {
                scope: Scope::Locale(sv.clone()),
                quantity: 0,
                at: at(2),
                arrival: None,
                history: StockHistory::default(),
                earlier: Vec::new(),
            },
        ];

        assert!(sold_out_since(&known, &sv, None));
        assert!(!sold_out_since(&known, &pl, None));
        assert!(!sold_out_since(&[], &pl, None));
    }

    #[test]
    fn the_newest_level_that_covers_a_subscription_met_it_if_it_is_positive_and_came_later() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let sv = Locale::parse("sv-SE").unwrap();
        let level = |scope: &Scope, quantity, second| KnownLevel {
            scope: scope.clone(),
            quantity,
            at: at(second),
            arrival: Some(Arrival { at: at(second), id: second.to_string(), source: Source::Http }),
            history: StockHistory::default(),
            earlier: Vec::new(),
        };
        let subscribed = |second| Subscription {
            contact_id: ContactId::new(Uuid::from_u128(1)),
            sku: Sku::parse("A").unwrap(),
            locale: sv.clone(),
            external_id: None,
            created_on: at(second),
            delivery: DeliveryId::new(Uuid::from_u128(2)),
            moved_in_on: None,
            expires_on: None,
        };
        let met = |levels: &[KnownLevel], second| {
            level_met(levels, &subscribed(second)).map(|(_, arrival)| arrival.id.clone())
        };
        let of_locale = Scope::Locale(sv.clone());

        assert_eq!(met(&[level(&Scope::Sku, 3, 10)], 9), Some("10".into()));
        assert_eq!(met(&[level(&Scope::Sku, 3, 10)], 11), None);
        assert_eq!(met(&[level(&Scope::Sku, 0, 10)], 9), None);
        assert_eq!(met(&[level(&Scope::Sku, 3, 10), level(&of_locale, 0, 20)], 9), None);
        assert_eq!(met(&[level(&Scope::Sku, 0, 10), level(&of_locale, 2, 20)], 15), Some("20".into()));
        assert_eq!(met(&[level(&Scope::ExternalId(ExternalId::parse("north").unwrap()), 2, 20)], 15), None);

        let together = |levels: &[KnownLevel], second| {
            met_together(levels, &subscribed(second))
                .map(|met| met.iter().map(|one| one.id.clone()).collect::<Vec<_>>())
        };
        let after = |before: &KnownLevel, second: i64| KnownLevel {
            earlier: before.earlier_than(at(second)),
            ..level(&before.scope, 1, second)
        };
        let levels = [after(&level(&Scope::Sku, 3, 1_000), 1_100), level(&of_locale, 2, 1_200)];
        assert_eq!(together(&levels, 900), [vec!["1100", "1200"], vec!["1000"]]);
        assert_eq!(together(&levels, 1_050), [vec!["1100", "1200"], vec![]]);
        let long_after = [levels[0].clone(), level(&of_locale, 0, 1_950)];
        assert_eq!(together(&long_after, 900), [vec!["1100"], vec![]], "a quarter of an hour later");
        assert_eq!(after(&levels[0], 2_050).earlier, [], "none in the quarter of an hour before");
        assert_eq!(after(&level(&Scope::Sku, 0, 1_000), 1_100).earlier, []);
    }

    #[test]
    fn a_clock_that_is_ahead_shuts_no_later_level_out() {
        let received = Timestamp::from_second(1_000).unwrap();
        let updated_on = Some("2099-01-01T00:00:00Z".parse().unwrap());
        let ahead =
            StockLevel { sku: Sku::parse("A").unwrap(), scope: Scope::Sku, quantity: 1, updated_on, event_id: None };

        assert_eq!(ahead.effective_at(received), received);
    }
}
