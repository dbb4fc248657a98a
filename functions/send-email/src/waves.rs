//! Places in waves: each mail takes one just before it leaves, if anything bounds how many may.
//!
//! Whoever finds none is in no queue: they go back into their line, and a tick finds them.

use crate::App;
use crate::ended::{Later, Stop};
use jiff::Timestamp;
use restock_domain::waves::{ON_THE_WAY, PolicyOwner, WavePolicy, Waves};
use restock_domain::{Automation, DeliveryId, KnownLevel, Scope, Sku, Subscription};
use restock_queue::{Failure, Notification, Recipient, WaveShare, WaveTick};
use restock_store::{PlaceAsk, Tick, Waiting};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::info;

/// When the lines of those are looked at who found no place.
const LINE_LOOKED_AT_AFTER: Duration = Duration::from_secs(60);
/// Ticks and notifications that follow on each other without waiting, far more than any wave needs.
const MAX_HOPS_AT_ONCE: u32 = 1_000;

/// What bounds the mails of one message.
pub(crate) struct Bounds {
    /// Of the automation whose mails they are. Without one they are only counted, for mails that have one.
    policy: Option<(PolicyOwner, WavePolicy)>,
    /// The name of the settings by which those who come first are told apart.
    order: String,
    /// The shortest of all policies: after it a place may be free again for somebody, though for others it is taken.
    interval: Duration,
    places: Mutex<Places>,
}

/// Places of the recipients of a message.
#[derive(Default)]
struct Places {
    /// Taken, and not used yet.
    taken: HashMap<DeliveryId, Place>,
    used: HashMap<DeliveryId, Place>,
}

#[derive(Clone)]
struct Place {
    scope: Scope,
    taken: Timestamp,
}

/// What is to be written of a scope's wave.
#[derive(Default)]
struct Change<'a> {
    rejoin: Vec<&'a Subscription>,
    keep: Vec<(DeliveryId, Timestamp)>,
    give_back: Vec<Timestamp>,
    /// The first of the places that were used.
    first_used: Option<Timestamp>,
}

/// By scope; a message mostly has one.
#[derive(Default)]
struct Changes<'a>(Vec<(Scope, Change<'a>)>);

impl<'a> Changes<'a> {
    fn of(&mut self, scope: &Scope) -> &mut Change<'a> {
        let place = self.0.iter().position(|(known, _)| known == scope).unwrap_or(self.0.len());
        if place == self.0.len() {
            self.0.push((scope.clone(), Change::default()));
        }
        &mut self.0[place].1
    }

    /// Lets those back into their line who found no place, or may not be sent to for now. Returns the others, who are
    /// put off.
    fn let_back(
        &mut self,
        bound: bool,
        share: Option<&WaveShare>,
        waiting: &'a [(Recipient, Waiting)],
        later: Vec<(Recipient, Later)>,
    ) -> Vec<(Recipient, Later)> {
        let mut rest = Vec::new();
        for (recipient, when) in later {
            let scope = match (&when, share) {
                (Later::NextWave(scope), _) => Some(scope.clone()),
                (Later::Stopped(_), Some(share)) => Some(share.scope.clone()),
                _ => None,
            };
            let found = waiting.iter().find(|(waiting, _)| *waiting == recipient);
            match (scope.filter(|_| bound), found) {
                (Some(scope), Some((_, waiting))) => self.of(&scope).rejoin.push(&waiting.subscription),
                _ => rest.push((recipient, when)),
            }
        }
        rest
    }

    /// Says what becomes of each place: it was used, it is kept for somebody who is put off, or it is given back.
    fn end_places(
        &mut self,
        mut taken: HashMap<DeliveryId, Place>,
        used: &HashMap<DeliveryId, Place>,
        share: Option<&WaveShare>,
        put_off: &[(Recipient, Later)],
    ) {
        for (recipient, _) in put_off {
            // One that only the message of its wave would give back may be kept, if nothing comes of its mail.
            if let Some((delivery, place)) = taken.remove_entry(&recipient.delivery) {
                let change = self.of(&place.scope);
                match share.is_some_and(|share| share.scope == place.scope) {
                    true => change.keep.push((delivery, place.taken)),
                    false => change.give_back.push(place.taken),
                }
            }
        }
        taken.values().for_each(|Place { scope, taken }| self.of(scope).give_back.push(*taken));
        for Place { scope, taken } in used.values() {
            let first = &mut self.of(scope).first_used;
            *first = Some(first.map_or(*taken, |first| first.min(*taken)));
        }
        if let Some(share) = share {
            self.of(&share.scope);
        }
    }
}

