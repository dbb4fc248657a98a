//! `GET` and `POST /unsubscribe/{token}`: the link of every email, and its one-click form (RFC 8058).

use domain::unsubscribe::{SigningKey, verify};
use domain::{ContactId, Locale};
use email::{Page, UnsubscribePage};
use http_api::{Call, Problem, Reply};
use jiff::Timestamp;
use lambda_http::http::{Method, StatusCode};
use store::Store;
use tracing::info;

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
    pub pages: Page,
}

impl App {
    /// A GET shows a button and changes nothing, since scanners follow links; a POST unsubscribes.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let Ok(contact) = verify(&self.signing_key, call.parameter("token")) else {
            return self.page(StatusCode::NOT_FOUND, UnsubscribePage::Invalid, &call);
        };
        if call.method != Method::POST {
            return self.page(StatusCode::OK, UnsubscribePage::Question, &call);
        }
        self.unsubscribe(contact).await?;
        self.page(StatusCode::OK, UnsubscribePage::Done, &call)
    }

    /// A contact that is gone gets no mail either, so that is a success too.
    async fn unsubscribe(&self, contact: ContactId) -> Result<(), Problem> {
        let known = self.store.unsubscribe_from_all(contact, Timestamp::now()).await?;
        info!(%contact, known, "A contact unsubscribed");
        Ok(())
    }

    fn page(&self, status: StatusCode, page: UnsubscribePage, call: &Call) -> Result<Reply, Problem> {
        let locale = Locale::parse(call.query("lang").unwrap_or("en")).or_else(|_| Locale::parse("en"));
        let locale = locale.map_err(|error| Problem::internal(&error))?;
        let html = self.pages.render(page, &locale).map_err(|error| Problem::internal(&error))?;
        Ok(Reply::html(status, html))
    }
}
