use crate::queue::Queue;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("SQS did not carry out {operation}")]
    Request {
        operation: &'static str,
        throttled: bool,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("SQS took only a part of a batch, after every retry")]
    Partial,
    /// The function was not told about a queue; template.yaml says which ones it may use.
    #[error("set the environment variable {}", .0.setting())]
    NoQueue(Queue),
}

impl Error {
    /// Returns true if SQS asks to slow down; the same request may go through later.
    pub fn throttled(&self) -> bool {
        match self {
            Self::Request { throttled, .. } => *throttled,
            // SQS refuses single messages of a batch when it is throttled.
            Self::Partial => true,
            Self::NoQueue(_) => false,
        }
    }

    /// Names the operation that an error of the SDK belongs to.
    pub(crate) fn of_sdk<E, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        // What SQS calls it, by protocol and age of the API.
        let throttling = ["ThrottlingException", "RequestThrottled", "Throttling", "OverLimit", "KmsThrottled"];
        move |source| {
            let throttled = source.code().is_some_and(|code| throttling.iter().any(|word| code.ends_with(word)));
            Self::Request { operation, throttled, source: Box::new(source) }
        }
    }
}
