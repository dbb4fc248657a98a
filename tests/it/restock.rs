//! Shared by the tests: a stack, and words for what is done with it.

use jiff::Timestamp;
use restock_api::Read;
use restock_api::contacts::NewContact;
use restock_domain::{Arrival, Automation, AutomationId, Contact, ContactId, Locale, Sku, Source, Subscription};
use restock_local::aws::lineage::Lineage;
use restock_local::client::{Answer, Client};
use restock_local::faults::Spec;
use restock_local::running;
use restock_local::seed::{self, Seed};
use restock_local::template::{Endpoints, Template};
use restock_local::{Binaries, Options, Stack, build};
use restock_queue::{FeedImport, Message, Notification, Recipient};
use restock_store::{LogKey, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Far beyond what anything takes; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// The template as it is deployed.
pub static DEPLOYED: LazyLock<Template> = LazyLock::new(|| {
    let endpoints = Endpoints { api: String::new(), sqs: String::new() };
    Template::parse(include_str!("../../template.yaml"), &endpoints, &BTreeMap::new()).expect("a template")
});

static BINARIES: OnceLock<Binaries> = OnceLock::new();

pub fn binaries() -> &'static Binaries {
    BINARIES.get_or_init(|| build(false).expect("the functions build"))
}

/// A running Restock; it ends with the test.
pub struct Restock {
    pub stack: Stack,
    /// With an API key, below `/api/v3`.
    pub api: Client,
    printed: Arc<Mutex<Vec<String>>>,
    // Last, so that it is dropped after what runs on it.
    pub runtime: Runtime,
}

impl Restock {
    pub fn start() -> Self {
        Self::start_with(Some(binaries().clone()), "0")
    }

    /// Starts a stack that looks at each level again only after so many seconds; others do at once.
    pub fn start_with_second_look_after(seconds: &str) -> Self {
        Self::start_with(Some(binaries().clone()), seconds)
    }

    /// Starts the emulators alone.
    pub fn start_without_functions() -> Self {
        Self::start_with(None, "0")
    }

    /// Starts a stack with faults between functions and emulators, and with some parameters of the template changed.
    pub fn start_with_faults(faults: Spec, parameters: &[(&str, &str)]) -> Self {
        let restock = Self::start_as(|options| {
            options.faults = Some(faults);
            let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            options.parameters.extend(parameters);
        });
        restock.stack.hide_messages_for(4);
        // Else a message that was unlucky several times would wait longer than this test does.
        restock.stack.let_messages_wait_at_most(30);
        restock
    }

    fn start_with(binaries: Option<Binaries>, second_look_seconds: &str) -> Self {
        Self::start_as(|options| {
            options.binaries = binaries;
            options.parameters.insert("SecondLookSeconds".to_owned(), second_look_seconds.to_owned());
        })
    }

