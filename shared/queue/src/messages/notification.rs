use super::{Body, Message, ParseError, scope};
use crate::queue::named;
use jiff::Timestamp;
use restock_domain::{AutomationId, ContactId, DeliveryId, Scope, Sku, SubscriptionKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// A message on the notifications queue.
#[derive(Debug, Clone, PartialEq)]
pub enum NotificationMessage {
    Notify(Box<Notification>),
    CountMails(CountMails),
}

/// Mail these subscriptions; at most [`MAX_TOGETHER`](restock_domain::delivery::MAX_TOGETHER).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    pub sku: Sku,
    /// The log entry of the level that triggered them.
    pub log_entry: String,
    pub automation: AutomationId,
    /// The version that accepted them.
    pub version: u64,
    pub recipients: Vec<Recipient>,
    /// How often these recipients were sent on, for whatever reason.
    #[serde(default)]
    pub hops: u32,
    /// How often these recipients were put off: throttled, claimed by somebody else, or with an outcome unknown.
    pub attempt: u32,
    /// Mails that SES accepted and that could not be recorded; all that is left to do is that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedMail>,
    /// The wave that these recipients are part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveShare>,
    /// About other subscriptions of these contacts, to be sent once the recipients are done: a contact gets one mail
    /// for a level, in the locale of the newest of its subscriptions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Notification>,
}

/// A message's part of a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveShare {
    #[serde(flatten, with = "scope")]
    pub scope: Scope,
    /// What the wave's item calls the places that the message may take.
    pub id: String,
    /// The pass through the line in which its recipients had their turn: those of an earlier one go before them.
    #[serde(default)]
    pub pass: u32,
    /// The settings that the pass is one of, as the line names them.
    #[serde(default)]
    pub order: String,
    /// Since when those have waited who waited with another subscription before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub since: BTreeMap<DeliveryId, Timestamp>,
}

/// Add counts of mails to the log, which could not be written when they left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountMails {
    pub sku: Sku,
    pub log_entry: String,
    pub outcomes: BTreeMap<String, i64>,
    /// True if some were perhaps counted already, and are not counted again.
    #[serde(default)]
    pub estimated: bool,
}

/// A mail that SES accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedMail {
    pub recipient: Recipient,
    pub message_id: String,
    /// When SES was asked.
    pub asked_at: Timestamp,
    /// The tag of the template that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient {
    pub contact_id: ContactId,
    pub key: SubscriptionKey,
    pub delivery: DeliveryId,
}

impl Notification {
    /// Returns the version of the automation that chose the recipients.
    pub fn chosen_by(&self) -> (AutomationId, u64) {
        (self.automation.clone(), self.version)
    }
}

impl Message for Notification {
    type Queue = named::Notifications;
    const TYPE: &'static str = "notify";
}

impl Message for CountMails {
    type Queue = named::Notifications;
    const TYPE: &'static str = "count-mails";
}

impl NotificationMessage {
    pub fn parse(body: &str) -> Result<Self, ParseError> {
        let body = Body::parse(body)?;
        match body.kind() {
            CountMails::TYPE => body.read().map(Self::CountMails),
            _ => body.read().map(Box::new).map(Self::Notify),
        }
    }
}

impl CountMails {
    /// Returns what is left to do after a write that failed: the same if it was certainly not carried out, else only to
    /// say that the counts are estimates.
    pub fn after(self, certainly_not_done: bool) -> Self {
        if certainly_not_done { self } else { Self { outcomes: BTreeMap::new(), estimated: true, ..self } }
    }
}

/// A recipient is written as `[contactId, key, delivery]`: many of them go into each message.
impl Serialize for Recipient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.contact_id, self.key, self.delivery).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (contact_id, key, delivery) = Deserialize::deserialize(deserializer)?;
        Ok(Self { contact_id, key, delivery })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use restock_domain::Locale;
    use uuid::Uuid;

    #[test]
    fn messages_read_back_as_they_were_written() {
        let recipient = Recipient {
            contact_id: ContactId::new(Uuid::from_u128(1)),
            key: SubscriptionKey::of(&Sku::parse("A").unwrap(), &Locale::parse("sv").unwrap(), None),
            delivery: DeliveryId::new(Uuid::from_u128(2)),
        };
        let notification = Notification {
            sku: Sku::parse("A").unwrap(),
            log_entry: "e".into(),
            automation: AutomationId::parse("default").unwrap(),
            version: 3,
            attempt: 1,
            hops: 2,
            recipients: vec![recipient],
            accepted: vec![AcceptedMail {
                recipient,
                message_id: "m".into(),
                asked_at: Timestamp::from_second(5).unwrap(),
                template: Some("letter_2".into()),
            }],
            wave: Some(WaveShare {
                scope: Scope::Locale(Locale::parse("sv").unwrap()),
                id: "w".into(),
                pass: 1,
                order: "o".into(),
                since: BTreeMap::from([(recipient.delivery, Timestamp::from_second(4).unwrap())]),
            }),
            then: Vec::new(),
        };
        let notification = Notification { then: vec![notification.clone()], ..notification };
        let counts = CountMails {
            sku: Sku::parse("A").unwrap(),
            log_entry: "e".into(),
            outcomes: BTreeMap::from([("accepted".into(), 3)]),
            estimated: true,
        };

        assert_eq!(
            NotificationMessage::parse(&notification.body()).unwrap(),
            NotificationMessage::Notify(Box::new(notification))
        );
        assert_eq!(NotificationMessage::parse(&counts.body()).unwrap(), NotificationMessage::CountMails(counts));
    }

    #[test]
    fn what_is_no_message_says_why() {
        assert!(matches!(NotificationMessage::parse("{"), Err(ParseError::NotJson(_))));
        assert!(matches!(NotificationMessage::parse(r#"{"v":2,"type":"notify"}"#), Err(ParseError::NotOurs { .. })));
    }
}
