use crate::Rendered;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader, MessageTag};
use domain::{EmailAddress, SubscriptionId};
use std::error::Error;
use std::io;

/// Sends through SES v2, as one sender. The client must not retry by itself (see [`SendError::Unknown`]).
pub struct Mailer {
    pub client: Client,
    /// As it stands in `From`, such as `My Shop <hello@shop.example>`.
    pub sender: String,
    pub reply_to: Option<String>,
    pub configuration_set: Option<String>,
}

/// To whom a mail goes, and what identifies it.
pub struct Envelope<'a> {
    pub to: &'a EmailAddress,
    /// This and the next two come back with every event that SES sends about the mail.
    pub subscription: SubscriptionId,
    pub delivery: &'a str,
    pub automation: &'a str,
    /// Also answers a POST, for one-click unsubscribing (RFC 8058).
    pub unsubscribe_url: &'a str,
}

#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// SES has provably not accepted the mail, and may accept it later.
    #[error("SES did not accept the mail for now: {reason}")]
    NotAccepted { reason: String },
    /// SES will not accept this mail, however often it is sent.
    #[error("SES refused the mail: {reason}")]
    Refused { reason: String },
    /// No answer, or one that doesn't tell. The mail may be on its way.
    #[error("whether SES accepted the mail is unknown: {reason}")]
    Unknown { reason: String },
}

impl Mailer {
    /// Returns the message id of SES.
    pub async fn send(&self, envelope: &Envelope<'_>, mail: &Rendered) -> Result<String, SendError> {
        let build = |error: aws_sdk_sesv2::error::BuildError| SendError::NotAccepted { reason: error.to_string() };
        let utf8 = |data: &str| Content::builder().data(data).charset("UTF-8").build().map_err(build);
        let header =
            |name: &str, value: String| MessageHeader::builder().name(name).value(value).build().map_err(build);
        let tag = |name: &str, value: &str| MessageTag::builder().name(name).value(value).build().map_err(build);
        let message = Message::builder()
            .subject(utf8(&mail.subject)?)
            .body(Body::builder().html(utf8(&mail.html)?).text(utf8(&mail.text)?).build())
            .headers(header("List-Unsubscribe", format!("<{}>", envelope.unsubscribe_url))?)
            .headers(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into())?)
            .headers(header("List-Id", format!("<back-in-stock.{}>", self.domain()))?)
            .build();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.sender)
            .set_reply_to_addresses(self.reply_to.clone().map(|address| vec![address]))
            .destination(Destination::builder().to_addresses(envelope.to.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
            .set_configuration_set_name(self.configuration_set.clone())
            .email_tags(tag("subscription", &envelope.subscription.to_string())?)
            .email_tags(tag("delivery", envelope.delivery)?)
            .email_tags(tag("automation", envelope.automation)?)
            .send()
            .await;
        match sent {
            Ok(answer) => Ok(answer.message_id.unwrap_or_default()),
            Err(error) => Err(classify(&error)),
        }
    }

    fn domain(&self) -> &str {
        let address = self.sender.rsplit('@').next().unwrap_or_default();
        address.trim_end_matches('>')
    }
}

fn classify<R>(error: &SdkError<SendEmailError, R>) -> SendError {
    match error {
        SdkError::ConstructionFailure(_) => SendError::NotAccepted { reason: "the request could not be built".into() },
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(connector) if never_connected(connector) => {
                SendError::NotAccepted { reason: "SES could not be reached".into() }
            }
            _ => SendError::Unknown { reason: "the connection failed".into() },
        },
        SdkError::TimeoutError(_) => SendError::Unknown { reason: "no answer in time".into() },
        SdkError::ServiceError(context) => of_service(context.err()),
        _ => SendError::Unknown { reason: "the answer could not be read".into() },
    }
}

fn of_service(error: &SendEmailError) -> SendError {
    let reason = error.code().unwrap_or("an error without code").to_owned();
    match error {
        SendEmailError::TooManyRequestsException(_)
        | SendEmailError::LimitExceededException(_)
        | SendEmailError::SendingPausedException(_)
        | SendEmailError::AccountSuspendedException(_)
        | SendEmailError::MailFromDomainNotVerifiedException(_)
        | SendEmailError::NotFoundException(_) => SendError::NotAccepted { reason },
        // SES says the same of a sender that is not verified (any more), which is nobody's fault who is waiting.
        SendEmailError::MessageRejected(rejected)
            if rejected.message().is_some_and(|text| text.contains("not verified")) =>
        {
            SendError::NotAccepted { reason: "an address is not verified".into() }
        }
        SendEmailError::BadRequestException(_) | SendEmailError::MessageRejected(_) => SendError::Refused { reason },
        // Errors that this version doesn't know: access denied and throttling come before any mail is accepted.
        _ if matches!(
            error.code(),
            Some("ThrottlingException" | "Throttling" | "AccessDeniedException" | "AccessDenied")
        ) =>
        {
            SendError::NotAccepted { reason }
        }
        _ => SendError::Unknown { reason },
    }
}

/// The request can't have been accepted where no connection came about.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
