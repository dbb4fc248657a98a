use jiff::Timestamp;
use lambda_http::Error;
use restock_api::stock_levels;
use restock_http::Service;
use restock_runtime::Runtime;
use update_stock_levels::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let app = App { store: store.clone(), queues: runtime.queues(), clock: Timestamp::now };
    Service::with_keys(app, store)
        .serving::<stock_levels::UpdateStockLevel>()
        .serving::<stock_levels::UpdateStockLevels>()
        .serving::<stock_levels::ImportStockLevels>()
        .run()
        .await
}
