use crate::{Continuation, FeedImport};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;
use std::time::Duration;

/// Limits of SendMessageBatch. SQS takes 1 MiB now; older emulators and regions take 256 KiB, which is plenty here.
const MOST_ENTRIES: usize = 10;
const MOST_BYTES: usize = 256 * 1024;
const IN_FLIGHT: usize = 4;
const ATTEMPTS: u32 = 5;

/// Says how a level came in; what has no such attribute was sent to the queue by the retailer.
pub(crate) const SOURCE: &str = "restock-source";

/// The URLs of the queues, as deployed.
#[derive(Debug, Clone)]
pub struct Urls {
    pub stock_levels: String,
    pub notifications: String,
    pub feed_imports: String,
    pub email_events: String,
}

#[derive(Clone)]
pub struct Queues {
    client: Client,
    urls: Arc<Urls>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("SQS did not carry out {operation}")]
    Request {
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("SQS took only a part of a batch, after every retry")]
    Partial,
}

impl Queues {
    pub fn new(client: Client, urls: Urls) -> Self {
        Self { client, urls: Arc::new(urls) }
    }

    /// Sends levels that came in over HTTP. All of them are on the queue when this returns.
    pub async fn send_levels(&self, bodies: Vec<String>) -> Result<(), Error> {
        self.send(&self.urls.stock_levels, bodies, true).await
    }

    /// Puts a continuation on the stock-level queue, to be received after `delay`, at most 15 minutes.
    pub async fn send_continuation(&self, continuation: &Continuation, delay: Duration) -> Result<(), Error> {
        self.client
            .send_message()
            .queue_url(&self.urls.stock_levels)
            .delay_seconds(i32::try_from(delay.as_secs()).unwrap_or(900).min(900))
            .message_body(continuation.body())
            .send()
            .await
            .map(drop)
            .map_err(failed("SendMessage"))
    }

    pub async fn send_notifications(&self, bodies: Vec<String>) -> Result<(), Error> {
        self.send(&self.urls.notifications, bodies, false).await
    }

    /// Queues an import. The queue is FIFO and a locale is a message group, so a locale's imports run one after the other.
    pub async fn send_feed_import(&self, import: &FeedImport) -> Result<(), Error> {
        self.client
            .send_message()
            .queue_url(&self.urls.feed_imports)
            .message_group_id(import.locale.key())
            .message_deduplication_id(&import.import_id)
            .message_body(import.body())
            .send()
            .await
            .map(drop)
            .map_err(failed("SendMessage"))
    }

    /// Makes a received message visible again after `delay`, so that it is retried then.
    pub(crate) async fn retry_after(&self, queue_arn: &str, receipt: &str, delay: Duration) -> Result<(), Error> {
        let name = queue_arn.rsplit(':').next().unwrap_or_default();
        let urls =
            [&self.urls.stock_levels, &self.urls.notifications, &self.urls.feed_imports, &self.urls.email_events];
        let Some(url) = urls.into_iter().find(|url| url.rsplit('/').next() == Some(name)) else { return Ok(()) };
        self.client
            .change_message_visibility()
            .queue_url(url)
            .receipt_handle(receipt)
            .visibility_timeout(i32::try_from(delay.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map(drop)
            .map_err(failed("ChangeMessageVisibility"))
    }

    async fn send(&self, url: &str, bodies: Vec<String>, from_http: bool) -> Result<(), Error> {
        let batches = batches(bodies).into_iter().map(|batch| self.send_batch(url, batch, from_http));
        stream::iter(batches).buffer_unordered(IN_FLIGHT).try_collect().await
    }

    async fn send_batch(&self, url: &str, bodies: Vec<String>, from_http: bool) -> Result<(), Error> {
        let mut pending: Vec<SendMessageBatchRequestEntry> =
            bodies.into_iter().enumerate().filter_map(|(index, body)| entry(index, body, from_http)).collect();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
            }
            let answer = self
                .client
                .send_message_batch()
                .queue_url(url)
                .set_entries(Some(pending.clone()))
                .send()
                .await
                .map_err(failed("SendMessageBatch"))?;
            let refused: Vec<&str> = answer.failed.iter().map(|failure| failure.id.as_str()).collect();
            pending.retain(|entry| refused.contains(&entry.id.as_str()));
            if pending.is_empty() {
                return Ok(());
            }
        }
        Err(Error::Partial)
    }
}

fn entry(index: usize, body: String, from_http: bool) -> Option<SendMessageBatchRequestEntry> {
    let mut entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(body);
    if from_http {
        let http = MessageAttributeValue::builder().data_type("String").string_value("http").build().ok()?;
        entry = entry.message_attributes(SOURCE, http);
    }
    entry.build().ok()
}

/// Groups bodies into batches that SQS takes.
fn batches(bodies: Vec<String>) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for body in bodies {
        // The attribute counts too.
        let size = body.len() + 64;
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST_ENTRIES && bytes + size <= MOST_BYTES => {
                bytes += size;
                batch.push(body);
            }
            _ => {
                bytes = size;
                batches.push(vec![body]);
            }
        }
    }
    batches
}

fn failed<E, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    move |source| Error::Request { operation, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_to_the_limits_of_sqs_and_lose_nothing() {
        let bodies: Vec<String> = (0..25).map(|n| "x".repeat(if n % 5 == 0 { 100_000 } else { 10 })).collect();

        let batches = batches(bodies.clone());

        assert!(batches.iter().all(|batch| batch.len() <= MOST_ENTRIES));
        assert!(batches.iter().all(|batch| batch.iter().map(String::len).sum::<usize>() <= MOST_BYTES));
        assert_eq!(batches.concat(), bodies);
    }
}
