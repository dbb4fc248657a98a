//! Stands between the functions and an emulator: holds functions to their permissions, injects faults, and counts what
//! is asked. Tests and people reach the emulators directly.

use crate::aws::lambda::Lambda;
use crate::aws::names::table_name;
use crate::faults::limits::Limits;
use crate::faults::partial::{Left, disturb_messages, leave_entries, leave_items, leave_mails, leave_statements};
use crate::faults::permissions::{self, Permissions};
use crate::faults::request::{of_statement, parts};
use crate::faults::{Draw, Fate, Faults};
use crate::usage::Usage;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

pub const SEND_BULK_EMAIL: &str = "SendBulkEmail";
/// Longer than any client waits.
const HANGS: Duration = Duration::from_secs(60);
const MAX_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    DynamoDb,
    Sqs,
    Ses,
    Events,
}

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

    fn count(&self, asked: &Asked, capacity_units: f64, mails: u64) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let used = usage.entry((asked.function.clone(), asked.operation.clone())).or_default();
        used.requests += 1;
        let is_read = matches!(asked.operation.as_str(), "BatchGetItem" | "Query" | "Scan");
        *(if is_read { &mut used.reads } else { &mut used.writes }) += capacity_units;
        used.mails += mails;
    }

    /// Remembers what was put, for as long as an index, or an eventually consistent read, may lag.
    fn put(&self, item: &Value) {
        if let (Value::Object(item), true) = (item, self.faults.spec.lag_ms > 0) {
            let lag = Duration::from_millis(self.faults.spec.lag_ms);
            let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            fresh.retain(|(since, _)| since.elapsed() < lag);
            fresh.push((Instant::now(), item.clone()));
        }
    }

    /// Takes out of an answer what an index, or an eventually consistent read, would not show yet.
    fn hide_unshown(&self, request: &Value, answer: &mut Value) {
        if request["IndexName"].is_string()
            && let Some(items) = answer["Items"].as_array_mut()
        {
            self.hide_fresh(items);
        }
        for (table, wanted) in request["RequestItems"].as_object().into_iter().flatten() {
            if wanted["ConsistentRead"] == false
                && let Some(items) = answer["Responses"][table].as_array_mut()
            {
                self.hide_fresh(items);
            }
        }
    }

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
    if fate.is_ambiguous() {
        proxy.observer.faults.count_ambiguous(mails_asked_for(&asked));
    }
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

/// Returns how many mails a request is to send.
fn mails_asked_for(asked: &Asked) -> u64 {
    match asked.operation.as_str() {
        "SendEmail" => 1,
        SEND_BULK_EMAIL => {
            let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
            body["BulkEmailEntries"].as_array().map_or(0, |entries| entries.len() as u64)
        }
        _ => 0,
    }
}

/// Returns how many mails SES took, which are what it charges.
fn mails_of(operation: &str, answer: &Value) -> u64 {
    match operation {
        "SendEmail" => u64::from(answer["MessageId"].is_string()),
        SEND_BULK_EMAIL => {
            let entries = answer["BulkEmailEntryResults"].as_array().into_iter().flatten();
            entries.filter(|entry| entry["Status"] == "SUCCESS").count() as u64
        }
        _ => 0,
    }
}

/// Returns the write units of conditions that did not hold, which DynamoDB charges as writes and its emulator does not
/// tell (DynamoDB developer guide, "Provisioned capacity mode"): those of an item of up to a kilobyte each, and twice as
/// much in a transaction.
fn refused_units(body: &Value, answer: &Value) -> f64 {
    let is_refused = |error: &Value| error["Code"] == "ConditionalCheckFailed";
    let statements = answer["Responses"].as_array().into_iter().flatten();
    let refused = statements.filter(|statement| is_refused(&statement["Error"])).count();
    let kind = answer["__type"].as_str().unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let units = match kind {
        "ConditionalCheckFailedException" => 1,
        "TransactionCanceledException"
            if answer["CancellationReasons"].as_array().into_iter().flatten().any(is_refused) =>
        {
            2 * body["TransactItems"].as_array().map_or(0, Vec::len)
        }
        _ => 0,
    };
    (refused + units) as f64
}

