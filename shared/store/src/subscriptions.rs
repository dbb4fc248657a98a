use crate::{Error, Item, Store, failed, read_item, text, texts, write_item};
use aws_sdk_dynamodb::types::ReturnValue;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use domain::{ContactId, ExternalId, Locale, Scope, Sku, Subscription, SubscriptionId, time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

const TABLE: &str = "Subscriptions";

/// Where a page of matches ended; the key that DynamoDB returned, whose attributes are all texts.
pub type Cursor = BTreeMap<String, String>;

/// Some of the subscriptions that a level covers, oldest first within a locale or an external id.
pub struct Page {
    pub subscriptions: Vec<Subscription>,
    pub next: Option<Cursor>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionItem {
    contact_id: ContactId,
    /// The digest of SKU, locale and external id.
    subscription: String,
    sku: Sku,
    locale: Locale,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<ExternalId>,
    #[serde(with = "time::rfc3339")]
    created_on: jiff::Timestamp,
    instance: uuid::Uuid,
    /// Sort key of `by-sku-locale`.
    locale_order: String,
    /// Sort key of `by-sku-external-id`, which therefore has no subscription without an external id.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id_order: Option<String>,
}

impl Store {
    /// Writes a subscription unless it exists, and returns the one that exists now. Whoever answers a subscriber calls
    /// [`Store::mark_demand`] in between.
    pub async fn put_subscription(&self, subscription: Subscription) -> Result<Subscription, Error> {
        let order =
            |scope: &str| format!("{scope}#{}#{}", time::sortable(subscription.created_on), subscription.id().key);
        let item = write_item(
            TABLE,
            SubscriptionItem {
                contact_id: subscription.contact_id,
                subscription: subscription.id().key.to_string(),
                sku: subscription.sku.clone(),
                locale: subscription.locale.clone(),
                external_id: subscription.external_id.clone(),
                created_on: subscription.created_on,
                instance: subscription.instance,
                locale_order: order(subscription.locale.key()),
                external_id_order: subscription.external_id.as_ref().map(|id| order(id.as_str())),
            },
        )?;
        let written = self
            .client
            .put_item()
            .table_name(&self.tables.subscriptions)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(contactId)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match written {
            Ok(_) => Ok(subscription),
            Err(error) => match existing(&error) {
                Some(item) => read_subscription(item),
                None => Err(failed("PutItem of a subscription")(error)),
            },
        }
    }

    /// Deletes a subscription and says whether there was one.
    pub async fn delete_subscription(&self, id: SubscriptionId) -> Result<bool, Error> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.tables.subscriptions)
            .set_key(Some(key(id)))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(failed("DeleteItem of a subscription"))?;
        Ok(deleted.attributes.is_some_and(|item| !item.is_empty()))
    }

    /// Deletes that one instance, and leaves a subscription alone that was made after it.
    pub async fn delete_instance(&self, subscription: &Subscription) -> Result<(), Error> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.tables.subscriptions)
            .set_key(Some(key(subscription.id())))
            .condition_expression("instance = :instance")
            .expression_attribute_values(":instance", text(subscription.instance.to_string()))
            .send()
            .await;
        match deleted {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            other => other.map(drop).map_err(failed("DeleteItem of a subscription")),
        }
    }

    /// Every subscription of a contact, oldest first; strongly consistent.
    pub async fn subscriptions_of(&self, contact: ContactId) -> Result<Vec<Subscription>, Error> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.tables.subscriptions)
            .key_condition_expression("contactId = :contact")
            .expression_attribute_values(":contact", text(contact.to_string()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut subscriptions = Vec::new();
        while let Some(item) = pages.next().await {
            subscriptions.push(read_subscription(item.map_err(failed("Query of a contact's subscriptions"))?)?);
        }
        subscriptions.sort_by_key(|subscription| (subscription.created_on, subscription.id().key.to_string()));
        Ok(subscriptions)
    }

    /// Those of the given subscriptions that exist, whatever their instance; strongly consistent.
    pub async fn subscriptions(&self, ids: &[SubscriptionId]) -> Result<HashMap<SubscriptionId, Subscription>, Error> {
        let keys = ids.iter().map(|id| key(*id)).collect();
        let items = self.batch_get(&self.tables.subscriptions, keys).await?;
        items.into_iter().map(|item| read_subscription(item).map(|found| (found.id(), found))).collect()
    }

    /// One page of the subscriptions that a level covers. The index it reads lags the table by up to about a second.
    pub async fn matching(&self, sku: &Sku, scope: &Scope, after: Option<Cursor>, limit: i32) -> Result<Page, Error> {
        let (index, order, prefix) = match scope {
            Scope::Sku => ("by-sku-locale", None, String::new()),
            Scope::Locale(locale) => ("by-sku-locale", Some("localeOrder"), format!("{}#", locale.key())),
            Scope::ExternalId(id) | Scope::Both(_, id) => {
                ("by-sku-external-id", Some("externalIdOrder"), format!("{}#", id.as_str()))
            }
        };
        let mut query = self
            .client
            .query()
            .table_name(&self.tables.subscriptions)
            .index_name(index)
            .expression_attribute_values(":sku", text(sku.as_str()))
            .limit(limit)
            .set_exclusive_start_key(
                after.map(|cursor| cursor.into_iter().map(|(name, value)| (name, text(value))).collect()),
            );
        query = match order {
            None => query.key_condition_expression("sku = :sku"),
            Some(order) => query
                .key_condition_expression("sku = :sku AND begins_with(#order, :prefix)")
                .expression_attribute_names("#order", order)
                .expression_attribute_values(":prefix", text(prefix)),
        };
        let answer = query.send().await.map_err(failed("Query of matching subscriptions"))?;
        let found: Result<Vec<Subscription>, Error> =
            answer.items.unwrap_or_default().into_iter().map(read_subscription).collect();
        // The prefix alone is not exact: "A#" also begins the order of the external id "A#B".
        let mut subscriptions = found?;
        subscriptions.retain(|found| scope.covers(&found.locale, found.external_id.as_ref()));
        let next = answer
            .last_evaluated_key
            .map(|key| key.into_iter().filter_map(|(name, value)| Some((name, value.as_s().ok()?.clone()))).collect());
        Ok(Page { subscriptions, next })
    }
}

pub(crate) fn key(id: SubscriptionId) -> Item {
    texts([("contactId", &id.contact_id.to_string()), ("subscription", &id.key.to_string())])
}

pub(crate) fn read_subscription(item: Item) -> Result<Subscription, Error> {
    /// What both indexes project.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Projected {
        contact_id: ContactId,
        sku: Sku,
        locale: Locale,
        external_id: Option<ExternalId>,
        #[serde(with = "time::rfc3339")]
        created_on: jiff::Timestamp,
        instance: uuid::Uuid,
    }
    let Projected { contact_id, sku, locale, external_id, created_on, instance } = read_item(TABLE, item)?;
    Ok(Subscription { contact_id, sku, locale, external_id, created_on, instance })
}

fn existing(
    error: &aws_sdk_dynamodb::error::SdkError<aws_sdk_dynamodb::operation::put_item::PutItemError>,
) -> Option<Item> {
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    match error.as_service_error()? {
        PutItemError::ConditionalCheckFailedException(exception) => exception.item.clone(),
        _ => None,
    }
}
