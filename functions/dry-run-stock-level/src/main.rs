use dry_run_stock_level::handle;
use lambda_http::Error;
use runtime::Runtime;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    http_api::serve(&store, KeyScope::ReadSubscriptions, |call| handle(&store, call)).await
}
