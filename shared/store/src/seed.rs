use crate::database::PlainWrite;
use crate::{Error, Store, contacts, keyspace, subscription_item};
use restock_domain::{Contact, Subscription};

impl Store {
    /// Writes contacts and subscriptions in as few requests as can be, and replaces what is there: for filling a stack
    /// that is tried out. The demand of their SKUs is marked by [`Store::mark_demand`].
    pub async fn seed(&self, contacts: &[Contact], subscriptions: &[Subscription]) -> Result<(), Error> {
        let mut writes = Vec::with_capacity(2 * contacts.len() + subscriptions.len());
        for contact in contacts {
            writes.extend(contacts::items_of(contact)?.map(|item| PlainWrite::put(keyspace::Contacts, item)));
        }
        for subscription in subscriptions {
            let mut item = subscription_item::item_of(subscription, None)?;
            item.extend(subscription_item::key(subscription.id()));
            writes.push(PlainWrite::put(keyspace::Subscriptions, item));
        }
        self.batch_write(writes).await
    }
}
