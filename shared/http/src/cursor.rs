//! Cursors: where a page ended, in a form that fits into a URL and that callers hand back as it is.

use crate::Call;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use restock_api::Problem;
use restock_domain::{ErrorCode, Invalid};

/// The size of the largest key of DynamoDB; no position is longer.
const MAX_BYTES: usize = 1_024;
/// Stands between the path and the position, and in neither.
const BETWEEN: char = ' ';

impl Call {
    /// Returns the cursor of a position in the list that the call's path names.
    pub fn to_cursor(&self, position: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{BETWEEN}{position}", self.path))
    }

    /// Returns the position of the call's cursor, if it has one. A cursor has to be of the same path, since one of
    /// another list would leave a part of this one out, and one that `is_position` knows.
    pub fn position(&self, is_position: impl FnOnce(&str) -> bool) -> Result<Option<String>, Problem> {
        self.parsed_query("cursor", |raw| {
            let text = URL_SAFE_NO_PAD.decode(raw).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let of_path = text.as_deref().and_then(|text| text.strip_prefix(self.path.as_str())?.strip_prefix(BETWEEN));
            let position = of_path.filter(|position| position.len() <= MAX_BYTES && is_position(position));
            let advice = "Use the cursor of the page before as it is, with the same path.";
            position.map(ToOwned::to_owned).ok_or_else(|| Invalid::new(ErrorCode::InvalidCursor, advice))
        })
    }
}
