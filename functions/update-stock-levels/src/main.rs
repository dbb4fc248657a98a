use lambda_http::Error;
use runtime::Runtime;
use store::KeyScope;
use update_stock_levels::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let (store, queues) = (runtime.store()?, runtime.queues()?);
    http_api::serve(&store, KeyScope::WriteStockLevels, |call| handle(&queues, call)).await
}
