//! Claims on subscriptions, and the records of deliveries. What may happen is computed by [`restock_domain::delivery`];
//! here it is written on the condition that nothing has changed since.

use crate::batch::Deleted;
use crate::database::{Action, Consistency, Item, Query, Range, Statement, TableCondition, Write, Written};
use crate::delivery_record::{self, facts, facts_of_mail, key, key_for, log_key};
use crate::item::{EXPIRES_AT, number, read_each, string_of, text, texts};
use crate::keyspace;
use crate::subscription_item::{
    ATTEMPTS, CHOSEN_BY, CLAIMED_BY, CLAIMED_FOR, CLAIMED_UNTIL, DELIVERY, RENEWED_ON, Waiting,
    key as subscription_key, read,
};
use crate::together::Tried;
use crate::{Error, LogKey, Race, Store};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use restock_domain::delivery::{Claim, Milestone, Record, Settled, Standing};
use restock_domain::mail_count::tag;
use restock_domain::{AutomationId, ContactId, DeliveryId, Subscription, SubscriptionId, time};
use std::time::Duration;
use tokio::time::Instant;

/// How long a delivery is kept at least, for the events that SES sends later. It is kept as long as the log, if that is
/// longer.
const MIN_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// On a record: the call that has written that the mail was accepted.
const RECORDED_BY: &str = "recordedBy";

/// A mail that SES accepted.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<'a> {
    pub message_id: &'a str,
    /// The tag of the template that it was made of.
    pub template: Option<&'a str>,
    /// The version of the automation that chose its recipient; what the claim says, if the sender is not at hand.
    pub chosen_by: Option<&'a (AutomationId, u64)>,
    /// No later than the acceptance.
    pub at: Timestamp,
}

/// A mail that SES permanently refused.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    pub reason: &'a str,
    /// The version of the automation that chose its recipient.
    pub chosen_by: &'a (AutomationId, u64),
    pub at: Timestamp,
}

/// A level's mail that turned out to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledSent {
    /// The log entry that is to be told.
    pub entry: LogKey,
    pub chosen_by: Option<(AutomationId, u64)>,
}

/// What became of noting an event.
#[derive(Debug)]
pub enum Noted {
    /// The log entry that is to be told, if the record names one.
    News(Option<LogKey>),
    Known,
    /// There is no record of a mail that SES accepted.
    NotRecorded,
}

/// The outcome of an attempt to claim.
#[derive(Debug)]
pub enum Claimed {
    Yours,
    /// Somebody was faster; this is how it stands now.
    Changed(Standing),
    /// The subscription was used up, deleted, or deleted and made again since it was matched.
    Gone,
}

impl Store {
    /// Writes a claim. The one conditional write also proves that the subscription still exists and is the same. The
    /// log entry of the level and the automation are kept with it, for whoever has to settle the delivery after a crash.
    pub async fn claim(
        &self,
        waiting: &Waiting,
        claim: &Claim,
        log_entry: &str,
        (automation, version): &(AutomationId, u64),
    ) -> Result<Claimed, Error> {
        let subscription = &waiting.subscription;
        let attempts = waiting.standing.attempts();
        let unchanged = [
            TableCondition::Is(DELIVERY, text(subscription.delivery.to_string())),
            match attempts {
                0 => TableCondition::Missing(ATTEMPTS),
                attempts => TableCondition::Is(ATTEMPTS, number(attempts.into())),
            },
            match waiting.standing {
                Standing::Open { .. } => TableCondition::Missing(CLAIMED_UNTIL),
                Standing::Claimed { until, .. } => TableCondition::Is(CLAIMED_UNTIL, number(until.as_millisecond())),
            },
        ];
        let (holder, chosen_by) = (claim.holder().to_string(), tag(automation, *version));
        let mut claimed = texts([(CLAIMED_BY, &holder), (CLAIMED_FOR, log_entry), (CHOSEN_BY, &chosen_by)]);
        claimed.insert(CLAIMED_UNTIL.into(), number(claim.until().as_millisecond()));
        claimed.insert(ATTEMPTS.into(), number(claim.attempt().into()));
        let statement = Statement::set(keyspace::Subscriptions, subscription_key(subscription.id()), claimed)
            .when(TableCondition::All(unchanged.into()));
        let Tried::Refused(item) = self.together.change(statement).await? else { return Ok(Claimed::Yours) };
        let Some(item) = item else { return Ok(Claimed::Gone) };
        // The SDK repeats a request whose answer was lost; the second one then meets the first one's claim.
        if string_of(&item, CLAIMED_BY) == Some(&holder) {
            return Ok(Claimed::Yours);
        }
        let now = read(item)?;
        let same = now.subscription.delivery == subscription.delivery;
        Ok(if same { Claimed::Changed(now.standing) } else { Claimed::Gone })
    }

