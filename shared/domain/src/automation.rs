use crate::{Contact, Product, Subscription};
use serde::{Deserialize, Serialize};

/// What is done with a triggered subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Automation {
    pub id: String,
    pub name: String,
    pub enabled: bool,
    /// Whether a contact that does not accept email (`acceptsEmail` is false) is left out.
    pub requires_consent: bool,
}

impl Default for Automation {
    /// The automation that is on from the start: no conditions, the compiled-in email.
    fn default() -> Self {
        Self { id: "default".into(), name: "Back in stock".into(), enabled: true, requires_consent: true }
    }
}

/// Everything a decision about one subscription looks at.
pub struct Candidate<'a> {
    pub subscription: &'a Subscription,
    pub feed_configured: bool,
    pub product: Option<&'a Product>,
    pub contact: Option<&'a Contact>,
}

/// Why a triggered subscription was not sent to an automation. It stays and is tried again at the next level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Skip {
    /// No product feed is configured for the subscription's locale.
    NoFeed,
    /// The locale's feed has no such SKU; out-of-stock products stay in a feed, so this is an error to look into.
    NoProductData,
    ContactGone,
    /// Mail to the address bounced for good, or its owner complained.
    Suppressed,
    Unsubscribed,
    NoConsent,
    /// No automation is on, or none accepts it.
    NoAutomation,
    /// Was in stock when the level was matched, and no more when the mail was about to leave.
    SoldOutAgain,
    /// Was used up, deleted, or deleted and made anew since it was matched.
    SubscriptionGone,
}

impl Skip {
    /// The word of the integration log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoFeed => "noFeed",
            Self::NoProductData => "noProductData",
            Self::ContactGone => "contactGone",
            Self::Suppressed => "suppressed",
            Self::Unsubscribed => "unsubscribed",
            Self::NoConsent => "noConsent",
            Self::NoAutomation => "noAutomation",
            Self::SoldOutAgain => "soldOutAgain",
            Self::SubscriptionGone => "subscriptionGone",
        }
    }
}

/// Finds the automation that a triggered subscription goes to: the preconditions of `contract.md` first, then the
/// automations in the order of their priority.
pub fn decide<'a>(candidate: &Candidate<'_>, automations: &'a [Automation]) -> Result<&'a Automation, Skip> {
    if !candidate.feed_configured {
        return Err(Skip::NoFeed);
    }
    if candidate.product.is_none() {
        return Err(Skip::NoProductData);
    }
    let contact = candidate.contact.ok_or(Skip::ContactGone)?;
    let mut refusal = Skip::NoAutomation;
    for automation in automations.iter().filter(|automation| automation.enabled) {
        match contact.refusal(automation.requires_consent) {
            None => return Ok(automation),
            Some(why) => refusal = why,
        }
    }
    Err(refusal)
}
