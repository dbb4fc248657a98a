use create_subscription::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::subscriptions;
use restock_http::Service;
use restock_runtime::Runtime;
use restock_store::{CachedAutomations, CachedFeeds};
use std::num::NonZeroU64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let public_url = restock_runtime::public_url()?;
    let kept = Some(restock_runtime::days("SUBSCRIPTION_DAYS")?).filter(|kept| !kept.is_zero());
    let shows_places = restock_runtime::is_on("SHOW_PLACES")?;
    let threshold = restock_runtime::whole_number("DEMAND_THRESHOLD")?;
    let announcer = NonZeroU64::new(threshold).map(|threshold| (threshold, runtime.events(public_url.clone())));
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
        announcer,
        clock: Timestamp::now,
    };
    Service::with_keys(app, store).serving::<subscriptions::Subscribe>().run().await
}
