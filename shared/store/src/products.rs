use crate::database::{Item, PlainWrite, Query};
use crate::item::{damaged, read_each, read_item, texts};
use crate::keyspace;
use crate::{Error, Store};
use restock_domain::{Fields, Locale, Product, Sku};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const TABLE: keyspace::Products = keyspace::Products;

/// A locale's products are spread over this many partitions, so that an import is not held to the 1,000 writes a second
/// of one partition.
const SHARDS: u8 = 16;

/// One difference between a feed and what is stored.
pub enum ProductChange {
    /// The fields as JSON, with the digest that tells at the next import whether they changed.
    Put {
        sku: Sku,
        data: String,
        digest: String,
    },
    Remove {
        sku: Sku,
    },
}

impl Store {
    /// Returns the products among the given ones that the feeds have; strongly consistent.
    pub async fn products(
        &self,
        wanted: impl IntoIterator<Item = (&Locale, &Sku)>,
    ) -> Result<HashMap<(String, Sku), Product>, Error> {
        let keys = wanted.into_iter().map(|(locale, sku)| key(locale, sku)).collect();
        let items = self.batch_get(TABLE, keys).await?;
        Ok(read_each(items, read).into_iter().collect())
    }

    /// Calls `each` with every stored product of a locale and its digest. Reads as much as the feed holds.
    pub async fn each_product(&self, locale: &Locale, mut each: impl FnMut(Sku, &str) + Send) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Stored {
            sku: Sku,
            digest: String,
        }
        for shard in 0..SHARDS {
            let mut query = Query::of(TABLE, partition(locale, shard));
            loop {
                let found = self.database.query(query.clone()).await?;
                for stored in read_each(found.items, |item| read_item::<Stored>(TABLE, item)) {
                    each(stored.sku, &stored.digest);
                }
                query.after = found.next;
                if query.after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Applies differences, 25 to a request and several requests at a time. No SKU may occur twice.
    pub async fn change_products(&self, locale: &Locale, changes: Vec<ProductChange>) -> Result<(), Error> {
        // A request takes 16 MB at the most; 25 products of at most 100 KB stay far below.
        let writes = changes.into_iter().map(|change| match change {
            ProductChange::Put { sku, data, digest } => {
                let mut item = key(locale, &sku);
                item.extend(texts([("data", &data), ("digest", &digest)]));
                PlainWrite::put(TABLE, item)
            }
            ProductChange::Remove { sku } => PlainWrite::delete(TABLE, key(locale, &sku)),
        });
        self.batch_write(writes.collect()).await
    }
}

/// Reads a product, with the key of its feed's locale.
pub(crate) fn read(item: Item) -> Result<((String, Sku), Product), Error> {
    #[derive(Deserialize)]
    struct Stored {
        feed: String,
        sku: Sku,
        data: String,
    }
    let Stored { feed, sku, data } = read_item(TABLE, item.clone())?;
    let locale = feed.rsplit_once('#').map_or(feed.as_str(), |(locale, _)| locale).to_owned();
    let data: Fields = serde_json::from_str(&data).map_err(|error| damaged(TABLE, &item, error))?;
    Ok(((locale, sku.clone()), Product::restore(sku, data)))
}

pub(crate) fn key(locale: &Locale, sku: &Sku) -> Item {
    let shard = Sha256::digest(sku.as_str())[0] % SHARDS;
    texts([("feed", &partition(locale, shard)), ("sku", sku.as_str())])
}

fn partition(locale: &Locale, shard: u8) -> String {
    format!("{}#{shard:x}", locale.key())
}
