//! A history: who is in it, what callers asked and were answered, and what mailboxes got.

use jiff::Timestamp;
use restock_domain::signing::AddressKey;
use restock_domain::unsubscribe::Unsubscribe;
use restock_domain::{ContactId, EmailAddress, ExternalId, KnownLevel, Locale, Sku, SubscriptionId, SubscriptionKey};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;
use uuid::Uuid;

/// The first two have a feed.
pub const LOCALES: [&str; 3] = ["sv-SE", "pl-PL", "de-DE"];
pub const WITH_FEED: usize = 2;
pub const EXTERNAL_IDS: [&str; 2] = ["north", "south"];

/// The automation that a history may have besides the default one.
pub const CLUB: &str = "club";
pub const DEFAULT: &str = "default";

/// How a contact, or its mailbox, behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Bounces,
    Complains,
    /// Does not accept email.
    Unwilling,
    /// SES permanently refuses mail to it.
    Refused,
}

/// A subscription that somebody can ask for; numbers count contacts, SKUs, locales and external ids of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wish {
    pub contact: usize,
    pub sku: usize,
    pub locale: usize,
    pub external_id: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    pub sku: usize,
    pub locale: Option<usize>,
    pub external_id: Option<usize>,
    pub quantity: i64,
    /// How old the reading is, if it says so.
    pub age: Option<Duration>,
}

/// A request of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Subscribe(Wish),
    Delete(Wish),
    /// By the link for one subscription.
    Unsubscribe(Wish),
    UnsubscribeFromAll(usize),
    Erase(usize),
    /// A contact is made of the address of one that may be there, or erased.
    Create(usize),
    /// A line of a file about the address of a contact; it asks for mail, which lifts no unsubscription.
    Import(usize),
    /// A change of the contact that lifts an unsubscription.
    Lift(usize),
    /// A change of the contact that has nothing to do with mail.
    Rename(usize),
    /// The contact takes an address of its own, whose mailbox is there, and leaves the one that it had.
    Move(usize),
    Level(Level),
    /// An upload of a feed with these SKUs.
    Feed {
        locale: usize,
        skus: Vec<usize>,
    },
    /// The only automation is switched on or off.
    Automation {
        enabled: bool,
    },
    /// All sending is paused, or goes on.
    Pause {
        on: bool,
    },
    /// A SKU is held, or released.
    Hold {
        sku: usize,
        on: bool,
    },
    /// The shop's policy for waves is stored, or deleted.
    Waves(Option<WaveSpec>),
    /// An automation with a policy of its own for those whom `Cast::is_in_club` names is stored, or deleted.
    Club(Option<WaveSpec>),
    /// A message on the stock-level queue that nobody can read.
    Malformed,
}

/// A policy for waves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaveSpec {
    /// Mails for each unit in stock, in tenths.
    pub per_unit: Option<u32>,
    pub interval: Duration,
    pub minimum: i64,
    pub hold_down: Duration,
    pub restock: bool,
    /// The hours of a day, in UTC, from which and until which nothing leaves.
    pub quiet: Option<(u32, u32)>,
    /// The head start of those whom `Cast::is_in_club` names.
    pub first: Option<Duration>,
}

impl WaveSpec {
    pub fn json(&self) -> Value {
        let seconds = |length: Duration| format!("PT{}S", length.as_secs());
        let mut json = json!({
            "minimum": self.minimum,
            "holdDown": seconds(self.hold_down),
            "trigger": if self.restock { "restock" } else { "level" },
        });
        if let Some(per_unit) = self.per_unit {
            json["perUnit"] = json!(f64::from(per_unit) / 10.0);
            json["interval"] = json!(seconds(self.interval));
        }
        if let Some((from, to)) = self.quiet {
            json["quietHours"] = json!({"from": format!("{from:02}:00"), "to": format!("{to:02}:00"), "zone": "UTC"});
        }
        if let Some(head_start) = self.first {
            json["first"] = json!({"attribute": "club", "values": ["gold"], "headStart": seconds(head_start)});
        }
        json
    }

    /// Returns how many mails of an interval the law allows at a stock.
    pub fn allows(&self, quantity: i64) -> u64 {
        match self.per_unit {
            _ if quantity < self.minimum.max(1) => 0,
            Some(per_unit) => (u64::from(per_unit) * quantity.unsigned_abs() / 10).max(1),
            None => u64::MAX,
        }
    }

    /// Returns true if a moment is in the quiet hours.
    pub fn is_quiet(&self, at: Timestamp) -> bool {
        let hour = (at.as_second().rem_euclid(86_400) / 3_600) as u32;
        self.quiet.is_some_and(
            |(from, to)| {
                if from < to { (from..to).contains(&hour) } else { hour >= from || hour < to }
            },
        )
    }
}

