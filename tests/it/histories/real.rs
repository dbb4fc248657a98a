//! Histories on the real binaries, many at a time on one stack, each with contacts and SKUs of its own.

use super::checker::{Complaint, check};
use super::history::{Answer, Asked, Call, Cast, History, Kind, LOCALES, Level, SentMail, WITH_FEED, Wish};
use super::workload::{Step, Workload};
use crate::restock::{Restock, eventually};
use jiff::Timestamp;
use restock_domain::signing::{AddressKey, LinkKey};
use restock_domain::unsubscribe::{Unsubscribe, token};
use restock_domain::{ContactId, EmailAddress, SubscriptionId};
use restock_local::client::Client;
use restock_local::faults::{Fate, Spec};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Callers at a time.
const CALLERS: usize = 24;
/// The lease of the local stack, and what a busy machine adds to it.
const SLACK: Duration = Duration::from_secs(20);
/// How often an operator moves back what was given up.
const MAX_REDRIVES: u32 = 5;
const QUEUES: [&str; 5] = ["stock-levels", "notifications", "email-events", "feed-imports", "erasures"];

/// The outcome of many histories on one stack.
pub struct Played {
    pub complaints: Vec<(u64, Complaint)>,
    pub mails: usize,
    /// Answers of SES that did not tell, as injected and as logged.
    pub ambiguous: (u64, u64),
    /// How often each fate befell somebody.
    pub fates: HashMap<Fate, u64>,
}

struct Stage<'a> {
    restock: &'a Restock,
    link_key: &'a LinkKey,
    address_key: &'a AddressKey,
    cast: Cast,
    calls: Mutex<Vec<Call>>,
}

/// Plays the histories of these seeds at the same time.
pub fn play(seeds: std::ops::Range<u64>, faults: Spec) -> Played {
    // Longer than an index lags, and longer than SES's events are held up.
    let parameters = [("SecondLookSeconds", "4"), ("ClaimLeaseSeconds", "4"), ("ClaimGraceSeconds", "30")];
    let kills = faults.kill > 0.0;
    let restock = Restock::start_with_faults(faults, &parameters);
    let observer = restock.stack.observer().unwrap().clone();
    observer.faults.pause(true);
    let store = restock.store();
    let link_key = restock.runtime.block_on(store.newest_link_key()).unwrap();
    let address_key = restock.runtime.block_on(store.address_key()).unwrap();
    let workloads: Vec<(u64, Workload)> = seeds.map(|seed| (seed, Workload::of_seed(seed, LONGEST_PAUSE))).collect();
    let stages: Vec<Stage<'_>> = workloads
        .iter()
        .map(|(seed, workload)| Stage {
            restock: &restock,
            link_key: &link_key,
            address_key: &address_key,
            cast: cast(&restock, *seed, workload),
            calls: Mutex::default(),
        })
        .collect();
    let skus: Vec<&str> = stages.iter().flat_map(|stage| stage.cast.skus.iter().map(String::as_str)).collect();
    LOCALES[..WITH_FEED].iter().for_each(|locale| restock.feed(locale, &skus));

    observer.faults.pause(false);
    let work: Vec<(&Stage<'_>, &Vec<Step>)> = stages
        .iter()
        .zip(&workloads)
        .flat_map(|(stage, (_, workload))| workload.callers.iter().map(move |steps| (stage, steps)))
        .collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while let Some((stage, steps)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    steps.iter().for_each(|step| stage.take(step));
                }
            });
        }
    });
    let malformed = || stages.iter().map(Stage::malformed).sum();
    settle(&restock, malformed(), kills);
    let settled_at = Timestamp::now();
    let suppressed: Vec<Vec<ContactId>> = stages.iter().map(Stage::suppressed).collect();
    stages.iter().for_each(Stage::restock_everything);
    settle(&restock, malformed(), kills);
    observer.faults.pause(true);

    let mails: Vec<SentMail> = restock.mails().iter().map(sent_mail).collect();
    let mut complaints = Vec::new();
    let given_up = given_up(&restock, malformed());
    if !given_up.is_empty() {
        println!("given up: {given_up:?}");
        complaints.push((0, Complaint::Dead(given_up.len())));
    }
    for ((stage, (seed, _)), suppressed) in stages.iter().zip(&workloads).zip(suppressed) {
        let history = stage.history(&mails, settled_at, suppressed);
        let found = check(&history);
        if !found.is_empty() {
            println!("seed {seed}:\n{}{found:?}", history.story());
        }
        complaints.extend(found.into_iter().map(|complaint| (*seed, complaint)));
    }
    let mut fates: HashMap<Fate, u64> = HashMap::new();
    for ((_, fate), count) in observer.faults.injected() {
        *fates.entry(fate).or_default() += count;
    }
    let logged = restock.said(send_email::UNKNOWN_OUTCOME) as u64;
    Played { complaints, mails: mails.len(), ambiguous: (observer.faults.ambiguous(), logged), fates }
}

