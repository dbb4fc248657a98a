//! The JSON protocol of SQS (AWS JSON 1.0): the operation is in the header `X-Amz-Target`.

use super::broker::{Attribute, Broker, Message, NoSuchQueue, SendOptions};
use crate::aws::names::{last_part, queue_arn, queue_url};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use md5::{Digest, Md5};
use restock_domain::hex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Limits of a request (SQS developer guide, "Amazon SQS message quotas").
const MAX_ENTRIES: usize = 10;
const MAX_BYTES: usize = 1024 * 1024;

#[derive(Clone)]
struct Api {
    broker: Arc<Broker>,
    /// Where this is reachable; queue URLs begin with it.
    url: String,
    /// Of the request.
    trace_id: Option<String>,
}

/// An error as SQS names it.
struct Fault(&'static str, String);

impl From<NoSuchQueue> for Fault {
    fn from(_: NoSuchQueue) -> Self {
        Self("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.".into())
    }
}

pub fn router(broker: Arc<Broker>, url: String) -> Router {
    Router::new().fallback(answer).layer(DefaultBodyLimit::max(4 * MAX_BYTES)).with_state(Api {
        broker,
        url,
        trace_id: None,
    })
}

async fn answer(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.trim_start_matches("AmazonSQS.");
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    // The SDKs send the trace id of the invocation that they run in.
    let trace_id = headers.get("x-amzn-trace-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
    let api = Api { trace_id, ..api };
    let (status, body) = match api.call(operation, &request).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(Fault(kind, message)) => (StatusCode::BAD_REQUEST, json!({ "__type": kind, "message": message })),
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string()).into_response()
}

impl Api {
    async fn call(&self, operation: &str, request: &Value) -> Result<Value, Fault> {
        let broker = &self.broker;
        let queue = last_part(text(request, "QueueUrl"));
        match operation {
            "SendMessage" => self.send(queue, request),
            "SendMessageBatch" => {
                let entries = self.entries(request)?;
                let bytes: usize = entries.iter().map(|entry| text(entry, "MessageBody").len()).sum();
                if bytes > MAX_BYTES {
                    return Err(Fault("com.amazonaws.sqs#BatchRequestTooLong", "The batch is too long.".into()));
                }
                self.each(entries, |entry| self.send(queue, entry))
            }
            "ReceiveMessage" => {
                let max = request["MaxNumberOfMessages"].as_u64().unwrap_or(1).clamp(1, 10) as usize;
                let wait = Duration::from_secs(request["WaitTimeSeconds"].as_u64().unwrap_or(0).min(20));
                let received = broker.receive(queue, max, request["VisibilityTimeout"].as_i64(), wait).await?;
                let messages: Vec<Value> =
                    received.iter().map(|(message, receipt)| message_json(message, receipt)).collect();
                Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
            }
            "DeleteMessage" => {
                broker.delete(queue, text(request, "ReceiptHandle"))?;
                Ok(json!({}))
            }
            "DeleteMessageBatch" => self.each(self.entries(request)?, |entry| {
                broker.delete(queue, text(entry, "ReceiptHandle"))?;
                Ok(json!({}))
            }),
            "ChangeMessageVisibility" => self.change_visibility(queue, request),
            "ChangeMessageVisibilityBatch" => {
                self.each(self.entries(request)?, |entry| self.change_visibility(queue, entry))
            }
            "GetQueueAttributes" => {
                let counts = broker.counts(queue)?;
                Ok(json!({ "Attributes": {
                    "QueueArn": queue_arn(queue),
                    "ApproximateNumberOfMessages": counts.visible.to_string(),
                    "ApproximateNumberOfMessagesNotVisible": counts.in_flight.to_string(),
                    "ApproximateNumberOfMessagesDelayed": counts.delayed.to_string(),
                }}))
            }
            "GetQueueUrl" => {
                let name = text(request, "QueueName");
                broker.counts(name)?;
                Ok(json!({ "QueueUrl": queue_url(&self.url, name) }))
            }
            "ListQueues" => {
                let prefix = text(request, "QueueNamePrefix");
                let names = broker.names().into_iter().filter(|name| name.starts_with(prefix));
                Ok(json!({ "QueueUrls": names.map(|name| queue_url(&self.url, &name)).collect::<Vec<_>>() }))
            }
            "PurgeQueue" => {
                broker.purge(queue)?;
                Ok(json!({}))
            }
            "StartMessageMoveTask" => {
                let target = request["DestinationArn"].as_str().map(last_part);
                broker.redrive(last_part(text(request, "SourceArn")), target, |_| true)?;
                Ok(json!({ "TaskHandle": uuid::Uuid::new_v4() }))
            }
            // A move is over as soon as it has been started.
            "ListMessageMoveTasks" => Ok(json!({ "Results": [] })),
            other => {
                let message = format!("The local SQS does not know the operation {other}.");
                Err(Fault("com.amazonaws.sqs#UnsupportedOperation", message))
            }
        }
    }

    fn send(&self, queue: &str, entry: &Value) -> Result<Value, Fault> {
        let body = text(entry, "MessageBody");
        if body.is_empty() || body.len() > MAX_BYTES {
            let message = "The message must have between 1 byte and 1 MiB.".to_owned();
            return Err(Fault("com.amazonaws.sqs#InvalidMessageContents", message));
        }
        let attributes: BTreeMap<String, Attribute> =
            serde_json::from_value(entry["MessageAttributes"].clone()).unwrap_or_default();
        let owned = |name: &str| entry[name].as_str().map(ToOwned::to_owned);
        let options = SendOptions {
            delay_ms: entry["DelaySeconds"].as_i64().map(|seconds| seconds * 1000),
            group: owned("MessageGroupId"),
            trace_id: self.trace_id.clone(),
            deduplication: owned("MessageDeduplicationId"),
        };
        let id = self.broker.send(queue, body.to_owned(), attributes, options)?;
        Ok(json!({ "MessageId": id, "MD5OfMessageBody": md5(body) }))
    }

    fn change_visibility(&self, queue: &str, entry: &Value) -> Result<Value, Fault> {
        let seconds = entry["VisibilityTimeout"].as_i64().unwrap_or(0).clamp(0, 43_200);
        self.broker
            .change_visibility(queue, text(entry, "ReceiptHandle"), seconds * 1000)?
            .map_err(|_| Fault("com.amazonaws.sqs#MessageNotInflight", "The message is not in flight.".into()))?;
        Ok(json!({}))
    }

    fn entries<'a>(&self, request: &'a Value) -> Result<&'a [Value], Fault> {
        match request["Entries"].as_array().map(Vec::as_slice) {
            None | Some([]) => Err(Fault("com.amazonaws.sqs#EmptyBatchRequest", "The batch has no entries.".into())),
            Some(entries) if entries.len() > MAX_ENTRIES => {
                let message = "A batch has at most 10 entries.".to_owned();
                Err(Fault("com.amazonaws.sqs#TooManyEntriesInBatchRequest", message))
            }
            Some(entries) => Ok(entries),
        }
    }

    /// Carries each entry out by itself and sorts the results.
    fn each(&self, entries: &[Value], act: impl Fn(&Value) -> Result<Value, Fault>) -> Result<Value, Fault> {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = &entry["Id"];
            match act(entry) {
                Ok(mut result) => {
                    result["Id"] = id.clone();
                    successful.push(result);
                }
                Err(Fault(kind, message)) => {
                    failed.push(json!({ "Id": id, "Code": kind, "Message": message, "SenderFault": true }));
                }
            }
        }
        Ok(json!({ "Successful": successful, "Failed": failed }))
    }
}

