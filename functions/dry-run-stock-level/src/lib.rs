//! Serves `POST /inventory/stock-levels/dry-run`.

use jiff::Timestamp;
use restock_api::log::{ExplainedRefusal, ExplainedTally};
use restock_api::stock_levels::{DryRun, DryRunCost, DryRunStockLevel, Effect, Example, StoppedBy, WaveForecast};
use restock_api::{ErrorCode, KeyScope, Problem, StockLevel as Level};
use restock_domain::automation::Tally;
use restock_domain::waves::{Forecast, PolicyOwner, StockHistory};
use restock_domain::{
    ContactId, Decision, KnownLevel, Repetition, StockLevel, Subscription, SubscriptionId, WavePolicy, Waves,
};
use restock_http::{Call, Failure, Handles, Reply};
use restock_matching::{OldestFirst, OnRefusal, PAGE, decide_all};
use restock_store::database::Consistency;
use restock_store::{Course, Store};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Pages that one call looks at: 10,000 subscriptions.
const MAX_PAGES: usize = 50;
const MAX_EXAMPLES: usize = 100;

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Answers what a stock level would do now, and why, and changes nothing.
impl Handles<DryRunStockLevel> for App {
    async fn handle(&self, call: Call, body: Level) -> Result<Reply<DryRunStockLevel>, Failure> {
        let contact = call.parsed_query("contactId", ContactId::parse)?;
        let may_see_people = call.may(KeyScope::ReadContacts);
        if contact.is_some() && !may_see_people {
            let detail =
                "The key needs the scope read-contacts to show what is decided about a contact. Leave contactId out.";
            return Err(Problem::new(403, ErrorCode::MissingScope, detail).into());
        }
        if let Some(id) = contact
            && self.store.contacts([id], Consistency::Strong).await?.is_empty()
        {
            return Err(Problem::not_found(ErrorCode::ContactNotFound, "There is no contact with this id.").into());
        }
        let level: StockLevel = body.into();
        let said = dry_run(&self.store, &level, contact, (self.clock)());
        let (mut said, stops) = tokio::try_join!(said, self.store.stops(&level.sku))?;
        let by = if stops.is_held() { StoppedBy::Hold } else { StoppedBy::Pause };
        said.stopped_by = stops.pause().map(|_| by);
        if !may_see_people {
            said.examples.clear();
        }
        Ok(Reply::new(said))
    }
}

async fn dry_run(
    store: &Store,
    level: &StockLevel,
    contact: Option<ContactId>,
    now: Timestamp,
) -> Result<DryRun, restock_store::Error> {
    let StockLevel { sku, scope, quantity, .. } = level;
    let automations = store.automations().await?;
    let shop = store.wave_policy().await?.map(|stored| stored.policy);
    let waves = Waves { shop: shop.as_ref(), automations: &automations };
    let (known, repetition) = store.known_level(level).await?;
    let mark = store.in_demand(&HashSet::from([sku.clone()])).await?.remove(sku);
    let history = match &mark {
        Some(mark) => mark.history_after(known.clone(), *quantity, now),
        None => StockHistory::beginning(*quantity, now),
    };
    let met =
        KnownLevel { scope: scope.clone(), quantity: *quantity, at: now, arrival: None, history, earlier: Vec::new() };
    // Whatever an index shows of them, and however many wait before them.
    let mut examples = Vec::new();
    if let Some(contact) = contact {
        let mut theirs = store.subscriptions_of(contact).await?;
        theirs.retain(|one| one.sku == *sku && scope.covers(&one.locale, one.external_id.as_ref()));
        theirs.retain(|one| !one.has_expired(now));
        let decisions = decide_all(store, &automations, sku, *quantity, &theirs, OnRefusal::DecidedAgain, now).await?;
        for (one, mut decision) in theirs.into_iter().zip(decisions) {
            waves.leave_out(&mut decision, &met, one.created_on);
            examples.push(example(one, &decision));
        }
    }
    if mark.is_none() {
        return Ok(nothing(Effect::NobodyWaits, examples));
    }
    if repetition != Repetition::None {
        return Ok(nothing(Effect::Repeated, examples));
    }
    if known.as_ref().is_some_and(|known| known.at > level.effective_at(now)) {
        return Ok(nothing(Effect::Outdated, examples));
    }
    if *quantity <= 0 {
        return Ok(nothing(Effect::NotInStock, examples));
    }
    let mut lines = Lines::default();
    let (mut tally, mut mailed, mut at_once) = (Tally::default(), HashSet::new(), HashSet::new());
    let groups = store.groups(sku, scope).await?.into_iter().map(|group| (group, None)).collect();
    let mut all = OldestFirst::from(&groups);
    let most_examples = MAX_EXAMPLES + examples.len();
    for _ in 0..MAX_PAGES {
        let page = all.read(store, (sku, scope), PAGE as usize, |_| false).await?;
        let page: Vec<Subscription> = page.into_iter().map(|(_, subscription)| subscription).collect();
        let mut decisions =
            decide_all(store, &automations, sku, *quantity, &page, OnRefusal::DecidedAgain, now).await?;
        let mut contacts = HashMap::new();
        if waves.all().iter().any(|(_, policy)| policy.first.is_some()) {
            let asked = page.iter().map(|subscription| subscription.contact_id);
            contacts = store.contacts(asked, Consistency::Eventual).await?;
        }
        for (subscription, decision) in page.into_iter().zip(&mut decisions) {
            waves.leave_out(decision, &met, subscription.created_on);
            tally.add(decision);
            if let Ok(automation) = decision.outcome {
                mailed.insert(subscription.contact_id);
                match waves.of(automation) {
                    Some((owner, policy)) => {
                        lines.add(owner, policy.pass_of(contacts.get(&subscription.contact_id)), &subscription);
                    }
                    None => drop(at_once.insert(subscription.contact_id)),
                }
            }
            if examples.len() < most_examples && contact != Some(subscription.contact_id) {
                examples.push(example(subscription, decision));
            }
        }
        if all.is_over() {
            break;
        }
    }
    // Their mail is out before a tick comes to their other subscriptions, and counts for the waves.
    lines.leave_out(&at_once);
    lines.count_once();
    let forecasts = match waves.all() {
        policies if policies.is_empty() => None,
        policies => {
            let wave = store.wave(sku, scope).await?;
            let forecast = |(owner, policy): (PolicyOwner, &WavePolicy)| {
                // As for a level that has just come, whose line begins with everybody.
                let on_their_way = wave.given(&owner, &Course::default(), now) + at_once.len() as u64;
                let forecast = Forecast::of(policy, &met, &wave.taken, on_their_way, &lines.people(&owner), now);
                WaveForecast::new(owner, forecast)
            };
            Some(policies.into_iter().map(forecast).collect())
        }
    };
    let places = lines.places();
    for example in &mut examples {
        example.place = places.get(&example.subscription.id).copied();
    }
    let explain = |counts| automations.iter().find_map(|automation| explained(counts, automation));
    Ok(DryRun {
        effect: if tally.matched > 0 { Effect::Matches } else { Effect::NobodyWaits },
        stopped_by: None,
        matched: tally.matched,
        automations: tally.automations.iter().filter_map(explain).collect(),
        skipped: tally.skipped,
        examples,
        cost: DryRunCost::of(mailed.len() as u64),
        waves: forecasts,
        complete: all.is_over(),
    })
}

