use super::{Automation, AutomationId, Decision};
use std::collections::BTreeMap;

/// Counts of decisions by outcome: what the integration log keeps of a stock level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub matched: u64,
    /// Those that no automation took, by the word of the reason.
    pub skipped: BTreeMap<String, u64>,
    /// Each automation that was asked, in the order of asking.
    pub automations: Vec<AutomationTally>,
}

/// Counts of what one version of an automation decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutomationTally {
    pub id: AutomationId,
    pub version: u64,
    pub sent: u64,
    pub refused: u64,
    /// Of those refused, how many because the contact does not accept email.
    pub no_consent: u64,
    /// Of those refused, how many by each condition, by its place. One subscription may be refused by several.
    pub conditions: BTreeMap<usize, u64>,
}

impl Tally {
    pub fn add(&mut self, decision: &Decision<'_>) {
        self.matched += 1;
        for refusal in &decision.refusals {
            let counts = self.of(refusal.automation);
            counts.refused += 1;
            counts.no_consent += u64::from(refusal.no_consent);
            for condition in &refusal.conditions {
                *counts.conditions.entry(*condition).or_default() += 1;
            }
        }
        match decision.outcome {
            Ok(automation) => self.of(automation).sent += 1,
            Err(reason) => *self.skipped.entry(reason.as_str().to_owned()).or_default() += 1,
        }
    }

    /// Adds the counts of other decisions to these.
    pub fn merge(&mut self, other: Self) {
        self.matched += other.matched;
        add_up(&mut self.skipped, other.skipped);
        for theirs in other.automations {
            let ours = self.entry(&theirs.id, theirs.version);
            ours.sent += theirs.sent;
            ours.refused += theirs.refused;
            ours.no_consent += theirs.no_consent;
            add_up(&mut ours.conditions, theirs.conditions);
        }
    }

    fn of(&mut self, automation: &Automation) -> &mut AutomationTally {
        self.entry(&automation.id, automation.version)
    }

    fn entry(&mut self, id: &AutomationId, version: u64) -> &mut AutomationTally {
        let known = self.automations.iter().position(|counts| counts.id == *id && counts.version == version);
        let index = known.unwrap_or_else(|| {
            let (id, conditions) = (id.clone(), BTreeMap::new());
            self.automations.push(AutomationTally { id, version, sent: 0, refused: 0, no_consent: 0, conditions });
            self.automations.len() - 1
        });
        &mut self.automations[index]
    }
}

fn add_up<K: Ord>(ours: &mut BTreeMap<K, u64>, theirs: BTreeMap<K, u64>) {
    for (key, count) in theirs {
        *ours.entry(key).or_default() += count;
    }
}
