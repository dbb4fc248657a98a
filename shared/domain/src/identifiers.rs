use crate::{ErrorCode, Invalid};
use serde::{Deserialize, Serialize};

/// Makes a type of a text that was parsed: it is displayed, and written to tables and messages, as that text.
///
/// Reading one back from there trusts it, so that a rule that is tightened later does not make stored items unreadable.
macro_rules! text_type {
    ($type:ident) => {
        impl $type {
            /// Returns a value that was checked when it was stored.
            pub fn restore(raw: &str) -> Self {
                Self(raw.to_owned())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_type;

/// Returns true for up to 50 lower-case letters, digits and hyphens, which stand in paths and in the tags of mails.
pub(crate) fn is_slug(raw: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !raw.is_empty() && raw.len() <= 50 && raw.chars().all(fits) && !raw.starts_with('-')
}

/// The retailer's identifier of a sellable product variant. Compares exactly, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sku(String);
text_type!(Sku);

/// A retailer's name for a SKU in one market or warehouse. Compares exactly, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExternalId(String);
text_type!(ExternalId);

/// A sender's name of one statement about stock. Compares exactly, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(String);
text_type!(EventId);

impl EventId {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        identifier(raw, "An event id").map(Self)
    }
}

impl Sku {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        identifier(raw, "A SKU").map(Self)
    }
}

impl ExternalId {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        identifier(raw, "An external id").map(Self)
    }
}

/// DynamoDB allows 1,024 bytes in a sort key; an identifier shares one with a time and a digest.
pub const MAX_IDENTIFIER_BYTES: usize = 512;

/// Checks an identifier without the spaces and invisible marks around it, which no door keeps: feed, API, queue and
/// upload.
fn identifier(raw: &str, what: &str) -> Result<String, Invalid> {
    // A zero-width space, joiners, and a byte order mark of files that were put together.
    let is_invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    let raw = raw.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    if raw.is_empty() {
        return Err(Invalid::new(ErrorCode::Empty, format!("{what} can't be empty or blank.")));
    }
    if raw.len() > MAX_IDENTIFIER_BYTES {
        let message = format!("{what} has at most {MAX_IDENTIFIER_BYTES} bytes in UTF-8.");
        return Err(Invalid::new(ErrorCode::TooLong, message));
    }
    // SQS takes only what XML 1.0 allows.
    if raw.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(Invalid::new(ErrorCode::InvalidCharacter, format!("{what} can't hold control characters.")));
    }
    Ok(raw.to_owned())
}

/// Writes bytes in hexadecimal, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
