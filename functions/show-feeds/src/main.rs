use lambda_http::Error;
use restock_runtime::Runtime;
use restock_store::KeyScope;
use show_feeds::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    restock_http::serve(&store, KeyScope::ReadFeeds, |call| handle(&store, call)).await
}
