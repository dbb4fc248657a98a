use crate::{Error, Item, Store, failed, read_item, text, texts, write_item};
use domain::{ExternalId, KnownLevel, Locale, Scope, Sku, time};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

const TABLE: &str = "Stock";
const DEMAND: &str = "demand";

/// Whether a level counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelWrite {
    Stored,
    /// A newer level of the same scope is known.
    Outdated,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LevelItem {
    sku: Sku,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<Locale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<ExternalId>,
    quantity: i64,
    #[serde(with = "time::rfc3339")]
    at: Timestamp,
}

impl Store {
    /// Makes sure that levels of this SKU are looked at. It comes after the subscription is written and before it is
    /// answered, so a subscription answered before a level was accepted is always looked for.
    pub async fn mark_demand(&self, sku: &Sku) -> Result<(), Error> {
        // A strongly consistent read costs a fifth of a write, and a popular SKU is marked already.
        let key = texts([("sku", sku.as_str()), ("scope", DEMAND)]);
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.stock)
            .set_key(Some(key.clone()))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem of a demand mark"))?;
        if found.item.is_none() {
            self.client
                .put_item()
                .table_name(&self.tables.stock)
                .set_item(Some(key))
                .send()
                .await
                .map_err(failed("PutItem of a demand mark"))?;
        }
        Ok(())
    }

    /// Those of the given SKUs that somebody may be waiting for; strongly consistent.
    pub async fn in_demand(&self, skus: &HashSet<Sku>) -> Result<HashSet<Sku>, Error> {
        #[derive(Deserialize)]
        struct Mark {
            sku: Sku,
        }
        let keys = skus.iter().map(|sku| texts([("sku", sku.as_str()), ("scope", DEMAND)])).collect();
        let marks = self.batch_get(&self.tables.stock, keys).await?;
        marks.into_iter().map(|item| read_item::<Mark>(TABLE, item).map(|mark| mark.sku)).collect()
    }

    /// Remembers a level unless a newer one of its scope is known.
    pub async fn put_level(&self, sku: &Sku, scope: &Scope, quantity: i64, at: Timestamp) -> Result<LevelWrite, Error> {
        let item = write_item(
            TABLE,
            LevelItem {
                sku: sku.clone(),
                scope: level_key(scope),
                locale: scope.locale().cloned(),
                external_id: scope.external_id().cloned(),
                quantity,
                at,
            },
        )?;
        let written = self
            .client
            .put_item()
            .table_name(&self.tables.stock)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#at) OR #at <= :at")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", text(time::sortable(at)))
            .send()
            .await;
        match written {
            Ok(_) => Ok(LevelWrite::Stored),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(LevelWrite::Outdated)
            }
            Err(error) => Err(failed("PutItem of a stock level")(error)),
        }
    }

    /// The newest level of every scope of a SKU; strongly consistent.
    pub async fn levels(&self, sku: &Sku) -> Result<Vec<KnownLevel>, Error> {
        let mut items = self
            .client
            .query()
            .table_name(&self.tables.stock)
            .key_condition_expression("sku = :sku AND begins_with(#scope, :level)")
            .expression_attribute_names("#scope", "scope")
            .expression_attribute_values(":sku", text(sku.as_str()))
            .expression_attribute_values(":level", text("level#"))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut levels = Vec::new();
        while let Some(item) = items.next().await {
            levels.push(known(item.map_err(failed("Query of stock levels"))?)?);
        }
        Ok(levels)
    }
}

fn known(item: Item) -> Result<KnownLevel, Error> {
    let item: LevelItem = read_item(TABLE, item)?;
    Ok(KnownLevel { scope: Scope::of(item.locale, item.external_id), quantity: item.quantity, at: item.at })
}

/// A locale has no `#`, so no two scopes share a key.
fn level_key(scope: &Scope) -> String {
    match scope {
        Scope::Sku => "level#all".into(),
        Scope::Locale(locale) => format!("level#locale#{}", locale.key()),
        Scope::ExternalId(id) => format!("level#external-id#{}", id.as_str()),
        Scope::Both(locale, id) => format!("level#both#{}#{}", locale.key(), id.as_str()),
    }
}
