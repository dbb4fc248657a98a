use super::{AutomationId, Decision};
use crate::{HeldBack, Skip};

/// A decision about one subscription, as it is remembered: it stays what it was, whatever changes later.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Verdict {
    pub outcome: VerdictOutcome,
    /// Of each automation that was asked before, in their order.
    pub refusals: Vec<RefusedBy>,
    /// What kept the mail from leaving then, if an automation took it.
    pub held_back: Option<HeldBack>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VerdictOutcome {
    /// This version of an automation took it, and a mail was to leave at once.
    Taken(AutomationId, u64),
    /// This version of an automation took it, and it waits for a wave.
    InLine(AutomationId, u64),
    Skipped(Skip),
}

/// Why one version of an automation did not take a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RefusedBy {
    pub automation: AutomationId,
    pub version: u64,
    pub no_consent: bool,
    /// Which of its conditions did not hold, by their place.
    pub conditions: Vec<usize>,
}

impl Verdict {
    /// Returns what is remembered of a decision. `in_line` says that mails of the automation leave in waves.
    pub fn of(decision: &Decision<'_>, in_line: bool, held_back: Option<HeldBack>) -> Self {
        let outcome = match decision.outcome {
            Ok(automation) if in_line => VerdictOutcome::InLine(automation.id.clone(), automation.version),
            Ok(automation) => VerdictOutcome::Taken(automation.id.clone(), automation.version),
            Err(skip) => VerdictOutcome::Skipped(skip),
        };
        let refusals = decision.refusals.iter().map(|refusal| RefusedBy {
            automation: refusal.automation.id.clone(),
            version: refusal.automation.version,
            no_consent: refusal.no_consent,
            conditions: refusal.conditions.clone(),
        });
        let held_back = held_back.filter(|_| decision.outcome.is_ok());
        Self { outcome, refusals: refusals.collect(), held_back }
    }

    /// Returns what is remembered of a mail that was not sent after all.
    pub fn skipped(skip: Skip) -> Self {
        Self { outcome: VerdictOutcome::Skipped(skip), refusals: Vec::new(), held_back: None }
    }
}
