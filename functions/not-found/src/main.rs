//! The default route: a function without endpoints answers every call that there is no such method and path.

use lambda_http::Error;
use restock_http::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    restock_runtime::start_logging();
    Service::public(()).run().await
}
