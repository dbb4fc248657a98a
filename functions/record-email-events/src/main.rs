use aws_lambda_events::sqs::SqsEvent;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use record_email_events::App;
use restock_runtime::Runtime;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let signing_key = store.signing_key().await?;
    let app = App { store, queues: runtime.queues(), signing_key, clock: Timestamp::now };
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async {
        Ok::<_, Error>(app.handle(event.payload).await)
    }))
    .await
}
