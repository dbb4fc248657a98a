use crate::database::{Consistency, Index, Item, PlainWrite, Query, Range};
use crate::item::{damaged, read_each, read_item, texts};
use crate::keyspace;
use crate::{Error, Store};
use restock_domain::{Availability, Fields, Locale, Product, Sku, hex};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

const TABLE: keyspace::Products = keyspace::Products;

/// A locale's products are spread over this many partitions, so that an import is not held to the 1,000 writes a second
/// of one partition.
const SHARDS: u8 = 16;
/// Other products that a mail shows.
const MAX_RELATED: usize = 4;
/// Products that are looked at for these, of a group and of a type each: some are sold out.
const CANDIDATES: i32 = 12;

/// One difference between a feed and what is stored.
pub enum ProductChange {
    /// The fields as JSON, with the digest that tells at the next import whether they changed, and where others find it.
    Put {
        sku: Sku,
        data: String,
        digest: String,
        place: Option<Place>,
    },
    Remove {
        sku: Sku,
    },
}

/// Where a product stands among those of its feed, in the index of types and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    kind: String,
    group: String,
}

impl Place {
    /// Returns the place of a product that has a type or a group.
    pub fn of(product: &Product) -> Option<Self> {
        let (kind, group) = (product.kind(), product.group());
        if kind.is_none() && group.is_none() {
            return None;
        }
        // One without variants is a group by itself, which no name of a group may be.
        let group = group.map_or_else(|| format!("sku {}", product.sku()), |group| format!("group {group}"));
        Some(Self { kind: short(&kind.unwrap_or_default()), group: short(&group) })
    }
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

    /// Returns other products of the feed with this locale's key that can be bought: those of the same group first, then one
    /// of each group of the same type.
    pub async fn related(&self, feed: &str, product: &Product) -> Result<Vec<Product>, Error> {
        let Some(Place { kind, group }) = Place::of(product) else { return Ok(Vec::new()) };
        let ranges = [
            product.group().map(|_| Range::Between(group.clone(), group.clone())),
            // Of all that come after it, and round to those before.
            product.kind().map(|_| Range::Between(format!("{group}~"), "~".into())),
            product.kind().map(|_| Range::Before(group.clone())),
        ];
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        for range in ranges.into_iter().flatten() {
            let of_type = Query::of_index(TABLE, Index::ByProductType, format!("{feed}#{kind}"));
            let page = self.database.query(Query { range, limit: Some(CANDIDATES), ..of_type }).await?;
            let candidates = read_each(page.items, |item| read_item::<Candidate>(TABLE, item));
            let (siblings, others): (Vec<_>, Vec<_>) =
                candidates.into_iter().partition(|candidate| candidate.item_group == group);
            let others = others.into_iter().filter(|candidate| seen.insert(candidate.item_group.clone()));
            let wanted: Vec<Candidate> =
                siblings.into_iter().chain(others).filter(|other| other.sku != *product.sku()).collect();
            let keys = wanted.iter().map(|other| texts([("feed", &other.feed), ("sku", other.sku.as_str())])).collect();
            let items = self.batch_get_as(TABLE, keys, Consistency::Eventual).await?;
            let mut products: HashMap<Sku, Product> =
                read_each(items, read).into_iter().map(|((_, sku), product)| (sku, product)).collect();
            let in_order = wanted.iter().filter_map(|other| products.remove(&other.sku));
            found.extend(in_order.filter(|other| other.availability() != Some(Availability::Not)));
            if found.len() >= MAX_RELATED {
                break;
            }
        }
        found.truncate(MAX_RELATED);
        Ok(found)
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
            ProductChange::Put { sku, data, digest, place } => {
                let mut item = key(locale, &sku);
                item.extend(texts([("data", &data), ("digest", &digest)]));
                if let Some(Place { kind, group }) = place {
                    item.extend(texts([("productType", &format!("{}#{kind}", locale.key())), ("itemGroup", &group)]));
                }
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

/// What the index says of a product.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    feed: String,
    sku: Sku,
    item_group: String,
}

/// Returns a short name for a text of any length.
fn short(text: &str) -> String {
    hex(&Sha256::digest(text)[..16])
}

pub(crate) fn key(locale: &Locale, sku: &Sku) -> Item {
    let shard = Sha256::digest(sku.as_str())[0] % SHARDS;
    texts([("feed", &partition(locale, shard)), ("sku", sku.as_str())])
}

fn partition(locale: &Locale, shard: u8) -> String {
    format!("{}#{shard:x}", locale.key())
}
