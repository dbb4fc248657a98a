//! What SES's answers say of a mail.

use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::types::{BulkEmailEntryResult, BulkEmailStatus as Status};
use restock_domain::delivery::{Hindrance, Outcome};
use std::error::Error;
use std::io;
use std::time::Duration;

/// Returns what an entry of a bulk answer says of its mail.
pub fn of_entry(result: BulkEmailEntryResult) -> Outcome {
    let BulkEmailEntryResult { status, error, message_id, .. } = result;
    let reason = || status.as_ref().map_or("no status", Status::as_str).to_owned();
    match &status {
        Some(Status::Success) => Outcome::Accepted { message_id: message_id.unwrap_or_default() },
        Some(Status::AccountThrottled) => throttled(reason(), None),
        Some(Status::AccountDailyQuotaExceeded) => used_up(reason()),
        Some(
            Status::AccountSendingPaused
            | Status::AccountSuspended
            | Status::ConfigurationSetNotFound
            | Status::ConfigurationSetSendingPaused
            | Status::InvalidSendingPoolName
            | Status::MailFromDomainNotVerified
            | Status::TemplateNotFound,
        ) => blocked(reason()),
        Some(Status::MessageRejected) => rejected(error.as_deref(), reason()),
        Some(Status::InvalidParameter) => Outcome::Refused { reason: reason() },
        // Nothing says that a mail that failed, or may be tried again, is not on its way.
        _ => Outcome::Unknown { reason: reason() },
    }
}

/// Returns what the failure of a whole request says of its mails.
pub fn of_failure<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Outcome {
    match error {
        SdkError::ConstructionFailure(_) => not_accepted("the request could not be built"),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(connector) if never_connected(connector) => not_accepted("SES could not be reached"),
            _ => Outcome::Unknown { reason: "the connection failed".into() },
        },
        SdkError::TimeoutError(_) => Outcome::Unknown { reason: "no answer in time".into() },
        SdkError::ServiceError(context) => {
            let header = context.raw().headers().get("retry-after");
            let retry_after = header.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
            of_code(error.code(), error.message(), retry_after)
        }
        _ => Outcome::Unknown { reason: "the answer could not be read".into() },
    }
}

fn of_code(code: Option<&str>, message: Option<&str>, retry_after: Option<Duration>) -> Outcome {
    let reason = code.unwrap_or("an error without code").to_owned();
    match code {
        // SES has the same code for the quota of a second and that of 24 hours.
        Some("TooManyRequestsException" | "LimitExceededException" | "ThrottlingException" | "Throttling")
            if message.is_some_and(|message| message.contains("quota")) =>
        {
            used_up(reason)
        }
        // Throttling and a lack of permissions come before any mail is accepted.
        Some("TooManyRequestsException" | "LimitExceededException" | "ThrottlingException" | "Throttling") => {
            throttled(reason, retry_after)
        }
        Some(
            "SendingPausedException"
            | "AccountSuspendedException"
            | "MailFromDomainNotVerifiedException"
            | "NotFoundException"
            | "AccessDeniedException"
            | "AccessDenied",
        ) => blocked(reason),
        Some("MessageRejected") => rejected(message, reason),
        Some("BadRequestException") => Outcome::Refused { reason },
        _ => Outcome::Unknown { reason },
    }
}

fn not_accepted(reason: &str) -> Outcome {
    throttled(reason.to_owned(), None)
}

fn throttled(reason: String, retry_after: Option<Duration>) -> Outcome {
    Outcome::NotAccepted { reason, retry_after, hindrance: Hindrance::Moment }
}

fn used_up(reason: String) -> Outcome {
    Outcome::NotAccepted { reason, retry_after: None, hindrance: Hindrance::Quota }
}

/// Returns that SES takes nothing of the sender or the account; nobody who is waiting can do anything about it.
fn blocked(reason: String) -> Outcome {
    Outcome::NotAccepted { reason, retry_after: None, hindrance: Hindrance::Sender }
}

/// Returns the outcome of a rejected mail. SES says the same word of a bad mail and of every mail of a sender that is
/// not, or no longer, verified.
fn rejected(message: Option<&str>, reason: String) -> Outcome {
    match message {
        Some(message) if message.contains("not verified") => blocked("an address is not verified".into()),
        _ => Outcome::Refused { reason },
    }
}

/// Returns true if no connection came about, so that the request can't have been accepted.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_not_certainly_refused_or_put_off_is_unknown() {
        let of = |status: Option<Status>, error: Option<&str>| {
            of_entry(BulkEmailEntryResult::builder().set_status(status).set_error(error.map(Into::into)).build())
        };

        for unknown in [None, Some(Status::Failed), Some(Status::TransientFailure), Some(Status::from("NEW"))] {
            assert!(matches!(of(unknown.clone(), None), Outcome::Unknown { .. }), "{unknown:?}");
        }
        let hindrance = |outcome| match outcome {
            Outcome::NotAccepted { hindrance, .. } => Some(hindrance),
            _ => None,
        };
        assert_eq!(hindrance(of(Some(Status::AccountThrottled), None)), Some(Hindrance::Moment));
        assert_eq!(hindrance(of(Some(Status::AccountDailyQuotaExceeded), None)), Some(Hindrance::Quota));
        assert_eq!(hindrance(of(Some(Status::AccountSuspended), None)), Some(Hindrance::Sender));
        assert!(matches!(of(Some(Status::MessageRejected), Some("Bad content")), Outcome::Refused { .. }));
        let not_verified = Some("Email address is not verified.");
        assert_eq!(hindrance(of(Some(Status::MessageRejected), not_verified)), Some(Hindrance::Sender));
        let code = Some("TooManyRequestsException");
        assert_eq!(hindrance(of_code(code, Some("Maximum sending rate exceeded."), None)), Some(Hindrance::Moment));
        assert_eq!(hindrance(of_code(code, Some("Daily message quota exceeded."), None)), Some(Hindrance::Quota));
    }
}
