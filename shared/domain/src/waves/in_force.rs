use super::{First, WavePolicy};
use crate::automation::Decision;
use crate::{Automation, AutomationId, KnownLevel, hex};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Whose policy bounds the mails of an automation: they wait in one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyOwner {
    Shop,
    Automation(AutomationId),
}

impl PolicyOwner {
    /// Returns the name of its line, as it is stored: `shop`, or `automation#` and the automation's id.
    pub fn line(&self) -> String {
        match self {
            Self::Shop => "shop".to_owned(),
            Self::Automation(id) => format!("automation#{}", id.as_str()),
        }
    }
}

/// The policies in force.
#[derive(Debug, Clone, Copy)]
pub struct Waves<'a> {
    pub shop: Option<&'a WavePolicy>,
    pub automations: &'a [Automation],
}

impl<'a> Waves<'a> {
    /// Returns the policy that bounds the mails of an automation, if there is one, and whose it is.
    pub fn of(&self, automation: &'a Automation) -> Option<(PolicyOwner, &'a WavePolicy)> {
        let own = automation.waves.as_ref().map(|policy| (PolicyOwner::Automation(automation.id.clone()), policy));
        own.or_else(|| self.shop.map(|policy| (PolicyOwner::Shop, policy)))
    }

    /// Leaves out whoever the policy of the automation that took them does not let a level mail, however many places
    /// there are.
    pub fn leave_out(&self, decision: &mut Decision<'_>, level: &KnownLevel, subscribed_on: Timestamp) {
        let policy = decision.outcome.ok().and_then(|automation| self.of(automation));
        if let Some(skip) = policy.and_then(|(_, policy)| policy.skip(level, subscribed_on)) {
            decision.outcome = Err(skip);
        }
    }

    /// Returns a short name for what decides who has a turn when in a policy's line: which automations wait in whose,
    /// and who comes first. Whoever was passed over by others would not have a turn any more.
    pub fn order(&self, policy: &WavePolicy) -> String {
        let enabled = self.automations.iter().filter(|automation| automation.enabled);
        let owners: Vec<_> =
            enabled.map(|automation| (&automation.id, self.of(automation).map(|(owner, _)| owner))).collect();
        let first = policy.first.as_ref().map(|First { attribute, values, .. }| (attribute, values));
        hex(&Sha256::digest(format!("{owners:?} {first:?}"))[..6])
    }

    /// Returns the policies that bound the mails of any automation that is on, each once.
    pub fn all(&self) -> Vec<(PolicyOwner, &'a WavePolicy)> {
        let enabled = self.automations.iter().filter(|automation| automation.enabled);
        let mut all: Vec<_> = enabled.filter_map(|automation| self.of(automation)).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all.dedup_by(|(one, _), (other, _)| one == other);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::Trigger;
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_automation_has_its_own_policy_or_that_of_the_shop() {
        let shop = WavePolicy {
            per_unit: None,
            interval: WavePolicy::DEFAULT_INTERVAL,
            minimum: 1,
            hold_down: Duration::ZERO,
            trigger: Trigger::Level,
            quiet_hours: None,
            first: None,
        };
        let own = WavePolicy { minimum: 2, ..shop.clone() };
        let plain = Automation::built_in();
        let special =
            Automation { id: AutomationId::parse("club").unwrap(), waves: Some(own.clone()), ..Automation::built_in() };
        let automations = [plain, special];
        let waves = |shop| Waves { shop, automations: &automations };

        assert_eq!(waves(Some(&shop)).of(&automations[0]), Some((PolicyOwner::Shop, &shop)));
        assert_eq!(waves(None).of(&automations[0]), None);
        let club = (PolicyOwner::Automation(automations[1].id.clone()), &own);
        assert_eq!(waves(None).all(), std::slice::from_ref(&club));
        assert_eq!(waves(Some(&shop)).all(), [(PolicyOwner::Shop, &shop), club]);
    }
}
