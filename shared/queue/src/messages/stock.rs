use super::{Body, Message, ParseError, scope};
use crate::queue::named;
use jiff::Timestamp;
use restock_api::{FieldError, Read};
use restock_domain::{Arrival, DeliveryId, EventId, Scope, Sku, StockLevel};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Envelopes around a message, such as EventBridge's in one of SNS.
const MAX_ENVELOPES: usize = 3;
/// Limits of a message of levels.
const MAX_LEVELS: usize = 100;
const MAX_BYTES: usize = 60_000;

/// A message on the stock-level queue: levels from outside or from `update-stock-levels`, the rest of a level that had
/// more subscribers than one invocation should handle, a sweep or the rest of one, or a look at those who wait for a
/// wave.
#[derive(Debug, Clone, PartialEq)]
pub enum StockMessage {
    /// Each level on its own, so that a bad one holds none of the others up.
    Levels(Vec<Result<StockLevel, InvalidLevel>>),
    Continuation(Box<Continuation>),
    Sweep(Sweep),
    Tick(WaveTick),
    /// Handles the ticks that are due by now.
    DueTicks(DueTicks),
}

/// Where to go on with a level, or a second look at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Continuation {
    #[serde(with = "AcceptedLevel")]
    pub level: StockLevel,
    pub arrival: Arrival,
    /// The index that matching reads lags the table, so a level is looked at once more a little later, for
    /// subscriptions that were made just before it.
    pub second_look: bool,
    /// Deliveries of subscriptions that were made just before the level and that the first look has seen.
    pub seen: Vec<DeliveryId>,
    pub page: u32,
    pub cursor: BTreeMap<String, String>,
    /// Pages that could not be logged yet, as the log wants them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untold: Vec<String>,
    #[serde(default)]
    pub lined_up: LinedUp,
    /// The lines that somebody has begun to go through for this level.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lines: BTreeSet<String>,
    /// How often the level was sent on, whatever for. A chain that is far longer than any level needs is given up.
    #[serde(default)]
    pub hops: u32,
}

/// How many of a locale the first look has found so far who wait for a wave. It goes through one locale after the
/// other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LinedUp {
    pub locale: String,
    pub count: u32,
}

/// Look at every subscription for those that a level should have found and did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sweep {
    /// The age in seconds below which levels are left to their own looks.
    pub settled_seconds: u64,
    /// When the sweep was to begin, the same for each of its messages. If it is missing, when the first message was
    /// sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default)]
    pub page: u32,
    #[serde(default)]
    pub cursor: BTreeMap<String, String>,
    /// How often it was sent on.
    #[serde(default)]
    pub hops: u32,
}

/// Look at those who wait for a wave of a scope, and let as many leave as there are places for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveTick {
    pub sku: Sku,
    #[serde(flatten, with = "scope")]
    pub scope: Scope,
    /// How often ticks and notifications have followed on each other without waiting.
    #[serde(default)]
    pub hops: u32,
}

/// Handle the ticks that are due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueTicks {
    /// How often it was sent on, as there were more than one invocation handles.
    #[serde(default)]
    pub hops: u32,
}

/// A level as it was sent, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct InvalidLevel {
    pub sent: Value,
    pub errors: Vec<FieldError>,
}

impl Message for Continuation {
    type Queue = named::StockLevels;
    const TYPE: &'static str = "continue-matching";
}

impl Message for Sweep {
    type Queue = named::StockLevels;
    const TYPE: &'static str = "sweep";
}

impl Message for WaveTick {
    type Queue = named::StockLevels;
    const TYPE: &'static str = "wave-tick";
}

impl Message for DueTicks {
    type Queue = named::StockLevels;
    const TYPE: &'static str = "due-wave-ticks";
}

