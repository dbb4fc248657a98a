//! Something that happened to a subscription, and how the API shows it.

use crate::sentences;
use crate::what::{Automations, What, skipped, template_of};
use jiff::Timestamp;
use restock_api::Moment;
use restock_api::history::{AutomationThen, Event, HeldBackBy, HeldBackThen, HistoryEntry, LevelThen, TemplateThen};
use restock_domain::automation::VerdictOutcome;
use restock_domain::delivery::Milestone;
use restock_domain::{HeldBack, LogEntry, Skip, Subscription, TemplateId, time};
use restock_store::LogKey;

/// Something that happened to a subscription.
pub struct Happened<'a> {
    subscription: &'a Subscription,
    at: Timestamp,
    pub what: What<'a>,
    /// The log entry of the level that brought it about.
    entry: Option<String>,
}

/// Returns true if a text may be a position in a history.
pub fn is_position(text: &str) -> bool {
    text.split('#').next().is_some_and(|at| at.parse::<Timestamp>().is_ok())
}

/// Returns the log entry that a position is in, or the time that it begins with if it is in none.
pub fn entry_of(position: &str) -> &str {
    // What follows on it are the event and the delivery; a bare entry has neither.
    position.rsplitn(3, '#').nth(2).unwrap_or(position)
}

impl<'a> Happened<'a> {
    pub fn new(subscription: &'a Subscription, at: Timestamp, what: What<'a>) -> Self {
        Self { subscription, at, what, entry: None }
    }

    /// Returns something that a level brought about.
    pub fn by_level(subscription: &'a Subscription, key: &LogKey, level: &LogEntry, what: What<'a>) -> Self {
        Self { subscription, at: level.at, what, entry: Some(key.entry.clone()) }
    }

    /// Returns what all that happened to a contact is sorted by: the time, or the entry of the level, which begins with
    /// it; no two have the same.
    pub fn position(&self) -> String {
        let begin = self.entry.clone().unwrap_or_else(|| time::sortable(self.at));
        format!("{begin}#{:02}#{}", self.event() as u8, self.subscription.delivery)
    }

    /// Returns true if a level let it wait for a wave.
    pub fn is_in_line(&self) -> bool {
        self.event() == Event::WaitedInLine
    }

    fn event(&self) -> Event {
        match &self.what {
            What::Subscribed => Event::Subscribed,
            What::Decided { verdict, .. } => match verdict.outcome {
                VerdictOutcome::Taken(..) => Event::Taken,
                VerdictOutcome::InLine(..) => Event::WaitedInLine,
                VerdictOutcome::Skipped(_) => Event::Skipped,
            },
            What::Undecided(_) => Event::Undecided,
            What::NotSent(..) => Event::NotSent,
            What::Reached(milestone, _) => match milestone {
                Milestone::Accepted => Event::Sent,
                Milestone::Failed => Event::Failed,
                Milestone::Delivered => Event::Delivered,
                Milestone::Bounced => Event::Bounced,
                Milestone::Complained => Event::Complained,
                Milestone::Rejected => Event::Rejected,
                Milestone::NotRendered => Event::NotRendered,
            },
        }
    }

    /// Returns the entry of the API.
    pub fn entry(&self, automations: &Automations) -> HistoryEntry {
        let subscription = self.subscription;
        let level = match &self.what {
            What::Decided { level, .. } | What::Undecided(level) | What::NotSent(level, _) => Some(LevelThen {
                received_on: Moment(level.at),
                source: level.source,
                quantity: level.quantity,
                locale: level.locale.clone(),
                external_id: level.external_id.clone(),
            }),
            What::Subscribed | What::Reached(..) => None,
        };
        let (skip, refusals, place) = match &self.what {
            What::Decided { verdict, place, .. } => (skipped(verdict), verdict.refusals.as_slice(), *place),
            What::NotSent(_, verdict) => (skipped(verdict), verdict.refusals.as_slice(), None),
            What::Subscribed | What::Undecided(_) | What::Reached(..) => (None, [].as_slice(), None),
        };
        HistoryEntry {
            at: Moment(self.at),
            event: self.event(),
            text: sentences::of(subscription, &self.what, automations),
            subscription_id: subscription.id().to_string(),
            sku: subscription.sku.clone(),
            locale: subscription.locale.clone(),
            external_id: subscription.external_id.clone(),
            level,
            automation: self.what.chosen_by().map(|(id, version)| AutomationThen { id, version }),
            refusals: refusals.iter().map(|refusal| automations.explain(refusal)).collect(),
            reason: skip.map(Skip::as_str),
            place: place.map(u64::from),
            held_back: self.held_back(),
            template: self.template().map(|(id, version)| TemplateThen { id, version }),
        }
    }

    fn held_back(&self) -> Option<HeldBackThen> {
        let What::Decided { verdict, .. } = &self.what else { return None };
        let (by, until) = match verdict.held_back? {
            HeldBack::Pause => (HeldBackBy::Pause, None),
            HeldBack::Hold => (HeldBackBy::Hold, None),
            HeldBack::HoldDown(until) => (HeldBackBy::HoldDown, Some(until)),
            HeldBack::QuietHours(until) => (HeldBackBy::QuietHours, Some(until)),
        };
        Some(HeldBackThen { by, until: until.map(Moment) })
    }

    fn template(&self) -> Option<(TemplateId, u64)> {
        let What::Reached(Milestone::Accepted, record) = &self.what else { return None };
        template_of(record)
    }
}