/// Returns a message as ReceiveMessage returns it, with all of its attributes.
fn message_json(message: &Message, receipt: &str) -> Value {
    let mut json = json!({
        "MessageId": message.id,
        "ReceiptHandle": receipt,
        "Body": message.body,
        "MD5OfBody": md5(&message.body),
        "Attributes": system_attributes(message),
    });
    if !message.attributes.is_empty() {
        json["MessageAttributes"] = json!(message.attributes);
    }
    json
}

/// Returns the attributes that SQS itself gives a message.
pub fn system_attributes(message: &Message) -> Map<String, Value> {
    let mut attributes = Map::from_iter([
        ("SentTimestamp".to_owned(), json!(message.sent_at.to_string())),
        ("ApproximateReceiveCount".to_owned(), json!(message.receives.to_string())),
        ("SenderId".to_owned(), json!("AIDALOCAL")),
    ]);
    if let Some(at) = message.first_received_at {
        attributes.insert("ApproximateFirstReceiveTimestamp".into(), json!(at.to_string()));
    }
    if let Some(trace_id) = &message.trace_id {
        attributes.insert("AWSTraceHeader".into(), json!(trace_id));
    }
    if let Some(group) = &message.group {
        attributes.insert("MessageGroupId".into(), json!(group));
    }
    if let Some(source) = &message.dead_letter_source {
        attributes.insert("DeadLetterQueueSourceArn".into(), json!(source));
    }
    attributes
}

pub fn md5(text: &str) -> String {
    hex(&Md5::digest(text))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
