use finish_erasure::App;
use lambda_runtime::Error;
use restock_runtime::Runtime;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let budget = Duration::from_secs(restock_runtime::whole_number("TIMEOUT_SECONDS")?) / 2;
    let app = App { store: runtime.store(), queues: runtime.queues(), budget };
    restock_runtime::serve_queue(|event| app.handle(event)).await
}
