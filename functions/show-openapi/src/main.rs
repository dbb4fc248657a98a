use lambda_http::Error;
use restock_runtime::Runtime;
use show_openapi::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    Runtime::start().await;
    restock_http::serve_public(handle).await
}
