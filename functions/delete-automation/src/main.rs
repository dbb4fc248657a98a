use delete_automation::handle;
use lambda_http::Error;
use runtime::Runtime;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    http_api::serve(&store, KeyScope::WriteAutomations, |call| handle(&store, call)).await
}
