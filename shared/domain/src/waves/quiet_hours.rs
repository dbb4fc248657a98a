use crate::{ErrorCode, Invalid};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::time::Duration;

/// Hours of each day in which no mail leaves, by the clock of a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct QuietHours {
    from: Time,
    to: Time,
    zone: TimeZone,
}

/// After an hour that the clock went back, the end may seem to be over.
const MIN_LENGTH: Duration = Duration::from_secs(60);

impl QuietHours {
    /// Returns the hours from `from` until before `to`, which may be on the next day.
    pub fn new(from: Time, to: Time, zone: TimeZone) -> Result<Self, Invalid> {
        if from == to {
            let message = "Use two times that differ, such as 22:00 and 07:00.";
            return Err(Invalid::new(ErrorCode::OutOfRange, message));
        }
        Ok(Self { from, to, zone })
    }

    /// Returns hours as they were stored.
    pub fn restore(from: &str, to: &str, zone: &str) -> Result<Self, jiff::Error> {
        Ok(Self { from: from.parse()?, to: to.parse()?, zone: TimeZone::get(zone)? })
    }

    /// Reads a time of day such as `22:00`.
    pub fn time(raw: &str) -> Result<Time, Invalid> {
        let well_formed = raw.len() == 5 && raw.as_bytes()[2] == b':';
        let time = raw.parse().ok().filter(|_| well_formed);
        time.ok_or_else(|| Invalid::new(ErrorCode::InvalidTime, "Use a time from 00:00 to 23:59, such as 22:00."))
    }

    /// Reads the name of a zone such as `Europe/Stockholm`.
    pub fn zone(raw: &str) -> Result<TimeZone, Invalid> {
        let message = "Use a name of the IANA time zone database, such as Europe/Stockholm.";
        let zone = TimeZone::get(raw).ok().filter(|zone| zone.iana_name().is_some());
        zone.ok_or_else(|| Invalid::new(ErrorCode::InvalidTimeZone, message))
    }

    pub fn from(&self) -> Time {
        self.from
    }

    pub fn to(&self) -> Time {
        self.to
    }

    pub fn zone_of(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the name of the zone.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or_default()
    }

    /// Returns when the hours end, if a moment is within them.
    pub fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let local = at.to_zoned(self.zone.clone());
        let (time, date) = (local.time(), local.date());
        let over_midnight = self.from > self.to;
        let is_within =
            if over_midnight { time >= self.from || time < self.to } else { (self.from..self.to).contains(&time) };
        if !is_within {
            return None;
        }
        let date = if over_midnight && time >= self.from { date.saturating_add(1.day()) } else { date };
        let end = date.to_datetime(self.to).to_zoned(self.zone.clone()).map(|end| end.timestamp());
        Some(end.ok().filter(|end| *end > at).unwrap_or(at + MIN_LENGTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(from: &str, to: &str, zone: &str, at: &str) -> Option<String> {
        let [from, to] = [from, to].map(|time| QuietHours::time(time).unwrap());
        let hours = QuietHours::new(from, to, QuietHours::zone(zone).unwrap()).unwrap();
        hours.end(at.parse().unwrap()).map(|end| end.to_string())
    }

    #[test]
    fn quiet_hours_are_those_of_the_shops_clock_also_over_midnight() {
        let night = |at| end("22:00", "07:00", "Europe/Stockholm", at);

        assert_eq!(night("2026-11-28T20:59:59Z"), None);
        assert_eq!(night("2026-11-28T21:00:00Z").as_deref(), Some("2026-11-29T06:00:00Z"));
        assert_eq!(night("2026-11-29T05:59:59Z").as_deref(), Some("2026-11-29T06:00:00Z"));
        assert_eq!(night("2026-11-29T06:00:00Z"), None);
        let lunch = |at| end("12:00", "13:30", "America/New_York", at);
        assert_eq!(lunch("2026-07-01T16:00:00Z").as_deref(), Some("2026-07-01T17:30:00Z"));
        assert_eq!(lunch("2026-07-01T17:30:00Z"), None);
    }

    #[test]
    fn they_end_by_the_clock_when_that_changes() {
        let night = |at| end("22:00", "07:00", "Europe/Stockholm", at);

        assert_eq!(night("2026-03-28T22:00:00Z").as_deref(), Some("2026-03-29T05:00:00Z"));
        assert_eq!(night("2026-10-24T22:00:00Z").as_deref(), Some("2026-10-25T06:00:00Z"));
        // There is no 02:30 that night, and the other night there are two.
        assert_eq!(
            end("01:00", "02:30", "Europe/Stockholm", "2026-03-29T00:30:00Z").as_deref(),
            Some("2026-03-29T01:30:00Z")
        );
        let second_time = end("01:00", "02:30", "Europe/Stockholm", "2026-10-25T01:10:00Z");
        assert_eq!(second_time.as_deref(), Some("2026-10-25T01:11:00Z"));
    }

    #[test]
    fn what_is_no_time_and_no_zone_is_refused() {
        for time in ["24:00", "7:00", "22.00", "22:00:00", "aa:bb", ""] {
            assert!(QuietHours::time(time).is_err(), "{time}");
        }
        for zone in ["", "CET+1", "Europe/Atlantis", "+01:00"] {
            assert!(QuietHours::zone(zone).is_err(), "{zone}");
        }
        let noon = QuietHours::time("12:00").unwrap();
        assert!(QuietHours::new(noon, noon, TimeZone::UTC).is_err());
    }
}
