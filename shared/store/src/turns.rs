//! One mail for each contact, SKU and level, however many subscriptions of the contact the level covers.
//!
//! The item of a turn has a key that any sender can compute, so it holds across pages, messages and looks. It names the
//! subscription whose mail is, or may be, on its way. Once a mail was accepted, it answers everybody who subscribed
//! before, and whoever subscribed after it waits for the next level.

use crate::database::{Action, Item, Statement, Table, TableCondition, Write, Written, wanted};
use crate::item::{EXPIRES_AT, damaged, number, number_of, string_of, text, texts};
use crate::keyspace;
use crate::subscription_item::{Waiting, key as subscription_key, read};
use crate::together::Tried;
use crate::{Error, Race, Store, delivery_record};
use jiff::Timestamp;
use restock_domain::delivery::{Claim, Standing};
use restock_domain::{ContactId, DeliveryId, Subscription, SubscriptionId, SubscriptionKey};
use std::time::Duration;

const TABLE: keyspace::Deliveries = keyspace::Deliveries;
/// Begins the sort key of a turn.
const TURN: &str = "turn#";
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
    /// The contact was mailed for this level before this subscription was made.
    Over,
    /// The mail of another subscription of the contact may be on its way.
    Theirs,
}

/// How far those who had the turn have come.
struct TurnSoFar {
    /// When the last mail for the level was accepted.
    mailed_on: Option<Timestamp>,
    /// The mail of whoever has the turn may be on its way.
    is_open: bool,
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
        let Subscription { delivery, .. } = subscription;
        let turn = key(subscription, log_entry);
        let (by, holder, own) = (delivery.to_string(), claim.holder().to_string(), subscription.id().key.to_string());
        let mut taken = texts([(BY, &by), (HOLDER, &holder), (SUBSCRIPTION, &own)]);
        taken.insert(KNOWN_BY.into(), number(known_by.as_millisecond()));
        taken.insert(EXPIRES_AT.into(), number((now + KEPT).as_second()));
        let first = Statement::insert(TABLE, turn.clone(), taken.clone());
        if let Tried::Done(_) = self.together.change(first).await? {
            return Ok(Turn::Yours);
        }
        let mut free = TableCondition::Is(BY, text(by.clone()));
        let mut race = Race::about("the turn of a contact");
        loop {
            race.enter()?;
            let actions = taken.iter().map(|(name, value)| Action::set(name, value.clone())).collect();
            let write = Write::update(TABLE, turn.clone(), actions).when(free);
            let Written::Refused(other) = self.database.write(write).await? else { return Ok(Turn::Yours) };
            let other = other.unwrap_or_default();
            if let Some(turn) = self.whose(&other, subscription, now).await? {
                return Ok(turn);
            }
            // Whoever else wants it may be faster.
            free = TableCondition::Is(HOLDER, text(string_of(&other, HOLDER).cloned().unwrap_or_default()));
        }
    }

    /// Returns whose turn it is, without taking it: `None` if no other subscription of the contact has it.
    pub async fn turn_of(
        &self,
        subscription: &Subscription,
        log_entry: &str,
        now: Timestamp,
    ) -> Result<Option<Turn>, Error> {
        let own = subscription.delivery.to_string();
        match self.get(TABLE, key(subscription, log_entry)).await? {
            Some(turn) if string_of(&turn, BY) == Some(&own) => Ok(None),
            Some(turn) => self.whose(&turn, subscription, now).await,
            None => Ok(None),
        }
    }

    /// Returns what a turn that was taken means to a subscription that does not have it: `None` if it may be taken
    /// over.
    async fn whose(&self, turn: &Item, subscription: &Subscription, now: Timestamp) -> Result<Option<Turn>, Error> {
        let so_far = self.turn_so_far(turn, subscription.contact_id).await?;
        if let Some(mailed_on) = so_far.mailed_on {
            // A mail does not answer who subscribed after it.
            let is_answered = subscription.created_on <= mailed_on;
            return Ok(Some(if is_answered { Turn::Mailed(mailed_on) } else { Turn::Over }));
        }
        let is_theirs = so_far.is_open && now.as_millisecond() < end_of(turn)?;
        Ok(is_theirs.then_some(Turn::Theirs))
    }

    /// Returns how far those who had the turn have come.
    async fn turn_so_far(&self, turn: &Item, contact_id: ContactId) -> Result<TurnSoFar, Error> {
        let holder = || Some((DeliveryId::parse(string_of(turn, BY)?)?, string_of(turn, SUBSCRIPTION)?));
        let key = |(delivery, key): (DeliveryId, &String)| Some((delivery, SubscriptionKey::parse(key).ok()?));
        if turn.is_empty() {
            return Ok(TurnSoFar { mailed_on: None, is_open: false });
        }
        // Taken for free, a damaged turn would be one mail more.
        let (delivery, key) = holder().and_then(key).ok_or_else(|| damaged(TABLE, turn, "it names no subscription"))?;
        let id = SubscriptionId { contact_id, key };
        let keys = vec![
            wanted(TABLE, delivery_record::key(contact_id, delivery)),
            wanted(keyspace::Subscriptions, subscription_key(id)),
        ];
        let (mut sent_at, mut given_back) = (None, false);
        for (table, item) in self.batch_get_all(keys).await? {
            match table {
                Table::Deliveries => sent_at = delivery_record::sent_at(&item)?,
                _ => {
                    let Waiting { subscription, standing, .. } = read(item)?;
                    given_back = subscription.delivery == delivery && matches!(standing, Standing::Open { .. });
                }
            }
        }
        // One that is claimed, or was deleted perhaps while SES was being asked, is open. Once SES would have told of
        // its mail, it may be claimed again, or its sender may have found that it must not be mailed.
        Ok(TurnSoFar { mailed_on: sent_at, is_open: sent_at.is_none() && !given_back })
    }
}

fn key(subscription: &Subscription, log_entry: &str) -> Item {
    let Subscription { contact_id, sku, .. } = subscription;
    texts([("contactId", &contact_id.to_string()), ("delivery", &format!("{TURN}{sku}#{log_entry}"))])
}

/// Returns when it will be known, in milliseconds, what became of the mail of a turn.
fn end_of(turn: &Item) -> Result<i64, Error> {
    number_of(TABLE, turn, KNOWN_BY)?.ok_or_else(|| damaged(TABLE, turn, "it has no end"))
}
