//! Serves `GET /inventory/backinstock/log`.

use jiff::Timestamp;
use restock_api::ErrorCode;
use restock_api::log::{self, DEFAULT_LIMIT, ExplainedTally, LogPage, MAX_ENTRIES, Outcome, ReadLog};
use restock_domain::automation::AutomationTally;
use restock_domain::{AutomationId, Invalid, Locale, LogEntry, Sku, time};
use restock_http::{Call, Failure, Handles, Reply, limit};
use restock_store::{LogFilter, LogKey, Store};
use std::time::Duration;

pub struct App {
    pub store: Store,
    /// How long entries are kept.
    pub log_kept: Duration,
    pub clock: fn() -> Timestamp,
}

/// Shows what became of each stock level that found subscribers, newest first, as far as the filters of the query let
/// it through.
impl Handles<ReadLog> for App {
    async fn handle(&self, call: Call, (): ()) -> Result<Reply<ReadLog>, Failure> {
        let filter = LogFilter {
            sku: call.parsed_query("sku", Sku::parse)?,
            locale: call.parsed_query("locale", Locale::parse)?,
            automation: call.parsed_query("automation", AutomationId::parse)?,
            outcome: call.parsed_query("outcome", outcome)?,
            from: call.parsed_query("from", moment)?,
            to: call.parsed_query("to", moment)?,
        };
        let limit = call.parsed_query("limit", |raw| limit(raw, MAX_ENTRIES))?.unwrap_or(DEFAULT_LIMIT);
        let is_entry = |position: &str| LogKey::received_at(position).is_some();
        let cursor = call.position(is_entry)?;

        let page = self.store.log_page(&filter, cursor.as_deref(), limit, self.log_kept, (self.clock)()).await?;
        let cursor = page.next.map(|next| call.to_cursor(&next));
        Ok(Reply::new(LogPage { entries: self.explained(page.entries).await?, cursor }))
    }
}

impl App {
    /// Returns entries with the names and conditions of the automations that decided.
    async fn explained(&self, entries: Vec<LogEntry>) -> Result<Vec<log::LogEntry>, Failure> {
        let counts = entries.iter().flat_map(|entry| &entry.tally.automations);
        let versions = counts.map(|counts| (counts.id.clone(), counts.version)).collect();
        let decided = self.store.automation_versions(&versions).await?;
        let explained = entries.into_iter().map(|entry| {
            let counts = entry.tally.automations.iter();
            let explain = |counts: &AutomationTally| {
                Some(ExplainedTally::of(counts, decided.get(&(counts.id.clone(), counts.version))?))
            };
            let automations = counts.filter_map(explain).collect();
            log::LogEntry::of(entry, automations)
        });
        Ok(explained.collect())
    }
}

fn moment(raw: &str) -> Result<Timestamp, Invalid> {
    // A plus that is not escaped comes as a space.
    time::moment(raw).or_else(|| time::moment(&raw.replace(' ', "+"))).ok_or_else(|| {
        let message = "Use a time such as 2026-11-23T08:30:00Z, or a date such as 2026-11-23.";
        Invalid::new(ErrorCode::InvalidTimestamp, message)
    })
}

fn outcome(raw: &str) -> Result<String, Invalid> {
    let known = Outcome::all().any(|word| word == raw);
    known.then(|| raw.to_owned()).ok_or_else(|| {
        let words: Vec<&str> = Outcome::all().collect();
        Invalid::new(ErrorCode::InvalidOutcome, format!("Use one of {}.", words.join(", ")))
    })
}
