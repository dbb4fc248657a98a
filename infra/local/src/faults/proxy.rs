//! Stands between the functions and an emulator: holds functions to their permissions, injects faults, and counts what
//! is asked. Tests and people reach the emulators directly.

use crate::aws::lambda::Lambda;
use crate::aws::names::table_name;
use crate::faults::limits::Limits;
use crate::faults::permissions::{self, Permissions};
use crate::faults::{Draw, Fate, Faults};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Longer than any client waits.
const HANGS: Duration = Duration::from_secs(60);
const MAX_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    DynamoDb,
    Sqs,
    Ses,
}

/// Requests of one function for one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Use {
    pub requests: u64,
    /// Of DynamoDB: reads or writes, as the operation is one of these, with their indexes.
    pub capacity_units: f64,
}

/// By function and operation.
pub type Usage = BTreeMap<(String, String), Use>;

/// The common state of the proxies of one stack.
pub struct Observer {
    pub faults: Faults,
    usage: Mutex<Usage>,
    permissions: Permissions,
    pub limits: Limits,
    /// Known once the functions are started.
    pub lambda: OnceLock<Weak<Lambda>>,
    /// Items that were put a moment ago, and is not in an index yet.
    fresh: Mutex<Vec<(Instant, Map<String, Value>)>>,
}

impl Observer {
    pub fn new(faults: Faults, permissions: Permissions, limits: Limits) -> Self {
        let (usage, fresh) = (Mutex::default(), Mutex::default());
        Self { faults, permissions, limits, usage, lambda: OnceLock::new(), fresh }
    }

    pub fn usage(&self) -> Usage {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, function: &str, operation: &str, capacity_units: f64) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let used = usage.entry((function.to_owned(), operation.to_owned())).or_default();
        used.requests += 1;
        used.capacity_units += capacity_units;
    }

    /// Remembers what was put, for as long as an index may lag.
    fn put(&self, item: &Value) {
        if let (Value::Object(item), true) = (item, self.faults.spec.lag_ms > 0) {
            let lag = Duration::from_millis(self.faults.spec.lag_ms);
            let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            fresh.retain(|(since, _)| since.elapsed() < lag);
            fresh.push((Instant::now(), item.clone()));
        }
    }

    /// Takes out of an index's items what it would not show yet.
    fn hide_fresh(&self, items: &mut Vec<Value>) {
        let lag = Duration::from_millis(self.faults.spec.lag_ms);
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |item: &Value| {
            let mut recent = fresh.iter().filter(|(since, _)| since.elapsed() < lag);
            // An index projects a part of the item.
            let projected = |put: &Map<String, Value>| {
                item.as_object().is_some_and(|item| item.iter().all(|(name, value)| put.get(name) == Some(value)))
            };
            recent.any(|(_, put)| projected(put))
        };
        items.retain(|item| !is_fresh(item));
    }
}

#[derive(Clone)]
struct Proxy {
    service: Service,
    /// Where the emulator answers, without a slash at the end.
    target: String,
    observer: Arc<Observer>,
    client: Client<HttpConnector, Full<Bytes>>,
}

pub fn router(service: Service, target: String, observer: Arc<Observer>) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    Router::new().fallback(answer).with_state(Proxy { service, target, observer, client })
}

/// A request on its way.
struct Asked {
    function: String,
    instance: String,
    operation: String,
    parts: Parts,
    body: Bytes,
}

