use super::{Body, Message, ParseError};
use crate::queue::named;
use jiff::Timestamp;
use restock_domain::{ContactId, Sku};
use serde::{Deserialize, Serialize};

/// What the queue of erasures carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureMessage {
    Contact(Erasure),
    Sku(EndedSku),
}

/// Delete what is left of a contact that was erased, or of its subscriptions after it unsubscribed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    pub contact_id: ContactId,
    /// Of a contact that unsubscribed from everything: subscriptions that were made later stay, as it may have been
    /// allowed mail again. Missing for an erased one, of which nothing stays, its purchases included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_until: Option<Timestamp>,
}

/// Delete the subscriptions of a SKU that were made until a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedSku {
    pub sku: Sku,
    pub made_until: Timestamp,
}

impl Message for Erasure {
    type Queue = named::Erasures;
    const TYPE: &'static str = "erase";
}

impl Message for EndedSku {
    type Queue = named::Erasures;
    const TYPE: &'static str = "end-sku";
}

impl ErasureMessage {
    pub fn parse(body: &str) -> Result<Self, ParseError> {
        let body = Body::parse(body)?;
        match body.kind() {
            EndedSku::TYPE => body.read().map(Self::Sku),
            _ => body.read().map(Self::Contact),
        }
    }
}
