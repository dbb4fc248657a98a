use lambda_http::Error;
use restock_api::contacts;
use restock_http::Service;
use restock_runtime::Runtime;
use update_contact::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let app = App { address_key: store.address_key().await?, store: store.clone() };
    Service::with_keys(app, store).serving::<contacts::UpdateContact>().run().await
}
