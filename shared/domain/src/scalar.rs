//! Values whose shape a retailer chooses: attributes of contacts, and fields of product feeds.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The value of a contact's attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Boolean(bool),
    Number(Number),
    Text(String),
    Null,
}

/// A number as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    Whole(i64),
    /// Beyond what [`Number::Whole`] holds.
    Large(u64),
    Fraction(f64),
}

/// A field of a product: a text, several where the field repeats, a group where it nests (such as `shipping`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    Text(String),
    Many(Vec<FieldValue>),
    Group(Fields),
}

/// The fields of a product by their Google Merchant names.
pub type Fields = BTreeMap<String, FieldValue>;

impl FieldValue {
    /// Returns the text of a field that is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Many(_) | Self::Group(_) => None,
        }
    }

    /// Returns the first text that is not blank, trimmed, of a field that is a text or repeats.
    pub fn first_text(&self) -> Option<&str> {
        self.values().iter().filter_map(Self::as_text).map(str::trim).find(|text| !text.is_empty())
    }

    /// Returns what the field has each time that it occurs.
    pub fn values(&self) -> &[Self] {
        match self {
            Self::Many(values) => values,
            value => std::slice::from_ref(value),
        }
    }

    /// Returns true if a text anywhere in it passes a test.
    pub fn any_text(&self, test: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Text(text) => test(text),
            Self::Many(values) => values.iter().any(|value| value.any_text(test)),
            Self::Group(fields) => fields.values().any(|value| value.any_text(test)),
        }
    }

    /// Writes each text of a field that is a text or repeats in another form.
    pub fn change_texts(&mut self, form: fn(&str) -> String) {
        match self {
            Self::Text(text) => *text = form(text),
            Self::Many(values) => values.iter_mut().for_each(|value| value.change_texts(form)),
            Self::Group(_) => {}
        }
    }

    /// Returns how many bytes its texts and names have together, written in JSON.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + text.bytes().map(escape_bytes).sum::<usize>(),
            Self::Many(values) => values.iter().map(Self::bytes).sum(),
            Self::Group(fields) => bytes_of(fields),
        }
    }
}

/// Returns how many bytes the names and values of fields have together.
pub fn bytes_of(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.bytes()).sum()
}

/// Returns how many bytes more a byte of a text has in JSON.
fn escape_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
        0..=31 => 5,
        _ => 0,
    }
}

impl Number {
    /// Returns the number with all its digits, or `None` if it has more than 28.
    pub fn decimal(self) -> Option<Decimal> {
        let text = self.to_string();
        text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Large(number) => number.fmt(f),
            Self::Fraction(number) => write!(f, "{number:?}"),
        }
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// As a person writes it.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Null => f.write_str("null"),
        }
    }
}
