use crate::Queues;
use crate::messages::ParseError;
use crate::queue::{Named, Queue, hidden_in};
use crate::transport::{ACCEPTANCE, Acceptance};
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use display_error_chain::DisplayErrorChain;
use futures::FutureExt;
use futures::future::join_all;
use jiff::Timestamp;
use restock_domain::{Arrival, Source, time};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tracing::{Instrument, Span, error, error_span, warn};

/// The longest pause before a message is received again.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// One message of a batch.
#[derive(Debug)]
pub struct Record {
    pub message_id: String,
    pub body: String,
    /// When SQS accepted it.
    pub sent_at: Timestamp,
    /// Of levels that came in over HTTP.
    acceptance: Option<Acceptance>,
    /// How often it was received, this time included.
    pub receives: u32,
    /// Names this receive of the message.
    receipt: String,
}

/// Why a message is not done.
#[derive(Debug)]
pub enum Failure {
    /// It will never be done as it is; it belongs in the dead-letter queue.
    Malformed(String),
    /// It may be done later, not before that time has passed if there is one.
    Retry { after: Option<Duration>, reason: String },
}

impl Record {
    /// Returns how the level at this place in the message came in; the same at every redelivery, and for every copy of
    /// what came in over HTTP.
    pub fn arrival(&self, index: usize) -> Arrival {
        let (source, id, at) = match &self.acceptance {
            Some(accepted) => (Source::Http, &accepted.id, accepted.at),
            None => (Source::Queue, &self.message_id, self.sent_at),
        };
        Arrival { at, id: format!("{id}-{index}"), source }
    }

    fn correlation(&self) -> &str {
        self.acceptance.as_ref().map_or(&self.message_id, Acceptance::correlation)
    }
}

/// Lets the lines of the log from here on name the call or message that the work follows from, instead of the message
/// at hand.
pub fn correlate(correlation: &str) {
    Span::current().record("correlation", correlation);
}

/// Returns what names the call or message that a level came in by, from the id of its arrival.
pub fn correlation_in(arrival_id: &str) -> &str {
    let (message, _) = arrival_id.rsplit_once('-').unwrap_or((arrival_id, ""));
    Acceptance::correlation_of(message)
}

/// A service that Restock depends on has failed, which may be over later.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Retry { after: None, reason: DisplayErrorChain::new(&error).to_string() }
    }
}

/// It is no error in the sense of Rust: as one, it would be tried again.
impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Hands each message of a batch to `handle`, by itself: neither an error nor a panic over one touches the others.
/// Returns those that failed, in the form that `ReportBatchItemFailures` asks for.
pub async fn consume<F>(
    queues: &Queues,
    queue: impl Named,
    event: SqsEvent,
    handle: impl Fn(Record) -> F,
) -> SqsBatchResponse
where
    F: Future<Output = Result<(), Failure>>,
{
    let (handle, queue) = (&handle, hidden_in(queue));
    let handle_one = async |record: Record| {
        let message_id = record.message_id.clone();
        let (receives, receipt) = (record.receives, record.receipt.clone());
        let outcome = AssertUnwindSafe(handle(record)).catch_unwind().await;
        let failure = match outcome {
            Ok(Ok(())) => return None,
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Retry { after: None, reason: "the handler panicked".into() },
        };
        let delay = match &failure {
            Failure::Malformed(reason) => {
                error!(message_id, receives, reason, "A message is malformed and goes to the dead-letter queue");
                Duration::ZERO
            }
            Failure::Retry { after, reason } => {
                let delay = after.unwrap_or_else(|| {
                    time::backoff(Duration::from_secs(2), receives.saturating_sub(1), MAX_PAUSE, fastrand::f64())
                });
                warn!(message_id, receives, reason, seconds = delay.as_secs(), "A message will be retried");
                delay
            }
        };
        if let Err(error) = queues.retry_after(queue, &receipt, delay).await {
            // The message then comes back when its visibility timeout ends, which is later but as good.
            warn!(message_id, error = %DisplayErrorChain::new(&error), "The visibility timeout could not be changed");
        }
        let mut failed = BatchItemFailure::default();
        failed.item_identifier = message_id;
        Some(failed)
    };
    let handled = event.records.into_iter().map(|message| {
        let record = record(message);
        // Of the highest level, so that no filter leaves it out.
        let span = error_span!("message", correlation = record.correlation());
        handle_one(record).instrument(span)
    });
    let mut response = SqsBatchResponse::default();
    // All at the same time, so that they share requests.
    response.batch_item_failures = join_all(handled).await.into_iter().flatten().collect();
    response
}

/// Keeps a message hidden while `work` goes on, and no more than `lease` after the function was killed: long work then
/// needs no visibility timeout that is as long.
pub async fn while_hidden<T>(
    queues: &Queues,
    queue: impl Named,
    record: &Record,
    lease: Duration,
    work: impl Future<Output = T>,
) -> T {
    let queue = hidden_in(queue);
    // Before the work begins, or dying early on would hide the message for the whole visibility timeout.
    hide(queues, queue, record, lease).await;
    let go_on = async {
        loop {
            tokio::time::sleep(lease / 3).await;
            hide(queues, queue, record, lease).await;
        }
    };
    tokio::select! {
        done = work => done,
        never = go_on => never,
    }
}

async fn hide(queues: &Queues, queue: Queue, record: &Record, lease: Duration) {
    if let Err(error) = queues.retry_after(queue, &record.receipt, lease).await {
        // The next one comes before the lease ends.
        warn!(record.message_id, error = %DisplayErrorChain::new(&error), "A message could not be kept hidden");
    }
}

fn record(message: SqsMessage) -> Record {
    let attribute = |name: &str| message.attributes.get(name).and_then(|value| value.parse::<i64>().ok());
    let accepted = message.message_attributes.get(ACCEPTANCE).and_then(|value| value.string_value.as_deref());
    Record {
        sent_at: attribute("SentTimestamp").and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or_else(|| {
            error!(?message.message_id, "SQS did not say when a message was sent; now counts, at each receive");
            Timestamp::now()
        }),
        receives: attribute("ApproximateReceiveCount").and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        acceptance: accepted.and_then(Acceptance::from_text),
        receipt: message.receipt_handle.unwrap_or_default(),
        message_id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
    }
}
