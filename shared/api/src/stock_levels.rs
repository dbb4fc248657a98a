//! Stock levels: what a shop or a warehouse says, and what a level would do.

use crate::feeds::ErrorWord;
use crate::lines::MAX_ERRORS;
use crate::log::{ExplainedRefusal, ExplainedTally};
use crate::operation::Operation;
use crate::payload::{self, Body, summary};
use crate::schema::{Described, Schemas, words};
use crate::stock_file::RejectedLine;
use crate::stock_level::StockLevel;
use crate::subscriptions::Subscription;
use crate::values::WebAddress;
use crate::wire::Read;
use crate::{Errors, KeyScope, LineError, Moment, Problem, StockFile, answer, body, endpoints};
use restock_domain::waves::{Forecast, PolicyOwner};
use restock_domain::{AutomationId, ContactId, ErrorCode, ExternalId, ImportStatus, Locale, Sku};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use strum::VariantNames;
use utoipa::openapi::schema::ArrayBuilder;
use utoipa::openapi::{RefOr, Schema};

/// What a mail costs, in hundredths of a millionth of a US dollar, as docs/performance.md adds it up ("What a million
/// mails cost"): SES, and all else.
pub const SES_COST: u64 = 10_000;
pub const OTHER_COST: u64 = 582;

const WRITE: Option<KeyScope> = Some(KeyScope::WriteStockLevels);

endpoints! {
    /// Tell a stock level
    UpdateStockLevel("updateStockLevel"): Put "/inventory/stock-levels", "update-stock-levels", WRITE,
        StockLevel => 202 AcceptedLevels, "The level is safe on the queue.",
        |operation| operation.once();

    /// Tell several stock levels
    UpdateStockLevels("updateStockLevels"): Put "/inventory/stock-levels/batch", "update-stock-levels", WRITE,
        StockLevels => 202 AcceptedLevels, "The valid levels are safe on the queue; the others are listed.",
        |operation| operation.once();

    /// Tell the stock levels of a file, which is the body or is fetched from a URL
    ImportStockLevels("importStockLevels"): Post "/inventory/stock-levels/imports", "update-stock-levels", WRITE,
        StockUpload => 202 ImportedLevels, "Of a body, the valid levels are safe on the queue, and the others are listed. Of a URL, the import is.",
        |operation| operation.once();

    /// Show how far the import of a file of stock levels is that is fetched from a URL
    ShowStockImport("showStockImport"): Get "/inventory/stock-levels/imports/{importId}", "show-stock-levels", WRITE,
        () => 200 StockImport, "The import. It is shown for a week.",
        |operation| operation.problem(404, "There is no such import.");

    /// Show what is known of a SKU's stock
    ShowStockLevels("showStockLevels"): Get "/inventory/stock-levels" ? {
            "sku": Sku, "Which SKU.";
        }, "show-stock-levels", Some(KeyScope::ReadLog),
        () => 200 KnownLevels, "The newest level of each scope.";

    /// Explain what a stock level would do, without doing it
    DryRunStockLevel("dryRunStockLevel"):
        Post "/inventory/stock-levels/dry-run" ? {
            "contactId": Option<ContactId>, "Whose subscriptions are among the examples and come first, with what is decided about them even if the level would do nothing. Needs the scope read-contacts.";
        }, "dry-run-stock-level", Some(KeyScope::ReadLog),
        StockLevel => 200 DryRun, "Nothing was changed.",
        |operation| operation.problem(404, "There is no such contact.");
}

body! {
    /// A file of stock levels that is fetched: a table or JSON lines, plain or packed by gzip.
    #[derive(Debug)]
    pub struct StockFileUrl {
        /// An address that everybody can reach. If it holds a signature, that has to be valid for some minutes.
        pub url: WebAddress,
    }
}

/// A file of stock levels that is the body, or where to fetch one.
#[derive(Debug)]
pub enum StockUpload {
    File(StockFile),
    Url(WebAddress),
}

impl Body for StockUpload {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if content_type.is_some_and(payload::is_json) {
            return StockFileUrl::receive(content_type, bytes).map(|StockFileUrl { url }| Self::Url(url));
        }
        StockFile::receive(content_type, bytes).map(Self::File)
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json_or_file_body(|schemas| schemas.of::<StockFileUrl>(), &StockFile::media_types())
    }
}

/// Limits of a batch.
const MAX_LEVELS: usize = 10_000;
pub(crate) const MAX_BYTES: usize = 5 * 1024 * 1024;

/// A batch of stock levels: those that are valid, and those that are not.
pub struct StockLevels {
    pub valid: Vec<StockLevel>,
    pub rejected: Vec<RejectedLevel>,
}

