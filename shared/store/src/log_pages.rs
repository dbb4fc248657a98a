//! Reading the integration log: filters, and pages that go back in time.

use crate::database::{Index, Item, Query, Range};
use crate::item::{read_each, string_of};
use crate::keyspace;
use crate::log::{counts_mails, month, read_entry};
use crate::{Error, LogKey, Store};
use jiff::Timestamp;
use restock_domain::automation::AutomationTally;
use restock_domain::{AutomationId, Locale, LogEntry, Scope, Sku, Subscription, time};
use std::time::Duration;

const TABLE: keyspace::Log = keyspace::Log;
/// Entries that one page looks at to find those that a filter lets through.
const MAX_LOOKED_AT: usize = 1_000;
/// Items that are read at a time.
const PAGE: i32 = 100;
/// Counts of automations and of their conditions on one page: each is shown with up to 300 characters, and an answer of
/// Lambda has 6 MB.
const MAX_COUNTS: usize = 8_000;
/// Sorts after every entry, which begin with a digit, and before what else there is of a SKU.
const AFTER_ALL: &str = ":";

/// Which entries are wanted. All that is given must fit.
#[derive(Debug, Default)]
pub struct LogFilter {
    pub sku: Option<Sku>,
    /// The one that the level carried.
    pub locale: Option<Locale>,
    /// One that was asked.
    pub automation: Option<AutomationId>,
    /// `sent` or `refused` by the automation, if one is given; or a word of `skipped` or `mails` that is not zero.
    pub outcome: Option<String>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

/// Newest first.
pub struct LogPage {
    pub entries: Vec<LogEntry>,
    /// Where the next page begins. A page may have fewer entries than were asked for, or none, and still have a next
    /// one.
    pub next: Option<String>,
}

impl Store {
    /// Returns a page of at most `limit` entries. `cursor` is what the page before returned; entries are kept for
    /// `kept`.
    pub async fn log_page(
        &self,
        filter: &LogFilter,
        cursor: Option<&str>,
        limit: usize,
        kept: Duration,
        now: Timestamp,
    ) -> Result<LogPage, Error> {
        let oldest = filter.from.map_or(now - kept, |from| from.max(now - kept));
        let to = filter.to.map_or_else(|| AFTER_ALL.to_owned(), time::sortable);
        let before = cursor.map_or(to.clone(), |cursor| to.min(cursor.to_owned()));
        let mut reader = Reader::new(self, filter.sku.as_ref(), before, oldest, now);
        let (mut entries, mut looked_at, mut counts) = (Vec::new(), 0, 0);
        while let Some(item) = reader.next().await? {
            looked_at += 1;
            let position = string_of(&item, "entry").cloned();
            let found = read_each([item], read_entry).into_iter().filter(|entry| filter.lets_through(entry));
            for entry in found {
                counts += entry.tally.automations.iter().map(|tally| 1 + tally.conditions.len()).sum::<usize>();
                entries.push(entry);
            }
            if entries.len() >= limit || looked_at >= MAX_LOOKED_AT || counts >= MAX_COUNTS {
                return Ok(LogPage { entries, next: position });
            }
        }
        Ok(LogPage { entries, next: None })
    }
}

/// Levels that covered a subscription, newest first.
pub struct LevelsMet {
    pub levels: Vec<(LogKey, LogEntry)>,
    /// Where the next ones are looked for, if there may be more.
    pub next: Option<String>,
}

impl Store {
    /// Returns at most `limit` levels that found subscribers and covered this one, received since `from`. `before` is
    /// the last entry that may be among them, or a moment as [`time::sortable`] writes it.
    pub async fn levels_met(
        &self,
        subscription: &Subscription,
        from: Timestamp,
        before: Option<&str>,
        limit: usize,
    ) -> Result<LevelsMet, Error> {
        let sku = &subscription.sku;
        let (from, before) = (time::sortable(from), before.unwrap_or(AFTER_ALL).to_owned());
        // DynamoDB refuses a range that ends before it begins.
        if before < from {
            return Ok(LevelsMet { levels: Vec::new(), next: None });
        }
        let range = Range::Between(from, before);
        let mut query =
            Query { range, newest_first: true, limit: Some(PAGE), ..Query::of(TABLE, subscription.sku.as_str()) };
        let (mut levels, mut looked_at) = (Vec::new(), 0);
        loop {
            let found = self.database.query(query.clone()).await?;
            for item in found.items.into_iter().filter(|item| !counts_mails(item)) {
                looked_at += 1;
                let entry = string_of(&item, "entry").cloned().unwrap_or_default();
                let covers = |level: &LogEntry| {
                    Scope::of(level.locale.clone(), level.external_id.clone())
                        .covers(&subscription.locale, subscription.external_id.as_ref())
                };
                let level = read_each([item], read_entry).into_iter().find(covers);
                levels.extend(level.map(|level| (LogKey { sku: sku.clone(), entry: entry.clone() }, level)));
                if levels.len() >= limit || looked_at >= MAX_LOOKED_AT {
                    return Ok(LevelsMet { levels, next: Some(entry) });
                }
            }
            query.after = found.next;
            if query.after.is_none() {
                return Ok(LevelsMet { levels, next: None });
            }
        }
    }
}

impl LogFilter {
    fn lets_through(&self, entry: &LogEntry) -> bool {
        let wanted = |counts: &&AutomationTally| self.automation.as_ref().is_none_or(|id| counts.id == *id);
        let mut asked = entry.tally.automations.iter().filter(wanted).peekable();
        let has_mailed = |wanted: &AutomationId| entry.mailed_by.keys().any(|(id, _)| id == wanted);
        let locale_fits = self.locale.as_ref().is_none_or(|locale| entry.locale.as_ref() == Some(locale));
        let automation_fits = self.automation.as_ref().is_none_or(|id| asked.peek().is_some() || has_mailed(id));
        let outcome_fits = match self.outcome.as_deref() {
            None => true,
            Some("sent") => asked.any(|counts| counts.sent > 0),
            Some("refused") => asked.any(|counts| counts.refused > 0),
            Some(word) => {
                entry.tally.skipped.contains_key(word) || entry.mails.get(word).is_some_and(|count| *count > 0)
            }
        };
        locale_fits && automation_fits && outcome_fits
    }
}

/// Goes back through the entries of one SKU, or month by month through those of all.
struct Reader<'a> {
    store: &'a Store,
    oldest: String,
    /// The partitions that are left, the newest last.
    partitions: Vec<Query>,
    read: std::vec::IntoIter<Item>,
}

