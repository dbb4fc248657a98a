use lambda_http::Error;
use restock_runtime::Runtime;
use restock_store::KeyScope;
use update_stock_levels::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let (store, queues) = (runtime.store()?, runtime.queues()?);
    restock_http::serve(&store, KeyScope::WriteStockLevels, |call| handle(&queues, call)).await
}
