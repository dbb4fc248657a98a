//! Consumes the stock-level queue: finds the subscriptions that a level triggers, decides about each, and queues a
//! notification for those that an automation accepts.
//!
//! Doing any of it twice is harmless, because sending is what is guarded.

mod line;
mod look;
mod meet;
mod sweep;
mod waves;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use meet::{InLine, Met, Untold};
use restock_domain::waves::{StockHistory, Trigger, WavePolicy};
use restock_domain::{Arrival, KnownLevel, Sku, StockLevel, Subscription};
use restock_matching::PAGE;
use restock_metrics::Metric;
use restock_queue::{
    Continuation, Failure, InvalidLevel, Queues, Record, StockMessage, WaveTick, consume, correlate, correlation_in,
    named,
};
use restock_store::{CachedAutomations, CachedStops, CachedWavePolicy, LevelWrite, Mark, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};
pub use waves::KNOWN_AFTER;

/// Where the pages of a second look begin in the log entry; no first look comes so far.
const SECOND_LOOK: u32 = 1_000_000;
/// Continuations of one level, far more than any needs. Lambda's own detection of loops is off for this function, as a
/// level may go round its queue, so this bounds a loop that is a fault.
pub const MAX_HOPS: u32 = 10_000;
/// More subscriptions than are ever made within that time. Beyond it, some are only counted twice.
const MAX_SEEN: usize = 1_000;
/// An index is taken to lag for no longer. A demand mark stays so long after the newest subscriber, and the sweep looks
/// for those who subscribed so long before a level.
pub const MAX_INDEX_LAG: Duration = Duration::from_secs(24 * 3600);
/// Pages that are gone through before the first wave leaves: whoever is in it was counted and has a history then,
/// unless many more wait.
const PAGES_BEFORE_WAVE: u32 = 5;
/// SKUs of one message that are handled at the same time.
const SKUS_AT_ONCE: usize = 10;
/// Clocks of two machines differ by so much at most.
const SKEW: Duration = Duration::from_secs(5);

pub struct App {
    pub store: Store,
    pub queues: Queues,
    /// How long before a level a subscription may have been made that the index does not show yet. The index lags the
    /// table by about a second, but a subscription has the time at which it was asked for, and writing it may take as
    /// long as the function that does it has.
    pub lag: Duration,
    /// When a positive level is looked at again; longer than an index lags.
    pub second_look_after: Duration,
    pub automations: CachedAutomations,
    pub wave_policy: CachedWavePolicy,
    pub stops: CachedStops,
    /// How long entries of the integration log are kept.
    pub log_kept: Duration,
    /// How long an invocation goes on beginning pages; what is left goes back on the queue as continuations.
    pub budget: Duration,
    pub clock: fn() -> Timestamp,
}

