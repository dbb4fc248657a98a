use delete_contact::App;
use lambda_http::Error;
use restock_api::contacts;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let address_key = store.address_key().await?;
    let app = App { address_key, store: store.clone(), queues: runtime.queues() };
    Service::with_keys(app, store).serving::<contacts::EraseContact>().run().await
}
