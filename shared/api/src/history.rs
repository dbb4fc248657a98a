//! Histories: what happened to those who subscribed, and why.

use crate::log::ExplainedRefusal;
use crate::schema::{Described, Schemas, WholeNumber, words};
use crate::subscriptions::Subscription;
use crate::{KeyScope, Moment, answer, endpoints};
use restock_domain::{AutomationId, ExternalId, Locale, Sku, Source, TemplateId};
use serde::Serialize;
use strum::{EnumIter, IntoEnumIterator, IntoStaticStr, VariantNames};
use utoipa::openapi::{RefOr, Schema};

/// Entries to a page, unless the caller says otherwise.
pub const DEFAULT_ENTRIES: usize = 20;
pub const MAX_ENTRIES: usize = 50;

const READ: Option<KeyScope> = Some(KeyScope::ReadContacts);

endpoints! {
    /// Tell what happened to a subscription, and why
    ShowSubscriptionHistory("showSubscriptionHistory"):
        Get "/inventory/backinstock/subscriptions/{subscriptionId}/history" ? {
            "limit": Option<WholeNumber<1, MAX_ENTRIES>>, "Entries to a page, 20 by default.";
            "cursor": Option<String>, "Of the page before.";
        }, "show-history", READ,
        () => 200 History, "A page, newest first. A subscription that was used up has its history for as long as the log is kept.",
        |operation| operation.problem(404, "There is no such subscription, and none was used up.");

    /// Tell what happened to a contact's subscriptions, and why
    ShowContactHistory("showContactHistory"): Get "/contacts/{contactId}/history" ? {
            "limit": Option<WholeNumber<1, MAX_ENTRIES>>, "Entries to a page, 20 by default.";
            "cursor": Option<String>, "Of the page before.";
        }, "show-history", READ,
        () => 200 History, "A page, newest first. Subscriptions that somebody ended are not in it.",
        |operation| operation.problem(404, "There is no such contact.");
}

answer! {
    /// What happened, newest first, and what the contact still waits for.
    #[derive(Debug)]
    pub struct History {
        /// Subscriptions that wait, the newest first, at most 20, and why no mail has come; on the first page.
        pub waiting: Vec<StillWaiting>,
        pub entries: Vec<HistoryEntry>,
        /// Gets the next page; the last one has none. A page may have fewer entries than were asked for, or none, and
        /// still have a next one.
        pub cursor: Option<String>,
    }
}

answer! {
    /// A subscription that waits.
    #[derive(Debug)]
    pub struct StillWaiting {
        pub subscription: Subscription,
        /// Why no mail has come, in a sentence.
        pub text: String,
    }
}

answer! {
    /// Something that happened to a subscription, as it was then.
    #[derive(Debug)]
    pub struct HistoryEntry {
        /// When it happened. For what a stock level brought about: when the level was received.
        pub at: Moment,
        pub event: Event,
        /// What happened, in a sentence.
        pub text: String,
        pub subscription_id: String,
        pub sku: Sku,
        pub locale: Locale,
        pub external_id: Option<ExternalId>,
        /// The stock level that brought it about.
        pub level: Option<LevelThen>,
        /// The automation that chose the subscription then. Of a mail, the one that chose it when its turn came.
        pub automation: Option<AutomationThen>,
        /// Why automations that were asked before did not take it.
        pub refusals: Vec<ExplainedRefusal>,
        /// Why there was no mail, as a word of the log.
        pub reason: Option<&'static str>,
        /// The place in line for a wave: among those of the same locale, or of the external id that the level named.
        pub place: Option<u64>,
        /// What kept the mail from leaving then, whoever it was for.
        pub held_back: Option<HeldBackThen>,
        /// The template of the mail.
        pub template: Option<TemplateThen>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct LevelThen {
        pub received_on: Moment,
        pub source: Source,
        pub quantity: i64,
        pub locale: Option<Locale>,
        pub external_id: Option<ExternalId>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct AutomationThen {
        pub id: AutomationId,
        /// `GET /automations/{id}?version=` shows it.
        pub version: u64,
    }
}

answer! {
    #[derive(Debug)]
    pub struct HeldBackThen {
        pub by: HeldBackBy,
        /// When that was to end. A pause and a hold end when somebody ends them.
        pub until: Option<Moment>,
    }
}

/// What kept a mail from leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, VariantNames)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum HeldBackBy {
    /// All sending was paused.
    Pause,
    /// The SKU was held.
    Hold,
    /// The stock had to be at least the minimum for a while first.
    HoldDown,
    QuietHours,
}

impl Described for HeldBackBy {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        words(Self::VARIANTS.iter().copied())
    }
}

answer! {
    #[derive(Debug)]
    pub struct TemplateThen {
        pub id: TemplateId,
        /// `GET /templates/{id}?version=` shows it.
        pub version: u64,
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumIter, IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum Event {
    Subscribed,
    /// An automation took it, so a mail was to leave.
    Taken,
    /// An automation took it, and it waited for a wave.
    WaitedInLine,
    /// A level came, and nothing took it; `reason` and `refusals` say why.
    Skipped,
    /// A level came, and what was decided is not known: it still is being decided, or could not be written down.
    Undecided,
    /// The mail was not sent after all; `reason` says why.
    NotSent,
    Sent,
    Delivered,
    Bounced,
    Complained,
    /// The mail service permanently refused the mail.
    Failed,
    Rejected,
    NotRendered,
}

impl serde::Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.into())
    }
}

impl Described for Event {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        words(Self::iter().map(<&'static str>::from))
    }
}
