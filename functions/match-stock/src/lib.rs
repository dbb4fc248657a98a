//! Consumes the stock-level queue: finds the subscriptions that a level triggers, decides about each, and queues a
//! notification for those that an automation accepts.
//!
//! Doing any of it twice is harmless, because sending is what is guarded.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use jiff::Timestamp;
use restock_domain::automation::Tally;
use restock_domain::{Automation, AutomationId, ContactId, StockLevel, Subscription};
use restock_matching::{PAGE, decide_all};
use restock_queue::{
    Continuation, Failure, InvalidLevel, Notification, Queue, Queues, Recipient, Record, StockMessage, consume,
};
use restock_store::{CachedAutomations, LevelWrite, LogKey, LoggedLevel, Store};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tracing::info;

/// Pages that one invocation handles; what is left goes back on the queue as continuations.
const PAGES_AT_ONCE: u32 = 20;
/// Where the pages of a second look begin in the log entry; no first look comes so far.
const SECOND_LOOK: u32 = 1_000_000;
/// Recipients of one notification.
const RECIPIENTS: usize = 25;

/// Continuations of one level: forty million subscriptions. Lambda's own detection of loops is off for this function, as a
/// level may go round its queue, so this bounds a loop that is a fault.
const MAX_HOPS: u32 = 10_000;
/// More subscriptions than are ever made within that time. Beyond it, some are only counted twice.
const MAX_SEEN: usize = 1_000;
/// A demand mark stays so long after the newest subscriber; far longer than an index lags.
const MARK_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Clocks of two machines differ by so much at the most.
const SKEW: Duration = Duration::from_secs(5);

pub struct App {
    pub store: Store,
    pub queues: Queues,
    /// How long before a level a subscription may have been made that the index does not show yet. The index lags the table
    /// by about a second, but a subscription has the time at which it was asked for, and writing it may take as long as the
    /// function that does it has.
    pub lag: Duration,
    /// When a positive level is looked at again; longer than an index lags.
    pub second_look_after: Duration,
    pub automations: CachedAutomations,
    /// How long entries of the integration log are kept.
    pub log_kept: Duration,
    pub clock: fn() -> Timestamp,
}

/// The pages that an invocation may still handle.
struct Budget(AtomicU32);

