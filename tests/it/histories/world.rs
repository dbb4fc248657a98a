//! One simulated world: a clock that jumps, faults by seed, and the functions' own handlers over tables, queues and a
//! mail service in memory. Everything runs in one thread, so a seed replays to the letter.

use super::database::{self, Tables, string};
use super::history::SentMail;
use super::queues;
use super::ses;
use crate::restock::DEPLOYED;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use jiff::Timestamp;
use restock_domain::delivery::Terms;
use restock_domain::signing::AddressKey;
use restock_domain::{ContactId, SendQuota};
use restock_local::aws::ses::rate::SendRate;
use restock_local::aws::sqs::Broker;
use restock_local::template::Schedule;
use restock_queue::transport::Outgoing;
use restock_queue::{EmailEvent, EmailEventKind, Queue, Queues};
use restock_store::database::{AttributeValue, Item};
use restock_store::{CachedAutomations, CachedStops, CachedWavePolicy, Store};
use send_email::Settings;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How likely each thing is, for each request or message, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    pub refused: u32,
    pub lost_before: u32,
    pub lost_after: u32,
    pub twice: u32,
    pub killed: u32,
    pub slow: u32,
    /// How long each request to DynamoDB and SQS takes at least, and a batch on its way to a function, in milliseconds.
    pub latency: u64,
    pub partial: u32,
    pub duplicate: u32,
    pub delay: u32,
    /// That an index shows a write only hours later; a tenth of it, that it shows all of a SKU so late.
    pub hours: u32,
    /// The fewest and the most write units a second that one key of a table or an index bears, of which a history draws
    /// one. DynamoDB's 1,000 are scaled down with the number of subscribers. 0 is no bound.
    pub key_units: [u32; 2],
    /// How many functions send mails at the same time.
    pub senders: u32,
    /// The fewest and the most mails a second that SES takes from the account, of which a history draws one. 0 is no
    /// bound.
    pub send_rate: [u32; 2],
    /// The fewest mails that SES takes from the account in 24 hours; some histories draw up to four times as many,
    /// others have no bound. 0 is no bound.
    pub day_quota: u32,
    /// Calls a second that the callers' key may make. 0 is no bound.
    pub calls_per_second: u32,
    /// True if SES throttles, refuses and does not tell now and then.
    pub ses: bool,
    /// True if SES's events arrive.
    pub events: bool,
    /// True if the sweep comes.
    pub sweeps: bool,
}

/// A part that is broken on purpose, to see that a check notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    Nothing,
    ClaimsAlwaysSucceed,
    /// There is no grace time, and the lease ends before SES must have answered.
    NoLease,
    /// The subscription is deleted by the claim, before the mail.
    UsedUpBeforeTheMail,
    /// Subscribing answers before its writes are done.
    AnsweredBeforeWritten,
    /// The second look does not wait for the index.
    NoSecondLook,
    /// Every subscription of a contact has its turn.
    NoTurns,
    /// A level is named by the message that it came in, whoever sent that.
    NamedByMessage,
    /// No read of a contact is strongly consistent.
    OldContacts,
    /// Instead of being used up, a subscription starts from the beginning.
    AlwaysRenewed,
    /// Who unsubscribed and asks for mail again is answered, and nothing is stored.
    NoLifts,
    /// Of a suppressed address that nobody has, nothing is remembered.
    NoTraces,
    /// What a sender knows of a mail that it could not record does not travel on.
    ForgottenAcceptances,
    /// A demand mark that found nobody is removed, however new it is.
    HastyMarks,
    /// No pause and no hold is ever seen.
    NoStops,
    /// Places that were taken in waves are not remembered.
    NoPlaces,
    /// Half an interval counts as one.
    ShortIntervals,
    /// The stock is taken for three times what it is.
    MoreStock,
    NoMinimum,
    NoHoldDown,
    NoQuietHours,
    /// Nobody asks for ticks that are due.
    NoTicks,
    /// Of several who wait in a locale, the oldest is shown to nobody.
    OldestHidden,
}

