use crate::{Content, Rendered, Renderer, TemplateError, default_template};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{Body, Content as Text, Destination, EmailContent, Message, MessageHeader, MessageTag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use restock_access::{Access, note};
use restock_domain::delivery::{Claim, Outcome};
use restock_domain::signing::SigningKey;
use restock_domain::unsubscribe::{Unsubscribe, token};
use restock_domain::{
    Automation, Brand, Brands, Contact, EmailAddress, EmailChoice, Product, Sender, Subscription, Template,
};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tracing::warn;

/// The subject of one mail: who gets it, and about which product.
#[derive(Clone, Copy)]
pub struct Mail<'a> {
    pub subscription: &'a Subscription,
    pub contact: &'a Contact,
    pub product: &'a Product,
    /// The automation that accepted the subscription.
    pub automation: &'a Automation,
    /// The one that the automation names.
    pub template: &'a Template,
    /// What the recipient waits for besides, if the template shows it.
    pub also_waiting: &'a [Product],
    pub brands: &'a Brands,
    pub now: Timestamp,
}

/// Sends mails. Whoever asks for it holds the claim on the delivery.
pub trait Mailer: Send + Sync {
    fn send<'a>(&'a self, claim: &'a Claim, mail: Mail<'a>) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;
}

/// Sends mails to the recipients of deliveries.
pub struct SesMailer {
    pub ses: Ses,
    pub renderer: Renderer,
    pub signing_key: SigningKey,
    /// Where the API is reachable from outside, without a slash at the end.
    pub public_url: String,
}

/// SES v2. The client must not retry by itself (see [`Outcome::Unknown`]).
pub struct Ses {
    pub client: Client,
    /// As it stands in `From`, such as `My Shop <hello@shop.example>`, where neither the automation nor the brand has one.
    pub sender: String,
    /// Where neither the automation nor the brand has one.
    pub reply_to: Option<String>,
    pub configuration_set: Option<String>,
}

/// A rendered mail with what stands on its envelope.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    /// Of the automation: its sender and reply-to go before those of the brand.
    pub email: &'a EmailChoice,
    pub brand: &'a Brand,
    pub to: &'a EmailAddress,
    pub rendered: &'a Rendered,
    pub unsubscribe_url: &'a str,
}

struct SendEmail;

impl Access for SendEmail {
    const ACTION: &'static str = "ses:SendEmail";
    /// Of whatever identity and configuration set the policy names.
    const RESOURCE: &'static str = "";
}

/// A mail is not one that SES takes.
#[derive(Debug, thiserror::Error)]
#[error("SES answered {0}")]
pub struct NotTaken(String);

#[derive(Debug, thiserror::Error)]
enum NotBuilt {
    #[error("the mail could not be rendered")]
    Template(#[from] TemplateError),
    #[error("the request could not be built")]
    Request(#[from] BuildError),
}

impl Mailer for SesMailer {
    fn send<'a>(&'a self, _claim: &'a Claim, mail: Mail<'a>) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(async move {
            match self.request(mail) {
                Ok(request) => match request.send().await {
                    Ok(answer) => Outcome::Accepted { message_id: answer.message_id.unwrap_or_default() },
                    Err(error) => classify(&error),
                },
                Err(error) => Outcome::Refused { reason: error.to_string() },
            }
        })
    }
}

impl SesMailer {
    fn request(&self, mail: Mail<'_>) -> Result<SendEmailFluentBuilder, NotBuilt> {
        let Mail { subscription, contact, product, automation, template, also_waiting, brands, now } = mail;
        let address = self.signing_key.digest_of_address(&contact.email);
        let token = token(&self.signing_key, Unsubscribe::All { contact: contact.id, address });
        // Also answers a POST, for one-click unsubscribing (RFC 8058).
        let unsubscribe_url = format!("{}/unsubscribe/{token}?lang={}", self.public_url, subscription.locale);
        let content = Content {
            email: &automation.email,
            template,
            locale: &subscription.locale,
            product,
            first_name: contact.first_name.as_deref(),
            unsubscribe_url: &unsubscribe_url,
            also_waiting,
            brands,
            now,
        };
        let in_default = default_template();
        let (rendered, template) = match self.renderer.render(content) {
            Ok(rendered) => (rendered, template),
            Err(error) => {
                // The samples that it was tried with had no field of such a shape. The mail is worth more than its design.
                let sku = &subscription.sku;
                warn!(template = %template.id, %sku, error = %error, "A mail is sent in the default template");
                (self.renderer.render(Content { template: &in_default, ..content })?, &in_default)
            }
        };
        let request = self.ses.request(Letter {
            email: &automation.email,
            brand: &brands.of(&subscription.locale),
            to: &contact.email,
            rendered: &rendered,
            unsubscribe_url: &unsubscribe_url,
        })?;
        let tag = |name: &str, value: String| MessageTag::builder().name(name).value(value).build();
        // These come back with every event that SES sends about the mail.
        Ok(request
            .email_tags(tag("subscription", subscription.id().to_string())?)
            .email_tags(tag("delivery", subscription.delivery.to_string())?)
            .email_tags(tag("automation", automation.id.to_string())?)
            .email_tags(tag("template", template.tag())?))
    }
}

