use jiff::Timestamp;
use restock_domain::delivery::{Claim, Outcome};
use restock_domain::{Automation, Brands, Contact, Product, SendQuota, Subscription, Template};
use std::pin::Pin;

/// The subject of one mail: who gets it, and about which product.
#[derive(Clone, Copy)]
pub struct Mail<'a> {
    pub subscription: &'a Subscription,
    pub contact: &'a Contact,
    pub product: &'a Product,
    /// The automation that accepted the subscription.
    pub automation: &'a Automation,
    /// The one that the automation names.
    pub template: &'a Template,
    /// What the recipient waits for besides, if the template shows it.
    pub also_waiting: &'a [Product],
    /// Other products of the feed, if the template shows them.
    pub related: &'a [Product],
    pub brands: &'a Brands,
    /// What names in the logs the call or message that the mail follows from.
    pub correlation: &'a str,
    pub now: Timestamp,
}

/// A mail that SES was asked to send.
pub struct Sent {
    pub outcome: Outcome,
    /// The tag of the template that it was made of: the default one stands in for one that can't show the product.
    pub template: String,
}

/// Sends mails.
pub trait Mailer: Send + Sync {
    /// Sends one. Whoever asks for it holds the claim on the delivery.
    fn send<'a>(&'a self, claim: &'a Claim, mail: Mail<'a>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>>;

    /// Asks how many mails the account may send; `None` if SES does not say.
    fn quota(&self) -> Pin<Box<dyn Future<Output = Option<SendQuota>> + Send + '_>>;
}