impl Sabotage {
    /// Returns an item as it is read.
    pub fn distort(self, item: &Item) -> Item {
        let mut item = item.clone();
        let (kind, scope) = (string(&item, "kind"), string(&item, "scope"));
        let is_policy = kind == "wave-policy" && item.contains_key("document");
        let mut change = |name: &str, change: &dyn Fn(&mut Value)| {
            let mut document: Value = serde_json::from_str(&string(&item, "document")).expect("a document");
            change(&mut document[name]);
            item.insert("document".into(), AttributeValue::S(document.to_string()));
        };
        let half = |interval: &mut Value| *interval = json!(interval.as_u64().unwrap_or_default() / 2);
        match self {
            Self::NoPlaces if scope.starts_with("wave#") => change("taken", &|taken| *taken = json!([])),
            Self::ShortIntervals if is_policy => change("intervalSeconds", &half),
            Self::NoMinimum if is_policy => change("minimum", &|minimum| *minimum = json!(1)),
            Self::NoHoldDown if is_policy => change("holdDownSeconds", &|hold_down| *hold_down = json!(0)),
            Self::NoQuietHours if is_policy => change("quietHours", &|hours| *hours = Value::Null),
            Self::MoreStock if scope.starts_with("level#") => {
                let quantity: i64 = item["quantity"].as_n().expect("a quantity").parse().expect("a number");
                item.insert("quantity".into(), AttributeValue::N((3 * quantity).to_string()));
            }
            _ => {}
        }
        item
    }
}

pub enum Mishap {
    Fine,
    /// Throttled.
    Refused,
    /// An error or a time-out; nothing was done.
    LostBefore,
    /// A time-out; it was done.
    LostAfter,
    /// The answer was lost, and the client asked again.
    Twice,
    /// It was done, and whoever asked is dead.
    KilledAfter,
}

pub struct World {
    pub faults: Faults,
    pub sabotage: Sabotage,
    pub broker: Broker,
    state: Mutex<State>,
}

pub struct State {
    pub random: fastrand::Rng,
    pub tables: Tables,
    pub mails: Vec<SentMail>,
    /// When each contact's address was suppressed for a bounce or a complaint.
    pub suppressed: Vec<(ContactId, Timestamp)>,
    pub running: usize,
    /// Something was never done, or messages made ever more messages.
    pub stuck: bool,
    /// Messages that were put on queues.
    pub sent: u64,
    /// How many of them were SES's events.
    pub events: u64,
    /// Levels that were sent on at once.
    pub sent_on: u64,
    /// Invocations that were over their time.
    pub over_time: u64,
    /// Messages that came back from a dead-letter queue.
    pub redriven: u64,
    /// No faults for now.
    pub quiet: bool,
    partial: u32,
    /// The mails a second that SES takes, once they were drawn.
    send_rate: Option<SendRate>,
    /// How often SES took no mail, since the account had sent too many a second.
    pub throttled: u64,
    /// The mails in 24 hours that SES takes, if it is bounded, once that was drawn.
    day_quota: Option<Option<u32>>,
    /// Answers of SES that did not tell, as they were injected.
    pub ambiguous: u64,
}