impl Body for StockLevels {
    fn receive(content_type: Option<&str>, bytes: &[u8]) -> Result<Self, Problem> {
        if StockFile::is_named_by(content_type) {
            return Self::of_file(StockFile::receive(content_type, bytes)?);
        }
        if bytes.len() > MAX_BYTES {
            return Err(Problem::too_large("A request has at most 5 MB. Send several smaller ones."));
        }
        let values = match payload::json(content_type, bytes)? {
            Value::Array(values) => values,
            // Generated clients write an empty list as an empty object.
            Value::Object(map) if map.is_empty() => Vec::new(),
            _ => return Err(Problem::bad_request(ErrorCode::NotAnArray, "Send an array of stock levels.")),
        };
        if values.len() > MAX_LEVELS {
            return Err(too_many());
        }
        let (mut valid, mut rejected, mut errors) = (Vec::with_capacity(values.len()), Vec::new(), Errors::default());
        for (index, value) in values.into_iter().enumerate() {
            match StockLevel::read(value) {
                Ok(level) => valid.push(level),
                Err(found) => {
                    let (error_code, message) = summary(&found);
                    rejected.push(RejectedLevel { index, error_code, message });
                    errors.extend(&format!("/{index}"), found);
                }
            }
        }
        match errors.finish() {
            Err(errors) if valid.is_empty() => {
                let detail = "None of the stock levels is valid. Correct them and send the batch again; errors has the first 100.";
                Err(Problem::bad_request(ErrorCode::NoValidStockLevel, detail).with_errors(errors))
            }
            _ => Ok(Self { valid, rejected }),
        }
    }

    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let batch = |schemas: &mut Schemas| {
            ArrayBuilder::new().items(schemas.of::<StockLevel>()).max_items(Some(MAX_LEVELS)).build()
        };
        operation.json_or_file_body(|schemas| Schema::from(batch(schemas)).into(), &StockFile::media_types())
    }
}

fn too_many() -> Problem {
    Problem::too_large(format!("A batch has at most {MAX_LEVELS} stock levels. Send several smaller ones."))
}

impl StockLevels {
    fn of_file(file: StockFile) -> Result<Self, Problem> {
        let StockFile { valid, rejected } = file;
        if valid.len() + rejected.len() > MAX_LEVELS {
            return Err(too_many());
        }
        let rejected = rejected.into_iter().map(|RejectedLine { index, error, .. }| {
            let LineError { error_code, message, .. } = error;
            RejectedLevel { index, error_code, message }
        });
        Ok(Self { valid, rejected: rejected.collect() })
    }
}

answer! {
    /// The levels that are safe on the queue, and those that are not.
    #[derive(Debug)]
    pub struct AcceptedLevels {
        pub accepted: usize,
        pub rejected: Vec<RejectedLevel>,
    }
}

answer! {
    /// The levels of a file that are safe on the queue, and the lines that are not.
    #[derive(Debug)]
    pub struct ImportedLevels {
        /// Of a file that is fetched: GET /inventory/stock-levels/imports/{importId} tells the counts, which are zero here.
        pub import_id: Option<String>,
        pub accepted: usize,
        pub rejected: u64,
        /// The first hundred lines that were rejected.
        pub errors: Vec<LineError>,
    }
}

impl ImportedLevels {
    pub fn new(accepted: usize, rejected: Vec<RejectedLine>) -> Self {
        let count = rejected.len() as u64;
        Self {
            import_id: None,
            accepted,
            rejected: count,
            errors: rejected.into_iter().take(MAX_ERRORS).map(|line| line.error).collect(),
        }
    }

    /// Returns the answer for a file that will be fetched.
    pub fn started(import_id: String) -> Self {
        Self { import_id: Some(import_id), accepted: 0, rejected: 0, errors: Vec::new() }
    }
}

answer! {
    /// The import of a file of stock levels that is fetched.
    #[derive(Debug)]
    pub struct StockImport {
        pub import_id: String,
        pub status: ImportStatus,
        pub started_at: Moment,
        pub finished_at: Option<Moment>,
        /// Lines that were read so far.
        pub lines: u64,
        /// Of these, the levels that are safe on the queue.
        pub accepted: u64,
        pub rejected: u64,
        /// Why the import failed, if it did; then the first hundred lines that were rejected.
        pub errors: Vec<StockLineFault>,
    }
}

impl From<restock_domain::StockImport> for StockImport {
    fn from(import: restock_domain::StockImport) -> Self {
        let restock_domain::StockImport { id, status, started_at, finished_at, lines, accepted, rejected, errors } =
            import;
        let fault = |restock_domain::ImportError { position, error_code, message, .. }| StockLineFault {
            line: position,
            error_code: ErrorWord(error_code),
            message,
        };
        Self {
            import_id: id,
            status,
            started_at: Moment(started_at),
            finished_at: finished_at.map(Moment),
            lines,
            accepted,
            rejected,
            errors: errors.into_iter().map(fault).collect(),
        }
    }
}

answer! {
    /// What is wrong with a line of a file.
    #[derive(Debug)]
    pub struct StockLineFault {
        /// From 1; 0 where the file as a whole is meant.
        pub line: u64,
        pub error_code: ErrorWord,
        pub message: String,
    }
}

answer! {
    /// What is known of a SKU's stock. Levels of a SKU that nobody waits for are not kept.
    #[derive(Debug)]
    pub struct KnownLevels {
        pub sku: Sku,
        /// True if somebody may wait for it. It stays so until a level finds nobody a day after the newest subscriber
        /// or later.
        pub in_demand: bool,
        pub levels: Vec<KnownLevel>,
    }
}

