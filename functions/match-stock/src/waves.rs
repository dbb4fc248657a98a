//! Waves: lets as many of those who wait leave as there are places for, oldest first.
//!
//! A sender takes the places. What is counted here is how many it may take, so that nobody is asked to leave before
//! somebody older; a sender that could not use one says so by a tick.

use crate::line::Choice;
use crate::look::Look;
use crate::meet::{InLine, notifications};
use crate::{App, MAX_HOPS};
use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_domain::automation::Verdict;
use restock_domain::waves::{Leave, PolicyOwner, Trigger, WavePolicy, Waves};
use restock_domain::{Automation, ContactId, DeliveryId, STOPPED, Scope, Sku, StockLevel, Subscription};
use restock_matching::MIN_READ;
use restock_queue::{DueTicks, Failure, Notification, WaveShare, WaveTick, correlate, correlation_in};
use restock_store::{Course, Decided, Line, LogKey, Tick, Wave};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, error, error_span, info, warn};
use uuid::Uuid;

/// Ticks that are read at a time.
const TICKS_READ: i32 = 100;
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(300);
/// As long as settings may be remembered at most (`AutomationsKeptSeconds`).
pub const KNOWN_AFTER: Duration = Duration::from_secs(60);
/// When is looked again at who waits while nothing may be sent.
const STOPPED_FOR: Duration = Duration::from_secs(60);

/// Where a look at a line came to.
enum Looked {
    /// Nobody is left to wait for a tick: whoever still waits needs another level.
    Through,
    /// Somebody may leave then at the earliest.
    Until(Timestamp),
    OutOfTime,
}

impl App {
    /// Handles the ticks that are due. One that can't be handled now is tried again, after others.
    pub(crate) async fn due_ticks(&self, due_ticks: DueTicks, until: Instant) -> Result<(), Failure> {
        let due = self.store.due_ticks((self.clock)(), TICKS_READ).await?;
        let all = due.len();
        let mut handled = 0;
        for due in due.into_iter().take_while(|_| Instant::now() < until) {
            let Tick { sku, scope } = due.tick;
            let tick = WaveTick { sku: sku.clone(), scope: scope.clone(), hops: 0 };
            let span = error_span!("tick", correlation = Empty);
            match self.tick(&tick, false, until).instrument(span).await {
                Ok(()) => handled += 1,
                Err(failure) => {
                    error!(%sku, ?failure, "A tick of a wave will be tried again");
                    let now = (self.clock)();
                    self.store.put_tick(&Tick { sku, scope }, now + TRIED_AGAIN_AFTER, now).await?;
                }
            }
            self.store.remove_tick(&due.id).await?;
        }
        if handled > 0 && (all == TICKS_READ as usize || handled < all) {
            let hops = due_ticks.hops + 1;
            if hops > MAX_HOPS {
                let reason = format!("due ticks were sent on {MAX_HOPS} times, which none needs; the schedule goes on");
                return Err(Failure::Malformed(reason));
            }
            let sent = self.queues.send(&DueTicks { hops }, Duration::ZERO).await;
            return sent.map_err(Failure::from);
        }
        Ok(())
    }

    /// Looks at those who wait for a wave of a scope, and lets as many leave as there are places for. Before somebody
    /// else may leave, a tick is due. `is_new` says that the scope's level has just come.
    pub(crate) async fn tick(&self, tick: &WaveTick, is_new: bool, until: Instant) -> Result<(), Failure> {
        let automations = self.automations.current().await?;
        let shop = self.wave_policy.current().await?;
        let waves = Waves { shop: (*shop).as_ref(), automations: &automations };
        let mut policies = waves.all();
        if policies.is_empty() {
            return Ok(());
        }
        let levels = self.store.levels_of(&tick.sku).await?;
        let known = levels.iter().find(|level| level.scope == tick.scope && level.quantity > 0);
        let Some((level, arrival)) = known.and_then(|level| Some((level, level.arrival.as_ref()?))) else {
            return Ok(());
        };
        correlate(correlation_in(&arrival.id));
        let mut due: Option<Timestamp> = None;
        // Each has its turn to be the first at places that all of them may have.
        fastrand::shuffle(&mut policies);
        for (owner, policy) in &policies {
            let look = Look { tick, level, arrival, levels: &levels, waves, owner, policy, is_new };
            match self.look(&look, until).await? {
                Looked::Through => {}
                Looked::Until(at) => due = Some(due.map_or(at, |due| due.min(at))),
                Looked::OutOfTime => return self.go_on(tick).await,
            }
        }
        if let Some(at) = due {
            let tick = Tick { sku: tick.sku.clone(), scope: tick.scope.clone() };
            self.store.put_tick(&tick, at, (self.clock)()).await?;
        }
        Ok(())
    }

