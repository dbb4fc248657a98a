use super::{LEAVES_WITHIN, Places, QuietHours};
use crate::automation::member;
use crate::{Contact, ErrorCode, HeldBack, Invalid, KnownLevel, Skip};
use jiff::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Serialize, Serializer};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// How mails about a scope of a SKU leave: of the shop, or of one automation in place of that.
#[derive(Debug, Clone, PartialEq)]
pub struct WavePolicy {
    /// Mails for each unit in stock; `None` for as many as wait.
    pub per_unit: Option<PerUnit>,
    /// Within this time no more mails leave than there are places.
    pub interval: Duration,
    /// The stock below which nothing leaves; at least 1.
    pub minimum: i64,
    /// How long the stock has to be at least `minimum` before the first mail leaves.
    pub hold_down: Duration,
    pub trigger: Trigger,
    pub quiet_hours: Option<QuietHours>,
    /// Who comes before whoever has waited longest.
    pub first: Option<First>,
}

/// Contacts who come before the others, by an attribute. Those with the first value come first of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    pub attribute: String,
    /// As texts; a number or a boolean is the one that is written so.
    pub values: Vec<String>,
    /// How long they may be mailed before all others.
    pub head_start: Duration,
}

/// Which levels a subscription waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, EnumString, IntoStaticStr, VariantNames)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Trigger {
    /// Each that is at least the minimum.
    #[default]
    Level,
    /// One after the stock was below the minimum since the shopper subscribed.
    Restock,
}

/// Mails for each unit in stock, from 0.1 to 50, with at most three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerUnit(Decimal);

/// Whether mails may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// So many, at least one.
    Now(u64),
    /// None before that, if nothing changes.
    NotBefore(Timestamp),
    /// None before those have taken their places to whom all are promised.
    AllPromised,
    /// None at this stock.
    NotAtThisStock,
}

impl WavePolicy {
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(3_600);
    /// Also the time for which places are remembered, so that a longer interval counts them.
    pub const MAX_INTERVAL: Duration = Duration::from_secs(7 * 24 * 3_600);
    pub const MAX_HOLD_DOWN: Duration = Self::MAX_INTERVAL;

    /// Returns the number of the last pass through a line, from 0: each value of an attribute that comes first has one
    /// before.
    pub fn last_pass(&self) -> u32 {
        self.first.as_ref().map_or(0, |first| first.values.len() as u32)
    }

    /// Returns the pass through a line in which it is a contact's turn.
    pub fn pass_of(&self, contact: Option<&Contact>) -> u32 {
        let Some(First { attribute, values, .. }) = &self.first else { return 0 };
        // As conditions compare them: in any case, and without spaces around.
        let value = contact.and_then(|contact| member(&contact.attributes, attribute)).map(ToString::to_string);
        let is_it = |value: &str, first: &str| value.trim().to_lowercase() == first.trim().to_lowercase();
        let place = value.and_then(|value| values.iter().position(|first| is_it(&value, first)));
        place.map_or(self.last_pass(), |place| place as u32)
    }

    /// Returns when a pass through a line may begin, at a stock that is at least the minimum.
    pub fn begins(&self, pass: u32, level: &KnownLevel) -> Option<Timestamp> {
        let head_start = self.first.as_ref().filter(|_| pass >= self.last_pass()).map(|first| first.head_start);
        Some(level.in_stock_since(self.minimum)? + self.hold_down + head_start.unwrap_or_default())
    }

    /// Returns what keeps all mails about a scope from leaving for now, at a stock that is at least the minimum, and
    /// until when.
    pub fn held_back(&self, level: &KnownLevel, now: Timestamp) -> Option<(HeldBack, Timestamp)> {
        let first = self.begins(0, level).filter(|first| *first > now);
        let from = first.unwrap_or(now);
        // A request that leaves a little later must not do so within them.
        let ends = self.quiet_hours.iter().flat_map(|hours| [hours.end(from), hours.end(from + LEAVES_WITHIN)]);
        let quiet = ends.flatten().max().map(|end| (HeldBack::QuietHours(end), end));
        quiet.or(first.map(|first| (HeldBack::HoldDown(first), first)))
    }

