use crate::database::{AllWritten, Consistency, Item, TableCondition, Write, Written};
use crate::item::{read_each, read_item, string_of, text, texts, write_item};
use crate::keyspace;
use crate::suppression::{self, Trace};
use crate::{Error, Race, Store};
use jiff::Timestamp;
use restock_domain::signing::{AddressDigest, AddressKey};
use restock_domain::{Attributes, Contact, ContactId, CountryCode, EmailAddress, Locale, Suppression, time};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use tokio::time::Instant;

const TABLE: keyspace::Contacts = keyspace::Contacts;

/// The outcome of a new contact.
pub enum CreatedContact {
    Done(Box<Contact>),
    /// Another contact has the address.
    EmailTaken(ContactId),
}

/// A contact as the table has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContactItem {
    id: ContactId,
    email: EmailAddress,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Locale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_code: Option<CountryCode>,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepts_email: Option<bool>,
    #[serde(with = "time::rfc3339")]
    created_on: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<Suppression>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unsubscribed: bool,
    /// Counts the changes, so that one that was read before another one is not written over it.
    #[serde(default)]
    revision: i64,
}

/// The item that makes an address unique and leads from it to the contact.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EmailItem {
    contact_id: ContactId,
}

impl Store {
    /// Writes a contact and its address in one transaction, so two contacts never share an address. An address that was
    /// suppressed when its former contact was erased is suppressed still.
    pub async fn create_contact(&self, contact: Contact, addresses: &AddressKey) -> Result<CreatedContact, Error> {
        let mut race = Race::about("a new contact");
        loop {
            race.enter()?;
            let trace = self.trace(&contact.email, addresses).await?;
            let mut created = contact.clone();
            if let Some(trace) = trace {
                trace.add_to(&mut created, false);
            }
            let writes = vec![
                Write::put(TABLE, email_key(&created.email), address_of(created.id))
                    .when(TableCondition::Missing("key")),
                Write::put(TABLE, key(created.id), item_of(&created, 0)?).when(TableCondition::Missing("key")),
                suppression::taken_over(trace, &created.email, addresses),
            ];
            let AllWritten::Refused(items) = self.database.write_all(writes).await? else {
                return Ok(CreatedContact::Done(Box::new(created)));
            };
            if let Some(Some(taken)) = items.into_iter().next() {
                return Ok(CreatedContact::EmailTaken(read_item::<EmailItem>(TABLE, taken)?.contact_id));
            }
        }
    }

    pub async fn contact(&self, id: ContactId) -> Result<Option<Contact>, Error> {
        self.get(TABLE, key(id)).await?.map(read).transpose()
    }

    pub async fn contact_id_of(&self, email: &EmailAddress) -> Result<Option<ContactId>, Error> {
        let item = self.get(TABLE, email_key(email)).await?;
        item.map(|item| read_item::<EmailItem>(TABLE, item).map(|email| email.contact_id)).transpose()
    }

    /// Returns the given contacts that exist.
    pub async fn contacts(
        &self,
        ids: impl IntoIterator<Item = ContactId>,
        consistency: Consistency,
    ) -> Result<HashMap<ContactId, Contact>, Error> {
        let distinct: HashSet<ContactId> = ids.into_iter().collect();
        let items = self.batch_get_as(TABLE, distinct.into_iter().map(key).collect(), consistency).await?;
        Ok(read_each(items, read).into_iter().map(|contact| (contact.id, contact)).collect())
    }

    /// Stops all mail to a contact. The most serious reason is kept: a complaint even if the address bounces later,
    /// a bounce even if its owner unsubscribes. Returns true if there is such a contact.
    pub async fn suppress(&self, id: ContactId, why: Suppression) -> Result<bool, Error> {
        let mut race = Race::about("a contact");
        loop {
            race.enter()?;
            let conditions =
                TableCondition::All(vec![TableCondition::Exists("key"), suppression::nothing_more_serious(why)]);
            let write = Write::update(TABLE, key(id), suppression::set(why)).when(conditions);
            let contact = match self.database.write(write).await? {
                Written::Done(_) => return Ok(true),
                Written::Refused(None) => return Ok(false),
                Written::Refused(Some(contact)) => contact,
            };
            if why != Suppression::Unsubscribed {
                return Ok(true);
            }
            // It is remembered for when the more serious reason is gone, which that may be by now.
            let Some(reason) = contact.get("suppressed").cloned() else { continue };
            let write = Write::update(TABLE, key(id), vec![suppression::unsubscribed()]);
            let write = write.when(TableCondition::Is("suppressed", reason));
            if let Written::Done(_) = self.database.write(write).await? {
                return Ok(true);
            }
        }
    }

    /// Unsubscribes a contact, by a mail that went to an address. Returns true if the contact has that address. If it
    /// does not, or is gone, whoever takes the address next is unsubscribed; who has it now can't be told from its
    /// digest.
    pub async fn unsubscribe(
        &self,
        id: ContactId,
        address: AddressDigest,
        addresses: &AddressKey,
    ) -> Result<bool, Error> {
        let why = Suppression::Unsubscribed;
        let known = self.suppress(id, why).await?;
        let contact = if known { self.contact(id).await? } else { None };
        if contact.is_some_and(|contact| addresses.digest_of_address(&contact.email) == address) {
            return Ok(true);
        }
        let mut race = Race::about("a trace of an address");
        loop {
            race.enter()?;
            let Written::Refused(Some(_)) = self.database.write(suppression::trace(address, why)).await? else {
                return Ok(false);
            };
            // Unless whoever took the address meanwhile has taken the trace with it.
            let write = Write::update(TABLE, suppression::trace_key(address), vec![suppression::unsubscribed()]);
            if let Written::Done(_) = self.database.write(write.when(TableCondition::Exists("key"))).await? {
                return Ok(false);
            }
        }
    }

