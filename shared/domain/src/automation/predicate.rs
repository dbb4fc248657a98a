use super::field::{Comparison, Field, FieldReading, Kind};
use crate::{ErrorCode, Invalid, Locale, Money, Number, Scalar, time};
use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantNames};

/// Values of a list that a description names.
const MAX_SHOWN: usize = 5;

/// A question about a field.
///
/// A field that is missing is not equal to anything, so `notEquals` and `notIn` hold of it. Of one that repeats, one
/// value has to fit; `notEquals` and `notIn` say that none does.
#[derive(Debug, Clone, PartialEq, EnumDiscriminants)]
#[strum_discriminants(name(Operator), doc = "The name of a [`Predicate`].")]
#[strum_discriminants(derive(EnumString, IntoStaticStr, VariantNames), strum(serialize_all = "camelCase"))]
pub enum Predicate {
    Equals(Operand),
    NotEquals(Operand),
    In(Vec<Operand>),
    NotIn(Vec<Operand>),
    Contains(String),
    StartsWith(String),
    Less(Amount),
    LessOrEqual(Amount),
    Greater(Amount),
    GreaterOrEqual(Amount),
    /// Not longer ago than this.
    Within(Period),
    Before(Moment),
    After(Moment),
    /// There, or missing.
    Exists(bool),
}

/// The value of a test as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Given {
    Many(Vec<Scalar>),
    One(Scalar),
}

/// Why an operator or a value makes no sense for a field.
#[derive(Debug)]
pub struct Misfit {
    pub place: Place,
    pub invalid: Invalid,
}

/// Which part of a test is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Operator,
    Value,
    /// One value of a list, from 0.
    Element(usize),
}

/// The value that a field is compared with. Numbers, prices and truth values compare as what they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Text(String),
    Amount(Amount),
    Boolean(bool),
}

/// A value that can be more or less.
#[derive(Debug, Clone, PartialEq)]
pub enum Amount {
    /// As it was written. Also compares with prices, of whatever currency.
    Number(Number, Decimal),
    /// As it was written, such as `499.00 SEK`. Compares with prices in that currency.
    Price(String, Money),
}

/// A period of ISO 8601 such as `P30D`, or in words such as `30 days`; months and years by the calendar of UTC.
#[derive(Debug, Clone)]
pub struct Period {
    written: String,
    span: Span,
}

impl PartialEq for Period {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

/// An RFC 3339 time, or a date, which begins at midnight UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    written: String,
    at: Timestamp,
}

impl Predicate {
    /// Makes a predicate of an operator and its value, if they make sense for the field.
    pub fn new(field: &Field, operator: &str, value: Option<Given>) -> Result<Self, Misfit> {
        use Kind::{Any, Moment as Time, Number, Text};
        let kind = field.kind();
        let unusable = || unusable(field, kind).at(Place::Operator);
        let operator = Operator::from_str(operator).map_err(|_| unusable())?;
        let allowed: &[Kind] = match operator {
            Operator::Equals | Operator::NotEquals | Operator::In | Operator::NotIn => &[Text, Number, Any],
            Operator::Contains | Operator::StartsWith => &[Text, Any],
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => &[Number, Any],
            Operator::Within | Operator::Before | Operator::After => &[Time, Any],
            Operator::Exists => &[Text, Number, Time, Any],
        };
        if !allowed.contains(&kind) {
            return Err(unusable());
        }
        if matches!(operator, Operator::In | Operator::NotIn) {
            let operands = operands(kind, value)?;
            return Ok(if operator == Operator::In { Self::In(operands) } else { Self::NotIn(operands) });
        }
        let value = match value {
            None | Some(Given::One(Scalar::Null)) if operator == Operator::Exists => Scalar::Boolean(true),
            None | Some(Given::One(Scalar::Null)) => return Err(required()),
            Some(Given::Many(_)) => return Err(wrong_type("one value", "an array").at(Place::Value)),
            Some(Given::One(value)) => value,
        };
        let made = match operator {
            Operator::Equals => Operand::of(kind, value).map(Self::Equals),
            Operator::NotEquals => Operand::of(kind, value).map(Self::NotEquals),
            Operator::Contains => text(value).map(Self::Contains),
            Operator::StartsWith => text(value).map(Self::StartsWith),
            Operator::Less => Amount::of(kind, value).map(Self::Less),
            Operator::LessOrEqual => Amount::of(kind, value).map(Self::LessOrEqual),
            Operator::Greater => Amount::of(kind, value).map(Self::Greater),
            Operator::GreaterOrEqual => Amount::of(kind, value).map(Self::GreaterOrEqual),
            Operator::Within => Period::of(value).map(Self::Within),
            Operator::Before => Moment::of(value).map(Self::Before),
            Operator::After => Moment::of(value).map(Self::After),
            Operator::Exists | Operator::In | Operator::NotIn => match value {
                Scalar::Boolean(there) => Ok(Self::Exists(there)),
                other => Err(wrong_type("true or false", name_of(&other))),
            },
        };
        made.map_err(|invalid| invalid.at(Place::Value))
    }

