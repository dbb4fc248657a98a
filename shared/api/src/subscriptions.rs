//! Subscriptions: who waits for what.

use crate::schema::{Described, Schemas, WholeNumber, words};
use crate::{HtmlPage, IdReply, KeyScope, Moment, answer, body, endpoints};
use restock_domain::{ContactId, ExternalId, Locale, MAX_SUBSCRIPTIONS, Obstacle, Outlook, Sku};
use strum::IntoEnumIterator;
use utoipa::openapi::{RefOr, Schema};

/// The header of an answer with a link that ends the subscription, for the shop's own confirmation page or mail.
pub const UNSUBSCRIBE_URL: &str = "unsubscribe-url";

/// The header of an answer with the cursor of the next page.
pub const NEXT_CURSOR: &str = "next-cursor";
/// From how many others ahead on only a bound is told.
pub const MAX_AHEAD: usize = 1_000;
/// Subscriptions of a list that has their places.
pub const MAX_PLACES: usize = 20;
/// Subscriptions to a page: 250 KB of the 6 MB that Lambda answers.
pub const MAX_LISTED: usize = 1_000;

const READ: Option<KeyScope> = Some(KeyScope::ReadSubscriptions);
const WRITE: Option<KeyScope> = Some(KeyScope::WriteSubscriptions);

endpoints! {
    /// Subscribe a contact to a SKU
    Subscribe("subscribe"): Post "/inventory/backinstock/subscriptions", "create-subscription", WRITE,
        NewSubscription => 201 Subscribed, "The subscription; the same call again answers with the same one.",
        |operation| operation
            .header(UNSUBSCRIBE_URL, "A link that ends this subscription.")
            .problem(404, "There is no such contact.")
            .problem(409, &format!("The contact has {MAX_SUBSCRIPTIONS} subscriptions or more, and this is none of them."));

    /// End a subscription
    Unsubscribe("unsubscribe"):
        Delete "/inventory/backinstock/subscriptions/{subscriptionId}", "delete-subscription", WRITE,
        () => 200 IdReply, "It is ended.",
        |operation| operation.problem(404, "There is no such subscription.");

    /// List the subscriptions of a contact
    ListSubscriptions("listSubscriptions"):
        Get "/contacts/{contactId}/backinstock/subscriptions" ? {
            "limit": Option<WholeNumber<1, MAX_LISTED>>, "Subscriptions to a page, 1,000 by default.";
            "cursor": Option<String>, "The `next-cursor` of the page before.";
        }, "list-subscriptions", READ,
        () => 200 Vec<Subscription>, "Its subscriptions, oldest first.",
        |operation| operation
            .header(NEXT_CURSOR, "Gets the next page; the last one has none.");

    /// A page with a button; changes nothing
    AskToUnsubscribe("askToUnsubscribe"): Get at "" "/unsubscribe/{token}"
        ? { "lang": Option<String>, "The locale of the page, English by default."; }, "unsubscribe", None,
        () => 200 HtmlPage, "The question.",
        |operation| operation.page(404, "The link does not work.");

    /// Check that the link is one of ours; changes nothing
    CheckUnsubscribe("checkUnsubscribe"): Head at "" "/unsubscribe/{token}"
        ? { "lang": Option<String>, "The locale of the page, English by default."; }, "unsubscribe", None,
        () => 200 HtmlPage, "It works.",
        |operation| operation.page(404, "The link does not work.");

    /// One-click unsubscribe (RFC 8058)
    ConfirmUnsubscribe("confirmUnsubscribe"): Post at "" "/unsubscribe/{token}"
        ? { "lang": Option<String>, "The locale of the page, English by default."; }, "unsubscribe", None,
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
        /// When it ends without a mail; missing if it waits for as long as it takes.
        pub expires_on: Option<Moment>,
        /// How many of its locale asked for the SKU before and still wait, whatever automations ask for; 1,000 stands
        /// for 1,000 or more. Shown if the parameter `ShowPlaces` of the deployment says so, and the list has at most
        /// 20.
        pub ahead: Option<u64>,
        /// The place in line, one more than `ahead`.
        pub position: Option<u64>,
    }
}