thread_local! {
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

tokio::task_local! {
    /// Ends the invocation that a request was made by.
    static DEATH: Arc<Notify>;
}

/// How long functions go on with the automations that they have read.
pub const AUTOMATIONS_KEPT: Duration = Duration::from_secs(30);

pub const TERMS: Terms = Terms { lease: Duration::from_secs(30), grace: Duration::from_secs(600) };
pub const PATIENCE: Duration = Duration::from_secs(15);
const SECOND_LOOK: Duration = Duration::from_secs(30);
/// No history needs nearly as many messages. A queue takes no more, so that messages that multiply come to an end.
pub const MAX_MESSAGES: u64 = 20_000;
const LOG_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// Returns the simulated time.
pub fn now() -> Timestamp {
    // Any moment will do, as long as it is always the same.
    Timestamp::from_second(1_800_000_000).unwrap_or_default() + elapsed()
}

/// Returns the simulated time since the world began.
fn elapsed() -> Duration {
    START.get().unwrap_or_else(Instant::now).elapsed()
}

/// Runs one history in a world of its own, from its first moment.
pub fn simulate<T>(seed: u64, faults: Faults, sabotage: Sabotage, run: impl AsyncFnOnce(Arc<World>) -> T) -> T {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        START.set(Some(Instant::now()));
        let state = State {
            random: fastrand::Rng::with_seed(seed),
            tables: Tables::default(),
            mails: Vec::new(),
            suppressed: Vec::new(),
            running: 0,
            stuck: false,
            sent: 0,
            events: 0,
            sent_on: 0,
            over_time: 0,
            send_rate: None,
            throttled: 0,
            day_quota: None,
            redriven: 0,
            quiet: true,
            partial: faults.partial,
            ambiguous: 0,
        };
        let world =
            Arc::new(World { faults, sabotage, broker: Broker::new(&DEPLOYED.queues, now), state: Mutex::new(state) });
        let mut functions = JoinSet::new();
        world.start(&mut functions);
        run(world).await
    })
}

impl World {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn store(self: &Arc<Self>) -> Store {
        Store::new(database::Simulated(self.clone()))
    }

    pub fn queues(self: &Arc<Self>) -> Queues {
        Queues::new(queues::Simulated(self.clone()))
    }

    /// Returns what becomes of a request, after it was a moment on its way.
    pub async fn fate(&self) -> Mishap {
        let (late, fate) = {
            let mut state = self.lock();
            if state.quiet {
                return Mishap::Fine;
            }
            let faults = self.faults;
            let late = match state.random.u32(0..1000) {
                slow if slow < faults.slow => state.random.u64(1_000..20_000),
                _ if state.random.bool() => state.random.u64(1..40),
                _ => 0,
            };
            let mut roll = state.random.u32(0..1000);
            let mut strikes = |chance: u32| {
                let struck = roll < chance;
                roll = roll.saturating_sub(chance);
                struck
            };
            let fate = if strikes(faults.refused) {
                Mishap::Refused
            } else if strikes(faults.lost_before) {
                Mishap::LostBefore
            } else if strikes(faults.lost_after) {
                Mishap::LostAfter
            } else if strikes(faults.twice) {
                Mishap::Twice
            } else if strikes(faults.killed) {
                Mishap::KilledAfter
            } else {
                Mishap::Fine
            };
            (late + faults.latency, fate)
        };
        if late > 0 {
            tokio::time::sleep(Duration::from_millis(late)).await;
        }
        fate
    }

