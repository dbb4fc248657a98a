//! Events of SES about a mail that it was asked to send.

use crate::messages::ParseError;
use jiff::Timestamp;
use restock_domain::{DeliveryId, EmailAddress, SubscriptionId};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// An event of a mail of ours (SES developer guide, "Contents of event data that Amazon SES publishes to Amazon SNS").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailEvent {
    pub kind: EmailEventKind,
    /// SES's id of the mail.
    pub message_id: String,
    /// When SES accepted the mail, by its own clock.
    pub accepted_at: Timestamp,
    pub delivery: DeliveryId,
    pub subscription: SubscriptionId,
    /// The tag of the template that it was made of.
    pub template: Option<String>,
    /// What names in the logs the call or message that the mail follows from.
    pub correlation: Option<String>,
    /// Where the mail went; the contact may have another address by now.
    pub recipient: Option<EmailAddress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailEventKind {
    Sent,
    Delivered,
    /// `permanent`: the mailbox will not take mail later either.
    Bounced {
        permanent: bool,
    },
    Complained,
    /// SES found that it can't send what it had accepted.
    Rejected,
    /// SES said that it accepted the mail, and could not make it of its template: it was never sent.
    NotRendered,
}

impl EmailEvent {
    /// Reads the body of a message. `None` for events that change nothing here: of mails that are not ours, and of
    /// kinds that say nothing about the outcome, such as a delay.
    pub fn parse(body: &str) -> Result<Option<Self>, ParseError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Event {
            event_type: String,
            bounce: Option<Bounce>,
            mail: Mail,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Bounce {
            bounce_type: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Mail {
            message_id: String,
            timestamp: Timestamp,
            #[serde(default)]
            destination: Vec<String>,
            #[serde(default)]
            tags: HashMap<String, Vec<String>>,
        }
        let value: Value = serde_json::from_str(body).map_err(|error| ParseError::NotJson(error.to_string()))?;
        let not_ours = |reason: String| ParseError::NotOurs { expected: "SES event", reason };
        let event: Event = serde_json::from_value(value).map_err(|error| not_ours(error.to_string()))?;
        let kind = match event.event_type.as_str() {
            "Send" => EmailEventKind::Sent,
            "Delivery" => EmailEventKind::Delivered,
            "Bounce" => EmailEventKind::Bounced {
                permanent: event.bounce.is_some_and(|bounce| bounce.bounce_type == "Permanent"),
            },
            "Complaint" => EmailEventKind::Complained,
            "Reject" => EmailEventKind::Rejected,
            "Rendering Failure" => EmailEventKind::NotRendered,
            _ => return Ok(None),
        };
        let tag = |name: &str| event.mail.tags.get(name).and_then(|values| values.first());
        let (Some(delivery), Some(subscription)) = (tag("delivery"), tag("subscription")) else { return Ok(None) };
        let recipient = event.mail.destination.first().and_then(|address| EmailAddress::parse(address).ok());
        Ok(Some(Self {
            recipient,
            template: tag("template").cloned(),
            correlation: tag("correlation").cloned(),
            kind,
            message_id: event.mail.message_id,
            accepted_at: event.mail.timestamp,
            delivery: DeliveryId::parse(delivery).ok_or_else(|| not_ours("the tag delivery is no UUID".into()))?,
            subscription: SubscriptionId::parse(subscription).map_err(|invalid| not_ours(invalid.message))?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use restock_domain::{ContactId, Locale, Sku, SubscriptionKey};
    use serde_json::json;
    use uuid::Uuid;

    fn event(fields: Value) -> Result<Option<EmailEventKind>, ParseError> {
        let key = SubscriptionKey::of(&Sku::parse("A").unwrap(), &Locale::parse("sv").unwrap(), None);
        let subscription = SubscriptionId { contact_id: ContactId::new(Uuid::from_u128(1)), key };
        let tags = json!({"delivery": [Uuid::from_u128(2)], "subscription": [subscription.to_string()], "ses:caller-identity": ["x"]});
        let mut event = json!({"mail": {"messageId": "m", "timestamp": "2026-11-23T08:00:00.000Z", "tags": tags}});
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        EmailEvent::parse(&event.to_string()).map(|event| event.map(|event| event.kind))
    }

    #[test]
    fn the_kinds_of_events_are_told_apart() {
        let bounce = |kind: &str| event(json!({"eventType": "Bounce", "bounce": {"bounceType": kind}}));

        assert_eq!(event(json!({"eventType": "Send"})), Ok(Some(EmailEventKind::Sent)));
        assert_eq!(event(json!({"eventType": "Rendering Failure"})), Ok(Some(EmailEventKind::NotRendered)));
        assert_eq!(bounce("Permanent"), Ok(Some(EmailEventKind::Bounced { permanent: true })));
        assert_eq!(bounce("Transient"), Ok(Some(EmailEventKind::Bounced { permanent: false })));
    }

    #[test]
    fn events_that_change_nothing_are_no_errors_and_what_is_no_event_is_one() {
        assert_eq!(event(json!({"eventType": "DeliveryDelay"})), Ok(None));
        assert_eq!(
            event(
                json!({"eventType": "Send", "mail": {"messageId": "of somebody else", "timestamp": "2026-11-23T08:00:00.000Z"}})
            ),
            Ok(None)
        );
        assert!(event(json!({"eventType": 7})).is_err());
        assert!(EmailEvent::parse("no JSON").is_err());
    }
}
