use lambda_http::Error;
use read_log::handle;
use runtime::Runtime;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    http_api::serve(&store, KeyScope::ReadLog, |call| handle(&store, call)).await
}
