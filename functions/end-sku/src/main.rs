use end_sku::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::holds;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let app = App { store: store.clone(), queues: runtime.queues(), clock: Timestamp::now };
    Service::with_keys(app, store).serving::<holds::EndSku>().run().await
}
