use aws_lambda_events::sqs::SqsEvent;
use email::{Mailer, Renderer};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use runtime::Runtime;
use send_email::App;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store()?;
    let app = App {
        signing_key: store.signing_key().await?,
        store,
        queues: runtime.queues()?,
        renderer: Renderer::new()?,
        mailer: Mailer {
            client: runtime.ses(),
            sender: runtime::required("SENDER")?,
            reply_to: runtime::optional("REPLY_TO"),
            configuration_set: runtime::optional("CONFIGURATION_SET"),
        },
        public_url: runtime::required("PUBLIC_URL")?.trim_end_matches('/').to_owned(),
        lease: Duration::from_secs(runtime::whole_number("CLAIM_LEASE_SECONDS")?),
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async {
        Ok::<_, Error>(app.handle(event.payload).await)
    }))
    .await
}
