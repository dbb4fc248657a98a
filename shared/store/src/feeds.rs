use crate::{Error, Item, Store, failed, read_item, text, texts};
use domain::{Locale, time};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

const TABLE: &str = "Configuration";
const KIND: &str = "feed";

/// The product feed of one locale, in the shape that `contract.md` shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    pub locale: Locale,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_import: Option<Import>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    pub id: String,
    pub status: ImportStatus,
    #[serde(with = "time::rfc3339")]
    pub started_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// What the file holds: `imported` + `unchanged` + `rejected`.
    pub items: u64,
    /// New or changed.
    pub imported: u64,
    pub unchanged: u64,
    /// Were stored and are no longer in the file.
    pub removed: u64,
    pub rejected: u64,
    /// The first 100.
    pub errors: Vec<ImportError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportStatus {
    Running,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportError {
    /// The item's place in the file, from 1; 0 where the file as a whole is meant.
    pub position: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    pub error_code: String,
    pub message: String,
}

impl Import {
    pub fn running(id: String, started_at: Timestamp) -> Self {
        Self {
            id,
            status: ImportStatus::Running,
            started_at: time::to_millisecond(started_at),
            finished_at: None,
            items: 0,
            imported: 0,
            unchanged: 0,
            removed: 0,
            rejected: 0,
            errors: Vec::new(),
        }
    }
}

impl Store {
    /// Configures a locale's feed. `url` replaces the one that was there; what was imported stays.
    pub async fn put_feed(&self, locale: &Locale, url: Option<&str>) -> Result<Feed, Error> {
        let update = match url {
            Some(url) => self
                .update_feed(locale, "SET locale = :locale, #url = :url")
                .expression_attribute_values(":url", text(url)),
            None => self.update_feed(locale, "SET locale = :locale REMOVE #url"),
        };
        let updated =
            update.expression_attribute_names("#url", "url").send().await.map_err(failed("UpdateItem of a feed"))?;
        read_item(TABLE, updated.attributes.unwrap_or_default())
    }

    /// Shows an import as the feed's last one, unless one that was asked for later is shown already. Configures the feed
    /// where there was none.
    pub async fn put_import(&self, locale: &Locale, import: &Import) -> Result<(), Error> {
        let started = time::sortable(import.started_at);
        let import = serde_dynamo::to_attribute_value(import).map_err(|source| Error::Item { table: TABLE, source })?;
        let updated = self
            .update_feed(locale, "SET locale = if_not_exists(locale, :locale), lastImport = :import")
            .condition_expression("attribute_not_exists(lastImport) OR lastImport.startedAt <= :started")
            .expression_attribute_values(":import", import)
            .expression_attribute_values(":started", text(started))
            .send()
            .await;
        match updated {
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            other => other.map(drop).map_err(failed("UpdateItem of an import")),
        }
    }

    pub async fn feed(&self, locale: &Locale) -> Result<Option<Feed>, Error> {
        let found = self
            .client
            .get_item()
            .table_name(&self.tables.configuration)
            .set_key(Some(key(locale)))
            .consistent_read(true)
            .send()
            .await
            .map_err(failed("GetItem of a feed"))?;
        found.item.map(|item| read_item(TABLE, item)).transpose()
    }

    /// Every configured feed, by locale.
    pub async fn feeds(&self) -> Result<Vec<Feed>, Error> {
        let mut items = self
            .client
            .query()
            .table_name(&self.tables.configuration)
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(KIND))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut feeds = Vec::new();
        while let Some(item) = items.next().await {
            feeds.push(read_item(TABLE, item.map_err(failed("Query of feeds"))?)?);
        }
        Ok(feeds)
    }

    /// Those of the given locales that a feed is configured for; strongly consistent.
    pub async fn with_feed(&self, locales: &HashSet<&Locale>) -> Result<HashSet<Locale>, Error> {
        let keys = locales.iter().map(|locale| key(locale)).collect();
        let items = self.batch_get(&self.tables.configuration, keys).await?;
        items.into_iter().map(|item| read_item::<Feed>(TABLE, item).map(|feed| feed.locale)).collect()
    }

    fn update_feed(
        &self,
        locale: &Locale,
        expression: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.tables.configuration)
            .set_key(Some(key(locale)))
            .update_expression(expression)
            .expression_attribute_values(":locale", text(locale.as_str()))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::AllNew)
    }
}

fn key(locale: &Locale) -> Item {
    texts([("kind", KIND), ("id", locale.key())])
}
