use super::{Automation, Condition, Facts};
use crate::{Contact, Product, Skip, Subscription};
use jiff::Timestamp;

/// Everything a decision about one subscription looks at.
pub struct Candidate<'a> {
    pub subscription: &'a Subscription,
    /// Of the stock level.
    pub quantity: i64,
    pub feed_configured: bool,
    pub product: Option<&'a Product>,
    pub contact: Option<&'a Contact>,
    /// When the contact last bought the SKU; only looked at by conditions about purchases.
    pub purchased_on: Option<Timestamp>,
    pub now: Timestamp,
}

/// The automation that takes a subscription, and why no automation before took it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<'a> {
    pub outcome: Result<&'a Automation, Skip>,
    /// Of each automation that was asked before, in their order.
    pub refusals: Vec<Refusal<'a>>,
}

/// Why one automation did not accept a subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal<'a> {
    pub automation: &'a Automation,
    /// The contact does not accept email, and the automation asks for that.
    pub no_consent: bool,
    /// Which of its conditions don't hold, by their place.
    pub conditions: Vec<usize>,
}

/// Finds the automation that a triggered subscription goes to: the preconditions of `docs/contract.md` first, then the
/// automations that are on, in the order they are given in, which is that of [`Automation::order`].
pub fn decide<'a>(candidate: &Candidate<'_>, automations: &'a [Automation]) -> Decision<'a> {
    let mut refusals = Vec::new();
    let outcome = facts(candidate).and_then(|facts| {
        let accepting = automations.iter().filter(|automation| automation.enabled).find(|automation| {
            let refusal = refusal(automation, &facts);
            let accepts = refusal.is_none();
            refusals.extend(refusal);
            accepts
        });
        let but_for_consent = |refusal: &Refusal<'_>| refusal.no_consent && refusal.conditions.is_empty();
        let nobody = || if refusals.iter().any(but_for_consent) { Skip::NoConsent } else { Skip::NoAutomation };
        accepting.ok_or_else(nobody)
    });
    Decision { outcome, refusals }
}

impl Decision<'_> {
    /// Returns true if the contact had a part in refusing the subscription: with other facts about it, this or another
    /// automation may accept it.
    pub fn is_for_the_contact(&self) -> bool {
        let of_contact = |refusal: &Refusal<'_>| {
            let mut conditions = refusal.conditions.iter().map(|place| &refusal.automation.conditions[*place]);
            refusal.no_consent || conditions.any(Condition::looks_at_contact)
        };
        matches!(self.outcome, Err(Skip::ContactGone | Skip::Unsubscribed | Skip::Suppressed))
            || self.refusals.iter().any(of_contact)
    }
}

/// Returns what conditions look at, if the preconditions hold.
fn facts<'a>(candidate: &Candidate<'a>) -> Result<Facts<'a>, Skip> {
    if !candidate.feed_configured {
        return Err(Skip::NoFeed);
    }
    let product = candidate.product.ok_or(Skip::NoProductData)?;
    let contact = candidate.contact.ok_or(Skip::ContactGone)?;
    if let Some(refusal) = contact.refusal(false) {
        return Err(refusal);
    }
    let Candidate { subscription, quantity, purchased_on, now, .. } = *candidate;
    Ok(Facts { subscription, quantity, product, contact, purchased_on, now })
}

/// Returns why an automation does not accept a subscription, if so. Every condition is looked at, so that the log says
/// of each how many it refused, whatever their order.
fn refusal<'a>(automation: &'a Automation, facts: &Facts<'_>) -> Option<Refusal<'a>> {
    let no_consent = facts.contact.refusal(automation.requires_consent).is_some();
    let conditions = automation.conditions.iter().enumerate();
    let failed: Vec<usize> =
        conditions.filter(|(_, condition)| !condition.holds(facts)).map(|(index, _)| index).collect();
    (no_consent || !failed.is_empty()).then_some(Refusal { automation, no_consent, conditions: failed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automation::{Field, Predicate, Test};

    #[test]
    fn a_contact_has_a_part_in_a_refusal_if_consent_or_a_condition_that_looks_at_it_was_missing() {
        let exists = |field: &str| {
            let field = Field::parse(field).unwrap();
            let predicate = Predicate::new(&field, "exists", None).ok().unwrap();
            Condition::Test(Test { field, predicate })
        };
        let of_contact = Condition::Not { not: Box::new(exists("contact.attributes.club")) };
        let automation = Automation { conditions: vec![exists("product.brand"), of_contact], ..Automation::built_in() };
        let is_for_the_contact = |outcome, no_consent, conditions| {
            let refusal = Refusal { automation: &automation, no_consent, conditions };
            Decision { outcome, refusals: vec![refusal] }.is_for_the_contact()
        };

        assert!(!is_for_the_contact(Err(Skip::NoAutomation), false, vec![0]));
        assert!(is_for_the_contact(Err(Skip::NoAutomation), false, vec![0, 1]));
        assert!(is_for_the_contact(Err(Skip::NoConsent), true, Vec::new()));
        // Another automation than the first took it, for what the contact is.
        assert!(is_for_the_contact(Ok(&automation), true, Vec::new()));
        assert!(Decision { outcome: Err(Skip::ContactGone), refusals: Vec::new() }.is_for_the_contact());
        assert!(!Decision { outcome: Err(Skip::NoProductData), refusals: Vec::new() }.is_for_the_contact());
    }
}
