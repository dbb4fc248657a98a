//! Serves `PUT /feeds/{locale}`.

use restock_api::feeds::{ConfigureFeed, FeedSettings, OptionalFeedSettings, WebAddress};
use restock_domain::Locale;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
}

/// Says where a locale's product feed is. Without a URL, the feed is uploaded.
impl Handles<ConfigureFeed> for App {
    async fn handle(&self, call: Call, body: OptionalFeedSettings) -> Result<Reply<ConfigureFeed>, Failure> {
        let locale = call.parsed_parameter("locale", Locale::parse)?;
        let OptionalFeedSettings(FeedSettings { url, currency }) = body;
        let url = url.map(|WebAddress(url)| url);
        Ok(Reply::new(self.store.put_feed(&locale, url.as_deref(), currency).await?))
    }
}
