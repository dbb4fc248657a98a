//! The whole stack, from start to end.

use crate::aws::events::{self, Bus};
use crate::aws::gateway::Gateway;
use crate::aws::lambda::{Lambda, Sink};
use crate::aws::lineage::Lineage;
use crate::aws::names::{REGION, last_part};
use crate::aws::ses::Ses;
use crate::aws::sqs::{Broker, SendOptions};
use crate::aws::{http, poller, sqs};
use crate::client::Client;
use crate::faults::limits::Limits;
use crate::faults::proxy::{self, Observer, Service};
use crate::faults::{Faults, Spec};
use crate::inbox::Inbox;
use crate::running::{self, Ready};
use crate::template::{Endpoints, Queue, Schedule, Table, Template};
use crate::{Binaries, Error, functions, gallery, inbox, stats};
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use dynoxide::Database;
use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::update_time_to_live::UpdateTimeToLiveRequest;
use dynoxide::errors::DynoxideError;
use restock_api::KeySet;
use restock_store::ApiKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

pub struct Options {
    /// The API's port; the others follow it. 0 takes free ones.
    pub port: u16,
    /// Where to keep tables, queues and mails over a restart; in memory if missing.
    pub data: Option<PathBuf>,
    /// The functions to start; none for emulators only.
    pub binaries: Option<Binaries>,
    /// Replaces values of the template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Replaces settings of functions that no parameter changes: a function, a setting and its value.
    pub settings: Vec<(&'static str, &'static str, &'static str)>,
    /// Lets the template's schedules run. Without, only the caller sends their messages.
    pub schedules: bool,
    /// Takes what functions print.
    pub sink: Sink,
    /// Puts proxies between functions and emulators, which hold functions to their permissions in the template, inject
    /// these faults, and count requests.
    pub faults: Option<Spec>,
}

/// A running stack; dropping it ends everything that it started.
pub struct Stack {
    pub ready: Ready,
    /// The settings of functions that run against this stack, when they are started by something else.
    pub environment: BTreeMap<String, String>,
    data: Option<PathBuf>,
    broker: Arc<Broker>,
    inbox: Arc<Inbox>,
    observer: Option<Arc<Observer>>,
    _tasks: JoinSet<()>,
    lambda: Option<Arc<Lambda>>,
}

impl Stack {
    pub async fn start(options: Options) -> Result<Self, Error> {
        let port = |offset: u16| if options.port == 0 { 0 } else { options.port + offset };
        let api = http::bind(port(0), "the API").await?;
        let inbox_listener = http::bind(port(1), "the inbox").await?;
        let dynamodb = http::bind(port(2), "DynamoDB").await?;
        let sqs_listener = http::bind(port(3), "SQS").await?;
        let ses_listener = http::bind(port(4), "SES").await?;
        let runtime = http::bind(port(5), "the Lambda runtime").await?;
        let events_listener = http::bind(0, "EventBridge").await?;
        let endpoints = Endpoints { api: http::url(&api)?, sqs: http::url(&sqs_listener)? };

        let yaml = fs::read_to_string(functions::workspace().join("template.yaml"))?;
        // Seconds where a deployment waits for minutes: nobody at a terminal wants to, and no service lags here.
        let mut parameters: BTreeMap<String, String> =
            LOCAL_PARAMETERS.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        parameters.extend(options.parameters);
        let mut template = Template::parse(&yaml, &endpoints, &parameters)?;
        for (function, setting, value) in options.settings {
            let named = template.functions.iter_mut().find(|named| named.binary == function);
            let function = named.ok_or_else(|| format!("template.yaml has no function {function}"))?;
            function.environment.insert(setting.to_owned(), value.to_owned());
        }
        if let Some(directory) = &options.data {
            fs::create_dir_all(directory).map_err(|error| format!("{} can't be used: {error}", directory.display()))?;
        }
        let database = tables(&template.tables, options.data.as_deref())?;
        put_api_key(&database, &template.tables)?;
        let broker = Arc::new(Broker::new(&template.queues, jiff::Timestamp::now));
        let inbox = Arc::new(Inbox::default());
        if let Some(directory) = &options.data {
            restore(directory, &broker, &inbox)?;
        }

        let mut tasks = JoinSet::new();
        let urls = BTreeMap::from([
            ("dynamodb".to_owned(), http::url(&dynamodb)?),
            ("sqs".to_owned(), endpoints.sqs.clone()),
            ("ses".to_owned(), http::url(&ses_listener)?),
            ("events".to_owned(), http::url(&events_listener)?),
        ]);
        let swept = database.clone();
        tasks.spawn(async move { dynoxide::server::serve_on(dynamodb, database).await });
        tasks.spawn(sweep(swept));
        http::serve(&mut tasks, sqs_listener, sqs::router(broker.clone(), endpoints.sqs.clone()));
        if let Some(only) = options.faults.as_ref().and_then(|spec| spec.function.as_ref())
            && !template.functions.iter().any(|function| function.binary == *only)
        {
            return Err(format!("--faults: there is no function {only}; template.yaml has their names.").into());
        }
        if let Some(only) = options.faults.as_ref().and_then(|spec| spec.table.as_ref())
            && !template.tables.iter().any(|table| table.id == *only)
        {
            return Err(format!("--faults: there is no table {only}; template.yaml has their names.").into());
        }
        let limits = |spec: &Spec| Limits::new(spec.key_units, &template.tables);
        let observer = options.faults.map(|spec| {
            let limits = limits(&spec);
            Arc::new(Observer::new(Faults::new(spec), template.permissions, limits))
        });
        let ses = Ses::new(inbox.clone(), broker.clone(), template.email_events, observer.clone());
        http::serve(&mut tasks, ses_listener, ses.router());
        let bus = Arc::new(Bus::default());
        http::serve(&mut tasks, events_listener, events::router(bus.clone()));
        let inbox_url = http::url(&inbox_listener)?;
        let client = Client::new(&format!("{}/api/v3", endpoints.api)).header("apikey", API_KEY);
        let mut pages =
            inbox::router(inbox.clone()).merge(gallery::router(client, &inbox_url)).merge(events::page(bus));
        if let Some(observer) = &observer {
            pages = pages.merge(stats::router(observer.clone()));
        }
        let environment = match &observer {
            None => environment(&urls),
            Some(observer) => {
                let mut environment = environment(&proxies(&mut tasks, &urls, observer).await?);
                if observer.faults.spec != Spec::default() {
                    // What hangs is given up soon.
                    environment.insert("REQUEST_TIMEOUT_SECONDS".into(), "1".into());
                }
                environment
            }
        };
        let ready = Ready {
            ready: true,
            api: endpoints.api.clone(),
            api_key: API_KEY.to_owned(),
            inbox: inbox_url,
            queues: template.queues.iter().map(|queue| (short(queue), queue.url(&endpoints.sqs))).collect(),
            tables: template.tables.iter().map(|table| (kebab(table), table.name.clone())).collect(),
            endpoints: urls,
        };
        // As they are made when template.yaml is deployed.
        running::store(&ready).make_secrets(jiff::Timestamp::now()).await?;
        let (shown, json) = (json!(ready), async |State(ready): State<Value>| Json(ready));
        let addresses = Router::new().route("/ready.json", get(json)).with_state(shown);
        pages = pages.merge(addresses.clone());
        http::serve(&mut tasks, inbox_listener, pages);
        let mut all = environment.clone();
        template.functions.iter().for_each(|function| all.extend(function.environment.clone()));
        let lambda = match &options.binaries {
            None => None,
            Some(binaries) => {
                let url = http::url(&runtime)?;
                let lambda = Lambda::start(&template.functions, binaries, &environment, &url, &options.sink)?;
                http::serve(&mut tasks, runtime, lambda.router());
                if let Some(observer) = &observer {
                    let _ = observer.lambda.set(Arc::downgrade(&lambda));
                }
                poller::start(&mut tasks, template.mappings, &broker, &lambda, observer.as_ref());
                if options.schedules {
                    for schedule in template.schedules {
                        tasks.spawn(keep(schedule, broker.clone()));
                    }
                }
                let gateway = Gateway::new(lambda.clone(), template.routes)?.router();
                http::serve(&mut tasks, api, gateway.merge(addresses));
                Some(lambda)
            }
        };
        Ok(Self { ready, environment: all, data: options.data, broker, inbox, observer, _tasks: tasks, lambda })
    }

