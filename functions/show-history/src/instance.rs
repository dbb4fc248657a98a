//! A subscription from being made to its mail.

use crate::App;
use crate::happened::{Happened, What, position_of};
use jiff::Timestamp;
use restock_domain::automation::VerdictOutcome;
use restock_domain::delivery::Record;
use restock_domain::{DeliveryId, LogEntry, Scope, Subscription};
use restock_store::{DecidedBy, Error, LogKey};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

/// How long before somebody subscribed a level may have been received that still met them.
const MATCHED_WITHIN: Duration = Duration::from_secs(3_600);

/// A subscription that waits, or that its mail has used up.
pub struct Instance {
    pub subscription: Subscription,
    /// If SES was ever asked to send its mail.
    record: Option<Record>,
    pub waits: bool,
}

/// What happened to a subscription, in no particular order.
pub struct Past<'a> {
    pub happened: Vec<Happened<'a>>,
    /// The position from which on nothing is missing, if there may be more levels.
    pub horizon: Option<String>,
}

impl Instance {
    /// Returns each subscription once, the newest first.
    pub fn all(waiting: Vec<Subscription>, records: Vec<Record>, now: Timestamp) -> Vec<Self> {
        let mut records: HashMap<DeliveryId, Record> =
            records.into_iter().map(|record| (record.subscription.delivery, record)).collect();
        let waiting = waiting.into_iter().map(|subscription| {
            let record = records.remove(&subscription.delivery);
            let waits =
                !subscription.has_expired(now) && record.as_ref().is_none_or(|record| record.sent_at().is_none());
            Self { subscription, record, waits }
        });
        let mut all: Vec<Self> = waiting.collect();
        all.extend(records.into_values().map(|record| {
            let subscription = record.subscription.clone();
            Self { subscription, record: Some(record), waits: false }
        }));
        all.sort_by_key(|instance| Reverse((instance.subscription.created_on, instance.subscription.delivery)));
        all
    }
}

impl App {
    /// Returns the newest of what happened to a subscription before a position, with `limit` levels if there are as many.
    pub(crate) async fn past<'a>(
        &self,
        instance: &'a Instance,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Past<'a>, Error> {
        let Instance { subscription, record, .. } = instance;
        let now = (self.clock)();
        let mut all = vec![Happened::new(subscription, subscription.created_on, What::Subscribed)];
        for (milestone, at) in record.iter().flat_map(|record| &record.milestones) {
            all.extend(
                record.as_ref().map(|record| Happened::new(subscription, *at, What::Reached(*milestone, record))),
            );
        }
        // Whatever came after its mail was not for it. A level of the very moment of a position may be among those before it.
        let end = record.as_ref().and_then(Record::sent_at).map(position_of);
        let before = before.map(|before| before.split_once('#').map_or(before.to_owned(), |(at, _)| format!("{at}~")));
        let before = end.into_iter().chain(before).min();
        let from = (subscription.created_on - MATCHED_WITHIN).max(now - self.log_kept);
        let met = self.store.levels_met(subscription, from, before.as_deref(), limit).await?;
        for (key, level) in met.levels {
            all.extend(self.decided(instance, &key, level).await?);
        }
        let horizon = met.next.and_then(|entry| Some(entry.split_once('#')?.0.to_owned()));
        Ok(Past { happened: all, horizon })
    }

    /// Returns what a level brought about for a subscription that it covers.
    async fn decided<'a>(
        &self,
        instance: &'a Instance,
        key: &LogKey,
        level: LogEntry,
    ) -> Result<Vec<Happened<'a>>, Error> {
        let Instance { subscription, record, .. } = instance;
        let (scope, at) = (Scope::of(level.locale.clone(), level.external_id.clone()), level.at);
        let by = DecidedBy::Level { scope: &scope, page: 0 };
        let Some((verdict, place)) = self.store.decided(key, by, subscription).await? else {
            let was_mailed = record.as_ref().is_some_and(|record| record.entry == key.entry);
            let is_missing = at >= subscription.created_on && !was_mailed;
            let unknown = is_missing.then(|| Happened::new(subscription, at, What::Undecided(level)));
            return Ok(unknown.into_iter().collect());
        };
        let was_taken = !matches!(verdict.outcome, VerdictOutcome::Skipped(_));
        let not_sent = match was_taken {
            true => self.store.decided(key, DecidedBy::Sender, subscription).await?,
            false => None,
        };
        let mut all = Vec::new();
        if let Some((verdict, _)) = not_sent {
            let VerdictOutcome::Skipped(skip) = verdict.outcome else { return Ok(all) };
            all.push(Happened::new(subscription, at, What::NotSent(level.clone(), skip)));
        }
        all.push(Happened::new(subscription, at, What::Decided { level, verdict, place }));
        Ok(all)
    }
}
