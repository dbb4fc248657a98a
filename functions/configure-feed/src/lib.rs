//! Serves `PUT /feeds/{locale}`.

use restock_api::feeds::{ConfigureFeed, Credential, FeedSettings, OptionalFeedSettings};
use restock_api::values::WebAddress;
use restock_domain::Locale;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::{FeedConfiguration, Store};

pub struct App {
    pub store: Store,
}

/// Says where a locale's product feed is. Without a URL, the feed is uploaded.
impl Handles<ConfigureFeed> for App {
    async fn handle(&self, call: Call, body: OptionalFeedSettings) -> Result<Reply<ConfigureFeed>, Failure> {
        let locale = call.parsed_parameter("locale", Locale::parse)?;
        let OptionalFeedSettings(FeedSettings { url, currency, user, password }) = body;
        let settings = FeedConfiguration {
            url: url.map(|WebAddress(url)| url),
            currency,
            user: user.map(|Credential(user)| user),
            password: password.map(|Credential(password)| password),
        };
        Ok(Reply::new(self.store.put_feed(&locale, &settings).await?))
    }
}
