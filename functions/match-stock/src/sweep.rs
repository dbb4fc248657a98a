//! The sweep: finds whoever a level should have found and did not, because an index showed them too late. A schedule of
//! `template.yaml` begins one each day.

use crate::meet::{Met, Untold};
use crate::{App, MAX_HOPS, MAX_INDEX_LAG};
use jiff::Timestamp;
use restock_domain::{Arrival, KnownLevel, Sku, Subscription, level_met};
use restock_queue::{Failure, LinedUp, Record, Sweep};
use restock_store::{LogKey, StockFacts, Waiting};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// Subscriptions that are looked at together.
const SWEEP_PAGE: i32 = 500;

/// A level, and whom it should have found.
struct Missed {
    level: KnownLevel,
    arrival: Arrival,
    subscriptions: Vec<Subscription>,
}

impl App {
    /// Goes through all subscriptions, from where the sweep stands.
    pub(crate) async fn sweep(&self, sweep: Sweep, record: &Record, until: Instant) -> Result<(), Failure> {
        let started_at = sweep.started_at.unwrap_or(record.sent_at);
        let mut sweep = Sweep { started_at: Some(started_at), ..sweep };
        let settled_before = started_at - Duration::from_secs(sweep.settled_seconds);
        while Instant::now() < until {
            let after = Some(std::mem::take(&mut sweep.cursor)).filter(|cursor| !cursor.is_empty());
            let mut page = self.store.every_subscription(after, SWEEP_PAGE).await?;
            let now = (self.clock)();
            page.waiting.retain(|waiting| !waiting.subscription.has_expired(now));
            // Numbers that grow from sweep to sweep, and with them from page to page.
            let number = started_at.as_millisecond().unsigned_abs() + u64::from(sweep.page);
            self.meet_late(&page.waiting, settled_before, number).await?;
            let Some(next) = page.next else {
                info!(pages = sweep.page + 1, "Swept all subscriptions");
                return Ok(());
            };
            sweep.cursor = next;
            sweep.page += 1;
        }
        if sweep.hops >= MAX_HOPS {
            let reason = format!("the sweep was sent on {MAX_HOPS} times, which none needs; the next one starts over");
            return Err(Failure::Malformed(reason));
        }
        sweep.hops += 1;
        self.queues.send(&sweep, Duration::ZERO).await.map_err(Failure::from)
    }

    /// Lets subscriptions meet the levels that they should have met, and restores demand marks that are missing.
    async fn meet_late(&self, page: &[Waiting], settled_before: Timestamp, number: u64) -> Result<(), Failure> {
        let subscriptions: Vec<&Subscription> = page.iter().map(|waiting| &waiting.subscription).collect();
        let facts = self.store.stock_of(&subscriptions).await?;
        let has_waves = !self.policies().await?.is_empty();
        for ((sku, _), missed) in missed(page, &facts, settled_before, has_waves) {
            let Missed { level, arrival, subscriptions } = missed;
            let met = Met::late(self, sku, &level, &arrival);
            // If the log can't be told, the mails are worth more than their count.
            self.meet(&met, number, &subscriptions, &mut Untold::default(), &mut LinedUp::default()).await?;
        }
        let skus: BTreeSet<&Sku> = subscriptions.iter().map(|subscription| &subscription.sku).collect();
        for sku in skus.into_iter().filter(|sku| !facts.in_demand.contains(sku)) {
            warn!(%sku, "Somebody waits, but the demand mark was gone; it is restored");
            self.store.mark_demand(sku, (self.clock)()).await?;
        }
        Ok(())
    }
}

/// Returns the subscriptions that should have met a level and did not, by the level's log entry. With waves, a claim
/// does not say that a mail is on its way: without a place its owner goes back to a line, and an index may not have
/// shown them there. Whoever is found although one is on its way gets one message more, which does no harm, and is
/// counted twice.
fn missed(
    page: &[Waiting],
    facts: &StockFacts,
    settled_before: Timestamp,
    has_waves: bool,
) -> BTreeMap<(Sku, String), Missed> {
    let mut all: BTreeMap<(Sku, String), Missed> = BTreeMap::new();
    for Waiting { subscription, decided_for, claimed_for, place_changed_on, .. } in page {
        let levels = facts.levels.get(&subscription.sku).map(Vec::as_slice).unwrap_or_default();
        let Some((level, arrival)) = level_met(levels, subscription) else { continue };
        let LogKey { sku, entry } = LogKey::new(subscription.sku.clone(), arrival);
        // Entries sort by time: a level that came even later decided about it too.
        let claimed_for = claimed_for.as_ref().filter(|_| !has_waves);
        let has_met = decided_for.iter().chain(claimed_for).any(|known| *known >= entry);
        // Whoever came, or got another place, long before was seen, as was their mark, unless the mark is gone or
        // nobody went through them for the level to the end.
        let newest_place = place_changed_on.map_or(subscription.here_since(), |on| on.max(subscription.here_since()));
        let was_matched = facts.in_demand.contains(&subscription.sku) && facts.matched.contains(&arrival.id);
        let could_be_missed = newest_place >= arrival.at - MAX_INDEX_LAG || !was_matched;
        if has_met || !could_be_missed || arrival.at > settled_before {
            continue;
        }
        let missed = Missed { level: level.clone(), arrival: arrival.clone(), subscriptions: Vec::new() };
        all.entry((sku, entry)).or_insert(missed).subscriptions.push(subscription.clone());
    }
    all
}
