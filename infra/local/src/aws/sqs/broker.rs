#[cfg(test)]
mod tests;

use super::fairness::Fairness;
use crate::aws::names::{last_part, queue_arn};
use crate::template::Queue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// How long SQS remembers the deduplication id of a FIFO message.
const DEDUPLICATION_MS: i64 = 5 * 60 * 1000;

/// Every queue with its messages. The local stack gives it the time of the machine, the simulation of the delivery
/// guarantee its own.
pub struct Broker {
    queues: Mutex<BTreeMap<String, State>>,
    /// Something has changed on a queue.
    pub changed: Notify,
    clock: fn() -> Timestamp,
}

struct State {
    settings: Settings,
    /// By order of arrival.
    messages: BTreeMap<u64, Stored>,
    next: u64,
    /// True if any message ever had a group.
    has_groups: bool,
    deduplication: HashMap<String, i64>,
    fairness: Fairness,
    /// Nobody receives from it for now.
    held: bool,
}

struct Settings {
    visibility_ms: i64,
    delay_ms: i64,
    fifo: bool,
    redrive: Option<(String, u32)>,
    /// The longest that a sender or a consumer can let a message wait, if not as long as it asks for.
    max_wait_ms: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    message: Message,
    visible_at: i64,
    /// When it was last received.
    #[serde(default)]
    received_at: i64,
    receipt: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub attributes: BTreeMap<String, Attribute>,
    /// In milliseconds since 1970.
    pub sent_at: i64,
    pub first_received_at: Option<i64>,
    pub receives: u32,
    pub group: Option<String>,
    /// Of the request that sent it.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// The ARN of the queue that gave the message up.
    pub dead_letter_source: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    pub data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts {
    pub visible: usize,
    pub in_flight: usize,
    pub delayed: usize,
}

/// Options of a sender besides body and attributes.
#[derive(Debug, Default)]
pub struct SendOptions {
    pub delay_ms: Option<i64>,
    pub group: Option<String>,
    pub trace_id: Option<String>,
    pub deduplication: Option<String>,
}

/// There is no queue of that name.
#[derive(Debug)]
pub struct NoSuchQueue;

/// The handle is not of the message's last receive.
#[derive(Debug)]
pub struct StaleReceipt;

impl Broker {
    pub fn new(queues: &[Queue], clock: fn() -> Timestamp) -> Self {
        let state = |queue: &Queue| State {
            settings: Settings {
                visibility_ms: queue.visibility_seconds as i64 * 1000,
                delay_ms: queue.delay_seconds as i64 * 1000,
                fifo: queue.fifo,
                redrive: queue.redrive.clone(),
                max_wait_ms: i64::MAX,
            },
            messages: BTreeMap::new(),
            next: 0,
            has_groups: false,
            deduplication: HashMap::new(),
            fairness: Fairness::default(),
            held: false,
        };
        let queues = queues.iter().map(|queue| (queue.name.clone(), state(queue))).collect();
        Self { queues: Mutex::new(queues), changed: Notify::new(), clock }
    }

    /// Changes for how long a message is hidden that is received from now on, on every queue.
    pub fn set_visibility(&self, seconds: u64) {
        self.lock().values_mut().for_each(|state| state.settings.visibility_ms = seconds as i64 * 1000);
    }

    /// Bounds how long a message waits, whatever delay or visibility timeout is asked for from now on, on every queue.
    pub fn set_max_wait(&self, seconds: u64) {
        self.lock().values_mut().for_each(|state| state.settings.max_wait_ms = seconds as i64 * 1000);
    }

    /// Holds a queue's messages back until it is told otherwise; it still takes new ones.
    pub fn hold(&self, queue: &str, held: bool) -> Result<(), NoSuchQueue> {
        self.lock().get_mut(queue).ok_or(NoSuchQueue)?.held = held;
        self.changed.notify_waiters();
        Ok(())
    }

    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Takes a message and returns its id. A FIFO queue takes a deduplication id once in five minutes.
    pub fn send(
        &self,
        queue: &str,
        body: String,
        attributes: BTreeMap<String, Attribute>,
        options: SendOptions,
    ) -> Result<String, NoSuchQueue> {
        let now = self.now();
        let mut queues = self.lock();
        let state = queues.get_mut(queue).ok_or(NoSuchQueue)?;
        let id = random_id();
        if let Some(deduplication) = options.deduplication {
            state.deduplication.retain(|_, since| *since > now - DEDUPLICATION_MS);
            if state.deduplication.insert(deduplication, now).is_some() {
                return Ok(id);
            }
        }
        let delay = options.delay_ms.unwrap_or(state.settings.delay_ms).min(state.settings.max_wait_ms);
        let message = Message {
            id: id.clone(),
            body,
            attributes,
            sent_at: now,
            first_received_at: None,
            receives: 0,
            group: options.group,
            trace_id: options.trace_id,
            dead_letter_source: None,
        };
        state.push(Stored { message, visible_at: now + delay, received_at: 0, receipt: None });
        drop(queues);
        self.changed.notify_waiters();
        Ok(id)
    }

