//! Serves `GET /inventory/backinstock/subscriptions/{subscriptionId}/history` and `GET /contacts/{contactId}/history`.
//!
//! A history is put together from what was written down when it happened: the record of the delivery, the log's entries
//! of the levels that covered the subscription, and for each of them what was decided. Only what is said of those that
//! still wait is about now.

mod happened;
mod instance;
mod sentences;
mod what;
mod why;

use futures::future::try_join_all;
use happened::Happened;
use instance::{Instance, Level, Levels};
use jiff::Timestamp;
use restock_api::history::{
    DEFAULT_ENTRIES, History, MAX_ENTRIES, ShowContactHistory, ShowSubscriptionHistory, StillWaiting,
};
use restock_api::subscriptions::MAX_AHEAD;
use restock_api::{ErrorCode, Problem};
use restock_domain::automation::ask_for_consent;
use restock_domain::{ContactId, SubscriptionId, Waves};
use restock_http::{Call, Failure, Handles, Reply, limit};
use restock_store::Store;
use std::cmp::Reverse;
use std::time::Duration;
use what::Automations;

/// Subscriptions that still wait and are explained.
const MAX_WAITING: usize = 20;
/// Subscriptions that are looked at at the same time.
const IN_FLIGHT: usize = 8;

pub struct App {
    pub store: Store,
    /// How long entries of the log are kept.
    pub log_kept: Duration,
    pub clock: fn() -> Timestamp,
}

/// Tells what happened to a subscription, even if its mail has used it up.
impl Handles<ShowSubscriptionHistory> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ShowSubscriptionHistory>, Failure> {
        let not_found = || {
            let detail = "There is no subscription with this id, and no mail has used one up since the log begins. One that somebody \
                          ended, or that expired, has no history.";
            Problem::not_found(ErrorCode::SubscriptionNotFound, detail)
        };
        let id = SubscriptionId::parse(call.parameter("subscriptionId")).map_err(|_| not_found())?;
        let mut instances = self.instances(id.contact_id).await?.ok_or_else(not_found)?;
        instances.retain(|instance| instance.subscription.id() == id);
        if instances.is_empty() {
            return Err(not_found().into());
        }
        Ok(Reply::new(self.history(&call, &instances).await?))
    }
}

/// Tells what happened to the subscriptions of a contact.
impl Handles<ShowContactHistory> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ShowContactHistory>, Failure> {
        let id = call.path_parameter::<ContactId>()?;
        let instances = self.instances(id).await?.ok_or_else(Problem::no_contact)?;
        Ok(Reply::new(self.history(&call, &instances).await?))
    }
}

impl App {
    /// Returns those subscriptions of a contact that wait and those that a mail used up, the newest first; `None` if
    /// there is no such contact.
    async fn instances(&self, contact: ContactId) -> Result<Option<Vec<Instance>>, Failure> {
        let (found, waiting, records) = tokio::try_join!(
            self.store.contact(contact),
            self.store.subscriptions_of(contact),
            self.store.deliveries_of(contact)
        )?;
        Ok(found.map(|_| Instance::all(waiting, records, (self.clock)())))
    }

