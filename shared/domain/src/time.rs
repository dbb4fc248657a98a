//! One way to write a moment down, and several to read one.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// RFC 3339 in UTC with exactly three decimals, so that texts sort as the moments do: `2026-11-23T08:30:00.000Z`.
pub fn sortable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The same moment without what [`sortable`] cannot show. Use it for a moment that will be stored and shown.
pub fn to_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Reads a moment as retailers write it: RFC 3339, the ISO 8601 forms that are usual in product feeds such as
/// `2026-11-20T00:00+0100`, or a date, which begins at midnight UTC.
pub fn moment(raw: &str) -> Option<Timestamp> {
    let raw = raw.trim();
    raw.parse().ok().or_else(|| in_feed(raw)).or_else(|| {
        let date: Date = raw.parse().ok().filter(|_| raw.len() == 10)?;
        date.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
    })
}

fn in_feed(raw: &str) -> Option<Timestamp> {
    ["%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%MZ"].iter().find_map(|format| {
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

    pub fn serialize_option<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
