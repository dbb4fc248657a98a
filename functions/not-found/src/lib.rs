//! The default route: whatever no other function answers.

use restock_http::{Call, Problem, Reply};

pub async fn handle(_: Call) -> Result<Reply, Problem> {
    Err(Problem::not_found(
        "RouteNotFound",
        "There is no such method and path. The API is under /api/v3; docs/api.md lists it.",
    ))
}
