use aws_lambda_events::sqs::SqsEvent;
use domain::Automation;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use match_stock::App;
use runtime::Runtime;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let requires_consent = runtime::yes_or_no("REQUIRES_CONSENT")?;
    let app = App {
        store: runtime.store()?,
        queues: runtime.queues()?,
        second_look_after: Duration::from_secs(runtime::whole_number("SECOND_LOOK_SECONDS")?),
        automations: vec![Automation { requires_consent, ..Automation::default() }],
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async {
        Ok::<_, Error>(app.handle(event.payload).await)
    }))
    .await
}
