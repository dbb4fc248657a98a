use crate::subscriptions::key as subscription_key;
use crate::{Error, Store, failed, number, text, texts};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use domain::{Subscription, time};
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

/// How a delivery ended.
pub enum Outcome<'a> {
    Sent { message_id: &'a str },
    Failed { reason: &'a str },
}

impl Store {
    /// Claims a subscription for sending. The one conditional write also proves that this instance still exists.
    pub async fn claim(&self, subscription: &Subscription, now: Timestamp, lease: Duration) -> Result<Claimed, Error> {
        let until = now + lease;
        let claimed = self
            .client
            .update_item()
            .table_name(&self.tables.subscriptions)
            .set_key(Some(subscription_key(subscription.id())))
            .update_expression("SET claimedUntil = :until ADD attempts :one")
            .condition_expression(
                "instance = :instance AND (attribute_not_exists(claimedUntil) OR claimedUntil <= :now)",
            )
            .expression_attribute_values(":instance", text(subscription.instance.to_string()))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .expression_attribute_values(":until", number(until.as_millisecond()))
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

    /// Records how a delivery ended. What was sent is then used up; what failed for good stays, unclaimed.
    pub async fn finish(
        &self,
        subscription: &Subscription,
        claim: Claim,
        automation: &str,
        outcome: Outcome<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut item = texts([
            ("delivery", &subscription.instance.to_string()),
            ("contactId", &subscription.contact_id.to_string()),
            ("sku", subscription.sku.as_str()),
            ("automation", automation),
            ("at", &time::sortable(now)),
        ]);
        match outcome {
            Outcome::Sent { message_id } => item.extend(texts([("state", "sent"), ("messageId", message_id)])),
            Outcome::Failed { reason } => item.extend(texts([("state", "failed"), ("reason", reason)])),
        }
        item.insert("expiresAt".into(), number((now + KEPT).as_second()));
        self.client
            .put_item()
            .table_name(&self.tables.deliveries)
            .set_item(Some(item))
            .send()
            .await
            .map_err(failed("PutItem of a delivery"))?;
        match outcome {
            Outcome::Sent { .. } => self.delete_instance(subscription).await,
            Outcome::Failed { .. } => self.release(subscription, claim).await,
        }
    }

    /// Whether the delivery is recorded as sent; strongly consistent.
    pub async fn was_sent(&self, delivery: Uuid) -> Result<bool, Error> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.deliveries)
            .set_key(Some(texts([("delivery", &delivery.to_string())])))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem of a delivery"))?;
        Ok(found
            .item
            .is_some_and(|item| item.get("state").and_then(|state| state.as_s().ok()).is_some_and(|s| s == "sent")))
    }
}
