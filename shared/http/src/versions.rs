//! Optimistic concurrency: `ETag`, `If-Match` and `If-None-Match` (RFC 9110) over numbered versions.

use crate::Call;
use restock_api::Problem;
use restock_domain::{ErrorCode, Invalid};
use restock_store::Expected;

/// Returns what a call says of the version that it changes.
pub fn expected_version(call: &Call) -> Expected {
    // One that can't be read is there, and meets no version.
    let tag = |name| if call.has_header(name) { Some(call.header(name).unwrap_or_default()) } else { None };
    match (tag("if-match"), tag("if-none-match")) {
        (Some("*"), _) => Expected::Something,
        // Of several tags at most one can be current; a client that sends more does not know what it has seen.
        (Some(tag), _) => version_of(tag).map_or(Expected::Unmet, Expected::Version),
        (None, Some("*")) => Expected::Nothing,
        (None, _) => Expected::Anything,
    }
}

fn version_of(tag: &str) -> Option<u64> {
    tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// Returns the version that a call asks for by `?version=`.
pub fn wanted_version(call: &Call) -> Result<Option<u64>, Problem> {
    let number = |raw: &str| {
        raw.parse().map_err(|_| Invalid::new(ErrorCode::WrongType, "Use the number of a version, such as 3."))
    };
    call.parsed_query("version", number)
}
