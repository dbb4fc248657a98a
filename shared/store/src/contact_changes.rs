//! Changing contacts, and moving them to another address.

use crate::contacts::{email_key, item_of, key, read};
use crate::database::{AllWritten, Item, TableCondition, Write};
use crate::item::{number, number_of, text};
use crate::keyspace;
use crate::suppression::{self, Trace};
use crate::{Error, Race, Store};
use restock_domain::signing::AddressKey;
use restock_domain::{Contact, ContactId, EmailAddress};

const TABLE: keyspace::Contacts = keyspace::Contacts;
const REVISION: &str = "revision";

/// A change of a contact.
pub struct ContactChange<'a, E> {
    /// Returns what the contact is to be, of what it is.
    pub apply: &'a (dyn Fn(&Contact) -> Result<Contact, E> + Sync),
    /// Only if the contact has this address.
    pub of_address: Option<&'a EmailAddress>,
    /// True if the contact asked for mail again after it had unsubscribed.
    pub asked_again: bool,
}

/// The outcome of a change of a contact.
pub enum ChangedContact<E> {
    Done(Box<Contact>),
    /// It was so already; nothing was written.
    Unchanged(Box<Contact>),
    Invalid(E),
    /// Another contact has the new address.
    EmailTaken(ContactId),
    Gone,
}

impl Store {
    /// Changes a contact, as [`Contact::changed_to`] says. A trace stays of a suppressed address that is left.
    pub async fn change_contact<E>(
        &self,
        id: ContactId,
        change: &ContactChange<'_, E>,
        addresses: &AddressKey,
    ) -> Result<ChangedContact<E>, Error> {
        let mut race = Race::about("the change of a contact");
        loop {
            race.enter()?;
            let Some(item) = self.get(TABLE, key(id)).await? else { return Ok(ChangedContact::Gone) };
            let revision = number_of(TABLE, &item, REVISION)?.unwrap_or_default();
            let contact = read(item)?;
            if change.of_address.is_some_and(|address| !address.is_same_mailbox(&contact.email)) {
                return Ok(ChangedContact::Gone);
            }
            let mut changed = match (change.apply)(&contact) {
                Ok(wanted) => contact.changed_to(wanted, change.asked_again),
                Err(errors) => return Ok(ChangedContact::Invalid(errors)),
            };
            let moves = !changed.email.is_same_mailbox(&contact.email);
            let looks_at_trace = moves || change.asked_again;
            let trace = if looks_at_trace { self.trace(&changed.email, addresses).await? } else { None };
            let mut writes = Vec::new();
            if moves {
                if let Some(trace) = trace {
                    trace.add_to(&mut changed, change.asked_again);
                }
                writes = move_of(&contact, &changed, addresses);
                writes.push(suppression::taken_over(trace, &changed.email, addresses));
            } else if let Some(trace) = trace {
                // The link of an older contact left it: it would hold for who takes the address next, and is lifted
                // too.
                writes.extend(trace.lifted(&changed.email, addresses));
            }
            if changed == contact && writes.is_empty() {
                return Ok(ChangedContact::Unchanged(Box::new(changed)));
            }
            writes.push(replacement(&contact, &changed, revision)?);
            if let AllWritten::Done = self.database.write_all(writes).await? {
                return Ok(ChangedContact::Done(Box::new(changed)));
            }
            let other = if moves { self.contact_id_of(&changed.email).await? } else { None };
            if let Some(other) = other.filter(|other| *other != id) {
                return Ok(ChangedContact::EmailTaken(other));
            }
        }
    }
}

/// Returns the writes that take the new address and leave the old one.
fn move_of(contact: &Contact, changed: &Contact, addresses: &AddressKey) -> Vec<Write> {
    let ours = text(contact.id.to_string());
    let address = Item::from([("contactId".into(), ours.clone())]);
    let taken = Write::put(TABLE, email_key(&changed.email), address).when(TableCondition::Missing("key"));
    let left = Write::delete(TABLE, email_key(&contact.email)).when(TableCondition::Is("contactId", ours));
    let trace = Trace::of(contact).map(|trace| trace.left_at(&contact.email, addresses));
    [taken, left].into_iter().chain(trace).collect()
}

/// Writes the whole contact, if it is still as it was read.
fn replacement(contact: &Contact, changed: &Contact, revision: i64) -> Result<Write, Error> {
    let suppressed = suppression::suppressed_as(contact.suppressed, contact.unsubscribed);
    let unchanged = vec![TableCondition::Is(REVISION, number(revision)), suppressed];
    Ok(Write::put(TABLE, key(contact.id), item_of(changed, revision + 1)?).when(TableCondition::All(unchanged)))
}
