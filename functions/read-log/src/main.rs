use lambda_http::Error;
use read_log::App;
use runtime::Runtime;
use store::KeyScope;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let app = App { store: Runtime::start().await.store()?, log_kept: runtime::days("LOG_DAYS")? };
    http_api::serve(&app.store, KeyScope::ReadLog, |call| app.handle(call)).await
}
