//! Waves: as many mails within an interval as the stock has places for. `docs/waves.md` teaches them.

use crate::schema::{Described, Schemas, of, of_type};
use crate::settings::{READ, WRITE};
use crate::values::{Name, UpTo, text_value};
use crate::wire::{Read, alone, string, wrong_type};
use crate::{Errors, FieldError, IdReply, Moment, answer, body, endpoints};
use jiff::{SignedDuration, Span, Timestamp};
use restock_domain::waves::{First, PerUnit, QuietHours, Trigger};
use restock_domain::{ErrorCode, Invalid, WavePolicy};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::time::Duration;
use strum::VariantNames;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{RefOr, Schema};

const NONE: &str = "There is no policy.";

endpoints! {
    /// Show the policy for waves
    GetWaves("getWaves"): Get "/waves", "configure-waves", READ,
        () => 200 Waves, "The policy.",
        |operation| operation.etag().problem(404, NONE);

    /// Store the policy for waves
    PutWaves("putWaves"): Put "/waves", "configure-waves", WRITE,
        WaveSettings => 200 Waves, "The policy, as its next version. Functions go by it within a minute, and lines that wait once their next wave is due.",
        |operation| operation.conditional().etag();

    /// Delete the policy for waves
    DeleteWaves("deleteWaves"): Delete "/waves", "configure-waves", WRITE,
        () => 200 IdReply, "It is deleted. Whoever waits for a wave is mailed for the next stock level.",
        |operation| operation.conditional().problem(404, NONE);
}

body! {
    /// How mails leave while people wait for a SKU. With `perUnit` or `interval` they leave in waves.
    #[derive(Debug)]
    pub struct WaveSettings {
        /// Mails for each unit in stock, 1 by default; at least one mail leaves whatever the product.
        pub per_unit: Option<PerUnit>,
        /// The time within which no more mails leave, from 5 minutes to 7 days; `PT1H` by default.
        pub interval: Option<Length>,
        /// The stock below which nobody is mailed; 1 by default.
        pub minimum: Option<Minimum>,
        /// How long the stock has to be at least `minimum` before the first mail leaves; `PT0S` by default.
        pub hold_down: Option<Length>,
        pub trigger: Option<Trigger>,
        /// Hours of each day in which nobody is mailed.
        pub quiet_hours: Option<Hours>,
        /// Contacts who come before whoever has waited longest.
        pub first: Option<ComeFirst>,
    }
    // What is shown may be sent back as it is.
    strict ["version", "updatedOn"]
}

body! {
    #[derive(Debug, Clone)]
    pub struct ComeFirst {
        /// An attribute of contacts, such as `club`.
        pub attribute: Name,
        /// Its values, at most five: contacts with the first one come first, then those with the second, and so on, and
        /// all others after them. A number or a boolean is named as a text.
        pub values: UpTo<5, Name>,
        /// How long they may be mailed before all others, up to 7 days; `PT0S` by default.
        pub head_start: Option<Length>,
    }
    strict []
}

body! {
    #[derive(Debug, Clone)]
    pub struct Hours {
        pub from: TimeOfDay,
        /// The end; on the next day, if it is before `from`.
        pub to: TimeOfDay,
        /// Whose clock it is, such as `Europe/Stockholm`.
        pub zone: Zone,
    }
    strict []
}

/// A time of day such as `22:00`.
#[derive(Debug, Clone, Copy)]
pub struct TimeOfDay(jiff::civil::Time);

/// A time zone of the IANA database.
#[derive(Debug, Clone)]
pub struct Zone(jiff::tz::TimeZone);

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct Length(Duration);

/// A stock from 1 on.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Minimum(i64);

text_value!(
    TimeOfDay,
    |raw| QuietHours::time(raw).map(TimeOfDay),
    of_type(Type::String).pattern(Some("^([01][0-9]|2[0-3]):[0-5][0-9]$"))
);
text_value!(Zone, |raw| QuietHours::zone(raw).map(Zone), of_type(Type::String));
text_value!(
    Length,
    Length::parse,
    of_type(Type::String).description(Some("A length of time in ISO 8601, such as `PT1H`, `PT90M` or `P1D`."))
);

text_value!(
    Trigger,
    |raw: &str| {
        let message = "Use level, for each stock level, or restock, for one after the stock was below the minimum.";
        raw.to_lowercase().parse().map_err(|_| Invalid::new(ErrorCode::InvalidTrigger, message))
    },
    of_type(Type::String).enum_values(Some(Trigger::VARIANTS.iter().copied()))
);

impl Length {
    fn parse(raw: &str) -> Result<Self, Invalid> {
        let message = "Use a length of time in days, hours, minutes and seconds, such as PT1H, PT90M or P1D.";
        let invalid = || Invalid::new(ErrorCode::InvalidDuration, message);
        let span: Span = raw.parse().map_err(|_| invalid())?;
        // A month has no fixed length, and nobody needs parts of a second.
        if span.get_years() != 0 || span.get_months() != 0 || span.is_negative() || !raw.starts_with(['P', 'p']) {
            return Err(invalid());
        }
        let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
        let whole = length.subsec_nanos() == 0;
        Duration::try_from(length).ok().filter(|_| whole).map(Self).ok_or_else(invalid)
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&SignedDuration::try_from(self.0).unwrap_or_default())
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.strftime("%H:%M"))
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.iana_name().unwrap_or_default())
    }
}

