//! Histories in a simulated world: callers ask the handlers of the HTTP functions themselves.

use super::database::string;
use super::history::{Answer, Asked, CLUB, Call, Cast, History, Kind, LOCALES, Level, WITH_FEED, Wish};
use super::ses;
use super::workload::{Step, Workload};
use super::world::{AUTOMATIONS_KEPT, Faults, Sabotage, TERMS, World, now, simulate};
use crate::restock::{DEPLOYED, contact};
use lambda_http::RequestExt;
use restock_api::automations::AutomationSettings;
use restock_api::contacts::{EraseContact, ImportContacts, UpdateContact};
use restock_api::holds::{HoldSku, ReleaseSku};
use restock_api::sending::{PauseSending, ResumeSending};
use restock_api::stock_levels::UpdateStockLevel;
use restock_api::subscriptions::{ConfirmUnsubscribe, Subscribe, Unsubscribe as DeleteSubscription};
use restock_api::waves::{DeleteWaves, PutWaves};
use restock_api::{Endpoint, ErrorCode, Problem, Read};
use restock_domain::signing::{AddressKey, LinkKey};
use restock_domain::unsubscribe::{Unsubscribe, token};
use restock_domain::{Automation, AutomationId, ContactId, EmailAddress, Locale, Sku};
use restock_email::Pages;
use restock_http::{Call as Request, Failure, Handles, KeyLimits, answer};
use restock_local::template::Schedule;
use restock_queue::Queue;
use restock_queue::transport::Outgoing;
use restock_store::database::Table;
use restock_store::{
    CachedAutomations, CachedFeeds, CreatedContact, Expected, FeedConfiguration, ProductChange, Store,
};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// API Gateway's and the functions' own.
const TIMEOUT: Duration = Duration::from_secs(20);
const KEY: [u8; 32] = [7; 32];

static PAGES: LazyLock<Arc<Pages>> = LazyLock::new(|| Arc::new(Pages::new().unwrap()));

/// Plays the history of a seed.
pub fn play(seed: u64, faults: Faults, sabotage: Sabotage) -> History {
    let workload =
        if seed.is_multiple_of(2) { Workload::of_seed(seed, LONGEST_PAUSE) } else { Workload::random_with_waves(seed) };
    play_workload(seed, workload, faults, sabotage)
}

/// Plays the history of a workload; the seed is that of the faults.
pub fn play_workload(seed: u64, workload: Workload, faults: Faults, sabotage: Sabotage) -> History {
    let counted = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = Counter(counted.clone());
    tracing::subscriber::with_default(counter, || {
        simulate(seed, faults, sabotage, async |world| {
            let cast = set_up(&world, &workload).await;
            let (idle, calls, refused) = Default::default();
            let stage = Arc::new(Stage { world, cast, idle, calls, refused });
            stage.world.lock().quiet = false;

            let mut callers = JoinSet::new();
            for steps in workload.callers {
                let stage = stage.clone();
                callers.spawn_local(async move {
                    for step in steps {
                        stage.take(step).await;
                    }
                });
            }
            while callers.join_next().await.is_some() {}
            // Nothing would settle while nothing may leave.
            while stage.ask(Asked::Pause { on: false }).await != Answer::Yes {}
            for sku in 0..stage.cast.skus.len() {
                while stage.ask(Asked::Hold { sku, on: false }).await != Answer::Yes {}
            }
            stage.world.settle().await;
            stage.sweep().await;
            let settled_at = now();

            stage.restock_everything().await;
            stage.world.settle().await;
            stage.sweep().await;
            stage.history(settled_at, &counted)
        })
    })
}

struct Stage {
    world: Arc<World>,
    cast: Cast,
    /// What instances of the function that is called know of their key's limit, while no call is in them.
    idle: std::sync::Mutex<Vec<KeyLimits>>,
    calls: std::sync::Mutex<Vec<Call>>,
    /// After how many seconds calls were to be made again that were over the key's limit.
    refused: std::sync::Mutex<Vec<u32>>,
}

