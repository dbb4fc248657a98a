use lambda_http::http::{HeaderMap, header};
use lambda_http::{Body, Request, RequestExt};
use restock_api::{KeyScope, Problem};
use restock_domain::{ErrorCode, Invalid};
use std::collections::HashMap;

/// A request, as far as handlers look at it.
#[derive(Debug)]
pub struct Call {
    pub(crate) method: lambda_http::http::Method,
    pub(crate) path: String,
    headers: HeaderMap,
    parameters: HashMap<String, String>,
    query: HashMap<String, String>,
    body: Body,
    /// What the caller's key allows.
    pub(crate) scopes: Vec<String>,
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
            scopes: Vec::new(),
        }
    }

    /// Returns true if the caller's key has a scope, besides the one that the endpoint asks for.
    pub fn may(&self, scope: KeyScope) -> bool {
        self.scopes.iter().any(|known| known == scope.as_str())
    }

    /// Returns a parameter of the path; empty if the route has none of that name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// Parses a parameter of the path.
    pub fn parsed_parameter<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<T, Problem> {
        parse(self.parameter(name)).map_err(|invalid| Problem::invalid_parameter(name, invalid))
    }

    /// Returns a parameter of the query; its name matches whatever its case, and an empty one counts as missing.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(&name.to_lowercase()).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Parses a parameter of the query.
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
}

/// Reads the value of `?limit=`: a whole number from 1.
pub fn limit(raw: &str, max: usize) -> Result<usize, Invalid> {
    let limit = raw.parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| Invalid::new(ErrorCode::OutOfRange, format!("Use a whole number from 1 to {max}.")))
}
