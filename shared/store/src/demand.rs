//! Counts of who waits for which SKU. Nothing counts while shoppers subscribe; it is counted when somebody asks.

use crate::database::{Index, Item, Scan};
use crate::item::{damaged, read_each, string_of};
use crate::keyspace;
use crate::{Error, Store};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restock_domain::{Locale, Sku, Waiters, Wanted};
use std::collections::{BTreeMap, HashMap};
use tokio::time::Instant;

/// Parts of the index that are read at the same time.
const SEGMENTS: i32 = 4;

#[derive(Debug)]
pub struct Demand {
    /// The most wanted first; of equally wanted ones, who has waited longest.
    pub skus: Vec<Wanted>,
    /// True if every subscription was counted.
    pub complete: bool,
}

type Counts = HashMap<(Sku, String), Waiters>;

impl Store {
    /// Counts every subscription, or those of one locale, until the deadline. It reads the whole index: about 30 read
    /// units for a thousand subscriptions.
    pub async fn demand(&self, locale: Option<&Locale>, until: Instant) -> Result<Demand, Error> {
        let parts = (0..SEGMENTS).map(|segment| self.count_segment(segment, locale, until));
        let parts: Vec<(Counts, bool)> = stream::iter(parts).buffered(SEGMENTS as usize).try_collect().await?;
        let complete = parts.iter().all(|(_, complete)| *complete);
        let mut wanted: HashMap<Sku, Wanted> = HashMap::new();
        for ((sku, locale), waiters) in parts.into_iter().flat_map(|(counts, _)| counts) {
            let of_sku = wanted
                .entry(sku)
                .and_modify(|wanted| add(&mut wanted.all, waiters))
                .or_insert_with_key(|sku| Wanted { sku: sku.clone(), all: waiters, locales: BTreeMap::new() });
            of_sku.locales.entry(locale).and_modify(|known| add(known, waiters)).or_insert(waiters);
        }
        let mut skus: Vec<Wanted> = wanted.into_values().collect();
        skus.sort_by(|one, other| {
            let order = |wanted: &Wanted| (std::cmp::Reverse(wanted.all.waiting), wanted.all.oldest);
            order(one).cmp(&order(other)).then_with(|| one.sku.cmp(&other.sku))
        });
        Ok(Demand { skus, complete })
    }

    /// Returns true with the counts if it came to the end of the segment.
    async fn count_segment(
        &self,
        segment: i32,
        only: Option<&Locale>,
        until: Instant,
    ) -> Result<(Counts, bool), Error> {
        let mut counts = Counts::new();
        let mut scan = Scan {
            attributes: &["sku", "locale", "createdOn"],
            segment,
            segments: SEGMENTS,
            ..Scan::of_index(keyspace::Subscriptions, Index::BySkuLocale)
        };
        while Instant::now() < until {
            let found = self.database.scan(scan.clone()).await?;
            for (sku, locale, since) in read_each(found.items, read) {
                if only.is_none_or(|only| *only == locale) {
                    let one = Waiters { waiting: 1, oldest: since };
                    let of = counts.entry((sku, locale.canonical()));
                    of.and_modify(|known| add(known, one)).or_insert(one);
                }
            }
            scan.after = found.next;
            if scan.after.is_none() {
                return Ok((counts, true));
            }
        }
        Ok((counts, false))
    }
}

fn add(to: &mut Waiters, other: Waiters) {
    to.waiting += other.waiting;
    to.oldest = to.oldest.min(other.oldest);
}

fn read(item: Item) -> Result<(Sku, Locale, Timestamp), Error> {
    let waiting = || {
        let sku = Sku::restore(string_of(&item, "sku")?);
        let locale = Locale::from(string_of(&item, "locale")?.clone());
        Some((sku, locale, string_of(&item, "createdOn")?.parse().ok()?))
    };
    waiting().ok_or_else(|| damaged(keyspace::Subscriptions, &item, "it has no SKU, locale or time"))
}
