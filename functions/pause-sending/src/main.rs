use jiff::Timestamp;
use lambda_http::Error;
use pause_sending::App;
use restock_api::sending;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let app = App { store: store.clone(), clock: Timestamp::now };
    let service = Service::with_keys(app, store);
    service.serving::<sending::PauseSending>().serving::<sending::ResumeSending>().run().await
}
