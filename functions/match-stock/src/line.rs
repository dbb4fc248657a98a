//! Those who wait for a wave of a scope, oldest first across its groups.

use crate::look::Look;
use crate::{App, SKEW};
use futures::future::try_join_all;
use restock_domain::automation::Verdict;
use restock_domain::{Automation, ContactId, DeliveryId, Subscription, newest_covering};
use restock_matching::{MIN_READ, OldestFirst, OnRefusal, PAGE, decide_all};
use restock_queue::Failure;
use restock_store::database::Consistency;
use restock_store::{Cursor, cursor_after};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Those who leave next.
pub struct Choice<'a> {
    pub accepted: Vec<(Subscription, &'a Automation)>,
    /// Those who are refused, whether they were in line before or not.
    pub refused: Vec<(Subscription, Verdict)>,
    /// Where the line goes on.
    pub groups: BTreeMap<String, Option<Cursor>>,
}

impl App {
    /// Goes through the line for a while, and returns those of its policy who leave in this pass if there are so many
    /// places: of `reach` people at the least. A contact takes one place, whatever the number of its subscriptions.
    pub(crate) async fn choose<'a>(
        &self,
        look: &Look<'a>,
        pass: u32,
        groups: &BTreeMap<String, Option<Cursor>>,
        places: u64,
        reach: usize,
    ) -> Result<Choice<'a>, Failure> {
        let places = usize::try_from(places).unwrap_or(usize::MAX).min(PAGE as usize);
        let most = (2 * places).max(reach).clamp(MIN_READ, PAGE as usize);
        let mut groups = OldestFirst::from(groups);
        // Whoever subscribed after the level, and all behind them, wait for another one.
        let too_late = |found: &Subscription| found.created_on > look.arrival.at + SKEW;
        let next = groups.read(&self.store, (&look.tick.sku, &look.tick.scope), most, too_late).await?;
        let subscriptions: Vec<Subscription> = next.iter().map(|(_, subscription)| subscription.clone()).collect();
        let (sku, now) = (&look.tick.sku, (self.clock)());
        let automations = look.waves.automations;
        let refusals = OnRefusal::at(look.arrival.at, now);
        let decisions = decide_all(&self.store, automations, sku, look.level.quantity, &subscriptions, refusals, now);
        let decisions = decisions.await?;
        let mut contacts_read = HashMap::new();
        if look.policy.first.is_some() {
            let asked = subscriptions.iter().map(|found| found.contact_id);
            contacts_read = self.store.contacts(asked, Consistency::Eventual).await?;
        }
        // Whoever came back into the line after an earlier pass has had their turn already.
        let has_turn = |found: &Subscription| look.policy.pass_of(contacts_read.get(&found.contact_id)) <= pass;
        let (mut accepted, mut refused, mut contacts) = (Vec::new(), Vec::new(), HashSet::new());
        let (mut turns, mut left) = (next.into_iter().zip(decisions), Vec::new());
        for ((name, subscription), decision) in turns.by_ref() {
            let automation = decision.outcome.ok().filter(|automation| self.is_next(look, automation, &subscription));
            let automation = automation.filter(|_| has_turn(&subscription));
            let is_new = automation.is_some() && !contacts.contains(&subscription.contact_id);
            if is_new && contacts.len() == places {
                left.push((name, subscription));
                break;
            }
            groups.note_passed(name, cursor_after(&look.tick.scope, &subscription)?);
            // Each pass meets them.
            if decision.outcome.is_err() && pass == look.policy.last_pass() {
                refused.push((subscription, Verdict::of(&decision, false, None)));
            } else if let Some(automation) = automation {
                contacts.insert(subscription.contact_id);
                accepted.push((subscription, automation));
            }
        }
        left.extend(turns.map(|(next, _)| next));
        groups.put_back(left);
        Ok(Choice { accepted, refused, groups: groups.go_on() })
    }

    /// Returns the other subscriptions of those who leave which the same mail answers: those of this line, wherever
    /// they stand in it, and those that another automation accepted. Whoever has more than a page of them leaves the
    /// rest to their turns, which find that the mail is out.
    pub(crate) async fn answered_too<'a>(
        &self,
        look: &Look<'a>,
        accepted: &[(Subscription, &'a Automation)],
    ) -> Result<[Vec<(Subscription, &'a Automation)>; 2], restock_store::Error> {
        let contacts: HashSet<ContactId> = accepted.iter().map(|(found, _)| found.contact_id).collect();
        let leave: HashSet<DeliveryId> = accepted.iter().map(|(found, _)| found.delivery).collect();
        let theirs = try_join_all(contacts.into_iter().map(|contact| self.store.subscriptions_of(contact))).await?;
        let (level, sku) = (look.level, &look.tick.sku);
        let is_another = |found: &Subscription| {
            let covered = level.scope.covers(&found.locale, found.external_id.as_ref());
            found.sku == *sku && covered && !leave.contains(&found.delivery)
        };
        let mut others: Vec<Subscription> = theirs.into_iter().flatten().filter(is_another).collect();
        others.truncate(PAGE as usize);
        if others.is_empty() {
            return Ok(Default::default());
        }
        let (automations, now) = (look.waves.automations, (self.clock)());
        let refusals = OnRefusal::at(look.arrival.at, now);
        let decisions = decide_all(&self.store, automations, sku, level.quantity, &others, refusals, now).await?;
        let answered = others.into_iter().zip(decisions).filter_map(|(found, mut decision)| {
            look.waves.leave_out(&mut decision, level, found.created_on);
            let automation = decision.outcome.ok().filter(|_| self.is_met(look, &found))?;
            Some((found, automation))
        });
        let (of_line, of_others) = answered.partition(|(_, automation)| look.is_of_line(automation));
        Ok([of_line, of_others])
    }

    /// Returns true if a subscription that an automation accepts waits in this line for this level.
    fn is_next(&self, look: &Look<'_>, automation: &Automation, found: &Subscription) -> bool {
        look.is_of_line(automation) && look.policy.triggers(look.level, found.created_on) && self.is_met(look, found)
    }

    /// Returns true if a level is the one that counts for a subscription, and came after it.
    fn is_met(&self, look: &Look<'_>, found: &Subscription) -> bool {
        let covering = newest_covering(look.levels, &found.locale, found.external_id.as_ref());
        covering.is_some_and(|level| level.scope == look.level.scope)
            && found.here_since() <= look.arrival.at + SKEW
            && !found.has_expired((self.clock)())
    }
}
