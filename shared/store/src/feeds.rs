use crate::cached::CachedEach;
use crate::database::{Action, Item, Query, TableCondition, Write, Written};
use crate::item::{number, read_each, read_item, string_of, text, texts};
use crate::keyspace::{self, kind_key};
use crate::{Error, Store};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use restock_domain::{Currency, Feed, FeedSchedule, Import, ImportError, ImportStatus, Locale, time};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const TABLE: keyspace::Feeds = keyspace::Feeds;
const CREDENTIALS: keyspace::FeedCredentials = keyspace::FeedCredentials;
/// The import that was counted as failed last, so that it is counted once.
const FAILED_IMPORT: &str = "failedImport";

/// Where a feed is and how it is read.
#[derive(Default)]
pub struct FeedConfiguration {
    pub url: Option<String>,
    pub currency: Option<Currency>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub schedule: Option<FeedSchedule>,
}

/// A feed as the table has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeedItem {
    locale: Locale,
    url: Option<String>,
    currency: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    schedule: Option<FeedSchedule>,
    #[serde(default)]
    configured_on: Option<Timestamp>,
    last_import: Option<ImportItem>,
    #[serde(default)]
    last_succeeded_on: Option<Timestamp>,
    #[serde(default)]
    failures: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportItem {
    id: String,
    status: ImportStatus,
    #[serde(with = "time::rfc3339")]
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    items: u64,
    imported: u64,
    unchanged: u64,
    removed: u64,
    rejected: u64,
    #[serde(default)]
    incomplete: u64,
    errors: Vec<ErrorItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorItem {
    position: u64,
    sku: Option<String>,
    error_code: String,
    message: String,
}

impl From<FeedItem> for Feed {
    fn from(item: FeedItem) -> Self {
        let currency = item.currency.as_deref().and_then(Currency::restore);
        Self {
            locale: item.locale,
            url: item.url,
            currency,
            user: item.user,
            schedule: item.schedule,
            configured_on: item.configured_on,
            last_import: item.last_import.map(Import::from),
            last_succeeded_on: item.last_succeeded_on,
            failures: item.failures,
        }
    }
}

impl From<ErrorItem> for ImportError {
    fn from(ErrorItem { position, sku, error_code, message }: ErrorItem) -> Self {
        Self { position, sku, error_code, message }
    }
}

impl From<ImportError> for ErrorItem {
    fn from(ImportError { position, sku, error_code, message }: ImportError) -> Self {
        Self { position, sku, error_code, message }
    }
}

impl From<ImportItem> for Import {
    fn from(item: ImportItem) -> Self {
        let ImportItem {
            id,
            status,
            started_at,
            finished_at,
            items,
            imported,
            unchanged,
            removed,
            rejected,
            incomplete,
            errors,
        } = item;
        let errors = errors.into_iter().map(ImportError::from).collect();
        Self { id, status, started_at, finished_at, items, imported, unchanged, removed, rejected, incomplete, errors }
    }
}

impl From<Import> for ImportItem {
    fn from(import: Import) -> Self {
        let Import {
            id,
            status,
            started_at,
            finished_at,
            items,
            imported,
            unchanged,
            removed,
            rejected,
            incomplete,
            errors,
        } = import;
        let errors = errors.into_iter().map(|ImportError { position, sku, error_code, message }| ErrorItem {
            position,
            sku,
            error_code,
            message,
        });
        let errors = errors.collect();
        Self { id, status, started_at, finished_at, items, imported, unchanged, removed, rejected, incomplete, errors }
    }
}

impl Store {
    /// Configures a locale's feed. The settings replace those that were there; what was imported stays.
    pub async fn put_feed(&self, locale: &Locale, settings: &FeedConfiguration, now: Timestamp) -> Result<Feed, Error> {
        let FeedConfiguration { url, currency, user, password, schedule } = settings;
        let credentials = match (url, user) {
            (Some(url), Some(user)) => {
                let password = password.as_deref().unwrap_or_default();
                let credentials = texts([("url", url), ("user", user), ("password", password)]);
                Write::put(CREDENTIALS, credentials_key(locale), credentials)
            }
            _ => Write::delete(CREDENTIALS, credentials_key(locale)),
        };
        self.database.write(credentials).await?;
        let set = |name: &str, value: Option<AttributeValue>| match value {
            Some(value) => Action::set(name, value),
            None => Action::Remove(name.into()),
        };
        let actions = vec![
            Action::set("locale", text(locale.as_str())),
            set("url", url.as_ref().map(text)),
            set("currency", currency.as_ref().map(|currency| text(currency.as_str()))),
            set("user", user.as_ref().map(text)),
            set("schedule", schedule.map(|schedule| number(schedule.minutes().into()))),
            Action::set("configuredOn", text(time::sortable(now))),
        ];
        let written = self.database.write(Write::update(TABLE, key(locale), actions)).await?;
        let (Written::Done(item) | Written::Refused(item)) = written;
        read(item.unwrap_or_default())
    }

    /// Returns the feeds that may serve a locale; strongly consistent.
    pub async fn feeds_for(&self, locale: &Locale) -> Result<Arc<[Feed]>, Error> {
        let found = self.batch_get(TABLE, locale.feeds().iter().map(key).collect()).await?;
        Ok(read_each(found, read).into())
    }

    /// Returns the user name and the password for a URL of a locale's feed, if they were given for just that URL.
    pub async fn feed_credentials(&self, locale: &Locale, url: &str) -> Result<Option<(String, String)>, Error> {
        let Some(item) = self.get(CREDENTIALS, credentials_key(locale)).await? else { return Ok(None) };
        let word = |name: &str| string_of(&item, name).cloned();
        Ok(word("user").zip(word("password")).filter(|_| word("url").as_deref() == Some(url)))
    }

    /// Shows an import as the feed's last one, unless one that was asked for later is shown already. Configures the
    /// feed where there was none.
    pub async fn put_import(&self, locale: &Locale, import: &Import) -> Result<(), Error> {
        let started = text(time::sortable(import.started_at));
        let shown = serde_dynamo::to_attribute_value(ImportItem::from(import.clone()));
        let shown = shown.map_err(|source| Error::Unwritable { table: TABLE.into(), source: Arc::new(source) })?;
        let newest = TableCondition::Any(vec![
            TableCondition::Missing("lastImportStartedAt"),
            TableCondition::AtMost("lastImportStartedAt", started.clone()),
        ]);
        let mut actions = vec![
            Action::SetIfMissing("locale".into(), text(locale.as_str())),
            Action::set("lastImport", shown),
            Action::set("lastImportStartedAt", started),
        ];
        match import.status {
            ImportStatus::Running => {}
            ImportStatus::Succeeded => {
                let finished = text(time::sortable(import.finished_at.unwrap_or(import.started_at)));
                actions.extend([Action::set("lastSucceededOn", finished), Action::Remove("failures".into())]);
            }
            ImportStatus::Failed => {
                let counts = [Action::set(FAILED_IMPORT, text(&import.id)), Action::Add("failures".into(), 1)];
                let once = TableCondition::IsNot(FAILED_IMPORT, text(&import.id));
                let write = Write::update(TABLE, key(locale), actions.iter().cloned().chain(counts).collect());
                let counted = self.database.write(write.when(TableCondition::All(vec![newest.clone(), once]))).await?;
                if let Written::Done(_) = counted {
                    return Ok(());
                }
            }
        }
        self.database.write(Write::update(TABLE, key(locale), actions).when(newest)).await.map(drop)
    }

    pub async fn feed(&self, locale: &Locale) -> Result<Option<Feed>, Error> {
        self.get(TABLE, key(locale)).await?.map(read).transpose()
    }

    /// Returns every configured feed, by locale.
    pub async fn feeds(&self) -> Result<Vec<Feed>, Error> {
        let items = self.query_all(Query::of_kind(TABLE)).await?;
        Ok(read_each(items, read))
    }

    /// Returns the given locales that a feed is configured for; strongly consistent.
    pub async fn with_feed(&self, locales: &HashSet<&Locale>) -> Result<HashSet<Locale>, Error> {
        let items = self.batch_get(TABLE, locales.iter().map(|locale| key(locale)).collect()).await?;
        Ok(read_each(items, |item| Ok(read(item)?.locale)).into_iter().collect())
    }
}

/// The feeds that may serve a locale, as they were a moment ago.
pub struct CachedFeeds {
    store: Store,
    cached: CachedEach<Locale, Arc<[Feed]>>,
}

impl CachedFeeds {
    pub fn new(store: Store, kept: Duration) -> Self {
        Self { store, cached: CachedEach::new(kept) }
    }

    /// Returns the feeds that may serve a locale. That there is none, or one that was never imported, is not
    /// remembered.
    pub async fn serving(&self, locale: &Locale) -> Result<Arc<[Feed]>, Error> {
        let imported =
            |feeds: &Arc<[Feed]>| !feeds.is_empty() && feeds.iter().all(|feed| feed.last_succeeded_on.is_some());
        self.cached.current(locale, imported, self.store.feeds_for(locale)).await
    }
}

fn read(item: Item) -> Result<Feed, Error> {
    read_item::<FeedItem>(TABLE, item).map(Feed::from)
}

fn key(locale: &Locale) -> Item {
    kind_key(TABLE, locale.key())
}

fn credentials_key(locale: &Locale) -> Item {
    kind_key(CREDENTIALS, locale.key())
}
