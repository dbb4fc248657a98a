//! `cargo local demo`: the main job from end to end, shown to a person and checked against `docs/contract.md`.

mod shop;

use crate::client::Client;
use crate::{Error, Ready, sample_shop};
use serde_json::{Value, json};
use shop::Shop;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// One of the five subscriptions of the example in `docs/contract.md`.
struct Waiting {
    number: usize,
    sku: String,
    locale: String,
    external_id: Option<String>,
    contact_id: String,
    email: String,
}

/// One of its three stock levels, and the subscriptions that it triggers.
struct Level {
    body: Value,
    triggers: BTreeSet<usize>,
}

struct Demo<'a> {
    api: Client,
    sqs: Client,
    inbox: Client,
    ready: &'a Ready,
}

/// Runs the example with the sample shop, or with a feed and its locale. An error says what was not as it should be.
pub fn run(ready: &Ready, feed: Option<(PathBuf, String)>) -> Result<(), Error> {
    let demo = Demo {
        api: Client::new(&format!("{}/api/v3", ready.api)).header("apikey", &ready.api_key),
        sqs: Client::new(&ready.endpoints["sqs"]),
        inbox: Client::new(&ready.inbox),
        ready,
    };
    let shop = match feed {
        Some((file, locale)) => Shop::of_feed(&file, &locale)?,
        None => Shop::sample()?,
    };
    demo.brand()?;
    println!("1. Product feeds");
    for feed in &shop.feeds {
        demo.import(feed)?;
    }

    println!("\n2. Subscriptions");
    let waiting = demo.contacts(&shop)?;
    for subscription in &waiting {
        let external_id = subscription.external_id.as_deref().unwrap_or_default();
        println!(
            "   #{} {} {} {external_id}  {}",
            subscription.number, subscription.sku, subscription.locale, subscription.email
        );
    }

    for (index, level) in levels(&shop).iter().enumerate() {
        println!("\n{}. Stock level {}", index + 3, level.body);
        demo.restock(&waiting, level)?;
    }
    println!("\nEverything is as docs/contract.md says.");
    Ok(())
}

fn levels(shop: &Shop) -> [Level; 3] {
    let sku = &shop.sku;
    let level = |body: Value, triggers: &[usize]| Level { body, triggers: triggers.iter().copied().collect() };
    [
        level(json!({"sku": sku, "quantity": 5, "locale": shop.locale}), &[1, 3]),
        level(json!({"sku": sku, "quantity": 5, "externalId": shop.external_id(&shop.locale)}), &[3]),
        level(json!({"sku": sku, "quantity": 5}), &[1, 2, 3, 4]),
    ]
}

