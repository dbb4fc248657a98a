//! Contacts: who may subscribe.

use crate::operation::Operation;
use crate::payload::{self, Body};
use crate::purchases::Receipt;
use crate::schema::{Described, Schemas, described};
use crate::subscriptions::{NEXT_CURSOR, Subscription};
use crate::values::{AttributeMap, ShortText};
use crate::wire::{Properties, Read, alone};
use crate::{FieldError, IdReply, KeyScope, Lines, LinesReport, Moment, Problem, answer, body, endpoints};
use jiff::Timestamp;
use restock_domain::{
    ContactId, CountryCode, EmailAddress, ErrorCode, ExternalId, Invalid, Locale, Sku, Suppression, delivery, time,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{RefOr, Schema};

const READ: Option<KeyScope> = Some(KeyScope::ReadContacts);
const FIND: Option<KeyScope> = Some(KeyScope::FindContacts);
const WRITE: Option<KeyScope> = Some(KeyScope::WriteContacts);
const TAKEN: &str = "A contact has this address; `id` is its id, for a key with `find-contacts`.";

endpoints! {
    /// Create a contact
    CreateContact("createContact"): Post "/contacts", "create-contact", WRITE,
        NewContact => 201 ContactReply, "The contact; for a key without `read-contacts`, its id.",
        |operation| operation.problem(409, TAKEN);

    /// Find a contact by its address
    FindContact("findContact"): Get "/contacts/id" ? { "email": EmailAddress, ""; }, "find-contact", FIND,
        () => 200 IdReply, "Its id.",
        |operation| operation.problem(404, "There is no such contact.");

    /// Create or change contacts, one to a line
    ImportContacts("importContacts"): Post "/contacts/imports", "import-contacts", WRITE,
        Lines => 200 LinesReport, "What became of the lines, at most 2,000.";

    /// Show a contact
    GetContact("getContact"): Get "/contacts/{contactId}", "get-contact", READ,
        () => 200 Contact, "The contact.",
        |operation| operation.problem(404, "There is no such contact.");

    /// Export all that is known of a contact
    ExportContact("exportContact"): Get "/contacts/{contactId}/export" ? {
            "cursor": Option<String>, "The `next-cursor` of the page before.";
        }, "export-contact", READ,
        () => 200 ContactExport, "The contact, with up to 1,000 subscriptions and receipts; those that follow, and then its mails, are on the next page.",
        |operation| operation
            .header(NEXT_CURSOR, "Gets the next page; the last one has none.")
            .problem(404, "There is no such contact.");

    /// Change a contact
    UpdateContact("updateContact"): Patch "/contacts/{contactId}", "update-contact", WRITE,
        ContactPatch => 200 ContactReply, "The contact as it is now; for a key without `read-contacts`, its id.",
        |operation| operation.problem(404, "There is no such contact.").problem(409, TAKEN);

    /// Erase a contact and all that belongs to it
    EraseContact("eraseContact"): Delete "/contacts/{contactId}", "delete-contact", WRITE,
        () => 200 IdReply, "It is erased.",
        |operation| operation.problem(404, "There is no such contact.");
}

body! {
    /// The properties of a contact that a caller may set.
    #[derive(Debug, Clone)]
    pub struct NewContact {
        pub email: EmailAddress,
        pub first_name: Option<ShortText>,
        pub last_name: Option<ShortText>,
        pub language: Option<Locale>,
        /// ISO 3166-1 alpha-2.
        pub country_code: Option<CountryCode>,
        /// Strings, numbers and booleans by name; at most 100.
        pub attributes: Option<AttributeMap>,
        /// Missing if nobody asked; the subscription itself is then the consent. In a change, `true` also lifts an
        /// unsubscription.
        pub accepts_email: Option<bool>,
    }
}

impl NewContact {
    /// Makes the contact that a caller describes.
    pub fn into_contact(self, id: ContactId, created_on: Timestamp) -> restock_domain::Contact {
        let Self { email, first_name, last_name, language, country_code, attributes, accepts_email } = self;
        restock_domain::Contact {
            id,
            email,
            first_name: first_name.and_then(ShortText::not_empty),
            last_name: last_name.and_then(ShortText::not_empty),
            language,
            country_code,
            attributes: attributes.unwrap_or_default().0,
            accepts_email,
            created_on: time::to_millisecond(created_on),
            suppressed: None,
            unsubscribed: false,
        }
    }
}

/// Returns what a caller has said of a contact.
impl From<&restock_domain::Contact> for NewContact {
    fn from(contact: &restock_domain::Contact) -> Self {
        let contact = contact.clone();
        Self {
            email: contact.email,
            first_name: contact.first_name.map(ShortText),
            last_name: contact.last_name.map(ShortText),
            language: contact.language,
            country_code: contact.country_code,
            attributes: Some(AttributeMap(contact.attributes)).filter(|map| !map.0.is_empty()),
            accepts_email: contact.accepts_email,
        }
    }
}

/// A merge patch (RFC 7396) of a [`NewContact`].
#[derive(Debug)]
pub struct ContactPatch(Value);

impl ContactPatch {
    pub fn new(patch: Value) -> Result<Self, Vec<FieldError>> {
        Properties::of(patch.clone()).map(|_| Self(patch))
    }

    /// Returns true if the contact accepts email (again) by this patch.
    pub fn accepts_email(&self) -> bool {
        Properties::of(self.0.clone()).is_ok_and(|mut patch| patch.take("acceptsEmail") == Some(Value::Bool(true)))
    }

    /// Applies the patch: what is given replaces, `null` removes, attributes are merged one by one. Returns what the
    /// contact is to be, or everything that is wrong with it.
    pub fn apply(&self, contact: &restock_domain::Contact) -> Result<restock_domain::Contact, Vec<FieldError>> {
        let mut patch = Properties::of(self.0.clone())?;
        let known = NewContact::from(contact);
        let mut merged = json!(known);
        let attributes = patch.take("attributes");
        for name in NewContact::properties() {
            if let Some(value) = patch.take(&name) {
                merged[name] = value;
            }
        }
        match (attributes, &mut merged["attributes"]) {
            (Some(Value::Object(changes)), attributes) => {
                for (name, value) in changes {
                    // One that is null already has nothing to remove, so that the same patch again changes nothing.
                    if !value.is_null() {
                        attributes[name] = value;
                    } else if attributes.get(&name).is_some_and(|known| !known.is_null()) {
                        attributes.as_object_mut().map(|attributes| attributes.remove(&name));
                    }
                }
            }
            (Some(other), attributes) => *attributes = other,
            (None, _) => {}
        }
        if merged["email"].is_null() {
            let invalid = Invalid::new(ErrorCode::Required, "email can be changed, not removed.");
            return Err(vec![FieldError::new("/email", invalid)]);
        }
        Ok(NewContact::read(merged)?.into_contact(contact.id, contact.created_on))
    }
}

impl Body for ContactPatch {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        Ok(Self::new(payload::json(content_type, bytes)?)?)
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json_body::<Self>()
    }
}