    /// Returns the policies in force.
    pub(crate) async fn policies(&self) -> Result<Vec<(PolicyOwner, WavePolicy)>, restock_store::Error> {
        let automations = self.automations.current().await?;
        let shop = self.wave_policy.current().await?;
        let waves = Waves { shop: (*shop).as_ref(), automations: &automations };
        Ok(waves.all().into_iter().map(|(owner, policy)| (owner, policy.clone())).collect())
    }

    /// Lets the lines begin again for which an older level, handled only now, makes the newest one a restock: whoever
    /// subscribed before it was refused.
    pub(crate) async fn note_interruption(&self, older: &StockLevel) -> Result<(), Failure> {
        let mut policies = self.policies().await?;
        policies.retain(|(_, policy)| policy.trigger == Trigger::Restock && older.quantity < policy.minimum);
        if policies.is_empty() {
            return Ok(());
        }
        let begun = self.store.change_wave(&older.sku, &older.scope, (self.clock)(), |wave| {
            policies.iter().for_each(|(owner, _)| wave.begin_again(owner));
        });
        begun.await?;
        self.tick_soon(&older.sku, &older.scope).await
    }

    /// Lets those who wait back into their lines, at their places, and has the lines looked at.
    pub(crate) async fn rejoin(&self, sku: &Sku, scope: &Scope, wait: &InLine) -> Result<(), Failure> {
        if wait.is_empty() {
            return Ok(());
        }
        let rejoined = self.store.change_wave(sku, scope, (self.clock)(), |wave| {
            wait.iter().for_each(|(owner, subscription)| wave.rejoin(owner, scope, subscription));
        });
        rejoined.await?;
        self.tick_soon(sku, scope).await
    }

    /// Has the lines of a scope looked at: at once, and again when every instance knows the policies that are in force
    /// now.
    pub(crate) async fn tick_soon(&self, sku: &Sku, scope: &Scope) -> Result<(), Failure> {
        let (now, tick) = ((self.clock)(), Tick { sku: sku.clone(), scope: scope.clone() });
        self.store.put_tick(&tick, now + KNOWN_AFTER, now).await?;
        let tick = WaveTick { sku: sku.clone(), scope: scope.clone(), hops: 0 };
        self.queues.send(&tick, Duration::ZERO).await.map_err(Failure::from)
    }

    /// Goes through the line of one policy while there are places.
    async fn look(&self, look: &Look<'_>, until: Instant) -> Result<Looked, Failure> {
        let (WaveTick { sku, scope, .. }, Look { level, owner, policy, .. }) = (look.tick, look);
        let key = LogKey::new(sku.clone(), look.arrival);
        let course = Course { entry: key.entry.clone(), order: look.waves.order(policy) };
        let mut reach = 0;
        loop {
            let now = (self.clock)();
            let wave = self.store.wave(sku, scope).await?;
            if wave.misses_any(now) {
                self.store.change_wave(sku, scope, now, |_| ()).await?;
                continue;
            }
            let seen = wave.line_on(owner, &course);
            let is_over = |line: &Line| line.groups.is_empty() && line.follows;
            let pass = seen.map_or(0, |line| line.pass + u32::from(is_over(line)));
            let groups = match seen.filter(|line| !is_over(line)) {
                Some(line) => line.groups.clone(),
                None => {
                    let groups = self.store.groups(sku, scope).await?;
                    groups.into_iter().map(|group| (group, None)).collect()
                }
            };
            // Whoever has places sees to it that a tick comes when one is free again; this one is for those who are
            // lost.
            let on_the_way = wave.waits_until(now);
            if groups.is_empty() {
                return Ok(on_the_way.map_or(Looked::Through, Looked::Until));
            }
            if let Some(begins) = policy.begins(pass, level).filter(|begins| *begins > now) {
                return Ok(Looked::Until(begins));
            }
            let promised = wave.given(owner, &course, now);
            let places = match policy.leave(level, &wave.taken, promised, now) {
                Leave::NotAtThisStock => return Ok(Looked::Through),
                Leave::AllPromised => {
                    let begun = Line { course: course.clone(), groups, pass, follows: pass < policy.last_pass() };
                    // Whoever has the places has a tick put only if somebody is known to wait.
                    let begin = |wave: &mut Wave| wave.go_on(owner, None, begun.clone());
                    if seen.is_none() && !self.store.change_wave(sku, scope, now, begin).await? {
                        continue;
                    }
                    return Ok(on_the_way.map_or(Looked::Through, Looked::Until));
                }
                Leave::NotBefore(at) => return Ok(Looked::Until(on_the_way.map_or(at, |until| at.min(until)))),
                Leave::Now(places) => places,
            };
            if wave.is_crowded() && self.store.change_wave(sku, scope, now, Wave::wait_for_room).await? {
                return Ok(on_the_way.map_or(Looked::Through, Looked::Until));
            }
            if Instant::now() >= until {
                return Ok(Looked::OutOfTime);
            }
            // Whoever is chosen would only be sent back.
            if self.is_stopped(sku, now).await? {
                return Ok(Looked::Until(now + STOPPED_FOR));
            }
            let Choice { mut accepted, refused, groups } = self.choose(look, pass, &groups, places, reach).await?;
            if accepted.is_empty() {
                reach = 2 * reach.max(MIN_READ);
            }
            let [of_line, of_others] = self.answered_too(look, &accepted).await?;
            accepted.extend(of_line);
            let messages = messages(look, &course, pass, [&accepted, &of_others]);
            let gone_on = self.store.change_wave(sku, scope, now, |wave| {
                let follows = pass < policy.last_pass();
                let next = Line { course: course.clone(), groups: groups.clone(), pass, follows };
                let gone_on = wave.go_on(owner, seen, next);
                for message in messages.iter().filter(|_| gone_on) {
                    let id = message.wave.as_ref().map_or("", |share| &share.id);
                    wave.give(owner, id, message.recipients.len(), policy.interval, now);
                }
                gone_on
            });
            // Somebody else was faster, or somebody has come back into the line.
            if !gone_on.await? {
                continue;
            }
            if !look.is_new {
                self.explain(&key, &refused).await;
            }
            if !accepted.is_empty() {
                info!(%sku, quantity = level.quantity, leave = accepted.len(), "A wave leaves");
            }
            if let Err(failure) = self.queue(messages).await {
                // If this can't be undone, they are met again once nobody waits for the messages any more.
                let again = self.store.change_wave(sku, scope, now, |wave| wave.begin_again(owner)).await;
                again?;
                return Err(failure);
            }
        }
    }

