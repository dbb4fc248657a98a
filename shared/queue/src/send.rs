use crate::queue::{Named, Queue, named, sent_to};
use crate::transport::{Acceptance, Order, Outgoing, Pending, Transport};
use crate::{CountMails, Error, FeedImport, Message, Notification, StockFileImport, StockMessage};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_domain::{Sku, StockLevel, hex, time};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// Limits of SendMessageBatch. SQS takes 1 MiB now; older emulators and regions take 256 KiB, which is plenty here.
const MAX_ENTRIES: usize = 10;
const MAX_BYTES: usize = 256 * 1024;
/// The longest delay that SQS allows.
pub const MAX_DELAY: Duration = Duration::from_secs(900);
/// When counts are tried again that the log could not take.
const COUNTED_AFTER: Duration = Duration::from_secs(5);
const IN_FLIGHT: usize = 4;
/// The message group of files of stock levels; no locale is called so.
const STOCK_FILES: &str = "stock-files";
const ATTEMPTS: u32 = 5;

/// Sends to the queues. Cheap to clone.
#[derive(Clone)]
pub struct Queues {
    transport: Arc<dyn Transport>,
}

impl Queues {
    pub fn new(transport: impl Transport + 'static) -> Self {
        Self { transport: Arc::new(transport) }
    }

    /// Sends levels that came in over HTTP at that time, by a call that this correlation id names. All of them are on
    /// the queue when this returns.
    pub async fn send_levels(&self, levels: &[StockLevel], correlation: &str, now: Timestamp) -> Result<(), Error> {
        let at = time::to_millisecond(now);
        let messages = StockMessage::bodies(levels).into_iter().enumerate().map(|(index, body)| {
            let acceptance = Some(Acceptance { id: format!("{correlation}.{index}"), at });
            Outgoing { acceptance, ..Outgoing::new(body) }
        });
        self.send_all::<named::StockLevels>(messages.collect()).await
    }

    /// Sends levels that can't be read on in a message of their own.
    pub async fn send_invalid_levels(&self, levels: Vec<Value>) -> Result<(), Error> {
        self.send_all::<named::StockLevels>(vec![Outgoing::new(Value::Array(levels).to_string())]).await
    }

    /// Puts a message on its queue, to be received after `delay`, at most 15 minutes.
    pub async fn send<M: Message>(&self, message: &M, delay: Duration) -> Result<(), Error> {
        let delay = delay.min(MAX_DELAY);
        self.send_all::<M::Queue>(vec![Outgoing { delay, ..Outgoing::new(message.body()) }]).await
    }

    /// Puts notifications on their queue, each to be received after its delay, at most 15 minutes. Those of a SKU that
    /// many wait for do not hold up those of others.
    pub async fn send_notifications(&self, notifications: Vec<(Notification, Duration)>) -> Result<(), Error> {
        let messages = notifications.into_iter().map(|(notification, delay)| {
            let delay = delay.min(MAX_DELAY);
            Outgoing { delay, tenant: Some(tenant(&notification.sku)), ..Outgoing::new(notification.body()) }
        });
        self.send_all::<named::Notifications>(messages.collect()).await
    }

    /// Sends counts of mails on, to be logged a little later.
    pub async fn send_counts(&self, counts: &CountMails) -> Result<(), Error> {
        self.send(counts, COUNTED_AFTER).await
    }

    /// Queues an import. The queue is FIFO and a locale is a message group, so a locale's imports run one after the
    /// other.
    pub async fn send_feed_import(&self, import: &FeedImport) -> Result<(), Error> {
        self.send_import(import.locale.key(), &import.import_id, import.body()).await
    }

    /// Queues the import of a file of stock levels. Such files are imported one after the other.
    pub async fn send_stock_import(&self, import: &StockFileImport) -> Result<(), Error> {
        self.send_import(STOCK_FILES, &import.import_id, import.body()).await
    }

    async fn send_import(&self, group: &str, id: &str, body: String) -> Result<(), Error> {
        let order = Order { group: group.to_owned(), deduplication: id.to_owned() };
        self.send_all::<named::FeedImports>(vec![Outgoing { order: Some(order), ..Outgoing::new(body) }]).await
    }

    /// Makes a received message visible again after `delay`, so that it is retried then.
    pub(crate) fn retry_after<'a>(&'a self, queue: Queue, receipt: &'a str, delay: Duration) -> Pending<'a, ()> {
        self.transport.retry_after(queue, receipt, delay)
    }

    async fn send_all<Q: Named>(&self, messages: Vec<Outgoing>) -> Result<(), Error> {
        let queue = sent_to::<Q>();
        let batches = batches(messages).into_iter().map(|batch| self.send_batch(queue, batch));
        stream::iter(batches).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    async fn send_batch(&self, queue: Queue, mut pending: Vec<Outgoing>) -> Result<(), Error> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                let (first, max) = (Duration::from_millis(50), Duration::from_secs(2));
                tokio::time::sleep(time::backoff(first, attempt, max, fastrand::f64())).await;
            }
            pending = self.transport.send(queue, pending).await?;
            if pending.is_empty() {
                return Ok(());
            }
        }
        Err(Error::Partial)
    }
}

/// Returns a name for a SKU that SQS takes as a message group, which has no more than 128 characters, and not all of
/// them.
fn tenant(sku: &Sku) -> String {
    hex(&Sha256::digest(sku.as_str().as_bytes())[..16])
}

/// Groups messages into batches that SQS takes.
fn batches(messages: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut batches: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        // The attribute counts too.
        let size = message.body.len() + 64;
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_ENTRIES && bytes + size <= MAX_BYTES => {
                bytes += size;
                batch.push(message);
            }
            _ => {
                bytes = size;
                batches.push(vec![message]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_to_the_limits_of_sqs_and_lose_nothing() {
        let messages: Vec<Outgoing> =
            (0..25).map(|n| Outgoing::new("x".repeat(if n % 5 == 0 { 100_000 } else { 10 }))).collect();

        let batches = batches(messages.clone());

        let bytes = |batch: &Vec<Outgoing>| batch.iter().map(|message| message.body.len()).sum::<usize>();
        assert!(batches.iter().all(|batch| batch.len() <= MAX_ENTRIES));
        assert!(batches.iter().all(|batch| bytes(batch) <= MAX_BYTES));
        assert_eq!(batches.concat(), messages);
    }
}
