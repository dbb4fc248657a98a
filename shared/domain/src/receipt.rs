use crate::wire::{self, Errors, FieldError, Fields};
use crate::{Invalid, Sku, time};
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// What a contact bought at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub id: String,
    pub purchased_on: Timestamp,
    /// Each SKU once.
    pub skus: Vec<Sku>,
}

const MOST_ITEMS: usize = 200;
const MOST_BYTES: usize = 200;

impl Receipt {
    /// Reads `{"receiptId","purchasedOn"?,"items":[{"sku"}]}`. Without `purchasedOn` the purchase is one of now. It can't be
    /// later than its arrival; a clock may be ahead by a day.
    pub fn from_json(value: Value, now: Timestamp) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(value).map_err(|invalid| vec![invalid.at("")])?;
        let id = fields.required("receiptId", wire::string(receipt_id));
        let purchased_on = fields.optional("purchasedOn", wire::string(|raw| not_of_the_future(raw, now)));
        let purchased_on = purchased_on.unwrap_or(now).min(now);
        let skus = match fields.take("items") {
            Some(items) => items_of(items).unwrap_or_else(|errors| {
                fields.refuse_inside("items", errors);
                Vec::new()
            }),
            None => fields.refuse("items", Invalid::new("Required", "items is required.")).unwrap_or_default(),
        };
        fields.finish()?;
        let Some(id) = id else { return Err(Vec::new()) };
        Ok(Self { id, purchased_on: time::to_millisecond(purchased_on), skus })
    }
}

fn not_of_the_future(raw: &str, now: Timestamp) -> Result<Timestamp, Invalid> {
    let at = wire::timestamp(raw)?;
    if at > now + Duration::from_secs(24 * 3600) {
        return Err(Invalid::new("InFuture", "A purchase can't be of the future."));
    }
    Ok(at)
}

fn items_of(value: Value) -> Result<Vec<Sku>, Vec<FieldError>> {
    let Value::Array(items) = value else {
        return Err(vec![wire::wrong_type("an array of items", &value).at("")]);
    };
    if items.is_empty() || items.len() > MOST_ITEMS {
        let message = format!("List between one and {MOST_ITEMS} items.");
        return Err(vec![Invalid::new("WrongLength", message).at("")]);
    }
    let (mut skus, mut errors) = (Vec::new(), Errors::default());
    for (index, item) in items.into_iter().enumerate() {
        match item_sku(item) {
            Ok(sku) if skus.contains(&sku) => {}
            Ok(sku) => skus.push(sku),
            Err(found) => errors.extend_at(&format!("/{index}"), found),
        }
    }
    errors.finish()?;
    Ok(skus)
}

fn item_sku(item: Value) -> Result<Sku, Vec<FieldError>> {
    let mut fields = Fields::of(item).map_err(|invalid| vec![invalid.at("")])?;
    let sku = fields.required("sku", wire::string(Sku::parse));
    fields.finish()?;
    sku.ok_or_else(Vec::new)
}

fn receipt_id(raw: &str) -> Result<String, Invalid> {
    if raw.trim().is_empty() || raw.len() > MOST_BYTES || raw.contains(char::is_control) {
        let message = format!("Use the receipt's id: at most {MOST_BYTES} bytes, no control characters.");
        return Err(Invalid::new("InvalidReceiptId", message));
    }
    Ok(raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Receipt, Vec<String>> {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let receipt = Receipt::from_json(value, now);
        receipt.map_err(|errors| errors.iter().map(|error| format!("{} {}", error.pointer, error.error_code)).collect())
    }

    #[test]
    fn a_receipt_names_each_sku_once_and_is_not_of_the_future() {
        let items = json!([{"sku": "A", "quantity": 2}, {"sku": "B"}, {"Sku": "A"}]);
        let receipt = read(json!({"receiptId": "R", "purchasedOn": "1970-01-12T20:00:00Z", "items": items})).unwrap();

        assert_eq!(receipt.skus.iter().map(Sku::as_str).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(receipt.purchased_on, Timestamp::from_second(1_000_000).unwrap());
    }

    #[test]
    fn what_is_wrong_with_a_receipt_is_said_where_it_is() {
        assert_eq!(read(json!({})).unwrap_err(), ["/receiptId Required", "/items Required"]);
        let wrong = json!({"receiptId": " ", "purchasedOn": "now", "items": [{"sku": ""}, 5]});
        let expected = [
            "/receiptId InvalidReceiptId",
            "/purchasedOn InvalidTimestamp",
            "/items/0/sku Empty",
            "/items/1 NotAnObject",
        ];
        assert_eq!(read(wrong).unwrap_err(), expected);
        let typo = json!({"receiptId": "R", "purchasedOn": "2999-01-01T00:00:00Z", "items": [{"sku": "A"}]});
        assert_eq!(read(typo).unwrap_err(), ["/purchasedOn InFuture"]);
        assert_eq!(read(json!({"receiptId": "R", "items": []})).unwrap_err(), ["/items WrongLength"]);
    }
}
