//! Rows of a table with fewer fields than there are columns.
//!
//! Many programs write no field for columns at the end that have nothing. Where a field before them is missing, all behind it stand one
//! column to the left: a sale's price as the price.

use crate::column::Column;
use crate::item::{NEVER_DIGITS, is_needed, is_price};
use crate::rows::Row;
use restock_domain::{Currency, ErrorCode, Invalid, Money};

/// Returns what a row is used without, as it is not certain which fields it lacks: the prices, and whatever stands in a column that can't
/// have it.
pub fn uncertain(columns: &[Column], row: &Row, currency: Option<Currency>) -> Vec<(String, Invalid)> {
    let missing = columns.len().saturating_sub(row.fields.len());
    if missing == 0 {
        return Vec::new();
    }
    // The value of each column, if the fields that are missing are those before `gap`.
    let reading = |gap: usize| {
        let fields = row.fields[..gap].iter().map(|field| field.trim());
        fields.chain(std::iter::repeat_n("", missing)).chain(row.fields[gap..].iter().map(|field| field.trim()))
    };
    let is_wrong = |column: &Column, value: &str| !may_have(column, value, currency);
    let prices = |gap: usize| -> Vec<(&str, &str)> {
        columns.iter().map(|column| column.name.as_str()).zip(reading(gap)).filter(|(name, _)| is_price(name)).collect()
    };
    let may_be = |gap: &usize| {
        let has_price = prices(*gap).iter().any(|(name, value)| *name == "price" && !value.is_empty());
        has_price && columns.iter().zip(reading(*gap)).all(|(column, value)| !is_wrong(column, value))
    };
    let at_end = row.fields.len();
    let is_certain = columns.iter().zip(reading(at_end)).all(|(column, value)| !is_wrong(column, value))
        && (0..at_end).filter(may_be).all(|gap| prices(gap) == prices(at_end));
    if is_certain {
        return Vec::new();
    }
    let left_out = columns.iter().zip(reading(at_end)).filter(|(column, value)| {
        !value.is_empty() && !is_needed(&column.name) && (is_price(&column.name) || is_wrong(column, value))
    });
    let invalid = |(column, _): (&Column, &str)| {
        let message = format!(
            "The item is used without its {}: line {} has {} fields, the first line has {}, and which one is missing is not certain.",
            column.name,
            row.line,
            row.fields.len(),
            columns.len()
        );
        (column.name.clone(), Invalid::new(ErrorCode::WrongNumberOfFields, message))
    };
    left_out.map(invalid).collect()
}

/// Returns false for a value that a column can't have: what is no price among prices, an address that is none, a price among texts.
fn may_have(column: &Column, value: &str, currency: Option<Currency>) -> bool {
    let name = column.name.as_str();
    // A brand or a title may be a whole number.
    let is_money = || Money::parse_in(value, None).is_ok() || (value.contains('.') && value.parse::<f64>().is_ok());
    if value.is_empty() {
        return true;
    }
    match name {
        "price" | "sale_price" => Money::parse_in(value, currency).is_ok(),
        "link" | "image_link" => value.contains("//") && !value.contains(char::is_whitespace),
        _ => !(NEVER_DIGITS.contains(&name) && is_money()),
    }
}
