//! Serves `POST /inventory/stock-levels/dry-run`.

mod lines;

use jiff::Timestamp;
use lines::Lines;
use restock_api::log::{ExplainedRefusal, ExplainedTally};
use restock_api::stock_levels::{DryRun, DryRunCost, DryRunStockLevel, Effect, Example, StoppedBy, WaveForecast};
use restock_api::{ErrorCode, KeyScope, Problem, StockLevel as Level};
use restock_domain::automation::{AutomationTally, Tally};
use restock_domain::waves::{Forecast, PolicyOwner, StockHistory};
use restock_domain::{
    Automation, Contact, ContactId, Decision, KnownLevel, Repetition, Sku, StockLevel, Subscription, WavePolicy, Waves,
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
    let (quantity, scope) = (*quantity, scope.clone());
    let automations = store.automations().await?;
    let shop = store.wave_policy().await?.map(|stored| stored.policy);
    let waves = Waves { shop: shop.as_ref(), automations: &automations };
    let (known, repetition) = store.known_level(level).await?;
    let mark = store.in_demand(&HashSet::from([sku.clone()])).await?.remove(sku);
    let history = match &mark {
        Some(mark) => mark.history_after(known.clone(), quantity, now),
        None => StockHistory::beginning(quantity, now),
    };
    let met = KnownLevel { scope, quantity, at: now, arrival: None, history, earlier: Vec::new() };
    let trial = Trial { store, sku, met, automations: &automations, waves, now };
    let examples = match contact {
        Some(contact) => trial.decide_about(contact).await?,
        None => Vec::new(),
    };
    if mark.is_none() {
        return Ok(nothing(Effect::NobodyWaits, examples));
    }
    if repetition != Repetition::None {
        return Ok(nothing(Effect::Repeated, examples));
    }
    if known.as_ref().is_some_and(|known| known.at > level.effective_at(now)) {
        return Ok(nothing(Effect::Outdated, examples));
    }
    if quantity <= 0 {
        return Ok(nothing(Effect::NotInStock, examples));
    }
    let mut found = trial.find(contact, examples).await?;
    // Their mail is out before a tick comes to their other subscriptions, and counts for the waves.
    found.lines.leave_out(&found.at_once);
    let leave_at_once = trial.leave_at_once();
    found.lines.count_once(&leave_at_once);
    let forecasts = trial.forecasts(&found, &leave_at_once).await?;
    Ok(found.into_answer(&automations, forecasts))
}

/// A level that changes nothing, and what decides about it.
struct Trial<'a> {
    store: &'a Store,
    sku: &'a Sku,
    /// What would be known of its scope.
    met: KnownLevel,
    automations: &'a [Automation],
    waves: Waves<'a>,
    now: Timestamp,
}

/// What a level would do.
#[derive(Default)]
struct Found {
    tally: Tally,
    mailed: HashSet<ContactId>,
    /// Of them, those who wait for no wave.
    at_once: HashSet<ContactId>,
    lines: Lines,
    examples: Vec<Example>,
    complete: bool,
}

