use super::field::{Field, Found, Kind, decimal};
use crate::{FieldError, Invalid, Locale, Money, time, wire};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::fmt;

/// The most values of `in` and `notIn`.
const MOST_VALUES: usize = 1_000;
/// As long as a SKU may be.
const MOST_BYTES: usize = 512;
/// Values of a list that a description names.
const MOST_SHOWN: usize = 5;

/// Every operator that there is.
pub const OPERATORS: [&str; 14] = [
    "equals",
    "notEquals",
    "in",
    "notIn",
    "contains",
    "startsWith",
    "less",
    "lessOrEqual",
    "greater",
    "greaterOrEqual",
    "within",
    "before",
    "after",
    "exists",
];

/// What is asked of a field.
///
/// A field that is missing is not equal to anything, so `notEquals` and `notIn` hold of it. Of one that repeats, one value
/// has to fit; `notEquals` and `notIn` say that none does.
#[derive(Debug, Clone, PartialEq)]
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

/// What a value is compared with. Numbers, prices and truth values compare as what they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Text(String),
    Amount(Amount),
    Boolean(bool),
}

/// What can be more or less.
#[derive(Debug, Clone, PartialEq)]
pub enum Amount {
    /// As it was written. Also compares with prices, of whatever currency.
    Number(serde_json::Number, Decimal),
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

type Unread = Option<Value>;

impl Predicate {
    /// Reads an operator and its value, and refuses what makes no sense for the field.
    pub(super) fn parse(field: &Field, operator: &str, value: Unread) -> Result<Self, FieldError> {
        use Kind::{Any, Moment as Time, Number, Text};
        let kind = field.kind();
        let allowed: &[Kind] = match operator {
            "equals" | "notEquals" | "in" | "notIn" => &[Text, Number, Any],
            "contains" | "startsWith" => &[Text, Any],
            "less" | "lessOrEqual" | "greater" | "greaterOrEqual" => &[Number, Any],
            "within" | "before" | "after" => &[Time, Any],
            "exists" => &[Text, Number, Time, Any],
            _ => &[],
        };
        if !allowed.contains(&kind) {
            return Err(unusable(field, kind).at("/operator"));
        }
        let at = |invalid: Invalid| invalid.at("/value");
        if operator == "exists" {
            return value.map_or(Ok(true), wire::boolean).map(Self::Exists).map_err(at);
        }
        let value = value.ok_or_else(|| Invalid::new("Required", "value is required.").at("/value"))?;
        if *field == Field::Locale && !matches!(operator, "contains" | "startsWith") {
            locales(&value)?;
        }
        let operand = |value| Operand::parse(kind, value).map_err(at);
        Ok(match operator {
            "equals" => Self::Equals(operand(value)?),
            "notEquals" => Self::NotEquals(operand(value)?),
            "in" => Self::In(operands(kind, value)?),
            "notIn" => Self::NotIn(operands(kind, value)?),
            "contains" => Self::Contains(text(value).map_err(at)?),
            "startsWith" => Self::StartsWith(text(value).map_err(at)?),
            "less" => Self::Less(Amount::parse(kind, value).map_err(at)?),
            "lessOrEqual" => Self::LessOrEqual(Amount::parse(kind, value).map_err(at)?),
            "greater" => Self::Greater(Amount::parse(kind, value).map_err(at)?),
            "greaterOrEqual" => Self::GreaterOrEqual(Amount::parse(kind, value).map_err(at)?),
            "within" => Self::Within(Period::parse(value).map_err(at)?),
            "before" => Self::Before(Moment::parse(value).map_err(at)?),
            _ => Self::After(Moment::parse(value).map_err(at)?),
        })
    }

