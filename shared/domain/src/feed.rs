//! Product feeds, and the imports that bring stored products to what a feed has.

use crate::{Currency, ErrorCode, Invalid, Locale, time};
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use strum::{IntoStaticStr, VariantNames};

/// The product feed of one locale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    pub locale: Locale,
    pub url: Option<String>,
    /// Of prices that say none.
    pub currency: Option<Currency>,
    /// The user name that the URL's server asks for; its password is kept apart.
    pub user: Option<String>,
    /// How often it is fetched; `None` if only when somebody asks.
    pub schedule: Option<FeedSchedule>,
    pub configured_on: Option<Timestamp>,
    pub last_import: Option<Import>,
    /// When an import last succeeded.
    pub last_succeeded_on: Option<Timestamp>,
    /// Imports that failed since then.
    pub failures: u64,
}

/// How often a feed is fetched, from every 15 minutes to every day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedSchedule {
    minutes: u32,
}

/// Why somebody should look at a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum FeedWarning {
    /// Three imports in a row have failed, or one after which the next is more than an hour away.
    Failing,
    /// Of the last file, more items were rejected than can be used, so that their products are gone.
    MostlyRejected,
    /// No import has succeeded for three times as long as its schedule says.
    TooOld,
}

/// Feeds that are due are looked for every 15 minutes, but for the delays of that.
const TOLERANCE: Duration = Duration::from_secs(2 * 60);
/// An import that began longer ago was ended by something.
const MAX_IMPORT: Duration = Duration::from_secs(60 * 60);
/// Failures in a row, each of which the next import may mend, of a feed that is imported every hour or more often.
const MAX_FAILURES: u64 = 3;
/// Periods of its schedule after which a feed is too old, and what an import may take besides.
const MAX_PERIODS: u32 = 3;

impl Feed {
    /// Returns true if it is time to fetch it by its schedule.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let (Some(schedule), Some(_)) = (self.schedule, &self.url) else { return false };
        let Some(last) = &self.last_import else { return true };
        let runs = last.status == ImportStatus::Running && last.started_at + MAX_IMPORT > now;
        !runs && last.started_at + schedule.every() <= now + TOLERANCE
    }

    /// Returns why somebody should look at it, if there is a reason.
    pub fn warning(&self, now: Timestamp) -> Option<FeedWarning> {
        let is_frequent = self.schedule.is_some_and(|schedule| schedule <= FeedSchedule::HOURLY);
        if self.failures >= if is_frequent { MAX_FAILURES } else { 1 } {
            return Some(FeedWarning::Failing);
        }
        let lost_most = |last: &Import| last.status == ImportStatus::Succeeded && last.rejected * 2 > last.items;
        if self.last_import.as_ref().is_some_and(lost_most) {
            return Some(FeedWarning::MostlyRejected);
        }
        let (schedule, since) = (self.schedule?, self.last_succeeded_on.max(self.configured_on)?);
        (since + MAX_PERIODS * schedule.every() + MAX_IMPORT < now).then_some(FeedWarning::TooOld)
    }

    /// Returns true if it was imported less than so long ago.
    pub fn fresh_at(&self, now: Timestamp, within: Duration) -> bool {
        // Feeds that were stored before have only their last import.
        let last = self.last_import.as_ref().filter(|import| import.status == ImportStatus::Succeeded);
        let succeeded_on = self.last_succeeded_on.max(last.and_then(|import| import.finished_at));
        succeeded_on.is_some_and(|succeeded_on| succeeded_on + within >= now)
    }
}

impl FeedSchedule {
    pub const HOURLY: Self = Self { minutes: 60 };
    /// The schedule of template.yaml looks that often.
    pub const MIN_MINUTES: u32 = 15;

    /// Reads a period: `PT30M`, `PT6H`, `P1D`, `30 minutes`.
    pub fn parse(raw: &str) -> Result<Self, Invalid> {
        let invalid = || {
            let message = "Use none, or whole minutes from 15 minutes to a day, such as PT15M, PT1H or 6 hours.";
            Invalid::new(ErrorCode::InvalidSchedule, message)
        };
        let span: Span = raw.trim().parse().map_err(|_| invalid())?;
        let period = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
        let minutes =
            u32::try_from(period.as_mins()).ok().filter(|minutes| (Self::MIN_MINUTES..=24 * 60).contains(minutes));
        let whole = minutes.filter(|minutes| i64::from(*minutes) * 60 == period.as_secs());
        whole.map(|minutes| Self { minutes }).ok_or_else(invalid)
    }

    pub fn minutes(self) -> u32 {
        self.minutes
    }

    fn every(self) -> Duration {
        Duration::from_secs(u64::from(self.minutes) * 60)
    }
}

/// Writes what [`FeedSchedule::parse`] reads.
impl fmt::Display for FeedSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minutes % 60 {
            0 => write!(f, "PT{}H", self.minutes / 60),
            _ => write!(f, "PT{}M", self.minutes),
        }
    }
}

