use import_contacts::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::contacts;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let app = App { address_key: store.address_key().await?, store: store.clone(), clock: Timestamp::now };
    Service::with_keys(app, store).serving::<contacts::ImportContacts>().run().await
}
