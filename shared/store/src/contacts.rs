use crate::database::{Action, AllWritten, AttributeValue, Condition, Item, Table, Write, Written};
use crate::{Error, Store, read_item, string_of, text, texts, write_item};
use restock_domain::signing::SigningKey;
use restock_domain::{Contact, ContactId, EmailAddress, Suppression};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};

const TABLE: Table = Table::Contacts;

/// What became of a new contact.
pub enum NewContact {
    Created(Box<Contact>),
    /// Another contact has the address.
    EmailTaken(ContactId),
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
    pub async fn create_contact(&self, mut contact: Contact, signing: &SigningKey) -> Result<NewContact, Error> {
        contact.suppressed = self.trace(&contact.email, signing).await?;
        contact.unsubscribed = contact.suppressed == Some(Suppression::Unsubscribed);
        let address = Item::from([("contactId".into(), text(contact.id.to_string()))]);
        let writes = vec![
            Write::put(TABLE, key(contact.id), write_item(TABLE, &contact)?).when(Condition::Missing("key")),
            Write::put(TABLE, email_key(&contact.email), address).when(Condition::Missing("key")),
        ];
        match self.database.write_all(writes).await? {
            AllWritten::Done => {
                // The former contact may have been erased after its trace was looked for, and before the address was free.
                if contact.suppressed.is_none()
                    && let Some(why) = self.trace(&contact.email, signing).await?
                {
                    contact.suppressed = Some(why);
                    self.suppress(contact.id, why).await?;
                }
                Ok(NewContact::Created(Box::new(contact)))
            }
            AllWritten::Refused(items) => match items.into_iter().flatten().next_back() {
                Some(item) => Ok(NewContact::EmailTaken(read_item::<EmailItem>(TABLE, item)?.contact_id)),
                None => Err(Error::Unprocessed { operation: "TransactWriteItems" }),
            },
        }
    }

    /// Why an address of an erased contact was suppressed, if it was.
    pub(crate) async fn trace(&self, email: &EmailAddress, signing: &SigningKey) -> Result<Option<Suppression>, Error> {
        let trace = self.get(TABLE, trace_key(signing, email)).await?;
        Ok(trace.and_then(|trace| Suppression::parse(string_of(&trace, "suppressed")?)))
    }

    pub async fn contact(&self, id: ContactId) -> Result<Option<Contact>, Error> {
        self.get(TABLE, key(id)).await?.map(|item| read_item(TABLE, item)).transpose()
    }

    pub async fn contact_id_of(&self, email: &EmailAddress) -> Result<Option<ContactId>, Error> {
        let item = self.get(TABLE, email_key(email)).await?;
        item.map(|item| read_item::<EmailItem>(TABLE, item).map(|email| email.contact_id)).transpose()
    }

    /// Those of the given contacts that exist; strongly consistent.
    pub async fn contacts(
        &self,
        ids: impl IntoIterator<Item = ContactId>,
    ) -> Result<HashMap<ContactId, Contact>, Error> {
        let distinct: HashSet<ContactId> = ids.into_iter().collect();
        let items = self.batch_get(TABLE, distinct.into_iter().map(key).collect()).await?;
        items.into_iter().map(|item| read_item::<Contact>(TABLE, item).map(|contact| (contact.id, contact))).collect()
    }

    /// Stops mail to a contact for good. The strongest reason is kept: a complaint also if the address bounces later, a bounce
    /// also if its owner unsubscribes. Says whether there is such a contact.
    pub async fn suppress(&self, id: ContactId, why: Suppression) -> Result<bool, Error> {
        let unsubscribed = Action::set("unsubscribed", AttributeValue::Bool(true));
        let mut actions = vec![Action::set("suppressed", text(why.as_str()))];
        actions.extend((why == Suppression::Unsubscribed).then(|| unsubscribed.clone()));
        let conditions = Condition::All(vec![Condition::Exists("key"), not_heavier_than(why)]);
        match self.database.write(Write::update(TABLE, key(id), actions).when(conditions)).await? {
            Written::Done(_) => Ok(true),
            Written::Refused(None) => Ok(false),
            Written::Refused(Some(_)) => {
                // It is remembered for when the heavier reason is gone.
                if why == Suppression::Unsubscribed {
                    let write = Write::update(TABLE, key(id), vec![unsubscribed]).when(Condition::Exists("key"));
                    self.database.write(write).await?;
                }
                Ok(true)
            }
        }
    }

