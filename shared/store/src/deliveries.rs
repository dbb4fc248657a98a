use crate::subscriptions::{key as subscription_key, read_subscription};
use crate::{Error, Item, LogKey, Store, failed, number, text, texts};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use domain::{Sku, Subscription, SubscriptionId, time};
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// How long a delivery is kept for the log, for support and for the events that SES sends later.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// The right to mail one subscription until `until`. The delivery's id is the subscription's instance: however many
/// levels trigger a subscription, it has one delivery.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    until: Timestamp,
    /// From 1. Beyond 1, an earlier attempt ended in an unknown way or was released.
    pub attempt: i64,
}

pub enum Claimed {
    Yours(Claim),
    /// Somebody else is sending it.
    Busy,
    /// It was used up, deleted, or deleted and made anew since it was matched.
    Gone,
}

/// What can happen to a delivery; its record keeps when each of them first did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// SES accepted the mail.
    Accepted,
    /// SES refused the mail for good. It may be tried again at the next level, so this may happen again.
    Failed,
    Delivered,
    Bounced,
    Complained,
    /// SES accepted the mail and then found that it can't be sent, such as for a virus.
    Rejected,
}

impl Milestone {
    /// The word of the integration log, and the attribute of the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Rejected => "rejected",
        }
    }
}

