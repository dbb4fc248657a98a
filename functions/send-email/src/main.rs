use jiff::Timestamp;
use lambda_runtime::Error;
use restock_domain::delivery::Terms;
use restock_email::{Renderer, Ses, SesMailer, Signing};
use restock_runtime::Runtime;
use send_email::{App, Settings};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let runtime = Runtime::start().await;
    let store = runtime.store();
    let lease = Duration::from_secs(restock_runtime::whole_number("CLAIM_LEASE_SECONDS")?);
    // Half of the lease is for what comes before asking SES.
    let patience = lease / 2;
    let (sender, reply_to) = (restock_runtime::required("SENDER")?, restock_runtime::optional("REPLY_TO"));
    let configuration_set = restock_runtime::optional("CONFIGURATION_SET");
    let ses = Ses::new(runtime.ses(patience), &sender, reply_to.as_deref(), configuration_set)?;
    let signing = Signing { link_key: store.newest_link_key().await?, address_key: store.address_key().await? };
    let mailer = SesMailer::new(ses, Renderer::new()?, signing, restock_runtime::public_url()?, patience);
    let settings = Settings {
        terms: Terms { lease, grace: Duration::from_secs(restock_runtime::whole_number("CLAIM_GRACE_SECONDS")?) },
        patience,
        senders: restock_runtime::whole_number("SENDERS")?.try_into()?,
        max_rate: Some(restock_runtime::whole_number("MAX_MAILS_PER_SECOND")? as f64).filter(|rate| *rate > 0.0),
        budget: Duration::from_secs(restock_runtime::whole_number("TIMEOUT_SECONDS")?) / 2,
        settings_kept: restock_runtime::settings_kept()?,
        log_kept: restock_runtime::days("LOG_DAYS")?,
        clock: Timestamp::now,
    };
    let app = App::new(store, runtime.queues(), Box::new(mailer), settings);
    restock_runtime::serve_queue(|event| app.handle(event)).await
}
