use crate::{Invalid, Locale, Skip, wire};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

/// A GUID, written in the 8-4-4-4-12 form in lower case whatever form it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContactId(Uuid);

impl ContactId {
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        Uuid::try_parse(raw)
            .map(Self)
            .map_err(|_| Invalid::new("InvalidContactId", "Use a GUID such as ff9fd9af-6778-4714-b0fe-f6e6612840c8."))
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
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
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(String);

impl EmailAddress {
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let trimmed = raw.trim();
        let options =
            email_address::Options::default().without_display_text().without_domain_literal().with_required_tld();
        let deliverable = email_address::EmailAddress::parse_with_options(trimmed, options)
            .is_ok_and(|address| trimmed.is_ascii() && !address.local_part().starts_with('"'));
        if !deliverable {
            let message =
                "Use one plain email address such as name@example.com; write other letters of a domain as xn--….";
            return Err(Invalid::new("InvalidEmail", message));
        }
        Ok(Self(trimmed.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether they are two spellings of one mailbox.
    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    /// What two spellings of one mailbox share. Mail providers ignore case, whatever RFC 5321 allows.
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

impl TryFrom<String> for EmailAddress {
    type Error = Invalid;
    fn try_from(raw: String) -> Result<Self, Invalid> {
        Self::parse(&raw)
    }
}

impl From<EmailAddress> for String {
    fn from(email: EmailAddress) -> Self {
        email.0
    }
}

/// Somebody who may subscribe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    pub id: ContactId,
    pub email: EmailAddress,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Locale>,
    /// ISO 3166-1 alpha-2, upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Missing means that nobody asked; the subscription itself is then the consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts_email: Option<bool>,
    #[serde(with = "crate::time::rfc3339")]
    pub created_on: Timestamp,
    /// Why the address gets no mail any more, whatever its owner subscribes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
    /// Whether the contact unsubscribed from everything, also where something heavier suppresses it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsubscribed: bool,
}

/// What makes an address unusable for good.
///
/// In the order of their weight: a heavier one is never replaced by a lighter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Suppression {
    /// The recipient unsubscribed from everything.
    Unsubscribed,
    /// The mailbox does not exist, or refuses mail for good.
    Bounce,
    /// The recipient called a mail spam.
    Complaint,
}

impl Suppression {
    pub const ALL: [Self; 3] = [Self::Unsubscribed, Self::Bounce, Self::Complaint];

    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == raw)
    }

    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsubscribed => "unsubscribed",
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
        }
    }
}

impl Contact {
    /// Reads the body of `POST /contacts`.
    pub fn from_json(body: Value, id: ContactId, created_on: Timestamp) -> Result<Self, Vec<wire::FieldError>> {
        let mut fields = wire::Fields::of(body).map_err(|invalid| vec![invalid.at("")])?;
        let email = fields.required("email", wire::string(EmailAddress::parse));
        let first_name = fields.optional("firstName", wire::text).filter(|name| !name.is_empty());
        let last_name = fields.optional("lastName", wire::text).filter(|name| !name.is_empty());
        let language = fields.optional("language", wire::string(Locale::parse));
        let country_code = fields.optional("countryCode", wire::string(country));
        let attributes = fields.optional("attributes", wire::scalars).unwrap_or_default();
        let accepts_email = fields.optional("acceptsEmail", wire::boolean);
        fields.finish()?;
        let Some(email) = email else { return Err(Vec::new()) };
        Ok(Self {
            id,
            email,
            first_name,
            last_name,
            language,
            country_code,
            attributes,
            accepts_email,
            created_on: crate::time::to_millisecond(created_on),
            suppressed: None,
            unsubscribed: false,
        })
    }