    /// Hides messages that are received from now on for so long, instead of what the template says: what a killed
    /// function had in hand then comes back soon.
    pub fn hide_messages_for(&self, seconds: u64) {
        self.broker.set_visibility(seconds);
    }

    /// Lets no message wait longer, whatever a function asks for: after several attempts it asks for a quarter of an
    /// hour.
    pub fn let_messages_wait_at_most(&self, seconds: u64) {
        self.broker.set_max_wait(seconds);
    }

    /// Holds back what is on a queue, by its short name, until it is told otherwise: what follows is then the same in
    /// every run.
    pub fn hold(&self, queue: &str, held: bool) -> Result<(), Error> {
        let url = self.ready.queues.get(queue).ok_or_else(|| format!("there is no queue {queue}"))?;
        self.broker.hold(last_part(url), held).map_err(|_| format!("there is no queue {queue}").into())
    }

    /// Invokes a function with an event, as CloudFormation does, and returns what it answers.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Error> {
        let lambda = self.lambda.as_ref().ok_or("the stack runs no functions")?;
        let answer = lambda.invoke(function, Bytes::from(event.to_string()), Lineage::default()).await;
        Ok(serde_json::from_slice(&answer.map_err(|failed| format!("{function} failed: {failed:?}"))?)?)
    }

