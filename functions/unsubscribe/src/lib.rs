//! Serves `GET`, `HEAD` and `POST /unsubscribe/{token}`: the link of every email, and its one-click form (RFC 8058).

use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_api::HtmlPage;
use restock_api::subscriptions::{AskToUnsubscribe, CheckUnsubscribe, ConfirmUnsubscribe};
use restock_domain::signing::SigningKey;
use restock_domain::unsubscribe::{Unsubscribe, verify};
use restock_domain::{Brands, Locale, Suppression};
use restock_email::{Pages, UnsubscribePage};
use restock_http::{Call, Failure, Handles, Reply};
use restock_queue::{Erasure, Queues};
use restock_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
    pub pages: Arc<Pages>,
    pub queues: Queues,
    pub clock: fn() -> Timestamp,
}

/// How long a shopper waits for subscriptions to be deleted; what is left then goes on by itself.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Shows a button and changes nothing, since scanners follow links.
impl Handles<AskToUnsubscribe> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<AskToUnsubscribe>, Failure> {
        let Ok(what) = verify(&self.signing_key, call.parameter("token")) else {
            return Ok(Reply::new(self.page(UnsubscribePage::Invalid, &call).await?).with_status(404));
        };
        Ok(Reply::new(self.page(UnsubscribePage::Question(what), &call).await?))
    }
}

/// Answers as `GET` does, without the page: checkers of links ask so.
impl Handles<CheckUnsubscribe> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<CheckUnsubscribe>, Failure> {
        let known = verify(&self.signing_key, call.parameter("token")).is_ok();
        Ok(Reply::new(HtmlPage(String::new())).with_status(if known { 200 } else { 404 }))
    }
}

impl Handles<ConfirmUnsubscribe> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ConfirmUnsubscribe>, Failure> {
        let Ok(what) = verify(&self.signing_key, call.parameter("token")) else {
            return Ok(Reply::new(self.page(UnsubscribePage::Invalid, &call).await?).with_status(404));
        };
        if self.unsubscribe(what).await? {
            Ok(Reply::new(self.page(UnsubscribePage::Done(what), &call).await?))
        } else {
            Ok(Reply::new(self.page(UnsubscribePage::Gone, &call).await?).with_status(404))
        }
    }
}

impl App {
    /// Ends mail. A subscription that is gone gets no mail either, so that is a success too. Returns false if the contact is
    /// gone: somebody may have made another one of its address, which this link does not know.
    async fn unsubscribe(&self, what: Unsubscribe) -> Result<bool, Failure> {
        match what {
            Unsubscribe::All(contact) => {
                // The contact first: whoever is about to mail it looks at it once more.
                let known = self.store.suppress(contact, Suppression::Unsubscribed).await?;
                let (now, deadline) = ((self.clock)(), Instant::now() + AT_ONCE);
                let deleted = self.store.delete_subscriptions_of(contact, Some(now), deadline).await?;
                if !deleted.complete {
                    let rest = Erasure { contact_id: contact, made_until: Some(now) };
                    self.queues.send_erasure(&rest).await?;
                }
                info!(%contact, known, subscriptions = deleted.items, "A contact unsubscribed from everything");
                Ok(known)
            }
            Unsubscribe::One(subscription) => {
                let known = self.store.delete_subscription(subscription).await?;
                info!(contact = %subscription.contact_id, known, "A contact unsubscribed from one product");
                Ok(true)
            }
        }
    }

    async fn page(&self, page: UnsubscribePage, call: &Call) -> Result<HtmlPage, Failure> {
        let locale = Locale::parse(call.query("lang").unwrap_or("en")).or_else(|_| Locale::parse("en"));
        let locale = locale.map_err(|error| Failure::internal(&error))?;
        // A page without the brand is better than none.
        let brands = self.store.brands().await.unwrap_or_else(|error| {
            warn!(error = %DisplayErrorChain::new(&error), "A page is shown without the brand");
            Brands::default()
        });
        let html = self.pages.render(page, &locale, &brands).map_err(|error| Failure::internal(&error))?;
        Ok(HtmlPage(html))
    }
}
