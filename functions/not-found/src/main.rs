use lambda_http::Error;
use not_found::handle;
use restock_runtime::Runtime;

#[tokio::main]
async fn main() -> Result<(), Error> {
    Runtime::start().await;
    restock_http::serve_public(handle).await
}
