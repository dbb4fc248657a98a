//! Recipients that have to wait travel on in messages of their own.

use crate::App;
use crate::ended::{Later, Stop};
use restock_domain::{ContactId, time};
use restock_queue::{AcceptedMail, Failure, MAX_DELAY, Notification, Recipient, Record};
use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// How often recipients are put off before their message fails; with the longest delays in between, about a day.
const MAX_ATTEMPTS: u32 = 100;
/// How often recipients are put off before their other subscriptions no longer wait for what becomes of their mail.
const MAX_WAITED_FOR: u32 = 10;
/// How often recipients are sent on, even if it is because the time of an invocation was over. Lambda's own detection
/// of loops is off for this function, as it puts recipients off by its own queue, so this bounds a loop that is a
/// fault.
pub const MAX_HOPS: u32 = 10_000;
/// Receives of a message after which its recipients go on waiting in a new one: fewer than those after which it is
/// taken for one that can't be handled.
pub const MAX_STOPPED_RECEIVES: u32 = 10;
/// How long a message is hidden during a pause: half as long as that has lasted, within these bounds, so that mails
/// leave soon after it.
const PAUSED_WAIT: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(30);

impl App {
    /// Lets all recipients of a message wait until mails may leave again, without a look at any of them.
    pub(crate) async fn wait_out(
        &self,
        stop: Stop,
        notification: &Notification,
        record: &Record,
    ) -> Result<(), Failure> {
        if record.receives < MAX_STOPPED_RECEIVES {
            return Err(Failure::Retry { after: Some(self.stopped_for(stop)), reason: stop.reason().into() });
        }
        let later = notification.recipients.iter().map(|recipient| (*recipient, Later::Stopped(stop))).collect();
        self.put_off(notification, later).await
    }

    /// Returns how long those wait whom something stops. It differs from time to time, so that they come back one after
    /// the other.
    pub(crate) fn stopped_for(&self, stop: Stop) -> Duration {
        match stop {
            Stop::Quota => self.account.wait(),
            Stop::Paused { since } => {
                let lasted = Duration::try_from((self.settings.clock)().duration_since(since)).unwrap_or_default();
                let longest = (lasted / 2).clamp(*PAUSED_WAIT.start(), *PAUSED_WAIT.end());
                longest.mul_f64(0.5 + fastrand::f64() / 2.0)
            }
        }
    }

    /// Sends on what is known of accepted mails, as their message comes back and knows nothing of them. It tries for as
    /// long as there is time: whoever gets that message would mail them again, unless SES's event comes before.
    pub(crate) async fn send_known_on(
        &self,
        notification: &Notification,
        accepted: Vec<(Recipient, Later)>,
        until: Instant,
    ) {
        // Its part of a wave comes back with the message.
        let alone = Notification { then: Vec::new(), wave: None, ..notification.clone() };
        let mut attempt = 0;
        while !accepted.is_empty() && self.put_off(&alone, accepted.clone()).await.is_err() {
            if Instant::now() >= until {
                return warn!(mails = accepted.len(), "Accepted mails could neither be recorded nor sent on");
            }
            let (first, max) = (Duration::from_millis(100), Duration::from_secs(5));
            tokio::time::sleep(time::backoff(first, attempt, max, fastrand::f64())).await;
            attempt += 1;
        }
    }

