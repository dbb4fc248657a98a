//! Product feeds and their imports.

use crate::openapi::Operation;
use crate::payload::{self, Body};
use crate::schema::{Described, Schemas, of, of_type};
use crate::wire::{Read, string};
use crate::{FieldError, KeyScope, Moment, Problem, answer, body, endpoints};
use restock_domain::{Currency, ErrorCode, ImportStatus, Invalid, Locale};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{RefOr, Schema};

const READ: Option<KeyScope> = Some(KeyScope::ReadFeeds);
const WRITE: Option<KeyScope> = Some(KeyScope::WriteFeeds);

endpoints! {
    /// All product feeds
    ListFeeds("listFeeds"): Get "/feeds", "show-feeds", READ,
        () => 200 Vec<Feed>, "By locale.";

    /// Show a product feed and its last import
    GetFeed("getFeed"): Get "/feeds/{locale}", "show-feeds", READ,
        () => 200 Feed, "The feed.",
        |operation| operation.problem(404, "The locale has no feed.");

    /// Say where a locale's product feed is
    ConfigureFeed("configureFeed"): Put "/feeds/{locale}", "configure-feed", WRITE,
        OptionalFeedSettings => 200 Feed, "The feed.";

    /// Import a product feed, from its URL or from the body
    ImportFeed("importFeed"): Post "/feeds/{locale}/imports", "start-feed-import", WRITE,
        FeedFile => 202 StartedImport, "The import is queued.",
        |operation| operation
            .query::<bool>("allowShrink", "Import even if most stored products are missing.")
            .problem(404, "The locale has no feed, and the body none either.")
            .problem(409, "The feed has no URL.");
}

body! {
    #[derive(Debug)]
    pub struct FeedSettings {
        /// Where the feed is fetched; without it, the feed is uploaded.
        pub url: Option<WebAddress>,
        /// The currency of prices that say none, or whose sign several share: `199.00`, `199 kr`.
        pub currency: Option<Currency>,
    }
}

/// [`FeedSettings`], or no body, which stands for an empty object.
pub struct OptionalFeedSettings(pub FeedSettings);

impl Body for OptionalFeedSettings {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        let body = if bytes.is_empty() { json!({}) } else { payload::json(content_type, bytes)? };
        Ok(Self(FeedSettings::read(body)?))
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json_body::<FeedSettings>()
    }
}

/// An http or https URL without user name and password.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct WebAddress(pub String);

const MAX_URL_CHARACTERS: usize = 2_000;

impl Read for WebAddress {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        string(value, |raw| {
            let invalid = || {
                let message = "Use an http or https URL of at most 2,000 characters, without user name or password.";
                Invalid::new(ErrorCode::InvalidUrl, message)
            };
            let url = Url::parse(raw.trim()).map_err(|_| invalid())?;
            let usable = matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && raw.len() <= MAX_URL_CHARACTERS;
            if usable { Ok(Self(url.into())) } else { Err(invalid()) }
        })
    }
}

impl Described for WebAddress {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::String).max_length(Some(MAX_URL_CHARACTERS)))
    }
}

impl Read for Currency {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        string(value, |raw| {
            let invalid = || Invalid::new(ErrorCode::InvalidCurrency, "Use an ISO 4217 code such as SEK.");
            Currency::parse(raw.trim()).ok_or_else(invalid)
        })
    }
}

impl Described for Currency {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::String).pattern(Some("^[A-Za-z]{3}$")))
    }
}

/// A feed that is uploaded, with its content type; `None` to fetch the feed's URL.
pub struct FeedFile(pub Option<(String, Vec<u8>)>);

/// The types of a feed's file.
const FEED_TYPES: [&str; 3] = ["application/xml", "text/csv", "text/tab-separated-values"];
/// A larger file comes by URL.
pub const MAX_FEED_BYTES: usize = 5 * 1024 * 1024;

impl Body for FeedFile {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if bytes.len() > MAX_FEED_BYTES {
            let detail = "An upload has at most 5 MB. Put a larger file at a URL and configure that.";
            return Err(Problem::too_large(detail));
        }
        Ok(Self(Some((content_type.unwrap_or_default().to_owned(), bytes.to_owned()))))
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.file(&FEED_TYPES, false)
    }
}

answer! {
    /// The product feed of one locale.
    #[derive(Debug)]
    pub struct Feed {
        pub locale: Locale,
        pub url: Option<String>,
        /// Of prices that say none.
        pub currency: Option<String>,
        pub last_import: Option<Import>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct Import {
        pub id: String,
        pub status: ImportStatus,
        pub started_at: Moment,
        pub finished_at: Option<Moment>,
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
}

answer! {
    #[derive(Debug)]
    pub struct ImportError {
        /// The item's place in the file, from 1; 0 where the file as a whole is meant.
        pub position: u64,
        pub sku: Option<String>,
        pub error_code: String,
        pub message: String,
    }
}

answer! {
    /// `lastImport` of the feed shows how it goes.
    #[derive(Debug)]
    pub struct StartedImport {
        pub import_id: String,
    }
}

impl From<restock_domain::Feed> for Feed {
    fn from(feed: restock_domain::Feed) -> Self {
        let restock_domain::Feed { locale, url, currency, last_import } = feed;
        let currency = currency.map(|currency| currency.as_str().to_owned());
        Self { locale, url, currency, last_import: last_import.map(Import::from) }
    }
}

impl From<restock_domain::Import> for Import {
    fn from(import: restock_domain::Import) -> Self {
        Self {
            id: import.id,
            status: import.status,
            started_at: Moment(import.started_at),
            finished_at: import.finished_at.map(Moment),
            items: import.items,
            imported: import.imported,
            unchanged: import.unchanged,
            removed: import.removed,
            rejected: import.rejected,
            errors: import.errors.into_iter().map(ImportError::from).collect(),
        }
    }
}

impl From<restock_domain::ImportError> for ImportError {
    fn from(error: restock_domain::ImportError) -> Self {
        let restock_domain::ImportError { position, sku, error_code, message } = error;
        Self { position, sku, error_code, message }
    }
}