impl StockMessage {
    /// Reads a body: one level, an array of levels, or a message of Restock's own. What SNS or EventBridge has put into
    /// envelopes of their own is taken out.
    pub fn parse(body: &str) -> Result<Self, ParseError> {
        let body = taken_out(Body::parse(body)?)?;
        match body.kind() {
            Continuation::TYPE => body.read().map(Box::new).map(Self::Continuation),
            Sweep::TYPE => body.read().map(Self::Sweep),
            WaveTick::TYPE => body.read().map(Self::Tick),
            DueTicks::TYPE => body.read().map(Self::DueTicks),
            _ => Ok(Self::Levels(match body.0 {
                Value::Array(levels) => levels.into_iter().map(read_level).collect(),
                level => vec![read_level(level)],
            })),
        }
    }

    /// Returns the bodies of the messages that carry levels. 100 of them are what one BatchGetItem of `match-stock`
    /// reads; bytes are bounded because SQS bounds them, and identifiers may be long.
    pub fn bodies(levels: &[StockLevel]) -> Vec<String> {
        let mut bodies = Vec::new();
        for chunk in levels.chunks(MAX_LEVELS) {
            let body = Self::body(chunk);
            if body.len() <= MAX_BYTES {
                bodies.push(body);
            } else {
                // A level has at most a few kilobytes, so ten of them always fit.
                bodies.extend(chunk.chunks(10).map(Self::body));
            }
        }
        bodies
    }

    fn body(levels: &[StockLevel]) -> String {
        let levels: Vec<restock_api::StockLevel> = levels.iter().map(restock_api::StockLevel::from).collect();
        json!(levels).to_string()
    }
}

/// Takes a body out of the envelopes of SNS and EventBridge.
fn taken_out(mut body: Body) -> Result<Body, ParseError> {
    for _ in 0..MAX_ENVELOPES {
        let Body(value) = &body;
        body = match (value.get("Type"), value.get("Message"), value.get("detail-type"), value.get("detail")) {
            (Some(kind), Some(Value::String(message)), ..) if kind == "Notification" => Body::parse(message)?,
            (_, _, Some(_), Some(detail)) => Body(detail.clone()),
            _ => break,
        };
    }
    Ok(body)
}

fn read_level(sent: Value) -> Result<StockLevel, InvalidLevel> {
    let level = restock_api::StockLevel::read(sent.clone());
    level.map(StockLevel::from).map_err(|errors| InvalidLevel { sent, errors })
}

/// How a level that was accepted travels on. It is not read as one of a caller, for whom a rule may have been tightened
/// since.
#[derive(Serialize, Deserialize)]
#[serde(remote = "StockLevel", rename_all = "camelCase")]
struct AcceptedLevel {
    sku: Sku,
    #[serde(flatten, with = "scope")]
    scope: Scope,
    quantity: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_on: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<EventId>,
}

