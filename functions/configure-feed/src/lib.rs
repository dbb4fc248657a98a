//! `PUT /feeds/{locale}`

use restock_domain::wire::{self, Fields};
use restock_domain::{Invalid, Locale};
use restock_http::{Call, Problem, Reply};
use restock_store::Store;
use serde_json::json;
use url::Url;

/// Says where a locale's product feed is. Without a URL, the feed is uploaded.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let locale = call.parsed_parameter("locale", Locale::parse)?;
    let body = if call.bytes().is_empty() { json!({}) } else { call.json()? };
    let mut fields = Fields::of(body).map_err(|invalid| Problem::invalid(vec![invalid.at("")]))?;
    let url = fields.optional("url", wire::string(web_address));
    fields.finish().map_err(Problem::invalid)?;
    Reply::ok(&store.put_feed(&locale, url.as_deref()).await?)
}

fn web_address(raw: &str) -> Result<String, Invalid> {
    let invalid = || {
        Invalid::new(
            "InvalidUrl",
            "Use an http or https URL of at most 2,000 characters, without user name or password.",
        )
    };
    let url = Url::parse(raw.trim()).map_err(|_| invalid())?;
    let usable = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && raw.len() <= 2_000;
    if usable { Ok(url.into()) } else { Err(invalid()) }
}
