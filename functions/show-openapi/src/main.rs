use lambda_http::Error;
use restock_api::system;
use restock_http::Service;
use restock_runtime::Runtime;
use show_openapi::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::start().await;
    Service::public(App).serving::<system::ShowOpenapi>().run().await
}
