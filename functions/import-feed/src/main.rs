use import_feed::App;
use jiff::Timestamp;
use lambda_runtime::Error;
use restock_runtime::Runtime;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let max_receives = u32::try_from(restock_runtime::whole_number("MAX_RECEIVES")?)?;
    let app = App { store: runtime.store(), queues: runtime.queues(), max_receives, clock: Timestamp::now };
    restock_runtime::serve_queue(|event| app.handle(event)).await
}
