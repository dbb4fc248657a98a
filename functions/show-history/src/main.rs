use jiff::Timestamp;
use lambda_http::Error;
use restock_api::history;
use restock_http::Service;
use restock_runtime::Runtime;
use show_history::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let store = Runtime::start().await.store();
    let log_kept = restock_runtime::days("LOG_DAYS")?;
    Service::with_keys(App { store: store.clone(), log_kept, clock: Timestamp::now }, store)
        .serving::<history::ShowSubscriptionHistory>()
        .serving::<history::ShowContactHistory>()
        .run()
        .await
}