/// Those who would wait for a wave, by the policy that they wait for.
#[derive(Default)]
struct Lines(BTreeMap<PolicyOwner, Vec<(u32, Timestamp, SubscriptionId)>>);

impl Lines {
    fn add(&mut self, owner: PolicyOwner, pass: u32, subscription: &Subscription) {
        self.0.entry(owner).or_default().push((pass, subscription.created_on, subscription.id()));
    }

    fn leave_out(&mut self, people: &HashSet<ContactId>) {
        self.0.values_mut().for_each(|line| line.retain(|(_, _, id)| !people.contains(&id.contact_id)));
    }

    /// Leaves each person in one line, where one of their subscriptions has its turn first: its mail answers the
    /// others.
    fn count_once(&mut self) {
        let mut first: HashMap<ContactId, (u32, Timestamp, PolicyOwner)> = HashMap::new();
        for (owner, line) in &self.0 {
            for (pass, subscribed_on, id) in line {
                let turn = (*pass, *subscribed_on, owner.clone());
                let known = first.entry(id.contact_id).or_insert_with(|| turn.clone());
                *known = turn.min(known.clone());
            }
        }
        let is_first = |owner: &PolicyOwner, contact| first.get(&contact).is_some_and(|(.., line)| line == owner);
        self.0.iter_mut().for_each(|(owner, line)| line.retain(|(.., id)| is_first(owner, id.contact_id)));
    }

    /// Returns how many people of each pass wait for a policy; a person takes one place.
    fn people(&self, owner: &PolicyOwner) -> BTreeMap<u32, u64> {
        let all = self.0.get(owner).into_iter().flatten();
        let people: HashMap<ContactId, u32> = all.map(|(pass, _, id)| (id.contact_id, *pass)).collect();
        let mut by_pass = BTreeMap::new();
        people.into_values().for_each(|pass| *by_pass.entry(pass).or_default() += 1);
        by_pass
    }

    /// Returns the place of each subscription in its line, from 1: that of the person's oldest one.
    fn places(mut self) -> HashMap<String, u64> {
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

/// Returns the answer for a level about which nothing is decided.
fn nothing(effect: Effect, examples: Vec<Example>) -> DryRun {
    let (skipped, automations) = (BTreeMap::new(), Vec::new());
    let cost = DryRunCost::of(0);
    DryRun { effect, stopped_by: None, matched: 0, skipped, automations, examples, cost, waves: None, complete: true }
}

fn explained(
    counts: &restock_domain::automation::AutomationTally,
    automation: &restock_domain::Automation,
) -> Option<ExplainedTally> {
    (automation.id == counts.id).then(|| ExplainedTally::of(counts, automation))
}

fn example(subscription: Subscription, decision: &Decision<'_>) -> Example {
    Example {
        subscription: subscription.into(),
        outcome: decision.outcome.map_or_else(|reason| reason.as_str(), |_| "sent"),
        automation: decision.outcome.ok().map(|automation| automation.id.clone()),
        place: None,
        refusals: decision.refusals.iter().map(ExplainedRefusal::from).collect(),
    }
}
