use jiff::Timestamp;
use restock_api::wire::unmarked;
use restock_api::{FieldError, Read};
use restock_domain::{
    Arrival, AutomationId, ContactId, DeliveryId, EventId, Locale, Scope, Sku, StockLevel, SubscriptionKey,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Envelopes around a message, such as EventBridge's in one of SNS.
const MAX_ENVELOPES: usize = 3;

/// A body that cannot be read, in words for whoever looks into the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParseError {
    NotJson(String),
    NotOurs { expected: &'static str, reason: String },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(reason) => write!(f, "the body is not JSON: {reason}"),
            Self::NotOurs { expected, reason } => {
                write!(f, "the body is not a message of version 1 and type {expected}: {reason}")
            }
        }
    }
}

/// A message on the stock-level queue: levels from outside or from `update-stock-levels`, the rest of a level that had more
/// subscribers than one invocation should handle, a sweep or the rest of one, or a look at those who wait for a wave.
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
    /// The index that matching reads lags the table, so a level is looked at once more a little later, for subscriptions
    /// that were made just before it.
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

/// How many of a locale the first look has found so far who wait for a wave. It goes through one locale after the other.
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
    /// When the sweep was to begin, the same for each of its messages. If it is missing, when the first message was sent.
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

/// Mail these subscriptions; at most [`MAX_TOGETHER`](restock_domain::delivery::MAX_TOGETHER).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    pub sku: Sku,
    /// The log entry of the level that triggered them.
    pub log_entry: String,
    pub automation: AutomationId,
    /// The version that accepted them.
    pub version: u64,
    pub recipients: Vec<Recipient>,
    /// How often these recipients were sent on, for whatever reason.
    #[serde(default)]
    pub hops: u32,
    /// How often these recipients were put off: throttled, claimed by somebody else, or with an outcome unknown.
    pub attempt: u32,
    /// Mails that SES accepted and that could not be recorded; all that is left to do is that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedMail>,
    /// The wave that these recipients are part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<WaveShare>,
    /// About other subscriptions of these contacts, to be sent once the recipients are done: a contact gets one mail for a
    /// level, in the locale of the newest of its subscriptions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Notification>,
}

/// A message's part of a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveShare {
    #[serde(flatten, with = "scope")]
    pub scope: Scope,
    /// What the wave's item calls the places that the message may take.
    pub id: String,
    /// The pass through the line in which its recipients had their turn: those of an earlier one go before them.
    #[serde(default)]
    pub pass: u32,
    /// The settings that the pass is one of, as the line names them.
    #[serde(default)]
    pub order: String,
    /// Since when those have waited who waited with another subscription before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub since: BTreeMap<DeliveryId, Timestamp>,
}

/// A message on the notifications queue.
#[derive(Debug, Clone, PartialEq)]
pub enum NotificationMessage {
    Notify(Box<Notification>),
    CountMails(CountMails),
}

/// Add counts of mails to the log, which could not be written when they left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountMails {
    pub sku: Sku,
    pub log_entry: String,
    pub outcomes: BTreeMap<String, i64>,
    /// True if some were perhaps counted already, and are not counted again.
    #[serde(default)]
    pub estimated: bool,
}

/// A mail that SES accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedMail {
    pub recipient: Recipient,
    pub message_id: String,
    /// When SES was asked.
    pub asked_at: Timestamp,
    /// The tag of the template that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient {
    pub contact_id: ContactId,
    pub key: SubscriptionKey,
    pub delivery: DeliveryId,
}

/// Delete what is left of a contact that was erased, or of its subscriptions after it unsubscribed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    pub contact_id: ContactId,
    /// Of a contact that unsubscribed from everything: subscriptions that were made later stay, as it may have been allowed mail
    /// again. Missing for an erased one, of which nothing stays, its purchases included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_until: Option<Timestamp>,
}

/// Delete the subscriptions of a SKU that were made until a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedSku {
    pub sku: Sku,
    pub made_until: Timestamp,
}

/// What the queue of erasures carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureMessage {
    Contact(Erasure),
    Sku(EndedSku),
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

/// What the queue of imports carries.
#[derive(Debug, Clone)]
pub enum FeedMessage {
    Import(FeedImport),
    /// Queues an import of each feed that is due by its schedule.
    ImportDue,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FeedSource {
    Url(String),
    /// An uploaded file, kept under the import's id.
    Upload,
}

/// A level as it was sent, and what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct InvalidLevel {
    pub sent: Value,
    pub errors: Vec<FieldError>,
}

