//! `GET /inventory/backinstock/log`

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{Invalid, Sku};
use http_api::{Call, Problem, Reply};
use jiff::Timestamp;
use serde_json::json;
use store::Store;

/// What became of each stock level that met demand, newest first, of one SKU (`?sku=`) or of all. `cursor` in an answer
/// gets the next page (`?cursor=`); the last page has none.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let sku = call.query("sku").map(Sku::parse).transpose();
    let sku = sku.map_err(|invalid| Problem::invalid_parameter("sku", invalid))?;
    let cursor = call.query("cursor").map(read_cursor).transpose();
    let cursor = cursor.map_err(|invalid| Problem::invalid_parameter("cursor", invalid))?;

    let page = store.log_page(sku.as_ref(), cursor.as_deref(), Timestamp::now()).await?;
    let mut body = json!({ "entries": page.entries });
    if let Some(next) = page.next {
        body["cursor"] = json!(URL_SAFE_NO_PAD.encode(next));
    }
    Reply::ok(&body)
}

fn read_cursor(raw: &str) -> Result<String, Invalid> {
    let entry = URL_SAFE_NO_PAD.decode(raw).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    // A key of DynamoDB has at most 1,024 bytes.
    let entry = entry.filter(|entry| {
        entry.len() <= 1_024 && entry.split('#').next().is_some_and(|at| at.parse::<Timestamp>().is_ok())
    });
    entry.ok_or_else(|| Invalid::new("InvalidCursor", "Use the cursor of the page before as it is."))
}
