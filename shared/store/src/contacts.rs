use crate::{Error, Item, Store, failed, read_item, text, texts, write_item};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::{Contact, ContactId, EmailAddress, Suppression, time};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::HashMap;

const TABLE: &str = "Contacts";

/// What became of a new contact.
pub enum NewContact {
    Created,
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
    /// Writes a contact and its address in one transaction, so two contacts never share an address.
    pub async fn create_contact(&self, contact: &Contact) -> Result<NewContact, Error> {
        let mut item = write_item(TABLE, contact)?;
        item.extend(contact_key(contact.id));
        let mut email = email_key(&contact.email);
        email.insert("contactId".into(), text(contact.id.to_string()));
        let put = |item: Item| {
            let put = Put::builder()
                .table_name(&self.tables.contacts)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(#key)")
                .expression_attribute_names("#key", "key")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build()
                .ok();
            TransactWriteItem::builder().set_put(put).build()
        };
        let written =
            self.client.transact_write_items().transact_items(put(item)).transact_items(put(email)).send().await;
        let Err(error) = written else { return Ok(NewContact::Created) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            let taken = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.item.clone()).next_back();
            if let Some(item) = taken {
                return Ok(NewContact::EmailTaken(read_item::<EmailItem>(TABLE, item)?.contact_id));
            }
        }
        Err(failed("TransactWriteItems of a contact")(error))
    }

    pub async fn contact(&self, id: ContactId) -> Result<Option<Contact>, Error> {
        self.contact_item(contact_key(id)).await?.map(|item| read_item(TABLE, item)).transpose()
    }

    pub async fn contact_id_of(&self, email: &EmailAddress) -> Result<Option<ContactId>, Error> {
        let item = self.contact_item(email_key(email)).await?;
        item.map(|item| read_item::<EmailItem>(TABLE, item).map(|email| email.contact_id)).transpose()
    }

    /// Those of the given contacts that exist; strongly consistent.
    pub async fn contacts(
        &self,
        ids: impl IntoIterator<Item = ContactId>,
    ) -> Result<HashMap<ContactId, Contact>, Error> {
        let distinct: std::collections::HashSet<ContactId> = ids.into_iter().collect();
        let keys = distinct.into_iter().map(contact_key).collect();
        let items = self.batch_get(&self.tables.contacts, keys).await?;
        items.into_iter().map(|item| read_item::<Contact>(TABLE, item).map(|contact| (contact.id, contact))).collect()
    }

    /// Ends every subscription that the contact has made until `now`, also those whose mail is already queued: the
    /// moment is kept with the contact and looked at before each mail. Says whether there is such a contact.
    pub async fn unsubscribe_from_all(&self, id: ContactId, now: Timestamp) -> Result<bool, Error> {
        let marked = self
            .client
            .update_item()
            .table_name(&self.tables.contacts)
            .set_key(Some(contact_key(id)))
            .update_expression("SET unsubscribedOn = :now")
            .condition_expression("attribute_exists(#key)")
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":now", text(time::sortable(now)))
            .send()
            .await;
        match marked {
            Ok(_) => {}
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                return Ok(false);
            }
            Err(error) => return Err(failed("UpdateItem of a contact")(error)),
        }
        for subscription in self.subscriptions_of(id).await? {
            if subscription.created_on <= now {
                self.delete_instance(&subscription).await?;
            }
        }
        Ok(true)
    }

    /// Stops mail to a contact's address for good. A complaint is kept also if the address bounces later.
    pub async fn suppress(&self, id: ContactId, why: Suppression) -> Result<(), Error> {
        let suppressed = self
            .client
            .update_item()
            .table_name(&self.tables.contacts)
            .set_key(Some(contact_key(id)))
            .update_expression("SET suppressed = :why")
            .condition_expression(
                "attribute_exists(#key) AND (attribute_not_exists(suppressed) OR suppressed <> :complaint)",
            )
            .expression_attribute_names("#key", "key")
            .expression_attribute_values(":why", text(why.as_str()))
            .expression_attribute_values(":complaint", text(Suppression::Complaint.as_str()))
            .send()
            .await;
        match suppressed {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            other => other.map(drop).map_err(failed("UpdateItem of a suppressed contact")),
        }
    }

    async fn contact_item(&self, key: Item) -> Result<Option<Item>, Error> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.contacts)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem of a contact"))?;
        Ok(found.item)
    }
}

fn contact_key(id: ContactId) -> Item {
    texts([("key", &format!("contact#{id}"))])
}

fn email_key(email: &EmailAddress) -> Item {
    texts([("key", &format!("email#{}", email.key()))])
}
