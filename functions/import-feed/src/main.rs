use aws_lambda_events::sqs::SqsEvent;
use import_feed::App;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use restock_runtime::Runtime;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let max_receives = u32::try_from(restock_runtime::whole_number("MAX_RECEIVES")?)?;
    let app = App { store: runtime.store(), queues: runtime.queues(), max_receives, clock: Timestamp::now };
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async {
        Ok::<_, Error>(app.handle(event.payload).await)
    }))
    .await
}
