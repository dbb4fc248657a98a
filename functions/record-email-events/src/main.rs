use jiff::Timestamp;
use lambda_runtime::Error;
use record_email_events::App;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let address_key = store.address_key().await?;
    let log_kept = restock_runtime::days("LOG_DAYS")?;
    let app = App { store, queues: runtime.queues(), address_key, log_kept, clock: Timestamp::now };
    restock_runtime::serve_queue(|event| app.handle(event)).await
}
