use create_subscription::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::subscriptions;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let public_url = restock_runtime::public_url()?;
    let app = App { signing_key: store.signing_key().await?, store: store.clone(), public_url, clock: Timestamp::now };
    Service::with_keys(app, store).serving::<subscriptions::Subscribe>().run().await
}
