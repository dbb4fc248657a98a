//! Imports of files of stock levels that are fetched, and how far they are.

use crate::database::{Consistency, Item, TableCondition, Write};
use crate::feeds::ErrorItem;
use crate::item::{EXPIRES_AT, damaged, number, string_of, text, texts};
use crate::{Error, Store, keyspace};
use jiff::Timestamp;
use restock_domain::{ImportError, ImportStatus, StockImport, time};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const TABLE: keyspace::Uploads = keyspace::Uploads;
const IMPORT: &str = "import";
/// How long an import is shown.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// As long as an `Idempotency-Key` is known.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// The form in which an import is stored, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StockImportItem {
    status: ImportStatus,
    #[serde(with = "time::rfc3339")]
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    lines: u64,
    accepted: u64,
    rejected: u64,
    errors: Vec<ErrorItem>,
}

fn key(id: &str) -> Item {
    texts([("upload", &format!("stock-import#{id}")), ("part", "0")])
}

impl Store {
    /// Writes an import that is asked for, unless the same was asked for within a day: it may have been carried out.
    pub async fn begin_stock_import(&self, import: &StockImport) -> Result<(), Error> {
        let a_day_ago = number((import.started_at + KEPT - A_DAY).as_second());
        let old = vec![TableCondition::Missing(IMPORT), TableCondition::AtMost(EXPIRES_AT, a_day_ago)];
        self.write_stock_import(import, TableCondition::Any(old)).await
    }

    /// Writes how far an import is.
    pub async fn put_stock_import(&self, import: &StockImport) -> Result<(), Error> {
        self.write_stock_import(import, TableCondition::Always).await
    }

    async fn write_stock_import(&self, import: &StockImport, condition: TableCondition) -> Result<(), Error> {
        let StockImport { id, status, started_at, finished_at, lines, accepted, rejected, errors } = import.clone();
        let errors = errors.into_iter().map(ErrorItem::from).collect();
        let item = StockImportItem { status, started_at, finished_at, lines, accepted, rejected, errors };
        let mut attributes = Item::new();
        attributes.insert(IMPORT.into(), text(serde_json::json!(item).to_string()));
        attributes.insert(EXPIRES_AT.into(), number((started_at + KEPT).as_second()));
        self.database.write(Write::put(TABLE, key(&id), attributes).when(condition)).await.map(drop)
    }

    /// Returns an import; `None` if there is none with this id, or not any more.
    pub async fn stock_import(&self, id: &str) -> Result<Option<StockImport>, Error> {
        let found = self.batch_get_as(TABLE, vec![key(id)], Consistency::Strong).await?;
        let Some(item) = found.into_iter().next() else { return Ok(None) };
        let stored = string_of(&item, IMPORT).ok_or_else(|| damaged(TABLE, &item, "import is missing"))?;
        let stored: StockImportItem = serde_json::from_str(stored).map_err(|error| damaged(TABLE, &item, error))?;
        let StockImportItem { status, started_at, finished_at, lines, accepted, rejected, errors } = stored;
        let (id, errors) = (id.to_owned(), errors.into_iter().map(ImportError::from).collect());
        Ok(Some(StockImport { id, status, started_at, finished_at, lines, accepted, rejected, errors }))
    }
}
