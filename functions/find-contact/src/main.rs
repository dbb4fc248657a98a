use find_contact::App;
use lambda_http::Error;
use restock_api::contacts;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    Service::with_keys(App { store: store.clone() }, store).serving::<contacts::FindContact>().run().await
}
