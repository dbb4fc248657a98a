//! `GET /feeds` and `GET /feeds/{locale}`

use restock_domain::Locale;
use restock_http::{Call, Problem, Reply};
use restock_store::Store;

pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    if call.parameter("locale").is_empty() {
        return Reply::ok(&store.feeds().await?);
    }
    let locale = call.parsed_parameter("locale", Locale::parse)?;
    match store.feed(&locale).await? {
        Some(feed) => Reply::ok(&feed),
        None => Err(Problem::not_found("FeedNotFound", "No product feed is configured for this locale.")),
    }
}
