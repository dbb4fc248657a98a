use crate::FieldError;
use crate::answer;
use restock_domain::{ContactId, ErrorCode, Invalid, MAX_SUBSCRIPTIONS};

answer! {
    /// An answer that is not a success (RFC 9457).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ProblemDocument {
        pub r#type: &'static str,
        pub title: String,
        pub status: u64,
        /// What is wrong, and what to do next.
        pub detail: String,
        /// A stable word for programs.
        pub error_code: ErrorCode,
        /// The fields of a request that are not valid, at most 100.
        pub errors: Option<Vec<FieldError>>,
        /// The id of what is in the way, of a conflict.
        pub id: Option<String>,
    }
}

/// An answer that is not a success: a problem document (RFC 9457) with `errorCode` and, for validation, `errors`.
///
/// It is made of fixed texts and of what the caller sent in the structure of the request, so neither personal data nor
/// an internal message can get into it. What an operator needs is logged where the problem is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub document: Box<ProblemDocument>,
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    pub fn new(status: u16, error_code: ErrorCode, detail: impl Into<String>) -> Self {
        let document = ProblemDocument {
            r#type: "about:blank",
            title: title(status).to_owned(),
            status: status.into(),
            detail: detail.into(),
            error_code,
            errors: None,
            id: None,
        };
        Self { document: Box::new(document), retry_after_seconds: None }
    }

    pub fn bad_request(error_code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::new(400, error_code, detail)
    }

    pub fn unauthorized(error_code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::new(401, error_code, detail)
    }

    pub fn not_found(error_code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::new(404, error_code, detail)
    }

    pub fn conflict(error_code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::new(409, error_code, detail)
    }

    /// Returns the answer to a change of something that somebody else has changed meanwhile.
    pub fn stale() -> Self {
        let detail = "It is not as If-Match or If-None-Match asks: somebody has changed it meanwhile, it is there already, or there is \
                      none. Get it, make your change to that, and send its ETag, quotes included, in If-Match.";
        Self::new(412, ErrorCode::StaleVersion, detail)
    }

    pub fn no_contact() -> Self {
        let detail = "There is no contact with this id; it may have been erased. Create the contact, and use the id that you get.";
        Self::not_found(ErrorCode::ContactNotFound, detail)
    }

    /// Returns the answer to an address that another contact has. Only a key that may find contacts learns which.
    pub fn email_taken(existing: ContactId, may_find: bool) -> Self {
        let detail = if may_find {
            "A contact with this email address exists. Use the contact whose id is in the member id."
        } else {
            "A contact with this email address exists. A key with the scope find-contacts finds its id: GET /contacts/id?email=…"
        };
        let mut problem = Self::conflict(ErrorCode::EmailTaken, detail);
        problem.document.id = may_find.then(|| existing.to_string());
        problem
    }

    pub fn too_many_subscriptions() -> Self {
        let detail = format!(
            "The contact has {MAX_SUBSCRIPTIONS} subscriptions or more, and may have no further one. End some of them with DELETE \
             /inventory/backinstock/subscriptions/{{subscriptionId}}, or wait until some are mailed; those that exist already stay."
        );
        Self::conflict(ErrorCode::TooManySubscriptions, detail)
    }

    pub fn no_automation() -> Self {
        let detail = "There is no automation with this id, or not in this version. GET /automations lists them.";
        Self::not_found(ErrorCode::AutomationNotFound, detail)
    }

    pub fn no_waves() -> Self {
        let detail = "There is no policy for waves, so mails leave as soon as they can. PUT /waves stores one.";
        Self::not_found(ErrorCode::WavesNotFound, detail)
    }

    pub fn no_template() -> Self {
        let detail = "There is no template with this id, or not in this version. GET /templates lists them.";
        Self::not_found(ErrorCode::TemplateNotFound, detail)
    }

    /// Returns the answer to a call whose first one is still running.
    pub fn still_running() -> Self {
        let detail =
            "The first call with this Idempotency-Key is still running. Send it again after Retry-After seconds.";
        let problem = Self::conflict(ErrorCode::StillRunning, detail);
        Self { retry_after_seconds: Some(1), ..problem }
    }

    /// Returns the answer to a call with the key of another one.
    pub fn key_reused() -> Self {
        let detail = "Another call had this Idempotency-Key less than 24 hours ago. Give each call a key of its own.";
        Self::new(422, ErrorCode::IdempotencyKeyReused, detail)
    }

    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(413, ErrorCode::PayloadTooLarge, detail)
    }

    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(415, ErrorCode::UnsupportedMediaType, detail)
    }

    /// Returns the answer to a request that is well-formed but not valid.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = "Correct the fields listed in errors and send the request again.";
        Self::new(422, ErrorCode::ValidationFailed, detail).with_errors(errors)
    }

    /// Returns the answer to a value of the path or the query that is not valid.
    pub fn invalid_parameter(name: &str, invalid: Invalid) -> Self {
        Self::invalid(vec![FieldError::new(&format!("/{name}"), invalid)])
    }

    /// Returns the answer to a request that failed inside; whoever makes it logs why.
    pub fn internal() -> Self {
        let detail = "Something failed on our side. Nothing is lost by sending the same request again.";
        Self::new(500, ErrorCode::InternalError, detail)
    }

    pub fn too_many_requests() -> Self {
        let detail = "Too many requests at the moment. Send the same request again after Retry-After seconds.";
        let problem = Self::new(429, ErrorCode::TooManyRequests, detail);
        Self { retry_after_seconds: Some(1), ..problem }
    }

    /// Answers a call of a key that may make so many a second, all its calls together.
    pub fn key_is_at_its_limit(calls_per_second: u32, retry_after_seconds: u32) -> Self {
        let detail = format!(
            "This API key may make {calls_per_second} calls a second, all functions together, and none is left for now. Send \
             the same request again after Retry-After seconds; if that happens often, ask for a higher limit."
        );
        let problem = Self::new(429, ErrorCode::TooManyRequests, detail);
        Self { retry_after_seconds: Some(retry_after_seconds), ..problem }
    }

    pub fn busy() -> Self {
        let detail = "Others are changing the same thing. Send the same request again after Retry-After seconds.";
        Self { retry_after_seconds: Some(1), ..Self::new(429, ErrorCode::Busy, detail) }
    }

    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.document.errors = Some(errors);
        self
    }

    pub fn status(&self) -> u64 {
        self.document.status
    }
}

impl From<Vec<FieldError>> for Problem {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::invalid(errors)
    }
}

/// Returns the reason phrase of a status that the API uses (RFC 9110).
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        _ => "Internal Server Error",
    }
}
