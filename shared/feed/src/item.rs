use restock_domain::{Invalid, Product};
use serde_json::{Map, Value};

/// DynamoDB takes 400 KB; no honest product comes near this.
const MOST_BYTES: usize = 100_000;

/// Why an item can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFault {
    /// The item's id, where that much could be read.
    pub sku: Option<String>,
    pub error_code: &'static str,
    pub message: String,
}

/// Checks the fields of an item that was read.
pub fn product(data: Map<String, Value>) -> Result<Product, ItemFault> {
    let sku = data.get("id").and_then(Value::as_str).map(|id| id.chars().take(200).collect());
    let checked = sound(&data).and_then(|()| Product::from_feed(data));
    checked.map_err(|invalid| ItemFault { sku, error_code: invalid.error_code, message: invalid.message })
}

fn sound(data: &Map<String, Value>) -> Result<(), Invalid> {
    for field in ["id", "title", "link", "price", "sale_price"] {
        if data.get(field).and_then(Value::as_str).is_some_and(|text| text.contains('\u{fffd}')) {
            return Err(Invalid::new(
                "InvalidEncoding",
                format!(
                    "The item's {field} has bytes that don't belong to the file's encoding. Declare the encoding, or send UTF-8."
                ),
            ));
        }
    }
    let bytes: usize = data.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
    if bytes > MOST_BYTES {
        return Err(Invalid::new(
            "ItemTooLarge",
            format!("The item has {bytes} bytes; at most {MOST_BYTES} are taken."),
        ));
    }
    Ok(())
}

/// Adds a value to a field; a field that repeats becomes an array.
pub fn add(fields: &mut Map<String, Value>, name: &str, value: Value) {
    match fields.get_mut(name) {
        None => {
            fields.insert(name.to_owned(), value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => {
            let first = first.take();
            fields.insert(name.to_owned(), Value::Array(vec![first, value]));
        }
    }
}