    /// Gives a claim back, so that the subscription can be claimed again at once.
    pub async fn release(&self, subscription: &Subscription, claim: &Settled) -> Result<(), Error> {
        let key = subscription_key(subscription.id());
        let statement = Statement::unset(keyspace::Subscriptions, key, &[CLAIMED_UNTIL, CLAIMED_BY])
            .when(TableCondition::Is(CLAIMED_BY, text(claim.holder.to_string())));
        self.together.change(statement).await.map(drop)
    }

    /// Records that SES accepted the mail; [`Store::use_up`] comes next. Returns true if that was news.
    pub async fn record_sent(
        &self,
        subscription: &Subscription,
        log_entry: &str,
        mail: Accepted<'_>,
        log_kept: Duration,
    ) -> Result<bool, Error> {
        let milestone = Milestone::Accepted;
        let mut facts = facts(subscription, log_entry);
        facts.extend(facts_of_mail(mail.template, mail.chosen_by));
        facts.insert("messageId".into(), text(mail.message_id));
        facts.insert(RECORDED_BY.into(), this_call());
        let mut record = facts.clone();
        record.extend([
            (milestone.as_str().to_owned(), text(time::sortable(mail.at))),
            (EXPIRES_AT.to_owned(), expiry(mail.at, log_kept)),
        ]);
        match self.together.change(Statement::insert(keyspace::Deliveries, key_for(subscription), record)).await? {
            Tried::Done(_) => Ok(true),
            // An event was faster, or SES had refused the mail for another level.
            Tried::Refused(_) => self.reach(key_for(subscription), milestone, facts, mail.at, log_kept).await,
        }
    }

    /// Records that SES accepted the mail of a subscription that is gone, and no more of it, as the contact may be
    /// erased. Returns true if that was news.
    pub async fn record_sent_of_gone(
        &self,
        contact_id: ContactId,
        delivery: DeliveryId,
        message_id: &str,
        at: Timestamp,
        log_kept: Duration,
    ) -> Result<bool, Error> {
        let about = texts([("messageId", message_id)]);
        self.reach(key(contact_id, delivery), Milestone::Accepted, about, at, log_kept).await
    }

    /// Records what a subscription was that ends without a mail of its own.
    pub async fn record_unsent(
        &self,
        subscription: &Subscription,
        log_entry: &str,
        now: Timestamp,
        log_kept: Duration,
    ) -> Result<(), Error> {
        let mut record = facts(subscription, log_entry);
        record.insert(EXPIRES_AT.to_owned(), expiry(now, log_kept));
        let insert = Statement::insert(keyspace::Deliveries, key_for(subscription), record);
        self.together.change(insert).await.map(drop)
    }

