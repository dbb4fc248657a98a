use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The retailer's identifier of a sellable product variant. Compares exactly, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sku(String);

/// What a retailer calls a SKU in one market or warehouse. Compares exactly, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExternalId(String);

impl Sku {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        identifier(raw, "A SKU").map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ExternalId {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        identifier(raw, "An external id").map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// DynamoDB allows 1,024 bytes in a sort key; an identifier shares one with a time and a digest.
const MOST_BYTES: usize = 512;

fn identifier(raw: &str, what: &str) -> Result<String, Invalid> {
    if raw.trim().is_empty() {
        return Err(Invalid::new("Empty", format!("{what} can't be empty or blank.")));
    }
    if raw.len() > MOST_BYTES {
        return Err(Invalid::new("TooLong", format!("{what} has at most {MOST_BYTES} bytes in UTF-8.")));
    }
    // SQS takes only what XML 1.0 allows.
    if raw.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(Invalid::new("InvalidCharacter", format!("{what} can't hold control characters.")));
    }
    Ok(raw.to_owned())
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Sku {
    type Error = Invalid;
    fn try_from(raw: String) -> Result<Self, Invalid> {
        Self::parse(&raw)
    }
}

impl TryFrom<String> for ExternalId {
    type Error = Invalid;
    fn try_from(raw: String) -> Result<Self, Invalid> {
        Self::parse(&raw)
    }
}

impl From<Sku> for String {
    fn from(sku: Sku) -> Self {
        sku.0
    }
}

impl From<ExternalId> for String {
    fn from(id: ExternalId) -> Self {
        id.0
    }
}
