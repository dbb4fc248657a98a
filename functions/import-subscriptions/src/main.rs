use import_subscriptions::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::moving_in;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let kept = Some(restock_runtime::days("SUBSCRIPTION_DAYS")?).filter(|kept| !kept.is_zero());
    let app = App { address_key: store.address_key().await?, store: store.clone(), kept, clock: Timestamp::now };
    Service::with_keys(app, store).serving::<moving_in::ImportSubscriptions>().run().await
}
