use crate::plain::plain_text;
use restock_domain::{Currency, ErrorCode, FieldValue, Fields, Invalid, Product, bytes_of};

/// Fields that people read as they are.
const TEXTS: [&str; 3] = ["title", "brand", "color"];
/// DynamoDB takes 400 KB; no honest product comes near this.
const MAX_BYTES: usize = 100_000;

/// An item that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub product: Product,
    /// What it is used without.
    pub left_out: Vec<ItemFault>,
}

/// Why an item, or a part of it, can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFault {
    /// The item's id, where that much could be read.
    pub sku: Option<String>,
    pub error_code: ErrorCode,
    pub message: String,
}

/// Checks the fields of an item that was read.
pub fn item(mut data: Fields, currency: Option<Currency>) -> Result<Item, ItemFault> {
    let sku: Option<String> = data.get("id").and_then(FieldValue::as_text).map(|id| id.chars().take(200).collect());
    let fault =
        |invalid: Invalid| ItemFault { sku: sku.clone(), error_code: invalid.error_code, message: invalid.message };
    sound(&data).map_err(fault)?;
    for name in TEXTS {
        if let Some(FieldValue::Text(text)) = data.get_mut(name) {
            *text = plain_text(text);
        }
    }
    let (product, left_out) = Product::from_feed(data, currency).map_err(fault)?;
    Ok(Item { product, left_out: left_out.into_iter().map(fault).collect() })
}

fn sound(data: &Fields) -> Result<(), Invalid> {
    for field in ["id", "title", "link", "price", "sale_price"] {
        if data.get(field).and_then(FieldValue::as_text).is_some_and(|text| text.contains('\u{fffd}')) {
            return Err(Invalid::new(
                ErrorCode::InvalidEncoding,
                format!(
                    "The item's {field} has bytes that don't belong to the file's encoding. Declare the encoding, or send UTF-8."
                ),
            ));
        }
    }
    let bytes = bytes_of(data);
    if bytes > MAX_BYTES {
        return Err(Invalid::new(
            ErrorCode::ItemTooLarge,
            format!("The item has {bytes} bytes; at most {MAX_BYTES} are taken."),
        ));
    }
    Ok(())
}

/// Adds a value to a field; a field that repeats becomes an array.
pub fn add(fields: &mut Fields, name: &str, value: FieldValue) {
    match fields.get_mut(name) {
        None => {
            fields.insert(name.to_owned(), value);
        }
        Some(FieldValue::Many(values)) => values.push(value),
        Some(first) => {
            let before = std::mem::replace(first, FieldValue::Many(Vec::new()));
            *first = FieldValue::Many(vec![before, value]);
        }
    }
}
