//! Rows of a table with fewer fields than there are columns.
//!
//! Many programs write no field for columns at the end that have nothing. Where a field before them is missing, all
//! behind it stand one column to the left: a sale's price as the price.

use crate::column::Column;
use crate::item::{NEVER_DIGITS, is_needed, is_price};
use crate::rows::Row;
use restock_domain::{Currency, ErrorCode, Invalid, Money};

/// Returns what a row is used without, as it is not certain which fields it lacks: the prices, and whatever stands in a
/// column that can't have it.
pub fn uncertain(columns: &[Column], row: &Row, currency: Option<Currency>) -> Vec<(String, Invalid)> {
    let missing = columns.len().saturating_sub(row.fields.len());
    if missing == 0 {
        return Vec::new();
    }
    let field = |place: usize| row.fields.get(place).map_or("", |field| field.trim());
    // What a column has if the fields that are missing are those before the field in `gap`.
    let value = |gap: usize, place: usize| match place {
        place if place < gap => field(place),
        place if place < gap + missing => "",
        place => field(place - missing),
    };
    let fits = |gap: usize, place: usize| may_have(&columns[place], value(gap, place), currency);
    let at_end = row.fields.len();
    let prices: Vec<usize> = (0..columns.len()).filter(|place| is_price(&columns[*place].name)).collect();
    // First what rules most of them out: there are many columns, and many rows.
    let may_be_too = |gap: usize| {
        let differs = prices.iter().any(|place| value(gap, *place) != value(at_end, *place));
        let has_price = || prices.iter().any(|p| columns[*p].name == "price" && !value(gap, *p).is_empty());
        let fit = || prices.iter().all(|place| fits(gap, *place)) && (0..columns.len()).all(|place| fits(gap, place));
        differs && has_price() && fit()
    };
    let last = prices.last().copied().unwrap_or_default().min(at_end);
    if (0..columns.len()).all(|place| fits(at_end, place)) && !(0..=last).any(may_be_too) {
        return Vec::new();
    }
    let left_out = columns.iter().enumerate().filter(|(place, column)| {
        let is_wrong = is_price(&column.name) || !fits(at_end, *place);
        !value(at_end, *place).is_empty() && !is_needed(&column.name) && is_wrong
    });
    let invalid = |(_, column): (usize, &Column)| {
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

/// Returns false for a value that a column can't have: what is no price among prices, an address that is none, a price
/// among texts.
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
