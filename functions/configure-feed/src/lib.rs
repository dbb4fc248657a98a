//! Serves `PUT /feeds/{locale}`.

use jiff::Timestamp;
use restock_api::feeds::{ConfigureFeed, Credential, Feed, FeedSettings, OptionalFeedSettings, Schedule};
use restock_api::values::WebAddress;
use restock_domain::{FeedSchedule, Locale};
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::{FeedConfiguration, Store};

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Says where a locale's product feed is, and how often it is fetched. Without a URL, the feed is uploaded.
impl Handles<ConfigureFeed> for App {
    async fn handle(&self, call: Call, body: OptionalFeedSettings) -> Result<Reply<ConfigureFeed>, Failure> {
        let locale = call.path_parameter::<Locale>()?;
        let OptionalFeedSettings(FeedSettings { url, currency, user, password, schedule }) = body;
        let by_default = url.as_ref().map(|_| FeedSchedule::HOURLY);
        let settings = FeedConfiguration {
            url: url.map(|WebAddress(url)| url),
            currency,
            user: user.map(|Credential(user)| user),
            password: password.map(|Credential(password)| password),
            schedule: schedule.map_or(by_default, |Schedule(schedule)| schedule),
        };
        let now = (self.clock)();
        Ok(Reply::new(Feed::at(now, self.store.put_feed(&locale, &settings, now).await?)))
    }
}