/// A level that Restock has stored, and when.
#[derive(Debug, Clone)]
pub struct StoredLevel {
    pub at: Timestamp,
    pub sku: String,
    pub level: KnownLevel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Yes,
    /// 4xx.
    No,
    /// 5xx or none: it may have been done.
    Unknown,
}

#[derive(Debug, Clone)]
pub struct Call {
    pub asked: Asked,
    pub from: Timestamp,
    pub to: Timestamp,
    pub answer: Answer,
}

#[derive(Debug, Clone)]
pub struct SentMail {
    /// SES's id of the mail.
    pub id: String,
    /// When its sender asked SES, where that can be seen; else when SES accepted it.
    pub asked_at: Timestamp,
    /// When SES accepted it.
    pub at: Timestamp,
    pub subscription: SubscriptionId,
    pub delivery: String,
    /// The call that reported the level which it was sent for, where that can be seen.
    pub level: Option<String>,
    /// The id of the automation whose mail it is.
    pub automation: String,
}

/// Who is in a history. The first contacts have an address each; those that follow have the same addresses in the same
/// order, and are made once those before have left theirs.
#[derive(Debug, Clone)]
pub struct Cast {
    /// An id is known once there is such a contact.
    pub contacts: Vec<(Kind, OnceLock<ContactId>)>,
    /// The addresses of the first ones.
    pub addresses: Vec<EmailAddress>,
    /// The names of the SKUs.
    pub skus: Vec<String>,
}

/// Everything that callers and mailboxes saw.
pub struct History {
    pub cast: Cast,
    pub calls: Vec<Call>,
    pub mails: Vec<SentMail>,
    /// Levels in the order in which they were stored, where that can be seen.
    pub stored: Vec<StoredLevel>,
    /// Contacts whose addresses were suppressed, where that can be seen.
    pub suppressed: Vec<(ContactId, Timestamp)>,
    /// When everything was done for the first time. Then each feed was made complete and each SKU restocked.
    pub settled_at: Timestamp,
    /// Who waits in the end.
    pub waiting: BTreeSet<Wish>,
    /// Contacts that are there in the end.
    pub contacts: BTreeSet<usize>,
    /// A message is still on a queue, or a function at work.
    pub stuck: bool,
    /// Messages that were given up and redriven.
    pub redriven: u64,
    /// How often a level was sent on as an invocation had no time for all who wait, where that can be seen.
    pub sent_on: u64,
    /// Messages that were put on queues, SES's events apart, where that can be seen.
    pub sent: u64,
    /// The most messages of a wave that were on their way, where that can be seen.
    pub most_on_the_way: usize,
    /// Invocations that were over their time, where that can be seen.
    pub over_time: u64,
    /// How often SES took no mail, since the account had sent too many a second.
    pub throttled: u64,
    /// After how many seconds each call was to be made again that was over its key's limit, where that can be seen.
    pub refused: Vec<u32>,
    /// Messages that were given up, and nobody can read.
    pub dead: usize,
    /// Answers of SES that did not tell: as injected, and as the system counted them.
    pub ambiguous: (u64, u64),
    /// Mails that SES accepted and whose sender could not record it, where that can be seen.
    pub unrecorded: u64,
    /// How long a mail may be on its way from the last look to SES.
    pub slack: Duration,
    /// How long after a change of an automation the old one may still be gone by.
    pub automations_kept: Duration,
}

impl Cast {
    /// Returns the id of a contact; for one that was never made, one that nobody has.
    pub fn contact(&self, contact: usize) -> ContactId {
        self.contacts[contact].1.get().copied().unwrap_or(ContactId::new(Uuid::from_u128(u128::MAX - contact as u128)))
    }

    pub fn address(&self, contact: usize) -> &EmailAddress {
        &self.addresses[contact % self.addresses.len()]
    }

    /// Returns the address that a contact takes when it moves.
    pub fn new_address(&self, contact: usize) -> String {
        let (_, end) = self.address(contact).as_str().split_once('+').expect("an address of a history");
        format!("{}+moved-{contact}-{end}", Kind::Plain.mailbox())
    }

    pub fn have_same_address(&self, one: usize, other: usize) -> bool {
        one % self.addresses.len() == other % self.addresses.len()
    }

    /// Returns the body of a call that makes a contact.
    pub fn contact_json(&self, contact: usize) -> Value {
        let club = if Self::is_in_club(contact) { "gold" } else { "none" };
        let accepts = self.contacts[contact].0 != Kind::Unwilling;
        json!({"email": self.address(contact), "acceptsEmail": accepts, "attributes": {"club": club}})
    }

