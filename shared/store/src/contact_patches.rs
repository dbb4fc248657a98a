//! Changing contacts, also their addresses.

use crate::contacts::{email_key, key, suppressed_as, trace_of};
use crate::database::{Action, AllWritten, Condition, Item, Table, Write};
use crate::{Error, Store, number, read_item, text, write_item};
use restock_domain::signing::SigningKey;
use restock_domain::{Contact, ContactId, EmailAddress, FieldError, Suppression};
use serde_json::Value;

const TABLE: Table = Table::Contacts;
/// Counts the changes of a contact, so that one that was read before another one is not written over it.
const REVISION: &str = "revision";

/// A change of a contact.
pub struct ContactPatch<'a> {
    /// A merge patch (RFC 7396).
    pub body: &'a Value,
    /// Only if the contact has this address.
    pub of_address: Option<&'a EmailAddress>,
    /// Whether the contact asked for mail again after it had unsubscribed.
    pub asked_again: bool,
}

/// What became of a change of a contact.
pub enum PatchedContact {
    Done(Box<Contact>),
    /// It was so already; nothing was written.
    Unchanged(Box<Contact>),
    Invalid(Vec<FieldError>),
    /// Another contact has the new address.
    EmailTaken(ContactId),
    Gone,
}

impl Store {
    /// Applies a patch, as [`Contact::patched`] says. Of an address that was suppressed and is left, a trace stays.
    pub async fn patch_contact(
        &self,
        id: ContactId,
        patch: &ContactPatch<'_>,
        signing: &SigningKey,
    ) -> Result<PatchedContact, Error> {
        // Somebody else may change it between reading and writing, but hardly so often.
        for _ in 0..5 {
            let Some(item) = self.get(TABLE, key(id)).await? else { return Ok(PatchedContact::Gone) };
            let revision = item.get(REVISION).and_then(|revision| revision.as_n().ok()?.parse::<i64>().ok());
            let contact: Contact = read_item(TABLE, item)?;
            if patch.of_address.is_some_and(|address| !address.is_same_mailbox(&contact.email)) {
                return Ok(PatchedContact::Gone);
            }
            let mut patched = match contact.patched(patch.body, patch.asked_again) {
                Ok(patched) => patched,
                Err(errors) => return Ok(PatchedContact::Invalid(errors)),
            };
            if patched == contact {
                return Ok(PatchedContact::Unchanged(Box::new(patched)));
            }
            let moves = !patched.email.is_same_mailbox(&contact.email);
            let mut writes = Vec::new();
            if moves {
                let trace = self.trace(&patched.email, signing).await?;
                patched.suppressed = patched.suppressed.max(trace);
                patched.unsubscribed |= trace == Some(Suppression::Unsubscribed);
                writes = move_of(&contact, &patched, signing);
            }
            writes.push(patch_of(&contact, &patched, revision)?);
            if let AllWritten::Done = self.database.write_all(writes).await? {
                // The former contact of the address may have been erased after its trace was looked for.
                let trace = if moves { self.trace(&patched.email, signing).await? } else { None };
                if let Some(why) = trace.filter(|why| patched.suppressed < Some(*why)) {
                    patched.suppressed = Some(why);
                    self.suppress(id, why).await?;
                }
                return Ok(PatchedContact::Done(Box::new(patched)));
            }
            let other = if moves { self.contact_id_of(&patched.email).await? } else { None };
            if let Some(other) = other.filter(|other| *other != id) {
                return Ok(PatchedContact::EmailTaken(other));
            }
        }
        Err(Error::Unprocessed { operation: "the change of a contact" })
    }
}

/// Takes the new address and leaves the old one.
fn move_of(contact: &Contact, patched: &Contact, signing: &SigningKey) -> Vec<Write> {
    let ours = text(contact.id.to_string());
    let address = Item::from([("contactId".into(), ours.clone())]);
    let taken = Write::put(TABLE, email_key(&patched.email), address).when(Condition::Missing("key"));
    let left = Write::delete(TABLE, email_key(&contact.email)).when(Condition::Is("contactId", ours));
    let trace = contact.suppressed.map(|why| trace_of(&contact.email, why, signing));
    [taken, left].into_iter().chain(trace).collect()
}

/// Writes what a patch may change, if the contact is still as it was read.
fn patch_of(contact: &Contact, patched: &Contact, revision: Option<i64>) -> Result<Write, Error> {
    let mut item = write_item(TABLE, patched)?;
    let names =
        ["email", "firstName", "lastName", "language", "countryCode", "attributes", "acceptsEmail", "suppressed"];
    let mut actions: Vec<Action> = names
        .into_iter()
        .map(|name| match item.remove(name) {
            Some(value) => Action::set(name, value),
            None => Action::Remove(name.into()),
        })
        .collect();
    actions.push(Action::set(REVISION, number(revision.unwrap_or_default() + 1)));
    let unchanged = match revision {
        Some(revision) => Condition::Is(REVISION, number(revision)),
        None => Condition::Missing(REVISION),
    };
    let unchanged = vec![Condition::Exists("key"), unchanged, suppressed_as(contact)];
    Ok(Write::update(TABLE, key(contact.id), actions).when(Condition::All(unchanged)))
}
