use jiff::Timestamp;
use lambda_http::Error;
use read_log::App;
use restock_api::log;
use restock_http::Service;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let log_kept = restock_runtime::days("LOG_DAYS")?;
    Service::with_keys(App { store: store.clone(), log_kept, clock: Timestamp::now }, store)
        .serving::<log::ReadLog>()
        .run()
        .await
}