impl StockMessage {
    /// Reads a body: one level, an array of levels, a continuation or a sweep. What SNS or EventBridge has put into envelopes of their
    /// own is taken out.
    pub fn parse(body: &str) -> Result<Self, ParseError> {
        let json = |text: &str| {
            serde_json::from_slice(unmarked(text.as_bytes())).map_err(|error| ParseError::NotJson(error.to_string()))
        };
        let mut value: Value = json(body)?;
        for _ in 0..MAX_ENVELOPES {
            value = match (value.get("Type"), value.get("Message"), value.get("detail-type"), value.get("detail")) {
                (Some(kind), Some(Value::String(message)), ..) if kind == "Notification" => json(message)?,
                (_, _, Some(_), Some(detail)) => detail.clone(),
                _ => break,
            };
        }
        match value {
            Value::Array(levels) => Ok(Self::Levels(levels.into_iter().map(read_level).collect())),
            Value::Object(ref map) if map.get("type").is_some_and(|kind| kind == Continuation::TYPE) => {
                open(Continuation::TYPE, value).map(|found| Self::Continuation(Box::new(found)))
            }
            Value::Object(ref map) if map.get("type").is_some_and(|kind| kind == Sweep::TYPE) => {
                open(Sweep::TYPE, value).map(Self::Sweep)
            }
            Value::Object(ref map) if map.get("type").is_some_and(|kind| kind == WaveTick::TYPE) => {
                open(WaveTick::TYPE, value).map(Self::Tick)
            }
            Value::Object(ref map) if map.get("type").is_some_and(|kind| kind == DueTicks::TYPE) => {
                open(DueTicks::TYPE, value).map(Self::DueTicks)
            }
            level => Ok(Self::Levels(vec![read_level(level)])),
        }
    }

    /// Returns the body that carries levels.
    pub fn body(levels: &[StockLevel]) -> String {
        let levels: Vec<restock_api::StockLevel> = levels.iter().map(restock_api::StockLevel::from).collect();
        json!(levels).to_string()
    }
}

fn read_level(sent: Value) -> Result<StockLevel, InvalidLevel> {
    let level = restock_api::StockLevel::read(sent.clone());
    level.map(StockLevel::from).map_err(|errors| InvalidLevel { sent, errors })
}

/// How a level that was accepted travels on. It is not read as one of a caller, for whom a rule may have been tightened since.
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

/// Writes a scope as `locale` and `externalId`.
mod scope {
    use super::Scope;
    use restock_domain::{ExternalId, Locale};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locale: Option<Locale>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        external_id: Option<ExternalId>,
    }

    pub fn serialize<S: Serializer>(scope: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
        Named { locale: scope.locale().cloned(), external_id: scope.external_id().cloned() }.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scope, D::Error> {
        let Named { locale, external_id } = Named::deserialize(deserializer)?;
        Ok(Scope::of(locale, external_id))
    }
}