/// The properties of [`NewContact`], none of which is required.
impl Described for ContactPatch {
    const NAME: Option<&'static str> = Some("ContactPatch");

    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        let mut schema = NewContact::schema(schemas);
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.clear();
        }
        described(
            schema,
            "A merge patch (RFC 7396): what is missing stays, `null` removes, attributes are merged one by one.",
        )
    }
}

/// Reads the address of a line of an import.
pub fn address_of(line: &Value) -> Result<EmailAddress, Vec<FieldError>> {
    let mut properties = Properties::of(line.clone())?;
    let email = properties.read("email");
    properties.errors.finish()?;
    email.ok_or_else(|| alone(Invalid::new(ErrorCode::Required, "email is required.")))
}

/// Somebody who may subscribe: what the caller has said, and what Restock knows.
#[derive(Debug, Serialize)]
pub struct Contact {
    #[serde(flatten)]
    pub record: ContactRecord,
    #[serde(flatten)]
    pub said: NewContact,
}

answer! {
    /// Somebody who may subscribe.
    #[derive(Debug)]
    pub struct ContactRecord {
        pub id: ContactId,
        pub created_on: Moment,
        /// Why the address gets no more mail, whatever its owner subscribes to; the most serious reason.
        pub suppressed: Option<Suppression>,
        /// True if the contact unsubscribed from everything, even if something more serious suppresses it.
        pub unsubscribed: Option<bool>,
    }
}

impl Described for Contact {
    const NAME: Option<&'static str> = Some("Contact");

    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        let mut whole = ContactRecord::schema(schemas);
        if let (RefOr::T(Schema::Object(whole)), RefOr::T(Schema::Object(said))) =
            (&mut whole, NewContact::schema(schemas))
        {
            whole.properties.extend(said.properties);
            whole.required.extend(said.required);
        }
        whole
    }
}

impl From<restock_domain::Contact> for Contact {
    fn from(contact: restock_domain::Contact) -> Self {
        let said = NewContact::from(&contact);
        let restock_domain::Contact { id, created_on, suppressed, unsubscribed, .. } = contact;
        let unsubscribed = unsubscribed.then_some(true);
        Self { record: ContactRecord { id, created_on: Moment(created_on), suppressed, unsubscribed }, said }
    }
}

