//! What may happen to a subscription.

use restock_api::log::{ExplainedRefusal, NamedCondition};
use restock_domain::automation::{RefusedBy, Verdict, VerdictOutcome};
use restock_domain::delivery::{Milestone, Record};
use restock_domain::mail_count;
use restock_domain::{Automation, AutomationId, LogEntry, Skip, TemplateId};
use restock_store::{Error, Store};
use std::collections::HashMap;

pub enum What<'a> {
    Subscribed,
    Decided { level: LogEntry, verdict: Verdict, place: Option<u32> },
    Undecided(LogEntry),
    NotSent(LogEntry, Verdict),
    Reached(Milestone, &'a Record),
}

/// Versions of automations that decided.
pub struct Automations(HashMap<(AutomationId, u64), Automation>);

impl What<'_> {
    /// Returns the version of the automation that chose the subscription: at a level, or for a mail.
    pub fn chosen_by(&self) -> Option<(AutomationId, u64)> {
        match self {
            Self::Decided { verdict, .. } => match &verdict.outcome {
                VerdictOutcome::Taken(id, version) | VerdictOutcome::InLine(id, version) => {
                    Some((id.clone(), *version))
                }
                VerdictOutcome::Skipped(_) => None,
            },
            Self::Reached(Milestone::Accepted | Milestone::Failed, record) => record.chosen_by.clone(),
            Self::Subscribed | Self::Undecided(_) | Self::NotSent(..) | Self::Reached(..) => None,
        }
    }
}

/// Returns why a verdict is against a mail.
pub fn skipped(verdict: &Verdict) -> Option<Skip> {
    if let VerdictOutcome::Skipped(skip) = verdict.outcome { Some(skip) } else { None }
}

/// Returns the template that a mail was made of, and its version.
pub fn template_of(record: &Record) -> Option<(TemplateId, u64)> {
    mail_count::template_of(record.template.as_deref()?)
}

impl Automations {
    /// Reads the versions that decided.
    pub async fn of<'a>(store: &Store, happened: impl Iterator<Item = &'a What<'a>>) -> Result<Self, Error> {
        let versions = happened.flat_map(|what| {
            let refusals = match what {
                What::Decided { verdict, .. } | What::NotSent(_, verdict) => verdict.refusals.as_slice(),
                What::Subscribed | What::Undecided(_) | What::Reached(..) => &[],
            };
            let refused = refusals.iter().map(|refusal| (refusal.automation.clone(), refusal.version));
            refused.chain(what.chosen_by())
        });
        Ok(Self(store.automation_versions(&versions.collect()).await?))
    }

    /// Returns the name that the version had; its id, if the version is not known any more.
    pub fn name<'a>(&'a self, id: &'a AutomationId, version: u64) -> &'a str {
        self.0.get(&(id.clone(), version)).map_or(id.as_str(), |automation| &automation.name)
    }

    /// Returns the conditions in words that did not hold, as far as the version is known.
    pub fn in_words(&self, refusal: &RefusedBy) -> Vec<String> {
        let decided = self.0.get(&(refusal.automation.clone(), refusal.version));
        let conditions = decided.map(|automation| automation.conditions.as_slice()).unwrap_or_default();
        refusal.conditions.iter().filter_map(|place| Some(conditions.get(*place)?.in_words())).collect()
    }

    /// Returns why a version of an automation did not take a subscription.
    pub fn explain(&self, refusal: &RefusedBy) -> ExplainedRefusal {
        let RefusedBy { automation: id, version, no_consent, conditions } = refusal.clone();
        let decided = self.0.get(&(id.clone(), version));
        let conditions = conditions.into_iter().filter_map(|place| Some(NamedCondition::of(decided?, place)));
        ExplainedRefusal { conditions: conditions.collect(), id, version, no_consent }
    }
}
