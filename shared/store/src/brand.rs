use crate::cached::Cached;
use crate::database::{Item, Write, Written};
use crate::item::{DOCUMENT, number, or_none, read_document, text, write_document};
use crate::keyspace::{self, kind_key};
use crate::versions::{Expected, unchanged_since, version_of};
use crate::{Error, Race, Store};
use jiff::Timestamp;
use restock_domain::brand::TextsById;
use restock_domain::{Brand, Brands, time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const TABLE: keyspace::Brand = keyspace::Brand;

/// The brand as it is stored, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BrandDocument {
    shop: Brand,
    locales: BTreeMap<String, Brand>,
    #[serde(default)]
    texts: BTreeMap<String, TextsById>,
    updated_on: Option<Timestamp>,
}

impl Store {
    /// Stores the brand as the next version. Returns `None` if the version is not one that the caller may change.
    pub async fn put_brands(
        &self,
        brands: Brands,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Option<Brands>, Error> {
        let mut race = Race::about("the change of the brand");
        loop {
            race.enter()?;
            let seen = self.get(TABLE, key()).await?.map_or(Ok(0), |item| version_of(TABLE, &item))?;
            if !expected.allows(Some(seen).filter(|version| *version > 0)) {
                return Ok(None);
            }
            let updated_on = Some(time::to_millisecond(now));
            let brands = Brands { version: seen + 1, updated_on, ..brands.clone() };
            let write = Write::put(TABLE, key(), item(&brands)?).when(unchanged_since(seen));
            if let Written::Done(_) = self.database.write(write).await? {
                return Ok(Some(brands));
            }
        }
    }

    /// Returns the brand; an empty one if none was stored. Strongly consistent.
    pub async fn brands(&self) -> Result<Brands, Error> {
        self.get(TABLE, key()).await?.map_or_else(|| Ok(Brands::default()), |item| read(&item))
    }
}

/// The brand as it was not longer than a while ago, so that not every message reads it.
pub struct CachedBrands {
    store: Store,
    seen: Cached<Brands>,
}

impl CachedBrands {
    pub fn new(store: Store, kept: Duration) -> Self {
        Self { store, seen: Cached::new(kept) }
    }

    /// Returns it; an empty one if it can't be read.
    pub async fn current(&self) -> Result<Arc<Brands>, Error> {
        self.seen.current(async { Ok(or_none(self.store.brands().await)?.into()) }).await
    }
}

fn item(brands: &Brands) -> Result<Item, Error> {
    let Brands { shop, locales, texts, version, updated_on } = brands.clone();
    let document = write_document(TABLE, &BrandDocument { shop, locales, texts, updated_on })?;
    Ok(Item::from([("version".into(), number(version as i64)), (DOCUMENT.into(), text(document))]))
}

fn read(item: &Item) -> Result<Brands, Error> {
    let BrandDocument { shop, locales, texts, updated_on } = read_document(TABLE, item)?;
    Ok(Brands { shop, locales, texts, version: version_of(TABLE, item)?, updated_on })
}

fn key() -> Item {
    kind_key(TABLE, "brand")
}
