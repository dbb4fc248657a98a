//! Cursors: where a page ended, in a form that fits into a URL and that callers hand back as it is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use restock_domain::{ErrorCode, Invalid};

/// The size of the largest key of DynamoDB; no position is longer.
const MAX_BYTES: usize = 1_024;

/// Returns the cursor of a position.
pub fn to_cursor(position: &str) -> String {
    URL_SAFE_NO_PAD.encode(position)
}

/// Returns the position of a cursor, if it is one that `is_position` knows.
pub fn position(raw: &str, is_position: impl FnOnce(&str) -> bool) -> Result<String, Invalid> {
    let position = URL_SAFE_NO_PAD.decode(raw).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let position = position.filter(|position| position.len() <= MAX_BYTES && is_position(position));
    position.ok_or_else(|| Invalid::new(ErrorCode::InvalidCursor, "Use the cursor of the page before as it is."))
}
