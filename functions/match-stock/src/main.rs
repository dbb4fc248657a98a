use jiff::Timestamp;
use lambda_runtime::Error;
use match_stock::App;
use restock_runtime::Runtime;
use restock_store::CachedStops;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let app = App {
        automations: restock_runtime::automations(&store)?,
        wave_policy: restock_runtime::wave_policy(&store)?,
        stops: CachedStops::new(store.clone()),
        store,
        queues: runtime.queues(),
        lag: 2 * Duration::from_secs(restock_runtime::whole_number("SUBSCRIBING_SECONDS")?),
        second_look_after: Duration::from_secs(restock_runtime::whole_number("SECOND_LOOK_SECONDS")?),
        log_kept: restock_runtime::days("LOG_DAYS")?,
        budget: Duration::from_secs(restock_runtime::whole_number("TIMEOUT_SECONDS")?) / 2,
        clock: Timestamp::now,
    };
    restock_runtime::serve_queue(|event| app.handle(event)).await
}
