use dry_run_stock_level::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::stock_levels;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    Service::with_keys(App { store: store.clone(), clock: Timestamp::now }, store)
        .serving::<stock_levels::DryRunStockLevel>()
        .run()
        .await
}