impl App {
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let budget = &Budget(AtomicU32::new(PAGES_AT_ONCE));
        consume(&self.queues, Queue::StockLevels, event, |record| self.process(record, budget)).await
    }

    async fn process(&self, record: Record, budget: &Budget) -> Result<(), Failure> {
        match StockMessage::parse(&record.body).map_err(|error| Failure::Malformed(error.to_string()))? {
            StockMessage::Continuation(continuation) => self.match_level(*continuation, budget).await,
            StockMessage::Levels(levels) => self.take_levels(levels, &record, budget).await,
        }
    }

    /// Handles the valid levels of a message, in their order. The others travel on alone, so that the message that is
    /// given up for them holds nothing else.
    async fn take_levels(
        &self,
        levels: Vec<Result<StockLevel, InvalidLevel>>,
        record: &Record,
        budget: &Budget,
    ) -> Result<(), Failure> {
        let skus = levels.iter().flatten().map(|level| level.sku.clone()).collect();
        let in_demand = self.store.in_demand(&skus).await.map_err(|error| Failure::retry(&error))?;
        let (mut invalid, mut reasons) = (Vec::new(), Vec::new());
        let all = levels.len();
        for (index, level) in levels.into_iter().enumerate() {
            match level {
                Ok(level) if in_demand.contains(&level.sku) => self.take_level(level, index, record, budget).await?,
                Ok(_) => {}
                Err(InvalidLevel { sent, errors }) => {
                    reasons.extend(errors.into_iter().map(|error| error.inside(&format!("/{index}")).to_string()));
                    invalid.push(sent);
                }
            }
        }
        if invalid.is_empty() {
            return Ok(());
        }
        if invalid.len() == all {
            return Err(Failure::Malformed(reasons.join(" ")));
        }
        self.queues.send_invalid_levels(invalid).await.map_err(|error| Failure::retry(&error))
    }

    async fn take_level(
        &self,
        level: StockLevel,
        index: usize,
        record: &Record,
        budget: &Budget,
    ) -> Result<(), Failure> {
        let at = level.effective_at(record.sent_at);
        let written = self.store.put_level(&level.sku, &level.scope, level.quantity, at).await;
        if written.map_err(|error| Failure::retry(&error))? == LevelWrite::Outdated {
            info!(sku = %level.sku, "A newer stock level is known; this one changes nothing");
            return Ok(());
        }
        if level.quantity <= 0 {
            return Ok(());
        }
        let matching = Continuation {
            level,
            level_id: format!("{}-{index}", record.message_id),
            received_at: record.sent_at,
            source: record.source,
            second_look: false,
            seen: Vec::new(),
            page: 0,
            cursor: BTreeMap::new(),
            hops: 0,
        };
        self.match_level(matching, budget).await
    }

    /// Goes through the subscriptions that a level covers, from where the continuation says.
    async fn match_level(&self, mut matching: Continuation, budget: &Budget) -> Result<(), Failure> {
        let retry = |error: restock_store::Error| Failure::retry(&error);
        let key = LogKey::new(matching.level.sku.clone(), matching.received_at, &matching.level_id);
        while budget.take() {
            let StockLevel { sku, scope, quantity, .. } = &matching.level;
            let after = Some(std::mem::take(&mut matching.cursor)).filter(|cursor| !cursor.is_empty());
            let first_page = after.is_none();
            let page = self.store.matching(sku, scope, after, PAGE).await.map_err(retry)?;
            let nobody = first_page && page.subscriptions.is_empty();
            let just_made = |found: &Subscription| {
                found.created_on >= matching.received_at - self.lag && found.created_on <= matching.received_at + SKEW
            };
            let mut subscriptions = page.subscriptions;
            if matching.second_look {
                subscriptions.retain(|found| just_made(found) && !matching.seen.contains(&found.delivery));
            } else {
                matching.seen.extend(subscriptions.iter().filter(|found| just_made(found)).map(|found| found.delivery));
                matching.seen.truncate(MAX_SEEN);
            }
            if !subscriptions.is_empty() {
                let (notifications, tally) = self.decide(&subscriptions, *quantity, &key).await.map_err(retry)?;
                info!(%sku, quantity, matched = tally.matched, page = matching.page, "Matched a stock level");
                // The log comes first: after a crash in between, a second pass finds it written and then sends.
                let level = LoggedLevel { source: matching.source, scope, quantity: *quantity, kept: self.log_kept };
                self.store.log_matches(&key, &level, matching.page, &tally).await.map_err(retry)?;
                let at_once = notifications.into_iter().map(|notification| (notification, Duration::ZERO));
                let queued = self.queues.send_notifications(at_once.collect()).await;
                queued.map_err(|error| Failure::retry(&error))?;
            }
            let Some(next) = page.next else { return self.look_again(matching, nobody).await };
            matching.cursor = next;
            matching.page += 1;
        }
        self.send_on(matching, Duration::ZERO).await
    }

    /// Queues the second look after a first one. A demand mark that brought a level here in vain is removed, unless somebody
    /// subscribed so recently that an index may not show it yet.
    async fn look_again(&self, matching: Continuation, nobody: bool) -> Result<(), Failure> {
        if matching.second_look {
            return Ok(());
        }
        let retry = |error: restock_store::Error| Failure::retry(&error);
        let sku = &matching.level.sku;
        if nobody && !self.store.anybody_waits(sku).await.map_err(retry)? {
            self.store.clear_demand(sku, (self.clock)() - MARK_KEPT).await.map_err(retry)?;
        }
        let second = Continuation { second_look: true, page: SECOND_LOOK, ..matching };
        self.send_on(second, self.second_look_after).await
    }

    /// Puts the rest of a level back on the queue.
    async fn send_on(&self, rest: Continuation, delay: Duration) -> Result<(), Failure> {
        if rest.hops >= MAX_HOPS {
            let reason = format!("the level was sent on {MAX_HOPS} times, which no level needs; send it again");
            return Err(Failure::Malformed(reason));
        }
        let rest = Continuation { hops: rest.hops + 1, ..rest };
        self.queues.send_continuation(&rest, delay).await.map_err(|error| Failure::retry(&error))
    }

    /// Decides about a page of subscriptions, and says who is to be notified.
    async fn decide(
        &self,
        subscriptions: &[Subscription],
        quantity: i64,
        key: &LogKey,
    ) -> Result<(Vec<Notification>, Tally), restock_store::Error> {
        let automations = self.automations.current().await?;
        let now = (self.clock)();
        let decisions = decide_all(&self.store, &automations, &key.sku, quantity, subscriptions, now).await?;
        let mut tally = Tally::default();
        let mut accepted: Vec<(&Subscription, &Automation)> = Vec::new();
        for (subscription, decision) in subscriptions.iter().zip(&decisions) {
            tally.add(decision);
            accepted.extend(decision.outcome.ok().map(|automation| (subscription, automation)));
        }
        // The newest of a contact is mailed, and the others come after it.
        let mut newest: HashMap<ContactId, &Subscription> = HashMap::new();
        for (found, _) in &accepted {
            let known = newest.entry(found.contact_id).or_insert(found);
            if age(found) < age(known) {
                *known = found;
            }
        }
        let (first, others): (Vec<_>, Vec<_>) =
            accepted.into_iter().partition(|(found, _)| newest[&found.contact_id].delivery == found.delivery);
        let mut notifications = notifications(&first, key);
        for notification in &mut notifications {
            let contacts: HashSet<ContactId> = notification.recipients.iter().map(|one| one.contact_id).collect();
            let theirs = others.iter().filter(|(found, _)| contacts.contains(&found.contact_id)).copied();
            notification.then = self::notifications(&theirs.collect::<Vec<_>>(), key);
        }
        Ok((notifications, tally))
    }
}

impl Budget {
    /// Returns true if there is a page left.
    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Returns the order of the subscriptions of a contact, the newest first.
fn age(subscription: &Subscription) -> (Reverse<Timestamp>, String) {
    (Reverse(subscription.created_on), subscription.id().key.to_string())
}

/// Returns the notifications about subscriptions that were accepted, by automation.
fn notifications(accepted: &[(&Subscription, &Automation)], key: &LogKey) -> Vec<Notification> {
    let mut recipients: BTreeMap<(&AutomationId, u64), Vec<Recipient>> = BTreeMap::new();
    for (subscription, automation) in accepted {
        recipients.entry((&automation.id, automation.version)).or_default().push(recipient(subscription));
    }
    let notification = |automation: &AutomationId, version, recipients: &[Recipient]| Notification {
        sku: key.sku.clone(),
        log_entry: key.entry.clone(),
        automation: automation.clone(),
        version,
        recipients: recipients.to_vec(),
        attempt: 0,
        hops: 0,
        accepted: Vec::new(),
        then: Vec::new(),
    };
    let all = recipients.iter().flat_map(|((automation, version), recipients)| {
        recipients.chunks(RECIPIENTS).map(|chunk| notification(automation, *version, chunk))
    });
    all.collect()
}

fn recipient(subscription: &Subscription) -> Recipient {
    Recipient { contact_id: subscription.contact_id, key: subscription.id().key, delivery: subscription.delivery }
}
