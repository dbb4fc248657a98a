//! One way to write a moment, and several to read one.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use std::time::Duration;

/// Writes RFC 3339 in UTC with exactly three decimals, so that texts sort as the moments do:
/// `2026-11-23T08:30:00.000Z`.
pub fn sortable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Returns the moment without what [`sortable`] can't show. Use it for a moment that will be stored and shown.
pub fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Reads RFC 3339 with an offset. The last days of the year 9999, which some write for "never", stand for the last
/// moment that there is.
pub fn with_offset(raw: &str) -> Option<Timestamp> {
    let offset = raw.rsplit_once(['+', '-']).map_or("", |(_, offset)| offset);
    let hours = offset.split(':').next().and_then(|hours| hours.parse::<u8>().ok());
    if hours.is_some_and(|hours| hours > 23) {
        return None;
    }
    let in_last_year = || a_year_before(raw)?.parse::<Timestamp>().ok();
    raw.parse().ok().or_else(|| in_last_year().map(|_| Timestamp::MAX))
}

/// Returns the same moment of the year before the last one that can be written, of which not every moment can be read.
fn a_year_before(raw: &str) -> Option<String> {
    raw.strip_prefix("9999").map(|rest| format!("9998{rest}"))
}

/// Reads a moment as retailers write it: RFC 3339, the ISO 8601 forms that are usual in product feeds such as
/// `2026-11-20T00:00+0100`, or a date, which begins at midnight. What has no zone is in UTC. The last days of the year
/// 9999 are read as by [`with_offset`].
pub fn moment(raw: &str) -> Option<Timestamp> {
    // As Ruby writes it: `2026-01-04 10:00:00 UTC`.
    let raw = raw.trim();
    let raw = ["UTC", "GMT"].iter().find_map(|zone| raw.strip_suffix(zone)).unwrap_or(raw).trim_end();
    let written = || date(raw).map(DateTime::from).or_else(|| raw.parse().ok());
    let in_last_year = || moment(&a_year_before(raw)?).map(|_| Timestamp::MAX);
    raw.parse().ok().or_else(|| in_feed(raw)).or_else(|| utc(written()?)).or_else(in_last_year)
}

/// Reads the end of a period: as [`moment`], but a date ends with its day.
///
/// The last year that can be written stands for a period without an end.
pub fn end_of(raw: &str) -> Option<Timestamp> {
    let raw = raw.trim();
    if let Some(before) = a_year_before(raw).filter(|before| before.len() >= 8) {
        // Its end is later than any moment that can be written.
        return moment(&before).map(|_| Timestamp::MAX);
    }
    match date(raw) {
        Some(date) => Some(utc(date.tomorrow().ok()?.into())? - Duration::from_millis(1)),
        None => moment(raw),
    }
}

fn date(raw: &str) -> Option<Date> {
    raw.parse().ok().filter(|_| raw.len() == 10 || (raw.len() == 8 && raw.bytes().all(|byte| byte.is_ascii_digit())))
}

fn utc(written: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(written).ok()
}

fn in_feed(raw: &str) -> Option<Timestamp> {
    ["%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d %H:%M:%S %z"].iter().find_map(|format| {
        let mut parsed = BrokenDownTime::parse(format, raw).ok()?;
        if format.ends_with('Z') {
            parsed.set_offset(Some(jiff::tz::Offset::UTC));
        }
        parsed.to_timestamp().ok()
    })
}

/// Serializes a moment in the [`sortable`] form.
pub mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::sortable(*at))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Returns how long to wait before try number `attempt`, from 0: `first`, twice that, four times that and so on, and up
/// to as much again by `chance` (from 0 to 1), so that what failed together does not come back together. At most `max`.
pub fn backoff(first: Duration, attempt: u32, max: Duration, chance: f64) -> Duration {
    let base = first.saturating_mul(2_u32.saturating_pow(attempt));
    base.min(max).mul_f64(1.0 + chance.clamp(0.0, 1.0)).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_with_an_offset_is_read_as_far_as_one_can_be_written() {
        let read = |raw| with_offset(raw).map(|at| at.to_string());

        assert_eq!(read("2026-11-23T08:30:00+01:00").as_deref(), Some("2026-11-23T07:30:00Z"));
        assert_eq!(read("2026-11-23t08:30:00.5z").as_deref(), Some("2026-11-23T08:30:00.5Z"));
        assert_eq!(with_offset("9999-12-31T23:59:59Z"), Some(Timestamp::MAX));
        assert_eq!(with_offset("9999-12-31T23:59:59.999-12:00"), Some(Timestamp::MAX));
        for wrong in
            ["2026-11-23T08:30:00+25:00", "2026-11-23T08:30:00", "2026-11-23", "9999-13-31T00:00:00Z", "9999", ""]
        {
            assert_eq!(with_offset(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_last_days_that_can_be_written_are_the_last_moment() {
        for written in ["9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59+0100", "9999-12-31 23:59:59"] {
            assert_eq!(moment(written), Some(Timestamp::MAX), "{written}");
        }
        assert_eq!((moment("9999-13-01"), moment("9999")), (None, None));
    }

    #[test]
    fn a_moment_may_name_utc_by_its_words() {
        for written in ["2026-01-04 10:00:00 UTC", "2026-01-04T10:00:00 GMT", "2026-01-04 10:00:00"] {
            assert_eq!(moment(written).map(|at| at.to_string()).as_deref(), Some("2026-01-04T10:00:00Z"), "{written}");
        }
        assert_eq!((moment("UTC"), moment("2026-01-04 10:00:00 CET")), (None, None));
    }

    #[test]
    fn waiting_doubles_with_each_try_up_to_a_limit() {
        let second = Duration::from_secs(1);
        let wait = |attempt, chance| backoff(second, attempt, 10 * second, chance);

        assert_eq!([0, 1, 2, 3].map(|attempt| wait(attempt, 0.0)), [1, 2, 4, 8].map(|seconds| seconds * second));
        assert_eq!((wait(1, 1.0), wait(4, 0.5), wait(200, 1.0)), (4 * second, 10 * second, 10 * second));
    }
}
