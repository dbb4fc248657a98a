//! Queues in memory that do what SQS does: at least once, in no particular order, hidden while somebody has a message,
//! and given up after so many receives.

use super::world::{Fate, World, now};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::Timestamp;
use restock_queue::Error;
use restock_queue::transport::{Answer, Outgoing, Queue, Transport};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// As `template.yaml` has it.
const MOST_RECEIVES: u32 = 20;

#[derive(Debug, Clone)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub from_http: bool,
    pub sent_at: Timestamp,
    visible_at: Timestamp,
    receives: u32,
    receipt: u64,
    held: bool,
}

#[derive(Default)]
pub struct Messages {
    pub waiting: Vec<(Queue, Message)>,
    pub dead: Vec<(Queue, Message)>,
    next: u64,
}

pub struct Simulated(pub Arc<World>);

impl Transport for Simulated {
    fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Answer<'_, Vec<Outgoing>> {
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

    fn retry_after<'a>(&'a self, queue: Queue, receipt: &'a str, delay: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            let change = || {
                let mut state = self.0.lock();
                let mine = |(of, message): &&mut (Queue, Message)| {
                    *of == queue && message.held && message.receipt.to_string() == receipt
                };
                if let Some((_, message)) = state.messages.waiting.iter_mut().find(mine) {
                    message.visible_at = now() + delay;
                }
            };
            self.faulty("ChangeMessageVisibility", change).await
        })
    }
}

impl Simulated {
    async fn faulty<T>(&self, operation: &'static str, effect: impl Fn() -> T) -> Result<T, Error> {
        let world = &self.0;
        let error = || Error::Request { operation, throttled: false, source: "injected".into() };
        match world.fate().await {
            Fate::Fine => {}
            Fate::Refused | Fate::LostBefore => return Err(error()),
            Fate::LostAfter => {
                effect();
                return Err(error());
            }
            Fate::Twice => {
                drop(effect());
                world.wait_up_to(9_000).await;
            }
            Fate::KilledAfter => {
                effect();
                world.die().await;
            }
        }
        let answer = effect();
        world.dawdle().await;
        Ok(answer)
    }
}

impl Message {
    /// As it is after a redrive.
    pub fn revive(&mut self) {
        (self.receives, self.held, self.visible_at) = (0, false, now());
    }
}

impl World {
    /// Puts a message on a queue, from where it may come later than it should, and more than once.
    pub fn enqueue(&self, queue: Queue, outgoing: &Outgoing) {
        let mut state = self.lock();
        let copies = if state.strikes(self.faults.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            state.messages.next += 1;
            let late = if state.strikes(self.faults.delay) { state.random.u64(0..20_000) } else { 0 };
            let message = Message {
                id: format!("message-{}", state.messages.next),
                body: outgoing.body.clone(),
                from_http: outgoing.from_http,
                sent_at: now(),
                visible_at: now() + outgoing.delay + Duration::from_millis(late),
                receives: 0,
                receipt: 0,
                held: false,
            };
            state.messages.waiting.push((queue, message));
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Takes messages off a queue as SQS does, or says when there will be some.
    fn receive(&self, queue: Queue, most: usize, visibility: Duration) -> Result<Vec<Message>, Option<Timestamp>> {
        let now = now();
        let mut state = self.lock();
        let state = &mut *state;
        let mut taken = Vec::new();
        let mut soonest: Option<Timestamp> = None;
        let mut index = 0;
        while index < state.messages.waiting.len() && taken.len() < most {
            let (of, message) = &mut state.messages.waiting[index];
            if *of != queue {
                index += 1;
                continue;
            }
            if message.visible_at > now {
                soonest = Some(soonest.map_or(message.visible_at, |soonest| soonest.min(message.visible_at)));
                index += 1;
                continue;
            }
            if message.receives >= MOST_RECEIVES {
                let dead = state.messages.waiting.remove(index);
                state.messages.dead.push(dead);
                self.changed.notify_waiters();
                continue;
            }
            state.messages.next += 1;
            message.receipt = state.messages.next;
            message.receives += 1;
            message.held = true;
            message.visible_at = now + visibility;
            taken.push(message.clone());
            index += 1;
            // Somebody else may get what comes after.
            if state.random.bool() {
                break;
            }
        }
        if taken.is_empty() { Err(soonest) } else { Ok(taken) }
    }

    /// Polls a queue into a function, as an event source mapping does, for ever.
    pub async fn poll<F>(
        self: Arc<Self>,
        queue: Queue,
        batch: usize,
        visibility: Duration,
        timeout: Duration,
        handle: impl Fn(SqsEvent) -> F,
    ) where
        F: Future<Output = SqsBatchResponse>,
    {
        loop {
            let changed = self.changed.notified();
            let messages = match self.receive(queue, batch, visibility) {
                Ok(messages) => messages,
                Err(None) => {
                    changed.await;
                    continue;
                }
                Err(Some(at)) => {
                    let wait = Duration::try_from(at.duration_since(now())).unwrap_or_default();
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                    continue;
                }
            };
            let answer = self.invoke(timeout, handle(event(&messages))).await;
            // An invocation without an answer leaves its messages to their visibility time-outs.
            let Some(answer) = answer else { continue };
            let failed: HashSet<&str> =
                answer.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
            let mut state = self.lock();
            for message in messages.iter().filter(|message| !failed.contains(message.id.as_str())) {
                if !state.strikes(self.faults.duplicate) {
                    state
                        .messages
                        .waiting
                        .retain(|(_, other)| (&other.id, other.receipt) != (&message.id, message.receipt));
                }
            }
            drop(state);
            self.changed.notify_waiters();
        }
    }
}

fn event(messages: &[Message]) -> SqsEvent {
    let mut event = SqsEvent::default();
    for message in messages {
        let mut record = SqsMessage::default();
        record.message_id = Some(message.id.clone());
        record.receipt_handle = Some(message.receipt.to_string());
        record.body = Some(message.body.clone());
        record.attributes.insert("SentTimestamp".into(), message.sent_at.as_millisecond().to_string());
        record.attributes.insert("ApproximateReceiveCount".into(), message.receives.to_string());
        if message.from_http {
            let mut attribute = aws_lambda_events::sqs::SqsMessageAttribute::default();
            attribute.string_value = Some("http".into());
            record.message_attributes.insert("restock-source".into(), attribute);
        }
        event.records.push(record);
    }
    event
}
