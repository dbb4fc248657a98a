use lambda_http::Error;
use runtime::Runtime;
use show_openapi::handle;

#[tokio::main]
async fn main() -> Result<(), Error> {
    Runtime::start().await;
    http_api::serve_public(handle).await
}