impl App {
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        let until = Instant::now() + self.budget;
        consume(&self.queues, named::StockLevels, event, |record| self.process(record, until)).await
    }

    async fn process(&self, record: Record, until: Instant) -> Result<(), Failure> {
        match StockMessage::parse(&record.body)? {
            StockMessage::Continuation(continuation) => {
                self.match_level(*continuation, None, record.receives > 1, until).await
            }
            StockMessage::Sweep(sweep) => self.sweep(sweep, &record, until).await,
            StockMessage::Tick(tick) => self.tick(&tick, false, until).await,
            StockMessage::DueTicks(due) => self.due_ticks(due, until).await,
            StockMessage::Levels(levels) => self.take_levels(levels, &record, until).await,
        }
    }

    /// Handles the valid levels of a message, those of a SKU in their order. The others travel on alone once these are
    /// done, so that the message that is given up for them holds nothing else.
    async fn take_levels(
        &self,
        levels: Vec<Result<StockLevel, InvalidLevel>>,
        record: &Record,
        until: Instant,
    ) -> Result<(), Failure> {
        let skus = levels.iter().flatten().map(|level| level.sku.clone()).collect();
        let in_demand = self.store.in_demand(&skus).await?;
        let (mut invalid, mut reasons) = (Vec::new(), Vec::new());
        let mut of_skus: BTreeMap<Sku, Vec<(StockLevel, Arrival)>> = BTreeMap::new();
        let all = levels.len();
        for (index, level) in levels.into_iter().enumerate() {
            match level {
                Ok(level) => of_skus.entry(level.sku.clone()).or_default().push((level, record.arrival(index))),
                Err(InvalidLevel { sent, errors }) => {
                    reasons.extend(errors.into_iter().map(|error| error.inside(&format!("/{index}")).to_string()));
                    invalid.push(sent);
                }
            }
        }
        let sound = all - invalid.len();
        if sound == 0 && all > 0 {
            return Err(Failure::Malformed(reasons.join(" ")));
        }
        let of_skus = of_skus.into_iter().filter_map(|(sku, levels)| Some((in_demand.get(&sku)?, levels)));
        let taken = of_skus.map(|(mark, levels)| async move {
            for (level, arrival) in levels {
                self.take_level(level, arrival, mark, record.receives > 1, until).await?;
            }
            Ok(())
        });
        // What goes wrong with one SKU holds up no other.
        let taken: Vec<Result<(), Failure>> = stream::iter(taken).buffered(SKUS_AT_ONCE).collect().await;
        taken.into_iter().collect::<Result<(), Failure>>()?;
        restock_metrics::count(Metric::StockLevels, sound as u64);
        if invalid.is_empty() {
            return Ok(());
        }
        self.queues.send_invalid_levels(invalid).await.map_err(Failure::from)
    }

    async fn take_level(
        &self,
        level: StockLevel,
        arrival: Arrival,
        mark: &Mark,
        is_again: bool,
        until: Instant,
    ) -> Result<(), Failure> {
        match self.store.put_level(&level, &arrival, mark).await? {
            LevelWrite::Stored => {}
            LevelWrite::Outdated => {
                info!(sku = %level.sku, "A newer stock level is known; this one is not in force");
                self.note_interruption(&level).await?;
                return self.store.note_event(&level).await.map_err(Failure::from);
            }
            LevelWrite::Repeated { differs: false } => {
                info!(sku = %level.sku, "A stock level came again; it changes nothing");
                return Ok(());
            }
            LevelWrite::Repeated { differs: true } => {
                let event = level.event_id.as_ref().map(ToString::to_string);
                warn!(sku = %level.sku, event, "A stock level has the event id of another one, so it changes nothing");
                return Ok(());
            }
        }
        if level.quantity > 0 {
            self.begin_matching(level.clone(), arrival, is_again, until).await?;
        }
        self.store.note_event(&level).await.map_err(Failure::from)
    }

    /// Begins to go through the subscriptions that a level covers, and looks at those who wait for a wave on the way.
    async fn begin_matching(
        &self,
        level: StockLevel,
        arrival: Arrival,
        is_again: bool,
        until: Instant,
    ) -> Result<(), Failure> {
        let tick = WaveTick { sku: level.sku.clone(), scope: level.scope.clone(), hops: 0 };
        let lines = self.policies().await?.iter().map(|(owner, _)| owner.line()).collect();
        self.match_level(Continuation { lines, ..Continuation::new(level, arrival) }, Some(tick), is_again, until).await
    }

    /// Goes through the subscriptions that a level covers, from where the continuation says. A level that has just come
    /// has a tick. `is_again` says that a try before may have broken off, of which the log knows.
    async fn match_level(
        &self,
        mut matching: Continuation,
        mut tick: Option<WaveTick>,
        is_again: bool,
        until: Instant,
    ) -> Result<(), Failure> {
        correlate(correlation_in(&matching.arrival.id));
        let StockLevel { sku, scope, .. } = matching.level.clone();
        let received_at = matching.arrival.at;
        let arrival = matching.arrival.clone();
        let level = self.with_history(&matching.level, &arrival).await?;
        let mut met = Met::new(self, sku.clone(), &level, &arrival, !matching.second_look);
        if is_again
            && !matching.second_look
            && let Some(up_to) = self.store.counted_up_to(&met.key).await?
        {
            met = met.again(up_to);
        }
        let mut untold = Untold::of(&matching.untold);
        // Those that the first look may have missed were made shortly before the level.
        let since = matching.second_look.then_some(received_at - self.lag);
        while Instant::now() < until {
            let after = Some(std::mem::take(&mut matching.cursor)).filter(|cursor| !cursor.is_empty());
            let first_page = after.is_none();
            let found = self.store.matching(&sku, &scope, since, after, PAGE).await?;
            let nobody = first_page && found.subscriptions.is_empty();
            let just_made = |found: &Subscription| {
                found.here_since() >= received_at - self.lag && found.here_since() <= received_at + SKEW
            };
            let mut subscriptions = found.subscriptions;
            if matching.second_look {
                subscriptions.retain(|found| just_made(found) && !matching.seen.contains(&found.delivery));
            }
            let (page, lined_up) = (matching.page.into(), &mut matching.lined_up);
            let waiting = self.meet(&met, page, &subscriptions, &mut untold, lined_up).await?;
            if !matching.second_look {
                self.begin_lines(&mut matching, &waiting).await?;
                // An index may have shown whoever waits for a wave only after their line had begun.
                let waits = |found: &&Subscription| waiting.iter().any(|(_, one)| one.delivery == found.delivery);
                let seen = subscriptions.iter().filter(|found| just_made(found) && !waits(found));
                matching.seen.extend(seen.map(|found| found.delivery));
                matching.seen.truncate(MAX_SEEN);
            }
            let is_time = found.next.is_none() || matching.page + 1 >= PAGES_BEFORE_WAVE;
            if let Some(tick) = tick.take_if(|_| is_time) {
                self.tick(&tick, true, until).await?;
            }
            let Some(next) = found.next else {
                self.tell_log(&met, &mut untold).await;
                return self.look_again(matching, untold, nobody).await;
            };
            matching.cursor = next;
            matching.page += 1;
        }
        if let Some(tick) = tick {
            self.tick(&tick, true, until).await?;
        }
        self.send_on(Continuation { untold: untold.to_texts(), ..matching }, Duration::ZERO).await
    }

    /// Returns a level with the history of its scope, if that counts and no newer one has come.
    async fn with_history(&self, level: &StockLevel, arrival: &Arrival) -> Result<KnownLevel, restock_store::Error> {
        let mut known = Vec::new();
        let looks_back = |policy: &WavePolicy| policy.trigger == Trigger::Restock || !policy.hold_down.is_zero();
        if self.policies().await?.iter().any(|(_, policy)| looks_back(policy)) {
            known = self.store.levels_of(&level.sku).await?;
        }
        let without = KnownLevel {
            scope: level.scope.clone(),
            quantity: level.quantity,
            at: arrival.at,
            arrival: Some(arrival.clone()),
            history: StockHistory::beginning(level.quantity, arrival.at),
            earlier: Vec::new(),
        };
        let is_this = |known: &KnownLevel| known.scope == without.scope && known.arrival == without.arrival;
        Ok(known.into_iter().find(is_this).unwrap_or(without))
    }

    /// Has the lines of those who wait begun whose policy was not there yet when matching began.
    async fn begin_lines(&self, matching: &mut Continuation, waiting: &InLine) -> Result<(), Failure> {
        let StockLevel { sku, scope, .. } = &matching.level;
        let lines: BTreeSet<String> = waiting.iter().map(|(owner, _)| owner.line()).collect();
        if lines.is_subset(&matching.lines) {
            return Ok(());
        }
        self.tick_soon(sku, scope).await?;
        matching.lines.extend(lines);
        Ok(())
    }

    /// Queues the second look after a first one. A demand mark that brought a level here in vain is removed, unless
    /// somebody subscribed so recently that an index may not show it yet.
    async fn look_again(&self, matching: Continuation, untold: Untold, nobody: bool) -> Result<(), Failure> {
        let StockLevel { sku, scope, .. } = &matching.level;
        if matching.second_look {
            self.store.note_matched(sku, scope, &matching.arrival).await?;
            return untold.none_left();
        }
        if nobody && !self.store.anybody_waits(sku).await? {
            self.store.clear_demand(sku, (self.clock)() - MAX_INDEX_LAG).await?;
        }
        let second = Continuation { second_look: true, page: SECOND_LOOK, untold: untold.to_texts(), ..matching };
        self.send_on(second, self.second_look_after).await
    }

    /// Puts the rest of a level back on the queue.
    async fn send_on(&self, rest: Continuation, delay: Duration) -> Result<(), Failure> {
        if rest.hops >= MAX_HOPS {
            let reason = format!("the level was sent on {MAX_HOPS} times, which no level needs; send it again");
            return Err(Failure::Malformed(reason));
        }
        let rest = Continuation { hops: rest.hops + 1, ..rest };
        self.queues.send(&rest, delay).await.map_err(Failure::from)
    }
}