answer! {
    /// All that Restock knows of somebody, for who asks for it (GDPR, articles 15 and 20).
    #[derive(Debug)]
    pub struct ContactExport {
        pub exported_on: Moment,
        pub contact: Contact,
        /// What the contact waits for, oldest first.
        pub subscriptions: Vec<Subscription>,
        /// What it bought, by the ids of receipts.
        pub receipts: Vec<Receipt>,
        /// Mails that it was sent, or that the mail service refused, as far as they are still known, in no particular
        /// order; on the last page. What was decided besides is in the contact's history.
        pub mails: Vec<ExportedMail>,
    }
}

answer! {
    /// A mail that was sent or refused.
    #[derive(Debug)]
    pub struct ExportedMail {
        /// Missing if the mail service refused it.
        pub sent_on: Option<Moment>,
        /// When what became of it first happened, by the words of the log, such as `accepted`, `delivered` and
        /// `bounced`; of `failed`, when it last did.
        pub events: BTreeMap<String, Moment>,
        pub sku: Sku,
        pub locale: Locale,
        pub external_id: Option<ExternalId>,
        pub subscribed_on: Moment,
    }
}

impl ExportedMail {
    /// Returns what an export says of a delivery; `None` if SES was never asked for its mail.
    pub fn of(record: delivery::Record) -> Option<Self> {
        let sent_on = record.sent_at().map(Moment);
        let event = |(milestone, at): &(delivery::Milestone, Timestamp)| (milestone.as_str().to_owned(), Moment(*at));
        let events: BTreeMap<_, _> = record.milestones.iter().map(event).collect();
        let restock_domain::Subscription { sku, locale, external_id, created_on, .. } = record.subscription;
        let mail = Self { sent_on, events, sku, locale, external_id, subscribed_on: Moment(created_on) };
        (!mail.events.is_empty()).then_some(mail)
    }
}

/// A contact as it is shown to who has made or changed it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ContactReply {
    Whole(Box<Contact>),
    /// For keys that may not read contacts.
    Id(IdReply),
}

impl ContactReply {
    /// Returns as much of a contact as a key may see.
    pub fn of(contact: restock_domain::Contact, may_read: bool) -> Self {
        if may_read { Self::Whole(Box::new(contact.into())) } else { Self::Id(IdReply::of(contact.id)) }
    }
}

impl Described for ContactReply {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        let (whole, id) = (schemas.of::<Contact>(), schemas.of::<IdReply>());
        Schema::from(AnyOfBuilder::new().item(whole).item(id).build()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(body: Value) -> restock_domain::Contact {
        NewContact::read(body).unwrap().into_contact(ContactId::new(uuid::Uuid::nil()), Timestamp::UNIX_EPOCH)
    }

    fn patch(contact: &restock_domain::Contact, patch: Value) -> Result<restock_domain::Contact, Vec<FieldError>> {
        let wanted = ContactPatch::new(patch)?.apply(contact)?;
        Ok(contact.changed_to(wanted, false))
    }

    #[test]
    fn attributes_are_scalars_with_names() {
        let error = |attributes: Value| {
            let body = json!({"email": "a@b.se", "attributes": attributes});
            NewContact::read(body).map_or_else(|errors| errors[0].error_code.as_str(), |_| "")
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
        let contact = made(body);

        let changes = json!({"FirstName": "B", "language": null, "attributes": {"y": null, "z": true}});
        let patched = patch(&contact, changes).unwrap();

        assert_eq!((patched.first_name.as_deref(), patched.language.is_none()), (Some("B"), true));
        assert_eq!(json!(patched.attributes), json!({"x": 1, "z": true}));
        let body = json!({"email": "a@b.se", "attributes": {"a": null, "b": 1}});
        let with_null = made(body.clone());
        assert_eq!(patch(&with_null, body).unwrap(), with_null, "the same again changes nothing");
        assert!(patch(&contact, json!({"language": "", "firstName": " "})).unwrap().language.is_none(), "as null does");
        let wrong = patch(&contact, json!({"email": null})).unwrap_err();
        assert_eq!((wrong[0].pointer.as_str(), wrong[0].error_code), ("/email", ErrorCode::Required));
        let wrong = patch(&contact, json!({"attributes": {"deep": {}}, "countryCode": "Sweden"})).unwrap_err();
        assert_eq!(
            wrong.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(),
            ["/countryCode", "/attributes/deep"]
        );
    }
}