impl Bounds {
    /// Returns the message's part of a wave, if its mails are bounded.
    pub fn share<'a>(&'a self, notification: &'a Notification) -> Option<(&'a PolicyOwner, &'a WaveShare)> {
        self.policy.as_ref().map(|(owner, _)| owner).zip(notification.wave.as_ref())
    }

    /// Returns true if the mail's place counts from a moment before which its request may not have left.
    pub fn is_late(&self, subscription: &Subscription, now: Timestamp) -> bool {
        self.lock().taken.get(&subscription.delivery).is_some_and(|place| now + ON_THE_WAY > place.taken)
    }

    /// Notes that a mail has left, or may have.
    pub fn note_used(&self, delivery: DeliveryId) {
        let mut places = self.lock();
        let place = places.taken.remove(&delivery);
        places.used.extend(place.map(|place| (delivery, place)));
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Returns what bounds the mails of a message; `None` while nothing bounds any.
    pub(crate) async fn bounds(&self, automation: Option<&Automation>) -> Result<Option<Bounds>, restock_store::Error> {
        let shop = self.wave_policy.current().await?;
        let automations = self.automations.current().await?;
        let waves = Waves { shop: (*shop).as_ref(), automations: &automations };
        let Some(interval) = waves.all().iter().map(|(_, policy)| policy.interval).min() else { return Ok(None) };
        let bound = automation.and_then(|automation| waves.of(automation));
        let order = bound.as_ref().map(|(_, policy)| waves.order(policy)).unwrap_or_default();
        let policy = bound.map(|(owner, policy)| (owner, policy.clone()));
        Ok(Some(Bounds { policy, order, interval, places: Mutex::default() }))
    }

    /// Takes a place for a mail that leaves now, and returns false if there is none.
    pub(crate) async fn take_place(
        &self,
        bounds: &Bounds,
        subscription: &Subscription,
        share: Option<&WaveShare>,
        level: KnownLevel,
    ) -> Result<bool, restock_store::Error> {
        let (delivery, scope) = (subscription.delivery, level.scope.clone());
        let policy = bounds.policy.as_ref().map(|(_, policy)| policy.clone());
        let since = share.and_then(|share| share.since.get(&delivery)).unwrap_or(&subscription.created_on);
        // Whoever had their turn by other settings comes last.
        let pass = share.filter(|share| share.order == bounds.order).map_or(u32::MAX, |share| share.pass);
        let turn = (pass, *since);
        let ask = PlaceAsk { delivery, turn, level, policy, now: (self.settings.clock)() };
        let Some(taken) = self.store.take_place(&subscription.sku, &scope, ask).await? else { return Ok(false) };
        bounds.lock().taken.insert(delivery, Place { scope, taken });
        Ok(true)
    }

    /// Lets all recipients of a message wait in their line, as nothing may be sent for now.
    pub(crate) async fn wait_in_line(
        &self,
        stop: Stop,
        (owner, share): (&PolicyOwner, &WaveShare),
        notification: &Notification,
    ) -> Result<(), Failure> {
        let mut all = Vec::new();
        for notification in [notification].into_iter().chain(&notification.then) {
            all.extend(self.waiting(notification).await?);
        }
        let now = (self.settings.clock)();
        let rejoined = self.store.change_wave(&notification.sku, &share.scope, now, |wave| {
            wave.note_handled(&share.id, 0, now);
            for (recipient, waiting) in &all {
                wave.give_up(recipient.delivery);
                wave.rejoin(owner, &share.scope, &waiting.subscription);
            }
        });
        rejoined.await?;
        info!(sku = %notification.sku, reason = stop.reason(), "Mails wait in their line");
        let tick = Tick { sku: notification.sku.clone(), scope: share.scope.clone() };
        self.store.put_tick(&tick, now + self.stopped_for(stop), now).await.map_err(Failure::from)
    }

    /// Ends the message's part of a wave: gives back what was not used, and lets those back into their line who found
    /// no place or may not be sent to for now. Returns who is still to be put off.
    pub(crate) async fn end_share(
        &self,
        bounds: &Bounds,
        notification: &Notification,
        waiting: &[(Recipient, Waiting)],
        later: Vec<(Recipient, Later)>,
    ) -> Result<Vec<(Recipient, Later)>, Failure> {
        let Places { taken, used } = std::mem::take(&mut *bounds.lock());
        let owner = bounds.policy.as_ref().map(|(owner, _)| owner);
        let share = notification.wave.as_ref();
        let mut changes = Changes::default();
        let stopped = later.iter().rev().find_map(|(_, when)| match when {
            Later::Stopped(stop) => Some(*stop).filter(|_| share.is_some()),
            _ => None,
        });
        let rest = changes.let_back(owner.is_some(), share, waiting, later);
        changes.end_places(taken, &used, share, &rest);
        let in_queue: HashSet<DeliveryId> = rest.iter().map(|(recipient, _)| recipient.delivery).collect();
        let is_done =
            |recipient: &&Recipient| !used.contains_key(&recipient.delivery) && !in_queue.contains(&recipient.delivery);
        let done: Vec<DeliveryId> =
            notification.recipients.iter().filter(is_done).map(|recipient| recipient.delivery).collect();
        // Whoever has used a place, or only waits for a record, takes none. Somebody else's claim may come to nothing.
        let may_take = rest
            .iter()
            .filter(|(recipient, when)| !matches!(when, Later::Record(_)) && !used.contains_key(&recipient.delivery));
        let may_take: Vec<DeliveryId> = may_take.map(|(recipient, _)| recipient.delivery).collect();
        let now = (self.settings.clock)();
        for (scope, Change { rejoin, keep, give_back, first_used }) in &changes.0 {
            let share = share.filter(|share| share.scope == *scope);
            let changed = self.store.change_wave(&notification.sku, scope, now, |wave| {
                keep.iter().for_each(|(delivery, taken)| wave.keep(*delivery, *taken));
                give_back.iter().for_each(|taken| wave.taken.give_back(*taken));
                done.iter().for_each(|delivery| wave.give_up(*delivery));
                if let Some(share) = share {
                    let on_the_way = may_take.iter().filter(|delivery| !wave.has_kept(**delivery)).count();
                    wave.note_handled(&share.id, on_the_way, now);
                }
                if let Some(owner) = owner {
                    rejoin.iter().for_each(|subscription| wave.rejoin(owner, scope, subscription));
                }
                (wave.is_awaited(), wave.has_room_again())
            });
            let (is_awaited, has_room_again) = changed.await?;
            if let (Some(first), true) = (first_used, is_awaited) {
                let tick = Tick { sku: notification.sku.clone(), scope: scope.clone() };
                self.store.put_tick(&tick, *first + bounds.interval, now).await?;
            }
            // Those of its own who took their place elsewhere left one too.
            let went_elsewhere = used.values().any(|place| place.scope != *scope);
            let is_left = share.is_some() && (!done.is_empty() || went_elsewhere);
            // Whoever makes room has got on, so that its hops do not add up.
            let hops = if has_room_again { 0 } else { notification.hops + 1 };
            if is_left || has_room_again || !give_back.is_empty() {
                self.wake(&notification.sku, scope, hops, stopped).await?;
            } else if !rejoin.is_empty() {
                // Even if whoever keeps the lines knows nothing of the policy yet.
                let tick = Tick { sku: notification.sku.clone(), scope: scope.clone() };
                self.store.put_tick(&tick, now + LINE_LOOKED_AT_AFTER, now).await?;
            }
        }
        Ok(rest)
    }

    /// Sees to it that somebody else may take a place that is free: at once, or when mails may leave again.
    async fn wake(&self, sku: &Sku, scope: &Scope, hops: u32, stopped: Option<Stop>) -> Result<(), Failure> {
        let (sku, scope) = (sku.clone(), scope.clone());
        let wait = match stopped {
            Some(stop) => self.stopped_for(stop),
            None if hops > MAX_HOPS_AT_ONCE => WavePolicy::DEFAULT_INTERVAL,
            None => {
                info!(%sku, "A place in a wave is free");
                let tick = WaveTick { sku, scope, hops };
                return self.queues.send(&tick, Duration::ZERO).await.map_err(Failure::from);
            }
        };
        let (tick, now) = (Tick { sku, scope }, (self.settings.clock)());
        self.store.put_tick(&tick, now + wait, now).await.map_err(Failure::from)
    }
}
