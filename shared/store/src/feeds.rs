use crate::database::{Action, Item, Query, Table, TableCondition, Write, Written};
use crate::item::{damaged, read_each, read_item, string_of, text, texts};
use crate::{Error, Store};
use jiff::Timestamp;
use restock_domain::{Currency, Feed, Import, ImportError, ImportStatus, Locale, time};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

const TABLE: Table = Table::Configuration;
const KIND: &str = "feed";
/// Passwords are kept apart from what is shown, and only the importer may read them.
const CREDENTIALS: &str = "feed-credentials";

/// Where a feed is and how it is read.
#[derive(Default)]
pub struct FeedConfiguration {
    pub url: Option<String>,
    pub currency: Option<Currency>,
    pub user: Option<String>,
    pub password: Option<String>,
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
    last_import: Option<ImportItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImportItem {
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
    errors: Vec<ErrorItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorItem {
    position: u64,
    sku: Option<String>,
    error_code: String,
    message: String,
}

impl From<FeedItem> for Feed {
    fn from(item: FeedItem) -> Self {
        let currency = item.currency.as_deref().and_then(Currency::parse);
        Self {
            locale: item.locale,
            url: item.url,
            currency,
            user: item.user,
            last_import: item.last_import.map(Import::from),
        }
    }
}

impl From<ImportItem> for Import {
    fn from(item: ImportItem) -> Self {
        let ImportItem { id, status, started_at, finished_at, items, imported, unchanged, removed, rejected, errors } =
            item;
        let errors = errors.into_iter().map(|ErrorItem { position, sku, error_code, message }| ImportError {
            position,
            sku,
            error_code,
            message,
        });
        let errors = errors.collect();
        Self { id, status, started_at, finished_at, items, imported, unchanged, removed, rejected, errors }
    }
}

impl From<Import> for ImportItem {
    fn from(import: Import) -> Self {
        let Import { id, status, started_at, finished_at, items, imported, unchanged, removed, rejected, errors } =
            import;
        let errors = errors.into_iter().map(|ImportError { position, sku, error_code, message }| ErrorItem {
            position,
            sku,
            error_code,
            message,
        });
        let errors = errors.collect();
        Self { id, status, started_at, finished_at, items, imported, unchanged, removed, rejected, errors }
    }
}

impl Store {
    /// Configures a locale's feed. The settings replace those that were there; what was imported stays.
    pub async fn put_feed(&self, locale: &Locale, settings: &FeedConfiguration) -> Result<Feed, Error> {
        let FeedConfiguration { url, currency, user, password } = settings;
        let credentials = match (url, user) {
            (Some(url), Some(user)) => {
                let password = password.as_deref().unwrap_or_default();
                Write::put(
                    TABLE,
                    credentials_key(locale),
                    texts([("url", url), ("user", user), ("password", password)]),
                )
            }
            _ => Write::delete(TABLE, credentials_key(locale)),
        };
        self.database.write(credentials).await?;
        let set = |name: &str, value: Option<&str>| match value {
            Some(value) => Action::set(name, text(value)),
            None => Action::Remove(name.into()),
        };
        let currency = currency.as_ref().map(Currency::as_str);
        let actions = vec![
            Action::set("locale", text(locale.as_str())),
            set("url", url.as_deref()),
            set("currency", currency),
            set("user", user.as_deref()),
        ];
        let written = self.database.write(Write::update(TABLE, key(locale), actions)).await?;
        let (Written::Done(item) | Written::Refused(item)) = written;
        read(item.unwrap_or_default())
    }

    /// Returns the user name and the password for a URL of a locale's feed, if they were given for just that URL.
    pub async fn feed_credentials(&self, locale: &Locale, url: &str) -> Result<Option<(String, String)>, Error> {
        let Some(item) = self.get(TABLE, credentials_key(locale)).await? else { return Ok(None) };
        let word = |name: &str| string_of(&item, name).cloned();
        Ok(word("user").zip(word("password")).filter(|_| word("url").as_deref() == Some(url)))
    }

    /// Shows an import as the feed's last one, unless one that was asked for later is shown already. Configures the feed
    /// where there was none.
    pub async fn put_import(&self, locale: &Locale, import: &Import) -> Result<(), Error> {
        let started = text(time::sortable(import.started_at));
        let import = serde_dynamo::to_attribute_value(ImportItem::from(import.clone()));
        let import = import.map_err(|error| damaged(TABLE, &key(locale), error))?;
        let actions = vec![
            Action::SetIfMissing("locale".into(), text(locale.as_str())),
            Action::set("lastImport", import),
            Action::set("lastImportStartedAt", started.clone()),
        ];
        let newest = vec![
            TableCondition::Missing("lastImportStartedAt"),
            TableCondition::AtMost("lastImportStartedAt", started),
        ];
        let write = Write::update(TABLE, key(locale), actions).when(TableCondition::Any(newest));
        self.database.write(write).await.map(drop)
    }

    pub async fn feed(&self, locale: &Locale) -> Result<Option<Feed>, Error> {
        self.get(TABLE, key(locale)).await?.map(read).transpose()
    }

    /// Returns every configured feed, by locale.
    pub async fn feeds(&self) -> Result<Vec<Feed>, Error> {
        let items = self.query_all(Query::of(TABLE, KIND)).await?;
        Ok(read_each(items, read))
    }

    /// Returns the given locales that a feed is configured for; strongly consistent.
    pub async fn with_feed(&self, locales: &HashSet<&Locale>) -> Result<HashSet<Locale>, Error> {
        let items = self.batch_get(TABLE, locales.iter().map(|locale| key(locale)).collect()).await?;
        Ok(read_each(items, |item| Ok(read(item)?.locale)).into_iter().collect())
    }
}

pub(crate) fn read(item: Item) -> Result<Feed, Error> {
    read_item::<FeedItem>(TABLE, item).map(Feed::from)
}

pub(crate) fn key(locale: &Locale) -> Item {
    texts([("kind", KIND), ("id", locale.key())])
}

fn credentials_key(locale: &Locale) -> Item {
    texts([("kind", CREDENTIALS), ("id", locale.key())])
}
