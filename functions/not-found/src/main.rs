use lambda_http::Error;
use not_found::handle;
use runtime::Runtime;

#[tokio::main]
async fn main() -> Result<(), Error> {
    Runtime::start().await;
    http_api::serve_public(handle).await
}