    /// Waits up to `wait` for messages, and hides those it returns for the visibility time-out.
    pub async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility_seconds: Option<i64>,
        wait: Duration,
    ) -> Result<Vec<(Message, String)>, NoSuchQueue> {
        let until = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            let received = self.receive_now(queue, max, visibility_seconds)?;
            if !received.is_empty() || Instant::now() >= until {
                return Ok(received);
            }
            // A message also becomes visible by the passing of time, which nothing notifies of.
            let next = self.next_visible(queue)?.unwrap_or(Duration::MAX);
            let _ = tokio::time::timeout(next.min(until - Instant::now()), changed).await;
        }
    }

    /// Returns how long it takes until the next hidden message is visible, if there is one.
    fn next_visible(&self, queue: &str) -> Result<Option<Duration>, NoSuchQueue> {
        let now = self.now();
        let queues = self.lock();
        let hidden = queues.get(queue).ok_or(NoSuchQueue)?.messages.values().map(|stored| stored.visible_at - now);
        // One that is visible and was not given out waits for another of its group, whose end is notified.
        let next = hidden.filter(|wait| *wait > 0).min();
        Ok(next.map(|wait| Duration::from_millis(wait.unsigned_abs())))
    }

    fn receive_now(
        &self,
        queue: &str,
        max: usize,
        visibility_seconds: Option<i64>,
    ) -> Result<Vec<(Message, String)>, NoSuchQueue> {
        let now = self.now();
        let mut queues = self.lock();
        let state = queues.get_mut(queue).ok_or(NoSuchQueue)?;
        if state.held {
            return Ok(Vec::new());
        }
        let hidden = visibility_seconds.map_or(state.settings.visibility_ms, |seconds| seconds * 1000);
        let busy_groups = state.groups_in_flight(now);
        let ready = state.ready(now, max);
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        for order in ready {
            if received.len() == max {
                break;
            }
            let Some(stored) = state.messages.get_mut(&order) else { continue };
            if stored.message.group.as_ref().is_some_and(|group| busy_groups.contains(group)) {
                continue;
            }
            if state.settings.redrive.as_ref().is_some_and(|(_, max)| stored.message.receives >= *max) {
                dead.push(order);
                continue;
            }
            let receipt = format!("{order}.{}", random_id());
            stored.message.receives += 1;
            stored.message.first_received_at.get_or_insert(now);
            stored.visible_at = now + hidden;
            stored.received_at = now;
            stored.receipt = Some(receipt.clone());
            received.push((stored.message.clone(), receipt));
        }
        if !dead.is_empty() {
            self.bury(&mut queues, queue, dead);
            drop(queues);
            self.changed.notify_waiters();
        }
        Ok(received)
    }

    /// Moves messages that were received too often to the dead-letter queue.
    fn bury(&self, queues: &mut BTreeMap<String, State>, queue: &str, dead: Vec<u64>) {
        let Some(state) = queues.get_mut(queue) else { return };
        let target = state.settings.redrive.as_ref().map(|(target, _)| target.clone());
        let buried: Vec<Stored> = dead.iter().filter_map(|order| state.messages.remove(order)).collect();
        let Some(target) = target.and_then(|target| queues.get_mut(&target)) else { return };
        for mut stored in buried {
            stored.message.dead_letter_source = Some(queue_arn(queue));
            stored.receipt = None;
            target.push(stored);
        }
    }

    /// Deletes a received message. Deleting one that is gone is a success, as with SQS.
    pub fn delete(&self, queue: &str, receipt: &str) -> Result<(), NoSuchQueue> {
        let now = self.now();
        let mut queues = self.lock();
        let state = queues.get_mut(queue).ok_or(NoSuchQueue)?;
        if let Some(order) = state.received_as(receipt)
            && let Some(stored) = state.messages.remove(&order)
        {
            state.fairness.note(now, stored.message.group, now - stored.received_at);
        }
        drop(queues);
        // The next message of a FIFO group may have waited for this one.
        self.changed.notify_waiters();
        Ok(())
    }

    /// Makes a message that is in flight visible after so many milliseconds from now.
    pub fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        after_ms: i64,
    ) -> Result<Result<(), StaleReceipt>, NoSuchQueue> {
        let now = self.now();
        let mut queues = self.lock();
        let state = queues.get_mut(queue).ok_or(NoSuchQueue)?;
        let order = state.received_as(receipt);
        let found = order.and_then(|order| state.messages.get_mut(&order)).filter(|stored| stored.visible_at > now);
        let after_ms = after_ms.min(state.settings.max_wait_ms);
        let changed = found.map(|stored| stored.visible_at = now + after_ms).ok_or(StaleReceipt);
        drop(queues);
        self.changed.notify_waiters();
        Ok(changed)
    }

    pub fn counts(&self, queue: &str) -> Result<QueueCounts, NoSuchQueue> {
        let now = self.now();
        let queues = self.lock();
        let state = queues.get(queue).ok_or(NoSuchQueue)?;
        let mut counts = QueueCounts::default();
        for stored in state.messages.values() {
            match (&stored.receipt, stored.visible_at > now) {
                (_, false) => counts.visible += 1,
                (Some(_), true) => counts.in_flight += 1,
                (None, true) => counts.delayed += 1,
            }
        }
        Ok(counts)
    }

    pub fn purge(&self, queue: &str) -> Result<(), NoSuchQueue> {
        self.lock().get_mut(queue).ok_or(NoSuchQueue)?.messages.clear();
        Ok(())
    }

    /// Moves the messages of a dead-letter queue that are wanted to `target`, or back to where each came from; returns
    /// how many.
    pub fn redrive(
        &self,
        queue: &str,
        target: Option<&str>,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<usize, NoSuchQueue> {
        let now = self.now();
        let mut queues = self.lock();
        let state = queues.get_mut(queue).ok_or(NoSuchQueue)?;
        let moved: Vec<Stored> =
            state.messages.extract_if(.., |_, stored| wanted(&stored.message)).map(|(_, stored)| stored).collect();
        let count = moved.len();
        for mut stored in moved {
            let source = stored.message.dead_letter_source.take();
            let target = target.or(source.as_deref().map(last_part)).ok_or(NoSuchQueue)?;
            stored.message.receives = 0;
            stored.visible_at = now;
            stored.receipt = None;
            queues.get_mut(target).ok_or(NoSuchQueue)?.push(stored);
        }
        drop(queues);
        self.changed.notify_waiters();
        Ok(count)
    }

    /// Returns everything that is on the queues, to be kept over a restart.
    pub fn snapshot(&self) -> serde_json::Value {
        let queues = self.lock();
        let messages: BTreeMap<&String, Vec<&Stored>> =
            queues.iter().map(|(name, state)| (name, state.messages.values().collect())).collect();
        serde_json::json!(messages)
    }

    pub fn restore(&self, snapshot: serde_json::Value) -> Result<(), serde_json::Error> {
        let snapshot: BTreeMap<String, Vec<Stored>> = serde_json::from_value(snapshot)?;
        let mut queues = self.lock();
        for (name, messages) in snapshot {
            if let Some(state) = queues.get_mut(&name) {
                messages.into_iter().for_each(|stored| state.push(stored));
            }
        }
        Ok(())
    }

    /// Returns the time in milliseconds since 1970.
    fn now(&self) -> i64 {
        (self.clock)().as_millisecond()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, stored: Stored) {
        self.has_groups |= stored.message.group.is_some();
        self.messages.insert(self.next, stored);
        self.next += 1;
    }

    /// Returns the place of the message that was last received with this receipt.
    fn received_as(&self, receipt: &str) -> Option<u64> {
        let order = receipt.split('.').next()?.parse().ok()?;
        self.messages.get(&order).filter(|stored| stored.receipt.as_deref() == Some(receipt)).map(|_| order)
    }

    /// Returns the groups with a message in flight, which give out no other.
    fn groups_in_flight(&self, now: i64) -> HashSet<String> {
        if !self.settings.fifo {
            return HashSet::new();
        }
        self.in_flight(now).filter_map(|message| message.group.clone()).collect()
    }

    fn in_flight(&self, now: i64) -> impl Iterator<Item = &Message> {
        let in_flight =
            self.messages.values().filter(move |stored| stored.receipt.is_some() && stored.visible_at > now);
        in_flight.map(|stored| &stored.message)
    }

    /// Returns messages that can be received, in the order in which they are: enough of them for `max`, although some
    /// may have been received too often.
    fn ready(&self, now: i64, max: usize) -> Vec<u64> {
        let ready = || self.messages.iter().filter(|(_, stored)| stored.visible_at <= now);
        if !self.has_groups {
            return ready().take(2 * max).map(|(order, _)| *order).collect();
        }
        let groups: HashSet<Option<&String>> = ready().map(|(_, stored)| stored.message.group.as_ref()).collect();
        if self.settings.fifo || groups.len() < 2 {
            return ready().map(|(order, _)| *order).collect();
        }
        let in_flight: Vec<Option<&str>> = self.in_flight(now).map(|message| message.group.as_deref()).collect();
        let noisy = self.fairness.noisy(now, &in_flight);
        let is_noisy = |stored: &Stored| stored.message.group.as_ref().is_some_and(|group| noisy.contains(group));
        let (last, first): (Vec<_>, Vec<_>) = ready().partition(|(_, stored)| is_noisy(stored));
        first.into_iter().chain(last).map(|(order, _)| *order).collect()
    }
}

/// Returns an id that is the same again where the source of randomness was seeded with the same.
fn random_id() -> String {
    Uuid::from_u128(fastrand::u128(..)).to_string()
}