    /// Sends recipients on in messages of their own, so that those who are done are done, and being throttled for long
    /// does not bring a message into the dead-letter queue.
    pub(crate) async fn put_off(
        &self,
        notification: &Notification,
        mut later: Vec<(Recipient, Later)>,
    ) -> Result<(), Failure> {
        let unsent = |(_, when): &&(Recipient, Later)| !matches!(when, Later::Record(_));
        let tried = later.iter().filter(unsent).filter(|(_, when)| when.is_attempt()).count();
        let given_up = if later.iter().any(|one| unsent(&one)) && notification.hops >= MAX_HOPS {
            Some(Failure::Malformed(format!("the recipients were sent on {MAX_HOPS} times, which none needs")))
        } else if tried > 0 && notification.attempt >= MAX_ATTEMPTS {
            let reason = format!("{tried} recipients could not be mailed in {MAX_ATTEMPTS} attempts");
            Some(Failure::Retry { after: None, reason })
        } else {
            None
        };
        if given_up.is_some() {
            // What is known of a mail is never given up.
            later.retain(|one| !unsent(&one));
        }
        // Whose other subscriptions have to wait. The turn of their contact sees to it that one of them is mailed,
        // whichever.
        let is_waited_for = |one: &&(Recipient, Later)| notification.attempt < MAX_WAITED_FOR || !unsent(one);
        let contacts: HashSet<ContactId> =
            later.iter().filter(is_waited_for).map(|(recipient, _)| recipient.contact_id).collect();
        let now = (self.settings.clock)();
        // By the delay, and by whether it is an attempt.
        let mut put_off: BTreeMap<(Duration, bool), (Vec<Recipient>, Vec<AcceptedMail>)> = BTreeMap::new();
        // One draw for the whole message, so that what was put off together stays together.
        let stops =
            later.iter().filter_map(|(_, when)| if let Later::Stopped(stop) = when { Some(*stop) } else { None });
        let stopped_for = stops.map(|stop| self.stopped_for(stop)).min().unwrap_or_default();
        // Waiting for an operator may take as long as it takes.
        let is_stopped = !later.is_empty() && later.iter().all(|(_, when)| matches!(when, Later::Stopped(_)));
        let backoff = time::backoff(Duration::from_secs(2), notification.attempt, MAX_DELAY, fastrand::f64());
        for (recipient, when) in later {
            let mut accepted = None;
            let is_attempt = when.is_attempt();
            let delay = match when {
                Later::AtOnce => Duration::ZERO,
                Later::Stopped(_) => stopped_for,
                // SES may always ask for a second, or for none at all, and the attempts are to last for about a day.
                Later::After(delay) => delay.max(backoff),
                // Several messages may wait for one moment. If they all came at it, they would throttle each other.
                Later::At(at) => Duration::try_from(at.duration_since(now)).unwrap_or_default() + backoff,
                Later::Backoff | Later::NextWave(_) => backoff,
                Later::Record(mail) => {
                    accepted = Some(mail);
                    backoff
                }
            };
            // In whole seconds as SQS has them, so that those who wait for about the same moment share a message.
            let delay = Duration::from_secs(delay.as_millis().div_ceil(1000) as u64).min(MAX_DELAY);
            let (recipients, accepted_mails) = put_off.entry((delay, is_attempt)).or_default();
            recipients.push(recipient);
            accepted_mails.extend(accepted);
        }
        let hops = notification.hops + u32::from(!is_stopped);
        let messages = put_off.into_iter().map(|((delay, is_attempt), (recipients, accepted))| {
            let attempt = notification.attempt + u32::from(is_attempt);
            info!(sku = %notification.sku, recipients = recipients.len(), seconds = delay.as_secs(), "Put off");
            let then = Vec::new();
            (Notification { recipients, accepted, then, attempt, hops, ..notification.clone() }, delay)
        });
        let mut messages: Vec<_> = messages.collect();
        let longest = messages.len().checked_sub(1);
        for next in &notification.then {
            let of = |wait: bool| {
                let recipients = next.recipients.iter().filter(|one| contacts.contains(&one.contact_id) == wait);
                Notification { recipients: recipients.copied().collect(), hops, ..next.clone() }
            };
            // With whoever waits longest, who may be of the same contact.
            let (waiting, free) = (of(true), of(false));
            if let Some(longest) = longest.filter(|_| !waiting.recipients.is_empty()) {
                messages[longest].0.then.push(waiting);
            }
            if !free.recipients.is_empty() {
                messages.push((free, Duration::ZERO));
            }
        }
        self.queues.send_notifications(messages).await?;
        given_up.map_or(Ok(()), Err)
    }
}
