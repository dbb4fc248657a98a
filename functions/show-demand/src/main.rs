use jiff::Timestamp;
use lambda_http::Error;
use restock_api::log;
use restock_http::Service;
use restock_runtime::Runtime;
use show_demand::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    Service::with_keys(App { store: store.clone(), clock: Timestamp::now }, store)
        .serving::<log::ShowDemand>()
        .run()
        .await
}
