use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use make_secrets::App;
use restock_runtime::Runtime;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = App { store: Runtime::start().await.store(), clock: Timestamp::now };
    let handle = |event: LambdaEvent<_>| app.handle(event.payload);
    lambda_runtime::run(service_fn(handle)).await
}