impl<'a> Reader<'a> {
    fn new(store: &'a Store, sku: Option<&Sku>, before: String, oldest: Timestamp, now: Timestamp) -> Self {
        let oldest = time::sortable(oldest);
        let newest = before.as_str().min(&time::sortable(now)).to_owned();
        let newest_first =
            |all| Query { range: Range::Before(before.clone()), newest_first: true, limit: Some(PAGE), ..all };
        let partitions = match sku {
            Some(sku) => vec![newest_first(Query::of(TABLE, sku.as_str()))],
            None => {
                let (oldest, newest) = (month(&oldest), month(&newest));
                let months = months(&oldest, &newest);
                months.map(|month| newest_first(Query::of_index(TABLE, Index::ByMonth, month))).collect()
            }
        };
        Self { store, oldest, partitions, read: Vec::new().into_iter() }
    }

    async fn next(&mut self) -> Result<Option<Item>, Error> {
        loop {
            if let Some(item) = self.read.next() {
                let is_wanted = string_of(&item, "entry").is_some_and(|entry| *entry >= self.oldest);
                return Ok(is_wanted.then_some(item));
            }
            let Some(mut query) = self.partitions.pop() else { return Ok(None) };
            let found = self.store.database.query(query.clone()).await?;
            let entries = found.items.into_iter().filter(|item| !counts_mails(item));
            self.read = self.store.with_mails(entries.collect()).await?.into_iter();
            if found.next.is_some() {
                query.after = found.next;
                self.partitions.push(query);
            }
        }
    }
}

/// Returns the months from one to the other, such as `2025-12` and `2026-01`.
fn months(oldest: &str, newest: &str) -> impl Iterator<Item = String> {
    let number = |month: &str| {
        let (year, month) = month.split_once('-')?;
        Some(year.parse::<u32>().ok()? * 12 + month.parse::<u32>().ok()?.checked_sub(1)?)
    };
    let (first, last) = (number(oldest).unwrap_or(1), number(newest).unwrap_or(0));
    (first..=last).map(|month| format!("{:04}-{:02}", month / 12, month % 12 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_all_skus_is_walked_over_the_turn_of_a_year() {
        assert_eq!(months("2025-11", "2026-01").collect::<Vec<_>>(), ["2025-11", "2025-12", "2026-01"]);
        assert_eq!(months("2026-01", "2025-12").count(), 0);
    }
}
