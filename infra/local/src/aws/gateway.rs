//! The HTTP API: routes a request to a function as an event of payload format 2.0.

use crate::aws::lambda::{Failed, Lambda};
use crate::aws::lineage::Lineage;
use crate::aws::names::ACCOUNT;
use crate::template::Route;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Quotas of API Gateway ("payload size") and of Lambda ("invocation payload, synchronous").
const MAX_BODY: usize = 10 * 1024 * 1024;
const MAX_EVENT: usize = 6 * 1024 * 1024;

pub struct Gateway {
    lambda: Arc<Lambda>,
    /// By method.
    routes: BTreeMap<String, matchit::Router<(String, String)>>,
    default: Option<String>,
}

impl Gateway {
    pub fn new(lambda: Arc<Lambda>, routes: Vec<Route>) -> Result<Self, crate::Error> {
        let mut gateway = Self { lambda, routes: BTreeMap::new(), default: None };
        for Route { method_and_path, function } in routes {
            match method_and_path {
                None => gateway.default = Some(function),
                Some((method, path)) => {
                    let key = format!("{method} {path}");
                    gateway.routes.entry(method).or_default().insert(path, (key, function))?;
                }
            }
        }
        Ok(gateway)
    }

    pub fn router(self) -> Router {
        Router::new().fallback(answer).with_state(Arc::new(self))
    }

    /// Returns the route's key, its function and the parameters of the path.
    fn route(&self, method: &str, path: &str) -> Option<(&str, &str, Map<String, Value>)> {
        if let Some(found) = self.routes.get(method).and_then(|routes| routes.at(path).ok()) {
            let (key, function) = found.value;
            let parameters = found.params.iter().map(|(name, value)| (name.to_owned(), json!(decoded(value))));
            return Some((key, function, parameters.collect()));
        }
        self.default.as_deref().map(|function| ("$default", function, Map::new()))
    }
}

/// Returns true for the media types that API Gateway does not encode in base64.
fn is_handed_over_as_text(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.starts_with("text/")
        || ["json", "xml", "javascript"].iter().any(|kind| media_type == format!("application/{kind}"))
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let path = parts.uri.path();
    let Some((key, function, parameters)) = gateway.route(parts.method.as_str(), path) else {
        return plain(StatusCode::NOT_FOUND, "Not Found");
    };
    let query = parts.uri.query().unwrap_or_default();
    let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
    let (body, base64) = match std::str::from_utf8(&body) {
        Ok(text) if content_type.is_none_or(is_handed_over_as_text) => (text.to_owned(), false),
        _ => (STANDARD.encode(&body), true),
    };
    let mut headers = joined_headers(&parts.headers);
    // These two are the gateway's own word, whatever the client says.
    headers.insert("host".into(), "127.0.0.1".into());
    headers.insert("x-forwarded-proto".into(), "http".into());
    let request_id = URL_SAFE.encode(&uuid::Uuid::new_v4().as_bytes()[..11]);
    let mut event = json!({
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": headers.get("host"),
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent"),
            },
            "requestId": request_id,
            "routeKey": key,
            "stage": "$default",
            "time": jiff::Zoned::now().strftime("%d/%b/%Y:%H:%M:%S %z").to_string(),
            "timeEpoch": jiff::Timestamp::now().as_millisecond(),
        },
        "isBase64Encoded": base64,
    });
    if !parameters.is_empty() {
        event["pathParameters"] = Value::Object(parameters);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = query_parameters(query);
    }
    if !body.is_empty() {
        event["body"] = json!(body);
    }
    let event = event.to_string();
    if event.len() > MAX_EVENT {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    }
    let mut answer = match gateway.lambda.invoke(function, Bytes::from(event), Lineage::default()).await {
        Ok(answer) => {
            response(&answer).unwrap_or_else(|| plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
        }
        Err(Failed::TimedOut) => plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    };
    if let Ok(request_id) = request_id.parse() {
        answer.headers_mut().insert("apigw-requestid", request_id);
    }
    answer
}

/// Returns what a function answered, as HTTP.
fn response(answer: &[u8]) -> Option<Response> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let mut response = Response::builder().status(u16::try_from(answer["statusCode"].as_u64()?).ok()?);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = response.header(name, value.as_str()?);
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        response = response.header(header::SET_COOKIE, cookie.as_str()?);
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true { STANDARD.decode(body).ok()? } else { body.as_bytes().to_vec() };
    response.body(Body::from(body)).ok()
}

/// Returns an answer of the gateway itself, which has its own shape.
fn plain(status: StatusCode, message: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json!({ "message": message }).to_string()).into_response()
}

/// Returns headers with names in lower case; values of one name are joined with commas.
fn joined_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|all| *all = format!("{all},{value}"))
            .or_insert(value.into_owned());
    }
    joined
}

fn query_parameters(query: &str) -> Value {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(&value.replace('+', " "));
        joined.entry(decoded(name)).and_modify(|all| *all = format!("{all},{value}")).or_insert(value);
    }
    json!(joined)
}

fn decoded(raw: &str) -> String {
    percent_decode_str(raw).decode_utf8_lossy().into_owned()
}
