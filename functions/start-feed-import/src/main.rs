use jiff::Timestamp;
use lambda_http::Error;
use restock_api::feeds;
use restock_http::Service;
use restock_runtime::Runtime;
use start_feed_import::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let app = App { store: store.clone(), queues: runtime.queues(), clock: Timestamp::now };
    Service::with_keys(app, store).serving::<feeds::ImportFeed>().run().await
}
