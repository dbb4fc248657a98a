use lambda_http::Error;
use record_purchases::handle;
use runtime::Runtime;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    http_api::serve(&store, KeyScope::WriteContacts, |call| handle(&store, call)).await
}
