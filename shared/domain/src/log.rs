//! Entries of the integration log, and counts of demand.

use crate::automation::Tally;
use crate::{AutomationId, ExternalId, Locale, Sku, Source, TemplateId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The outcome of one stock level that found subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// When the level was received.
    pub at: Timestamp,
    pub source: Source,
    pub sku: Sku,
    pub locale: Option<Locale>,
    pub external_id: Option<ExternalId>,
    pub quantity: i64,
    /// What was decided.
    pub tally: Tally,
    /// Of those matched, how many the level did not find when it came, but a later sweep.
    pub late_finds: u64,
    /// How the mails went, by outcome: `accepted`, `failed`, or why one was not sent after all.
    pub mails: BTreeMap<String, i64>,
    /// How many mails were sent with each template, by its version.
    pub templates: BTreeMap<(TemplateId, u64), i64>,
    /// How many mails were sent to whom each version of an automation chose, when the level came or at a wave's tick.
    pub mailed_by: BTreeMap<(AutomationId, u64), i64>,
    /// True if the counts may be off by a few.
    pub mails_estimated: bool,
}

/// The subscribers who wait for one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub sku: Sku,
    pub all: Waiters,
    /// By locale, such as `sv-SE`.
    pub locales: BTreeMap<String, Waiters>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiters {
    /// Subscriptions.
    pub waiting: u64,
    /// When the first of them subscribed.
    pub oldest: Timestamp,
}
