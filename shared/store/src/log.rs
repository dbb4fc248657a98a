use crate::database::{Action, Index, Item, Query, Range, Table, Write};
use crate::{Error, Store, number, text, texts};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{ExternalId, Locale, Scope, Skip, Sku, Source, time};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const TABLE: Table = Table::Log;
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
const PAGE: i32 = 50;

/// Names an entry: one for each stock level that met demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogKey {
    pub sku: Sku,
    /// When the level was received and which it was; sorts by time.
    pub entry: String,
}

impl LogKey {
    /// `level_id` tells levels apart that were received in one millisecond.
    pub fn new(sku: Sku, received_at: Timestamp, level_id: &str) -> Self {
        Self { sku, entry: format!("{}#{level_id}", time::sortable(received_at)) }
    }
}

/// What became of one page of matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub matched: u64,
    /// By automation id.
    pub sent: BTreeMap<String, u64>,
    /// By reason.
    pub skipped: BTreeMap<String, u64>,
}

impl Counts {
    pub fn send(&mut self, automation: &str) {
        self.matched += 1;
        *self.sent.entry(automation.to_owned()).or_default() += 1;
    }

    pub fn skip(&mut self, reason: Skip) {
        self.matched += 1;
        *self.skipped.entry(reason.as_str().to_owned()).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.matched += other.matched;
        for (automation, count) in other.sent {
            *self.sent.entry(automation).or_default() += count;
        }
        for (reason, count) in other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
    }
}

/// One entry as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// When the level was received, RFC 3339.
    pub at: String,
    pub source: Source,
    pub sku: Sku,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<Locale>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    pub quantity: i64,
    #[serde(flatten)]
    pub counts: Counts,
    /// How the mails went, by outcome: `accepted`, `failed`, or why one was not sent after all.
    pub mails: BTreeMap<String, i64>,
}

/// Newest first.
pub struct LogPage {
    pub entries: Vec<LogEntry>,
    pub next: Option<String>,
}

impl Store {
    /// Writes down what became of one page of a level's matches. Each page has an attribute of its own and its
    /// first writer wins: a second pass after a redelivery finds fewer subscriptions, as some are used up by then.
    pub async fn log_matches(
        &self,
        key: &LogKey,
        source: Source,
        scope: &Scope,
        quantity: i64,
        page: u32,
        counts: &Counts,
    ) -> Result<(), Error> {
        let counts = serde_dynamo::to_attribute_value(counts).map_err(|source| Error::Item { table: TABLE, source })?;
        let received: Timestamp = key.entry.split('#').next().and_then(|at| at.parse().ok()).unwrap_or_default();
        let source = match source {
            Source::Http => "http",
            Source::Queue => "queue",
        };
        let mut actions = vec![
            Action::set("source", text(source)),
            Action::set("quantity", number(quantity)),
            Action::SetIfMissing(format!("page{page}"), counts),
            Action::set("month", text(month(&key.entry))),
            Action::set("expiresAt", number((received + KEPT).as_second())),
        ];
        actions.extend(scope.locale().map(|locale| Action::set("locale", text(locale.as_str()))));
        actions.extend(scope.external_id().map(|id| Action::set("externalId", text(id.as_str()))));
        self.database.write(Write::update(TABLE, item_key(key), actions)).await.map(drop)
    }

    /// Adds up how mails went. A crash just before it leaves the numbers too low; a message that is retried for one
    /// recipient tells again why others were skipped.
    pub async fn log_mails(&self, key: &LogKey, outcomes: &BTreeMap<&'static str, i64>) -> Result<(), Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let additions = outcomes.iter().map(|(outcome, count)| Action::Add(format!("mails.{outcome}"), *count));
        self.database.write(Write::update(TABLE, item_key(key), additions.collect())).await.map(drop)
    }

    /// A page of the log, of one SKU or of all, newest first. `cursor` is what the page before returned.
    pub async fn log_page(&self, sku: Option<&Sku>, cursor: Option<&str>, now: Timestamp) -> Result<LogPage, Error> {
        match sku {
            Some(sku) => self.log_of_sku(sku, cursor).await,
            None => self.log_of_all(cursor, now).await,
        }
    }

