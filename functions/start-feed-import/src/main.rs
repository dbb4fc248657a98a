use lambda_http::Error;
use runtime::Runtime;
use start_feed_import::handle;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let (store, queues) = (runtime.store()?, runtime.queues()?);
    http_api::serve(&store, KeyScope::WriteFeeds, |call| handle(&store, &queues, call)).await
}
