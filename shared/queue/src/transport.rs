//! The requests that Restock makes of its queues. SQS carries them out in production; the simulation of the delivery
//! guarantee has queues in memory that do the same, with faults.

use crate::Error;
use crate::queue::Queue;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::pin::Pin;
use std::time::Duration;
use strum::IntoEnumIterator;

pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

pub trait Transport: Send + Sync {
    /// Sends at most ten messages, and returns those that were not taken.
    fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Pending<'_, Vec<Outgoing>>;

    /// Makes a received message visible again after `delay`.
    fn retry_after<'a>(&'a self, queue: Queue, receipt: &'a str, delay: Duration) -> Pending<'a, ()>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub body: String,
    /// Before it can be received; SQS allows 15 minutes at most.
    pub delay: Duration,
    /// Of levels that came in over HTTP.
    pub acceptance: Option<Acceptance>,
    pub order: Option<Order>,
    /// Of a standard queue: whose messages wait behind those of others if they keep consumers busy (SQS developer
    /// guide, "Amazon SQS fair queues").
    pub tenant: Option<String>,
}

/// What names levels that came in over HTTP, as their sender gives it: SQS's own id and time would differ if the
/// request that sends them is carried out twice, and the two would be two levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The correlation id of the call, a dot, and which of its messages it is.
    pub id: String,
    pub at: Timestamp,
}

/// The place of a message in a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Messages of one group are handled one after the other.
    pub group: String,
    /// A second message with the same one within five minutes is dropped.
    pub deduplication: String,
}

/// The URLs of the queues, as deployed: of those that a function may use.
#[derive(Debug, Clone)]
pub struct Urls(BTreeMap<Queue, String>);

pub struct Sqs {
    pub client: Client,
    pub urls: Urls,
}

/// The attribute with a message's acceptance; what has none was sent to the queue by the retailer.
pub const ACCEPTANCE: &str = "restock-accepted";

impl Acceptance {
    /// Returns what names the call.
    pub fn correlation(&self) -> &str {
        Self::correlation_of(&self.id)
    }

    /// Returns what several messages of a call share of their ids. An id of SQS has no such part, and is returned
    /// whole.
    pub(crate) fn correlation_of(id: &str) -> &str {
        id.split_once('.').map_or(id, |(call, _)| call)
    }

    /// Returns the value of the attribute.
    pub fn to_text(&self) -> String {
        format!("{} {}", self.at, self.id)
    }

    /// Reads the value of the attribute.
    pub fn from_text(text: &str) -> Option<Self> {
        let (at, id) = text.split_once(' ')?;
        Some(Self { id: id.to_owned(), at: at.parse().ok()? })
    }
}

impl Outgoing {
    pub fn new(body: String) -> Self {
        Self { body, delay: Duration::ZERO, acceptance: None, order: None, tenant: None }
    }
}

impl Urls {
    /// Takes the URL of each queue from its setting, if there is one.
    pub fn of(setting: impl Fn(&str) -> Option<String>) -> Self {
        Self(Queue::iter().filter_map(|queue| Some((queue, setting(queue.setting())?))).collect())
    }

    fn url(&self, queue: Queue) -> Result<&str, Error> {
        self.0.get(&queue).map(String::as_str).ok_or(Error::NoQueue(queue))
    }
}

impl Transport for Sqs {
    fn send(&self, queue: Queue, messages: Vec<Outgoing>) -> Pending<'_, Vec<Outgoing>> {
        Box::pin(async move {
            let entries: Result<Vec<_>, _> =
                messages.iter().enumerate().map(|(index, message)| entry(index, message)).collect();
            let entries = entries.map_err(|source| Error::Request {
                operation: "SendMessageBatch",
                throttled: false,
                source: source.into(),
            })?;
            let request = self.client.send_message_batch().queue_url(self.urls.url(queue)?).set_entries(Some(entries));
            let answer = request.send().await.map_err(Error::of_sdk("SendMessageBatch"))?;
            // What the answer does not name is sent once more rather than lost.
            let sent: HashSet<String> = answer.successful.into_iter().map(|success| success.id).collect();
            let kept = messages.into_iter().enumerate().filter(|(index, _)| !sent.contains(&index.to_string()));
            Ok(kept.map(|(_, message)| message).collect())
        })
    }

    fn retry_after<'a>(&'a self, queue: Queue, receipt: &'a str, delay: Duration) -> Pending<'a, ()> {
        Box::pin(async move {
            let request = self
                .client
                .change_message_visibility()
                .queue_url(self.urls.url(queue)?)
                .receipt_handle(receipt)
                .visibility_timeout(whole_seconds(delay));
            request.send().await.map(drop).map_err(Error::of_sdk("ChangeMessageVisibility"))
        })
    }
}

fn entry(index: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(&message.body)
        .set_message_group_id(message.order.as_ref().map(|order| &order.group).or(message.tenant.as_ref()).cloned())
        .set_message_deduplication_id(message.order.as_ref().map(|order| order.deduplication.clone()));
    // A FIFO queue takes no delay of a single message.
    if message.order.is_none() {
        entry = entry.delay_seconds(whole_seconds(message.delay));
    }
    if let Some(acceptance) = &message.acceptance {
        let value = MessageAttributeValue::builder().data_type("String").string_value(acceptance.to_text()).build()?;
        entry = entry.message_attributes(ACCEPTANCE, value);
    }
    entry.build()
}

/// Rounds up, since what waits must not come too early.
fn whole_seconds(delay: Duration) -> i32 {
    i32::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}