impl Continuation {
    /// Returns the first look at a level, from its beginning.
    pub fn new(level: StockLevel, arrival: Arrival) -> Self {
        Self {
            level,
            arrival,
            second_look: false,
            seen: Vec::new(),
            page: 0,
            cursor: BTreeMap::new(),
            untold: Vec::new(),
            lined_up: LinedUp::default(),
            lines: BTreeSet::new(),
            hops: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use restock_domain::{ExternalId, Source};
    use uuid::Uuid;

    fn level() -> StockLevel {
        read_level(json!({"sku": "A", "quantity": 2, "locale": "sv-SE"})).unwrap()
    }

    #[test]
    fn a_body_is_one_level_or_an_array_of_levels() {
        let expected = StockMessage::Levels(vec![Ok(level())]);

        assert_eq!(StockMessage::parse(r#"{"sku":"A","quantity":2,"locale":"sv-SE"}"#).unwrap(), expected);
        assert_eq!(StockMessage::parse(&StockMessage::body(&[level()])).unwrap(), expected);
    }

    #[test]
    fn a_level_is_taken_out_of_the_envelope_of_sns_or_eventbridge() {
        let expected = StockMessage::Levels(vec![Ok(level())]);
        let sent = json!({"sku": "A", "quantity": 2, "locale": "sv-SE"});

        let sns = json!({"Type": "Notification", "MessageId": "m", "Message": sent.to_string()});
        let event = json!({"version": "0", "detail-type": "stock", "source": "erp", "detail": sent});
        let event_in_sns = json!({"Type": "Notification", "MessageId": "m", "Message": event.to_string()});
        for envelope in [sns, event, event_in_sns] {
            assert_eq!(StockMessage::parse(&envelope.to_string()).unwrap(), expected, "{envelope}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_message() {
        let expected = StockMessage::Levels(vec![Ok(level())]);
        let sent = "\u{feff}{\"sku\":\"A\",\"quantity\":2,\"locale\":\"sv-SE\"}";

        assert_eq!(StockMessage::parse(sent).unwrap(), expected);
        let sns = json!({"Type": "Notification", "MessageId": "m", "Message": sent});
        assert_eq!(StockMessage::parse(&sns.to_string()).unwrap(), expected);
    }

    #[test]
    fn a_bad_level_leaves_its_neighbours_good() {
        let StockMessage::Levels(levels) = StockMessage::parse(r#"[{"sku":"A"},{"sku":"B","quantity":1},7]"#).unwrap()
        else {
            panic!("expected levels")
        };

        assert_eq!(levels.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn a_level_that_was_accepted_is_read_even_if_callers_may_not_write_it_any_more() {
        let level = StockLevel { sku: Sku::restore(&"x".repeat(600)), ..level() };
        let arrival = Arrival { at: Timestamp::UNIX_EPOCH, id: "x-0".into(), source: Source::Queue };
        let continuation = Continuation::new(level, arrival);

        let read = StockMessage::parse(&continuation.body()).unwrap();

        assert_eq!(read, StockMessage::Continuation(Box::new(continuation)));
    }

    #[test]
    fn a_sweep_begins_with_what_the_schedule_sends() {
        let sent = r#"{"v": 1, "type": "sweep", "settledSeconds": 3600}"#;

        let begun = Sweep { settled_seconds: 3_600, ..Sweep::default() };
        assert_eq!(StockMessage::parse(sent).unwrap(), StockMessage::Sweep(begun));
    }

    #[test]
    fn messages_read_back_as_they_were_written() {
        let continuation = Continuation {
            level: level(),
            arrival: Arrival { at: Timestamp::from_second(5).unwrap(), id: "m-0".into(), source: Source::Http },
            second_look: true,
            seen: vec![DeliveryId::new(Uuid::from_u128(3))],
            page: 3,
            untold: vec!["{}".into()],
            lined_up: LinedUp { locale: "sv-se".into(), count: 3 },
            lines: BTreeSet::from(["shop".into()]),
            hops: 4,
            cursor: BTreeMap::from([("sku".into(), "A".into())]),
        };
        let sweep = Sweep {
            settled_seconds: 3_600,
            started_at: Some(Timestamp::from_second(5).unwrap()),
            page: 3,
            cursor: BTreeMap::from([("contactId".into(), "A".into())]),
            hops: 1,
        };
        let tick = WaveTick {
            sku: Sku::parse("A").unwrap(),
            scope: Scope::ExternalId(ExternalId::parse("north").unwrap()),
            hops: 2,
        };

        assert_eq!(
            StockMessage::parse(&continuation.body()).unwrap(),
            StockMessage::Continuation(Box::new(continuation))
        );
        assert_eq!(StockMessage::parse(&sweep.body()).unwrap(), StockMessage::Sweep(sweep));
        assert_eq!(StockMessage::parse(&tick.body()).unwrap(), StockMessage::Tick(tick));
        for hops in [0, 3] {
            let due = DueTicks { hops };
            assert_eq!(StockMessage::parse(&due.body()).unwrap(), StockMessage::DueTicks(due));
        }
    }

    #[test]
    fn what_is_no_json_says_so() {
        assert!(matches!(StockMessage::parse("no"), Err(ParseError::NotJson(_))));
    }
}