    async fn history(&self, call: &Call, instances: &[Instance]) -> Result<History, Failure> {
        let limit = call.parsed_query("limit", |raw| limit(raw, MAX_ENTRIES))?.unwrap_or(DEFAULT_ENTRIES);
        let before = call.position(happened::is_position)?;
        let entry = before.as_deref().map(happened::entry_of);

        let mut read = Vec::with_capacity(instances.len());
        for some in instances.chunks(IN_FLIGHT) {
            // One more, as the page before may have ended between what one level brought about.
            let levels = some.iter().map(|instance| self.levels(instance, entry, limit + 1));
            read.extend(try_join_all(levels).await?);
        }
        let waiting = if before.is_none() { self.still_waiting(&read, instances).await? } else { Vec::new() };
        // Where levels were left out, nothing older is told before they are.
        let mut horizon = read.iter().filter_map(|levels| levels.horizon.clone()).max();
        let mut levels: Vec<Level<'_>> = read.into_iter().flat_map(|levels| levels.levels).collect();
        levels.sort_by(|one, other| other.key.entry.cmp(&one.key.entry));
        // Those of one entry are told together, and of the entry in which the page before ended all may be told
        // already.
        let told = levels.iter().filter(|level| Some(level.key.entry.as_str()) == entry).count();
        let last = levels.get(limit + told).map(|level| level.key.entry.clone());
        horizon = horizon.max(last);
        levels.retain(|level| horizon.as_ref().is_none_or(|horizon| level.key.entry >= *horizon));

        let mut all: Vec<Happened<'_>> = instances.iter().flat_map(Instance::events).collect();
        for some in levels.chunks(IN_FLIGHT) {
            all.extend(try_join_all(some.iter().map(|level| self.decided(level))).await?.into_iter().flatten());
        }
        all.retain(|one| before.as_ref().is_none_or(|before| one.position() < *before));
        let found = all.len();
        all.retain(|one| horizon.as_ref().is_none_or(|horizon| one.position() >= *horizon));
        all.sort_by_key(|one| Reverse(one.position()));
        let more = all.len() > limit || all.len() < found || horizon.is_some();
        all.truncate(limit);
        let last = all.last().map(Happened::position).or(horizon);
        let cursor = last.filter(|_| more).map(|last| call.to_cursor(&last));
        let automations = Automations::of(&self.store, all.iter().map(|one| &one.what)).await?;
        let entries = all.iter().map(|one| one.entry(&automations)).collect();
        Ok(History { waiting, entries, cursor })
    }

    /// Says of those that still wait why no mail has come.
    async fn still_waiting(&self, read: &[Levels<'_>], instances: &[Instance]) -> Result<Vec<StillWaiting>, Failure> {
        let mut said = Vec::new();
        let automations = self.store.automations().await?;
        let policy = self.store.wave_policy().await?.map(|stored| stored.policy);
        let (now, waves) = ((self.clock)(), Waves { shop: policy.as_ref(), automations: &automations });
        let reading = self.store.send_quota().await?.filter(|reading| reading.is_fresh(now));
        let is_used_up = reading.is_some_and(|reading| reading.stopped_on.is_some());
        for (instance, levels) in instances.iter().zip(read).filter(|(instance, _)| instance.waits).take(MAX_WAITING) {
            let feeds = self.store.feeds_for(&instance.subscription.locale);
            let mut prospect = self.store.prospect(&instance.subscription, feeds, now).await?;
            prospect.outlook.asks_for_consent = ask_for_consent(&automations);
            let mut newest = None;
            if let Some(level) = levels.levels.first() {
                newest = self.decided(level).await?.into_iter().next();
            }
            let was_refused = levels.levels.first().is_some_and(|level| instance.was_refused_for(level));
            let levels = self.store.levels_of(&instance.subscription.sku).await?;
            let mut ahead = None;
            if newest.as_ref().is_some_and(Happened::is_in_line) {
                ahead = Some(self.store.ahead_of(&instance.subscription, MAX_AHEAD).await?);
            }
            let stops = self.store.stops(&instance.subscription.sku).await?;
            let stopped = match stops.pause() {
                Some(_) if stops.is_held() => Some(why::HELD),
                Some(_) => Some(why::PAUSED),
                None => is_used_up.then_some(why::QUOTA_USED_UP),
            };
            let outlook = &prospect.outlook;
            let facts = why::Now { at: now, outlook, levels: &levels, waves, stopped, was_refused, ahead };
            let text = why::why_none_came(&instance.subscription, &facts, newest.as_ref().map(|newest| &newest.what));
            said.push(StillWaiting { subscription: instance.subscription.clone().into(), text });
        }
        Ok(said)
    }
}
