//! The sample shop: its product feeds, its stock, its brand, and pictures that the inbox can show. All are served beside the
//! inbox.

use crate::functions::workspace;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::fs;

/// Where the feeds say that the pictures are.
const IMAGES: &str = "https://shop.example/images/";

pub fn router() -> Router {
    Router::new().route("/shop/{file}", get(feed)).route("/shop/images/{file}", get(image))
}

/// Returns a feed of the shop as its file has it.
pub fn read(file: &str) -> std::io::Result<String> {
    fs::read_to_string(workspace().join("infra/local/sample-shop").join(file))
}

/// Returns the shop's brand, with its pictures where the inbox serves them.
pub fn brand(inbox: &str) -> std::io::Result<String> {
    Ok(with_pictures_at(inbox, &read("brand.json")?))
}

/// Returns a text in which the shop's pictures are where the inbox serves them.
pub fn with_pictures_at(inbox: &str, text: &str) -> String {
    text.replace(IMAGES, &format!("{inbox}/shop/images/"))
}

/// Serves a feed, the stock or the brand, with pictures that are where this is served.
async fn feed(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let content_type = match file.rsplit_once('.') {
        Some((locale, "xml")) if is_name(locale) => "application/xml",
        Some((locale, "tsv")) if is_name(locale) => "text/tab-separated-values",
        Some(("brand", "json")) => "application/json",
        Some(("stock", "csv")) => "text/csv",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match read(&file) {
        Ok(feed) => {
            let feed = with_pictures_at(&format!("http://{host}"), &feed);
            ([(header::CONTENT_TYPE, content_type)], feed).into_response()
        }
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn image(Path(file): Path<String>) -> Response {
    let image = file.strip_suffix(".svg").filter(|name| is_name(name)).map(|_| read(&format!("images/{file}")));
    match image {
        Some(Ok(image)) => ([(header::CONTENT_TYPE, "image/svg+xml")], image).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Returns true for the names of the shop's files, which lead to no other folder.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}
