use lambda_http::Error;
use restock_runtime::Runtime;
use restock_store::KeyScope;
use show_automations::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    restock_http::serve(&store, KeyScope::ReadAutomations, |call| handle(&store, call)).await
}
