//! The default route: a function without endpoints answers every call that there is no such method and path.

use lambda_http::Error;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::start().await;
    Service::public(()).run().await
}
