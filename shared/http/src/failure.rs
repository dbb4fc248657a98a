use display_error_chain::DisplayErrorChain;
use restock_api::{FieldError, Problem};
use std::error::Error;
use tracing::error;

/// Why a call is not answered with a success, as the answer that the caller gets.
#[derive(Debug)]
pub struct Failure(pub Problem);

impl Failure {
    /// Logs what went wrong inside, and returns an answer that tells the caller only that something did.
    pub fn internal(cause: &(dyn Error + 'static)) -> Self {
        error!(error = %DisplayErrorChain::new(cause), "A request failed inside");
        Self(Problem::internal())
    }

    /// Returns the answer to a call for which a service could not do its part.
    fn of_service(error: &(dyn Error + 'static), throttled: bool) -> Self {
        if throttled { Self(Problem::too_many_requests()) } else { Self::internal(error) }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Vec<FieldError>> for Failure {
    fn from(errors: Vec<FieldError>) -> Self {
        Self(Problem::invalid(errors))
    }
}

impl From<restock_store::Error> for Failure {
    fn from(error: restock_store::Error) -> Self {
        match error {
            restock_store::Error::Contended { .. } => Self(Problem::busy()),
            _ => Self::of_service(&error, error.throttled()),
        }
    }
}

impl From<restock_queue::Error> for Failure {
    fn from(error: restock_queue::Error) -> Self {
        Self::of_service(&error, error.throttled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_race_that_was_lost_is_told_as_busy_and_when_to_try_again() {
        let Failure(problem) = restock_store::Error::Contended { what: "a contact" }.into();

        assert_eq!((problem.status(), problem.retry_after_seconds), (429, Some(1)));
        assert_eq!(problem.document.error_code, restock_api::ErrorCode::Busy);
    }
}
