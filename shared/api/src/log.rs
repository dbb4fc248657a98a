//! The integration log, and what shoppers wait for.

use crate::schema::{Described, Schemas, WholeNumber, words};
use crate::values::ExportedTime;
use crate::{KeyScope, Moment, answer, endpoints};
use restock_domain::automation::AutomationTally;
use restock_domain::delivery::Milestone;
use restock_domain::{Automation, AutomationId, ExternalId, Locale, Refusal, Skip, Sku, Source, TemplateId};
use std::collections::BTreeMap;
use strum::IntoEnumIterator;
use utoipa::openapi::{RefOr, Schema};

/// Entries to a page, and SKUs to an answer about demand, unless the caller says otherwise.
pub const DEFAULT_LIMIT: usize = 50;
pub const MAX_ENTRIES: usize = 100;
pub const MAX_SKUS: usize = 1_000;

const READ: Option<KeyScope> = Some(KeyScope::ReadLog);

endpoints! {
    /// The outcome of each stock level that found subscribers
    ReadLog("readLog"): Get "/inventory/backinstock/log" ? {
            "sku": Option<Sku>, "Only of this SKU.";
            "locale": Option<Locale>, "Only levels that carried this locale.";
            "automation": Option<AutomationId>, "Only levels that this automation was asked about.";
            "outcome": Option<Outcome>, "`sent`, `refused`, or a word of `skipped` or `mails`.";
            "from": Option<ExportedTime>, "At this time or later; a date is its beginning in UTC.";
            "to": Option<ExportedTime>, "Before this time.";
            "limit": Option<WholeNumber<1, MAX_ENTRIES>>, "Entries to a page, 50 by default.";
            "cursor": Option<String>, "Of the page before.";
        }, "read-log", READ,
        () => 200 LogPage, "A page, newest first.";

    /// Count what shoppers wait for most
    ShowDemand("showDemand"): Get "/inventory/backinstock/demand" ? {
            "locale": Option<Locale>, "Only subscriptions of this locale.";
            "limit": Option<WholeNumber<1, MAX_SKUS>>, "How many SKUs, 50 by default.";
        }, "show-demand", READ,
        () => 200 Demand, "The most wanted SKUs first.";
}

/// A word that the log can be filtered by.
pub struct Outcome;

impl Outcome {
    /// Returns every outcome that there is.
    pub fn all() -> impl Iterator<Item = &'static str> {
        let words = Milestone::iter().map(Milestone::as_str).chain(Skip::iter().map(Skip::as_str));
        ["sent", "refused", "unknown"].into_iter().chain(words)
    }
}

impl Described for Outcome {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        words(Self::all())
    }
}

answer! {
    /// A page of the log.
    #[derive(Debug)]
    pub struct LogPage {
        pub entries: Vec<LogEntry>,
        /// Gets the next page; the last one has none.
        pub cursor: Option<String>,
    }
}

answer! {
    /// The outcome of a stock level.
    #[derive(Debug)]
    pub struct LogEntry {
        /// When the level was received.
        pub at: Moment,
        pub source: Source,
        pub sku: Sku,
        pub locale: Option<Locale>,
        pub external_id: Option<ExternalId>,
        pub quantity: i64,
        /// How many subscriptions the level triggered.
        pub matched: u64,
        /// Of these, how many the level did not find when it came, but the daily sweep after it.
        pub late_finds: u64,
        /// Subscriptions that no automation took, by reason.
        pub skipped: BTreeMap<String, u64>,
        /// Each automation that was asked, in the order of asking.
        pub automations: Vec<ExplainedTally>,
        /// How the mails went, by outcome: `accepted`, `failed`, or why one was not sent after all.
        pub mails: BTreeMap<String, i64>,
        /// How many mails were sent with each template.
        pub templates: Vec<TemplateMails>,
        /// How many mails were sent to whom each automation chose, when the level came or, where mails leave in waves,
        /// when their turn came.
        pub mailed_by: Vec<AutomationMails>,
        /// True if the counts may be off by a few, as the log did not say whether it took one of them.
        pub mails_estimated: bool,
    }
}

impl LogEntry {
    /// Shows an entry with what the automations decided.
    pub fn of(entry: restock_domain::LogEntry, automations: Vec<ExplainedTally>) -> Self {
        let restock_domain::LogEntry { source, sku, locale, external_id, quantity, tally, .. } = entry;
        let restock_domain::LogEntry { mails, templates, mailed_by, .. } = entry;
        Self {
            at: Moment(entry.at),
            source,
            sku,
            locale,
            external_id,
            quantity,
            matched: tally.matched,
            late_finds: entry.late_finds,
            skipped: tally.skipped,
            automations,
            mails,
            templates: templates
                .into_iter()
                .map(|((id, version), mails)| TemplateMails { id, version, mails })
                .collect(),
            mailed_by: mailed_by
                .into_iter()
                .map(|((id, version), mails)| AutomationMails { id, version, mails })
                .collect(),
            mails_estimated: entry.mails_estimated,
        }
    }
}

