//! What a mail is made of, apart from its contact.

use crate::{App, Shared};
use display_error_chain::DisplayErrorChain;
use futures::future::join_all;
use restock_domain::{Automation, Locale, Product, Skip, Sku, Subscription, Template};
use std::collections::HashMap;
use std::time::Duration;
use tracing::warn;

/// The longest time that is spent reading what a mail shows besides its product; a claim may be held meanwhile.
const MAX_READING: Duration = Duration::from_secs(1);

/// What a mail is made of, apart from its contact.
pub(crate) struct Content<'a> {
    pub automation: &'a Automation,
    pub template: &'a Template,
    pub product: &'a Product,
    pub related: &'a [Product],
}

impl App {
    /// Returns what the mail is made of, or why there is none.
    pub(crate) fn content<'a>(&self, subscription: &Subscription, shared: &'a Shared) -> Result<Content<'a>, Skip> {
        if subscription.has_expired((self.settings.clock)()) {
            return Err(Skip::SubscriptionGone);
        }
        let (automation, template) = shared.automation.as_ref().ok_or(Skip::AutomationOff)?;
        let of_feed = |feed: &Locale| shared.products.get_key_value(&(feed.key().to_owned(), subscription.sku.clone()));
        let product = subscription.locale.feeds().iter().find_map(of_feed);
        let ((feed, _), product) = product.ok_or(Skip::NoProductData)?;
        let related = shared.related.get(feed).map_or(&[][..], Vec::as_slice);
        Ok(Content { automation, template, product, related })
    }

    /// Returns what the recipient waits for besides, if the template shows it.
    pub(crate) async fn other_wishes(&self, subscription: &Subscription, template: &Template) -> Vec<Product> {
        if !template.shows_other_wishes() {
            return Vec::new();
        }
        let Subscription { contact_id, sku, locale, .. } = subscription;
        let read = self.store.other_wishes(*contact_id, sku, locale, (self.settings.clock)());
        read_or_leave_out(sku, "what the recipient also waits for", read).await
    }

    /// Returns other products of each product's feed.
    pub(crate) async fn related(&self, products: &HashMap<(String, Sku), Product>) -> HashMap<String, Vec<Product>> {
        let each = products.iter().map(|((feed, sku), product)| async move {
            let read = self.store.related(feed, product);
            (feed.clone(), read_or_leave_out(sku, "other products of the feed", read).await)
        });
        join_all(each).await.into_iter().collect()
    }
}

/// Returns what a mail shows besides, or nothing if it can't be read soon: the mail is worth more than that part of it.
async fn read_or_leave_out(
    sku: &Sku,
    what: &str,
    read: impl Future<Output = Result<Vec<Product>, restock_store::Error>>,
) -> Vec<Product> {
    match tokio::time::timeout(MAX_READING, read).await {
        Ok(Ok(products)) => return products,
        Ok(Err(error)) => {
            let error = DisplayErrorChain::new(&error);
            warn!(%sku, %error, "A mail leaves out {what}");
        }
        Err(_) => warn!(%sku, "A mail leaves out {what}, as reading took too long"),
    }
    Vec::new()
}
