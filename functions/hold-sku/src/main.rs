use hold_sku::App;
use jiff::Timestamp;
use lambda_http::Error;
use restock_api::holds;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let app = App { store: store.clone(), clock: Timestamp::now };
    Service::with_keys(app, store)
        .serving::<holds::HoldSku>()
        .serving::<holds::ReleaseSku>()
        .serving::<holds::ShowHolds>()
        .run()
        .await
}
