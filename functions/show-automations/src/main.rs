use lambda_http::Error;
use restock_api::automations;
use restock_http::Service;
use restock_runtime::Runtime;
use show_automations::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    Service::with_keys(App { store: store.clone() }, store)
        .serving::<automations::ListAutomations>()
        .serving::<automations::GetAutomation>()
        .run()
        .await
}
