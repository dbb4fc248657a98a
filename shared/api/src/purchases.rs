//! Purchases: what contacts bought, for conditions about purchases.

use crate::operation::Operation;
use crate::payload::{self, Body, each};
use crate::schema::{Described, Schemas, of_type};
use crate::wire::{Properties, Read, alone, string, wrong_type};
use crate::{FieldError, KeyScope, Lines, LinesReport, Moment, Problem, answer, body, endpoints};
use jiff::Timestamp;
use restock_domain::{ContactId, EmailAddress, ErrorCode, Invalid, Sku, time};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

const WRITE: Option<KeyScope> = Some(KeyScope::WriteContacts);

endpoints! {
    /// Record what a contact bought
    RecordPurchases("recordPurchases"): Post "/contacts/{contactId}/purchases", "record-purchases", WRITE,
        Receipts => 200 RecordedReceipts, "How many receipts were new.",
        |operation| operation.problem(404, "There is no such contact.");

    /// Record receipts, one to a line
    ImportPurchases("importPurchases"): Post "/purchases/imports", "import-purchases", WRITE,
        Lines => 200 LinesReport, "What became of the lines, at most 2,000.";
}

body! {
    #[derive(Debug)]
    pub struct Receipt {
        /// If an id repeats, only the first receipt counts.
        pub receipt_id: ReceiptId,
        /// Now, by default.
        pub purchased_on: Option<Moment>,
        pub items: ReceiptItems,
    }
}

body! {
    #[derive(Debug, Clone)]
    pub struct ReceiptItem {
        pub sku: Sku,
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct ReceiptId(String);

/// Between one item and two hundred.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct ReceiptItems(Vec<ReceiptItem>);

/// A shop that sends a handful of receipts can send them again, so all are recorded or none.
#[derive(Debug)]
pub struct Receipts(Vec<Receipt>);

const MAX_ID_BYTES: usize = 200;
const MAX_ITEMS: usize = 200;
pub(crate) const MAX_RECEIPTS: usize = 100;
/// Items of one request: what is written within its time.
pub(crate) const MAX_ITEMS_TOGETHER: usize = 2_000;
/// Items of an import: as many as are written within the time of a request.
pub const MAX_IMPORTED_ITEMS: usize = 10_000;
/// How far a caller's clock may be ahead.
const MAX_AHEAD: Duration = Duration::from_secs(24 * 3600);

impl From<restock_domain::Receipt> for Receipt {
    fn from(receipt: restock_domain::Receipt) -> Self {
        let restock_domain::Receipt { id, purchased_on, skus } = receipt;
        let items = ReceiptItems(skus.into_iter().map(|sku| ReceiptItem { sku }).collect());
        Self { receipt_id: ReceiptId(id), purchased_on: Some(Moment(purchased_on)), items }
    }
}

impl Receipt {
    /// Makes the receipt of a purchase, which can't be later than its arrival.
    pub fn into_receipt(self, now: Timestamp) -> Result<restock_domain::Receipt, Vec<FieldError>> {
        let purchased_on = self.purchased_on.map_or(now, |Moment(at)| at);
        if purchased_on > now + MAX_AHEAD {
            let invalid = Invalid::new(ErrorCode::InFuture, "A purchase can't be of the future.");
            return Err(vec![FieldError::new("/purchasedOn", invalid)]);
        }
        let mut skus: Vec<Sku> = Vec::new();
        for ReceiptItem { sku } in self.items.0 {
            if !skus.contains(&sku) {
                skus.push(sku);
            }
        }
        let purchased_on = time::to_millisecond(purchased_on.min(now));
        Ok(restock_domain::Receipt { id: self.receipt_id.0, purchased_on, skus })
    }
}

impl Read for ReceiptId {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        string(value, |raw| {
            let raw = raw.trim();
            if raw.is_empty() || raw.len() > MAX_ID_BYTES || raw.contains(char::is_control) {
                let message = format!("Use the receipt's id: at most {MAX_ID_BYTES} bytes, no control characters.");
                return Err(Invalid::new(ErrorCode::InvalidReceiptId, message));
            }
            Ok(Self(raw.to_owned()))
        })
    }
}

impl Described for ReceiptId {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        let text = of_type(Type::String).min_length(Some(1)).max_length(Some(MAX_ID_BYTES));
        crate::schema::of(text)
    }
}

impl Read for ReceiptItems {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let Value::Array(items) = value else {
            return Err(alone(wrong_type("an array of items", &value)));
        };
        if items.is_empty() || items.len() > MAX_ITEMS {
            let message = format!("List between one and {MAX_ITEMS} items.");
            return Err(alone(Invalid::new(ErrorCode::WrongLength, message)));
        }
        each(items, ReceiptItem::read).map(Self)
    }
}