    /// Records that SES permanently refused the mail. The subscription stays, unclaimed.
    pub async fn finish_failed(
        &self,
        subscription: &Subscription,
        claim: &Settled,
        log_entry: &str,
        mail: Refused<'_>,
        log_kept: Duration,
    ) -> Result<(), Error> {
        let mut facts = facts(subscription, log_entry);
        facts.extend(facts_of_mail(None, Some(mail.chosen_by)));
        facts.insert("reason".into(), text(mail.reason));
        self.reach(key_for(subscription), Milestone::Failed, facts, mail.at, log_kept).await?;
        self.release(subscription, claim).await
    }

    /// Learns from an SES event that a mail was accepted, which its sender may not have lived to record. Returns what is
    /// to be told to the log, if that was news.
    pub async fn settle_sent(
        &self,
        id: SubscriptionId,
        delivery: DeliveryId,
        mail: Accepted<'_>,
        log_kept: Duration,
    ) -> Result<Option<SettledSent>, Error> {
        let record_key = || key(id.contact_id, delivery);
        let is_recorded = |record: &Item| record.contains_key(Milestone::Accepted.as_str());
        // An old record may lack what its sender has written since, but no record says more than happened.
        let record = self.batch_get_as(keyspace::Deliveries, vec![record_key()], Consistency::Eventual).await?;
        if record.first().is_some_and(is_recorded) {
            // Its sender is about to use the subscription up, or whoever gets the message again will.
            return Ok(None);
        }
        let waiting = self.get(keyspace::Subscriptions, subscription_key(id)).await?.map(read).transpose()?;
        let waiting = waiting.filter(|waiting| waiting.subscription.delivery == delivery);
        let (mut about, mut told) = (texts([("messageId", mail.message_id)]), None);
        if let Some(Waiting { subscription, claimed_for: Some(entry), chosen_by, .. }) = &waiting {
            about.extend(facts(subscription, entry));
            about.extend(facts_of_mail(mail.template, mail.chosen_by.or(chosen_by.as_ref())));
            let entry = LogKey { sku: subscription.sku.clone(), entry: entry.clone() };
            told = Some(SettledSent { entry, chosen_by: chosen_by.clone() });
        }
        let news = self.reach(record_key(), Milestone::Accepted, about, mail.at, log_kept).await?;
        if waiting.is_some() {
            // One that was renewed is left to whoever has its message, which is yet to be done.
            self.delete_unless_renewed(id, delivery).await?;
        }
        Ok(told.filter(|_| news))
    }

    /// Records what an SES event says of a delivery whose acceptance is recorded.
    pub async fn note(
        &self,
        contact_id: ContactId,
        delivery: DeliveryId,
        milestone: Milestone,
        now: Timestamp,
    ) -> Result<Noted, Error> {
        let name = milestone.as_str();
        let reached = texts([(name, &time::sortable(now))]);
        let first = [TableCondition::Exists(Milestone::Accepted.as_str()), TableCondition::Missing(name)];
        let statement = Statement::set(keyspace::Deliveries, key(contact_id, delivery), reached);
        let statement = statement.when(TableCondition::All(first.into())).returning();
        Ok(match self.together.change(statement).await? {
            Tried::Done(record) => Noted::News(record.as_ref().and_then(log_key)),
            Tried::Refused(Some(record)) if record.contains_key(name) => Noted::Known,
            Tried::Refused(_) => Noted::NotRecorded,
        })
    }

    /// Returns what is known of a contact's deliveries, in no particular order.
    pub async fn deliveries_of(&self, contact_id: ContactId) -> Result<Vec<Record>, Error> {
        let of_contact = Query::of(keyspace::Deliveries, contact_id.to_string());
        let records =
            self.query_all(Query { range: Range::Before(delivery_record::AFTER_ALL.to_owned()), ..of_contact }).await?;
        Ok(read_each(records, |record| delivery_record::read(&record)).into_iter().flatten().collect())
    }

    /// Deletes what is known of the mails of a contact, or as much as the deadline allows. Nobody mails one that is
    /// gone.
    pub async fn delete_deliveries_of(&self, contact_id: ContactId, deadline: Instant) -> Result<Deleted, Error> {
        self.delete_all(keyspace::Deliveries, contact_id.to_string(), deadline).await
    }

