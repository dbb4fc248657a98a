use jiff::Timestamp;
use restock_domain::waves::PolicyOwner;
use restock_domain::{ContactId, Subscription, SubscriptionId};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Those who would wait for a wave, by the policy that they wait for.
#[derive(Default)]
pub struct Lines(BTreeMap<PolicyOwner, Vec<(u32, Timestamp, SubscriptionId)>>);

impl Lines {
    pub fn add(&mut self, owner: PolicyOwner, pass: u32, subscription: &Subscription) {
        self.0.entry(owner).or_default().push((pass, subscription.created_on, subscription.id()));
    }

    pub fn leave_out(&mut self, people: &HashSet<ContactId>) {
        self.0.values_mut().for_each(|line| line.retain(|(_, _, id)| !people.contains(&id.contact_id)));
    }

    /// Leaves each person in one line, where one of their subscriptions has its turn first: its mail answers the
    /// others. The lines that leave at once go before all others.
    pub fn count_once(&mut self, leave_at_once: &HashSet<PolicyOwner>) {
        let mut first: HashMap<ContactId, (bool, u32, Timestamp, PolicyOwner)> = HashMap::new();
        for (owner, line) in &self.0 {
            for (pass, subscribed_on, id) in line {
                let turn = (!leave_at_once.contains(owner), *pass, *subscribed_on, owner.clone());
                let known = first.entry(id.contact_id).or_insert_with(|| turn.clone());
                *known = turn.min(known.clone());
            }
        }
        let is_first = |owner: &PolicyOwner, contact| first.get(&contact).is_some_and(|(.., line)| line == owner);
        self.0.iter_mut().for_each(|(owner, line)| line.retain(|(.., id)| is_first(owner, id.contact_id)));
    }

    /// Returns how many people of each pass wait for a policy; a person takes one place.
    pub fn people(&self, owner: &PolicyOwner) -> BTreeMap<u32, u64> {
        let all = self.0.get(owner).into_iter().flatten();
        let people: HashMap<ContactId, u32> = all.map(|(pass, _, id)| (id.contact_id, *pass)).collect();
        let mut by_pass = BTreeMap::new();
        people.into_values().for_each(|pass| *by_pass.entry(pass).or_default() += 1);
        by_pass
    }

    /// Returns the place of each subscription in its line, from 1: that of the person's oldest one.
    pub fn places(mut self) -> HashMap<String, u64> {
        let mut places = HashMap::new();
        for line in self.0.values_mut() {
            line.sort_by_key(|(pass, subscribed_on, _)| (*pass, *subscribed_on));
            let mut people = HashMap::new();
            for (_, _, id) in line {
                let next = people.len() as u64 + 1;
                places.insert(id.to_string(), *people.entry(id.contact_id).or_insert(next));
            }
        }
        places
    }
}
