//! Subscriptions that are moved in from another system, with the times at which they were made there.

use crate::database::{Action, TableCondition, Write, Written};
use crate::item::{number, string_of, text, texts};
use crate::keyspace;
use crate::subscription_item::{MOVED_IN_ON, TABLE, item_of, key, read};
use crate::{Error, Race, Store};
use jiff::Timestamp;
use restock_domain::{Subscription, time};
use std::time::Duration;

/// Begins the sort key of the note that a subscription was moved in, in the partition of its contact.
const NOTE: &str = "moved-in#";
const CREATED_ON: &str = "createdOn";
/// How long the same list again is known to be the same.
const NOTE_KEPT: Duration = Duration::from_secs(365 * 24 * 3600);

/// What became of a subscription that was to be moved in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovedIn {
    Created,
    /// It was there already, and now has its earlier place.
    Earlier,
    /// It was there already, was moved in before, or was mailed after it had been made.
    Known,
}

impl Store {
    /// Writes a subscription that was made elsewhere; whoever answers has marked the demand. The same one again changes nothing,
    /// even if it was used up or ended meanwhile. `has_time` says that its time is known, and is not that of the upload.
    pub async fn move_in(&self, subscription: &Subscription, has_time: bool, now: Timestamp) -> Result<MovedIn, Error> {
        let Subscription { contact_id, created_on, .. } = subscription;
        let id = subscription.id();
        let note = texts([("contactId", &contact_id.to_string()), ("delivery", &format!("{NOTE}{}", id.key))]);
        let created = time::sortable(*created_on);
        let noted = self.get(keyspace::Deliveries, note.clone()).await?;
        let is_noted = |noted| string_of(noted, CREATED_ON).is_none_or(|noted| !has_time || *noted >= created);
        if noted.as_ref().is_some_and(is_noted) {
            return Ok(MovedIn::Known);
        }
        let moved = self.write_moved(subscription, has_time, now).await?;
        // Last: after a crash before it, the same list again does the rest.
        let actions = vec![
            Action::set(CREATED_ON, text(created)),
            Action::set("expiresAt", number((now + NOTE_KEPT).as_second())),
        ];
        self.database.write(Write::update(keyspace::Deliveries, note, actions)).await?;
        Ok(moved)
    }

    async fn write_moved(&self, subscription: &Subscription, has_time: bool, now: Timestamp) -> Result<MovedIn, Error> {
        let id = subscription.id();
        let mut race = Race::about("a subscription that is moved in");
        loop {
            race.enter()?;
            let existing = match self.get(TABLE, key(id)).await? {
                Some(item) => read(item)?,
                None => {
                    let deliveries = if has_time { self.deliveries_of(id.contact_id).await? } else { Vec::new() };
                    let answers = |sent_at| sent_at >= subscription.created_on;
                    let mut of_same = deliveries.iter().filter(|record| record.subscription.id() == id);
                    if of_same.any(|record| record.sent_at().is_some_and(answers)) {
                        return Ok(MovedIn::Known);
                    }
                    let put = Write::put(TABLE, key(id), item_of(subscription, None)?);
                    match self.database.write(put.when(TableCondition::Missing("contactId"))).await? {
                        Written::Done(_) => return Ok(MovedIn::Created),
                        Written::Refused(_) => continue,
                    }
                }
            };
            if existing.subscription.has_expired(now) {
                let put = Write::put(TABLE, key(id), item_of(subscription, Some(existing.subscription.delivery))?);
                if let Written::Done(_) = self.database.write(put.when(existing.unchanged())).await? {
                    return Ok(MovedIn::Created);
                }
                continue;
            }
            if existing.subscription.created_on <= subscription.created_on {
                return Ok(MovedIn::Known);
            }
            let (created_on, moved_in_on) = (subscription.created_on, Some(existing.subscription.here_since()));
            let earlier = item_of(&Subscription { created_on, moved_in_on, ..existing.subscription.clone() }, None)?;
            let names = [CREATED_ON, MOVED_IN_ON, "localeOrder", "externalIdOrder"];
            let changes = names.into_iter().filter_map(|name| Some(Action::set(name, earlier.get(name)?.clone())));
            let write = Write::update(TABLE, key(id), changes.collect()).when(existing.unchanged());
            if let Written::Done(_) = self.database.write(write).await? {
                return Ok(MovedIn::Earlier);
            }
        }
    }
}