    /// Starts a stack with whatever options a test needs.
    pub fn start_as(change: impl FnOnce(&mut Options)) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let printed: Arc<Mutex<Vec<String>>> = Arc::default();
        let keep = printed.clone();
        let mut options = Options {
            port: 0,
            data: None,
            binaries: Some(binaries().clone()),
            parameters: BTreeMap::new(),
            settings: Vec::new(),
            schedules: true,
            // What functions print is shown by the test runner for a test that fails.
            sink: Arc::new(move |function, line| {
                println!("[{function}] {line}");
                keep.lock().expect("nobody panicked here").push(line.to_owned());
            }),
            // Nothing goes wrong, but functions are held to their permissions.
            faults: Some(Spec::default()),
        };
        change(&mut options);
        let stack = runtime.block_on(Stack::start(options)).expect("the stack starts");
        let api = Client::new(&format!("{}/api/v3", stack.ready.api)).header("apikey", &stack.ready.api_key);
        Self { stack, api, runtime, printed }
    }

    /// Creates a contact with an address of its own, and returns its id.
    pub fn contact(&self, name: &str) -> String {
        let body = json!({"email": format!("{name}@example.com"), "firstName": name});
        let answer = self.post("/contacts", &body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub fn subscribe(&self, contact: &str, sku: &str, locale: &str, external_id: Option<&str>) -> Value {
        let mut body = json!({"contactId": contact, "sku": sku, "locale": locale});
        if let Some(external_id) = external_id {
            body["externalId"] = json!(external_id);
        }
        let answer = self.post("/inventory/backinstock/subscriptions", &body);
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// Lets contacts `c00000`, `c00001` … wait for a SKU in `sv-SE`.
    pub fn many_wait(&self, sku: &str, subscriptions: u64) {
        self.many_wait_in("sv-SE", sku, 0..subscriptions);
    }

    pub fn many_wait_in(&self, locale: &str, sku: &str, numbers: Range<u64>) {
        let (sku, locale) = (Sku::parse(sku).unwrap(), Locale::parse(locale).unwrap());
        let seed = Seed { subscriptions: numbers.end - numbers.start, first: numbers.start, sku, locale };
        self.runtime.block_on(seed::fill(&self.store(), &seed, |_| ())).expect("the tables are there");
    }

    /// Returns what the stack keeps, used directly.
    pub fn store(&self) -> Store {
        running::store(&self.stack.ready)
    }

    pub fn subscriptions(&self, contact: &str) -> Vec<Value> {
        let answer = self.get(&format!("/contacts/{contact}/backinstock/subscriptions"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json().as_array().expect("an array").clone()
    }

    /// Sends a level over HTTP and waits until everything that follows from it is over.
    pub fn level(&self, level: Value) {
        let answer = self.put("/inventory/stock-levels", &level);
        assert_eq!(answer.status, 202, "{}", answer.text);
        self.settle();
    }

    /// Imports a feed of one product for each SKU, titled `Product <sku>`.
    pub fn feed(&self, locale: &str, skus: &[&str]) {
        let items: String = skus.iter().map(|sku| item(sku, "<g:price>199.00 SEK</g:price>")).collect();
        let import = self.import(locale, "application/xml", rss(&items).as_bytes());
        assert_eq!(import["status"], "succeeded", "{import}");
    }

    /// Uploads a feed and returns the import once it is over.
    pub fn import(&self, locale: &str, content_type: &str, file: &[u8]) -> Value {
        self.import_with(locale, content_type, file, "")
    }

    pub fn import_with(&self, locale: &str, content_type: &str, file: &[u8], query: &str) -> Value {
        let path = format!("/feeds/{locale}/imports{query}");
        let answer = self.api.header("content-type", content_type).send("POST", &path, file).expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text);
        self.imported(locale, &answer)
    }

    /// Waits for the import that an answer announced.
    pub fn imported(&self, locale: &str, answer: &Answer) -> Value {
        let id = answer.json()["importId"].clone();
        eventually(|| {
            let import = self.get(&format!("/feeds/{locale}")).json()["lastImport"].clone();
            (import["id"] == id && import["status"] != "running").then_some(import)
        })
    }

    /// Returns the newest log entry of a SKU.
    pub fn log_entry(&self, sku: &str) -> Value {
        self.get(&format!("/inventory/backinstock/log?sku={sku}")).json()["entries"][0].clone()
    }

    /// Returns how many a log entry says each automation chose.
    pub fn sent(entry: &Value) -> Value {
        let automations = entry["automations"].as_array().expect("automations").iter();
        automations
            .map(|automation| (automation["id"].as_str().expect("an id").to_owned(), automation["sent"].clone()))
            .collect()
    }

    /// Stores an automation.
    pub fn automation(&self, id: &str, body: &Value) -> Value {
        let answer = self.put(&format!("/automations/{id}"), body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Returns the lines that the functions have printed so far.
    pub fn printed(&self) -> Vec<String> {
        self.printed.lock().expect("nobody panicked here").clone()
    }

    /// Returns how many lines the functions printed that say this.
    pub fn said(&self, what: &str) -> usize {
        self.printed().iter().filter(|line| line.contains(what)).count()
    }

    /// Returns every mail so far.
    pub fn mails(&self) -> Vec<Value> {
        let answer = Client::new(&self.stack.ready.inbox).get("/messages").expect("the inbox answers");
        answer.json().as_array().expect("an array").clone()
    }

    /// Returns the addressees of every mail so far, sorted.
    pub fn mailed(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .mails()
            .iter()
            .map(|mail| mail["to"][0].as_str().expect("an address").trim_end_matches("@example.com").to_owned())
            .collect();
        names.sort();
        names
    }

    /// Waits until nothing is on its way, for as long as the functions are getting on with it: under faults, one
    /// mail after the other may have to wait for the events of SES.
    pub fn settle(&self) {
        self.settle_queues(&["stock-levels", "notifications", "feed-imports", "email-events"]);
    }

    /// Waits until nothing is on these queues, as long as the functions are getting on with something.
    pub fn settle_queues(&self, queues: &[&str]) {
        let lines = || self.printed.lock().expect("nobody panicked here").len();
        let left = || queues.iter().map(|queue| self.on_queue(queue)).sum::<u64>();
        let (mut seen, mut fewest, mut since) = (lines(), u64::MAX, Instant::now());
        while let waiting @ 1.. = left() {
            // Not everything that is done is logged.
            if lines() > seen || waiting < fewest {
                (seen, fewest, since) = (lines(), fewest.min(waiting), Instant::now());
            }
            if since.elapsed() >= PATIENCE {
                let counts: Vec<_> = queues.iter().map(|queue| (queue, self.counts(queue))).collect();
                panic!("nothing happened for {} s: {counts:?}", PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns how many messages are on a queue: those that can be received, those that were, and those whose delay is
    /// not over.
    pub fn counts(&self, queue: &str) -> [u64; 3] {
        let answer = self.sqs("GetQueueAttributes", json!({"QueueUrl": self.queue(queue), "AttributeNames": ["All"]}));
        ["", "NotVisible", "Delayed"].map(|state| {
            let count = answer["Attributes"][format!("ApproximateNumberOfMessages{state}")].as_str();
            count.and_then(|count| count.parse().ok()).expect("a count")
        })
    }

    pub fn on_queue(&self, queue: &str) -> u64 {
        self.counts(queue).iter().sum()
    }

    pub fn send_message(&self, queue: &str, body: &str) {
        self.sqs("SendMessage", json!({"QueueUrl": self.queue(queue), "MessageBody": body}));
    }

    /// Sends a message as a function does that was invoked in a chain of requests.
    pub fn send_message_of(&self, chain: &Lineage, queue: &str, body: &str) {
        let client = Client::new(&self.stack.ready.endpoints["sqs"]).header("x-amzn-trace-id", &chain.trace_id());
        let request = json!({"QueueUrl": self.queue(queue), "MessageBody": body});
        client.header("x-amz-target", "AmazonSQS.SendMessage").json("POST", "/", &request).expect("SQS answers");
    }

    pub fn send_import(&self, import: &FeedImport) {
        let request = json!({
            "QueueUrl": self.queue("feed-imports"),
            "MessageBody": import.body(),
            "MessageGroupId": import.locale,
            "MessageDeduplicationId": import.import_id,
        });
        self.sqs("SendMessage", request);
    }

    /// Moves what is on a dead-letter queue back to where it came from.
    pub fn redrive(&self, queue: &str) {
        let request = json!({"QueueUrl": self.queue(queue), "AttributeNames": ["QueueArn"]});
        let arn = self.sqs("GetQueueAttributes", request)["Attributes"]["QueueArn"].clone();
        self.sqs("StartMessageMoveTask", json!({"SourceArn": arn}));
    }

    /// Returns the bodies on a queue, once there are so many.
    pub fn bodies(&self, queue: &str, count: usize) -> Vec<String> {
        eventually(|| (self.on_queue(queue) >= count as u64).then_some(()));
        let request = json!({"QueueUrl": self.queue(queue), "MaxNumberOfMessages": 10});
        let messages = self.sqs("ReceiveMessage", request)["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| message["Body"].as_str().expect("a body").to_owned()).collect()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.api.get(path).expect("an answer")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.api.json("POST", path, body).expect("an answer")
    }

    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.api.json("PUT", path, body).expect("an answer")
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.api.send("DELETE", path, &[]).expect("an answer")
    }

    /// Makes an API key, and returns a client that uses it.
    pub fn with_key(&self, key: &str, scopes: &[&str]) -> Client {
        let scopes: Vec<Value> = scopes.iter().map(|scope| json!({ "S": scope })).collect();
        let item = json!({
            "kind": {"S": "api-key"},
            "id": {"S": restock_store::ApiKey::digest(key)},
            "name": {"S": "test"},
            "scopes": {"L": scopes},
        });
        self.dynamodb("PutItem", json!({"TableName": self.stack.ready.tables["configuration"], "Item": item}));
        Client::new(&format!("{}/api/v3", self.stack.ready.api)).header("apikey", key)
    }

    /// Sends a request to DynamoDB as it is; the emulator wants to see a signature and does not check it.
    pub fn dynamodb(&self, operation: &str, request: Value) -> Value {
        let signature = "AWS4-HMAC-SHA256 Credential=local/20261123/eu-north-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
        let client = Client::new(&self.stack.ready.endpoints["dynamodb"])
            .header("x-amz-target", &format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20261123T000000Z")
            .header("authorization", signature)
            .header("content-type", "application/x-amz-json-1.0");
        let answer = client.send("POST", "/", request.to_string().as_bytes()).expect("DynamoDB answers");
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    pub fn queue(&self, name: &str) -> &str {
        &self.stack.ready.queues[name]
    }

    pub fn sqs(&self, operation: &str, request: Value) -> Value {
        let client = Client::new(&self.stack.ready.endpoints["sqs"]);
        let target = format!("AmazonSQS.{operation}");
        client.header("x-amz-target", &target).json("POST", "/", &request).expect("SQS answers").json()
    }
}

/// Returns a contact of a body as callers send it.
pub fn contact(body: Value, id: ContactId, created_on: Timestamp) -> Contact {
    NewContact::read(body).expect("a valid contact").into_contact(id, created_on)
}

/// Returns the automation that is there from the beginning, as whose choice a mail is claimed.
pub fn by_default() -> (AutomationId, u64) {
    let Automation { id, version, .. } = Automation::built_in();
    (id, version)
}

/// Returns the message that `match-stock` would queue for one subscription.
pub fn notification(subscription: &Subscription, automation: &str) -> String {
    notification_for(subscription, automation).body()
}

/// Returns the same as a value.
pub fn notification_for(subscription: &Subscription, automation: &str) -> Notification {
    let arrival = Arrival { at: Timestamp::now(), id: automation.to_owned(), source: Source::Queue };
    let key = LogKey::new(subscription.sku.clone(), &arrival);
    let id = subscription.id();
    let recipient = Recipient { contact_id: id.contact_id, key: id.key, delivery: subscription.delivery };
    Notification {
        sku: key.sku,
        log_entry: key.entry,
        automation: AutomationId::parse(automation).unwrap(),
        version: 0,
        recipients: vec![recipient],
        attempt: 0,
        hops: 0,
        accepted: Vec::new(),
        wave: None,
        then: Vec::new(),
    }
}

/// Looks again and again until there is something to see.
pub fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < until, "waited {} s in vain", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn rss(items: &str) -> String {
    format!(r#"<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>{items}</channel></rss>"#)
}

pub fn item(sku: &str, fields: &str) -> String {
    format!(
        "<item><g:id>{sku}</g:id><title>Product {sku}</title><link>https://shop.example/{sku}</link>{fields}</item>"
    )
}