impl Read for Minimum {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        let minimum = Some(i64::read(value)?).filter(|minimum| *minimum >= 1);
        let message = "Use a whole number from 1.";
        minimum.map(Self).ok_or_else(|| alone(Invalid::new(ErrorCode::OutOfRange, message)))
    }
}

impl Described for Minimum {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        of(of_type(Type::Integer).minimum(Some(1)))
    }
}

impl Read for PerUnit {
    fn read(value: Value) -> Result<Self, Vec<FieldError>> {
        match value {
            Value::Number(number) => Self::parse(&number.to_string()).map_err(alone),
            other => Err(alone(wrong_type("a number", &other))),
        }
    }
}

impl Described for PerUnit {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        let about = "From 0.1 to 50, with at most three decimals.";
        of(of_type(Type::Number).minimum(Some(0.1)).maximum(Some(50)).description(Some(about)))
    }
}

impl WaveSettings {
    /// Makes the policy that a caller describes. `shortest` is the shortest interval that the deployment allows.
    pub fn into_policy(self, shortest: Duration) -> Result<WavePolicy, Vec<FieldError>> {
        let Self { per_unit, interval, minimum, hold_down, trigger, quiet_hours, first } = self;
        let mut errors = Errors::default();
        let said = [
            interval.is_some(),
            minimum.is_some(),
            hold_down.is_some(),
            trigger.is_some(),
            quiet_hours.is_some(),
            first.is_some(),
        ];
        if per_unit.is_none() && !said.contains(&true) {
            let message =
                "Say what is to hold, such as \"perUnit\": 1 and \"interval\": \"PT1H\" for waves, or quietHours.";
            errors.add("", Invalid::new(ErrorCode::Required, message));
        }
        // Either of them makes waves, and the other one is as usual.
        let per_unit = per_unit.or_else(|| interval.map(|_| PerUnit::default()));
        let interval = interval.map_or(WavePolicy::DEFAULT_INTERVAL, |Length(interval)| interval);
        let hold_down = hold_down.map_or(Duration::ZERO, |Length(hold_down)| hold_down);
        let mut within = |pointer: &str, length: Duration, shortest: Duration, longest: Duration| {
            if !(shortest..=longest).contains(&length) {
                let [shortest, longest] =
                    [shortest, longest].map(|bound| SignedDuration::try_from(bound).unwrap_or_default());
                let message = format!("Use a length of time from {shortest} to {longest}.");
                errors.add(pointer, Invalid::new(ErrorCode::OutOfRange, message));
            }
        };
        within("/interval", interval, shortest, WavePolicy::MAX_INTERVAL);
        within("/holdDown", hold_down, Duration::ZERO, WavePolicy::MAX_HOLD_DOWN);
        let first = first.map(|ComeFirst { attribute: Name(attribute), values: UpTo(values), head_start }| First {
            attribute,
            values: values.into_iter().map(|Name(value)| value).collect(),
            head_start: head_start.map_or(Duration::ZERO, |Length(head_start)| head_start),
        });
        let head_start = first.as_ref().map_or(Duration::ZERO, |first| first.head_start);
        within("/first/headStart", head_start, Duration::ZERO, WavePolicy::MAX_HOLD_DOWN);
        if first.as_ref().is_some_and(|first| first.values.is_empty()) {
            errors.add("/first/values", Invalid::new(ErrorCode::Required, "Name at least one value."));
        }
        if let Some(name) = first.as_ref().and_then(|first| first.attribute.strip_prefix("contact.attributes.")) {
            let message = format!("Write the attribute's own name, without what conditions have before it: {name}.");
            errors.add("/first/attribute", Invalid::new(ErrorCode::InvalidName, message));
        }
        let hours = quiet_hours.map(|Hours { from: TimeOfDay(from), to: TimeOfDay(to), zone: Zone(zone) }| {
            QuietHours::new(from, to, zone).map_err(|invalid| errors.add("/quietHours/to", invalid))
        });
        errors.finish()?;
        Ok(WavePolicy {
            per_unit,
            interval,
            minimum: minimum.map_or(1, |Minimum(minimum)| minimum),
            hold_down,
            trigger: trigger.unwrap_or_default(),
            quiet_hours: hours.and_then(Result::ok),
            first,
        })
    }
}

answer! {
    /// A policy for waves.
    #[derive(Debug)]
    pub struct Waves {
        /// Mails for each unit in stock; missing if as many leave as wait.
        pub per_unit: Option<PerUnit>,
        /// Missing if `perUnit` is.
        pub interval: Option<Length>,
        pub minimum: u64,
        pub hold_down: Length,
        pub trigger: Trigger,
        pub quiet_hours: Option<Hours>,
        pub first: Option<ComeFirst>,
        /// Counts the changes of the shop's policy, from 1; that of an automation has the automation's version.
        pub version: Option<u64>,
        pub updated_on: Option<Moment>,
    }
}