    /// Kills what runs of a function (SIGKILL), as a crash does.
    pub fn kill(&self, function: &str) {
        if let Some(lambda) = &self.lambda {
            lambda.kill_all(function);
        }
    }

    /// Returns what injects faults and counts requests, if anything does.
    pub fn observer(&self) -> Option<&Arc<Observer>> {
        self.observer.as_ref()
    }

    /// Ends the stack, and keeps its queues and mails if it has a place for them.
    pub fn stop(self) -> Result<(), Error> {
        if let Some(directory) = &self.data {
            fs::write(directory.join(QUEUES), self.broker.snapshot().to_string())?;
            fs::write(directory.join(MAILS), json!(self.inbox.mails()).to_string())?;
        }
        Ok(())
    }
}

const LOCAL_PARAMETERS: [(&str, &str); 8] = [
    ("AutomationsKeptSeconds", "0"),
    ("SecondLookSeconds", "1"),
    ("ClaimLeaseSeconds", "4"),
    ("ClaimGraceSeconds", "3"),
    ("ImportLeaseSeconds", "5"),
    // Feeds of the sample shop and of whoever tries Restock come from this machine.
    ("FeedAddresses", "any"),
    ("ShortestWaveSeconds", "1"),
    // Nobody reads them here.
    ("Metrics", "false"),
];

impl Drop for Stack {
    fn drop(&mut self) {
        // The functions first, or they would say that what they talk to is gone.
        if let Some(lambda) = &self.lambda {
            lambda.stop();
        }
    }
}

/// Always the same, so that commands can be kept. Everything here is reachable from this machine only.
const API_KEY: &str = "local-api-key";
const QUEUES: &str = "queues.json";
const MAILS: &str = "mails.json";

/// Starts a proxy before each emulator, and says where they answer.
async fn proxies(
    tasks: &mut JoinSet<()>,
    emulators: &BTreeMap<String, String>,
    observer: &Arc<Observer>,
) -> Result<BTreeMap<String, String>, Error> {
    let services =
        [("dynamodb", Service::DynamoDb), ("sqs", Service::Sqs), ("ses", Service::Ses), ("events", Service::Events)];
    let mut urls = BTreeMap::new();
    for (name, service) in services {
        let listener = http::bind(0, "a proxy").await?;
        urls.insert(name.to_owned(), http::url(&listener)?);
        http::serve(tasks, listener, proxy::router(service, emulators[name].clone(), observer.clone()));
    }
    Ok(urls)
}

