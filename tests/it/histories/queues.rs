//! Queues of the local stack on simulated time, with faults between them and whoever asks.

use super::world::{MAX_MESSAGES, Mishap, Sabotage, World};
use crate::restock::DEPLOYED;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use restock_local::aws::poller::record;
use restock_local::aws::sqs::{Attribute, Message, SendOptions};
use restock_queue::transport::{ACCEPTANCE, Acceptance, Outgoing, Pending, Transport};
use restock_queue::{Error, Queue};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Longer than anything waits.
const FOREVER: Duration = Duration::from_secs(30 * 24 * 3600);

pub struct Simulated(pub Arc<World>);

impl Transport for Simulated {
    fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Pending<'_, Vec<Outgoing>> {
        Box::pin(async move {
            let world = &self.0;
            let send = || {
                let mut left = Vec::new();
                for message in &messages {
                    if world.lock().partial() {
                        left.push(message.clone());
                    } else {
                        world.enqueue(queue, message);
                    }
                }
                left
            };
            self.faulty("SendMessageBatch", send).await
        })
    }

    fn retry_after<'a>(&'a self, queue: Queue, receipt: &'a str, delay: Duration) -> Pending<'a, ()> {
        Box::pin(async move {
            let change = || {
                let changed = self.0.broker.change_visibility(&name(queue), receipt, delay.as_millis() as i64);
                // A receipt that is stale changes nothing, as with SQS.
                let _ = changed.expect("the queue exists");
            };
            self.faulty("ChangeMessageVisibility", change).await
        })
    }
}

impl Simulated {
    async fn faulty<T>(&self, operation: &'static str, effect: impl Fn() -> T) -> Result<T, Error> {
        let world = &self.0;
        let error = |throttled| Error::Request { operation, throttled, source: "injected".into() };
        match world.fate().await {
            Mishap::Fine => {}
            Mishap::Refused => return Err(error(true)),
            Mishap::LostBefore => return Err(error(false)),
            Mishap::LostAfter => {
                effect();
                return Err(error(false));
            }
            Mishap::Twice => {
                drop(effect());
                world.wait_up_to(9_000).await;
            }
            Mishap::KilledAfter => {
                effect();
                world.die().await;
            }
        }
        let answer = effect();
        world.dawdle().await;
        Ok(answer)
    }
}

/// Returns the name of a queue as it is deployed: `restock-stock-levels`.
fn name(queue: Queue) -> String {
    format!("restock-{}", queue.setting().trim_end_matches("_QUEUE").to_lowercase().replace('_', "-"))
}

fn without_acceptances(body: &str) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    message.as_object_mut().map(|message| message.remove("accepted"));
    message.to_string()
}

impl World {
    /// Puts a message on a queue, from where it may come later than it should, and more than once.
    pub fn enqueue(&self, queue: Queue, outgoing: &Outgoing) {
        let copies = if self.lock().strikes(self.faults.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let mut state = self.lock();
            state.sent += 1;
            state.events += u64::from(queue == Queue::EmailEvents);
            let is_sent_on = queue == Queue::StockLevels && outgoing.body.contains("continue-matching");
            state.sent_on += u64::from(is_sent_on && outgoing.delay.is_zero());
            if state.sent > MAX_MESSAGES {
                state.stuck = true;
                return;
            }
            let late = if state.strikes(self.faults.delay) { state.random.i64(0..20_000) } else { 0 };
            drop(state);
            let attribute = |accepted: &Acceptance| {
                let string_value = Some(accepted.to_text());
                (ACCEPTANCE.to_owned(), Attribute { data_type: "String".into(), string_value, binary_value: None })
            };
            let acceptance = outgoing.acceptance.iter().filter(|_| self.sabotage != Sabotage::NamedByMessage);
            let attributes = acceptance.map(attribute).collect();
            let delay_ms = Some(outgoing.delay.as_millis() as i64 + late);
            let options = SendOptions { delay_ms, group: outgoing.tenant.clone(), ..SendOptions::default() };
            let body = match self.sabotage {
                Sabotage::ForgottenAcceptances => without_acceptances(&outgoing.body),
                _ => outgoing.body.clone(),
            };
            self.broker.send(&name(queue), body, attributes, options).expect("the queue exists");
        }
    }

    /// Returns how many messages wait or are being handled, apart from those of dead-letter queues.
    pub fn messages_left(&self) -> usize {
        let living = DEPLOYED.queues.iter().filter(|queue| queue.redrive.is_some());
        living.map(|queue| self.count(&queue.name)).sum()
    }

    /// Returns how many messages were given up.
    pub fn dead_letters(&self) -> usize {
        self.dead_letter_queues().map(|queue| self.count(queue)).sum()
    }

    /// Moves back what was given up, as an operator would; but for what nobody can read. Returns how many messages.
    pub fn redrive(&self) -> usize {
        let readable = |message: &Message| !message.body.starts_with("malformed");
        let redriven = |queue| self.broker.redrive(queue, None, readable).expect("the queue exists");
        self.dead_letter_queues().map(redriven).sum()
    }

    fn dead_letter_queues(&self) -> impl Iterator<Item = &'static str> {
        DEPLOYED.queues.iter().filter_map(|queue| queue.redrive.as_ref().map(|(target, _)| target.as_str()))
    }

    fn count(&self, queue: &str) -> usize {
        let counts = self.broker.counts(queue).expect("the queue exists");
        counts.visible + counts.in_flight + counts.delayed
    }

    /// Polls its queue into a function, as the event source mapping of the template does, for ever.
    pub async fn poll<F>(self: Arc<Self>, function: &'static str, handle: impl Fn(SqsEvent) -> F)
    where
        F: Future<Output = SqsBatchResponse>,
    {
        let mapping = DEPLOYED.mappings.iter().find(|mapping| mapping.function == function).expect("a mapping");
        let deployed = DEPLOYED.functions.iter().find(|deployed| deployed.binary == function).expect("a function");
        let timeout = Duration::from_secs(deployed.timeout_seconds);
        let queue = mapping.queue.as_str();
        loop {
            // Somebody else may get what comes after.
            let max = self.lock().random.usize(1..=mapping.batch_size);
            let batch = self.broker.receive(queue, max, None, FOREVER).await.expect("the queue exists");
            if self.faults.latency > 0 {
                // What lies between the poller and the function.
                tokio::time::sleep(Duration::from_millis(self.faults.latency)).await;
            }
            let records: Vec<_> = batch.iter().map(|(message, receipt)| record(queue, message, receipt)).collect();
            let event = serde_json::from_value(json!({ "Records": records })).expect("an event");
            // An invocation without an answer leaves its messages to their visibility time-outs.
            let Some(answer) = self.invoke(timeout, handle(event)).await else { continue };
            let failed: HashSet<&str> =
                answer.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
            for (_, receipt) in batch.iter().filter(|(message, _)| !failed.contains(message.id.as_str())) {
                if !self.lock().strikes(self.faults.duplicate) {
                    self.broker.delete(queue, receipt).expect("the queue exists");
                }
            }
        }
    }
}
