//! `GET /inventory/backinstock/log`

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use restock_domain::automation::{AutomationTally, ExplainedTally};
use restock_domain::{AutomationId, Invalid, Locale, Sku, time};
use restock_http::{Call, Problem, Reply};
use restock_store::{LogEntry, LogFilter, Store};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

const USUAL_LIMIT: usize = 50;
const MOST_ENTRIES: usize = 100;

pub struct App {
    pub store: Store,
    /// How long entries are kept.
    pub log_kept: Duration,
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownPage {
    pub entries: Vec<ShownEntry>,
    /// Gets the next page; the last one has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What became of a stock level.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownEntry {
    #[serde(flatten)]
    pub entry: LogEntry,
    /// How many subscriptions the level triggered.
    pub matched: u64,
    /// Those that no automation took, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Each automation that was asked, in the order of asking.
    pub automations: Vec<ExplainedTally>,
}

impl App {
    /// What became of each stock level that met demand, newest first, as far as the filters of the query let it through.
    pub async fn handle(&self, call: Call) -> Result<Reply, Problem> {
        let filter = LogFilter {
            sku: call.parsed_query("sku", Sku::parse)?,
            locale: call.parsed_query("locale", Locale::parse)?,
            automation: call.parsed_query("automation", AutomationId::parse)?,
            outcome: call.parsed_query("outcome", outcome)?,
            from: call.parsed_query("from", moment)?,
            to: call.parsed_query("to", moment)?,
        };
        let limit = call.parsed_query("limit", |raw| restock_http::limit(raw, MOST_ENTRIES))?.unwrap_or(USUAL_LIMIT);
        let cursor = call.parsed_query("cursor", cursor)?;

        let page = self.store.log_page(&filter, cursor.as_deref(), limit, self.log_kept, Timestamp::now()).await?;
        let cursor = page.next.map(|next| URL_SAFE_NO_PAD.encode(next));
        Reply::ok(&ShownPage { entries: self.explained(page.entries).await?, cursor })
    }

    /// Entries with the names and conditions of the automations that decided.
    async fn explained(&self, entries: Vec<LogEntry>) -> Result<Vec<ShownEntry>, Problem> {
        let counts = entries.iter().flat_map(|entry| &entry.tally.automations);
        let versions = counts.map(|counts| (counts.id.clone(), counts.version)).collect();
        let decided = self.store.automation_versions(&versions).await?;
        let explained = entries.into_iter().map(|entry| {
            let counts = entry.tally.automations.iter();
            let explain =
                |counts: &AutomationTally| Some(counts.explain(decided.get(&(counts.id.clone(), counts.version))?));
            let automations = counts.filter_map(explain).collect();
            let (matched, skipped) = (entry.tally.matched, entry.tally.skipped.clone());
            ShownEntry { entry, matched, skipped, automations }
        });
        Ok(explained.collect())
    }
}

fn moment(raw: &str) -> Result<Timestamp, Invalid> {
    time::moment(raw).ok_or_else(|| {
        Invalid::new("InvalidTimestamp", "Use a time such as 2026-11-23T08:30:00Z, or a date such as 2026-11-23.")
    })
}

fn outcome(raw: &str) -> Result<String, Invalid> {
    let known = LogFilter::outcomes().any(|word| word == raw);
    known.then(|| raw.to_owned()).ok_or_else(|| {
        let words: Vec<&str> = LogFilter::outcomes().collect();
        Invalid::new("InvalidOutcome", format!("Use one of {}.", words.join(", ")))
    })
}

fn cursor(raw: &str) -> Result<String, Invalid> {
    let entry = URL_SAFE_NO_PAD.decode(raw).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    // A key of DynamoDB has at most 1,024 bytes.
    let entry = entry.filter(|entry| {
        entry.len() <= 1_024 && entry.split('#').next().is_some_and(|at| at.parse::<Timestamp>().is_ok())
    });
    entry.ok_or_else(|| Invalid::new("InvalidCursor", "Use the cursor of the page before as it is."))
}
