use crate::plain::{plain_text, without_entities};
use restock_domain::{Currency, ErrorCode, FieldValue, Fields, Invalid, Product, bytes_of, leave_out};

/// Fields without which there is no product.
pub const NEEDED: [&str; 3] = ["id", "title", "link"];
/// Fields that people read as they are.
const TEXTS: [&str; 8] = ["brand", "color", "description", "material", "pattern", "product_type", "size", "title"];
/// Fields that programs of web pages write.
const ESCAPED: [&str; 4] = ["image_link", "link", "price", "sale_price"];
/// Columns of which two digits are no value: behind a price, they are its decimals.
pub const NEVER_DIGITS: [&str; 12] = [
    "age_group",
    "availability",
    "brand",
    "color",
    "condition",
    "description",
    "gender",
    "image_link",
    "link",
    "material",
    "sale_price_effective_date",
    "title",
];
/// Bytes of an item, and of a row, a line or a field that it is read from. DynamoDB takes 400 KB; no product needs as
/// much.
pub const MAX_BYTES: usize = 100_000;
/// A field with less does not make an item too large, so leaving it out mends nothing.
const MIN_LARGE_BYTES: usize = MAX_BYTES / 10;

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

/// Checks the fields of an item that was read, but for those that could not be.
pub fn item(
    mut data: Fields,
    unreadable: Vec<(String, Invalid)>,
    currency: Option<Currency>,
) -> Result<Item, ItemFault> {
    let sku = id(&data);
    let fault =
        |invalid: Invalid| ItemFault { sku: sku.clone(), error_code: invalid.error_code, message: invalid.message };
    unreadable.iter().for_each(|(field, _)| leave_out(&mut data, field));
    let mut left_out: Vec<Invalid> = unreadable.into_iter().map(|(_, invalid)| invalid).collect();
    left_out.extend(leave_out_undecodable(&mut data).map_err(fault)?);
    left_out.extend(leave_out_large(&mut data).map_err(fault)?);
    take_structured(&mut data);
    let mut write = |names: &[&str], form: fn(&str) -> String| {
        for name in names {
            data.entry((*name).to_owned()).and_modify(|value| value.change_texts(form));
        }
    };
    write(&TEXTS, plain_text);
    write(&ESCAPED, without_entities);
    let (product, unusable) = Product::from_feed(data, currency).map_err(fault)?;
    left_out.extend(unusable);
    Ok(Item { product, left_out: left_out.into_iter().map(fault).collect() })
}

/// Returns the id of an item as far as it was read.
pub fn id(data: &Fields) -> Option<String> {
    data.get("id").and_then(FieldValue::first_text).map(ToOwned::to_owned)
}

pub fn is_needed(field: &str) -> bool {
    NEEDED.contains(&field)
}

pub fn is_price(column: &str) -> bool {
    matches!(column, "price" | "sale_price")
}

/// Returns true for a field that only Google's namespace has among those of feeds: titles and links are Atom's too.
pub fn is_googles(field: &str) -> bool {
    is_price(field) || matches!(field, "availability" | "availability_date" | "sale_price_effective_date")
}

/// Takes the text of `structured_title` for a title that is missing, and likewise the description: Google wants texts
/// that a program wrote there (Google product data specification, "Structured title").
fn take_structured(data: &mut Fields) {
    for (field, structured) in [("title", "structured_title"), ("description", "structured_description")] {
        if data.get(field).is_none_or(|value| value.first_text().is_none())
            && let Some(FieldValue::Group(parts)) = data.get(structured)
            && let Some(content) = parts.get("content").cloned()
        {
            data.insert(field.to_owned(), content);
        }
    }
}

fn leave_out_undecodable(data: &mut Fields) -> Result<Vec<Invalid>, Invalid> {
    let reason = "has bytes that don't belong to the file's encoding. Declare the encoding, or send UTF-8.";
    let is_spoilt = |value: &FieldValue| value.any_text(&|text| text.contains('\u{fffd}'));
    let spoilt: Vec<String> = data.iter().filter(|(_, value)| is_spoilt(value)).map(|(name, _)| name.clone()).collect();
    if let Some(field) = spoilt.iter().find(|field| is_needed(field)) {
        return Err(Invalid::new(ErrorCode::InvalidEncoding, format!("The item's {field} {reason}")));
    }
    let left_out = spoilt.into_iter().map(|field| {
        leave_out(data, &field);
        Invalid::new(ErrorCode::InvalidEncoding, format!("The item is used without its {field}, which {reason}"))
    });
    Ok(left_out.collect())
}

fn leave_out_large(data: &mut Fields) -> Result<Vec<Invalid>, Invalid> {
    let mut left_out = Vec::new();
    loop {
        let bytes = bytes_of(data);
        if bytes <= MAX_BYTES {
            return Ok(left_out);
        }
        let of_field =
            data.iter().filter(|(name, _)| !is_needed(name)).map(|(name, value)| (value.bytes(), name.clone()));
        let Some((largest, field)) = of_field.max().filter(|(bytes, _)| *bytes >= MIN_LARGE_BYTES) else {
            let message = format!("The item has {bytes} bytes; at most {MAX_BYTES} are taken.");
            return Err(Invalid::new(ErrorCode::ItemTooLarge, message));
        };
        leave_out(data, &field);
        let message = format!(
            "The item is used without its {field}, which has {largest} of {bytes} bytes; at most {MAX_BYTES} are taken."
        );
        left_out.push(Invalid::new(ErrorCode::ItemTooLarge, message));
    }
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
