use crate::database::{Consistency, Index, Item, PlainWrite, Query, Range};
use crate::item::{damaged, read_each, read_item, texts};
use crate::keyspace;
use crate::{Error, Store};
use futures::future::try_join_all;
use restock_domain::{Availability, Fields, Locale, Product, Sku, hex};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const TABLE: keyspace::Products = keyspace::Products;

/// A locale's products are spread over this many partitions, so that an import is not held to the 1,000 writes a second
/// of one partition.
const SHARDS: u8 = 16;
/// Other products that a mail shows.
const MAX_RELATED: usize = 4;
/// Siblings that are looked at for these, of which some may be held.
const CANDIDATES: i32 = 8;
/// Queries for groups of a type, of which each finds one: some may be held.
const MAX_GROUP_QUERIES: usize = 12;
/// Sort before and after every group, whose names are hexadecimal.
const FIRST: &str = "!";
const LAST: &str = "~";

/// One difference between a feed and what is stored.
pub enum ProductChange {
    /// The fields as JSON, with the digest that tells at the next import whether they changed, and where others find
    /// it.
    Put {
        sku: Sku,
        data: String,
        digest: String,
        related_by: Option<RelatedBy>,
    },
    Remove {
        sku: Sku,
    },
}

/// By which other products of its feed a product is found, in the index of types and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelatedBy {
    kind: String,
    group: String,
}

impl RelatedBy {
    /// Returns the place under which others find a product, if it can be bought.
    pub fn shown(product: &Product) -> Option<Self> {
        Self::of(product).filter(|_| product.availability() != Some(Availability::Not))
    }

    /// Returns the place of a product that has a type or a group.
    fn of(product: &Product) -> Option<Self> {
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

    /// Returns other products of the feed with this locale's key that can be bought: those of the same group first,
    /// then one of each group of the same type. What is held is none.
    pub async fn related(&self, feed: &str, product: &Product) -> Result<Vec<Product>, Error> {
        let Some(RelatedBy { kind, group }) = RelatedBy::of(product) else { return Ok(Vec::new()) };
        let partition = format!("{feed}#{kind}");
        let mut found = Vec::new();
        if product.group().is_some() {
            let siblings = self.placed(&partition, Range::Between(group.clone(), group.clone()), CANDIDATES).await?;
            found = self.on_sale(siblings, product.sku()).await?;
        }
        // Of all groups that come after it, and round to those before: the next part is the last.
        let mut parts = vec![(FIRST.to_owned(), before(&group)), (after(&group), LAST.to_owned())];
        for _ in 0..MAX_GROUP_QUERIES {
            if product.kind().is_none() || found.len() >= MAX_RELATED {
                break;
            }
            let Some((first, last)) = parts.pop() else { break };
            let next = self.placed(&partition, Range::Between(first, last.clone()), 1).await?;
            if let Some(passed) = next.first().map(|next| after(&next.item_group)).filter(|passed| *passed < last) {
                parts.push((passed, last));
            }
            found.extend(self.on_sale(next, product.sku()).await?);
        }
        found.truncate(MAX_RELATED);
        Ok(found)
    }

    /// Returns the first products of a part of the index.
    async fn placed(&self, partition: &str, range: Range, limit: i32) -> Result<Vec<Placed>, Error> {
        let of_type = Query::of_index(TABLE, Index::ByProductType, partition);
        let page = self.database.query(Query { range, limit: Some(limit), ..of_type }).await?;
        Ok(read_each(page.items, |item| read_item(TABLE, item)))
    }

    /// Returns those of products, but for one of them, that nobody holds, in their order.
    async fn on_sale(&self, placed: Vec<Placed>, but: &Sku) -> Result<Vec<Product>, Error> {
        let placed: Vec<Placed> = placed.into_iter().filter(|placed| placed.sku != *but).collect();
        let keys = placed.iter().map(|placed| texts([("feed", &placed.feed), ("sku", placed.sku.as_str())])).collect();
        let items = self.batch_get_as(TABLE, keys, Consistency::Eventual).await?;
        let mut products: HashMap<Sku, Product> =
            read_each(items, read).into_iter().map(|((_, sku), product)| (sku, product)).collect();
        let stops = try_join_all(placed.iter().map(|placed| self.stops(&placed.sku))).await?;
        let found = placed.iter().zip(stops).filter(|(_, stops)| !stops.is_held());
        Ok(found.filter_map(|(placed, _)| products.remove(&placed.sku)).collect())
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
        // A request takes 16 MB at most; 25 products of at most 100 KB stay far below.
        let writes = changes.into_iter().map(|change| match change {
            ProductChange::Put { sku, data, digest, related_by } => {
                let mut item = key(locale, &sku);
                item.extend(texts([("data", &data), ("digest", &digest)]));
                if let Some(RelatedBy { kind, group }) = related_by {
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

/// A product as the index shows it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    feed: String,
    sku: Sku,
    item_group: String,
}

/// Returns what sorts after a group, and before all that come after it.
fn after(group: &str) -> String {
    format!("{group}{LAST}")
}

/// Returns what sorts before a group, and after all that come before it.
fn before(group: &str) -> String {
    // The last character is a hexadecimal digit, and no other group has this name.
    let mut before = group.to_owned();
    let last = before.pop().and_then(|last| char::from_u32(u32::from(last) - 1)).unwrap_or_default();
    format!("{before}{last}{LAST}")
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