answer! {
    #[derive(Debug)]
    pub struct KnownLevel {
        pub locale: Option<Locale>,
        pub external_id: Option<ExternalId>,
        pub quantity: i64,
        /// The time of the reading; of a level without one, when it was accepted.
        pub updated_on: Moment,
    }
}

impl From<restock_domain::KnownLevel> for KnownLevel {
    fn from(level: restock_domain::KnownLevel) -> Self {
        let restock_domain::KnownLevel { scope, quantity, at, arrival: _, history: _, earlier: _ } = level;
        let (locale, external_id) = (scope.locale().cloned(), scope.external_id().cloned());
        Self { locale, external_id, quantity, updated_on: Moment(at) }
    }
}

answer! {
    #[derive(Debug)]
    pub struct RejectedLevel {
        /// Its place in the batch, from 0.
        pub index: usize,
        pub error_code: ErrorCode,
        pub message: String,
    }
}

answer! {
    /// What a stock level would do.
    #[derive(Debug)]
    pub struct DryRun {
        pub effect: Effect,
        /// What keeps the mails from leaving for now; missing if nothing does. All else is said as if nothing did.
        pub stopped_by: Option<StoppedBy>,
        pub matched: u64,
        /// Subscriptions that no automation would take, by reason.
        pub skipped: BTreeMap<String, u64>,
        pub automations: Vec<ExplainedTally>,
        /// The subscriptions of the contact that was asked about come first, then the hundred oldest. Empty for a key
        /// without the scope `read-contacts`, as what is decided tells of people.
        pub examples: Vec<Example>,
        /// If mails leave in waves: for the shop's policy, and for each that an automation has, how many people are
        /// mailed now, how many later, and when. Several policies share the places of a stock: each is told as if its
        /// people came first.
        pub waves: Option<Vec<WaveForecast>>,
        /// What the mails would cost in us-east-1, in US dollars: what SES takes, and what everything else takes. A
        /// contact gets one mail, however many subscriptions it has.
        pub cost: DryRunCost,
        /// False if there were more than the 10,000 subscriptions that a dry run looks at.
        pub complete: bool,
    }
}

answer! {
    #[derive(Debug)]
    pub struct DryRunCost {
        pub mails: u64,
        /// With four decimals, such as `0.0529`.
        pub us_dollars: String,
    }
}

impl DryRunCost {
    /// Returns what so many mails cost.
    pub fn of(mails: u64) -> Self {
        // In hundredths of a millionth of a dollar, and then in ten-thousandths, rounded up.
        let cost = (u128::from(mails) * u128::from(SES_COST + OTHER_COST)).div_ceil(10_000);
        Self { mails, us_dollars: format!("{}.{:04}", cost / 10_000, cost % 10_000) }
    }
}

answer! {
    /// What becomes of the people whom a policy for waves concerns, if the stock stays as it is.
    #[derive(Debug)]
    pub struct WaveForecast {
        /// Whose policy it is; missing for the shop's.
        pub automation: Option<AutomationId>,
        /// People who may be mailed at once.
        pub leave_now: u64,
        /// People who are mailed later, or not at this stock.
        pub wait: u64,
        /// When the next of them may be mailed; missing if they wait for another level.
        pub next_on: Option<Moment>,
        /// When the last of them may be mailed.
        pub last_on: Option<Moment>,
    }
}

impl WaveForecast {
    pub fn new(owner: PolicyOwner, forecast: Forecast) -> Self {
        let Forecast { leave_now, wait, next_on, last_on } = forecast;
        let automation = if let PolicyOwner::Automation(id) = owner { Some(id) } else { None };
        Self { automation, leave_now, wait, next_on: next_on.map(Moment), last_on: last_on.map(Moment) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, VariantNames)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Effect {
    /// Subscriptions are decided about.
    Matches,
    /// Nobody waits for the SKU.
    NobodyWaits,
    /// A newer level of the same scope is known.
    Outdated,
    /// A level of the scope with the same `eventId` came before, so this one changes nothing.
    Repeated,
    /// Levels of zero and below mail nobody.
    NotInStock,
}

/// What an operator, or Restock by itself, has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, VariantNames)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum StoppedBy {
    /// All sending is paused: `GET /sending`.
    Pause,
    /// The SKU is held: `GET /inventory/backinstock/holds`.
    Hold,
}

impl Described for StoppedBy {
    const NAME: Option<&'static str> = Some("StoppedBy");

    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        words(Self::VARIANTS.iter().copied())
    }
}

impl Described for Effect {
    const NAME: Option<&'static str> = Some("Effect");

    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        words(Self::VARIANTS.iter().copied())
    }
}

answer! {
    #[derive(Debug)]
    pub struct Example {
        pub subscription: Subscription,
        /// `sent`, or why it would not be.
        pub outcome: &'static str,
        /// The automation that would get it.
        pub automation: Option<AutomationId>,
        /// Its place in the line for a wave, from 1; missing if it waits for none.
        pub place: Option<u64>,
        /// Of each automation that was asked before.
        pub refusals: Vec<ExplainedRefusal>,
    }
}
