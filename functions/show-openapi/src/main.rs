use lambda_http::Error;
use restock_api::system;
use restock_http::Service;
use show_openapi::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    restock_runtime::start_logging();
    Service::public(App).serving::<system::ShowOpenapi>().serving::<system::ShowVersion>().run().await
}
