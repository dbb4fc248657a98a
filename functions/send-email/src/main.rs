use aws_lambda_events::sqs::SqsEvent;
use domain::delivery::Terms;
use email::{Renderer, SesMailer};
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use runtime::Runtime;
use send_email::{App, Settings};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store()?;
    let lease = Duration::from_secs(runtime::whole_number("CLAIM_LEASE_SECONDS")?);
    // Half of the lease is for what comes before asking SES.
    let patience = lease / 2;
    let mailer = SesMailer {
        client: runtime.ses(patience),
        renderer: Renderer::new()?,
        sender: runtime::required("SENDER")?,
        reply_to: runtime::optional("REPLY_TO"),
        configuration_set: runtime::optional("CONFIGURATION_SET"),
        signing_key: store.signing_key().await?,
        public_url: runtime::required("PUBLIC_URL")?.trim_end_matches('/').to_owned(),
    };
    let settings = Settings {
        terms: Terms { lease, grace: Duration::from_secs(runtime::whole_number("CLAIM_GRACE_SECONDS")?) },
        patience,
        rate: runtime::number("SEND_RATE")? / runtime::number("SENDERS")?,
        budget: Duration::from_secs(30),
        clock: Timestamp::now,
    };
    let automations = runtime::automations(&store)?;
    let app = App::new(store, runtime.queues()?, automations, Box::new(mailer), settings);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async {
        Ok::<_, Error>(app.handle(event.payload).await)
    }))
    .await
}