async fn set_up(world: &Arc<World>, workload: &Workload) -> Cast {
    let store = world.store();
    let skus: Vec<String> = (0..workload.skus).map(|n| format!("sku-{n}")).collect();
    for locale in &LOCALES[..WITH_FEED] {
        let locale = Locale::parse(locale).unwrap();
        store.put_feed(&locale, &FeedConfiguration::default(), jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        store.change_products(&locale, skus.iter().map(|sku| put(sku)).collect()).await.unwrap();
    }
    let mailboxes = workload.mailboxes.iter();
    let address =
        |(n, kind): (usize, &Kind)| EmailAddress::parse(&format!("{}+{n}@example.com", kind.mailbox())).unwrap();
    let addresses: Vec<EmailAddress> = mailboxes.clone().enumerate().map(address).collect();
    let id = |n: usize| OnceLock::from(ContactId::new(Uuid::from_u128(n as u128 + 1)));
    let generations = (0..workload.generations).flat_map(|_| mailboxes.clone());
    let contacts = generations.enumerate().map(|(n, kind)| (*kind, id(n))).collect();
    let cast = Cast { contacts, addresses, skus };
    for contact in 0..cast.addresses.len() {
        assert!(matches!(create(&store, &cast, contact).await, Ok(CreatedContact::Done(_))));
    }
    cast
}

async fn create(store: &Store, cast: &Cast, n: usize) -> Result<CreatedContact, restock_store::Error> {
    store.create_contact(contact(cast.contact_json(n), cast.contact(n), now()), &AddressKey(KEY)).await
}

impl Stage {
    async fn take(&self, step: Step) {
        tokio::time::sleep(step.pause).await;
        for _ in 0..=step.retries {
            if self.ask(step.asked.clone()).await != Answer::Unknown {
                break;
            }
        }
    }

    /// Lets the sweep of the next day come.
    async fn sweep(&self) {
        if !self.world.faults.sweeps {
            return;
        }
        let is_sweep = |schedule: &&Schedule| schedule.queue.ends_with("stock-levels");
        let schedule = DEPLOYED.schedules.iter().find(is_sweep).expect("a schedule of the sweep");
        tokio::time::sleep(schedule.every).await;
        self.world.enqueue(Queue::StockLevels, &Outgoing::new(schedule.message_at(now())));
        self.world.settle().await;
    }

    /// Makes sure that nobody who may be mailed has a reason to wait any longer.
    async fn restock_everything(&self) {
        let skus: Vec<usize> = (0..self.cast.skus.len()).collect();
        let feeds = (0..WITH_FEED).map(|locale| Asked::Feed { locale, skus: skus.clone() });
        for asked in feeds.chain([Asked::Automation { enabled: true }, Asked::Waves(None), Asked::Club(None)]) {
            while self.ask(asked.clone()).await != Answer::Yes {}
        }
        tokio::time::sleep(AUTOMATIONS_KEPT).await;
        self.world.settle().await;
        for sku in skus {
            let level = Level { sku, locale: None, external_id: None, quantity: 100, age: None };
            while self.ask(Asked::Level(level)).await != Answer::Yes {}
        }
    }

    async fn ask(&self, asked: Asked) -> Answer {
        // Between two calls of one caller there is always some time.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let from = now();
        let answer = match self.world.invoke(TIMEOUT, self.handle(&asked)).await {
            None => Answer::Unknown,
            Some(Ok(_)) => Answer::Yes,
            Some(Err(Failure(problem))) if problem.status() >= 500 || problem.status() == 429 => Answer::Unknown,
            Some(Err(_)) => Answer::No,
        };
        self.calls.lock().unwrap().push(Call { asked, from, to: now(), answer });
        answer
    }

    /// Holds the callers' key to its limit, if it has one: in an instance that no other call is in, as in Lambda.
    async fn handle(&self, asked: &Asked) -> Result<(), Failure> {
        let calls_per_second = self.world.faults.calls_per_second;
        if calls_per_second == 0 {
            return self.admitted(asked).await;
        }
        let idle = self.idle.lock().unwrap().pop();
        let instance = idle.unwrap_or_else(|| KeyLimits::of(self.world.store()));
        let answer = match instance.admit("digest", calls_per_second, now()).await {
            Ok(()) => self.admitted(asked).await,
            Err(Failure(problem)) => {
                self.refused.lock().unwrap().push(problem.retry_after_seconds.expect("a time to wait"));
                Err(Failure(problem))
            }
        };
        self.idle.lock().unwrap().push(instance);
        answer
    }

    async fn admitted(&self, asked: &Asked) -> Result<(), Failure> {
        let (store, queues) = (self.world.store(), self.world.queues());
        match asked {
            Asked::Subscribe(wish) => {
                let app = create_subscription::App {
                    announcer: None,
                    feeds: CachedFeeds::new(store.clone(), Duration::ZERO),
                    automations: CachedAutomations::new(store.clone(), Duration::ZERO),
                    store,
                    link_key: LinkKey(KEY),
                    public_url: String::new(),
                    kept: None,
                    shows_places: false,
                    clock: now,
                };
                call::<Subscribe, _>(&app, &[], Some(self.cast.wish_json(*wish))).await
            }
            Asked::Delete(wish) => {
                let id = self.cast.id(*wish).to_string();
                call::<DeleteSubscription, _>(&delete_subscription::App { store }, &[("subscriptionId", id)], None)
                    .await
            }
            Asked::Unsubscribe(wish) => self.unsubscribe(Unsubscribe::One(self.cast.id(*wish))).await,
            Asked::UnsubscribeFromAll(contact) => {
                self.unsubscribe(self.cast.all_mail(*contact, &AddressKey(KEY))).await
            }
            Asked::Erase(contact) => {
                let app = delete_contact::App { store, address_key: AddressKey(KEY), queues };
                let id = self.cast.contact(*contact).to_string();
                call::<EraseContact, _>(&app, &[("contactId", id)], None).await
            }
            Asked::Create(contact) => match create(&store, &self.cast, *contact).await? {
                CreatedContact::Done(_) => Ok(()),
                CreatedContact::EmailTaken(other) => Err(Problem::email_taken(other, true).into()),
            },
            Asked::Import(contact) => {
                let app = import_contacts::App { store, address_key: AddressKey(KEY), clock: now };
                call::<ImportContacts, _>(&app, &[], Some(self.cast.contact_json(*contact))).await
            }
            // One that does not accept mail goes on so.
            Asked::Lift(contact) if self.cast.contacts[*contact].0 == Kind::Unwilling => Ok(()),
            Asked::Lift(_) if self.world.sabotage == Sabotage::NoLifts => Ok(()),
            Asked::Lift(contact) => self.change(*contact, json!({"acceptsEmail": true})).await,
            Asked::Rename(contact) => self.change(*contact, json!({"firstName": "Ann"})).await,
            Asked::Move(contact) => self.change(*contact, json!({"email": self.cast.new_address(*contact)})).await,
            Asked::Level(level) => {
                let body = Some(self.cast.level_json(*level, now()));
                call::<UpdateStockLevel, _>(&update_stock_levels::App { store, queues, clock: now }, &[], body).await
            }
            // What an import writes; reading a file takes threads, and with them no seed would replay.
            Asked::Feed { locale, skus } => {
                let change = |(n, sku): (usize, &String)| if skus.contains(&n) { put(sku) } else { remove(sku) };
                let changes = self.cast.skus.iter().enumerate().map(change).collect();
                Ok(store.change_products(&Locale::parse(LOCALES[*locale]).unwrap(), changes).await?)
            }
            Asked::Automation { enabled } => {
                let automation = Automation { enabled: *enabled, ..Automation::built_in() };
                Ok(store.put_automation(automation, Expected::Anything, now()).await.map(drop)?)
            }
            Asked::Pause { on } => {
                let app = pause_sending::App { store, clock: now };
                if *on {
                    call::<PauseSending, _>(&app, &[], None).await
                } else {
                    call::<ResumeSending, _>(&app, &[], None).await
                }
            }
            Asked::Hold { sku, on } => {
                let app = hold_sku::App { store, clock: now };
                let sku = &self.cast.skus[*sku];
                if *on {
                    call::<HoldSku, _>(&app, &[], Some(json!({"sku": sku}))).await
                } else {
                    call::<ReleaseSku, _>(&app, &[("?sku", sku.clone())], None).await
                }
            }
            Asked::Waves(policy) => {
                let app = configure_waves::App { store, shortest: Duration::ZERO, clock: now };
                match policy {
                    Some(policy) => call::<PutWaves, _>(&app, &[], Some(policy.json())).await,
                    None => match call::<DeleteWaves, _>(&app, &[], None).await {
                        Err(Failure(problem)) if problem.status() == 404 => Ok(()),
                        deleted => deleted,
                    },
                }
            }
            Asked::Club(policy) => {
                let id = AutomationId::parse(CLUB).unwrap();
                let Some(policy) = policy else {
                    return Ok(store.delete_automation(&id, Expected::Anything).await.map(drop)?);
                };
                let gold = json!({"field": "contact.attributes.club", "operator": "equals", "value": "gold"});
                let body = json!({"name": "Club", "priority": 1, "conditions": [gold], "waves": policy.json()});
                let automation = AutomationSettings::read(body).unwrap().into_automation(id, Duration::ZERO).unwrap();
                Ok(store.put_automation(automation, Expected::Anything, now()).await.map(drop)?)
            }
            Asked::Malformed => {
                self.world.enqueue(Queue::StockLevels, &Outgoing::new("malformed".into()));
                Ok(())
            }
        }
    }

    async fn change(&self, contact: usize, change: Value) -> Result<(), Failure> {
        let app = update_contact::App { store: self.world.store(), address_key: AddressKey(KEY) };
        let id = self.cast.contact(contact).to_string();
        call::<UpdateContact, _>(&app, &[("contactId", id)], Some(change)).await
    }

    async fn unsubscribe(&self, what: Unsubscribe) -> Result<(), Failure> {
        let (store, queues, pages) = (self.world.store(), self.world.queues(), PAGES.clone());
        let (links, address_key) = (unsubscribe::Links::signed_by(vec![LinkKey(KEY)], store.clone()), AddressKey(KEY));
        let app = unsubscribe::App { store, address_key, links, pages, queues, clock: now };
        call::<ConfirmUnsubscribe, _>(&app, &[("token", token(&LinkKey(KEY), what))], None).await
    }

    fn history(&self, settled_at: jiff::Timestamp, counted: &std::sync::atomic::AtomicU64) -> History {
        let state = self.world.lock();
        let wishes: HashMap<(String, String), Wish> = self
            .cast
            .wishes()
            .into_iter()
            .map(|wish| (self.cast.id(wish), wish))
            .map(|(id, wish)| ((id.contact_id.to_string(), id.key.to_string()), wish))
            .collect();
        let waiting = state.tables.items(Table::Subscriptions);
        let waiting = waiting.map(|item| wishes[&(string(item, "contactId"), string(item, "subscription"))]);
        let keys: BTreeSet<String> = state.tables.items(Table::Contacts).map(|item| string(item, "key")).collect();
        let there = |contact: &usize| keys.contains(&format!("contact#{}", self.cast.contact(*contact)));
        History {
            cast: self.cast.clone(),
            calls: self.calls.lock().unwrap().clone(),
            mails: state.mails.clone(),
            stored: state.tables.stored.clone(),
            suppressed: state.suppressed.clone(),
            settled_at,
            waiting: waiting.collect(),
            contacts: (0..self.cast.contacts.len()).filter(there).collect(),
            stuck: state.stuck,
            redriven: state.redriven,
            sent_on: state.sent_on,
            sent: state.sent - state.events,
            most_on_the_way: state.tables.most_on_the_way,
            over_time: state.over_time,
            throttled: state.throttled,
            refused: self.refused.lock().unwrap().clone(),
            dead: self.world.dead_letters(),
            ambiguous: (state.ambiguous, counted.load(std::sync::atomic::Ordering::Relaxed)),
            unrecorded: state.unrecorded(),
            slack: TERMS.lease + Duration::from_millis(ses::LATE),
            automations_kept: AUTOMATIONS_KEPT,
        }
    }
}

fn put(sku: &str) -> ProductChange {
    let data = json!({"id": sku, "title": sku, "link": "https://shop.example/"}).to_string();
    ProductChange::Put { sku: Sku::parse(sku).unwrap(), data, digest: String::new(), related_by: None }
}

fn remove(sku: &str) -> ProductChange {
    ProductChange::Remove { sku: Sku::parse(sku).unwrap() }
}

/// Calls an endpoint of a function as API Gateway does, but for the API key. A parameter of the query has a `?` before
/// its name.
async fn call<E: Endpoint, A: Handles<E>>(
    app: &A,
    parameters: &[(&str, String)],
    body: Option<Value>,
) -> Result<(), Failure> {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let mut request = lambda_http::http::Request::new(lambda_http::Body::from(body));
    let content_type = if E::PATH.ends_with("/imports") { "application/x-ndjson" } else { "application/json" };
    request.headers_mut().insert("content-type", content_type.try_into().unwrap());
    let of_query = |(name, value): &(&str, String)| Some((name.strip_prefix('?')?.to_owned(), vec![value.clone()]));
    let query: HashMap<String, Vec<String>> = parameters.iter().filter_map(of_query).collect();
    let parameters: HashMap<String, String> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let request = request.with_path_parameters(parameters).with_query_string_parameters(query);
    let reply = answer::<E, A>(app, Request::new(request)).await?;
    // A page may say that there is nothing to do.
    if reply.status == 404 { Err(Problem::not_found(ErrorCode::RouteNotFound, "").into()) } else { Ok(()) }
}

/// Counts how often the system says that it does not know what became of a mail, in the words of its log.
struct Counter(Arc<std::sync::atomic::AtomicU64>);

thread_local! {
    static SAID: Cell<bool> = const { Cell::new(false) };
}

impl tracing::Subscriber for Counter {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(bool);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 |= field.name() == "message" && format!("{value:?}").contains(send_email::UNKNOWN_OUTCOME);
            }
        }
        let mut message = Message(false);
        event.record(&mut message);
        if message.0 {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
