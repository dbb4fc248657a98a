use jiff::Timestamp;
use lambda_http::Error;
use preview_mail::App;
use restock_api::templates;
use restock_domain::EmailAddress;
use restock_email::{Renderer, Ses};
use restock_http::Service;
use restock_runtime::Runtime;
use std::time::Duration;

/// How long SES may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let ses = Ses {
        client: runtime.ses(PATIENCE),
        sender: restock_runtime::required("SENDER")?,
        reply_to: restock_runtime::optional("REPLY_TO"),
        configuration_set: restock_runtime::optional("CONFIGURATION_SET"),
    };
    let listed = restock_runtime::optional("TEST_RECIPIENTS").unwrap_or_default();
    let test_recipients = listed.split(',').filter_map(|address| EmailAddress::parse(address).ok()).collect();
    let public_url = restock_runtime::public_url()?;
    let app = App {
        store: store.clone(),
        renderer: Renderer::new()?,
        ses,
        public_url,
        test_recipients,
        clock: Timestamp::now,
    };
    Service::with_keys(app, store).serving::<templates::PreviewMail>().serving::<templates::SendTestMail>().run().await
}
