use strum::{EnumIter, EnumString, IntoStaticStr};

/// Why a triggered subscription was not mailed. It stays and is tried again at the next level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum Skip {
    /// No product feed is configured for the subscription's locale.
    NoFeed,
    /// The locale's feed has no such SKU; out-of-stock products stay in a feed, so this is an error to look into.
    NoProductData,
    ContactGone,
    /// Mail to the address permanently bounced, or its owner complained.
    Suppressed,
    Unsubscribed,
    /// An automation would have accepted it if the contact accepted email.
    NoConsent,
    /// No automation is on, or none accepts it.
    NoAutomation,
    /// The stock is below the minimum of the policy for waves that bounds the automation's mails.
    BelowMinimum,
    /// That policy asks for a restock, and the stock has not been below its minimum since the shopper subscribed.
    NotRestocked,
    /// The automation that accepted it was switched off or deleted before the mail left.
    AutomationOff,
    /// Was in stock when the level was matched, and no more when the mail was about to leave.
    SoldOutAgain,
    /// Was used up, deleted, or deleted and made again since it was matched.
    SubscriptionGone,
    /// Another subscription of the contact was mailed for this level, which used this one up too.
    SameContact,
    /// The contact was mailed for this level before it subscribed again. It waits for the next level.
    AlreadyMailed,
}

impl Skip {
    /// Returns the word of the integration log.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
