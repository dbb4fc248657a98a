//! One mail for each contact, SKU and level, however many subscriptions of the contact the level covers.
//!
//! The item of a turn has a key that any sender can compute, so it holds across pages, messages and looks. It names the
//! subscription whose mail is, or may be, on its way.

use crate::database::{Action, Item, Table, TableCondition, Write, Written};
use crate::item::{number, number_of, string_of, text, texts};
use crate::subscription_item::{key as subscription_key, read};
use crate::{Error, Race, Store, delivery_record};
use jiff::Timestamp;
use restock_domain::delivery::{Claim, Standing};
use restock_domain::{DeliveryId, Subscription, SubscriptionId, SubscriptionKey};
use std::time::Duration;

const TABLE: Table = Table::Deliveries;
const BY: &str = "by";
const HOLDER: &str = "holder";
const SUBSCRIPTION: &str = "subscription";
const KNOWN_BY: &str = "knownBy";
/// Longer than a message about a level can come back: a day of being put off, and two weeks in a dead-letter queue.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Whose turn it is to be mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Yours,
    /// Another subscription of the contact was mailed for this level; its mail was accepted then.
    Mailed(Timestamp),
    /// The mail of another subscription of the contact may be on its way.
    Theirs,
}

impl Store {
    /// Takes the turn for a claimed subscription, if no other one of the contact has it. It stays taken if the mail is
    /// accepted. `known_by` is when SES will have said what became of the mail, if it is ever asked.
    pub async fn take_turn(
        &self,
        subscription: &Subscription,
        log_entry: &str,
        claim: &Claim,
        known_by: Timestamp,
        now: Timestamp,
    ) -> Result<Turn, Error> {
        let Subscription { contact_id, sku, delivery, .. } = subscription;
        let turn = texts([("delivery", &format!("{contact_id}#{sku}#{log_entry}"))]);
        let taken = vec![
            Action::set(BY, text(delivery.to_string())),
            Action::set(HOLDER, text(claim.holder().to_string())),
            Action::set(SUBSCRIPTION, text(subscription.id().key.to_string())),
            Action::set(KNOWN_BY, number(known_by.as_millisecond())),
            Action::set("expiresAt", number((now + KEPT).as_second())),
        ];
        let mine = TableCondition::Is(BY, text(delivery.to_string()));
        let mut free = TableCondition::Any(vec![TableCondition::Missing(BY), mine]);
        let mut race = Race::about("the turn of a contact");
        loop {
            race.enter()?;
            let write = Write::update(TABLE, turn.clone(), taken.clone()).when(free);
            let Written::Refused(other) = self.database.write(write).await? else { return Ok(Turn::Yours) };
            let other = other.unwrap_or_default();
            if let Some(turn) = self.turn_of(&other, subscription, now).await? {
                return Ok(turn);
            }
            // It comes to nothing; whoever else wants it may be faster.
            free = TableCondition::Is(HOLDER, text(string_of(&other, HOLDER).cloned().unwrap_or_default()));
        }
    }

    /// Returns how far the one that has the turn has come; nothing if its mail did not leave and is not about to.
    async fn turn_of(&self, turn: &Item, mine: &Subscription, now: Timestamp) -> Result<Option<Turn>, Error> {
        let other = || Some((DeliveryId::parse(string_of(turn, BY)?)?, string_of(turn, SUBSCRIPTION)?));
        let Some((delivery, key)) = other() else { return Ok(None) };
        let Ok(key) = SubscriptionKey::parse(key) else { return Ok(None) };
        let id = SubscriptionId { contact_id: mine.contact_id, key };
        let keys = vec![(TABLE, delivery_record::key(delivery)), (Table::Subscriptions, subscription_key(id))];
        let (mut sent_at, mut standing) = (None, None);
        for (table, item) in self.batch_get_all(keys).await? {
            match table {
                Table::Deliveries => sent_at = delivery_record::sent_at(&item)?,
                _ => {
                    let found = read(item)?;
                    standing = (found.subscription.delivery == delivery).then_some(found.standing);
                }
            }
        }
        if let Some(sent_at) = sent_at {
            // A mail does not answer who subscribed after it.
            return Ok((mine.created_on <= sent_at).then_some(Turn::Mailed(sent_at)));
        }
        // One that is claimed, or was deleted perhaps while SES was being asked: until SES would have told of its mail. After
        // that it may be claimed again, or its sender may have found that it must not be mailed.
        let given_back = matches!(standing, Some(Standing::Open { .. }));
        let unknown = number_of(turn, KNOWN_BY).is_some_and(|known_by| now.as_millisecond() < known_by);
        Ok((unknown && !given_back).then_some(Turn::Theirs))
    }
}
