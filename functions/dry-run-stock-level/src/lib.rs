//! Serves `POST /inventory/stock-levels/dry-run`.

use jiff::Timestamp;
use restock_api::log::{ExplainedRefusal, ExplainedTally};
use restock_api::stock_levels::{DryRun, DryRunStockLevel, Effect, Example, StockLevel as Level};
use restock_domain::automation::Tally;
use restock_domain::{Decision, StockLevel, Subscription};
use restock_http::{Call, Failure, Handles, Reply};
use restock_matching::{PAGE, decide_all};
use restock_store::Store;
use std::collections::{BTreeMap, HashSet};

/// Pages that one call looks at: 10,000 subscriptions.
const MAX_PAGES: usize = 50;
const MAX_EXAMPLES: usize = 100;

pub struct App {
    pub store: Store,
    pub clock: fn() -> Timestamp,
}

/// Answers what a stock level would do now, and why, and changes nothing.
impl Handles<DryRunStockLevel> for App {
    async fn handle(&self, _: Call, body: Level) -> Result<Reply<DryRunStockLevel>, Failure> {
        Ok(Reply::new(dry_run(&self.store, &body.into(), (self.clock)()).await?))
    }
}

async fn dry_run(store: &Store, level: &StockLevel, now: Timestamp) -> Result<DryRun, restock_store::Error> {
    let StockLevel { sku, scope, quantity, .. } = level;
    if store.in_demand(&HashSet::from([sku.clone()])).await?.is_empty() {
        return Ok(nothing(Effect::NobodyWaits));
    }
    if store.known_level(sku, scope).await?.is_some_and(|known| known.at > level.effective_at(now)) {
        return Ok(nothing(Effect::Outdated));
    }
    if *quantity <= 0 {
        return Ok(nothing(Effect::NotInStock));
    }
    let automations = store.automations().await?;
    let (mut tally, mut examples, mut cursor) = (Tally::default(), Vec::new(), None);
    let mut complete = false;
    for _ in 0..MAX_PAGES {
        let page = store.matching(sku, scope, None, cursor, PAGE).await?;
        let decisions = decide_all(store, &automations, sku, *quantity, &page.subscriptions, now).await?;
        for (subscription, decision) in page.subscriptions.into_iter().zip(&decisions) {
            tally.add(decision);
            if examples.len() < MAX_EXAMPLES {
                examples.push(example(subscription, decision));
            }
        }
        cursor = page.next;
        complete = cursor.is_none();
        if complete {
            break;
        }
    }
    let explain = |counts| automations.iter().find_map(|automation| explained(counts, automation));
    Ok(DryRun {
        effect: if tally.matched > 0 { Effect::Matches } else { Effect::NobodyWaits },
        matched: tally.matched,
        automations: tally.automations.iter().filter_map(explain).collect(),
        skipped: tally.skipped,
        examples,
        complete,
    })
}

/// Returns the answer for a level about which nothing is decided.
fn nothing(effect: Effect) -> DryRun {
    let (skipped, automations, examples) = (BTreeMap::new(), Vec::new(), Vec::new());
    DryRun { effect, matched: 0, skipped, automations, examples, complete: true }
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
        refusals: decision.refusals.iter().map(ExplainedRefusal::from).collect(),
    }
}
