//! Serves `GET /feeds` and `GET /feeds/{locale}`.

use jiff::Timestamp;
use restock_api::feeds::{Feed, GetFeed, ListFeeds};
use restock_api::{ErrorCode, Problem};
use restock_domain::Locale;
use restock_http::{Call, Failure, Handles, Reply};
use restock_store::Store;

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

impl Handles<ListFeeds> for App {
    async fn handle(&self, _: Call, (): ()) -> Result<Reply<ListFeeds>, Failure> {
        let now = (self.clock)();
        Ok(Reply::new(self.store.feeds().await?.into_iter().map(|feed| Feed::at(now, feed)).collect::<Vec<_>>()))
    }
}

impl Handles<GetFeed> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<GetFeed>, Failure> {
        let locale = call.path_parameter::<Locale>()?;
        let not_found =
            || Problem::not_found(ErrorCode::FeedNotFound, "No product feed is configured for this locale.");
        let feed = self.store.feed(&locale).await?.ok_or_else(not_found)?;
        Ok(Reply::new(Feed::at((self.clock)(), feed)))
    }
}