    /// Stops mail to the address that a mail to a contact went to, whoever has it by now; if nobody has, a trace of it
    /// is left. A complaint also stops mail to the contact, whatever its address is now. Returns true if that concerns
    /// anybody.
    pub async fn suppress_address(
        &self,
        id: ContactId,
        address: &EmailAddress,
        why: Suppression,
        addresses: &AddressKey,
    ) -> Result<bool, Error> {
        let mut known = self.suppress_owner_of(address, why).await?;
        if !known {
            self.database.write(suppression::trace(addresses.digest_of_address(address), why)).await?;
            // Somebody who took the address before the trace was there has not seen it.
            known = self.suppress_owner_of(address, why).await?;
        }
        if why == Suppression::Complaint {
            known |= self.suppress(id, why).await?;
        }
        Ok(known)
    }

    /// Stops mail to the contact that has an address. Returns true if there is one.
    async fn suppress_owner_of(&self, address: &EmailAddress, why: Suppression) -> Result<bool, Error> {
        let Some(owner) = self.contact_id_of(address).await? else { return Ok(false) };
        let owner = self.contact(owner).await?;
        let Some(owner) = owner.filter(|owner| owner.email.is_same_mailbox(address)) else { return Ok(false) };
        // It may leave the address meanwhile, and then the address is nobody's.
        let has_address = TableCondition::Is("email", text(owner.email.as_str()));
        let conditions = TableCondition::All(vec![has_address, suppression::nothing_more_serious(why)]);
        let write = Write::update(TABLE, key(owner.id), suppression::set(why)).when(conditions);
        Ok(match self.database.write(write).await? {
            Written::Done(_) => true,
            // Something more serious stops its mail already, unless it is gone or has moved.
            Written::Refused(found) => {
                found.is_some_and(|found| string_of(&found, "email").is_some_and(|email| email == owner.email.as_str()))
            }
        })
    }

    /// Erases a contact: its personal data, its address, its subscriptions and its purchases. Of a suppressed address a
    /// keyed digest stays, so that it stays suppressed even if a new contact takes the address. Returns true if there
    /// was anything. Subscriptions and purchases may be left after the deadline.
    ///
    /// The contact goes first: whoever is about to mail it, or to subscribe it, looks whether it is there.
    pub async fn erase_contact(&self, id: ContactId, addresses: &AddressKey, deadline: Instant) -> Result<bool, Error> {
        let mut found = false;
        let mut race = Race::about("the erasure of a contact");
        while let Some(contact) = self.contact(id).await? {
            found = true;
            race.enter()?;
            let mut writes = vec![
                Write::delete(TABLE, key(id))
                    .when(suppression::suppressed_as(contact.suppressed, contact.unsubscribed)),
                Write::delete(TABLE, email_key(&contact.email))
                    .when(TableCondition::Is("contactId", text(id.to_string()))),
            ];
            writes.extend(Trace::of(&contact).map(|trace| trace.left_at(&contact.email, addresses)));
            if let AllWritten::Done = self.database.write_all(writes).await? {
                break;
            }
        }
        let subscriptions = self.delete_subscriptions_of(id, deadline).await?;
        let purchases = self.delete_purchases_of(id, deadline).await?;
        Ok(found || subscriptions.items + purchases.items > 0)
    }
}

/// Returns the item of a contact in a revision.
pub(crate) fn item_of(contact: &Contact, revision: i64) -> Result<Item, Error> {
    let contact = contact.clone();
    let item = ContactItem {
        id: contact.id,
        email: contact.email,
        first_name: contact.first_name,
        last_name: contact.last_name,
        language: contact.language,
        country_code: contact.country_code,
        attributes: contact.attributes,
        accepts_email: contact.accepts_email,
        created_on: contact.created_on,
        suppressed: contact.suppressed,
        unsubscribed: contact.unsubscribed,
        revision,
    };
    write_item(TABLE, item)
}

pub(crate) fn read(item: Item) -> Result<Contact, Error> {
    let item: ContactItem = read_item(TABLE, item)?;
    Ok(Contact {
        id: item.id,
        email: item.email,
        first_name: item.first_name,
        last_name: item.last_name,
        language: item.language,
        country_code: item.country_code,
        attributes: item.attributes,
        accepts_email: item.accepts_email,
        created_on: item.created_on,
        suppressed: item.suppressed,
        unsubscribed: item.unsubscribed,
    })
}

/// Returns the attributes of the item that makes an address unique.
fn address_of(id: ContactId) -> Item {
    Item::from([("contactId".into(), text(id.to_string()))])
}

/// Returns both items of a new contact, with their keys.
pub(crate) fn items_of(contact: &Contact) -> Result<[Item; 2], Error> {
    let mut items = [item_of(contact, 0)?, address_of(contact.id)];
    items[0].extend(key(contact.id));
    items[1].extend(email_key(&contact.email));
    Ok(items)
}

pub(crate) fn key(id: ContactId) -> Item {
    texts([("key", &format!("contact#{id}"))])
}

pub(crate) fn email_key(email: &EmailAddress) -> Item {
    texts([("key", &format!("email#{}", email.key()))])
}
