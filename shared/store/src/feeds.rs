use crate::database::{Action, Condition, Item, Query, Table, Write, Written};
use crate::{Error, Store, read_item, text, texts};
use jiff::Timestamp;
use restock_domain::{Locale, time};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;

const TABLE: Table = Table::Configuration;
const KIND: &str = "feed";

/// The product feed of one locale, in the shape that `contract.md` shows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Feed {
    pub locale: Locale,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_import: Option<Import>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportStatus {
    Running,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
        let url = match url {
            Some(url) => Action::set("url", text(url)),
            None => Action::Remove("url".into()),
        };
        let actions = vec![Action::set("locale", text(locale.as_str())), url];
        let written = self.database.write(Write::update(TABLE, key(locale), actions)).await?;
        let (Written::Done(item) | Written::Refused(item)) = written;
        read_item(TABLE, item.unwrap_or_default())
    }

    /// Shows an import as the feed's last one, unless one that was asked for later is shown already. Configures the feed
    /// where there was none.
    pub async fn put_import(&self, locale: &Locale, import: &Import) -> Result<(), Error> {
        let started = text(time::sortable(import.started_at));
        let import = serde_dynamo::to_attribute_value(import).map_err(|source| Error::Item { table: TABLE, source })?;
        let actions = vec![
            Action::SetIfMissing("locale".into(), text(locale.as_str())),
            Action::set("lastImport", import),
            Action::set("lastImportStartedAt", started.clone()),
        ];
        let newest = vec![Condition::Missing("lastImportStartedAt"), Condition::AtMost("lastImportStartedAt", started)];
        let write = Write::update(TABLE, key(locale), actions).when(Condition::Any(newest));
        self.database.write(write).await.map(drop)
    }

    pub async fn feed(&self, locale: &Locale) -> Result<Option<Feed>, Error> {
        self.get(TABLE, key(locale)).await?.map(|item| read_item(TABLE, item)).transpose()
    }

    /// Every configured feed, by locale.
    pub async fn feeds(&self) -> Result<Vec<Feed>, Error> {
        let items = self.query_all(Query::of(TABLE, KIND)).await?;
        items.into_iter().map(|item| read_item(TABLE, item)).collect()
    }

    /// Those of the given locales that a feed is configured for; strongly consistent.
    pub async fn with_feed(&self, locales: &HashSet<&Locale>) -> Result<HashSet<Locale>, Error> {
        let items = self.batch_get(TABLE, locales.iter().map(|locale| key(locale)).collect()).await?;
        items.into_iter().map(|item| read_item::<Feed>(TABLE, item).map(|feed| feed.locale)).collect()
    }
}

fn key(locale: &Locale) -> Item {
    texts([("kind", KIND), ("id", locale.key())])
}
