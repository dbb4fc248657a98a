use lambda_http::Error;
use restock_runtime::Runtime;
use restock_store::KeyScope;
use show_demand::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store()?;
    restock_http::serve(&store, KeyScope::ReadLog, |call| handle(&store, call)).await
}