impl Described for ReceiptItems {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(schemas.of::<ReceiptItem>());
        Schema::from(items.min_items(Some(1)).max_items(Some(MAX_ITEMS)).build()).into()
    }
}

impl Receipts {
    /// Makes the receipts; an error names its receipt by its place if there were several.
    pub fn into_receipts(self, now: Timestamp) -> Result<Vec<restock_domain::Receipt>, Vec<FieldError>> {
        let alone = self.0.len() == 1;
        let receipts = self.0.into_iter().enumerate().map(|(index, receipt)| {
            let place = if alone { String::new() } else { format!("/{index}") };
            receipt.into_receipt(now).map_err(|errors| errors.into_iter().map(|error| error.inside(&place)).collect())
        });
        receipts.collect()
    }
}

impl Body for Receipts {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        let receipts = match payload::json(content_type, bytes)? {
            Value::Array(values) if values.len() > MAX_RECEIPTS => {
                let detail = "A request has at most 100 receipts. Send several requests, or import a file.";
                return Err(Problem::too_large(detail));
            }
            Value::Array(values) => each(values, Receipt::read)?,
            value => vec![Receipt::read(value)?],
        };
        if receipts.iter().map(|receipt| receipt.items.0.len()).sum::<usize>() > MAX_ITEMS_TOGETHER {
            return Err(Problem::too_large("A request has at most 2,000 items. Send several requests."));
        }
        Ok(Self(receipts))
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json_body::<Self>()
    }
}

impl Described for Receipts {
    const NAME: Option<&'static str> = Some("Receipts");

    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        let one_or_many = OneOfBuilder::new().item(schemas.of::<Receipt>()).item(Vec::<Receipt>::schema(schemas));
        Schema::from(one_or_many.description(Some("One receipt, or up to a hundred.")).build()).into()
    }
}

answer! {
    /// How many receipts were new, and how many were known.
    #[derive(Debug)]
    pub struct RecordedReceipts {
        pub recorded: u64,
        pub known: u64,
    }
}

/// Whose receipt a line of an import is.
pub enum Buyer {
    Contact(ContactId),
    Email(EmailAddress),
}

/// Reads a line of an import: a receipt, and the contact that it names by `contactId` or by `email`.
pub fn read_line(line: Value, now: Timestamp) -> Result<(Buyer, restock_domain::Receipt), Vec<FieldError>> {
    let buyer = buyer(line.clone())?;
    Ok((buyer, Receipt::read(line)?.into_receipt(now)?))
}

/// Returns how many items a line of an import has.
pub fn items_of(line: &Value) -> usize {
    let mut lists = line.as_object().into_iter().flatten().filter(|(name, _)| name.eq_ignore_ascii_case("items"));
    lists.find_map(|(_, items)| items.as_array()).map_or(0, Vec::len)
}

fn buyer(line: Value) -> Result<Buyer, Vec<FieldError>> {
    let mut properties = Properties::of(line)?;
    let (id, email) = (properties.read("contactId").flatten(), properties.read("email").flatten());
    properties.errors.finish()?;
    match (id, email) {
        (Some(id), None) => Ok(Buyer::Contact(id)),
        (None, Some(email)) => Ok(Buyer::Email(email)),
        (Some(_), Some(_)) => {
            let message = "Name the contact by contactId or by email, not by both.";
            Err(vec![FieldError::new("/email", Invalid::new(ErrorCode::Ambiguous, message))])
        }
        (None, None) => {
            let message = "Name the contact by contactId or by email.";
            Err(vec![FieldError::new("/contactId", Invalid::new(ErrorCode::Required, message))])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<restock_domain::Receipt, Vec<String>> {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let receipt = Receipt::read(value).and_then(|receipt| receipt.into_receipt(now));
        let word = |error: &FieldError| format!("{} {}", error.pointer, error.error_code.as_str());
        receipt.map_err(|errors| errors.iter().map(word).collect())
    }

    #[test]
    fn a_receipt_names_each_sku_once_and_is_not_of_the_future() {
        let items = json!([{"sku": "A", "quantity": 2}, {"sku": "B"}, {"Sku": "A"}]);
        let receipt = read(json!({"receiptId": "R", "purchasedOn": "1970-01-12T20:00:00Z", "items": items})).unwrap();

        assert_eq!(receipt.skus.iter().map(Sku::as_str).collect::<Vec<_>>(), ["A", "B"]);
        let padded = read(json!({"receiptId": " R ", "items": [{"sku": "A"}]})).unwrap();
        assert_eq!(padded.id, receipt.id, "spaces around an id do not count");
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
