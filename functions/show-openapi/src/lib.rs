//! Serves `GET /openapi.json` and `GET /version`.

use restock_api::RawJson;
use restock_api::system::{ShowOpenapi, ShowVersion, Version};
use restock_http::{Call, Failure, Handles, Reply};

/// Made by `cargo openapi`; a test says when it is stale.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

pub struct App;

/// Describes the HTTP API. It needs no key.
impl Handles<ShowOpenapi> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ShowOpenapi>, Failure> {
        Ok(Reply::new(RawJson(DOCUMENT)))
    }
}

impl Handles<ShowVersion> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ShowVersion>, Failure> {
        Ok(Reply::new(Version { version: env!("CARGO_PKG_VERSION").to_owned() }))
    }
}