impl Demo<'_> {
    /// Stores the sample shop's brand, so that the mails are its own.
    fn brand(&self) -> Result<(), Error> {
        let brand = sample_shop::brand(&self.ready.inbox)?;
        expect(200, &self.api.json("PUT", "/brand", &serde_json::from_str(&brand)?)?).map(drop)
    }

    fn import(&self, feed: &shop::Feed) -> Result<(), Error> {
        let started = feed.start_import(&self.api)?;
        let import_id = expect(202, &started)?["importId"].clone();
        let path = format!("/feeds/{}", feed.locale);
        let import = self.wait(&format!("the import of {}", feed.name), || {
            let shown = self.api.get(&path)?.json();
            let import = shown["lastImport"].clone();
            Ok((import["id"] == import_id && import["status"] != "running").then_some(import))
        })?;
        println!(
            "   {}  {}: {} items, {} imported, {} unchanged, {} rejected",
            feed.locale, feed.name, import["items"], import["imported"], import["unchanged"], import["rejected"]
        );
        for error in import["errors"].as_array().into_iter().flatten().take(3) {
            println!("     item {}: {}", error["position"], error["message"].as_str().unwrap_or_default());
        }
        check(import["status"] == "succeeded", "the import did not succeed")
    }

    fn contacts(&self, shop: &Shop) -> Result<Vec<Waiting>, Error> {
        let (first, second) = (&shop.locale, &shop.second_locale);
        let wanted = [
            ("Astrid", &shop.sku, first, false),
            ("Beata", &shop.sku, second, false),
            ("Carl", &shop.sku, first, true),
            ("Danuta", &shop.sku, second, true),
            ("Elsa", &shop.second_sku, first, false),
        ];
        let contact = |(index, (name, sku, locale, external)): (usize, (&str, &String, &String, bool))| {
            let number = index + 1;
            let email = format!("{}@example.com", name.to_lowercase());
            let body = json!({"email": email, "firstName": name, "language": locale});
            let contact_id = self.contact_id(&email, &body)?;
            let external_id = external.then(|| shop.external_id(locale));
            Ok(Waiting { number, sku: sku.clone(), locale: locale.clone(), external_id, contact_id, email })
        };
        wanted.into_iter().enumerate().map(contact).collect()
    }

    /// Creates a contact, or finds the one that a data directory has from an earlier demo.
    fn contact_id(&self, email: &str, body: &Value) -> Result<String, Error> {
        let answer = self.api.json("POST", "/contacts", body)?;
        let id = answer.json()["id"].as_str().map(ToOwned::to_owned);
        match (answer.status, id) {
            (201 | 409, Some(id)) => Ok(id),
            _ => {
                Err(format!("creating the contact {email} was answered with {}: {}", answer.status, answer.text).into())
            }
        }
    }

    fn restock(&self, waiting: &[Waiting], level: &Level) -> Result<(), Error> {
        for subscription in waiting {
            self.subscribe(subscription)?;
        }
        self.inbox.send("DELETE", "/messages", &[])?;
        expect(202, &self.api.json("PUT", "/inventory/stock-levels", &level.body)?)?;

        let mails = self.wait("the mails", || {
            let mails = self.inbox.get("/messages")?.json();
            let enough = mails.as_array().is_some_and(|mails| mails.len() >= level.triggers.len());
            // Only once the queues are empty can be said that no further mail follows.
            Ok((enough && self.queues_are_empty()?).then_some(mails))
        })?;
        let mails = mails.as_array().cloned().unwrap_or_default();
        let mut mailed = BTreeSet::new();
        for mail in &mails {
            let to = mail["to"][0].as_str().unwrap_or_default();
            let subscription =
                waiting.iter().find(|subscription| subscription.email == to).ok_or("a mail to a stranger")?;
            check(mailed.insert(subscription.number), "somebody was mailed twice")?;
            let (from, subject) = (&mail["from"], &mail["subject"]);
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            println!("   #{} was mailed by {}: {}", subscription.number, word(from), word(subject));
            for line in mail["text"].as_str().unwrap_or_default().lines().filter(|line| !line.is_empty()).take(5) {
                println!("        | {line}");
            }
        }
        check(mailed == level.triggers, &format!("expected mails for {:?}, got {mailed:?}", level.triggers))?;
        let left = self.still_waiting(waiting)?;
        println!("   still waiting: {}", left.iter().map(|number| format!("#{number}")).collect::<Vec<_>>().join(" "));
        let expected: BTreeSet<usize> = (1..=waiting.len()).filter(|number| !level.triggers.contains(number)).collect();
        check(left == expected, &format!("expected {expected:?} to wait still, found {left:?}"))?;
        self.check_log(level)
    }

    fn subscribe(&self, waiting: &Waiting) -> Result<(), Error> {
        let mut body = json!({"contactId": waiting.contact_id, "sku": waiting.sku, "locale": waiting.locale});
        if let Some(external_id) = &waiting.external_id {
            body["externalId"] = json!(external_id);
        }
        expect(201, &self.api.json("POST", "/inventory/backinstock/subscriptions", &body)?).map(drop)
    }

    fn still_waiting(&self, waiting: &[Waiting]) -> Result<BTreeSet<usize>, Error> {
        let mut left = BTreeSet::new();
        for subscription in waiting {
            let path = format!("/contacts/{}/backinstock/subscriptions", subscription.contact_id);
            let found = expect(200, &self.api.get(&path)?)?;
            if found.as_array().is_some_and(|found| !found.is_empty()) {
                left.insert(subscription.number);
            }
        }
        Ok(left)
    }

    fn check_log(&self, level: &Level) -> Result<(), Error> {
        let sku = level.body["sku"].as_str().unwrap_or_default();
        let path = format!("/inventory/backinstock/log?sku={}", shop::escaped(sku));
        let triggered = level.triggers.len();
        let entry = self.wait("the log", || {
            let page = self.api.get(&path)?.json();
            let entry = page["entries"][0].clone();
            Ok((entry["mails"]["accepted"] == triggered).then_some(entry))
        })?;
        println!(
            "   log: matched {}, sent to the automation {}, skipped {}, mails {}",
            entry["matched"], entry["automations"][0]["sent"], entry["skipped"], entry["mails"]
        );
        let agrees = entry["matched"] == triggered
            && entry["automations"][0]["sent"] == triggered
            && entry["locale"] == level.body["locale"]
            && entry["externalId"] == level.body["externalId"];
        check(agrees, "the log says something else")
    }

    fn queues_are_empty(&self) -> Result<bool, Error> {
        for queue in ["stock-levels", "notifications", "email-events"] {
            let body = json!({"QueueUrl": self.ready.queues[queue], "AttributeNames": ["All"]});
            let answer =
                self.sqs.header("x-amz-target", "AmazonSQS.GetQueueAttributes").json("POST", "/", &body)?.json();
            let attributes = answer["Attributes"].as_object().cloned().unwrap_or_default();
            let waiting = attributes.iter().filter(|(name, _)| name.starts_with("ApproximateNumber"));
            if waiting.into_iter().any(|(_, count)| count != "0") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Result<Option<T>, Error>) -> Result<T, Error> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(found) = look()? {
                return Ok(found);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("Waited {} s for {what} in vain.", PATIENCE.as_secs()).into())
    }
}

fn expect(status: u16, answer: &crate::client::Answer) -> Result<Value, Error> {
    if answer.status == status {
        return Ok(answer.json());
    }
    Err(format!("expected the status {status}, got {}: {}", answer.status, answer.text).into())
}

fn check(holds: bool, otherwise: &str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(format!("Not as docs/contract.md says: {otherwise}.").into()) }
}
