use delete_automation::handle;
use lambda_http::Error;
use restock_runtime::Runtime;
use restock_store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    restock_http::serve(&store, KeyScope::WriteAutomations, |call| handle(&store, call)).await
}