    pub fn holds(&self, exact: bool, values: &[Found<'_>], now: Timestamp) -> bool {
        let any = |fits: &dyn Fn(&Found<'_>) -> bool| values.iter().any(fits);
        let ordered =
            |amount: &Amount, fits: fn(Ordering) -> bool| any(&|found| amount.compare(found).is_some_and(fits));
        let moment = |fits: &dyn Fn(Timestamp) -> bool| any(&|found| moment_of(found).is_some_and(fits));
        let texts =
            |fits: &dyn Fn(&str) -> bool| any(&|found| found.text().is_some_and(|text| fits(&cased(&text, exact))));
        match self {
            Self::Equals(operand) => any(&|found| operand.equals(found, exact)),
            Self::NotEquals(operand) => !any(&|found| operand.equals(found, exact)),
            Self::In(operands) => any(&|found| operands.iter().any(|operand| operand.equals(found, exact))),
            Self::NotIn(operands) => !any(&|found| operands.iter().any(|operand| operand.equals(found, exact))),
            Self::Contains(part) => texts(&|text| text.contains(&cased(part, exact))),
            Self::StartsWith(start) => texts(&|text| text.starts_with(&cased(start, exact))),
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
        match self {
            Self::Equals(_) => "equals",
            Self::NotEquals(_) => "notEquals",
            Self::In(_) => "in",
            Self::NotIn(_) => "notIn",
            Self::Contains(_) => "contains",
            Self::StartsWith(_) => "startsWith",
            Self::Less(_) => "less",
            Self::LessOrEqual(_) => "lessOrEqual",
            Self::Greater(_) => "greater",
            Self::GreaterOrEqual(_) => "greaterOrEqual",
            Self::Within(_) => "within",
            Self::Before(_) => "before",
            Self::After(_) => "after",
            Self::Exists(_) => "exists",
        }
    }

    /// The value as it is read.
    pub fn value(&self) -> Value {
        match self {
            Self::Equals(operand) | Self::NotEquals(operand) => operand.value(),
            Self::In(operands) | Self::NotIn(operands) => operands.iter().map(Operand::value).collect(),
            Self::Contains(text) | Self::StartsWith(text) => json!(text),
            Self::Less(amount) | Self::LessOrEqual(amount) | Self::Greater(amount) | Self::GreaterOrEqual(amount) => {
                amount.value()
            }
            Self::Within(period) => json!(period.written),
            Self::Before(moment) | Self::After(moment) => json!(moment.written),
            Self::Exists(there) => json!(there),
        }
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
        write!(f, "{words} {}", plain(&self.value()))
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let shown: Vec<String> = values.iter().take(MOST_SHOWN).map(plain).collect();
            match values.len().saturating_sub(MOST_SHOWN) {
                0 => shown.join(", "),
                more => format!("{} and {more} more", shown.join(", ")),
            }
        }
        other => other.to_string(),
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
    Invalid::new("UnknownOperator", format!("Operators for {field} are {usable}."))
}

fn operands(kind: Kind, value: Value) -> Result<Vec<Operand>, FieldError> {
    let Value::Array(values) = value else {
        return Err(wire::wrong_type("an array of values", &value).at("/value"));
    };
    if values.is_empty() || values.len() > MOST_VALUES {
        let message = format!("List between one and {MOST_VALUES} values.");
        return Err(Invalid::new("WrongLength", message).at("/value"));
    }
    let each = values.into_iter().enumerate();
    each.map(|(index, value)| Operand::parse(kind, value).map_err(|invalid| invalid.at(&format!("/value/{index}"))))
        .collect()
}

/// Refuses what no locale can be equal to.
fn locales(value: &Value) -> Result<(), FieldError> {
    let check = |value: &Value, pointer: &str| {
        let raw = value.as_str().filter(|raw| !raw.trim().is_empty());
        raw.map_or(Ok(()), |raw| Locale::parse(raw).map(drop).map_err(|invalid| invalid.at(pointer)))
    };
    match value {
        Value::Array(values) => {
            values.iter().enumerate().try_for_each(|(index, value)| check(value, &format!("/value/{index}")))
        }
        value => check(value, "/value"),
    }
}

fn text(value: Value) -> Result<String, Invalid> {
    wire::string(|raw| {
        if raw.trim().is_empty() {
            return Err(Invalid::new("Empty", "The value can't be empty or blank."));
        }
        if raw.len() > MOST_BYTES {
            return Err(Invalid::new("TooLong", format!("The value has at most {MOST_BYTES} bytes in UTF-8.")));
        }
        Ok(raw.to_owned())
    })(value)
}

/// As two texts are compared as a whole.
fn folded(text: &str, exact: bool) -> String {
    cased(if exact { text } else { text.trim() }, exact)
}

/// As a part of a text is looked for; white space counts.
fn cased(text: &str, exact: bool) -> String {
    if exact { text.to_owned() } else { text.to_lowercase() }
}

impl Operand {
    fn parse(kind: Kind, value: Value) -> Result<Self, Invalid> {
        match (kind, value) {
            (Kind::Number, value) => Amount::parse(kind, value).map(Self::Amount),
            (Kind::Any, Value::Bool(value)) => Ok(Self::Boolean(value)),
            (Kind::Any, value @ Value::Number(_)) => Amount::parse(kind, value).map(Self::Amount),
            (Kind::Any, Value::String(raw)) if Money::parse(&raw).is_ok() => {
                Amount::parse(kind, Value::String(raw)).map(Self::Amount)
            }
            (_, value) => text(value).map(Self::Text),
        }
    }

    fn equals(&self, found: &Found<'_>, exact: bool) -> bool {
        match self {
            Self::Amount(amount) => amount.compare(found) == Some(Ordering::Equal),
            Self::Text(text) => found.text().is_some_and(|found| folded(&found, exact) == folded(text, exact)),
            Self::Boolean(value) => found.text().is_some_and(|found| folded(&found, false) == value.to_string()),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Amount(amount) => amount.value(),
            Self::Boolean(value) => json!(value),
        }
    }
}

impl Amount {
    fn parse(kind: Kind, value: Value) -> Result<Self, Invalid> {
        match value {
            Value::Number(number) => match decimal(&number) {
                Some(parsed) if kind == Kind::Number && !parsed.is_integer() => {
                    Err(Invalid::new("WrongType", "Send a whole number."))
                }
                Some(parsed) => Ok(Self::Number(number, parsed)),
                None => Err(Invalid::new("OutOfRange", "Use a number of at most 28 digits.")),
            },
            Value::String(raw) if kind == Kind::Any => match Money::parse(&raw) {
                Ok(money) => Ok(Self::Price(raw, money)),
                Err(_) => Err(Invalid::new("WrongType", "Send a number such as 500, or a price such as \"500 SEK\".")),
            },
            other => Err(wire::wrong_type("a number", &other)),
        }
    }

    /// How a value stands to this: `None` where the two can't be compared.
    fn compare(&self, found: &Found<'_>) -> Option<Ordering> {
        match (self, found) {
            (Self::Number(_, limit), Found::Number(number)) => Some(number.cmp(limit)),
            (Self::Number(_, limit), Found::Text(text)) => {
                let number = text.trim().parse().ok().or_else(|| Some(Money::parse(text).ok()?.amount));
                number.map(|number: Decimal| number.cmp(limit))
            }
            (Self::Price(_, limit), Found::Text(text)) => {
                let price = Money::parse(text).ok().filter(|price| price.currency == limit.currency)?;
                Some(price.amount.cmp(&limit.amount))
            }
            _ => None,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Number(number, _) => Value::Number(number.clone()),
            Self::Price(written, _) => json!(written),
        }
    }
}

impl Period {
    fn parse(value: Value) -> Result<Self, Invalid> {
        wire::string(|raw| {
            let invalid = || {
                Invalid::new("InvalidPeriod", "Use a period of at most 100 years such as P30D, PT12H, P6M or 30 days.")
            };
            let span: Span = raw.parse().map_err(|_| invalid())?;
            let period = Self { written: raw.to_owned(), span };
            // Any moment shows whether it can be gone back and how far.
            let now = Timestamp::from_second(4_000_000_000).unwrap_or_default();
            let longest = Timestamp::from_second(4_000_000_000 - 100 * 366 * 86_400).unwrap_or_default();
            let ago = period.ago(now).filter(|ago| *ago < now && *ago >= longest);
            ago.map(|_| period.clone()).ok_or_else(invalid)
        })(value)
    }

    fn ago(&self, now: Timestamp) -> Option<Timestamp> {
        now.to_zoned(TimeZone::UTC).checked_sub(self.span).ok().map(|at| at.timestamp())
    }
}

impl Moment {
    fn parse(value: Value) -> Result<Self, Invalid> {
        wire::string(|raw| {
            let at = time::moment(raw).ok_or_else(|| {
                Invalid::new(
                    "InvalidTimestamp",
                    "Use a time such as 2026-11-23T08:30:00Z, or a date such as 2026-11-23.",
                )
            })?;
            Ok(Self { written: raw.to_owned(), at })
        })(value)
    }
}

fn moment_of(found: &Found<'_>) -> Option<Timestamp> {
    match found {
        Found::Moment(at) => Some(*at),
        Found::Text(text) => time::moment(text),
        Found::Number(_) | Found::Boolean(_) | Found::Other => None,
    }
}
