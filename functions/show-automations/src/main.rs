use lambda_http::Error;
use runtime::Runtime;
use show_automations::handle;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    http_api::serve(&store, KeyScope::ReadAutomations, |call| handle(&store, call)).await
}
