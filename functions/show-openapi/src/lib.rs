//! `GET /openapi.json`

use restock_http::{Call, Problem, Reply};

/// Made by `cargo openapi`; a test says when it is stale.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Describes the HTTP API. It needs no key.
pub async fn handle(_: Call) -> Result<Reply, Problem> {
    Ok(Reply::document(DOCUMENT))
}