impl Continuation {
    const TYPE: &'static str = "continue-matching";

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

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl Sweep {
    const TYPE: &'static str = "sweep";

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl WaveTick {
    const TYPE: &'static str = "wave-tick";

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl DueTicks {
    const TYPE: &'static str = "due-wave-ticks";

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl Notification {
    const TYPE: &'static str = "notify";

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl CountMails {
    const TYPE: &'static str = "count-mails";

    /// Returns what is left to do after a write that failed: the same if it was certainly not carried out, else only to say
    /// that the counts are estimates.
    pub fn after(self, certainly_not_done: bool) -> Self {
        if certainly_not_done { self } else { Self { outcomes: BTreeMap::new(), estimated: true, ..self } }
    }

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl NotificationMessage {
    pub fn parse(body: &str) -> Result<Self, ParseError> {
        let value: Value = serde_json::from_str(body).map_err(|error| ParseError::NotJson(error.to_string()))?;
        if value.get("type").is_some_and(|kind| kind == CountMails::TYPE) {
            return open(CountMails::TYPE, value).map(Self::CountMails);
        }
        open(Notification::TYPE, value).map(|found| Self::Notify(Box::new(found)))
    }
}

impl Erasure {
    const TYPE: &'static str = "erase";

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl EndedSku {
    const TYPE: &'static str = "end-sku";

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl ErasureMessage {
    pub fn parse(body: &str) -> Result<Self, ParseError> {
        let value: Value = serde_json::from_str(body).map_err(|error| ParseError::NotJson(error.to_string()))?;
        if value.get("type").is_some_and(|kind| kind == EndedSku::TYPE) {
            return parse(EndedSku::TYPE, body).map(Self::Sku);
        }
        parse(Erasure::TYPE, body).map(Self::Contact)
    }
}

impl FeedImport {
    const TYPE: &'static str = "import-feed";

    pub fn body(&self) -> String {
        envelope(Self::TYPE, json!(self))
    }
}

impl FeedMessage {
    const DUE: &'static str = "import-due-feeds";

    pub fn parse(body: &str) -> Result<Self, ParseError> {
        let value: Value = serde_json::from_str(body).map_err(|error| ParseError::NotJson(error.to_string()))?;
        if value.get("type").is_some_and(|kind| kind == Self::DUE) {
            return open::<serde::de::IgnoredAny>(Self::DUE, value).map(|_| Self::ImportDue);
        }
        open(FeedImport::TYPE, value).map(Self::Import)
    }
}

/// A recipient is written as `[contactId, key, delivery]`: many of them go into each message.
impl Serialize for Recipient {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.contact_id, self.key, self.delivery).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (contact_id, key, delivery) = Deserialize::deserialize(deserializer)?;
        Ok(Self { contact_id, key, delivery })
    }
}

fn envelope(kind: &'static str, mut message: Value) -> String {
    message["v"] = json!(1);
    message["type"] = json!(kind);
    message.to_string()
}

fn parse<T: DeserializeOwned>(kind: &'static str, body: &str) -> Result<T, ParseError> {
    open(kind, serde_json::from_str(body).map_err(|error| ParseError::NotJson(error.to_string()))?)
}

fn open<T: DeserializeOwned>(kind: &'static str, message: Value) -> Result<T, ParseError> {
    let not_ours = |reason: String| ParseError::NotOurs { expected: kind, reason };
    if message.get("v") != Some(&json!(1)) || message.get("type") != Some(&json!(kind)) {
        return Err(not_ours("v or type differ".into()));
    }
    serde_json::from_value(message).map_err(|error| not_ours(error.to_string()))
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
        let recipient = Recipient {
            contact_id: ContactId::new(Uuid::from_u128(1)),
            key: SubscriptionKey::of(&Sku::parse("A").unwrap(), &Locale::parse("sv").unwrap(), None),
            delivery: DeliveryId::new(Uuid::from_u128(2)),
        };
        let notification = Notification {
            sku: Sku::parse("A").unwrap(),
            log_entry: "e".into(),
            automation: AutomationId::parse("default").unwrap(),
            version: 3,
            attempt: 1,
            hops: 2,
            recipients: vec![recipient],
            accepted: vec![AcceptedMail {
                recipient,
                message_id: "m".into(),
                asked_at: Timestamp::from_second(5).unwrap(),
                template: Some("letter_2".into()),
            }],
            wave: Some(WaveShare {
                scope: Scope::Locale(Locale::parse("sv").unwrap()),
                id: "w".into(),
                pass: 1,
                order: "o".into(),
                since: BTreeMap::from([(recipient.delivery, Timestamp::from_second(4).unwrap())]),
            }),
            then: Vec::new(),
        };
        let tick = WaveTick {
            sku: Sku::parse("A").unwrap(),
            scope: Scope::ExternalId(ExternalId::parse("north").unwrap()),
            hops: 2,
        };
        let notification = Notification { then: vec![notification.clone()], ..notification };

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
        let counts = CountMails {
            sku: Sku::parse("A").unwrap(),
            log_entry: "e".into(),
            outcomes: BTreeMap::from([("accepted".into(), 3)]),
            estimated: true,
        };
        assert_eq!(
            NotificationMessage::parse(&notification.body()).unwrap(),
            NotificationMessage::Notify(Box::new(notification))
        );
        assert_eq!(NotificationMessage::parse(&counts.body()).unwrap(), NotificationMessage::CountMails(counts));
    }

    #[test]
    fn a_sweep_begins_with_what_the_schedule_sends() {
        let sent = r#"{"v": 1, "type": "sweep", "settledSeconds": 3600}"#;

        let begun = Sweep { settled_seconds: 3_600, ..Sweep::default() };
        assert_eq!(StockMessage::parse(sent).unwrap(), StockMessage::Sweep(begun));
    }

    #[test]
    fn what_is_no_message_says_why() {
        assert!(matches!(NotificationMessage::parse("{"), Err(ParseError::NotJson(_))));
        assert!(matches!(NotificationMessage::parse(r#"{"v":2,"type":"notify"}"#), Err(ParseError::NotOurs { .. })));
        assert!(matches!(StockMessage::parse("no"), Err(ParseError::NotJson(_))));
    }
}
