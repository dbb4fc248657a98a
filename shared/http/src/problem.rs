use display_error_chain::DisplayErrorChain;
use lambda_http::http::StatusCode;
use restock_domain::{ContactId, FieldError, Invalid};
use serde::Serialize;
use serde_json::json;
use std::error::Error;
use tracing::error;
use utoipa::ToSchema;

/// An answer that is not a success: a problem document (RFC 9457) with `errorCode` and, for validation, `errors`.
///
/// It is made of fixed texts and of what the caller sent in the structure of the request, so neither personal data nor
/// an internal message can get into it. What an operator needs is logged where the problem is made.
#[derive(Debug, Clone, Serialize)]
pub struct Problem(Box<ProblemDocument>);

/// A problem as it is written (RFC 9457). There may be one more member that helps on, such as the `id` of what is in the way.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "status_number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// What is wrong, and what to do next.
    detail: String,
    /// A stable word for programs.
    error_code: &'static str,
    /// Of a request that is not valid: each field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[schema(ignore)]
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    extra: Option<serde_json::Value>,
    #[serde(skip)]
    retry_after_seconds: Option<u32>,
}

impl Problem {
    pub fn new(status: StatusCode, error_code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemDocument {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            error_code,
            errors: Vec::new(),
            extra: None,
            retry_after_seconds: None,
        }))
    }

    pub fn bad_request(error_code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error_code, detail)
    }

    pub fn not_found(error_code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error_code, detail)
    }

    pub fn conflict(error_code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error_code, detail)
    }

    /// Somebody else has changed what the caller has seen.
    pub fn stale() -> Self {
        let detail = "It was changed meanwhile. Get it again, make your change to that, and send its ETag in If-Match.";
        Self::new(StatusCode::PRECONDITION_FAILED, "StaleVersion", detail)
    }

    pub fn no_contact() -> Self {
        Self::not_found("ContactNotFound", "There is no contact with this id. Create the contact first.")
    }

    pub fn email_taken(existing: ContactId) -> Self {
        let detail = "A contact with this email address exists. Use the contact whose id is in the member id.";
        Self::conflict("EmailTaken", detail).with(json!({ "id": existing }))
    }

    pub fn no_automation() -> Self {
        Self::not_found(
            "AutomationNotFound",
            "There is no automation with this id, or not in this version. GET /automations lists them.",
        )
    }

    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", detail)
    }

    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", detail)
    }

    /// Well-formed, but not valid.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = "Correct the fields listed in errors and send the request again.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "ValidationFailed", detail).with_errors(errors)
    }

    /// One value of the path or the query that is not valid. `pointer` names it.
    pub fn invalid_parameter(name: &str, invalid: Invalid) -> Self {
        Self::invalid(vec![invalid.at(&format!("/{name}"))])
    }

    /// Logs what went wrong inside, and tells the caller only that something did.
    pub fn internal(cause: &(dyn Error + 'static)) -> Self {
        error!(error = %DisplayErrorChain::new(cause), "A request failed inside");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "Something failed on our side. Nothing is lost by sending the same request again.",
        )
    }

    fn busy() -> Self {
        let detail = "Too many requests at the moment. Send the same request again after Retry-After seconds.";
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", detail);
        problem.0.retry_after_seconds = Some(1);
        problem
    }

    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    pub fn with(mut self, extra: serde_json::Value) -> Self {
        self.0.extra = Some(extra);
        self
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.0.retry_after_seconds
    }
}

impl From<restock_store::Error> for Problem {
    fn from(error: restock_store::Error) -> Self {
        if error.throttled() { Self::busy() } else { Self::internal(&error) }
    }
}

impl From<restock_queue::Error> for Problem {
    fn from(error: restock_queue::Error) -> Self {
        Self::internal(&error)
    }
}

fn status_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
