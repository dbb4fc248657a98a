//! A subscription from being made to its mail.

use crate::App;
use crate::happened::Happened;
use crate::what::{What, skipped};
use jiff::Timestamp;
use restock_domain::delivery::{Milestone, Record};
use restock_domain::{DeliveryId, LogEntry, Scope, Subscription, time};
use restock_store::{Error, Lists, LogKey};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

/// How long before somebody subscribed a level may have been received that still met them.
const MATCHED_WITHIN: Duration = Duration::from_secs(3_600);

/// A subscription that waits, or that its mail has used up.
pub struct Instance {
    pub subscription: Subscription,
    /// If SES was ever asked to send its mail, or another mail answered it.
    record: Option<Record>,
    pub waits: bool,
}

/// The newest of the levels that an instance may have met, newest first.
pub struct Levels<'a> {
    pub levels: Vec<Level<'a>>,
    /// The log entry from which on none is missing, if there may be more.
    pub horizon: Option<String>,
}

/// A level that an instance may have met.
pub struct Level<'a> {
    pub instance: &'a Instance,
    pub key: LogKey,
    level: LogEntry,
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

    /// Returns true if SES has permanently refused the mail for a level.
    pub fn was_refused_for(&self, level: &Level<'_>) -> bool {
        let failed = |record: &Record| record.milestones.iter().any(|(milestone, _)| *milestone == Milestone::Failed);
        self.record.as_ref().is_some_and(|record| record.entry == level.key.entry && failed(record))
    }

    /// Returns what happened to it besides levels, in no particular order.
    pub fn events(&self) -> Vec<Happened<'_>> {
        let Self { subscription, record, .. } = self;
        let mut events = vec![Happened::new(subscription, subscription.created_on, What::Subscribed)];
        if let Some(record) = record {
            let reached = record.milestones.iter();
            events.extend(
                reached.map(|(milestone, at)| Happened::new(subscription, *at, What::Reached(*milestone, record))),
            );
        }
        events
    }
}

impl App {
    /// Returns the newest levels that an instance may have met, at most so many, up to a log entry or a time if there
    /// is one.
    pub(crate) async fn levels<'a>(
        &self,
        instance: &'a Instance,
        until: Option<&str>,
        limit: usize,
    ) -> Result<Levels<'a>, Error> {
        let Instance { subscription, record, .. } = instance;
        // Whatever came after its mail, or after the level at which another mail answered it, was not for it.
        let was_answered = |record: &&Record| !instance.waits && record.milestones.is_empty();
        let answered_at = record.as_ref().filter(was_answered).map(|record| format!("{}~", record.entry));
        let end = record.as_ref().and_then(Record::sent_at).map(time::sortable).or(answered_at);
        // Sorts after what begins so: the entry itself, and every one of that time.
        let until = end.into_iter().chain(until.map(|until| format!("{until}~"))).min();
        let from = (subscription.here_since() - MATCHED_WITHIN).max((self.clock)() - self.log_kept);
        let met = self.store.levels_met(subscription, from, until.as_deref(), limit).await?;
        let levels = met.levels.into_iter().map(|(key, level)| Level { instance, key, level });
        Ok(Levels { levels: levels.collect(), horizon: met.next })
    }

    /// Returns what a level brought about for a subscription that it covers.
    pub(crate) async fn decided<'a>(&self, met: &Level<'a>) -> Result<Vec<Happened<'a>>, Error> {
        let Level { instance: Instance { subscription, record, .. }, key, level } = met;
        let happened = |what| Happened::by_level(subscription, key, level, what);
        let scope = Scope::of(level.locale.clone(), level.external_id.clone());
        let Some((verdict, place)) = self.store.decided(key, Lists::Matched(&scope), subscription).await? else {
            let was_mailed = record.as_ref().is_some_and(|record| record.entry == key.entry);
            let is_missing = level.at >= subscription.here_since() && !was_mailed;
            let unknown = is_missing.then(|| happened(What::Undecided(level.clone())));
            return Ok(unknown.into_iter().collect());
        };
        let mut all = Vec::new();
        let was_sent = record.as_ref().is_some_and(|record| record.entry == key.entry && record.sent_at().is_some());
        if skipped(&verdict).is_none() && !was_sent {
            let not_sent = self.store.decided(key, Lists::NotSent, subscription).await?;
            all.extend(not_sent.map(|(verdict, _)| happened(What::NotSent(level.clone(), verdict))));
        }
        all.push(happened(What::Decided { level: level.clone(), verdict, place }));
        Ok(all)
    }
}