    /// Returns whether mails about a scope may leave, given its newest level, the places that were taken, and how many
    /// others are promised to mails that have not taken theirs yet.
    pub fn leave(&self, level: &KnownLevel, taken: &Places, promised: u64, now: Timestamp) -> Leave {
        if level.in_stock_since(self.minimum).is_none() {
            return Leave::NotAtThisStock;
        }
        if let Some((_, until)) = self.held_back(level, now) {
            return Leave::NotBefore(until);
        }
        let Some(per_unit) = self.per_unit else { return Leave::Now(u64::MAX) };
        let all = per_unit.places(level.quantity).saturating_sub(promised);
        match all.saturating_sub(taken.since(now - self.interval)) {
            0 if all == 0 => Leave::AllPromised,
            0 => Leave::NotBefore(taken.free_at(self.interval, all).unwrap_or(now).max(now)),
            left => Leave::Now(left),
        }
    }

    /// Returns why a level mails nobody who subscribed then, however many places there are.
    pub fn skip(&self, level: &KnownLevel, subscribed_on: Timestamp) -> Option<Skip> {
        if level.quantity < self.minimum {
            return Some(Skip::BelowMinimum);
        }
        (!self.triggers(level, subscribed_on)).then_some(Skip::NotRestocked)
    }

    /// Returns true if a level concerns who subscribed then.
    pub fn triggers(&self, level: &KnownLevel, subscribed_on: Timestamp) -> bool {
        match self.trigger {
            Trigger::Level => true,
            Trigger::Restock => level.in_stock_since(self.minimum).is_some_and(|since| subscribed_on <= since),
        }
    }
}

impl PerUnit {
    const RANGE: RangeInclusive<Decimal> =
        Decimal::from_parts(1, 0, 0, false, 1)..=Decimal::from_parts(50, 0, 0, false, 0);

    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let number = raw.parse::<Decimal>().or_else(|_| Decimal::from_scientific(raw)).ok();
        let number = number.map(|number| number.normalize());
        let number = number.filter(|number| Self::RANGE.contains(number) && number.scale() <= 3);
        let message = "Use a number from 0.1 to 50 with at most three decimals.";
        number.map(Self).ok_or_else(|| Invalid::new(ErrorCode::OutOfRange, message))
    }

    /// Returns a number as it was stored.
    pub fn restore(raw: &str) -> Result<Self, rust_decimal::Error> {
        raw.parse().map(Self)
    }

    /// Returns how many mails of an interval a stock has places for; at least one.
    pub fn places(self, quantity: i64) -> u64 {
        let places = self.0.checked_mul(Decimal::from(quantity)).map(|places| places.floor());
        places
            .map_or(u64::MAX, |places| places.to_u64().unwrap_or(if places.is_sign_negative() { 0 } else { u64::MAX }))
            .max(1)
    }
}

impl Default for PerUnit {
    fn default() -> Self {
        Self(Decimal::ONE)
    }
}

/// Written as a number, which has so few digits that none is lost.
impl Serialize for PerUnit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_i64().filter(|_| self.0.is_integer()) {
            Some(whole) => serializer.serialize_i64(whole),
            None => serializer.serialize_f64(self.0.to_f64().unwrap_or_default()),
        }
    }
}

