use crate::database::{Action, AllWritten, Condition, Item, Table, Write, Written};
use crate::{Error, Store, read_item, string_of, text, texts, write_item};
use domain::signing::SigningKey;
use domain::{Contact, ContactId, EmailAddress, Suppression};
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
    async fn trace(&self, email: &EmailAddress, signing: &SigningKey) -> Result<Option<Suppression>, Error> {
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

    /// Stops mail to a contact's address for good. The strongest reason is kept: a complaint also if the address bounces
    /// later, a bounce also if its owner unsubscribes. Says whether there is such a contact.
    pub async fn suppress(&self, id: ContactId, why: Suppression) -> Result<bool, Error> {
        let mut conditions = vec![Condition::Exists("key")];
        let stronger = Suppression::ALL.into_iter().filter(|other| *other > why);
        conditions.extend(stronger.map(|stronger| Condition::IsNot("suppressed", text(stronger.as_str()))));
        let write = Write::update(TABLE, key(id), vec![Action::set("suppressed", text(why.as_str()))]);
        match self.database.write(write.when(Condition::All(conditions))).await? {
            Written::Done(_) => Ok(true),
            Written::Refused(item) => Ok(item.is_some()),
        }
    }

    /// Erases a contact: its personal data, its address, and its subscriptions. Of a suppressed address a keyed digest
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
            let as_read = match contact.suppressed {
                None => Condition::Missing("suppressed"),
                Some(why) => Condition::Is("suppressed", text(why.as_str())),
            };
            let mut writes = vec![
                Write::delete(TABLE, key(id)).when(as_read),
                Write::delete(TABLE, email_key(&contact.email)).when(Condition::Is("contactId", text(id.to_string()))),
            ];
            if let Some(why) = contact.suppressed {
                let trace = texts([("suppressed", why.as_str())]);
                writes.push(Write::put(TABLE, trace_key(signing, &contact.email), trace));
            }
            if let AllWritten::Done = self.database.write_all(writes).await? {
                break;
            }
        }
        let subscriptions = self.delete_subscriptions_of(id).await?;
        Ok(found || subscriptions > 0)
    }
}

pub(crate) fn key(id: ContactId) -> Item {
    texts([("key", &format!("contact#{id}"))])
}

fn email_key(email: &EmailAddress) -> Item {
    texts([("key", &format!("email#{}", email.key()))])
}

/// What is left of an erased contact whose address was suppressed; nobody can tell the address from it without the key.
fn trace_key(signing: &SigningKey, email: &EmailAddress) -> Item {
    texts([("key", &format!("erased#{}", signing.digest_of_address(email)))])
}
