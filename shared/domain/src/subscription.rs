use crate::{ContactId, ErrorCode, ExternalId, Invalid, Locale, Sku};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Subscriptions that a contact may have at a time. Each SKU, locale and external id is one.
pub const MAX_SUBSCRIPTIONS: usize = 500;

/// A contact waiting for a SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub contact_id: ContactId,
    pub sku: Sku,
    pub locale: Locale,
    pub external_id: Option<ExternalId>,
    pub created_on: Timestamp,
    /// When it was moved in from another system, if it was. It was made there, at `created_on`.
    pub moved_in_on: Option<Timestamp>,
    /// Tells a subscription from one that was made after it with the same contact, SKU, locale and external id. It also
    /// names the delivery of its mail.
    pub delivery: DeliveryId,
    /// From when on it counts no more; `None` if it waits for as long as it takes.
    pub expires_on: Option<Timestamp>,
}

impl Subscription {
    /// Returns when one that begins then ends without a mail, if it is kept for so long: in whole seconds, as DynamoDB
    /// deletes items.
    pub fn end(begins: Timestamp, kept: Option<Duration>) -> Option<Timestamp> {
        Timestamp::from_second((begins + kept?).as_second()).ok()
    }

    /// Returns true if it counts no more. DynamoDB deletes it some time after that.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_on.is_some_and(|expires_on| expires_on <= now)
    }

    /// Returns since when stock levels meet it.
    pub fn here_since(&self) -> Timestamp {
        self.moved_in_on.unwrap_or(self.created_on)
    }

    pub fn id(&self) -> SubscriptionId {
        SubscriptionId {
            contact_id: self.contact_id,
            key: SubscriptionKey::of(&self.sku, &self.locale, self.external_id.as_ref()),
        }
    }
}

/// Names the delivery of one subscription's mail: in the tags of the mail, in SES's events, in tables and in log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(Uuid);

impl DeliveryId {
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// Makes one that no other subscription has.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads what `Display` wrote.
    pub fn parse(raw: &str) -> Option<Self> {
        Uuid::try_parse(raw).ok().map(Self)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The unique key of a subscription of a contact: a digest of SKU, locale and external id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriptionKey([u8; 16]);

impl SubscriptionKey {
    pub fn of(sku: &Sku, locale: &Locale, external_id: Option<&ExternalId>) -> Self {
        let mut digest = Sha256::new();
        let parts = [Some(sku.as_str()), Some(locale.key()), external_id.map(ExternalId::as_str)];
        for part in parts.into_iter().flatten() {
            // The length in front keeps ("ab", "c") apart from ("a", "bc").
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&digest.finalize()[..16]);
        Self(key)
    }

    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let bytes = URL_SAFE_NO_PAD.decode(raw).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(invalid_id)
    }
}

impl fmt::Display for SubscriptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Serialize for SubscriptionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SubscriptionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The public id: contact and key in base64url, so it needs no escaping in a URL and addresses the item by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriptionId {
    pub contact_id: ContactId,
    pub key: SubscriptionKey,
}

impl SubscriptionId {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let bytes = URL_SAFE_NO_PAD.decode(raw).map_err(|_| invalid_id())?;
        Ok(Self::from_bytes(bytes.try_into().map_err(|_| invalid_id())?))
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        let (mut contact, mut key) = ([0; 16], [0; 16]);
        contact.copy_from_slice(&bytes[..16]);
        key.copy_from_slice(&bytes[16..]);
        Self { contact_id: ContactId::new(Uuid::from_bytes(contact)), key: SubscriptionKey(key) }
    }

    /// Returns the bytes of the contact, then those of the key.
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(self.contact_id.as_bytes());
        bytes[16..].copy_from_slice(&self.key.0);
        bytes
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

fn invalid_id() -> Invalid {
    Invalid::new(ErrorCode::InvalidSubscriptionId, "Use the id that subscribing returned.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sku: &str, locale: &str, external_id: Option<&str>) -> SubscriptionKey {
        let external_id = external_id.map(|id| ExternalId::parse(id).unwrap());
        SubscriptionKey::of(&Sku::parse(sku).unwrap(), &Locale::parse(locale).unwrap(), external_id.as_ref())
    }

    #[test]
    fn the_public_id_reads_back_and_needs_no_escaping() {
        let id = SubscriptionId { contact_id: ContactId::new(Uuid::from_u128(7)), key: key("A", "sv-SE", None) };

        let text = id.to_string();

        assert_eq!(SubscriptionId::parse(&text).unwrap(), id);
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    }

    #[test]
    fn the_key_ignores_the_case_of_a_locale_and_nothing_else() {
        assert_eq!(key("A", "sv-SE", None), key("A", "sv-se", None));
        assert_ne!(key("A", "sv-SE", None), key("a", "sv-SE", None));
        assert_ne!(key("A", "sv-SE", None), key("A", "sv-SE", Some("x")));
        assert_ne!(key("A", "sv-SE", Some("x")), key("A", "sv-SE", Some("X")));
    }
}
