//! Serves `GET /inventory/backinstock/subscriptions/{subscriptionId}/history` and `GET /contacts/{contactId}/history`.
//!
//! A history is put together from what was written down when it happened: the record of the delivery, the log's entries
//! of the levels that covered the subscription, and for each of them what was decided. Only what is said of those that
//! still wait is about now.

mod happened;
mod instance;
mod sentences;

use futures::future::try_join_all;
use happened::{Automations, Happened};
use instance::{Instance, Past};
use jiff::Timestamp;
use restock_api::history::{
    DEFAULT_ENTRIES, History, MAX_ENTRIES, ShowContactHistory, ShowSubscriptionHistory, StillWaiting,
};
use restock_api::{ErrorCode, Problem};
use restock_domain::{ContactId, SubscriptionId, SubscriptionKey};
use restock_http::{Call, Failure, Handles, Reply, limit, position, to_cursor};
use restock_store::Store;
use std::cmp::Reverse;
use std::time::Duration;

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
            let detail = "There is no subscription with this id, and none was used up by a mail while the log was kept. \
                          One that somebody ended has no history.";
            Problem::not_found(ErrorCode::SubscriptionNotFound, detail)
        };
        let id = SubscriptionId::parse(call.parameter("subscriptionId")).map_err(|_| not_found())?;
        let instances = self.instances(id.contact_id, Some(id.key)).await?;
        if instances.is_empty() {
            return Err(not_found().into());
        }
        Ok(Reply::new(self.history(&call, instances).await?))
    }
}

/// Tells what happened to the subscriptions of a contact.
impl Handles<ShowContactHistory> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ShowContactHistory>, Failure> {
        let id = call.parsed_parameter("contactId", ContactId::parse)?;
        if self.store.contact(id).await?.is_none() {
            return Err(Problem::no_contact().into());
        }
        let instances = self.instances(id, None).await?;
        Ok(Reply::new(self.history(&call, instances).await?))
    }
}

impl App {
    /// Returns those subscriptions of a contact that wait and those that a mail used up, the newest first; of one key if
    /// one is given, and none if the contact was erased.
    async fn instances(&self, contact: ContactId, key: Option<SubscriptionKey>) -> Result<Vec<Instance>, Failure> {
        let (found, waiting, records) = tokio::try_join!(
            self.store.contact(contact),
            self.store.subscriptions_of(contact),
            self.store.deliveries_of(contact)
        )?;
        if found.is_none() {
            return Ok(Vec::new());
        }
        let now = (self.clock)();
        let mut instances = Instance::all(waiting, records, now);
        instances.retain(|instance| key.is_none_or(|key| instance.subscription.id().key == key));
        Ok(instances)
    }

    async fn history(&self, call: &Call, instances: Vec<Instance>) -> Result<History, Failure> {
        let limit = call.parsed_query("limit", |raw| limit(raw, MAX_ENTRIES))?.unwrap_or(DEFAULT_ENTRIES);
        let before = call.parsed_query("cursor", |raw| position(raw, happened::is_position))?;
        let before = before.as_deref();

        let mut read: Vec<Past<'_>> = Vec::with_capacity(instances.len());
        for some in instances.chunks(IN_FLIGHT) {
            read.extend(try_join_all(some.iter().map(|instance| self.past(instance, before, limit))).await?);
        }
        let waiting = if before.is_none() { self.still_waiting(&instances, &read).await? } else { Vec::new() };
        // Of a subscription whose levels were not all looked at, nothing older is told before they were.
        let horizon = read.iter().filter_map(|past| past.horizon.clone()).max();
        let mut all: Vec<Happened<'_>> = read.into_iter().flat_map(|past| past.happened).collect();
        all.retain(|one| before.is_none_or(|before| *one.position() < *before));
        let found = all.len();
        all.retain(|one| horizon.as_ref().is_none_or(|horizon| one.position() >= *horizon));
        all.sort_by_key(|one| Reverse(one.position()));
        let more = all.len() > limit || all.len() < found || horizon.is_some();
        all.truncate(limit);
        let last = all.last().map(Happened::position).or(horizon);
        let cursor = last.filter(|_| more).map(|last| to_cursor(&last));
        let automations = Automations::of(&self.store, &all).await?;
        let entries = all.iter().map(|one| one.entry(&automations)).collect();
        Ok(History { waiting, entries, cursor })
    }

    /// Says of those that still wait why no mail has come.
    async fn still_waiting(&self, instances: &[Instance], past: &[Past<'_>]) -> Result<Vec<StillWaiting>, Failure> {
        let mut said = Vec::new();
        for (instance, past) in instances.iter().zip(past).filter(|(instance, _)| instance.waits).take(MAX_WAITING) {
            let prospect = self.store.prospect(&instance.subscription, (self.clock)()).await?;
            let newest = past.happened.iter().max_by_key(|one| one.position());
            let text = sentences::why_none_came(&instance.subscription, &prospect.outlook, newest);
            said.push(StillWaiting { subscription: instance.subscription.clone().into(), text });
        }
        Ok(said)
    }
}
