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
        let found = self.query.iter().find(|(sent, _)| sent.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Refuses what an endpoint can't take in one way only: parameters that it does not have, as a misspelled filter
    /// would look as if it had filtered, those that are given twice, and bytes that are no text.
    pub(crate) fn check_query(&self, known: &[&str]) -> Result<(), Problem> {
        let mut errors = Errors::default();
        for (place, (sent, value)) in self.query.iter().enumerate() {
            let is_again = |(earlier, _): &(String, String)| earlier.eq_ignore_ascii_case(sent);
            let invalid = if !known.iter().any(|known| known.eq_ignore_ascii_case(sent)) {
                Invalid::new(ErrorCode::UnknownParameter, no_such("parameter", known))
            } else if self.query[..place].iter().any(is_again) {
                Invalid::new(ErrorCode::Duplicate, "It is given twice. Send it once.")
            } else if value.contains(char::REPLACEMENT_CHARACTER) {
                Invalid::new(
                    ErrorCode::InvalidEncoding,
                    "It has bytes that are not UTF-8, or the character that stands for them. Send å as %C3%A5, not as %E5.",
                )
            } else {
                continue;
            };
            errors.add(&format!("/{}", escaped(sent)), invalid);
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

    fn asked(query: &[(&str, &[&str])]) -> Call {
        let values = |values: &[&str]| values.iter().map(ToString::to_string).collect();
        let query: HashMap<String, Vec<String>> =
            query.iter().map(|(name, sent)| ((*name).to_owned(), values(sent))).collect();
        Call::new(Request::new(Body::Empty).with_query_string_parameters(query))
    }

    #[test]
    fn a_parameter_that_an_endpoint_does_not_have_is_refused_with_those_that_it_has() {
        let call = asked(&[("SKU", &["A"]), ("outcom", &["sent"])]);

        assert_eq!(call.query("sku"), Some("A"), "case does not count");
        assert!(call.check_query(&["sku", "outcom"]).is_ok());
        let problem = call.check_query(&["sku", "outcome"]).unwrap_err();
        let errors = problem.document.errors.clone().unwrap();
        assert_eq!((problem.status(), errors.len()), (422, 1));
        assert_eq!((errors[0].pointer.as_str(), errors[0].error_code), ("/outcom", ErrorCode::UnknownParameter));
        assert_eq!(errors[0].message, "There is no such parameter. Those that there are: sku, outcome.");
    }

    #[test]
    fn a_parameter_that_is_given_twice_or_is_no_text_is_refused() {
        let refused = |query: &[(&str, &[&str])]| {
            let problem = asked(query).check_query(&["sku", "limit"]).unwrap_err();
            problem
                .document
                .errors
                .clone()
                .unwrap()
                .into_iter()
                .map(|error| (error.pointer, error.error_code))
                .collect()
        };

        let twice: Vec<_> = refused(&[("sku", &["A", "B"])]);
        assert_eq!(twice, [("/sku".to_owned(), ErrorCode::Duplicate)]);
        assert_eq!(refused(&[("sku", &["A", "A"])]), twice, "even if it is the same");
        assert_eq!(refused(&[("sku", &["A"]), ("SKU", &["B"])]).len(), 1, "case does not count");
        let no_text: Vec<_> = refused(&[("sku", &["a\u{fffd}b"])]);
        assert_eq!(no_text, [("/sku".to_owned(), ErrorCode::InvalidEncoding)]);
    }
}
