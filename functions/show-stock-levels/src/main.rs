use lambda_http::Error;
use restock_api::stock_levels;
use restock_http::Service;
use restock_runtime::Runtime;
use show_stock_levels::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    Service::with_keys(App { store: store.clone() }, store)
        .serving::<stock_levels::ShowStockLevels>()
        .serving::<stock_levels::ShowStockImport>()
        .run()
        .await
}
