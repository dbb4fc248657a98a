//! Serves `GET`, `HEAD` and `POST /unsubscribe/{token}`: the link of every email, and its one-click form (RFC 8058).

mod links;

pub use links::Links;

use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_api::HtmlPage;
use restock_api::subscriptions::{AskToUnsubscribe, CheckUnsubscribe, ConfirmUnsubscribe};
use restock_domain::signing::AddressKey;
use restock_domain::unsubscribe::Unsubscribe;
use restock_domain::{Brands, Locale};
use restock_email::{Pages, UnsubscribePage};
use restock_http::{Call, Failure, Handles, MAX_DELETING, Reply};
use restock_queue::{Erasure, Queues};
use restock_store::Store;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

pub struct App {
    pub store: Store,
    pub address_key: AddressKey,
    pub links: Links,
    pub pages: Arc<Pages>,
    pub queues: Queues,
    pub clock: fn() -> Timestamp,
}

/// Shows a button and changes nothing, since scanners follow links.
impl Handles<AskToUnsubscribe> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<AskToUnsubscribe>, Failure> {
        let Ok(what) = self.links.read(call.parameter("token")).await? else {
            return Ok(Reply::new(self.page(UnsubscribePage::Invalid, &call).await?).with_status(404));
        };
        Ok(Reply::new(self.page(UnsubscribePage::Question(what), &call).await?))
    }
}

/// Answers as `GET` does, without the page: checkers of links ask so.
impl Handles<CheckUnsubscribe> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<CheckUnsubscribe>, Failure> {
        let known = self.links.read(call.parameter("token")).await?.is_ok();
        Ok(Reply::new(HtmlPage(String::new())).with_status(if known { 200 } else { 404 }))
    }
}

impl Handles<ConfirmUnsubscribe> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ConfirmUnsubscribe>, Failure> {
        let Ok(what) = self.links.read(call.parameter("token")).await? else {
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
    /// Ends mail. Returns false if there may be mail still that the link does not know of: the contact is gone, or has
    /// another address by now, so that somebody else may have the one that the mail went to.
    async fn unsubscribe(&self, what: Unsubscribe) -> Result<bool, Failure> {
        match what {
            Unsubscribe::All { contact, address } => {
                // The contact first: whoever is about to mail it looks at it once more.
                let known = self.store.unsubscribe(contact, address, &self.address_key).await?;
                let (now, deadline) = ((self.clock)(), Instant::now() + MAX_DELETING);
                let deleted = self.store.end_subscriptions_of(contact, now, deadline).await?;
                if !deleted.complete {
                    let rest = Erasure { contact_id: contact, made_until: Some(now) };
                    self.queues.send(&rest, Duration::ZERO).await?;
                }
                info!(%contact, known, subscriptions = deleted.items, "A contact unsubscribed from everything");
                Ok(known)
            }
            Unsubscribe::One(subscription) => {
                let contact = subscription.contact_id;
                let known = self.store.delete_subscription(subscription).await?;
                info!(%contact, known, "A contact unsubscribed from one product");
                // One that was mailed, or ended before, gets no mail either. That of an erased contact may have been
                // made again.
                Ok(known || self.store.contact(contact).await?.is_some())
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