    /// Waits as long as a client waits for an answer that was lost before it asks again.
    pub async fn wait_up_to(&self, milliseconds: u64) {
        let wait = self.lock().random.u64(0..milliseconds);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// Waits the moment that an answer is on its way.
    pub async fn dawdle(&self) {
        let late = {
            let mut state = self.lock();
            if state.random.u8(0..4) == 0 { state.random.u64(1..40) } else { 0 }
        };
        if late > 0 {
            tokio::time::sleep(Duration::from_millis(late)).await;
        }
    }

    /// Ends the invocation that this is called in. Outside of one, such as in a check, nothing dies.
    pub async fn die(&self) {
        if let Ok(death) = DEATH.try_with(Arc::clone) {
            death.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Runs an invocation until it answers, dies or is over its time.
    pub async fn invoke<T>(&self, timeout: Duration, work: impl Future<Output = T>) -> Option<T> {
        self.lock().running += 1;
        let death = Arc::new(Notify::new());
        let answer = tokio::select! {
            biased;
            () = death.notified() => None,
            () = tokio::time::sleep(timeout) => {
                self.lock().over_time += 1;
                None
            }
            answer = DEATH.scope(death.clone(), work) => Some(answer),
        };
        self.lock().running -= 1;
        self.broker.changed.notify_waiters();
        answer
    }

    /// Waits until nothing is on a queue and nobody works, if that ever comes.
    pub async fn settle(&self) {
        // Being put off for long ends after about a day, but the account may send as little as a mail a day.
        let days = Duration::from_secs(60 * 24 * 3600);
        if tokio::time::timeout(days, self.all_done()).await.is_err() {
            self.lock().stuck = true;
        }
    }

    async fn all_done(&self) {
        loop {
            let changed = self.broker.changed.notified();
            if self.lock().running == 0 && self.messages_left() == 0 && self.next_tick().is_none() {
                let redriven = self.redrive();
                if redriven == 0 {
                    return;
                }
                self.lock().redriven += redriven as u64;
            }
            changed.await;
        }
    }

    /// Returns when the next tick of a wave is due, if there is one.
    fn next_tick(&self) -> Option<Timestamp> {
        self.lock().tables.first_of_kind("wave-tick")?.split('#').next()?.parse().ok()
    }

    /// Asks for due ticks each minute, as the schedule of `template.yaml` does; now and then not, and now and then
    /// twice.
    async fn keep_ticking(self: Arc<Self>) {
        let is_of_waves = |schedule: &&Schedule| schedule.message_at(now()).contains("due-wave-ticks");
        let schedule = DEPLOYED.schedules.iter().find(is_of_waves).expect("a schedule of waves");
        loop {
            tokio::time::sleep(schedule.every).await;
            // What there is to do is the same without the messages that find nothing.
            if self.next_tick().is_none_or(|due| due > now()) {
                continue;
            }
            let lost = self.lock().strikes(self.faults.delay);
            if !lost {
                self.enqueue(Queue::StockLevels, &Outgoing::new(schedule.message_at(now())));
                self.broker.changed.notify_waiters();
            }
        }
    }

    /// Remembers from when on an address must get nothing.
    fn note_suppressions(&self, event: &SqsEvent, answer: &SqsBatchResponse) {
        let failed = |id: &Option<String>| {
            answer.batch_item_failures.iter().any(|failure| Some(&failure.item_identifier) == id.as_ref())
        };
        for record in event.records.iter().filter(|record| !failed(&record.message_id)) {
            let event = record.body.as_deref().and_then(|body| EmailEvent::parse(body).ok()?);
            if let Some(EmailEvent { kind, subscription, .. }) = event
                && matches!(kind, EmailEventKind::Bounced { permanent: true } | EmailEventKind::Complained)
            {
                self.lock().suppressed.push((subscription.contact_id, now()));
            }
        }
    }

    /// Starts the functions that consume queues, with the settings of `template.yaml`.
    fn start(self: &Arc<Self>, functions: &mut JoinSet<()>) {
        let seconds = Duration::from_secs;
        let no_lease = self.sabotage == Sabotage::NoLease;
        let terms = if no_lease { Terms { lease: seconds(2), grace: Duration::ZERO } } else { TERMS };
        let patience = if no_lease { Duration::ZERO } else { PATIENCE };
        let second_look_after = if self.sabotage == Sabotage::NoSecondLook { Duration::ZERO } else { SECOND_LOOK };
        for _ in 0..2 {
            let matcher = Arc::new(match_stock::App {
                store: self.store(),
                queues: self.queues(),
                lag: seconds(40),
                second_look_after,
                automations: CachedAutomations::new(self.store(), AUTOMATIONS_KEPT),
                wave_policy: CachedWavePolicy::new(self.store(), AUTOMATIONS_KEPT),
                stops: CachedStops::new(self.store()),
                log_kept: LOG_KEPT,
                budget: seconds(30),
                clock: now,
            });
            let handle = move |event| {
                let matcher = matcher.clone();
                async move { matcher.handle(event).await }
            };
            functions.spawn_local(self.clone().poll("match-stock", handle));
        }
        for _ in 0..self.faults.senders {
            let settings = Settings {
                terms,
                patience,
                senders: self.faults.senders,
                max_rate: None,
                budget: seconds(30),
                settings_kept: AUTOMATIONS_KEPT,
                log_kept: LOG_KEPT,
                clock: now,
            };
            let mailer = Box::new(ses::Simulated::new(self.clone()));
            let sender = Arc::new(send_email::App::new(self.store(), self.queues(), mailer, settings));
            let handle = move |event| {
                let sender = sender.clone();
                async move { sender.handle(event).await }
            };
            functions.spawn_local(self.clone().poll("send-email", handle));
        }
        let eraser = Arc::new(finish_erasure::App { store: self.store(), queues: self.queues(), budget: seconds(30) });
        let handle = move |event| {
            let eraser = eraser.clone();
            async move { eraser.handle(event).await }
        };
        functions.spawn_local(self.clone().poll("finish-erasure", handle));

        if self.sabotage != Sabotage::NoTicks {
            functions.spawn_local(self.clone().keep_ticking());
        }

        let recorder = Arc::new(record_email_events::App {
            store: self.store(),
            queues: self.queues(),
            address_key: AddressKey([7; 32]),
            log_kept: LOG_KEPT,
            clock: now,
        });
        let world = self.clone();
        let handle = move |event: SqsEvent| {
            let (recorder, world) = (recorder.clone(), world.clone());
            async move {
                let answer = recorder.handle(event.clone()).await;
                world.note_suppressions(&event, &answer);
                answer
            }
        };
        functions.spawn_local(self.clone().poll("record-email-events", handle));
    }
}

impl State {
    /// Returns how many accepted mails have no record.
    pub fn unrecorded(&self) -> u64 {
        let recorded: HashSet<String> = self
            .tables
            .records()
            .filter(|record| record.contains_key("accepted"))
            .map(|record| string(record, "messageId"))
            .collect();
        self.mails.iter().filter(|mail| !recorded.contains(&mail.id)).count() as u64
    }

    /// Returns true if SES takes no mail, since the account sends too many a second.
    pub fn is_over_send_rate(&mut self, faults: &Faults) -> bool {
        let is_over = !self.quiet && self.send_rate(faults).is_some_and(|rate| !rate.takes(1, elapsed()));
        self.throttled += u64::from(is_over);
        is_over
    }

    /// Returns the mails a second that SES takes, if they are bounded.
    fn send_rate(&mut self, faults: &Faults) -> Option<&mut SendRate> {
        let [fewest, most] = faults.send_rate;
        if most == 0 {
            return None;
        }
        let drawn = self.random.u32(fewest..=most);
        Some(self.send_rate.get_or_insert_with(|| SendRate::new(drawn.into())))
    }

    /// Returns true if SES has taken as many mails in 24 hours as the account may send.
    pub fn is_over_quota(&mut self, faults: &Faults) -> bool {
        self.day_quota(faults).is_some_and(|quota| self.sent_in_a_day() >= quota as usize)
    }

    fn sent_in_a_day(&self) -> usize {
        let since = now() - Duration::from_secs(24 * 3600);
        self.mails.iter().rev().take_while(|mail| mail.at > since).count()
    }

    fn day_quota(&mut self, faults: &Faults) -> Option<u32> {
        if faults.day_quota == 0 || self.quiet {
            return None;
        }
        if self.day_quota.is_none() {
            let most = faults.day_quota * 4;
            let drawn = (self.random.u8(0..4) == 0).then(|| self.random.u32(faults.day_quota..=most));
            self.day_quota = Some(drawn);
        }
        self.day_quota.flatten()
    }

    /// Returns what SES says that the account may send.
    pub fn quota(&mut self, faults: &Faults) -> SendQuota {
        let bound = if self.quiet { None } else { self.send_rate(faults) };
        let rate = bound.map_or(1_000.0, |rate| rate.a_second());
        SendQuota { rate, day: self.day_quota(faults).map(f64::from), sent: self.sent_in_a_day() as f64, enabled: true }
    }

    /// Returns true with a probability in thousandths.
    pub fn strikes(&mut self, chance: u32) -> bool {
        !self.quiet && self.random.u32(0..1000) < chance
    }

    /// Returns true if a part of a batch is left undone.
    pub fn partial(&mut self) -> bool {
        self.strikes(self.partial)
    }
}