    /// Ends a subscription whose mail is out. If the shopper subscribed again after `accepted_at`, which a mail that
    /// was out already can't have been meant to answer, a new instance takes its place; returns true if that is so.
    pub async fn use_up(
        &self,
        id: SubscriptionId,
        delivery: DeliveryId,
        accepted_at: Timestamp,
    ) -> Result<bool, Error> {
        let mut race = Race::about("the end of a subscription");
        loop {
            race.enter()?;
            let Some(waiting) = self.delete_unless_renewed(id, delivery).await? else { return Ok(false) };
            if waiting.subscription.delivery != delivery {
                // The SDK repeats a request whose answer was lost; it may have been done already.
                return Ok(waiting.follows == Some(delivery));
            }
            let asked_on = waiting.renewed_since(accepted_at);
            let write = match asked_on.split_first() {
                Some((first, later)) => {
                    let renewed = Subscription {
                        created_on: *first,
                        moved_in_on: None,
                        delivery: DeliveryId::random(),
                        ..waiting.subscription.clone()
                    };
                    let item = waiting.followed_by(&renewed, later)?;
                    Write::put(keyspace::Subscriptions, subscription_key(id), item)
                }
                None => Write::delete(keyspace::Subscriptions, subscription_key(id)),
            };
            if let Written::Done(_) = self.database.write(write.when(waiting.unchanged())).await? {
                return Ok(!asked_on.is_empty());
            }
        }
    }

    /// Deletes the subscription of a delivery; one that was renewed meanwhile, or replaced, is returned instead.
    async fn delete_unless_renewed(&self, id: SubscriptionId, delivery: DeliveryId) -> Result<Option<Waiting>, Error> {
        let same = TableCondition::Is(DELIVERY, text(delivery.to_string()));
        let statement = Statement::remove(keyspace::Subscriptions, subscription_key(id))
            .when(TableCondition::All(vec![same, TableCondition::Missing(RENEWED_ON)]));
        match self.together.change(statement).await? {
            Tried::Refused(Some(item)) => read(item).map(Some),
            Tried::Refused(None) | Tried::Done(_) => Ok(None),
        }
    }

    /// Writes that a delivery has reached a milestone, with what is known of it, whether it has a record or not.
    /// Returns true if that was news.
    async fn reach(
        &self,
        record: Item,
        milestone: Milestone,
        mut facts: Item,
        at: Timestamp,
        log_kept: Duration,
    ) -> Result<bool, Error> {
        let this = facts.get(RECORDED_BY).cloned().unwrap_or_else(this_call);
        if milestone == Milestone::Accepted {
            facts.insert(RECORDED_BY.into(), this.clone());
        }
        let mut actions: Vec<Action> = facts.into_iter().map(|(name, value)| Action::Set(name, value)).collect();
        actions.push(Action::set(milestone.as_str(), text(time::sortable(at))));
        actions.push(Action::SetIfMissing(EXPIRES_AT.into(), expiry(at, log_kept)));
        let mut write = Write::update(keyspace::Deliveries, record, actions);
        if milestone != Milestone::Failed {
            write = write.when(TableCondition::Missing(milestone.as_str()));
        }
        Ok(match self.database.write(write).await? {
            Written::Done(_) => true,
            // The SDK repeats a request whose answer was lost; the second one then meets what the first one wrote.
            Written::Refused(record) => record.is_some_and(|record| record.get(RECORDED_BY) == Some(&this)),
        })
    }
}

/// Returns a name of one call, by which it knows what it has written itself.
fn this_call() -> AttributeValue {
    text(format!("{:08x}", fastrand::u32(..)))
}

/// Returns when a record that was made then is deleted.
fn expiry(made_at: Timestamp, log_kept: Duration) -> AttributeValue {
    number((made_at + log_kept.max(MIN_KEPT)).as_second())
}
