use super::{Body, Message, ParseError};
use crate::queue::named;
use jiff::Timestamp;
use restock_domain::Locale;
use serde::{Deserialize, Serialize};

/// What the queue of imports carries.
#[derive(Debug, Clone)]
pub enum FeedMessage {
    Import(FeedImport),
    ImportStock(StockFileImport),
    /// Queues an import of each feed that is due by its schedule.
    ImportDue,
}

/// Import a locale's feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedImport {
    pub locale: Locale,
    pub import_id: String,
    /// When it was asked for.
    pub started_at: Timestamp,
    pub source: FeedSource,
    /// Import even if most of the stored products are missing from the file.
    pub allow_shrink: bool,
    /// The feed's schedule asks for it, so a file that has not changed is not read again.
    #[serde(default)]
    pub scheduled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FeedSource {
    Url(String),
    /// An uploaded file, kept under the import's id.
    Upload,
}

/// Fetch a file of stock levels, and put them on their queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockFileImport {
    pub import_id: String,
    pub url: String,
    /// When it was asked for.
    pub started_at: Timestamp,
}

/// The message of the schedule, which asks for the imports that are due.
#[derive(Serialize, Deserialize)]
struct DueImports {}

impl Message for DueImports {
    type Queue = named::FeedImports;
    const TYPE: &'static str = "import-due-feeds";
}

impl Message for FeedImport {
    type Queue = named::FeedImports;
    const TYPE: &'static str = "import-feed";
}

impl Message for StockFileImport {
    type Queue = named::FeedImports;
    const TYPE: &'static str = "import-stock-file";
}

impl FeedMessage {
    pub fn parse(body: &str) -> Result<Self, ParseError> {
        let body = Body::parse(body)?;
        match body.kind() {
            StockFileImport::TYPE => body.read().map(Self::ImportStock),
            DueImports::TYPE => body.read().map(|DueImports {}| Self::ImportDue),
            _ => body.read().map(Self::Import),
        }
    }
}