impl Proxy {
    fn operation(&self, parts: &Parts) -> String {
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        match self.service {
            Service::Ses if parts.uri.path().ends_with("bulk-emails") => SEND_BULK_EMAIL.into(),
            Service::Ses if parts.method == Method::GET => "GetAccount".into(),
            Service::Ses => "SendEmail".into(),
            Service::DynamoDb | Service::Sqs | Service::Events => {
                target.rsplit('.').next().unwrap_or_default().to_owned()
            }
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
            Service::Ses => permissions::of_ses(&asked.operation, &body),
            Service::Events => permissions::of_events(&asked.operation),
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
        let left = self.leave_parts(&asked, &mut body, draw);
        if self.service == Service::DynamoDb {
            if !left.nothing_else && self.observer.limits.is_over(&parts(&asked.operation, &body)) {
                return self.refuse(StatusCode::BAD_REQUEST);
            }
            body["ReturnConsumedCapacity"] = json!("INDEXES");
            let changes = body["TransactItems"].as_array().into_iter().flatten();
            let puts = changes.map(|change| &change["Put"]["Item"]).chain([&body["Item"]]);
            puts.for_each(|item| self.observer.put(item));
        }
        let answered = if left.nothing_else {
            Ok((StatusCode::OK, asked.parts.headers.clone(), json!({})))
        } else {
            self.pass_on(&asked, &body).await
        };
        let Ok((status, headers, mut answer)) = answered else { return broken() };
        self.observer.hide_unshown(&body, &mut answer);
        if status == StatusCode::OK {
            self.observer.limits.learn(&answer["Responses"]);
            self.observer.limits.charge(&parts(&asked.operation, &body), &body, &answer);
            if self.service == Service::DynamoDb {
                take_back_items(&body, &mut answer);
            }
            left.add_to(&mut answer);
        }
        let units = capacity_units(&answer["ConsumedCapacity"]) + refused_units(&body, &answer);
        self.observer.count(&asked, units, mails_of(&asked.operation, &answer));
        let mut response = (status, answer.to_string()).into_response();
        for (name, value) in &headers {
            if name == "x-amzn-errortype" || name == header::RETRY_AFTER || name == header::CONTENT_TYPE {
                response.headers_mut().insert(name.clone(), value.clone());
            }
        }
        response
    }

    /// Takes out of a batch what is to be left undone.
    fn leave_parts(&self, asked: &Asked, body: &mut Value, draw: Option<Draw>) -> Left {
        let spec = &self.observer.faults.spec;
        if asked.operation == "BatchExecuteStatement" {
            ask_for_items(body);
            let mut draw = draw;
            return leave_statements(body, |statement| {
                let is_struck = draw.as_mut().is_some_and(|draw| draw.strikes(spec.partial));
                is_struck || self.observer.limits.is_over(&[of_statement(statement)])
            });
        }
        let Some(mut draw) = draw else { return Left::default() };
        match self.service {
            Service::Sqs if asked.operation == "SendMessageBatch" => {
                let left = leave_entries(body, spec.partial, &mut draw);
                disturb_messages(body, spec, &mut draw);
                left
            }
            Service::DynamoDb => leave_items(body, &asked.operation, spec.partial, &mut draw),
            Service::Ses if asked.operation == SEND_BULK_EMAIL => {
                let (left, ambiguous) = leave_mails(body, spec.partial, &mut draw);
                self.observer.faults.count_ambiguous(ambiguous);
                left
            }
            _ => Left::default(),
        }
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
            Service::Events if failed => (status, "InternalException"),
            Service::Events => (status, "ThrottlingException"),
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

/// What ends a deletion whose item is asked for.
const RETURNING: &str = " RETURNING ALL OLD *";

/// Lets deletions of a batch return their items, which say what part of an index they take units of.
fn ask_for_items(body: &mut Value) {
    for statement in body["Statements"].as_array_mut().into_iter().flatten() {
        if let Some(text) = statement["Statement"].as_str().filter(|text| text.starts_with("DELETE")) {
            statement["Statement"] = json!(format!("{text}{RETURNING}"));
        }
    }
}

/// Takes the items of deletions out of an answer, as no function asks for them.
fn take_back_items(body: &Value, answer: &mut Value) {
    let statements = body["Statements"].as_array().into_iter().flatten();
    let answers = answer["Responses"].as_array_mut().into_iter().flatten();
    for (statement, answer) in statements.zip(answers) {
        let text = statement["Statement"].as_str().unwrap_or_default();
        if let (true, Some(answer)) = (text.ends_with(RETURNING), answer.as_object_mut()) {
            answer.remove("Item");
        }
    }
}

/// Returns the sum of an answer's units; a batch has them by table.
fn capacity_units(consumed: &Value) -> f64 {
    match consumed {
        Value::Array(tables) => tables.iter().map(capacity_units).sum(),
        consumed => consumed["CapacityUnits"].as_f64().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Faults, Spec};

    #[test]
    fn conditions_that_do_not_hold_are_charged_and_mails_that_ses_does_not_take_are_not() {
        let refused = |body: Value, answer: Value| refused_units(&body, &answer);
        let is_refused = json!({"Code": "ConditionalCheckFailed"});

        let one = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
        assert_eq!(refused(json!({}), one), 1.0);
        let statements =
            json!({"Responses": [{"Error": is_refused}, {"TableName": "t"}, {"Error": {"Code": "ThrottlingError"}}]});
        assert_eq!(refused(json!({}), statements), 1.0);
        let cancelled =
            json!({"__type": "x#TransactionCanceledException", "CancellationReasons": [{"Code": "None"}, is_refused]});
        assert_eq!(refused(json!({"TransactItems": [{}, {}]}), cancelled), 4.0);
        assert_eq!(refused(json!({}), json!({"Responses": {"t": []}, "ConsumedCapacity": []})), 0.0);

        let results = json!({"BulkEmailEntryResults": [{"Status": "SUCCESS"}, {"Status": "ACCOUNT_THROTTLED"}]});
        assert_eq!(mails_of(SEND_BULK_EMAIL, &results), 1);
        assert_eq!((mails_of("SendEmail", &json!({"MessageId": "m"})), mails_of("SendEmail", &json!({}))), (1, 0));
    }

    #[test]
    fn what_was_just_put_is_hidden_from_indexes_and_eventually_consistent_reads_but_not_from_strong_ones() {
        let faults = Faults::new(Spec { lag_ms: 60_000, ..Spec::default() });
        let observer = Observer::new(faults, Permissions::default(), Limits::default());
        observer.put(&json!({"id": "new"}));
        let by_key = |is_strong: bool| {
            let request = json!({"RequestItems": {"t": {"ConsistentRead": is_strong}}});
            let mut answer = json!({"Responses": {"t": [{"id": "new"}, {"id": "old"}]}});
            observer.hide_unshown(&request, &mut answer);
            answer["Responses"]["t"].clone()
        };
        let mut of_index = json!({"Items": [{"id": "new"}, {"id": "old"}]});
        observer.hide_unshown(&json!({"IndexName": "by-sku"}), &mut of_index);

        assert_eq!(by_key(false), json!([{"id": "old"}]));
        assert_eq!(by_key(true), json!([{"id": "new"}, {"id": "old"}]));
        assert_eq!(of_index["Items"], json!([{"id": "old"}]));
    }
}
