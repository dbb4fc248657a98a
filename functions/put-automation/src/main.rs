use jiff::Timestamp;
use lambda_http::Error;
use put_automation::App;
use restock_api::automations;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let sender_identity = restock_runtime::required("SENDER_IDENTITY")?;
    let shortest = restock_runtime::shortest_interval()?;
    let app = App { store: store.clone(), sender_identity, shortest, clock: Timestamp::now };
    Service::with_keys(app, store).serving::<automations::PutAutomation>().run().await
}
