use crate::database::{Action, Condition, Item, Table, Write, Written};
use crate::{Error, Store, number, string_of, text, texts};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use restock_domain::automation::Tally;
use restock_domain::{ExternalId, Locale, Scope, Sku, Source, time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

const TABLE: Table = Table::Log;

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

/// One entry as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
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
    /// What was decided; `read-log` shows it with names.
    #[serde(skip)]
    pub tally: Tally,
    /// How the mails went, by outcome: `accepted`, `failed`, or why one was not sent after all.
    pub mails: BTreeMap<String, i64>,
}

/// What an entry says of its level.
pub struct LoggedLevel<'a> {
    pub source: Source,
    pub scope: &'a Scope,
    pub quantity: i64,
    /// How long the entry is kept.
    pub kept: Duration,
}

impl LoggedLevel<'_> {
    fn facts(&self, key: &LogKey) -> Vec<Action> {
        let received: Timestamp = key.entry.split('#').next().and_then(|at| at.parse().ok()).unwrap_or_default();
        let source = match self.source {
            Source::Http => "http",
            Source::Queue => "queue",
        };
        let mut facts = vec![
            Action::set("source", text(source)),
            Action::set("quantity", number(self.quantity)),
            Action::set("month", text(month(&key.entry))),
            Action::set("expiresAt", number((received + self.kept).as_second())),
        ];
        facts.extend(self.scope.locale().map(|locale| Action::set("locale", text(locale.as_str()))));
        facts.extend(self.scope.external_id().map(|id| Action::set("externalId", text(id.as_str()))));
        facts
    }
}

impl Store {
    /// Adds what became of one page of a level's matches. The pages of a level are added in their order and each once: a
    /// second pass after a redelivery finds fewer subscriptions, as some are used up by then.
    pub async fn log_matches(
        &self,
        key: &LogKey,
        level: &LoggedLevel<'_>,
        page: u32,
        tally: &Tally,
    ) -> Result<(), Error> {
        // Somebody who has the same message may be faster, but hardly so often.
        for _ in 0..5 {
            let logged = self.get(TABLE, item_key(key)).await?;
            let (mut whole, last) = logged.as_ref().map_or_else(Default::default, read_tally);
            if last.is_some_and(|last| last >= page) {
                return Ok(());
            }
            whole.merge(tally.clone());
            let mut actions = level.facts(key);
            actions.push(Action::set("tally", text(serde_json::json!(whole).to_string())));
            actions.push(Action::set("lastPage", number(page.into())));
            let unchanged = match last {
                None => Condition::Missing("lastPage"),
                Some(last) => Condition::Is("lastPage", number(last.into())),
            };
            if let Written::Done(_) =
                self.database.write(Write::update(TABLE, item_key(key), actions).when(unchanged)).await?
            {
                return Ok(());
            }
        }
        Err(Error::Unprocessed { operation: "an entry of the log" })
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
}

fn item_key(key: &LogKey) -> Item {
    texts([("sku", key.sku.as_str()), ("entry", &key.entry)])
}

/// The partition of `by-month`, from the beginning of an entry: `2026-11`.
pub(crate) fn month(entry: &str) -> String {
    entry.get(..7).unwrap_or_default().to_owned()
}

pub(crate) fn read_entry(item: Item) -> Option<LogEntry> {
    let words = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let mut mails = BTreeMap::new();
    for (name, value) in &item {
        if let (Some(outcome), AttributeValue::N(count)) = (name.strip_prefix("mails."), value) {
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
        tally: read_tally(&item).0,
        mails,
    })
}

/// What was added up so far, and up to which page.
fn read_tally(item: &Item) -> (Tally, Option<u32>) {
    let tally = string_of(item, "tally").and_then(|tally| serde_json::from_str(tally).ok()).unwrap_or_default();
    (tally, item.get("lastPage").and_then(|page| page.as_n().ok()?.parse().ok()))
}
