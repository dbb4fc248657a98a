//! Product feeds and their imports.

use crate::operation::Operation;
use crate::payload::{self, Body};
use crate::schema::{Described, Schemas, of, of_type};
use crate::values::WebAddress;
use crate::wire::{Read, string};
use crate::{FieldError, KeyScope, Moment, Problem, answer, body, endpoints};
use jiff::Timestamp;
use restock_domain::{Currency, ErrorCode, FeedSchedule, FeedWarning, ImportStatus, Invalid, Locale};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
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
    ImportFeed("importFeed"): Post "/feeds/{locale}/imports" ? {
            "allowShrink": Option<bool>, "Import even if most stored products are missing.";
        }, "start-feed-import", WRITE,
        FeedFile => 202 StartedImport, "The import is queued.",
        |operation| operation
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
        /// The user name that the URL's server asks for (HTTP Basic). It is shown; it goes to no other server.
        pub user: Option<Credential>,
        /// The password that goes with it. It is never shown, so send it again with every change of the feed.
        pub password: Option<Credential>,
        /// How often the feed is fetched: a period from 15 minutes to a day (`PT15M`, `6 hours`), or `none`. Hourly by
        /// default, if there is a URL.
        pub schedule: Option<Schedule>,
    }
    // What is shown may be sent back as it is.
    strict ["locale", "lastImport", "lastSucceededOn", "failures", "warning"]
}

/// How often a feed is fetched; `None` if only when somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct Schedule(pub Option<FeedSchedule>);

const NO_SCHEDULE: &str = "none";

impl Read for Schedule {
    const IS_TEXT: bool = true;

    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        string(value, |raw| match raw.trim() {
            NO_SCHEDULE => Ok(Self(None)),
            period => FeedSchedule::parse(period).map(|schedule| Self(Some(schedule))),
        })
    }
}

impl Described for Schedule {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::String).examples([json!("PT1H"), json!(NO_SCHEDULE)]))
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_str(NO_SCHEDULE),
            Some(schedule) => serializer.collect_str(&schedule),
        }
    }
}

/// A user name or a password.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Credential(pub String);

const MAX_CREDENTIAL_CHARACTERS: usize = 500;

/// Shows nothing, so that no log has a password.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

impl Read for Credential {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        string(value, |raw| {
            let usable =
                (1..=MAX_CREDENTIAL_CHARACTERS).contains(&raw.chars().count()) && !raw.contains(char::is_control);
            let message = "Use 1 to 500 characters without line breaks.";
            if usable { Ok(Self(raw.to_owned())) } else { Err(Invalid::new(ErrorCode::InvalidCredential, message)) }
        })
    }
}

impl Described for Credential {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::String).min_length(Some(1)).max_length(Some(MAX_CREDENTIAL_CHARACTERS)))
    }
}

impl FeedSettings {
    /// Returns what is wrong with the settings together.
    fn misfit(&self) -> Option<FieldError> {
        let error = |pointer: &str, message: &str| {
            Some(FieldError::new(pointer, Invalid::new(ErrorCode::InvalidCredential, message)))
        };
        if let (None, Some(Schedule(Some(_)))) = (&self.url, self.schedule) {
            let message = "Say with url what to fetch. A feed that is uploaded has no schedule.";
            return Some(FieldError::new("/schedule", Invalid::new(ErrorCode::InvalidSchedule, message)));
        }
        match (&self.url, &self.user, &self.password) {
            (None, Some(_), _) => error("/user", "Say with url whose user this is."),
            (_, None, Some(_)) => error("/password", "Say with user whose password this is."),
            // HTTP Basic ends the name with the first colon (RFC 7617).
            (_, Some(Credential(user)), _) if user.contains(':') => error("/user", "A user name has no colon."),
            _ => None,
        }
    }
}

/// [`FeedSettings`], or no body, which stands for an empty object.
pub struct OptionalFeedSettings(pub FeedSettings);

impl Body for OptionalFeedSettings {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        let body = if bytes.is_empty() { json!({}) } else { payload::json(content_type, bytes)? };
        let settings = FeedSettings::read(body)?;
        match settings.misfit() {
            None => Ok(Self(settings)),
            Some(error) => Err(vec![error].into()),
        }
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json_body::<FeedSettings>()
    }
}

/// A feed that is uploaded, with its content type; `None` to fetch the feed's URL.
pub struct FeedFile(pub Option<(String, Vec<u8>)>);

/// The types of a feed's file.
const FEED_TYPES: [&str; 4] = ["application/xml", "text/csv", "text/tab-separated-values", "application/x-ndjson"];
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
        /// Who fetches it, if its server asks for that.
        pub user: Option<String>,
        pub schedule: Schedule,
        pub last_import: Option<Import>,
        /// When an import last succeeded.
        pub last_succeeded_on: Option<Moment>,
        /// Imports that failed since then.
        pub failures: u64,
        /// `failing` if three imports in a row have failed, or one of a feed that is imported less often than hourly;
        /// `mostlyRejected` if more items of the last file were rejected than can be used, so that their products are
        /// gone; `tooOld` if none has succeeded for an hour more than three times as long as the schedule says. An
        /// alarm tells the operator too.
        pub warning: Option<FeedWarning>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct Import {
        pub id: String,
        pub status: ImportStatus,
        pub started_at: Moment,
        pub finished_at: Option<Moment>,
        /// What the file holds: `imported` + `unchanged` + `rejected`. While it runs, as far as it was read.
        pub items: u64,
        /// New or changed.
        pub imported: u64,
        pub unchanged: u64,
        /// Was stored before, and is no longer in the file, or has a form there that can't be used.
        pub removed: u64,
        pub rejected: u64,
        /// How many items are used although a part of them was left out.
        pub incomplete: u64,
        /// The first 100; those of rejected items go before the others.
        pub errors: Vec<ImportError>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct ImportError {
        /// The item's place in the file, from 1; 0 where the file as a whole is meant.
        pub position: u64,
        pub sku: Option<String>,
        pub error_code: ErrorWord,
        pub message: String,
    }
}

/// A word of [`ErrorCode`], as it was when the file was read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct ErrorWord(pub(crate) String);

impl Described for ErrorWord {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        ErrorCode::schema(schemas)
    }
}

answer! {
    /// `lastImport` of the feed shows how it goes.
    #[derive(Debug)]
    pub struct StartedImport {
        pub import_id: String,
    }
}

impl Feed {
    /// Returns a feed as it is shown at a moment.
    pub fn at(now: Timestamp, feed: restock_domain::Feed) -> Self {
        let warning = feed.warning(now);
        let restock_domain::Feed {
            locale,
            url,
            currency,
            user,
            schedule,
            last_import,
            last_succeeded_on,
            failures,
            ..
        } = feed;
        Self {
            locale,
            url,
            currency: currency.map(|currency| currency.as_str().to_owned()),
            user,
            schedule: Schedule(schedule),
            last_import: last_import.map(Import::from),
            last_succeeded_on: last_succeeded_on.map(Moment),
            failures,
            warning,
        }
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
            incomplete: import.incomplete,
            errors: import.errors.into_iter().map(ImportError::from).collect(),
        }
    }
}

impl From<restock_domain::ImportError> for ImportError {
    fn from(error: restock_domain::ImportError) -> Self {
        let restock_domain::ImportError { position, sku, error_code, message } = error;
        Self { position, sku, error_code: ErrorWord(error_code), message }
    }
}