    async fn log_of_sku(&self, sku: &Sku, cursor: Option<&str>) -> Result<LogPage, Error> {
        let query = Query {
            range: Range::Before(cursor.unwrap_or(AFTER_ALL).to_owned()),
            newest_first: true,
            limit: Some(PAGE),
            ..Query::of(TABLE, sku.as_str())
        };
        let found = self.database.query(query).await?;
        let next = found.next.is_some().then(|| entry_of(found.items.last())).flatten();
        Ok(LogPage { entries: found.items.into_iter().filter_map(read_entry).collect(), next })
    }

    /// Walks back month by month, as far as entries are kept.
    async fn log_of_all(&self, cursor: Option<&str>, now: Timestamp) -> Result<LogPage, Error> {
        let before = cursor.unwrap_or(AFTER_ALL);
        let mut items: Vec<Item> = Vec::new();
        let newest = cursor.map_or_else(|| month(&time::sortable(now)), month);
        for month in months_back(&newest, now) {
            let mut query = Query {
                index: Some(Index::ByMonth),
                range: Range::Before(before.to_owned()),
                newest_first: true,
                ..Query::of(TABLE, month)
            };
            // A page of DynamoDB ends after 1 MB, also if it has fewer items than were asked for.
            loop {
                query.limit = Some(PAGE - items.len() as i32);
                let found = self.database.query(query.clone()).await?;
                items.extend(found.items);
                query.after = found.next;
                if query.after.is_none() || items.len() as i32 >= PAGE {
                    break;
                }
            }
            if items.len() as i32 >= PAGE {
                break;
            }
        }
        let next = (items.len() as i32 >= PAGE).then(|| entry_of(items.last())).flatten();
        Ok(LogPage { entries: items.into_iter().filter_map(read_entry).collect(), next })
    }
}

/// Sorts after every entry, which begin with a digit.
const AFTER_ALL: &str = "~";

fn item_key(key: &LogKey) -> Item {
    texts([("sku", key.sku.as_str()), ("entry", &key.entry)])
}

fn entry_of(item: Option<&Item>) -> Option<String> {
    item?.get("entry")?.as_s().ok().cloned()
}

/// The partition of `by-month`, from the beginning of an entry: `2026-11`.
fn month(entry: &str) -> String {
    entry.get(..7).unwrap_or_default().to_owned()
}

/// `newest` and the months before it, until the one in which the oldest kept entry can be.
fn months_back(newest: &str, now: Timestamp) -> Vec<String> {
    let oldest = month(&time::sortable(now - KEPT));
    let mut months = Vec::new();
    let mut current = newest.to_owned();
    while current >= oldest && months.len() < 5 {
        months.push(current.clone());
        let Some((year, month)) =
            current.split_once('-').and_then(|(y, m)| Some((y.parse::<i32>().ok()?, m.parse::<i32>().ok()?)))
        else {
            break;
        };
        current = if month == 1 { format!("{:04}-12", year - 1) } else { format!("{year:04}-{:02}", month - 1) };
    }
    months
}

fn read_entry(item: Item) -> Option<LogEntry> {
    let words = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let mut counts = Counts::default();
    let mut mails = BTreeMap::new();
    for (name, value) in &item {
        if name.starts_with("page") {
            counts.add(serde_dynamo::from_attribute_value(value.clone()).ok()?);
        } else if let (Some(outcome), AttributeValue::N(count)) = (name.strip_prefix("mails."), value) {
            mails.insert(outcome.to_owned(), count.parse().ok()?);
        }
    }
    Some(LogEntry {
        at: words("entry")?.split('#').next()?.to_owned(),
        source: if words("source")? == "http" { Source::Http } else { Source::Queue },
        sku: Sku::parse(&words("sku")?).ok()?,
        locale: words("locale").and_then(|locale| Locale::parse(&locale).ok()),
        external_id: words("externalId").and_then(|id| ExternalId::parse(&id).ok()),
        quantity: item.get("quantity")?.as_n().ok()?.parse().ok()?,
        counts,
        mails,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_all_skus_is_walked_back_over_the_turn_of_a_year() {
        let now: Timestamp = "2026-01-15T00:00:00Z".parse().unwrap();

        assert_eq!(months_back("2026-01", now), ["2026-01", "2025-12", "2025-11", "2025-10"]);
    }
}
