//! What SES is asked for besides the mails of deliveries, and what stands on the envelope of every mail.

use crate::Rendered;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder;
use aws_sdk_sesv2::types::{Body, Content as Text, Destination, EmailContent, Message, MessageHeader};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use display_error_chain::DisplayErrorChain;
use restock_access::{Access, note};
use restock_domain::{Brand, EmailAddress, EmailChoice, SendQuota, Sender};
use tracing::warn;

/// SES v2. Cheap to clone. The client must not retry by itself (see
/// [`Outcome::Unknown`](restock_domain::delivery::Outcome::Unknown)).
#[derive(Clone)]
pub struct Ses {
    pub client: Client,
    /// Where neither the automation nor the brand has one.
    pub sender: Sender,
    /// Where neither the automation nor the brand has one.
    pub reply_to: Option<Sender>,
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

struct GetAccount;

impl Access for GetAccount {
    const ACTION: &'static str = "ses:GetAccount";
    /// It is about no resource.
    const RESOURCE: &'static str = "";
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

impl Ses {
    /// Makes it of the settings, or returns what is wrong with the sender or the address of replies. A deployment has
    /// checked them.
    pub fn new(
        client: Client,
        sender: &str,
        reply_to: Option<&str>,
        configuration_set: Option<String>,
    ) -> Result<Self, String> {
        let parse = |sender: &str| Sender::parse(sender).map_err(|invalid| invalid.message);
        Ok(Self { client, sender: parse(sender)?, reply_to: reply_to.map(parse).transpose()?, configuration_set })
    }

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

    /// Asks what the account may send. The client does not repeat a request, and nobody waits for the answer for longer
    /// than for that to a mail.
    pub(crate) async fn quota(&self) -> Option<SendQuota> {
        note::<GetAccount>();
        let answer = match self.client.get_account().send().await {
            Ok(answer) => answer,
            Err(error) => {
                warn!(error = %DisplayErrorChain::new(&error), "SES did not say how many mails the account may send");
                return None;
            }
        };
        let quota = answer.send_quota?;
        Some(SendQuota {
            rate: quota.max_send_rate,
            // SES says -1 for any number.
            day: Some(quota.max24_hour_send).filter(|day| *day >= 0.0),
            sent: quota.sent_last24_hours,
            enabled: answer.sending_enabled,
        })
    }

    /// Returns what stands in `From`.
    pub fn from(&self, email: &EmailChoice, brand: &Brand) -> String {
        from(email.sender.as_ref().or(brand.sender.as_ref()).unwrap_or(&self.sender))
    }

    pub(crate) fn reply_to(&self, email: &EmailChoice, brand: &Brand) -> Option<String> {
        let reply_to = email.reply_to.as_ref().or(brand.reply_to.as_ref());
        reply_to.map(|address| address.as_str().to_owned()).or_else(|| self.reply_to.as_ref().map(from))
    }

    fn request(&self, letter: Letter<'_>) -> Result<SendEmailFluentBuilder, BuildError> {
        let Letter { email, brand, to, rendered, unsubscribe_url } = letter;
        let sender = self.from(email, brand);
        let reply_to = self.reply_to(email, brand);
        let utf8 = |data: &str| Text::builder().data(data).charset("UTF-8").build();
        let message = Message::builder()
            .subject(utf8(&rendered.subject)?)
            .body(Body::builder().html(utf8(&rendered.html)?).text(utf8(&rendered.text)?).build())
            .set_headers(Some(headers(&sender, unsubscribe_url)?))
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

/// Returns the headers by which mail clients let their users unsubscribe.
pub(crate) fn headers(sender: &str, unsubscribe_url: &str) -> Result<Vec<MessageHeader>, BuildError> {
    let header = |name: &str, value: String| MessageHeader::builder().name(name).value(value).build();
    Ok(vec![
        header("List-Unsubscribe", format!("<{unsubscribe_url}>"))?,
        header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into())?,
        header("List-Id", format!("<back-in-stock.{}>", domain_of(sender)))?,
    ])
}

fn domain_of(sender: &str) -> &str {
    sender.rsplit('@').next().unwrap_or_default().trim_end_matches('>')
}

/// Returns a `From` or `Reply-To` header: SES takes ASCII only, so another name becomes encoded words (RFC 2047, 75
/// characters each).
fn from(sender: &Sender) -> String {
    // Its domain in lower case, as the policy names the identity.
    let (local, domain) = sender.address.as_str().rsplit_once('@').unwrap_or_default();
    let address = format!("{local}@{}", domain.to_lowercase());
    match &sender.name {
        None => address,
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