    /// Returns true if the predicate holds of a field with these values.
    pub fn holds(&self, by: Comparison, values: &[FieldReading<'_>], now: Timestamp) -> bool {
        let any = |fits: &dyn Fn(&FieldReading<'_>) -> bool| values.iter().any(fits);
        let ordered =
            |amount: &Amount, fits: fn(Ordering) -> bool| any(&|found| amount.compare(found).is_some_and(fits));
        let moment = |fits: &dyn Fn(Timestamp) -> bool| any(&|found| moment_of(found).is_some_and(fits));
        let texts =
            |fits: &dyn Fn(&str) -> bool| any(&|found| found.text().is_some_and(|text| fits(&cased(&text, by))));
        match self {
            Self::Equals(operand) => any(&|found| operand.equals(found, by)),
            Self::NotEquals(operand) => !any(&|found| operand.equals(found, by)),
            Self::In(operands) => any(&|found| operands.iter().any(|operand| operand.equals(found, by))),
            Self::NotIn(operands) => !any(&|found| operands.iter().any(|operand| operand.equals(found, by))),
            Self::Contains(part) => any(&|found| found.text().is_some_and(|text| has_part(&text, part, by))),
            // No value begins with a space.
            Self::StartsWith(start) => texts(&|text| text.starts_with(&cased(start.trim_start(), by))),
            Self::Less(amount) => ordered(amount, Ordering::is_lt),
            Self::LessOrEqual(amount) => ordered(amount, Ordering::is_le),
            Self::Greater(amount) => ordered(amount, Ordering::is_gt),
            Self::GreaterOrEqual(amount) => ordered(amount, Ordering::is_ge),
            Self::Within(period) => moment(&|at| period.ago(now).is_some_and(|since| at >= since)),
            Self::Before(Moment { at: limit, .. }) => moment(&|at| at < *limit),
            Self::After(Moment { at: limit, .. }) => moment(&|at| at > *limit),
            Self::Exists(there) => values.is_empty() != *there,
        }
    }

    pub fn operator(&self) -> &'static str {
        Operator::from(self).into()
    }

    /// Returns the value as it is read.
    pub fn value(&self) -> Given {
        Given::One(match self {
            Self::Equals(operand) | Self::NotEquals(operand) => operand.value(),
            Self::In(operands) | Self::NotIn(operands) => {
                return Given::Many(operands.iter().map(Operand::value).collect());
            }
            Self::Contains(text) | Self::StartsWith(text) => Scalar::Text(text.clone()),
            Self::Less(amount) | Self::LessOrEqual(amount) | Self::Greater(amount) | Self::GreaterOrEqual(amount) => {
                amount.value()
            }
            Self::Within(period) => Scalar::Text(period.written.clone()),
            Self::Before(moment) | Self::After(moment) => Scalar::Text(moment.written.clone()),
            Self::Exists(there) => Scalar::Boolean(*there),
        })
    }
}

impl Predicate {
    /// Returns it as it is said to a shopper.
    pub(super) fn in_words(&self) -> String {
        let Self::Within(period) = self else { return self.to_string() };
        let printer = SpanPrinter::new().designator(Designator::Verbose).spacing(Spacing::BetweenUnitsAndDesignators);
        format!("is within the last {}", printer.span_to_string(&period.span))
    }
}

/// In words that follow the field's name.
impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Equals(_) => "is",
            Self::NotEquals(_) => "is not",
            Self::In(_) => "is one of",
            Self::NotIn(_) => "is none of",
            Self::Contains(_) => "contains",
            Self::StartsWith(_) => "starts with",
            Self::Less(_) => "is less than",
            Self::LessOrEqual(_) => "is at most",
            Self::Greater(_) => "is more than",
            Self::GreaterOrEqual(_) => "is at least",
            Self::Within(_) => "is within the last",
            Self::Before(_) => "is before",
            Self::After(_) => "is after",
            Self::Exists(true) => return f.write_str("is there"),
            Self::Exists(false) => return f.write_str("is missing"),
        };
        write!(f, "{words} {}", self.value())
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(value) => value.fmt(f),
            Self::Many(values) => {
                let shown: Vec<String> = values.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
                f.write_str(&shown.join(", "))?;
                match values.len().saturating_sub(MAX_SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

impl Invalid {
    fn at(self, place: Place) -> Misfit {
        Misfit { place, invalid: self }
    }
}

fn required() -> Misfit {
    Invalid::new(ErrorCode::Required, "value is required.").at(Place::Value)
}

fn wrong_type(expected: &str, found: &str) -> Invalid {
    Invalid::new(ErrorCode::WrongType, format!("Send {expected}, not {found}."))
}

fn name_of(value: &Scalar) -> &'static str {
    match value {
        Scalar::Boolean(_) => "a boolean",
        Scalar::Number(_) => "a number",
        Scalar::Text(_) => "a string",
        Scalar::Null => "null",
    }
}

fn unusable(field: &Field, kind: Kind) -> Invalid {
    let usable = match kind {
        Kind::Text => "equals, notEquals, in, notIn, contains, startsWith and exists",
        Kind::Number => "equals, notEquals, in, notIn, less, lessOrEqual, greater, greaterOrEqual and exists",
        Kind::Moment => "within, before, after and exists",
        Kind::Any => {
            "equals, notEquals, in, notIn, contains, startsWith, less, lessOrEqual, greater, greaterOrEqual, within, \
             before, after and exists"
        }
    };
    Invalid::new(ErrorCode::UnknownOperator, format!("Operators for {field} are {usable}."))
}

fn operands(kind: Kind, value: Option<Given>) -> Result<Vec<Operand>, Misfit> {
    let values = match value {
        None | Some(Given::One(Scalar::Null)) => return Err(required()),
        Some(Given::One(other)) => return Err(wrong_type("an array of values", name_of(&other)).at(Place::Value)),
        Some(Given::Many(values)) => values,
    };
    let operand = |(index, value)| Operand::of(kind, value).map_err(|invalid| invalid.at(Place::Element(index)));
    values.into_iter().enumerate().map(operand).collect()
}

fn text(value: Scalar) -> Result<String, Invalid> {
    match value {
        Scalar::Text(text) => Ok(text),
        other => Err(wrong_type("a string", name_of(&other))),
    }
}

/// Returns a text in the form in which two are compared as a whole: without the spaces around it, which no door keeps.
fn folded(text: &str, by: Comparison) -> String {
    cased(text.trim(), by)
}

/// Returns true if a text has that part, wherever. A part of a tag is no tag, so no old code of a language is meant.
fn has_part(text: &str, part: &str, by: Comparison) -> bool {
    match by {
        Comparison::OfTags => cased(text, by).contains(&part.replace('_', "-").to_lowercase()),
        by => cased(text, by).contains(&cased(part, by)),
    }
}

/// Returns a text in the form in which its beginning is looked for; white space counts.
fn cased(text: &str, by: Comparison) -> String {
    match by {
        Comparison::Exact => text.to_owned(),
        Comparison::IgnoringCase => text.to_lowercase(),
        Comparison::OfTags => Locale::from(text.replace('_', "-")).key().to_owned(),
    }
}

impl Operand {
    fn of(kind: Kind, value: Scalar) -> Result<Self, Invalid> {
        match (kind, value) {
            (Kind::Number, value) => Amount::of(kind, value).map(Self::Amount),
            (Kind::Any, Scalar::Boolean(value)) => Ok(Self::Boolean(value)),
            (Kind::Any, value @ Scalar::Number(_)) => Amount::of(kind, value).map(Self::Amount),
            (Kind::Any, Scalar::Text(raw)) if Money::parse(&raw).is_ok() => {
                Amount::of(kind, Scalar::Text(raw)).map(Self::Amount)
            }
            (_, value) => text(value).map(Self::Text),
        }
    }

    fn equals(&self, found: &FieldReading<'_>, by: Comparison) -> bool {
        match self {
            Self::Amount(amount) => amount.compare(found) == Some(Ordering::Equal),
            Self::Text(text) => found.text().is_some_and(|found| folded(&found, by) == folded(text, by)),
            Self::Boolean(value) => {
                found.text().is_some_and(|found| folded(&found, Comparison::IgnoringCase) == value.to_string())
            }
        }
    }

    fn value(&self) -> Scalar {
        match self {
            Self::Text(text) => Scalar::Text(text.clone()),
            Self::Amount(amount) => amount.value(),
            Self::Boolean(value) => Scalar::Boolean(*value),
        }
    }
}

impl Amount {
    fn of(kind: Kind, value: Scalar) -> Result<Self, Invalid> {
        match value {
            Scalar::Number(number) => match number.decimal() {
                Some(parsed) if kind == Kind::Number && !parsed.is_integer() => {
                    Err(Invalid::new(ErrorCode::WrongType, "Send a whole number."))
                }
                Some(parsed) => Ok(Self::Number(number, parsed)),
                None => Err(Invalid::new(ErrorCode::OutOfRange, "Use a number of at most 28 digits.")),
            },
            Scalar::Text(raw) if kind == Kind::Any => match Money::parse(&raw) {
                Ok(money) => Ok(Self::Price(raw, money)),
                Err(_) => {
                    let message = "Send a number such as 500, or a price such as \"500 SEK\".";
                    Err(Invalid::new(ErrorCode::WrongType, message))
                }
            },
            other => Err(wrong_type("a number", name_of(&other))),
        }
    }

    /// Compares a value with this one; `None` if they can't be compared.
    fn compare(&self, found: &FieldReading<'_>) -> Option<Ordering> {
        match (self, found) {
            (Self::Number(_, limit), FieldReading::Number(number)) => Some(number.cmp(limit)),
            (Self::Number(_, limit), FieldReading::Text(text)) => {
                let number = text.trim().parse().ok().or_else(|| Some(Money::parse(text).ok()?.amount));
                number.map(|number: Decimal| number.cmp(limit))
            }
            (Self::Price(_, limit), FieldReading::Text(text)) => {
                let price = Money::parse(text).ok().filter(|price| price.currency == limit.currency)?;
                Some(price.amount.cmp(&limit.amount))
            }
            _ => None,
        }
    }

    fn value(&self) -> Scalar {
        match self {
            Self::Number(number, _) => Scalar::Number(*number),
            Self::Price(written, _) => Scalar::Text(written.clone()),
        }
    }
}

impl Period {
    fn of(value: Scalar) -> Result<Self, Invalid> {
        let written = text(value)?;
        let invalid = || {
            let message = "Use a period of at most 100 years such as P30D, PT12H, P6M or 30 days.";
            Invalid::new(ErrorCode::InvalidPeriod, message)
        };
        let span: Span = written.parse().map_err(|_| invalid())?;
        let period = Self { written, span };
        // Any moment shows whether it can be gone back and how far.
        let now = Timestamp::from_second(4_000_000_000).unwrap_or_default();
        let longest = Timestamp::from_second(4_000_000_000 - 100 * 366 * 86_400).unwrap_or_default();
        let ago = period.ago(now).filter(|ago| *ago < now && *ago >= longest);
        ago.map(|_| period).ok_or_else(invalid)
    }

    fn ago(&self, now: Timestamp) -> Option<Timestamp> {
        now.to_zoned(TimeZone::UTC).checked_sub(self.span).ok().map(|at| at.timestamp())
    }
}

impl Moment {
    fn of(value: Scalar) -> Result<Self, Invalid> {
        let written = text(value)?;
        let at = time::moment(&written).ok_or_else(|| {
            let message = "Use a time such as 2026-11-23T08:30:00Z, or a date such as 2026-11-23.";
            Invalid::new(ErrorCode::InvalidTimestamp, message)
        })?;
        Ok(Self { written, at })
    }
}

fn moment_of(found: &FieldReading<'_>) -> Option<Timestamp> {
    match found {
        FieldReading::Moment(at) => Some(*at),
        FieldReading::Text(text) => time::moment(text),
        FieldReading::Number(_) | FieldReading::Boolean(_) | FieldReading::Other => None,
    }
}
