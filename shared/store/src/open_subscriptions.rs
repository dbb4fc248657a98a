//! A bound on the subscriptions that a contact has at a time. Counting reads all of them, so only one call in sixteen
//! counts those of a contact that is not known to be at the bound. It is exceeded by as many as come in between.

use crate::database::{Action, Item, TableCondition, Write};
use crate::{Error, Store, contacts, keyspace};
use aws_sdk_dynamodb::types::AttributeValue;
use restock_domain::{MAX_SUBSCRIPTIONS, Subscription};

/// Of so many calls, one counts.
const COUNTED: u32 = 16;
/// On a contact, if it was at the bound when it was last counted. A change of the contact by the API drops it.
const AT_BOUND: &str = "atSubscriptionBound";

/// Returns true if a contact was at the bound when it was last counted.
pub(crate) fn is_at_bound(contact: &Item) -> bool {
    contact.contains_key(AT_BOUND)
}

impl Store {
    /// Returns false if a contact is known to have as many subscriptions as it may, the wanted one not among them.
    pub async fn may_subscribe(&self, wanted: &Subscription, was_at_bound: bool) -> Result<bool, Error> {
        if !was_at_bound && fastrand::u32(..COUNTED) > 0 {
            return Ok(true);
        }
        let mut open = self.subscriptions_of(wanted.contact_id).await?;
        open.retain(|open| !open.has_expired(wanted.created_on));
        let is_at_bound = open.len() >= MAX_SUBSCRIPTIONS;
        if is_at_bound != was_at_bound {
            let mark = Action::set(AT_BOUND, AttributeValue::Bool(true));
            let action = if is_at_bound { mark } else { Action::Remove(AT_BOUND.into()) };
            let write = Write::update(keyspace::Contacts, contacts::key(wanted.contact_id), vec![action]);
            self.database.write(write.when(TableCondition::Exists("key"))).await?;
        }
        Ok(!is_at_bound || open.iter().any(|open| open.id() == wanted.id()))
    }
}