    /// Returns true if a contact comes first where a policy says so.
    pub fn is_in_club(contact: usize) -> bool {
        contact.is_multiple_of(3)
    }

    /// Returns what a link in a contact's mail ends.
    pub fn all_mail(&self, contact: usize, key: &AddressKey) -> Unsubscribe {
        Unsubscribe::All { contact: self.contact(contact), address: key.digest_of_address(self.address(contact)) }
    }

    pub fn id(&self, wish: Wish) -> SubscriptionId {
        let sku = Sku::parse(&self.skus[wish.sku]).unwrap();
        let locale = Locale::parse(LOCALES[wish.locale]).unwrap();
        let external_id = wish.external_id.map(|id| ExternalId::parse(EXTERNAL_IDS[id]).unwrap());
        let key = SubscriptionKey::of(&sku, &locale, external_id.as_ref());
        SubscriptionId { contact_id: self.contact(wish.contact), key }
    }

    /// Returns the body of a call that subscribes.
    pub fn wish_json(&self, wish: Wish) -> Value {
        let mut json = json!({
            "contactId": self.contact(wish.contact),
            "sku": self.skus[wish.sku],
            "locale": LOCALES[wish.locale],
        });
        if let Some(id) = wish.external_id {
            json["externalId"] = json!(EXTERNAL_IDS[id]);
        }
        json
    }

    /// Returns the body of a call that reports a level.
    pub fn level_json(&self, level: Level, now: Timestamp) -> Value {
        let mut json = json!({"sku": self.skus[level.sku], "quantity": level.quantity});
        if let Some(locale) = level.locale {
            json["locale"] = json!(LOCALES[locale]);
        }
        if let Some(id) = level.external_id {
            json["externalId"] = json!(EXTERNAL_IDS[id]);
        }
        if let Some(age) = level.age {
            json["updatedOn"] = json!(now - age);
        }
        json
    }

    /// Returns every wish that can be made.
    pub fn wishes(&self) -> Vec<Wish> {
        let external_ids = || [None, Some(0), Some(1)];
        let mut wishes = Vec::new();
        for contact in 0..self.contacts.len() {
            for sku in 0..self.skus.len() {
                for locale in 0..LOCALES.len() {
                    wishes.extend(external_ids().map(|external_id| Wish { contact, sku, locale, external_id }));
                }
            }
        }
        wishes
    }
}

impl Level {
    pub fn covers(&self, wish: Wish) -> bool {
        self.sku == wish.sku
            && self.locale.is_none_or(|locale| locale == wish.locale)
            && self.external_id.is_none_or(|id| Some(id) == wish.external_id)
    }
}

impl Kind {
    /// Returns the part of the address before the `@`, or before a `+`, which says how the local SES behaves.
    pub fn mailbox(self) -> &'static str {
        match self {
            Self::Plain | Self::Unwilling => "shopper",
            Self::Bounces => "bounce",
            Self::Complains => "complaint",
            Self::Refused => "refuse",
        }
    }
}

impl History {
    /// Returns what happened, line by line, in seconds since it began; for whoever has to explain a complaint.
    pub fn story(&self) -> String {
        let begin = self.calls.first().map_or(self.settled_at, |call| call.from);
        let seconds = |at: Timestamp| format!("{:10.3}", at.duration_since(begin).as_secs_f64());
        let ids: Vec<_> = self.cast.wishes().into_iter().map(|wish| (self.cast.id(wish), wish)).collect();
        let mut lines: Vec<(Timestamp, String)> = Vec::new();
        for Call { asked, from, to, answer } in &self.calls {
            lines.push((*from, format!("{} -{} {asked:?}: {answer:?}", seconds(*from), seconds(*to))));
        }
        for mail in &self.mails {
            let wish = ids.iter().find(|(id, _)| *id == mail.subscription).map(|(_, wish)| wish);
            let level = mail.level.as_deref().unwrap_or("a level that can't be seen");
            let by = &mail.automation;
            let told = format!("{}  MAIL {wish:?} of {} for {level} by {by}", seconds(mail.at), mail.delivery);
            lines.push((mail.at, told));
        }
        for StoredLevel { at, sku, level } in &self.stored {
            lines.push((
                *at,
                format!("{}  LEVEL {sku} {:?} {} of {}", seconds(*at), level.scope, level.quantity, seconds(level.at)),
            ));
        }
        lines.push((self.settled_at, format!("{}  SETTLED", seconds(self.settled_at))));
        lines.sort();
        lines.into_iter().map(|(_, line)| line + "\n").collect::<String>() + &format!("waiting: {:?}\n", self.waiting)
    }
}