impl<'a> Trial<'a> {
    async fn decide(&self, subscriptions: &[Subscription]) -> Result<Vec<Decision<'a>>, restock_store::Error> {
        let Self { store, sku, met, automations, now, .. } = self;
        let again = OnRefusal::DecidedAgain;
        let mut decisions = decide_all(store, automations, sku, met.quantity, subscriptions, again, *now).await?;
        for (subscription, decision) in subscriptions.iter().zip(&mut decisions) {
            self.waves.leave_out(decision, met, subscription.created_on);
        }
        Ok(decisions)
    }

    /// Returns what is decided about a contact, whatever an index shows of it, and however many wait before it.
    async fn decide_about(&self, contact: ContactId) -> Result<Vec<Example>, restock_store::Error> {
        let mut theirs = self.store.subscriptions_of(contact).await?;
        theirs.retain(|one| one.sku == *self.sku && self.met.scope.covers(&one.locale, one.external_id.as_ref()));
        theirs.retain(|one| !one.has_expired(self.now));
        let decisions = self.decide(&theirs).await?;
        Ok(theirs.into_iter().zip(&decisions).map(|(one, decision)| example(one, decision)).collect())
    }

    /// Returns what is decided about everybody, as far as one call may look, with these examples before all others.
    /// `contact` is whom they are about.
    async fn find(&self, contact: Option<ContactId>, examples: Vec<Example>) -> Result<Found, restock_store::Error> {
        let (sku, scope) = (self.sku, &self.met.scope);
        let groups = self.store.groups(sku, scope).await?.into_iter().map(|group| (group, None)).collect();
        let mut all = OldestFirst::from(&groups);
        let max_examples = MAX_EXAMPLES + examples.len();
        let mut found = Found { examples, ..Found::default() };
        for _ in 0..MAX_PAGES {
            let page = all.read(self.store, (sku, scope), PAGE as usize, |_| false).await?;
            let page: Vec<Subscription> = page.into_iter().map(|(_, subscription)| subscription).collect();
            let decisions = self.decide(&page).await?;
            let contacts = self.contacts_if_some_come_first(&page).await?;
            for (subscription, decision) in page.into_iter().zip(&decisions) {
                let id = subscription.contact_id;
                found.tally.add(decision);
                if let Ok(automation) = decision.outcome {
                    found.mailed.insert(id);
                    match self.waves.of(automation) {
                        Some((owner, policy)) => {
                            found.lines.add(owner, policy.pass_of(contacts.get(&id)), &subscription);
                        }
                        None => drop(found.at_once.insert(id)),
                    }
                }
                if found.examples.len() < max_examples && contact != Some(id) {
                    found.examples.push(example(subscription, decision));
                }
            }
            if all.is_over() {
                break;
            }
        }
        found.complete = all.is_over();
        Ok(found)
    }

    /// Returns the contacts of these subscriptions if a policy lets some come first, else none.
    async fn contacts_if_some_come_first(
        &self,
        page: &[Subscription],
    ) -> Result<HashMap<ContactId, Contact>, restock_store::Error> {
        if self.waves.all().iter().all(|(_, policy)| policy.first.is_none()) {
            return Ok(HashMap::new());
        }
        let asked = page.iter().map(|subscription| subscription.contact_id);
        self.store.contacts(asked, Consistency::Eventual).await
    }

    /// Returns the owners of policies whose mails leave without waves, and now.
    fn leave_at_once(&self) -> HashSet<PolicyOwner> {
        let leaves_at_once =
            |policy: &WavePolicy| policy.per_unit.is_none() && policy.held_back(&self.met, self.now).is_none();
        let all = self.waves.all().into_iter();
        all.filter(|(_, policy)| leaves_at_once(policy)).map(|(owner, _)| owner).collect()
    }

    /// Returns the waves to come of each policy; `None` if there is none.
    async fn forecasts(
        &self,
        found: &Found,
        leave_at_once: &HashSet<PolicyOwner>,
    ) -> Result<Option<Vec<WaveForecast>>, restock_store::Error> {
        let policies = self.waves.all();
        if policies.is_empty() {
            return Ok(None);
        }
        let wave = self.store.wave(self.sku, &self.met.scope).await?;
        let forecast = |(owner, policy): (PolicyOwner, &WavePolicy)| {
            let others = leave_at_once.iter().filter(|other| **other != owner);
            let of_others: u64 = others.flat_map(|other| found.lines.people(other).into_values()).sum();
            let before = found.at_once.len() as u64 + of_others;
            // As for a level that has just come, whose line begins with everybody.
            let on_their_way = wave.given(&owner, &Course::default(), self.now) + before;
            let people = found.lines.people(&owner);
            let forecast = Forecast::of(policy, &self.met, &wave.taken, on_their_way, &people, self.now);
            WaveForecast::new(owner, forecast)
        };
        Ok(Some(policies.into_iter().map(forecast).collect()))
    }
}

impl Found {
    fn into_answer(self, automations: &[Automation], waves: Option<Vec<WaveForecast>>) -> DryRun {
        let Self { tally, mailed, lines, mut examples, complete, .. } = self;
        let places = lines.places();
        for example in &mut examples {
            example.place = places.get(&example.subscription.id).copied();
        }
        let explain = |counts: &AutomationTally| {
            let automation = automations.iter().find(|automation| automation.id == counts.id)?;
            Some(ExplainedTally::of(counts, automation))
        };
        DryRun {
            effect: if tally.matched > 0 { Effect::Matches } else { Effect::NobodyWaits },
            stopped_by: None,
            matched: tally.matched,
            automations: tally.automations.iter().filter_map(explain).collect(),
            skipped: tally.skipped,
            examples,
            cost: DryRunCost::of(mailed.len() as u64),
            waves,
            complete,
        }
    }
}

/// Returns the answer for a level about which nothing is decided.
fn nothing(effect: Effect, examples: Vec<Example>) -> DryRun {
    let (skipped, automations) = (BTreeMap::new(), Vec::new());
    let cost = DryRunCost::of(0);
    DryRun { effect, stopped_by: None, matched: 0, skipped, automations, examples, cost, waves: None, complete: true }
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
