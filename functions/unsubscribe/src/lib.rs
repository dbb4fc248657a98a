//! `GET` and `POST /unsubscribe/{token}`: the link of every email, and its one-click form (RFC 8058).

use lambda_http::http::{Method, StatusCode};
use restock_domain::signing::SigningKey;
use restock_domain::unsubscribe::{Unsubscribe, verify};
use restock_domain::{Locale, Suppression};
use restock_email::{Page, UnsubscribePage};
use restock_http::{Call, Problem, Reply};
use restock_store::Store;
use std::sync::Arc;
use tracing::info;

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
    pub pages: Arc<Page>,
}

impl App {
    /// A GET shows a button and changes nothing, since scanners follow links; a POST unsubscribes.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let Ok(what) = verify(&self.signing_key, call.parameter("token")) else {
            return self.page(StatusCode::NOT_FOUND, UnsubscribePage::Invalid, &call);
        };
        if call.method != Method::POST {
            return self.page(StatusCode::OK, UnsubscribePage::Question(what), &call);
        }
        self.unsubscribe(what).await?;
        self.page(StatusCode::OK, UnsubscribePage::Done(what), &call)
    }

    /// What is gone gets no mail either, so that is a success too.
    async fn unsubscribe(&self, what: Unsubscribe) -> Result<(), Problem> {
        match what {
            Unsubscribe::All(contact) => {
                // The contact first: whoever is about to mail it looks at it once more.
                let known = self.store.suppress(contact, Suppression::Unsubscribed).await?;
                let subscriptions = self.store.delete_subscriptions_of(contact).await?;
                info!(%contact, known, subscriptions, "A contact unsubscribed from everything");
            }
            Unsubscribe::One(subscription) => {
                let known = self.store.delete_subscription(subscription).await?;
                info!(contact = %subscription.contact_id, known, "A contact unsubscribed from one product");
            }
        }
        Ok(())
    }

    fn page(&self, status: StatusCode, page: UnsubscribePage, call: &Call) -> Result<Reply, Problem> {
        let locale = Locale::parse(call.query("lang").unwrap_or("en")).or_else(|_| Locale::parse("en"));
        let locale = locale.map_err(|error| Problem::internal(&error))?;
        let html = self.pages.render(page, &locale).map_err(|error| Problem::internal(&error))?;
        Ok(Reply::html(status, html))
    }
}