    /// Writes down for support why those are refused now who waited in line.
    async fn explain(&self, key: &LogKey, refused: &[(Subscription, Verdict)]) {
        let decided = refused.iter().map(|(subscription, verdict)| Decided {
            subscription,
            verdict: verdict.clone(),
            place: None,
        });
        if let Err(error) = self.store.log_not_sent(key, decided.collect(), self.log_kept).await {
            warn!(sku = %key.sku, error = %DisplayErrorChain::new(&error), "Histories will lack why some were refused");
        }
    }

    /// Returns true if no mail about a SKU may leave for now.
    async fn is_stopped(&self, sku: &Sku, now: Timestamp) -> Result<bool, restock_store::Error> {
        if self.stops.of(sku).await?.pause().is_some() {
            info!(%sku, reason = STOPPED, "A line waits");
            return Ok(true);
        }
        // Senders read it when they are asked to send, so an old reading says nothing.
        let reading = self.store.send_quota().await?.filter(|reading| reading.is_fresh(now));
        Ok(reading.is_some_and(|reading| reading.stopped_on.is_some()))
    }

    async fn go_on(&self, tick: &WaveTick) -> Result<(), Failure> {
        if tick.hops >= MAX_HOPS {
            let reason = format!("the tick was sent on {MAX_HOPS} times, which none needs; the next level starts over");
            return Err(Failure::Malformed(reason));
        }
        let tick = WaveTick { hops: tick.hops + 1, ..tick.clone() };
        self.queues.send(&tick, Duration::ZERO).await.map_err(Failure::from)
    }
}

/// Returns what asks senders to mail those whom a pass through a line has accepted, `of_others` as answered by the same
/// mails.
fn messages(
    look: &Look<'_>,
    course: &Course,
    pass: u32,
    [accepted, of_others]: [&[(Subscription, &Automation)]; 2],
) -> Vec<Notification> {
    let WaveTick { sku, scope, hops } = look.tick;
    let [accepted, of_others] = [accepted, of_others]
        .map(|found| found.iter().map(|(found, automation)| (found, *automation)).collect::<Vec<_>>());
    let mut messages = notifications(&accepted, &of_others, &LogKey::new(sku.clone(), look.arrival));
    let since = waited_since(&accepted);
    for message in &mut messages {
        let since = message.recipients.iter().filter_map(|one| since.get_key_value(&one.delivery));
        let since = since.map(|(delivery, since)| (*delivery, *since)).collect();
        let (scope, id, order) = (scope.clone(), Uuid::new_v4().to_string(), course.order.clone());
        message.wave = Some(WaveShare { scope, id, pass, order, since });
        message.hops = hops + 1;
    }
    messages
}

/// Returns since when those have waited who wait with an older subscription besides: their newest one is mailed.
fn waited_since(accepted: &[(&Subscription, &Automation)]) -> BTreeMap<DeliveryId, Timestamp> {
    let mut oldest: HashMap<ContactId, Timestamp> = HashMap::new();
    for (found, _) in accepted {
        let since = oldest.entry(found.contact_id).or_insert(found.created_on);
        *since = found.created_on.min(*since);
    }
    let since = accepted.iter().map(|(found, _)| (found, oldest[&found.contact_id]));
    since.filter(|(found, since)| *since < found.created_on).map(|(found, since)| (found.delivery, since)).collect()
}