    /// Applies a merge patch (RFC 7396): what is given replaces, `null` removes, attributes are merged one by one.
    ///
    /// A new address begins without the bounces of the old one. An unsubscription is lifted only if the contact asked for
    /// mail again. A complaint stays.
    pub fn patched(&self, patch: &Value, asked_again: bool) -> Result<Self, Vec<wire::FieldError>> {
        let mut changes = wire::Fields::of(patch.clone()).map_err(|invalid| vec![invalid.at("")])?;
        let mut body = serde_json::json!(self);
        for name in ["email", "firstName", "lastName", "language", "countryCode", "acceptsEmail"] {
            if let Some(value) = changes.take(name) {
                body[name] = value;
            }
        }
        match changes.take("attributes") {
            Some(Value::Object(changes)) => {
                let mut attributes = self.attributes.clone();
                for (name, value) in changes {
                    // One that is null already has nothing to remove, so that the same patch again changes nothing.
                    if !value.is_null() {
                        attributes.insert(name, value);
                    } else if attributes.get(&name).is_some_and(|known| !known.is_null()) {
                        attributes.remove(&name);
                    }
                }
                body["attributes"] = Value::Object(attributes);
            }
            Some(other) => body["attributes"] = other,
            None => {}
        }
        if body["email"].is_null() {
            return Err(vec![Invalid::new("Required", "email can be changed, not removed.").at("/email")]);
        }
        let patched = Self::from_json(body, self.id, self.created_on)?;
        let unsubscribed = self.unsubscribed && !asked_again;
        let suppressed = match self.suppressed {
            Some(Suppression::Bounce) if !patched.email.is_same_mailbox(&self.email) => None,
            Some(Suppression::Unsubscribed) => None,
            suppressed => suppressed,
        };
        let suppressed = suppressed.or(unsubscribed.then_some(Suppression::Unsubscribed));
        Ok(Self { suppressed, unsubscribed, ..patched })
    }

    /// Why this contact must not be mailed, if so. Whether `acceptsEmail` counts is the automation's to say, as a
    /// back-in-stock mail was asked for by subscribing; a suppression always counts.
    pub fn refusal(&self, requires_consent: bool) -> Option<Skip> {
        match self.suppressed {
            Some(Suppression::Unsubscribed) => Some(Skip::Unsubscribed),
            Some(Suppression::Bounce | Suppression::Complaint) => Some(Skip::Suppressed),
            None => (requires_consent && self.accepts_email == Some(false)).then_some(Skip::NoConsent),
        }
    }
}

fn country(raw: &str) -> Result<String, Invalid> {
    if raw.len() == 2 && raw.chars().all(|letter| letter.is_ascii_alphabetic()) {
        return Ok(raw.to_ascii_uppercase());
    }
    Err(Invalid::new("InvalidCountryCode", "Use an ISO 3166-1 code of two letters such as SE."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
            "a@köpa.se",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn attributes_are_scalars_with_names() {
        let error = |attributes: Value| {
            let body = json!({"email": "a@b.se", "attributes": attributes});
            let contact = Contact::from_json(body, ContactId::new(Uuid::nil()), Timestamp::UNIX_EPOCH);
            contact.map_or_else(|errors| errors[0].error_code, |_| "")
        };

        assert_eq!(error(json!({"a": "x", "b": 1.5, "c": false, "d": null})), "");
        assert_eq!(error(json!({"": 0})), "InvalidName", "DynamoDB can't store it");
        assert_eq!(error(json!({"a\n": 0})), "InvalidName");
        assert_eq!(error(json!({"a": []})), "WrongType");
        assert_eq!(error(json!({"a": 1e300})), "OutOfRange");
    }

    #[test]
    fn a_patch_replaces_removes_and_merges() {
        let body = json!({"email": "a@b.se", "firstName": "A", "language": "sv", "attributes": {"x": 1, "y": 2}});
        let contact = Contact::from_json(body, ContactId::new(Uuid::nil()), Timestamp::UNIX_EPOCH).unwrap();

        let patch = json!({"FirstName": "B", "language": null, "attributes": {"y": null, "z": true}});
        let patched = contact.patched(&patch, false).unwrap();

        assert_eq!((patched.first_name.as_deref(), patched.language.is_none()), (Some("B"), true));
        assert_eq!(Value::Object(patched.attributes), json!({"x": 1, "z": true}));
        let body = json!({"email": "a@b.se", "attributes": {"a": null, "b": 1}});
        let with_null = Contact::from_json(body.clone(), ContactId::new(Uuid::nil()), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(with_null.patched(&body, false).unwrap(), with_null, "the same again changes nothing");
        let wrong = contact.patched(&json!({"email": null}), false).unwrap_err();
        assert_eq!((wrong[0].pointer.as_str(), wrong[0].error_code), ("/email", "Required"));
        let wrong = contact.patched(&json!({"attributes": {"deep": {}}, "countryCode": "Sweden"}), false).unwrap_err();
        assert_eq!(
            wrong.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(),
            ["/countryCode", "/attributes"]
        );
    }

    #[test]
    fn debug_output_never_shows_an_address() {
        let address = EmailAddress::parse("secret.person@example.com").unwrap();

        assert_eq!(format!("{address:?}"), "EmailAddress(…@example.com)");
    }
}
