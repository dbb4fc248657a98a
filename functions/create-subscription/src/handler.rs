//! `POST /inventory/backinstock/subscriptions`

use domain::wire::{self, Fields};
use domain::{ContactId, ExternalId, FieldError, Locale, Sku, Subscription, time};
use http_api::{Call, Problem, Reply};
use jiff::Timestamp;
use serde_json::Value;
use store::Store;
use uuid::Uuid;

/// Subscribes a contact to a SKU. The same call again answers with the subscription that the first one made.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let subscription = parse(call.json()?).map_err(Problem::invalid)?;
    if store.contact(subscription.contact_id).await?.is_none() {
        return Err(Problem::not_found(
            "ContactNotFound",
            "There is no contact with this id. Create the contact first.",
        ));
    }

    // The order matters: whoever reads the demand mark after our answer must find the subscription.
    let subscription = store.put_subscription(subscription).await?;
    store.mark_demand(&subscription.sku).await?;
    Reply::created(&subscription)
}

fn parse(body: Value) -> Result<Subscription, Vec<FieldError>> {
    let mut fields = Fields::of(body).map_err(|invalid| vec![invalid.at("")])?;
    let contact_id = fields.required("contactId", wire::string(ContactId::parse));
    let sku = fields.required("sku", wire::string(Sku::parse));
    let locale = fields.required("locale", wire::string(Locale::parse));
    let external_id = fields.optional("externalId", wire::string(ExternalId::parse));
    fields.finish()?;
    let (Some(contact_id), Some(sku), Some(locale)) = (contact_id, sku, locale) else { return Err(Vec::new()) };
    let created_on = time::to_millisecond(Timestamp::now());
    Ok(Subscription { contact_id, sku, locale, external_id, created_on, instance: Uuid::new_v4() })
}