/// Waits until everything is done. Where functions are killed, what was given up comes back, as by an operator: on a
/// busy machine batches are large, and one that is killed again and again is given up as a whole.
fn settle(restock: &Restock, malformed: usize, kills: bool) {
    restock.settle_queues(&QUEUES);
    let mut redrives = if kills { MAX_REDRIVES } else { 0 };
    while redrives > 0 && !given_up(restock, malformed).is_empty() {
        for queue in given_up(restock, malformed) {
            println!("redriven: {queue}");
            restock.redrive(&queue);
        }
        restock.settle_queues(&QUEUES);
        redrives -= 1;
    }
}

/// Returns the dead-letter queues that have anything but the levels which nobody can read.
fn given_up(restock: &Restock, malformed: usize) -> Vec<String> {
    let expected = |queue: &str| if queue == "stock-levels" { malformed } else { 0 };
    let wrong = QUEUES.iter().map(|queue| (format!("{queue}-dead-letters"), expected(queue)));
    wrong.filter(|(queue, count)| restock.on_queue(queue) as usize != *count).map(|(queue, _)| queue).collect()
}

fn cast(restock: &Restock, seed: u64, workload: &Workload) -> Cast {
    let mailboxes = workload.mailboxes.iter();
    let address =
        |(n, kind): (usize, &Kind)| EmailAddress::parse(&format!("{}+{seed}-{n}@example.com", kind.mailbox())).unwrap();
    let addresses = mailboxes.clone().enumerate().map(address).collect();
    let generations = (0..workload.generations).flat_map(|_| mailboxes.clone());
    let contacts = generations.map(|kind| (*kind, OnceLock::new())).collect();
    let cast = Cast { contacts, addresses, skus: (0..workload.skus).map(|n| format!("{seed}-{n}")).collect() };
    for contact in 0..cast.addresses.len() {
        assert_eq!(create(restock, &cast, contact), 201);
    }
    cast
}

/// Returns the status of a call that makes a contact.
fn create(restock: &Restock, cast: &Cast, contact: usize) -> u16 {
    let answer = restock.post("/contacts", &cast.contact_json(contact));
    // One whose answer was lost may be there already.
    if answer.status == 201 || answer.status == 409 {
        let id = ContactId::parse(answer.json()["id"].as_str().unwrap()).unwrap();
        let is_new = cast.contacts.iter().all(|(_, known)| known.get() != Some(&id));
        if is_new {
            return if cast.contacts[contact].1.set(id).is_ok() { 201 } else { 409 };
        }
    }
    answer.status
}

fn sent_mail(mail: &Value) -> SentMail {
    let tag = |name: &str| mail["tags"][name].as_str().unwrap().to_owned();
    let at = mail["at"].as_str().unwrap().parse().unwrap();
    SentMail {
        id: mail["id"].as_str().unwrap().to_owned(),
        asked_at: at,
        at,
        subscription: SubscriptionId::parse(&tag("subscription")).unwrap(),
        delivery: tag("delivery"),
        level: None,
        automation: tag("automation"),
    }
}

