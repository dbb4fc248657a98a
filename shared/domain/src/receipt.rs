use crate::Sku;
use jiff::Timestamp;

/// A purchase of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub id: String,
    pub purchased_on: Timestamp,
    /// Each SKU once.
    pub skus: Vec<Sku>,
}