/// Writes what [`PerUnit::parse`] reads.
impl fmt::Display for PerUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ContactId, EmailAddress, Number, Scalar, Scope, waves::StockHistory};
    use uuid::Uuid;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn level(quantity: i64, history: StockHistory) -> KnownLevel {
        KnownLevel { scope: Scope::Sku, quantity, at: at(0), arrival: None, history, earlier: Vec::new() }
    }

    fn policy(per_unit: &str) -> WavePolicy {
        WavePolicy {
            per_unit: Some(PerUnit::parse(per_unit).unwrap()),
            interval: WavePolicy::DEFAULT_INTERVAL,
            minimum: 1,
            hold_down: Duration::ZERO,
            trigger: Trigger::Level,
            quiet_hours: None,
            first: None,
        }
    }

    #[test]
    fn contacts_with_an_attribute_come_first_by_its_values_and_the_others_after_a_head_start() {
        let contact = |club: Option<Scalar>| Contact {
            id: ContactId::new(Uuid::nil()),
            email: EmailAddress::parse("a@example.com").unwrap(),
            first_name: None,
            last_name: None,
            language: None,
            country_code: None,
            attributes: club.map(|club| ("Club".to_owned(), club)).into_iter().collect(),
            accepts_email: None,
            created_on: at(0),
            suppressed: None,
            unsubscribed: false,
        };
        let values = ["gold", "3", "true"].map(ToOwned::to_owned).to_vec();
        let first = First { attribute: "club".into(), values, head_start: Duration::from_secs(60) };
        let policy = WavePolicy { first: Some(first), hold_down: Duration::from_secs(10), ..policy("1") };
        let pass = |club| policy.pass_of(Some(&contact(club)));

        assert_eq!(pass(Some(Scalar::Text("gold".into()))), 0);
        assert_eq!(pass(Some(Scalar::Number(Number::Whole(3)))), 1);
        assert_eq!(pass(Some(Scalar::Boolean(true))), 2);
        assert_eq!([pass(Some(Scalar::Text("silver".into()))), pass(None), policy.pass_of(None)], [3, 3, 3]);
        assert_eq!(pass(Some(Scalar::Text(" Gold ".into()))), 0);
        let level = level(5, StockHistory::beginning(5, at(100)));
        assert_eq!([0, 2, 3].map(|pass| policy.begins(pass, &level)), [110, 110, 170].map(|second| Some(at(second))));
    }

    #[test]
    fn what_holds_everybody_back_ends_with_the_later_of_hold_down_and_quiet_hours() {
        let hour = |raw| QuietHours::time(raw).unwrap();
        let quiet = QuietHours::new(hour("01:00"), hour("08:00"), QuietHours::zone("UTC").unwrap()).unwrap();
        let held_back = |hold_down, quiet_hours, second| {
            let policy = WavePolicy { hold_down: Duration::from_secs(hold_down), quiet_hours, ..policy("1") };
            policy.held_back(&level(5, StockHistory::beginning(5, at(0))), at(second)).map(|(by, _)| by)
        };

        assert_eq!(held_back(0, None, 10), None);
        assert_eq!(held_back(60, Some(quiet.clone()), 10), Some(HeldBack::HoldDown(at(60))));
        assert_eq!(held_back(2 * 3_600, Some(quiet.clone()), 10), Some(HeldBack::QuietHours(at(8 * 3_600))));
        assert_eq!(held_back(9 * 3_600, Some(quiet.clone()), 2 * 3_600), Some(HeldBack::HoldDown(at(9 * 3_600))));
        assert_eq!(held_back(60, Some(quiet), 2 * 3_600), Some(HeldBack::QuietHours(at(8 * 3_600))));
    }

    #[test]
    fn places_follow_from_the_stock_by_decimal_numbers_and_there_is_at_least_one() {
        let places = |per_unit: &str, quantity| PerUnit::parse(per_unit).unwrap().places(quantity);

        assert_eq!([1, 9, 10, 19, 30].map(|quantity| places("0.1", quantity)), [1, 1, 1, 1, 3]);
        assert_eq!((places("1", 80), places("1.0", 40), places("5", 10)), (80, 40, 50));
        // As floats, 0.7 times 10 is 6.999….
        assert_eq!((places("0.7", 10), places("1.115", 1_000), places("50", i64::MAX)), (7, 1_115, u64::MAX));
        for refused in ["0", "0.09", "50.1", "-1", "1.0001", "a", "", "NaN"] {
            assert!(PerUnit::parse(refused).is_err(), "{refused}");
        }
        assert_eq!(PerUnit::parse("5e-1").unwrap().to_string(), "0.5");
    }

    #[test]
    fn eighty_in_stock_at_rate_one_are_eighty_mails_and_forty_left_an_hour_later_are_forty_more() {
        let (policy, mut taken) = (policy("1"), Places::default());
        let leave = |quantity, taken: &Places, second| {
            policy.leave(&level(quantity, StockHistory::beginning(quantity, at(0))), taken, 0, at(second))
        };
        assert_eq!(leave(80, &taken, 0), Leave::Now(80));
        (0..80).for_each(|_| {
            taken.take(at(0));
        });

        assert_eq!(leave(80, &taken, 10), Leave::NotBefore(at(3_607)));
        assert_eq!(leave(100, &taken, 10), Leave::Now(20), "what is more leaves at once");
        assert_eq!(leave(40, &taken, 3_606), Leave::NotBefore(at(3_607)));
        assert_eq!(leave(40, &taken, 3_607), Leave::Now(40));
        assert_eq!(leave(0, &taken, 3_607), Leave::NotAtThisStock);
    }

    #[test]
    fn a_place_that_is_promised_is_nobody_elses_and_one_that_becomes_free_beside_it_is() {
        let mut taken = Places::default();
        (0..6).for_each(|_| {
            taken.take(at(0));
        });
        let leave = |quantity, promised, second| {
            policy("1").leave(&level(quantity, StockHistory::beginning(9, at(0))), &taken, promised, at(second))
        };

        assert_eq!([leave(9, 2, 10), leave(9, 0, 10)], [Leave::Now(1), Leave::Now(3)]);
        assert_eq!(leave(9, 3, 10), Leave::NotBefore(at(3_607)));
        assert_eq!(leave(9, 3, 3_607), Leave::Now(6));
        assert_eq!([leave(9, 9, 10), leave(5, 7, 10)], [Leave::AllPromised; 2]);
    }

    #[test]
    fn a_multiplier_of_five_lets_fifty_leave_for_ten_in_stock() {
        let leave = policy("5").leave(&level(10, StockHistory::beginning(10, at(0))), &Places::default(), 0, at(0));

        assert_eq!(leave, Leave::Now(50));
    }

    #[test]
    fn nothing_leaves_below_the_minimum_or_before_the_stock_has_held_for_long_enough() {
        let policy = WavePolicy { minimum: 3, hold_down: Duration::from_secs(7_200), ..policy("1") };
        let history = StockHistory::beginning(2, at(0)).then(5, at(100)).then(4, at(200));
        let leave = |quantity, history: &StockHistory, second| {
            policy.leave(&level(quantity, history.clone()), &Places::default(), 0, at(second))
        };

        assert_eq!(leave(2, &StockHistory::beginning(2, at(0)), 90_000), Leave::NotAtThisStock);
        assert_eq!(leave(4, &history, 201), Leave::NotBefore(at(7_300)));
        assert_eq!(leave(4, &history, 7_300), Leave::Now(4));
        let flickered = history.then(0, at(7_000)).then(4, at(7_001));
        assert_eq!(leave(4, &flickered, 7_300), Leave::NotBefore(at(14_201)));
    }

    #[test]
    fn a_restock_concerns_whoever_subscribed_before_it() {
        let policy = WavePolicy { trigger: Trigger::Restock, ..policy("1") };
        let level = level(7, StockHistory::beginning(0, at(0)).then(5, at(100)).then(7, at(200)));

        assert!(policy.triggers(&level, at(100)) && !policy.triggers(&level, at(101)));
        assert_eq!([100, 101].map(|second| policy.skip(&level, at(second))), [None, Some(Skip::NotRestocked)]);
        let higher = WavePolicy { minimum: 8, ..policy.clone() };
        assert_eq!(higher.skip(&level, at(100)), Some(Skip::BelowMinimum));
        assert!(WavePolicy { trigger: Trigger::Level, ..policy }.triggers(&level, at(150)));
    }
}
