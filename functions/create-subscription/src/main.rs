use create_subscription::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::subscriptions;
use restock_http::Service;
use restock_runtime::Runtime;
use restock_store::{CachedAutomations, CachedFeeds};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let public_url = restock_runtime::public_url()?;
    let kept = Some(restock_runtime::days("SUBSCRIPTION_DAYS")?).filter(|kept| !kept.is_zero());
    let shows_places = restock_runtime::is_on("SHOW_PLACES")?;
    let link_key = store.newest_link_key().await?;
    let kept_settings = restock_runtime::settings_kept()?;
    let feeds = CachedFeeds::new(store.clone(), kept_settings);
    let automations = CachedAutomations::new(store.clone(), kept_settings);
    let app = App {
        store: store.clone(),
        feeds,
        automations,
        link_key,
        public_url,
        kept,
        shows_places,
        clock: Timestamp::now,
    };
    Service::with_keys(app, store).serving::<subscriptions::Subscribe>().run().await
}
