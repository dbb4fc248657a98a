//! Product feeds, and the imports that bring stored products to what a feed has.

use crate::{Currency, ErrorCode, Locale, time};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::VariantNames;

/// The product feed of one locale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    pub locale: Locale,
    pub url: Option<String>,
    /// Of prices that say none.
    pub currency: Option<Currency>,
    /// The user name that the URL's server asks for; its password is kept apart.
    pub user: Option<String>,
    pub last_import: Option<Import>,
}

impl Feed {
    /// Returns true if it was imported less than so long ago.
    pub fn fresh_at(&self, now: Timestamp, within: Duration) -> bool {
        let finished = self.last_import.as_ref().filter(|import| import.status == ImportStatus::Succeeded);
        finished.and_then(|import| import.finished_at).is_some_and(|finished| finished + within >= now)
    }
}

/// One import of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub id: String,
    pub status: ImportStatus,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// What the file holds: `imported` + `unchanged` + `rejected`.
    pub items: u64,
    /// New or changed.
    pub imported: u64,
    pub unchanged: u64,
    /// Stored before, and no longer in the file.
    pub removed: u64,
    pub rejected: u64,
    /// The first 100.
    pub errors: Vec<ImportError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ImportStatus {
    Running,
    Succeeded,
    Failed,
}

/// Something of a file that was not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    /// The item's place in the file, from 1; 0 where the file as a whole is meant.
    pub position: u64,
    pub sku: Option<String>,
    /// A word of [`ErrorCode`].
    pub error_code: String,
    pub message: String,
}

impl Import {
    /// Returns an import that has just been asked for.
    pub fn running(id: String, started_at: Timestamp) -> Self {
        Self {
            id,
            status: ImportStatus::Running,
            started_at: time::to_millisecond(started_at),
            finished_at: None,
            items: 0,
            imported: 0,
            unchanged: 0,
            removed: 0,
            rejected: 0,
            errors: Vec::new(),
        }
    }
}

impl ImportError {
    pub fn new(position: u64, sku: Option<String>, error_code: ErrorCode, message: String) -> Self {
        Self { position, sku, error_code: error_code.as_str().to_owned(), message }
    }
}