impl From<WavePolicy> for Waves {
    fn from(policy: WavePolicy) -> Self {
        let WavePolicy { per_unit, interval, minimum, hold_down, trigger, quiet_hours, first } = policy;
        let hours = |hours: QuietHours| Hours {
            from: TimeOfDay(hours.from()),
            to: TimeOfDay(hours.to()),
            zone: Zone(hours.zone_of().clone()),
        };
        Self {
            interval: per_unit.map(|_| Length(interval)),
            per_unit,
            minimum: minimum.unsigned_abs(),
            hold_down: Length(hold_down),
            trigger,
            quiet_hours: quiet_hours.map(hours),
            first: first.map(|First { attribute, values, head_start }| ComeFirst {
                attribute: Name(attribute),
                values: UpTo(values.into_iter().map(Name).collect()),
                head_start: Some(Length(head_start)),
            }),
            version: None,
            updated_on: None,
        }
    }
}

impl Waves {
    /// Returns the shop's policy.
    pub fn of_shop(policy: WavePolicy, version: u64, updated_on: Timestamp) -> Self {
        Self { version: Some(version), updated_on: Some(Moment(updated_on)), ..policy.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MIN_INTERVAL: Duration = Duration::from_secs(300);

    fn policy(sent: Value) -> Result<Value, Vec<(String, &'static str)>> {
        let named = |errors: Vec<FieldError>| {
            errors.into_iter().map(|error| (error.pointer, error.error_code.as_str())).collect::<Vec<_>>()
        };
        let policy = WaveSettings::read(sent).and_then(|settings| settings.into_policy(MIN_INTERVAL)).map_err(named)?;
        Ok(json!(Waves::from(policy)))
    }

    #[test]
    fn what_is_not_said_of_a_policy_is_as_usual() {
        let usual = json!({"perUnit": 1, "interval": "PT1H", "minimum": 1, "holdDown": "PT0S", "trigger": "level"});
        assert_eq!(policy(json!({"perUnit": 1.0})), Ok(usual.clone()));
        assert_eq!(policy(json!({"interval": "PT60M"})), Ok(usual.clone()));
        assert_eq!(policy(usual.clone()), Ok(usual), "what is shown may be sent back");

        let all = json!({
            "perUnit": 0.1, "interval": "PT168H", "minimum": 3, "holdDown": "PT2H", "trigger": "restock",
            "quietHours": {"from": "22:00", "to": "07:00", "zone": "Europe/Stockholm"},
            "first": {"attribute": "club", "values": ["gold", "3"], "headStart": "PT24H"},
        });
        assert_eq!(
            policy(json!({
                "perUnit": 0.1, "interval": "P7D", "minimum": 3, "holdDown": "PT120M", "TRIGGER": "restock",
                "quietHours": {"from": "22:00", "to": "07:00", "zone": "europe/stockholm"},
                "first": {"attribute": "club", "values": ["gold", "3"], "headStart": "P1D"},
            })),
            Ok(all)
        );
        let quiet = json!({"quietHours": {"from": "22:00", "to": "07:00", "zone": "UTC"}});
        assert!(policy(quiet).unwrap().get("perUnit").is_none(), "quiet hours bound nothing else");
    }

    #[test]
    fn every_error_of_a_policy_is_named() {
        let wrong = json!({
            "perUnit": 50.5, "interval": "1 hour", "minimum": 0, "holdDown": "P1M", "trigger": "always",
            "quietHours": {"from": "24:00", "zone": "Mars/Olympus"}, "rate": 1, "first": {"attribute": "", "values": "gold"},
        });
        let errors = policy(wrong).unwrap_err();
        for expected in [
            ("/perUnit", "OutOfRange"),
            ("/interval", "InvalidDuration"),
            ("/minimum", "OutOfRange"),
            ("/holdDown", "InvalidDuration"),
            ("/trigger", "InvalidTrigger"),
            ("/quietHours/from", "InvalidTime"),
            ("/quietHours/to", "Required"),
            ("/quietHours/zone", "InvalidTimeZone"),
            ("/rate", "UnknownProperty"),
            ("/first/attribute", "Empty"),
            ("/first/values", "WrongType"),
        ] {
            assert!(errors.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} in {errors:?}");
        }

        let out_of_range = json!({"interval": "PT4M59S", "holdDown": "P8D", "quietHours": {"from": "07:00", "to": "07:00", "zone": "UTC"}});
        let pointers: Vec<String> = policy(out_of_range).unwrap_err().into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/interval", "/holdDown", "/quietHours/to"]);
        let nobody = json!({"first": {"attribute": "club", "values": [], "headStart": "P8D"}});
        let pointers: Vec<String> = policy(nobody).unwrap_err().into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/first/headStart", "/first/values"]);
        assert_eq!(policy(json!({})).unwrap_err(), [(String::new(), "Required")]);
        let of_condition = json!({"first": {"attribute": "contact.attributes.club", "values": ["gold"]}});
        assert_eq!(policy(of_condition).unwrap_err(), [("/first/attribute".to_owned(), "InvalidName")]);
    }
}
