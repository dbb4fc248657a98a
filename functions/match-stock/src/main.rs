use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use match_stock::App;
use runtime::Runtime;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let app = App {
        store: runtime.store()?,
        queues: runtime.queues()?,
        second_look_after: Duration::from_secs(runtime::whole_number("SECOND_LOOK_SECONDS")?),
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async {
        Ok::<_, Error>(app.handle(event.payload).await)
    }))
    .await
}
