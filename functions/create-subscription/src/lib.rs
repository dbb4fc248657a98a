//! `POST /inventory/backinstock/subscriptions`

use jiff::Timestamp;
use restock_domain::signing::SigningKey;
use restock_domain::unsubscribe::{Unsubscribe, token};
use restock_domain::wire::{self, Fields};
use restock_domain::{ContactId, ExternalId, FieldError, Locale, Sku, Subscription, time};
use restock_http::{Call, Problem, Reply};
use restock_store::Store;
use serde_json::Value;
use uuid::Uuid;

pub struct App {
    pub store: Store,
    pub signing_key: SigningKey,
    /// Where the API is reachable from outside, without a slash at the end.
    pub public_url: String,
    pub clock: fn() -> Timestamp,
}

/// A link that ends this one subscription, for the shop's own confirmation page or mail.
const UNSUBSCRIBE_URL: &str = "unsubscribe-url";

impl App {
    /// Subscribes a contact to a SKU. The same call again answers with the subscription that the first one made.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let wanted = parse(call.json()?, (self.clock)()).map_err(Problem::invalid)?;

        if self.store.contact(wanted.contact_id).await?.is_none() {
            return Err(Problem::no_contact());
        }

        // The order matters. Whoever reads the demand mark after our answer must find the subscription; and a contact
        // that is erased meanwhile is either missing the second time, or its erasure finds the subscription.
        let subscription = self.store.put_subscription(wanted).await?;
        let (contact, ()) =
            tokio::try_join!(self.store.contact(subscription.contact_id), self.store.mark_demand(&subscription.sku))?;
        if contact.is_none() {
            self.store.delete_subscription(subscription.id()).await?;
            return Err(Problem::no_contact());
        }
        let token = token(&self.signing_key, Unsubscribe::One(subscription.id()));
        let link = format!("{}/unsubscribe/{token}?lang={}", self.public_url, subscription.locale);
        Ok(Reply::created(&subscription)?.with_header(UNSUBSCRIBE_URL, link))
    }
}

fn parse(body: Value, now: Timestamp) -> Result<Subscription, Vec<FieldError>> {
    let mut fields = Fields::of(body).map_err(|invalid| vec![invalid.at("")])?;
    let contact_id = fields.required("contactId", wire::string(ContactId::parse));
    let sku = fields.required("sku", wire::string(Sku::parse));
    let locale = fields.required("locale", wire::string(Locale::parse));
    let external_id = fields.optional("externalId", wire::string(ExternalId::parse));
    fields.finish()?;
    let (Some(contact_id), Some(sku), Some(locale)) = (contact_id, sku, locale) else { return Err(Vec::new()) };
    let created_on = time::to_millisecond(now);
    Ok(Subscription { contact_id, sku, locale, external_id, created_on, instance: Uuid::new_v4() })
}
