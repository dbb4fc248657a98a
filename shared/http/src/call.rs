use lambda_http::http::{HeaderMap, header};
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt};
use restock_api::wire::{escaped, no_such};
use restock_api::{Errors, KeyScope, PathParameter, Problem};
use restock_domain::{ErrorCode, Invalid};
use std::collections::HashMap;

/// A request, as far as handlers look at it.
#[derive(Debug)]
pub struct Call {
    pub(crate) method: lambda_http::http::Method,
    pub(crate) path: String,
    correlation: String,
    headers: HeaderMap,
    parameters: HashMap<String, String>,
    query: Vec<(String, String)>,
    body: Body,
    /// What the caller's key allows.
    pub(crate) scopes: Vec<KeyScope>,
}

impl Call {
    pub fn new(request: Request) -> Self {
        let parameters = request.path_parameters();
        let query = request.query_string_parameters();
        let correlation = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref().map(correlation_of),
            _ => None,
        };
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            correlation: correlation
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| format!("{:016x}", fastrand::u64(..))),
            headers: parts.headers,
            parameters: parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            query: query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body,
            scopes: Vec::new(),
        }
    }

    /// Returns what names the call in the logs, and all that follows from it.
    pub fn correlation(&self) -> &str {
        &self.correlation
    }

    /// Returns true if the caller's key has a scope, besides the one that the endpoint asks for.
    pub fn may(&self, scope: KeyScope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Returns a parameter of the path; empty if the route has none of that name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// Returns the API key that the caller sent.
    pub fn api_key(&self) -> Option<&str> {
        self.header("apikey").or_else(|| self.header("x-api-key"))
    }

    /// Parses a parameter of the path.
    pub fn path_parameter<T: PathParameter>(&self) -> Result<T, Problem> {
        T::parse(self.parameter(T::IN_PATH)).map_err(|invalid| Problem::invalid_parameter(T::IN_PATH, invalid))
    }

    /// Returns a parameter of the query; its name matches whatever its case, and an empty one counts as missing.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().rfind(|(sent, _)| sent.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Refuses parameters of the query that are not among those that an endpoint has: a misspelled filter would look as
    /// if it had filtered.
    pub(crate) fn refuse_other_queries(&self, known: &[&str]) -> Result<(), Problem> {
        let mut errors = Errors::default();
        for (sent, _) in &self.query {
            if !known.iter().any(|known| known.eq_ignore_ascii_case(sent)) {
                let invalid = Invalid::new(ErrorCode::UnknownParameter, no_such("parameter", known));
                errors.add(&format!("/{}", escaped(sent)), invalid);
            }
        }
        Ok(errors.finish()?)
    }

    /// Parses a parameter of the query.
    pub fn parsed_query<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Problem> {
        self.query(name).map(parse).transpose().map_err(|invalid| Problem::invalid_parameter(name, invalid))
    }

    /// Parses a parameter of the query that must be there; `advice` says what to add if it is not.
    pub fn required_query<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Invalid>,
        advice: &str,
    ) -> Result<T, Problem> {
        let missing = || Problem::invalid_parameter(name, Invalid::new(ErrorCode::Required, advice));
        self.parsed_query(name, parse)?.ok_or_else(missing)
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

/// Reads a value that is `true` or `false`.
pub fn boolean(raw: &str) -> Result<bool, Invalid> {
    raw.to_lowercase().parse().map_err(|_| Invalid::new(ErrorCode::WrongType, "Use true or false."))
}

/// Reads the value of `?limit=`: a whole number from 1.
pub fn limit(raw: &str, max: usize) -> Result<usize, Invalid> {
    let limit = raw.parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| Invalid::new(ErrorCode::OutOfRange, format!("Use a whole number from 1 to {max}.")))
}

/// Returns a correlation id from API Gateway's id of a request: of what may stand in a tag of a mail.
fn correlation_of(request_id: &str) -> String {
    request_id.chars().filter(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_an_endpoint_does_not_have_is_refused_with_those_that_it_has() {
        let query =
            HashMap::from([("SKU", "A"), ("outcom", "sent")].map(|(name, value)| (name.into(), vec![value.into()])));
        let request = Request::new(Body::Empty).with_query_string_parameters::<HashMap<String, Vec<String>>>(query);
        let call = Call::new(request);

        assert_eq!(call.query("sku"), Some("A"), "case does not count");
        assert!(call.refuse_other_queries(&["sku", "outcom"]).is_ok());
        let problem = call.refuse_other_queries(&["sku", "outcome"]).unwrap_err();
        let errors = problem.document.errors.clone().unwrap();
        assert_eq!((problem.status(), errors.len()), (422, 1));
        assert_eq!((errors[0].pointer.as_str(), errors[0].error_code), ("/outcom", ErrorCode::UnknownParameter));
        assert_eq!(errors[0].message, "There is no such parameter. Those that there are: sku, outcome.");
    }
}
