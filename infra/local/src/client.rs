//! A small HTTP client for the demo and for tests: blocking, JSON in and out, and no status is an error.

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use ureq::http::{Method, Request};

/// An inbox with thousands of mails is large.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub text: String,
}

impl Answer {
    /// Returns the body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Sends requests to one base URL, with the same headers each time.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    headers: Vec<(String, String)>,
}

impl Client {
    pub fn new(base: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        Self { agent, base: base.to_owned(), headers: Vec::new() }
    }

    /// Returns the same client with another header.
    pub fn header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    pub fn get(&self, path: &str) -> Result<Answer, ureq::Error> {
        self.send("GET", path, &[])
    }

    pub fn json(&self, method: &str, path: &str, body: &Value) -> Result<Answer, ureq::Error> {
        self.header("content-type", "application/json").send(method, path, body.to_string().as_bytes())
    }

    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer, ureq::Error> {
        let method = Method::from_bytes(method.as_bytes()).map_err(ureq::http::Error::from)?;
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = self.agent.configure_request(request.body(body)?).allow_non_standard_methods(true).build();
        let mut response = self.agent.run(request)?;
        let headers = response.headers().iter();
        let headers: BTreeMap<String, String> = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let content_type = headers.get("content-type").cloned().unwrap_or_default();
        let text = response.body_mut().with_config().limit(MAX_BYTES).read_to_string()?;
        Ok(Answer { status: response.status().as_u16(), content_type, headers, text })
    }
}
