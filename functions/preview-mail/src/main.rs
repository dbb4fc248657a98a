use jiff::Timestamp;
use lambda_http::Error;
use preview_mail::App;
use restock_api::templates;
use restock_domain::EmailAddress;
use restock_email::{Renderer, Ses};
use restock_http::Service;
use restock_runtime::Runtime;
use std::time::Duration;
use tracing::warn;

/// How long SES may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let (sender, reply_to) = (restock_runtime::required("SENDER")?, restock_runtime::optional("REPLY_TO"));
    let configuration_set = restock_runtime::optional("CONFIGURATION_SET");
    let ses = Ses::new(runtime.ses(PATIENCE), &sender, reply_to.as_deref(), configuration_set)?;
    let listed = restock_runtime::optional("TEST_RECIPIENTS").unwrap_or_default();
    let listed = listed.split(',').map(str::trim).filter(|address| !address.is_empty());
    let read = |address: &str| {
        let read = EmailAddress::parse(address);
        read.inspect_err(|_| warn!("One of TestRecipients is no address, and gets no test mail")).ok()
    };
    let test_recipients = listed.filter_map(read).collect();
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