impl Store {
    /// Claims a subscription for sending. The one conditional write also proves that this instance still exists.
    /// The log entry of the level is kept with it, for whoever has to settle the delivery after a crash.
    pub async fn claim(
        &self,
        subscription: &Subscription,
        log_entry: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Claimed, Error> {
        let until = now + lease;
        let claimed = self
            .client
            .update_item()
            .table_name(&self.tables.subscriptions)
            .set_key(Some(subscription_key(subscription.id())))
            .update_expression("SET claimedUntil = :until, claimedFor = :entry ADD attempts :one")
            .condition_expression(
                "instance = :instance AND (attribute_not_exists(claimedUntil) OR claimedUntil <= :now)",
            )
            .expression_attribute_values(":instance", text(subscription.instance.to_string()))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":until", number(until.as_millisecond()))
            .expression_attribute_values(":entry", text(log_entry))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match claimed {
            Ok(answer) => {
                let attempts = answer.attributes.as_ref().and_then(|item| item.get("attempts"));
                let attempt = attempts.and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or(1);
                Ok(Claimed::Yours(Claim { until, attempt }))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let instance = refused.item.as_ref().and_then(|item| item.get("instance")?.as_s().ok());
                    let same = instance == Some(&subscription.instance.to_string());
                    Ok(if same { Claimed::Busy } else { Claimed::Gone })
                }
                _ => Err(failed("UpdateItem of a claim")(error)),
            },
        }
    }

    /// Gives a claim back after SES has provably not accepted the mail.
    pub async fn release(&self, subscription: &Subscription, claim: Claim) -> Result<(), Error> {
        let released = self
            .client
            .update_item()
            .table_name(&self.tables.subscriptions)
            .set_key(Some(subscription_key(subscription.id())))
            .update_expression("REMOVE claimedUntil")
            .condition_expression("instance = :instance AND claimedUntil = :until")
            .expression_attribute_values(":instance", text(subscription.instance.to_string()))
            .expression_attribute_values(":until", number(claim.until.as_millisecond()))
            .send()
            .await;
        match released {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            other => other.map(drop).map_err(failed("UpdateItem of a released claim")),
        }
    }

    /// Records that SES accepted the mail, and uses the subscription up. Says whether that was news.
    pub async fn finish_accepted(
        &self,
        subscription: &Subscription,
        log_entry: &str,
        message_id: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut facts = facts(subscription, log_entry);
        facts.insert("messageId".into(), text(message_id));
        let news = self.reach(subscription.instance, Milestone::Accepted, facts, now).await?;
        self.delete_instance(subscription).await?;
        Ok(news.is_some())
    }

    /// Records that SES refused the mail for good. The subscription stays, unclaimed.
    pub async fn finish_failed(
        &self,
        subscription: &Subscription,
        claim: Claim,
        log_entry: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut facts = facts(subscription, log_entry);
        facts.insert("reason".into(), text(reason));
        self.reach(subscription.instance, Milestone::Failed, facts, now).await?;
        self.release(subscription, claim).await
    }

    /// Learns from an SES event that a mail was accepted, which its sender may not have lived to record. Says which log
    /// entry is to be told, if that was news.
    pub async fn settle_accepted(
        &self,
        id: SubscriptionId,
        delivery: Uuid,
        message_id: &str,
        now: Timestamp,
    ) -> Result<Option<LogKey>, Error> {
        if self.was_accepted(delivery).await? {
            return Ok(None);
        }
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.subscriptions)
            .set_key(Some(subscription_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem of a claimed subscription"))?;
        let Some(item) = found.item else { return Ok(None) };
        let entry = item.get("claimedFor").and_then(|entry| entry.as_s().ok()).cloned().unwrap_or_default();
        let subscription = read_subscription(item)?;
        if subscription.instance != delivery {
            return Ok(None);
        }
        let news = self.finish_accepted(&subscription, &entry, message_id, now).await?;
        Ok(news.then_some(LogKey { sku: subscription.sku, entry }))
    }

    /// Records what an SES event says of a delivery. Says which log entry is to be told, if that was news.
    pub async fn note(&self, delivery: Uuid, milestone: Milestone, now: Timestamp) -> Result<Option<LogKey>, Error> {
        let record = self.reach(delivery, milestone, Item::new(), now).await?;
        Ok(record.and_then(|record| {
            let sku = Sku::parse(record.get("sku")?.as_s().ok()?).ok()?;
            Some(LogKey { sku, entry: record.get("entry")?.as_s().ok()?.clone() })
        }))
    }

    /// Whether SES is known to have accepted the delivery's mail; strongly consistent.
    pub async fn was_accepted(&self, delivery: Uuid) -> Result<bool, Error> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.deliveries)
            .set_key(Some(texts([("delivery", &delivery.to_string())])))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem of a delivery"))?;
        Ok(found.item.is_some_and(|item| item.contains_key(Milestone::Accepted.as_str())))
    }

    /// Writes that a delivery has reached a milestone, with what is known of it. Returns the whole record, or nothing if
    /// it was there already.
    async fn reach(
        &self,
        delivery: Uuid,
        milestone: Milestone,
        facts: Item,
        now: Timestamp,
    ) -> Result<Option<Item>, Error> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.tables.deliveries)
            .set_key(Some(texts([("delivery", &delivery.to_string())])))
            .expression_attribute_names("#milestone", milestone.as_str())
            .expression_attribute_values(":now", text(time::sortable(now)))
            .expression_attribute_values(":expires", number((now + KEPT).as_second()))
            .return_values(ReturnValue::AllNew);
        let mut set = "SET #milestone = :now, expiresAt = if_not_exists(expiresAt, :expires)".to_owned();
        for (index, (name, value)) in facts.into_iter().enumerate() {
            set.push_str(&format!(", #f{index} = :f{index}"));
            update = update
                .expression_attribute_names(format!("#f{index}"), name)
                .expression_attribute_values(format!(":f{index}"), value);
        }
        if milestone != Milestone::Failed {
            update = update.condition_expression("attribute_not_exists(#milestone)");
        }
        match update.update_expression(set).send().await {
            Ok(answer) => Ok(answer.attributes),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(None)
            }
            Err(error) => Err(failed("UpdateItem of a delivery")(error)),
        }
    }
}

/// What a record says besides its milestones.
fn facts(subscription: &Subscription, log_entry: &str) -> Item {
    texts([
        ("contactId", &subscription.contact_id.to_string()),
        ("sku", subscription.sku.as_str()),
        ("entry", log_entry),
    ])
}