answer! {
    /// The mails that were sent with one version of a template; `GET /templates/{id}?version=` shows it.
    #[derive(Debug)]
    pub struct TemplateMails {
        pub id: TemplateId,
        pub version: u64,
        pub mails: i64,
    }
}

answer! {
    /// The mails of those whom one version of an automation chose; `GET /automations/{id}?version=` shows it.
    #[derive(Debug)]
    pub struct AutomationMails {
        pub id: AutomationId,
        pub version: u64,
        pub mails: i64,
    }
}

answer! {
    /// What one version of an automation decided, for a reader who does not have the automation at hand.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ExplainedTally {
        pub id: AutomationId,
        /// The version that decided; `GET /automations/{id}?version=` shows it.
        pub version: u64,
        pub name: String,
        /// How many it chose when the level came.
        pub sent: u64,
        pub refused: u64,
        /// Of those refused, how many because the contact does not accept email.
        pub no_consent: u64,
        /// Conditions that refused somebody. One subscription may be refused by several.
        pub conditions: Vec<ConditionTally>,
    }
}

answer! {
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ConditionTally {
        /// A JSON pointer into the automation.
        pub pointer: String,
        /// The condition in words.
        pub condition: String,
        pub refused: u64,
    }
}

impl ExplainedTally {
    /// Explains a tally with the automation as it was in the version that decided.
    pub fn of(tally: &AutomationTally, automation: &Automation) -> Self {
        let conditions = tally.conditions.iter().map(|(index, refused)| {
            let NamedCondition { pointer, condition } = NamedCondition::of(automation, *index);
            ConditionTally { pointer, condition, refused: *refused }
        });
        Self {
            id: tally.id.clone(),
            version: tally.version,
            name: automation.name.clone(),
            sent: tally.sent,
            refused: tally.refused,
            no_consent: tally.no_consent,
            conditions: conditions.collect(),
        }
    }
}

answer! {
    /// Why one automation did not accept a subscription.
    #[derive(Debug)]
    pub struct ExplainedRefusal {
        pub id: AutomationId,
        pub version: u64,
        /// The contact does not accept email, and the automation asks for that.
        pub no_consent: bool,
        /// Conditions that don't hold.
        pub conditions: Vec<NamedCondition>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct NamedCondition {
        /// A JSON pointer into the automation.
        pub pointer: String,
        /// The condition in words.
        pub condition: String,
    }
}

impl NamedCondition {
    /// Names the condition of an automation that is at this place.
    pub fn of(automation: &Automation, index: usize) -> Self {
        Self { pointer: format!("/conditions/{index}"), condition: automation.condition_in_words(index) }
    }
}

impl From<&Refusal<'_>> for ExplainedRefusal {
    fn from(refusal: &Refusal<'_>) -> Self {
        let conditions = refusal.conditions.iter().map(|index| NamedCondition::of(refusal.automation, *index));
        Self {
            id: refusal.automation.id.clone(),
            version: refusal.automation.version,
            no_consent: refusal.no_consent,
            conditions: conditions.collect(),
        }
    }
}

answer! {
    /// What shoppers wait for most.
    #[derive(Debug)]
    pub struct Demand {
        /// A subscription of the last second may be missing.
        pub counted_on: Moment,
        /// False if the time was not enough to count every subscription; with millions of them it may not be.
        pub complete: bool,
        /// All SKUs that somebody waits for; those shown are the first.
        pub total_skus: usize,
        pub skus: Vec<Wanted>,
    }
}

answer! {
    /// The subscribers who wait for one SKU.
    #[derive(Debug)]
    pub struct Wanted {
        pub sku: Sku,
        /// Subscriptions.
        pub waiting: u64,
        /// When the first of them subscribed.
        pub oldest: Moment,
        /// The same by locale, such as `sv-SE`.
        pub locales: BTreeMap<String, Waiters>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct Waiters {
        /// Subscriptions.
        pub waiting: u64,
        /// When the first of them subscribed.
        pub oldest: Moment,
    }
}

impl From<restock_domain::Wanted> for Wanted {
    fn from(wanted: restock_domain::Wanted) -> Self {
        let restock_domain::Wanted { sku, all, locales } = wanted;
        let waiters =
            |waiters: restock_domain::Waiters| Waiters { waiting: waiters.waiting, oldest: Moment(waiters.oldest) };
        let locales = locales.into_iter().map(|(locale, of)| (locale, waiters(of))).collect();
        Self { sku, waiting: all.waiting, oldest: Moment(all.oldest), locales }
    }
}
