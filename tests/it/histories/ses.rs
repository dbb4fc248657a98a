//! A mail service in memory: it accepts, refuses, throttles, and now and then does not tell; and it sends events.

use super::history::SentMail;
use super::world::{Mishap, PATIENCE, World, now};
use futures::FutureExt;
use jiff::Timestamp;
use restock_domain::delivery::{Claim, Hindrance, MAX_TOGETHER, Outcome};
use restock_domain::mail_count::tag_of;
use restock_domain::{SendQuota, Subscription, time};
use restock_email::{Mail, Mailer, Sent};
use restock_gather::{Ask, Gather, Second};
use restock_queue::Queue;
use restock_queue::transport::Outgoing;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long after that SES may still accept a mail, in milliseconds.
pub const LATE: u64 = 10_000;

pub struct Simulated {
    world: Arc<World>,
    bulk: Gather<(), Letter, Outcome>,
}

/// What of a mail is looked at.
#[derive(Clone)]
struct Letter {
    subscription: Subscription,
    email: String,
    /// What it says of the call that reported the level.
    correlation: String,
    automation: String,
}

impl Simulated {
    pub fn new(world: Arc<World>) -> Self {
        Self { world, bulk: Gather::new(MAX_TOGETHER, Second::Waits) }
    }
}

impl Mailer for Simulated {
    fn send<'a>(&'a self, _: &'a Claim, mail: Mail<'a>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        let letter = Letter {
            subscription: mail.subscription.clone(),
            email: mail.contact.email.as_str().to_owned(),
            correlation: mail.correlation.to_owned(),
            automation: mail.automation.id.to_string(),
        };
        let about = letter.subscription.delivery.to_string();
        let ask = Ask { group: (), about, weight: 1, asked: letter };
        let world = self.world.clone();
        let sent = self.bulk.ask(ask, move |mails| send_bulk(world, mails).boxed());
        Box::pin(sent.map(move |outcome| Sent { outcome, template: tag_of(mail.template) }))
    }

    fn quota(&self) -> Pin<Box<dyn Future<Output = Option<SendQuota>> + Send + '_>> {
        Box::pin(async {
            match self.world.fate().await {
                Mishap::Fine | Mishap::Twice => Some(self.world.lock().quota(&self.world.faults)),
                Mishap::KilledAfter => {
                    self.world.die().await;
                    None
                }
                Mishap::Refused | Mishap::LostBefore | Mishap::LostAfter => None,
            }
        })
    }
}

/// Carries a bulk request out as fate has it; each of its mails has a fate of its own too.
async fn send_bulk(world: Arc<World>, mails: Vec<Letter>) -> Vec<Outcome> {
    let (late, roll) = {
        let mut state = world.lock();
        (state.random.u64(1..80), if state.quiet || !world.faults.ses { 1000 } else { state.random.u32(0..1000) })
    };
    let asked_at = now();
    tokio::time::sleep(Duration::from_millis(late)).await;
    match roll {
        // Dead before SES is asked, and dead before its answer is read.
        0..10 => world.die().await,
        10..20 => {
            take(&world, &mails, asked_at);
            world.die().await;
        }
        20..40 => return no_answer(&world, &mails).await,
        40..55 => {
            take(&world, &mails, asked_at);
            return no_answer(&world, &mails).await;
        }
        // Accepted only after its sender has given up.
        55..60 => {
            let (later, taken) = (world.clone(), mails.clone());
            tokio::task::spawn_local(async move {
                tokio::time::sleep(PATIENCE).await;
                later.wait_up_to(LATE).await;
                take(&later, &taken, asked_at);
            });
            return no_answer(&world, &mails).await;
        }
        60..110 => {
            let retry_after = (roll % 2 == 0).then(|| Duration::from_secs(3));
            let refused = Outcome::NotAccepted { reason: "injected".into(), retry_after, hindrance: Hindrance::Moment };
            return vec![refused; mails.len()];
        }
        _ => {}
    }
    let outcomes = take(&world, &mails, asked_at);
    world.dawdle().await;
    told(&world, outcomes)
}

async fn no_answer(world: &World, mails: &[Letter]) -> Vec<Outcome> {
    let late = world.lock().random.u64(0..15_000);
    tokio::time::sleep(Duration::from_millis(late)).await;
    told(world, mails.iter().map(|_| untold()).collect())
}

/// Returns what the sender is told, and counts what does not tell it anything.
fn told(world: &World, outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let is_untold = |outcome: &&Outcome| matches!(outcome, Outcome::Unknown { .. });
    world.lock().ambiguous += outcomes.iter().filter(is_untold).count() as u64;
    outcomes
}

/// Returns what became of each mail.
fn take(world: &World, mails: &[Letter], asked_at: Timestamp) -> Vec<Outcome> {
    let throttled =
        |reason: &str| Outcome::NotAccepted { reason: reason.into(), retry_after: None, hindrance: Hindrance::Moment };
    let one = |letter: &Letter| {
        if letter.email.starts_with("refuse") {
            return Outcome::Refused { reason: "injected".into() };
        }
        let roll = {
            let mut state = world.lock();
            if state.is_over_send_rate(&world.faults) {
                return throttled("Maximum sending rate exceeded.");
            }
            if state.is_over_quota(&world.faults) {
                let reason = "Daily message quota exceeded.".into();
                return Outcome::NotAccepted { reason, retry_after: None, hindrance: Hindrance::Quota };
            }
            if state.quiet || !world.faults.ses { 1000 } else { state.random.u32(0..1000) }
        };
        match roll {
            0..50 => throttled("injected"),
            50..60 => untold(),
            60..70 => {
                accept(world, letter, asked_at);
                untold()
            }
            _ => Outcome::Accepted { message_id: accept(world, letter, asked_at) },
        }
    };
    mails.iter().map(one).collect()
}

/// Returns the outcome of a mail of which SES does not tell.
fn untold() -> Outcome {
    Outcome::Unknown { reason: "injected".into() }
}

/// Takes a mail, and returns its message id.
fn accept(world: &World, letter: &Letter, asked_at: Timestamp) -> String {
    let Letter { subscription, email, correlation, automation } = letter;
    let id = format!("mail-{}", world.lock().mails.len());
    world.lock().mails.push(SentMail {
        id: id.clone(),
        asked_at,
        at: now(),
        subscription: subscription.id(),
        delivery: subscription.delivery.to_string(),
        level: Some(correlation.clone()),
        automation: automation.clone(),
    });
    if !world.faults.events {
        return id;
    }
    let event = |kind: &str, more: Value| {
        let tags = json!({"delivery": [subscription.delivery], "subscription": [subscription.id().to_string()]});
        let mail = json!({"messageId": id, "timestamp": time::sortable(now()), "destination": [email], "tags": tags});
        let mut event = json!({"eventType": kind, "mail": mail});
        event.as_object_mut().into_iter().zip(more.as_object()).for_each(|(event, more)| {
            event.extend(more.clone());
        });
        let late = world.lock().random.u64(0..5_000);
        let delay = Duration::from_millis(late);
        world.enqueue(Queue::EmailEvents, &Outgoing { delay, ..Outgoing::new(event.to_string()) });
    };
    event("Send", json!({}));
    match email.split(['+', '@']).next().unwrap_or_default() {
        "bounce" => event("Bounce", json!({"bounce": {"bounceType": "Permanent"}})),
        "complaint" => event("Complaint", json!({})),
        _ => event("Delivery", json!({})),
    }
    id
}
