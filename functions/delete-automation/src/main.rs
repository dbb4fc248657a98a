use delete_automation::App;
use lambda_http::Error;
use restock_api::automations;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    Service::with_keys(App { store: store.clone() }, store).serving::<automations::DeleteAutomation>().run().await
}
