use crate::Problem;
use lambda_http::http::{HeaderMap, header};
use lambda_http::{Body, Request, RequestExt};
use restock_domain::Invalid;
use serde_json::Value;
use std::collections::HashMap;

/// A request, as far as handlers look at it.
#[derive(Debug)]
pub struct Call {
    pub method: lambda_http::http::Method,
    pub path: String,
    headers: HeaderMap,
    parameters: HashMap<String, String>,
    query: HashMap<String, String>,
    body: Body,
}

impl Call {
    pub fn new(request: Request) -> Self {
        let parameters = request.path_parameters();
        let query = request.query_string_parameters();
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            parameters: parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            query: query.iter().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body,
        }
    }

    /// A parameter of the path; empty if the route has none of that name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A parameter of the path, parsed.
    pub fn parsed_parameter<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<T, Problem> {
        parse(self.parameter(name)).map_err(|invalid| Problem::invalid_parameter(name, invalid))
    }

    /// A parameter of the query; its name matches whatever its case, and an empty one counts as missing.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(&name.to_lowercase()).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter of the query, parsed.
    pub fn parsed_query<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Problem> {
        self.query(name).map(parse).transpose().map_err(|invalid| Problem::invalid_parameter(name, invalid))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    pub fn content_type(&self) -> Option<&str> {
        self.header(header::CONTENT_TYPE.as_str()).map(str::trim).filter(|value| !value.is_empty())
    }

    pub fn bytes(&self) -> &[u8] {
        self.body.as_ref()
    }

    /// The body as JSON. A missing content type is taken for JSON.
    pub fn json(&self) -> Result<Value, Problem> {
        if !self.content_type().is_none_or(is_json) {
            return Err(Problem::unsupported_media_type("Send the body as application/json."));
        }
        if self.bytes().is_empty() {
            return Err(Problem::bad_request("MissingBody", "The request needs a JSON body."));
        }
        serde_json::from_slice(self.bytes()).map_err(|error| {
            Problem::bad_request(
                "MalformedJson",
                format!("The body is not JSON that we can read: see line {}, column {}.", error.line(), error.column()),
            )
        })
    }
}

/// The value of `?limit=`: a whole number from 1.
pub fn limit(raw: &str, most: usize) -> Result<usize, Invalid> {
    let limit = raw.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| Invalid::new("OutOfRange", format!("Use a whole number from 1 to {most}.")))
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}
