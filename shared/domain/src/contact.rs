use crate::identifiers::text_type;
use crate::{ErrorCode, Invalid, Locale, Scalar, Skip};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use strum::{EnumIter, EnumString, IntoEnumIterator, IntoStaticStr, VariantNames};
use uuid::Uuid;

/// A GUID, written in the 8-4-4-4-12 form in lower case whatever form it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContactId(Uuid);

impl ContactId {
    /// In bytes.
    pub const LENGTH: usize = 16;

    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        Uuid::try_parse(raw).map(Self).map_err(|_| {
            Invalid::new(ErrorCode::InvalidContactId, "Use a GUID such as ff9fd9af-6778-4714-b0fe-f6e6612840c8.")
        })
    }

    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ContactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address that SES can mail: one mailbox, ASCII only, a domain with a dot.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

/// Writes a domain, or that of an address, in ASCII: `xn--blbr-noae.example` for `blåbär.example`.
pub(crate) fn in_ascii(raw: &str) -> Cow<'_, str> {
    if raw.is_ascii() {
        return Cow::Borrowed(raw);
    }
    let (local, domain) = raw.split_at(raw.rfind('@').map_or(0, |at| at + 1));
    idna::domain_to_ascii(domain).map_or(Cow::Borrowed(raw), |domain| Cow::Owned(format!("{local}{domain}")))
}

impl EmailAddress {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let address = in_ascii(raw.trim());
        let trimmed = address.as_ref();
        let options =
            email_address::Options::default().without_display_text().without_domain_literal().with_required_tld();
        let deliverable = email_address::EmailAddress::parse_with_options(trimmed, options).is_ok_and(|address| {
            let is_of_host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            let is_host = address.domain().chars().all(is_of_host);
            trimmed.is_ascii() && is_host && !address.local_part().starts_with('"')
        });
        if !deliverable {
            let message = "Use one plain email address such as name@example.com, with ASCII letters before the @.";
            return Err(Invalid::new(ErrorCode::InvalidEmail, message));
        }
        Ok(Self(trimmed.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns an address that was checked when it was stored.
    pub(crate) fn restore(raw: &str) -> Self {
        Self(raw.to_owned())
    }

    /// Returns true if both are spellings of one mailbox.
    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    /// Returns what two spellings of one mailbox share. Mail providers ignore case, whatever RFC 5321 allows.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

/// Keeps addresses out of logs: only the domain is shown.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress(…@{})", self.0.rsplit('@').next().unwrap_or_default())
    }
}

/// Somebody who may subscribe.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    pub id: ContactId,
    pub email: EmailAddress,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub language: Option<Locale>,
    pub country_code: Option<CountryCode>,
    pub attributes: Attributes,
    /// `None` if nobody asked; the subscription itself is then the consent.
    pub accepts_email: Option<bool>,
    pub created_on: Timestamp,
    /// Why the address gets no more mail, whatever its owner subscribes to.
    pub suppressed: Option<Suppression>,
    /// True if the contact unsubscribed from everything, even if something more serious suppresses it.
    pub unsubscribed: bool,
}

/// Facts about a contact by names that the retailer chooses.
pub type Attributes = BTreeMap<String, Scalar>;

/// An ISO 3166-1 alpha-2 code, in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CountryCode(String);
text_type!(CountryCode);

impl CountryCode {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        if raw.len() == 2 && raw.chars().all(|letter| letter.is_ascii_alphabetic()) {
            return Ok(Self(raw.to_ascii_uppercase()));
        }
        Err(Invalid::new(ErrorCode::InvalidCountryCode, "Use an ISO 3166-1 code of two letters such as SE."))
    }
}

/// Why an address gets no more mail.
///
/// From the least to the most serious: a reason never replaces a more serious one.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumIter,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Suppression {
    /// The recipient unsubscribed from everything.
    Unsubscribed,
    /// The mailbox does not exist, or permanently refuses mail.
    Bounce,
    /// The recipient called a mail spam.
    Complaint,
}

impl Suppression {
    /// Returns the word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the reasons that are more serious than this one.
    pub fn more_serious(self) -> impl Iterator<Item = Self> {
        Self::iter().filter(move |other| *other > self)
    }
}

impl Contact {
    /// Returns this contact with the properties that a caller may set taken from `wanted`.
    ///
    /// A new address begins without the bounces of the old one. An unsubscription is lifted only if the contact asked
    /// for mail again. A complaint stays.
    #[must_use]
    pub fn changed_to(&self, wanted: Self, asked_again: bool) -> Self {
        let unsubscribed = self.unsubscribed && !asked_again;
        let suppressed = match self.suppressed {
            Some(Suppression::Bounce) if !wanted.email.is_same_mailbox(&self.email) => None,
            Some(Suppression::Unsubscribed) => None,
            suppressed => suppressed,
        };
        let suppressed = suppressed.or(unsubscribed.then_some(Suppression::Unsubscribed));
        Self { id: self.id, created_on: self.created_on, suppressed, unsubscribed, ..wanted }
    }

    /// Returns why this contact must not be mailed, if so. Whether `accepts_email` counts is the automation's to say,
    /// as a back-in-stock mail was asked for by subscribing; a suppression always counts.
    pub fn refusal(&self, requires_consent: bool) -> Option<Skip> {
        match self.suppressed {
            Some(Suppression::Unsubscribed) => Some(Skip::Unsubscribed),
            Some(Suppression::Bounce | Suppression::Complaint) => Some(Skip::Suppressed),
            None => (requires_consent && self.accepts_email == Some(false)).then_some(Skip::NoConsent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_plain_mailbox() {
        for good in
            ["a@b.se", "A.B+c@Example.co.uk", " padded@example.com ", "åsa@example.com".replace('å', "a").as_str()]
        {
            assert!(EmailAddress::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "a@",
            "@b.se",
            "a@b",
            "a b@c.se",
            "Name <a@b.se>",
            "a@b.se, c@d.se",
            "a@b.se\nBcc: c@d.se",
            "\"a b\"@c.se",
            "åsa@köpa.se",
            "a@kö pa.se",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(EmailAddress::parse("kund@blåbär.example").unwrap().as_str(), "kund@xn--blbr-noae.example");
    }

    #[test]
    fn debug_output_never_shows_an_address() {
        let address = EmailAddress::parse("secret.person@example.com").unwrap();

        assert_eq!(format!("{address:?}"), "EmailAddress(…@example.com)");
    }
}