/// One import of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub id: String,
    pub status: ImportStatus,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// What the file holds: `imported` + `unchanged` + `rejected`. While it runs, as far as it was read.
    pub items: u64,
    /// New or changed.
    pub imported: u64,
    pub unchanged: u64,
    /// Stored before, and not in the file any more, or not so that it can be used.
    pub removed: u64,
    pub rejected: u64,
    /// Of those that are not rejected, the ones that are used without a part.
    pub incomplete: u64,
    /// The first 100; those of rejected items go before the others.
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
            incomplete: 0,
            errors: Vec::new(),
        }
    }
}

impl ImportError {
    pub fn new(position: u64, sku: Option<String>, error_code: ErrorCode, message: String) -> Self {
        Self { position, sku, error_code: error_code.as_str().to_owned(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-25T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn feed(schedule: &str, started_at: &str, status: ImportStatus) -> Feed {
        Feed {
            locale: Locale::parse("sv-SE").unwrap(),
            url: Some("https://shop.example/feed.xml".into()),
            currency: None,
            user: None,
            schedule: FeedSchedule::parse(schedule).ok(),
            configured_on: Some(at("2026-11-01T00:00:00Z")),
            last_import: Some(Import { status, ..Import::running("1".into(), at(started_at)) }),
            last_succeeded_on: Some(at(started_at)),
            failures: 0,
        }
    }

    #[test]
    fn a_schedule_is_a_period_from_15_minutes_to_a_day() {
        let schedule = |raw: &str| FeedSchedule::parse(raw).map(|schedule| schedule.to_string());

        for (raw, written) in
            [("PT15M", "PT15M"), ("90 minutes", "PT90M"), ("pt1h", "PT1H"), ("P1D", "PT24H"), (" 6 hours ", "PT6H")]
        {
            assert_eq!(schedule(raw).as_deref(), Ok(written), "{raw}");
        }
        for bad in ["", "none", "PT14M", "PT15M30S", "P1DT1M", "-PT1H", "P1M", "hourly", "PT99999999999H"] {
            assert_eq!(schedule(bad).unwrap_err().error_code, ErrorCode::InvalidSchedule, "{bad}");
        }
    }

    #[test]
    fn a_feed_is_due_when_its_period_is_over_and_nothing_runs() {
        let due = |feed: Feed| feed.is_due(at(NOW));
        let (succeeded, running) = (ImportStatus::Succeeded, ImportStatus::Running);

        assert!(due(feed("PT1H", "2026-11-25T11:00:00Z", succeeded)));
        assert!(due(feed("PT1H", "2026-11-25T11:01:00Z", ImportStatus::Failed)), "the last look was a little late");
        assert!(!due(feed("PT1H", "2026-11-25T11:10:00Z", succeeded)));
        assert!(!due(feed("PT15M", "2026-11-25T11:30:00Z", running)));
        assert!(due(feed("PT15M", "2026-11-25T10:30:00Z", running)), "whatever ran was ended");
        assert!(!due(feed("none", "2026-11-01T11:00:00Z", succeeded)));
        assert!(!due(Feed { url: None, ..feed("PT1H", "2026-11-01T11:00:00Z", succeeded) }));
        assert!(due(Feed { last_import: None, ..feed("PT1H", NOW, succeeded) }));
    }

    #[test]
    fn a_feed_that_fails_or_grows_old_has_a_warning() {
        let warning = |feed: Feed| feed.warning(at(NOW));
        let succeeded = ImportStatus::Succeeded;

        assert_eq!(warning(feed("PT1H", "2026-11-25T08:30:00Z", succeeded)), None);
        assert_eq!(warning(feed("PT1H", "2026-11-25T07:30:00Z", succeeded)), Some(FeedWarning::TooOld));
        assert_eq!(warning(feed("none", "2026-11-01T07:30:00Z", succeeded)), None);
        let never = |configured_on| Feed {
            last_succeeded_on: None,
            configured_on: Some(at(configured_on)),
            ..feed("PT1H", NOW, succeeded)
        };
        assert_eq!(warning(never("2026-11-25T11:00:00Z")), None);
        assert_eq!(warning(never("2026-11-25T01:00:00Z")), Some(FeedWarning::TooOld));
        let rejected = |rejected, status| {
            let import = Import { items: 9, rejected, status, ..Import::running("1".into(), at(NOW)) };
            warning(Feed { last_import: Some(import), ..feed("PT1H", NOW, status) })
        };
        assert_eq!((rejected(4, succeeded), rejected(5, ImportStatus::Failed)), (None, None));
        assert_eq!(rejected(5, succeeded), Some(FeedWarning::MostlyRejected));
        let failing = |schedule, failures| warning(Feed { failures, ..feed(schedule, NOW, ImportStatus::Failed) });
        for often in ["PT15M", "PT1H"] {
            assert_eq!((failing(often, 2), failing(often, 3)), (None, Some(FeedWarning::Failing)), "{often}");
        }
        for seldom in ["PT6H", "P1D", "none"] {
            assert_eq!((failing(seldom, 0), failing(seldom, 1)), (None, Some(FeedWarning::Failing)), "{seldom}");
        }
    }
}
