//! The default bus of EventBridge: it keeps what it is told, for `GET /events` of the inbox.

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Events, oldest first.
#[derive(Default)]
pub struct Bus {
    events: Mutex<Vec<Value>>,
}

impl Bus {
    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers `PutEvents`.
pub fn router(bus: Arc<Bus>) -> Router {
    Router::new().route("/", post(put)).with_state(bus)
}

/// Shows the events to tests and people.
pub fn page(bus: Arc<Bus>) -> Router {
    Router::new().route("/events", get(async |State(bus): State<Arc<Bus>>| Json(bus.lock().clone()))).with_state(bus)
}

async fn put(State(bus): State<Arc<Bus>>, body: Bytes) -> Json<Value> {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let entries = request["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let taken = entries.iter().map(|entry| match event(entry) {
        Ok(event) => {
            let answer = json!({"EventId": event["id"]});
            bus.lock().push(event);
            answer
        }
        Err(message) => json!({"ErrorCode": "InvalidArgument", "ErrorMessage": message}),
    });
    let taken: Vec<Value> = taken.collect();
    let failed = taken.iter().filter(|entry| entry["ErrorCode"].is_string()).count();
    Json(json!({"FailedEntryCount": failed, "Entries": taken}))
}

/// Returns an entry as a rule sees it, or why it is not taken.
fn event(entry: &Value) -> Result<Value, &'static str> {
    let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    let source = text("Source").ok_or("Parameter Source is not valid.")?;
    let kind = text("DetailType").ok_or("Parameter DetailType is not valid.")?;
    let detail = text("Detail").and_then(|detail| serde_json::from_str::<Value>(detail).ok());
    let detail = detail.filter(Value::is_object).ok_or("Detail is malformed.")?;
    Ok(json!({"id": Uuid::new_v4(), "source": source, "detail-type": kind, "detail": detail}))
}