impl Ses {
    /// Sends a mail that belongs to no delivery; returns its id.
    pub async fn send_test(&self, letter: Letter<'_>) -> Result<String, NotTaken> {
        let request = self.request(letter);
        let sent = request.map_err(|error| NotTaken(error.to_string()))?.send().await;
        match sent {
            Ok(answer) => Ok(answer.message_id.unwrap_or_default()),
            Err(error) => {
                let message = error.as_service_error().and_then(|error| error.meta().message());
                Err(NotTaken(message.or(error.code()).unwrap_or("nothing in time").to_owned()))
            }
        }
    }

    /// Returns what stands in `From`.
    pub fn from(&self, email: &EmailChoice, brand: &Brand) -> String {
        email.sender.as_ref().or(brand.sender.as_ref()).map_or_else(|| self.sender.clone(), from)
    }

    fn request(&self, letter: Letter<'_>) -> Result<SendEmailFluentBuilder, BuildError> {
        let Letter { email, brand, to, rendered, unsubscribe_url } = letter;
        let sender = self.from(email, brand);
        let reply_to = email.reply_to.as_ref().or(brand.reply_to.as_ref());
        let reply_to = reply_to.map(|address| address.as_str().to_owned()).or(self.reply_to.clone());
        let utf8 = |data: &str| Text::builder().data(data).charset("UTF-8").build();
        let header = |name: &str, value: String| MessageHeader::builder().name(name).value(value).build();
        let message = Message::builder()
            .subject(utf8(&rendered.subject)?)
            .body(Body::builder().html(utf8(&rendered.html)?).text(utf8(&rendered.text)?).build())
            .headers(header("List-Unsubscribe", format!("<{unsubscribe_url}>"))?)
            .headers(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into())?)
            .headers(header("List-Id", format!("<back-in-stock.{}>", domain_of(&sender)))?)
            .build();
        note::<SendEmail>();
        Ok(self
            .client
            .send_email()
            .from_email_address(sender)
            .set_reply_to_addresses(reply_to.map(|address| vec![address]))
            .destination(Destination::builder().to_addresses(to.as_str()).build())
            .content(EmailContent::builder().simple(message).build())
            .set_configuration_set_name(self.configuration_set.clone()))
    }
}

fn domain_of(sender: &str) -> &str {
    sender.rsplit('@').next().unwrap_or_default().trim_end_matches('>')
}

/// Returns a `From` header: SES takes ASCII only, so another name becomes encoded words (RFC 2047, 75 characters each).
fn from(sender: &Sender) -> String {
    let address = sender.address.as_str();
    match &sender.name {
        None => address.to_owned(),
        Some(name) if name.is_ascii() => format!("\"{name}\" <{address}>"),
        Some(name) => {
            let mut words = vec![String::new()];
            for letter in name.chars() {
                // 45 bytes are 60 characters of base64.
                match words.last_mut() {
                    Some(word) if word.len() + letter.len_utf8() <= 45 => word.push(letter),
                    _ => words.push(letter.to_string()),
                }
            }
            let words: Vec<String> =
                words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
            format!("{} <{address}>", words.join(" "))
        }
    }
}

fn classify(error: &SdkError<SendEmailError, HttpResponse>) -> Outcome {
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
            of_service(context.err(), retry_after)
        }
        _ => Outcome::Unknown { reason: "the answer could not be read".into() },
    }
}

fn not_accepted(reason: &str) -> Outcome {
    Outcome::NotAccepted { reason: reason.to_owned(), retry_after: None, of_all: false }
}

fn of_service(error: &SendEmailError, retry_after: Option<Duration>) -> Outcome {
    let reason = error.code().unwrap_or("an error without code").to_owned();
    let throttled = |reason| Outcome::NotAccepted { reason, retry_after, of_all: false };
    // Of the sender or the account; nobody who is waiting can do anything about it.
    let blocked = |reason| Outcome::NotAccepted { reason, retry_after, of_all: true };
    match error {
        SendEmailError::TooManyRequestsException(_) | SendEmailError::LimitExceededException(_) => throttled(reason),
        SendEmailError::SendingPausedException(_)
        | SendEmailError::AccountSuspendedException(_)
        | SendEmailError::MailFromDomainNotVerifiedException(_)
        | SendEmailError::NotFoundException(_) => blocked(reason),
        // SES says the same of a sender that is not verified, or no longer.
        SendEmailError::MessageRejected(rejected)
            if rejected.message().is_some_and(|text| text.contains("not verified")) =>
        {
            blocked("an address is not verified".into())
        }
        SendEmailError::BadRequestException(_) | SendEmailError::MessageRejected(_) => Outcome::Refused { reason },
        // Errors that this version doesn't know: access denied and throttling come before any mail is accepted.
        _ => match error.code() {
            Some("ThrottlingException" | "Throttling") => throttled(reason),
            Some("AccessDeniedException" | "AccessDenied") => blocked(reason),
            _ => Outcome::Unknown { reason },
        },
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
    fn a_senders_name_survives_the_header() {
        let from = |raw: &str| from(&Sender::parse(raw).unwrap());

        assert_eq!(from("hej@shop.example"), "hej@shop.example");
        assert_eq!(from("Shop, Inc. <hej@shop.example>"), "\"Shop, Inc.\" <hej@shop.example>");
        assert_eq!(from("Kläder <hej@shop.example>"), "=?UTF-8?B?S2zDpGRlcg==?= <hej@shop.example>");
        let long = from(&format!("{} <hej@shop.example>", "å".repeat(50)));
        assert!(long.split(' ').all(|word| word.len() <= 75), "{long}");
    }
}
