use lambda_http::Error;
use read_log::App;
use restock_runtime::Runtime;
use restock_store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let app = App { store: Runtime::start().await.store()?, log_kept: restock_runtime::days("LOG_DAYS")? };
    restock_http::serve(&app.store, KeyScope::ReadLog, |call| app.handle(call)).await
}