answer! {
    /// A contact that waits for a SKU, and whether a mail can come.
    #[derive(Debug)]
    pub struct Subscribed {
        pub id: String,
        pub contact_id: ContactId,
        pub sku: Sku,
        pub locale: Locale,
        pub external_id: Option<ExternalId>,
        pub created_on: Moment,
        /// When it ends without a mail; subscribing again puts that off. Missing if it waits for as long as it takes.
        pub expires_on: Option<Moment>,
        /// How many of its locale asked for the SKU before and still wait, whatever automations ask for; 1,000 stands
        /// for 1,000 or more. Shown if the parameter `ShowPlaces` of the deployment says so.
        pub ahead: Option<u64>,
        /// The place in line, one more than `ahead`.
        pub position: Option<u64>,
        /// The locale whose feed serves it, if that is another one: `nb-NO` for `no`.
        pub feed_locale: Option<Locale>,
        /// False if something stands in the way of a mail now; what automations ask for is not looked at. The
        /// subscription waits all the same.
        pub can_be_mailed: bool,
        /// What stands in the way. Missing if all of it is about the contact and the key lacks `read-contacts`.
        pub reason: Option<Reason>,
        /// What can be done about it.
        pub advice: Option<String>,
    }
}

/// What stands in the way of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason(Obstacle);

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl Described for Reason {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        words(Obstacle::iter().map(Obstacle::as_str))
    }
}

impl Subscribed {
    /// Says what stands in the way of a subscription's mail, as far as the caller may know it.
    pub fn of(subscription: restock_domain::Subscription, outlook: &Outlook, may_see_contact: bool) -> Self {
        let obstacles = outlook.obstacles(&subscription);
        let shown = obstacles.iter().copied().find(|obstacle| may_see_contact || !obstacle.is_personal());
        let feed_locale = outlook.feed.clone().filter(|feed| *feed != subscription.locale);
        let Subscription { id, contact_id, sku, locale, external_id, created_on, expires_on, .. } = subscription.into();
        Self {
            id,
            contact_id,
            sku,
            locale,
            external_id,
            created_on,
            expires_on,
            ahead: None,
            position: None,
            feed_locale,
            can_be_mailed: obstacles.is_empty(),
            reason: shown.map(Reason),
            advice: shown.map(|obstacle| advice(obstacle).to_owned()),
        }
    }
}

fn advice(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Suppressed => {
            "Mail to this address bounced, or its owner complained, so it gets none. Ask for another address and change the contact's email."
        }
        Obstacle::Unsubscribed => {
            "The contact unsubscribed from all mail. If the shopper asks for mail again, PATCH the contact with acceptsEmail: true."
        }
        Obstacle::NoConsent => {
            "The contact does not accept email, which the automations ask for. If the shopper asks for mail, PATCH the contact with acceptsEmail: true."
        }
        Obstacle::NoFeed => {
            "No product feed serves this locale. Configure one with PUT /feeds/{locale}, and import it."
        }
        Obstacle::NoProductData => {
            "The feed of this locale has no such SKU. Check the spelling of the SKU, or import the feed again."
        }
        Obstacle::InStock => "It is in stock already. The mail comes with the next positive stock level.",
    }
}

impl From<restock_domain::Subscription> for Subscription {
    fn from(subscription: restock_domain::Subscription) -> Self {
        let id = subscription.id().to_string();
        let restock_domain::Subscription { contact_id, sku, locale, external_id, created_on, expires_on, .. } =
            subscription;
        let (created_on, expires_on) = (Moment(created_on), expires_on.map(Moment));
        Self { id, contact_id, sku, locale, external_id, created_on, expires_on, ahead: None, position: None }
    }
}