async fn answer(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (function, instance) = sender(&parts).unwrap_or_default();
    let asked = Asked { operation: proxy.operation(&parts), function, instance, parts, body };
    if let Some(denied) = proxy.denial(&asked) {
        return denied;
    }
    let concerned = proxy.concerned(&asked.body);
    let draw = concerned.then(|| proxy.observer.faults.draw(&asked.function, &asked.operation)).flatten();
    let Some(mut draw) = draw else { return proxy.forward(asked, None).await };
    let spec = &proxy.observer.faults.spec;
    if draw.strikes(spec.slow) {
        tokio::time::sleep(draw.up_to(spec.slow_ms)).await;
    }
    let fate = proxy.observer.faults.fate(&mut draw, &asked.operation);
    let instance = asked.instance.clone();
    match fate {
        Fate::Fine => proxy.forward(asked, Some(draw)).await,
        Fate::Throttle => proxy.refuse(StatusCode::BAD_REQUEST),
        Fate::Error => proxy.refuse(StatusCode::INTERNAL_SERVER_ERROR),
        Fate::ErrorAfter => {
            proxy.forward(asked, None).await;
            proxy.refuse(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Fate::TimeoutBefore => hang().await,
        Fate::TimeoutAfter => {
            tokio::spawn(async move { proxy.forward(asked, None).await });
            hang().await
        }
        Fate::Lost => {
            proxy.forward(asked, None).await;
            broken()
        }
        Fate::KillBefore => {
            proxy.kill(&instance, &asked.operation, fate);
            hang().await
        }
        Fate::KillAfter => {
            let operation = asked.operation.clone();
            // A task of its own, since this one ends when another request has killed the function.
            tokio::spawn(async move {
                proxy.forward(asked, None).await;
                proxy.kill(&instance, &operation, fate);
            });
            hang().await
        }
    }
}

impl Proxy {
    fn operation(&self, parts: &Parts) -> String {
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        match self.service {
            Service::Ses => "SendEmail".into(),
            Service::DynamoDb | Service::Sqs => target.rsplit('.').next().unwrap_or_default().to_owned(),
        }
    }

    /// Returns true if faults are for a request's table, or for all.
    fn concerned(&self, body: &[u8]) -> bool {
        let Some(table) = &self.observer.faults.spec.table else { return true };
        let name = format!("\"{}\"", table_name(table));
        self.service == Service::DynamoDb && body.windows(name.len()).any(|part| part == name.as_bytes())
    }

    /// Returns the answer to a request that the function's policies do not allow.
    fn denial(&self, asked: &Asked) -> Option<Response> {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let needed = match self.service {
            Service::DynamoDb => permissions::of_dynamodb(&asked.operation, &body),
            Service::Sqs => permissions::of_sqs(&asked.operation, &body),
            Service::Ses => permissions::of_ses(),
        };
        let missing = self.observer.permissions.missing(&asked.function, &needed)?;
        let message = format!("{} lacks a permission in template.yaml: {missing:?}", asked.function);
        eprintln!("{message}");
        let body = json!({ "__type": "AccessDeniedException", "message": message }).to_string();
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amzn-errortype", "AccessDeniedException")];
        Some((StatusCode::BAD_REQUEST, headers, body).into_response())
    }

    /// Carries a request out, but for what a batch leaves undone.
    async fn forward(&self, asked: Asked, draw: Option<Draw>) -> Response {
        let mut body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let mut left = Left::default();
        if let Some(mut draw) = draw {
            let spec = &self.observer.faults.spec;
            if self.service == Service::Sqs && asked.operation == "SendMessageBatch" {
                left = leave_entries(&mut body, spec.partial, &mut draw);
                disturb_messages(&mut body, spec, &mut draw);
            } else if self.service == Service::DynamoDb {
                left = leave_items(&mut body, &asked.operation, spec.partial, &mut draw);
            }
        }
        if self.service == Service::DynamoDb {
            if self.observer.limits.is_over(&asked.operation, &body) {
                return self.refuse(StatusCode::BAD_REQUEST);
            }
            body["ReturnConsumedCapacity"] = json!("INDEXES");
            if asked.operation == "PutItem" {
                self.observer.put(&body["Item"]);
            }
        }
        let answered = if left.nothing_else {
            Ok((StatusCode::OK, asked.parts.headers.clone(), json!({})))
        } else {
            self.pass_on(&asked, &body).await
        };
        let Ok((status, headers, mut answer)) = answered else { return broken() };
        if body["IndexName"].is_string()
            && let Some(items) = answer["Items"].as_array_mut()
        {
            self.observer.hide_fresh(items);
        }
        if status == StatusCode::OK {
            self.observer.limits.charge(&asked.operation, &body, &answer);
            left.add_to(&mut answer);
        }
        self.observer.count(&asked.function, &asked.operation, capacity_units(&answer["ConsumedCapacity"]));
        let mut response = (status, answer.to_string()).into_response();
        for (name, value) in &headers {
            if name == "x-amzn-errortype" || name == header::RETRY_AFTER || name == header::CONTENT_TYPE {
                response.headers_mut().insert(name.clone(), value.clone());
            }
        }
        response
    }

    async fn pass_on(
        &self,
        asked: &Asked,
        body: &Value,
    ) -> Result<(StatusCode, axum::http::HeaderMap, Value), crate::Error> {
        let path = asked.parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = format!("{}{path}", self.target).parse()?;
        let mut request = axum::http::Request::builder().method(asked.parts.method.clone()).uri(uri);
        for (name, value) in &asked.parts.headers {
            if name != header::CONTENT_LENGTH && name != header::HOST {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(Bytes::from(body.to_string())))?;
        let (parts, body) = self.client.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok((parts.status, parts.headers, serde_json::from_slice(&body).unwrap_or_default()))
    }

    /// Returns what each service says when it is throttled, or failed.
    fn refuse(&self, status: StatusCode) -> Response {
        let failed = status.is_server_error();
        let (status, kind) = match self.service {
            Service::DynamoDb if failed => (status, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
            Service::DynamoDb => (status, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
            Service::Sqs if failed => (status, "com.amazonaws.sqs#InternalError"),
            Service::Sqs => (status, "com.amazonaws.sqs#RequestThrottled"),
            Service::Ses if failed => (status, "InternalServiceErrorException"),
            Service::Ses => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
        };
        let body = json!({ "__type": kind, "message": "injected" }).to_string();
        let kind = kind.rsplit('#').next().unwrap_or_default();
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amzn-errortype", kind)];
        (status, headers, body).into_response()
    }

    fn kill(&self, instance: &str, operation: &str, fate: Fate) {
        let lambda = self.observer.lambda.get().and_then(Weak::upgrade);
        if !lambda.is_some_and(|lambda| lambda.kill(instance)) {
            // Another request of the same instance was faster.
            self.observer.faults.take_back(operation, fate);
        }
    }
}

/// Returns the function and the instance that ask; both are the application id of their SDK.
fn sender(parts: &Parts) -> Option<(String, String)> {
    let agents = ["x-amz-user-agent", "user-agent"];
    let agents = agents.iter().filter_map(|name| parts.headers.get(*name)?.to_str().ok());
    let app = agents.flat_map(str::split_whitespace).find_map(|word| word.strip_prefix("app/"))?;
    let (function, instance) = app.rsplit_once('.')?;
    Some((function.to_owned(), instance.to_owned()))
}

async fn hang() -> Response {
    tokio::time::sleep(HANGS).await;
    broken()
}

/// Returns an answer that breaks off before it begins.
fn broken() -> Response {
    let nothing = futures::stream::once(async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionAborted)) });
    ([(header::CONTENT_LENGTH, "1000")], Body::from_stream(nothing)).into_response()
}

/// The parts of a batch that were left undone, in the words of its answer.
#[derive(Default)]
struct Left {
    member: &'static str,
    value: Value,
    nothing_else: bool,
}

impl Left {
    fn add_to(self, answer: &mut Value) {
        if self.value.is_null() {
            return;
        }
        match (&mut answer[self.member], self.value) {
            (Value::Array(there), Value::Array(left)) => there.extend(left),
            (Value::Object(there), Value::Object(left)) => there.extend(left),
            (there, left) => *there = left,
        }
    }
}

fn leave_entries(body: &mut Value, chance: f64, draw: &mut Draw) -> Left {
    let Some(entries) = body["Entries"].as_array_mut() else { return Left::default() };
    let (left, kept): (Vec<Value>, Vec<Value>) =
        std::mem::take(entries).into_iter().partition(|_| draw.strikes(chance));
    *entries = kept;
    let failed = |entry: &Value| json!({ "Id": entry["Id"], "Code": "InternalError", "SenderFault": false });
    let value = if left.is_empty() { Value::Null } else { left.iter().map(failed).collect() };
    Left { member: "Failed", value, nothing_else: entries.is_empty() }
}

/// Makes messages come late or twice.
fn disturb_messages(body: &mut Value, spec: &crate::faults::Spec, draw: &mut Draw) {
    let Some(entries) = body["Entries"].as_array_mut() else { return };
    let mut copies = Vec::new();
    for entry in entries.iter_mut().filter(|entry| entry["MessageGroupId"].is_null()) {
        if draw.strikes(spec.delay) {
            let late = draw.up_to(spec.delay_ms).as_secs() + 1;
            entry["DelaySeconds"] = json!(entry["DelaySeconds"].as_u64().unwrap_or(0) + late);
        }
        if draw.strikes(spec.duplicate) {
            let mut copy = entry.clone();
            copy["Id"] = json!(format!("{}-again", entry["Id"].as_str().unwrap_or_default()));
            copies.push(copy);
        }
    }
    // A request has ten entries at the most.
    copies.truncate(10 - entries.len().min(10));
    entries.extend(copies);
}

fn leave_items(body: &mut Value, operation: &str, chance: f64, draw: &mut Draw) -> Left {
    let member = match operation {
        "BatchGetItem" => "UnprocessedKeys",
        "BatchWriteItem" => "UnprocessedItems",
        _ => return Left::default(),
    };
    let Some(tables) = body["RequestItems"].as_object_mut() else { return Left::default() };
    let mut left = Map::new();
    for (table, asked) in tables.iter_mut() {
        let mut rest = asked.clone();
        let (list, rest_list) = match operation {
            "BatchGetItem" => (asked["Keys"].as_array_mut(), rest["Keys"].as_array_mut()),
            _ => (asked.as_array_mut(), rest.as_array_mut()),
        };
        let (Some(list), Some(rest_list)) = (list, rest_list) else { continue };
        let (undone, kept): (Vec<Value>, Vec<Value>) =
            std::mem::take(list).into_iter().partition(|_| draw.strikes(chance));
        *list = kept;
        *rest_list = undone;
        if !rest_list.is_empty() {
            left.insert(table.clone(), rest);
        }
    }
    tables.retain(|_, asked| !asked.as_array().or(asked["Keys"].as_array()).is_none_or(Vec::is_empty));
    let value = if left.is_empty() { Value::Null } else { Value::Object(left) };
    Left { member, value, nothing_else: tables.is_empty() }
}

/// Returns the sum of an answer's units; a batch has them by table.
fn capacity_units(consumed: &Value) -> f64 {
    match consumed {
        Value::Array(tables) => tables.iter().map(capacity_units).sum(),
        consumed => consumed["CapacityUnits"].as_f64().unwrap_or(0.0),
    }
}
