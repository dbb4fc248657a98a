use lambda_http::Error;
use restock_runtime::Runtime;
use restock_store::KeyScope;
use start_feed_import::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let (store, queues) = (runtime.store()?, runtime.queues()?);
    restock_http::serve(&store, KeyScope::WriteFeeds, |call| handle(&store, &queues, call)).await
}
