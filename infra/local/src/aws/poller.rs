//! Polls queues into functions, as Lambda's event source mappings do: batch size and window, one invocation for a
//! batch, and of a batch only what succeeded is deleted.

use crate::aws::lambda::{Failed, Lambda};
use crate::aws::lineage::Lineage;
use crate::aws::names::{REGION, queue_arn};
use crate::aws::sqs::{Broker, Message, md5, system_attributes};
use crate::faults::proxy::Observer;
use crate::template::Mapping;
use axum::body::Bytes;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// As many instances as one function has here.
const MAX_POLLERS: usize = 4;
const LONG_POLL: Duration = Duration::from_secs(20);

pub fn start(
    tasks: &mut JoinSet<()>,
    mappings: Vec<Mapping>,
    broker: &Arc<Broker>,
    lambda: &Arc<Lambda>,
    observer: Option<&Arc<Observer>>,
) {
    for mapping in mappings {
        let mapping = Arc::new(mapping);
        for _ in 0..mapping.concurrency.min(MAX_POLLERS) {
            tasks.spawn(poll(mapping.clone(), broker.clone(), lambda.clone(), observer.cloned()));
        }
    }
}

async fn poll(mapping: Arc<Mapping>, broker: Arc<Broker>, lambda: Arc<Lambda>, observer: Option<Arc<Observer>>) {
    let forgets = || observer.as_ref().is_some_and(|observer| observer.faults.forgets_to_delete(&mapping.function));
    loop {
        let batch = gather(&mapping, &broker).await;
        if batch.is_empty() {
            continue;
        }
        let event = json!({ "Records": batch.iter().map(|(message, receipt)| record(&mapping.queue, message, receipt)).collect::<Vec<_>>() });
        let lineages = batch.iter().map(|(message, _)| Lineage::of(message.trace_id.as_deref().unwrap_or_default()));
        let chain = lineages.reduce(Lineage::worst).unwrap_or_default();
        let answer = lambda.invoke(&mapping.function, Bytes::from(event.to_string()), chain).await;
        let failed = failures(&mapping, &batch, answer);
        for (message, receipt) in &batch {
            if !failed.contains(&message.id) && !forgets() {
                // The queue is there as long as the stack is.
                let _ = broker.delete(&mapping.queue, receipt);
            }
        }
    }
}

/// Waits for messages, and once there is one for as many as the batch takes or the window allows.
async fn gather(mapping: &Mapping, broker: &Broker) -> Vec<(Message, String)> {
    let receive = |max: usize, wait| broker.receive(&mapping.queue, max.min(10), None, wait);
    let Ok(mut batch) = receive(mapping.batch_size, LONG_POLL).await else {
        return Vec::new();
    };
    let until = Instant::now() + Duration::from_secs(mapping.window_seconds);
    while !batch.is_empty() && batch.len() < mapping.batch_size && Instant::now() < until {
        match receive(mapping.batch_size - batch.len(), until - Instant::now()).await {
            Ok(more) if !more.is_empty() => batch.extend(more),
            _ => break,
        }
    }
    batch
}

/// Returns the ids of the messages that stay on the queue. An answer that can't be understood, or that names a message
/// which was not in the batch, counts as a failure of all, as in Lambda.
fn failures(mapping: &Mapping, batch: &[(Message, String)], answer: Result<Bytes, Failed>) -> HashSet<String> {
    let all = || batch.iter().map(|(message, _)| message.id.clone()).collect::<HashSet<_>>();
    let Ok(answer) = answer else { return all() };
    if !mapping.partial_failures || answer.is_empty() {
        return HashSet::new();
    }
    let Ok(answer) = serde_json::from_slice::<Value>(&answer) else { return all() };
    let Some(failures) = answer["batchItemFailures"].as_array() else { return HashSet::new() };
    let failed: Option<HashSet<String>> =
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().map(ToOwned::to_owned)).collect();
    match failed {
        Some(failed) if failed.is_subset(&all()) => failed,
        _ => all(),
    }
}

/// Returns a message as functions get it.
pub fn record(queue: &str, message: &Message, receipt: &str) -> Value {
    let attributes = message.attributes.iter().map(|(name, attribute)| {
        let value = json!({
            "dataType": attribute.data_type,
            "stringValue": attribute.string_value,
            "binaryValue": attribute.binary_value,
            "stringListValues": [],
            "binaryListValues": [],
        });
        (name.clone(), value)
    });
    json!({
        "messageId": message.id,
        "receiptHandle": receipt,
        "body": message.body,
        "attributes": system_attributes(message),
        "messageAttributes": attributes.collect::<Map<_, _>>(),
        "md5OfBody": md5(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn(queue),
        "awsRegion": REGION,
    })
}