fn restore(directory: &Path, broker: &Broker, inbox: &Inbox) -> Result<(), Error> {
    if let Ok(queues) = fs::read_to_string(directory.join(QUEUES)) {
        broker.restore(serde_json::from_str(&queues)?)?;
    }
    if let Ok(mails) = fs::read_to_string(directory.join(MAILS)) {
        inbox.replace(serde_json::from_str(&mails)?);
    }
    Ok(())
}

/// Makes the template's tables, unless the data directory has them already.
fn tables(tables: &[Table], data: Option<&Path>) -> Result<Database, Error> {
    let database = match data {
        None => Database::memory()?,
        Some(directory) => Database::new(&directory.join("dynamodb.sqlite").to_string_lossy())?,
    };
    for table in tables {
        let mut properties = table.properties.clone();
        properties["TableName"] = json!(table.name);
        let ttl = properties.as_object_mut().and_then(|map| map.remove("TimeToLiveSpecification"));
        // CloudFormation takes the text of a parameter for it.
        properties["DeletionProtectionEnabled"] = json!(properties["DeletionProtectionEnabled"] == "true");
        match database.create_table(serde_json::from_value::<CreateTableRequest>(properties)?) {
            Err(DynoxideError::ResourceInUseException(_)) => continue,
            created => created?,
        };
        if let Some(ttl) = ttl {
            let request = json!({ "TableName": table.name, "TimeToLiveSpecification": ttl });
            database.update_time_to_live(serde_json::from_value::<UpdateTimeToLiveRequest>(request)?)?;
        }
    }
    Ok(database)
}

fn put_api_key(database: &Database, tables: &[Table]) -> Result<(), Error> {
    let table = tables.iter().find(|table| table.id == "ConfigurationTable").ok_or("no ConfigurationTable")?;
    let item = json!({
        "kind": { "S": "api-key" },
        "id": { "S": ApiKey::digest(API_KEY) },
        "name": { "S": "local" },
        "scopes": { "L": [{ "S": KeySet::Operator.as_str() }] },
    });
    let request = json!({ "TableName": table.name, "Item": item });
    database.put_item(serde_json::from_value::<PutItemRequest>(request)?)?;
    Ok(())
}

/// Puts the message of a schedule on its queue, again and again.
async fn keep(schedule: Schedule, broker: Arc<Broker>) {
    loop {
        tokio::time::sleep(schedule.every).await;
        // The queue is there as long as the stack is.
        let message = schedule.message_at(jiff::Timestamp::now());
        // By the content, as the queue has it.
        let deduplication = schedule.group.as_ref().map(|_| message.clone());
        let options = SendOptions { group: schedule.group.clone(), deduplication, ..SendOptions::default() };
        let _ = broker.send(&schedule.queue, message, BTreeMap::new(), options);
    }
}

/// Asks the emulator to delete expired items, which DynamoDB does by itself.
async fn sweep(database: Database) {
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let database = database.clone();
        let _ = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
    }
}

/// Returns what Lambda, and here the stack, gives every function besides its own settings.
fn environment(endpoints: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = [
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoints["dynamodb"]),
        ("AWS_ENDPOINT_URL_SQS", &endpoints["sqs"]),
        ("AWS_ENDPOINT_URL_SESV2", &endpoints["ses"]),
        ("AWS_ENDPOINT_URL_EVENTBRIDGE", &endpoints["events"]),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for passed_on in ["PATH", "TMPDIR", "LOG_LEVEL", "RUST_BACKTRACE"] {
        if let Ok(value) = std::env::var(passed_on) {
            environment.insert(passed_on.to_owned(), value);
        }
    }
    environment
}

/// Returns the short name of a queue: `feed-imports` for `restock-feed-imports.fifo`.
fn short(queue: &Queue) -> String {
    queue.name.trim_start_matches("restock-").trim_end_matches(".fifo").to_owned()
}

/// Returns the short name of a table: `subscriptions` for `SubscriptionsTable`.
fn kebab(table: &Table) -> String {
    let mut name = String::new();
    for letter in table.id.trim_end_matches("Table").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
