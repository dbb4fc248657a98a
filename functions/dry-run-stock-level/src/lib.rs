//! `POST /inventory/stock-levels/dry-run`

use jiff::Timestamp;
use restock_domain::automation::{ExplainedRefusal, ExplainedTally, Tally};
use restock_domain::{Automation, Decision, ShownSubscription, StockLevel, Subscription};
use restock_http::{Call, Problem, Reply};
use restock_matching::{PAGE, decide_all};
use restock_store::Store;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use utoipa::ToSchema;

/// Pages that one call looks at: 10,000 subscriptions.
const MOST_PAGES: usize = 50;
const MOST_EXAMPLES: usize = 100;

/// What a stock level would do.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    pub effect: Effect,
    pub matched: u64,
    /// Those that no automation would take, by reason.
    pub skipped: BTreeMap<String, u64>,
    pub automations: Vec<ExplainedTally>,
    /// The first hundred, oldest first within a locale.
    pub examples: Vec<Example>,
    /// Whether every subscription was looked at; a dry run ends after 10,000.
    pub complete: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Subscriptions are decided about.
    Matches,
    /// Nobody waits for the SKU.
    #[default]
    NobodyWaits,
    /// A newer level of the same scope is known.
    Outdated,
    /// Levels of zero and below mail nobody.
    NotInStock,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Example {
    pub subscription: ShownSubscription,
    /// `sent`, or why it would not be.
    pub outcome: &'static str,
    /// The automation that would get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automation: Option<String>,
    /// Of each automation that was asked before.
    pub refusals: Vec<ExplainedRefusal>,
}

/// Answers what a stock level would do now, and why, and changes nothing.
pub async fn handle(store: &Store, call: Call) -> Result<Reply, Problem> {
    let level = StockLevel::from_json(call.json()?).map_err(Problem::invalid)?;
    Reply::ok(&dry_run(store, &level, Timestamp::now()).await?)
}

async fn dry_run(store: &Store, level: &StockLevel, now: Timestamp) -> Result<DryRun, restock_store::Error> {
    let StockLevel { sku, scope, quantity, .. } = level;
    let nothing = |effect| DryRun { effect, complete: true, ..DryRun::default() };
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
    for _ in 0..MOST_PAGES {
        let page = store.matching(sku, scope, cursor, PAGE).await?;
        let decisions = decide_all(store, &automations, sku, *quantity, &page.subscriptions, now).await?;
        for (subscription, decision) in page.subscriptions.into_iter().zip(&decisions) {
            tally.add(decision);
            if examples.len() < MOST_EXAMPLES {
                examples.push(example(subscription, decision));
            }
        }
        cursor = page.next;
        complete = cursor.is_none();
        if complete {
            break;
        }
    }
    let explain = |counts: &restock_domain::automation::AutomationTally| {
        let automation = automations.iter().find(|automation: &&Automation| automation.id == counts.id)?;
        Some(counts.explain(automation))
    };
    Ok(DryRun {
        effect: if tally.matched > 0 { Effect::Matches } else { Effect::NobodyWaits },
        matched: tally.matched,
        automations: tally.automations.iter().filter_map(explain).collect(),
        skipped: tally.skipped,
        examples,
        complete,
    })
}

fn example(subscription: Subscription, decision: &Decision<'_>) -> Example {
    Example {
        subscription: subscription.into(),
        outcome: decision.outcome.map_or_else(|reason| reason.as_str(), |_| "sent"),
        automation: decision.outcome.ok().map(|automation| automation.id.to_string()),
        refusals: decision.refusals.iter().map(|refusal| refusal.explain()).collect(),
    }
}