impl Stage<'_> {
    fn take(&self, step: &Step) {
        std::thread::sleep(step.pause);
        for _ in 0..=step.retries {
            if self.ask(&step.asked) != Answer::Unknown {
                break;
            }
        }
    }

    fn restock_everything(&self) {
        for sku in 0..self.cast.skus.len() {
            let level = Level { sku, locale: None, external_id: None, quantity: 100, age: None };
            while self.ask(&Asked::Level(level)) != Answer::Yes {}
        }
    }

    fn ask(&self, asked: &Asked) -> Answer {
        let from = Timestamp::now();
        let status = self.status(asked);
        let answer = match status {
            200..300 => Answer::Yes,
            429 | 500.. => Answer::Unknown,
            _ => Answer::No,
        };
        self.calls.lock().unwrap().push(Call { asked: asked.clone(), from, to: Timestamp::now(), answer });
        answer
    }

    fn status(&self, asked: &Asked) -> u16 {
        let restock = self.restock;
        match asked {
            Asked::Subscribe(wish) => {
                restock.post("/inventory/backinstock/subscriptions", &self.cast.wish_json(*wish)).status
            }
            Asked::Delete(wish) => {
                restock.delete(&format!("/inventory/backinstock/subscriptions/{}", self.cast.id(*wish))).status
            }
            Asked::Unsubscribe(wish) => self.unsubscribe(Unsubscribe::One(self.cast.id(*wish))),
            Asked::UnsubscribeFromAll(contact) => self.unsubscribe(self.cast.all_mail(*contact, self.address_key)),
            Asked::Erase(contact) => restock.delete(&format!("/contacts/{}", self.cast.contact(*contact))).status,
            Asked::Create(contact) => create(restock, &self.cast, *contact),
            Asked::Import(contact) => {
                let lines = restock.api.header("content-type", "application/x-ndjson");
                lines
                    .send("POST", "/contacts/imports", self.cast.contact_json(*contact).to_string().as_bytes())
                    .unwrap()
                    .status
            }
            Asked::Lift(contact) if self.cast.contacts[*contact].0 == Kind::Unwilling => 200,
            Asked::Lift(contact) => self.change(*contact, &json!({"acceptsEmail": true})),
            Asked::Rename(contact) => self.change(*contact, &json!({"firstName": "Ann"})),
            Asked::Move(contact) => self.change(*contact, &json!({"email": self.cast.new_address(*contact)})),
            Asked::Waves(Some(policy)) => restock.put("/waves", &policy.json()).status,
            Asked::Waves(None) => restock.delete("/waves").status,
            Asked::Level(level) => {
                restock.put("/inventory/stock-levels", &self.cast.level_json(*level, Timestamp::now())).status
            }
            // Feeds, automations and the pause are everybody's here, so nobody changes them. How soon a hold is in
            // force is a matter of time, which a busy machine has its own of.
            Asked::Feed { .. }
            | Asked::Automation { .. }
            | Asked::Club(_)
            | Asked::Pause { .. }
            | Asked::Hold { .. } => 404,
            Asked::Malformed => {
                restock.send_message("stock-levels", "malformed");
                200
            }
        }
    }

    fn change(&self, contact: usize, change: &Value) -> u16 {
        let path = format!("/contacts/{}", self.cast.contact(contact));
        self.restock.api.json("PATCH", &path, change).expect("an answer").status
    }

    fn unsubscribe(&self, what: Unsubscribe) -> u16 {
        let link = format!("{}/unsubscribe/{}", self.restock.stack.ready.api, token(self.link_key, what));
        Client::new(&link).send("POST", "", b"").unwrap().status
    }

    /// Returns the contacts whose addresses bounced or complained.
    fn suppressed(&self) -> Vec<ContactId> {
        let contacts = self.cast.contacts.iter().filter_map(|(_, id)| id.get().copied());
        contacts
            .filter(|id| {
                // Killed functions answer 5xx.
                let contact = eventually(|| {
                    let answer = self.restock.get(&format!("/contacts/{id}"));
                    (answer.status < 429).then_some(answer)
                });
                contact.json()["suppressed"].as_str().is_some_and(|why| why != "unsubscribed")
            })
            .collect()
    }

    fn malformed(&self) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.asked == Asked::Malformed).count()
    }

    fn history(&self, mails: &[SentMail], settled_at: Timestamp, suppressed: Vec<ContactId>) -> History {
        let contacts: Vec<ContactId> = (0..self.cast.contacts.len()).map(|n| self.cast.contact(n)).collect();
        let wishes: HashMap<String, Wish> =
            self.cast.wishes().into_iter().map(|wish| (self.cast.id(wish).to_string(), wish)).collect();
        let mine = |mail: &&SentMail| contacts.contains(&mail.subscription.contact_id);
        let waiting = contacts.iter().flat_map(|contact| self.restock.subscriptions(&contact.to_string()));
        let calls = self.calls.lock().unwrap().clone();
        let there = |n: &usize| self.restock.get(&format!("/contacts/{}", contacts[*n])).status == 200;
        History {
            cast: self.cast.clone(),
            calls,
            mails: mails.iter().filter(mine).cloned().collect(),
            // From then on at the latest.
            suppressed: suppressed.into_iter().map(|id| (id, settled_at - SLACK)).collect(),
            stored: Vec::new(),
            settled_at,
            waiting: waiting.map(|subscription| wishes[subscription["id"].as_str().unwrap()]).collect(),
            contacts: (0..contacts.len()).filter(there).collect(),
            stuck: false,
            sent: 0,
            redriven: 0,
            sent_on: 0,
            most_on_the_way: 0,
            over_time: 0,
            throttled: 0,
            refused: Vec::new(),
            // What was given up is counted for all histories together.
            dead: self.malformed(),
            ambiguous: (0, 0),
            unrecorded: 0,
            slack: SLACK,
            automations_kept: Duration::ZERO,
        }
    }
}
