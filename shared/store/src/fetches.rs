use crate::database::{Item, Write};
use crate::feeds::ImportItem;
use crate::item::{read_item, write_item};
use crate::keyspace::{self, kind_key};
use crate::{Error, Store};
use restock_domain::{Currency, Import, Locale};
use serde::{Deserialize, Serialize};

const TABLE: keyspace::FeedFetches = keyspace::FeedFetches;

/// The file that a locale's products come from: its version, if its server names one (RFC 9110, conditional requests),
/// and its content.
#[derive(Debug, Clone)]
pub struct Fetch {
    pub url: String,
    /// Prices without one were read in this currency.
    pub currency: Option<Currency>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// A digest of the items that count.
    pub content: Option<String>,
    /// The import that read it.
    pub import: Import,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FetchItem {
    url: String,
    currency: Option<String>,
    etag: Option<String>,
    last_modified: Option<String>,
    #[serde(default)]
    content: Option<String>,
    import: ImportItem,
}

impl Store {
    /// Remembers which file was imported.
    pub async fn put_fetch(&self, locale: &Locale, fetch: &Fetch) -> Result<(), Error> {
        let Fetch { url, currency, etag, last_modified, content, import } = fetch.clone();
        let item = FetchItem {
            url,
            currency: currency.map(|currency| currency.as_str().to_owned()),
            etag,
            last_modified,
            content,
            import: import.into(),
        };
        let item = write_item(TABLE, item)?;
        self.database.write(Write::put(TABLE, key(locale), item)).await.map(drop)
    }

    /// Returns the file that the products are from; `None` if that is not known.
    pub async fn fetch(&self, locale: &Locale) -> Result<Option<Fetch>, Error> {
        let Some(item) = self.get(TABLE, key(locale)).await? else { return Ok(None) };
        let FetchItem { url, currency, etag, last_modified, content, import, .. } = read_item(TABLE, item)?;
        let currency = currency.as_deref().and_then(Currency::parse);
        Ok(Some(Fetch { url, currency, etag, last_modified, content, import: import.into() }))
    }

    /// Forgets it, before products change.
    pub async fn forget_fetch(&self, locale: &Locale) -> Result<(), Error> {
        self.database.write(Write::delete(TABLE, key(locale))).await.map(drop)
    }
}

fn key(locale: &Locale) -> Item {
    kind_key(TABLE, locale.key())
}
