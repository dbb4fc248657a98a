//! Subscriptions: who waits for what.

use crate::{HtmlPage, IdReply, KeyScope, Moment, answer, body, endpoints};
use restock_domain::{ContactId, ExternalId, Locale, Sku};

/// The header of an answer with a link that ends the subscription, for the shop's own confirmation page or mail.
pub const UNSUBSCRIBE_URL: &str = "unsubscribe-url";

const READ: Option<KeyScope> = Some(KeyScope::ReadSubscriptions);
const WRITE: Option<KeyScope> = Some(KeyScope::WriteSubscriptions);

endpoints! {
    /// Subscribe a contact to a SKU
    Subscribe("subscribe"): Post "/inventory/backinstock/subscriptions", "create-subscription", WRITE,
        NewSubscription => 201 Subscription, "The subscription; the same call again answers with the same one.",
        |operation| operation
            .header::<Subscribe>(UNSUBSCRIBE_URL, "A link that ends this subscription.")
            .problem(404, "There is no such contact.");

    /// End a subscription
    Unsubscribe("unsubscribe"):
        Delete "/inventory/backinstock/subscriptions/{subscriptionId}", "delete-subscription", WRITE,
        () => 200 IdReply, "It is ended.",
        |operation| operation.problem(404, "There is no such subscription.");

    /// What a contact waits for
    ListSubscriptions("listSubscriptions"):
        Get "/contacts/{contactId}/backinstock/subscriptions", "list-subscriptions", READ,
        () => 200 Vec<Subscription>, "Its subscriptions, oldest first.";

    /// A page with a button; changes nothing
    AskToUnsubscribe("askToUnsubscribe"): Get at "" "/unsubscribe/{token}", "unsubscribe", None,
        () => 200 HtmlPage, "The question.",
        |operation| operation.page(404, "The link does not work.");

    /// One-click unsubscribe (RFC 8058)
    ConfirmUnsubscribe("confirmUnsubscribe"): Post at "" "/unsubscribe/{token}", "unsubscribe", None,
        () => 200 HtmlPage, "It is done.",
        |operation| operation.page(404, "The link does not work.");
}

body! {
    #[derive(Debug)]
    pub struct NewSubscription {
        pub contact_id: ContactId,
        pub sku: Sku,
        pub locale: Locale,
        pub external_id: Option<ExternalId>,
    }
}

answer! {
    /// A contact that waits for a SKU.
    #[derive(Debug)]
    pub struct Subscription {
        pub id: String,
        pub contact_id: ContactId,
        pub sku: Sku,
        pub locale: Locale,
        pub external_id: Option<ExternalId>,
        pub created_on: Moment,
    }
}

impl From<restock_domain::Subscription> for Subscription {
    fn from(subscription: restock_domain::Subscription) -> Self {
        let id = subscription.id().to_string();
        let restock_domain::Subscription { contact_id, sku, locale, external_id, created_on, delivery: _ } =
            subscription;
        Self { id, contact_id, sku, locale, external_id, created_on: Moment(created_on) }
    }
}