    /// Stops mail to the address that a mail to a contact went to, whoever has it by now; if nobody has, a trace of it is
    /// left. A complaint also stops mail to the contact, whatever its address is now. Says whether anybody is concerned.
    pub async fn suppress_address(
        &self,
        id: ContactId,
        address: &EmailAddress,
        why: Suppression,
        signing: &SigningKey,
    ) -> Result<bool, Error> {
        let owner = match self.contact_id_of(address).await? {
            Some(owner) => self.contact(owner).await?.filter(|owner| owner.email.key() == address.key()),
            None => None,
        };
        let mut known = match &owner {
            Some(owner) => self.suppress(owner.id, why).await?,
            None => false,
        };
        if !known {
            let trace = trace_of(address, why, signing).when(not_heavier_than(why));
            self.database.write(trace).await?;
        }
        if why == Suppression::Complaint && owner.is_none_or(|owner| owner.id != id) {
            known |= self.suppress(id, why).await?;
        }
        Ok(known)
    }

    /// Erases a contact: its personal data, its address, its subscriptions and its purchases. Of a suppressed address a keyed digest
    /// stays, so that it is suppressed also if somebody makes a contact of it again. Says whether there was anything.
    ///
    /// The contact goes first: whoever is about to mail it, or to subscribe it, looks whether it is there.
    pub async fn erase_contact(&self, id: ContactId, signing: &SigningKey) -> Result<bool, Error> {
        let mut found = false;
        let mut attempts = 0;
        while let Some(contact) = self.contact(id).await? {
            found = true;
            attempts += 1;
            // It may be suppressed between reading and deleting, but hardly so often.
            if attempts > 5 {
                return Err(Error::Unprocessed { operation: "the erasure of a contact" });
            }
            let mut writes = vec![
                Write::delete(TABLE, key(id)).when(suppressed_as(&contact)),
                Write::delete(TABLE, email_key(&contact.email)).when(Condition::Is("contactId", text(id.to_string()))),
            ];
            writes.extend(contact.suppressed.map(|why| trace_of(&contact.email, why, signing)));
            if let AllWritten::Done = self.database.write_all(writes).await? {
                break;
            }
        }
        let subscriptions = self.delete_subscriptions_of(id).await?;
        self.delete_purchases_of(id).await?;
        Ok(found || subscriptions > 0)
    }
}

/// That a contact is suppressed as it was when it was read.
pub(crate) fn suppressed_as(contact: &Contact) -> Condition {
    let suppressed = match contact.suppressed {
        None => Condition::Missing("suppressed"),
        Some(why) => Condition::Is("suppressed", text(why.as_str())),
    };
    let unsubscribed = match contact.unsubscribed {
        false => Condition::Missing("unsubscribed"),
        true => Condition::Exists("unsubscribed"),
    };
    Condition::All(vec![suppressed, unsubscribed])
}

/// That nothing heavier suppresses a contact or an address.
fn not_heavier_than(why: Suppression) -> Condition {
    let heavier = Suppression::ALL.into_iter().filter(|other| *other > why);
    Condition::All(heavier.map(|heavier| Condition::IsNot("suppressed", text(heavier.as_str()))).collect())
}

/// Leaves a trace of an address that nobody has any more.
pub(crate) fn trace_of(address: &EmailAddress, why: Suppression, signing: &SigningKey) -> Write {
    Write::put(TABLE, trace_key(signing, address), texts([("suppressed", why.as_str())]))
}

pub(crate) fn key(id: ContactId) -> Item {
    texts([("key", &format!("contact#{id}"))])
}

pub(crate) fn email_key(email: &EmailAddress) -> Item {
    texts([("key", &format!("email#{}", email.key()))])
}

/// What is left of an erased contact whose address was suppressed; nobody can tell the address from it without the key.
fn trace_key(signing: &SigningKey, email: &EmailAddress) -> Item {
    texts([("key", &format!("erased#{}", signing.digest_of_address(email)))])
}
