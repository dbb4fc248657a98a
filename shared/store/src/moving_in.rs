//! Subscriptions that are moved in from another system, with the times at which they were made there.

use crate::database::{Action, AllWritten, Item, TableCondition, Write};
use crate::item::{EXPIRES_AT, number, string_of, text, texts};
use crate::keyspace;
use crate::subscription_item::{MOVED_IN_ON, PLACE_CHANGED_ON, TABLE, item_of, key, read};
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
    /// Writes a subscription that was made elsewhere; whoever answers has marked the demand. The same one again changes
    /// nothing, even if it was used up or ended meanwhile. `has_time` says that its time is known, and is not that of
    /// the upload.
    pub async fn move_in(&self, subscription: &Subscription, has_time: bool, now: Timestamp) -> Result<MovedIn, Error> {
        let id = subscription.id();
        let mut race = Race::about("a subscription that is moved in");
        loop {
            race.enter()?;
            let existing = self.get(TABLE, key(id)).await?.map(read).transpose()?;
            let Some(existing) = existing.filter(|existing| !existing.subscription.has_expired(now)) else {
                if !self.may_move_in(subscription, has_time).await? {
                    return Ok(MovedIn::Known);
                }
                // Both or none, as the note says that the same one is not made again.
                let replaces = TableCondition::Any(vec![
                    TableCondition::Missing("contactId"),
                    TableCondition::AtMost(EXPIRES_AT, number(now.as_second())),
                ]);
                let put = Write::put(TABLE, key(id), item_of(subscription, None)?).when(replaces);
                let writes = vec![put, note(subscription, now)];
                if let AllWritten::Done = self.database.write_all(writes).await? {
                    return Ok(MovedIn::Created);
                }
                continue;
            };
            let noted = self.noted_on(subscription).await?;
            // Else it would come back with the same list once its mail is out, or with another one that has a later
            // time.
            let created = time::sortable(subscription.created_on);
            let is_later = TableCondition::AtMost(CREATED_ON, text(created.clone()));
            let is_latest = TableCondition::Any(vec![TableCondition::Missing(CREATED_ON), is_later]);
            let noting = (noted.as_ref() < Some(&created)).then(|| note(subscription, now).when(is_latest));
            if !has_time || !self.may_take_earlier_place(subscription, &existing.subscription, noted).await? {
                if let Some(note) = noting {
                    self.database.write(note).await?;
                }
                return Ok(MovedIn::Known);
            }
            let (created_on, moved_in_on) = (subscription.created_on, Some(existing.subscription.here_since()));
            let earlier = item_of(&Subscription { created_on, moved_in_on, ..existing.subscription.clone() }, None)?;
            let names = [CREATED_ON, MOVED_IN_ON, "localeOrder", "externalIdOrder"];
            let changes = names.into_iter().filter_map(|name| Some(Action::set(name, earlier.get(name)?.clone())));
            // A level that is being matched may have gone past its new place.
            let moved = Action::set(PLACE_CHANGED_ON, text(time::sortable(now)));
            let write = Write::update(TABLE, key(id), changes.chain([moved]).collect()).when(existing.unchanged());
            let writes = [write].into_iter().chain(noting).collect();
            // Both or none, as the note says that the same one is not made again.
            if let AllWritten::Done = self.database.write_all(writes).await? {
                return Ok(MovedIn::Earlier);
            }
        }
    }

    /// Returns true if a subscription that is there is the one that was made elsewhere, and was made there earlier. If
    /// that one was moved in, mailed or ended before, somebody has subscribed anew.
    async fn may_take_earlier_place(
        &self,
        subscription: &Subscription,
        existing: &Subscription,
        noted: Option<String>,
    ) -> Result<bool, Error> {
        if existing.created_on <= subscription.created_on {
            return Ok(false);
        }
        let is_anew = noted.is_some_and(|noted| noted < time::sortable(existing.created_on));
        Ok(!is_anew && !self.was_answered(subscription).await?)
    }

    /// Returns the latest time at which a list said that a subscription was made.
    async fn noted_on(&self, subscription: &Subscription) -> Result<Option<String>, Error> {
        let noted = self.get(keyspace::Deliveries, note_key(subscription)).await?;
        Ok(noted.and_then(|noted| string_of(&noted, CREATED_ON).cloned()))
    }

    /// Returns true unless the subscription was moved in before, or a mail about its SKU has answered it.
    async fn may_move_in(&self, subscription: &Subscription, has_time: bool) -> Result<bool, Error> {
        let noted = self.noted_on(subscription).await?;
        let created = time::sortable(subscription.created_on);
        if noted.is_some_and(|noted| !has_time || noted >= created) {
            return Ok(false);
        }
        Ok(!has_time || !self.was_answered(subscription).await?)
    }

    /// Returns true if a mail about the SKU of a subscription left after it had been made.
    async fn was_answered(&self, subscription: &Subscription) -> Result<bool, Error> {
        let Subscription { contact_id, sku, created_on, .. } = subscription;
        let mut mails = self.deliveries_of(*contact_id).await?.into_iter();
        let answers = |sent_at: Timestamp| sent_at >= *created_on;
        Ok(mails.any(|mail| mail.subscription.sku == *sku && mail.sent_at().is_some_and(answers)))
    }
}

fn note_key(subscription: &Subscription) -> Item {
    let name = format!("{NOTE}{}", subscription.id().key);
    texts([("contactId", &subscription.contact_id.to_string()), ("delivery", &name)])
}

/// Returns the write that notes that a subscription was moved in.
fn note(subscription: &Subscription, now: Timestamp) -> Write {
    let actions = vec![
        Action::set(CREATED_ON, text(time::sortable(subscription.created_on))),
        Action::set(EXPIRES_AT, number((now + NOTE_KEPT).as_second())),
    ];
    Write::update(keyspace::Deliveries, note_key(subscription), actions)
}
