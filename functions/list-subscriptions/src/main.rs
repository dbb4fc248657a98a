use jiff::Timestamp;
use lambda_http::Error;
use list_subscriptions::App;
use restock_api::subscriptions;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let shows_places = restock_runtime::is_on("SHOW_PLACES")?;
    let app = App { store: store.clone(), shows_places, clock: Timestamp::now };
    Service::with_keys(app, store).serving::<subscriptions::ListSubscriptions>().run().await
}
