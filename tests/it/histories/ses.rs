//! A mail service in memory: it accepts, refuses, throttles, and now and then does not tell; and it sends events.

use super::history::SentMail;
use super::world::{PATIENCE, World, now};
use restock_domain::delivery::{Claim, Outcome};
use restock_domain::{Subscription, time};
use restock_email::{Mail, Mailer};
use restock_queue::Queue;
use restock_queue::transport::Outgoing;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long after that SES may still accept a mail, in milliseconds.
pub const LATE: u64 = 10_000;

pub struct Simulated(pub Arc<World>);

impl Mailer for Simulated {
    fn send<'a>(&'a self, _: &'a Claim, mail: Mail<'a>) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(async move {
            let world = &self.0;
            let (late, roll) = {
                let mut state = world.lock();
                (state.random.u64(1..80), if state.quiet { 1000 } else { state.random.u32(0..1000) })
            };
            tokio::time::sleep(Duration::from_millis(late)).await;
            let (subscription, email) = (mail.subscription, mail.contact.email.as_str());
            if email.starts_with("refuse") {
                return Outcome::Refused { reason: "injected".into() };
            }
            if world.lock().is_over_send_rate(&world.faults) {
                return Outcome::NotAccepted {
                    reason: "Maximum sending rate exceeded.".into(),
                    retry_after: None,
                    of_all: false,
                };
            }
            match roll {
                // Dead before SES is asked, and dead before its answer is read.
                0..10 => world.die().await,
                10..20 => {
                    accept(world, subscription, email);
                    world.die().await;
                }
                20..40 => return self.unknown().await,
                40..55 => {
                    accept(world, subscription, email);
                    return self.unknown().await;
                }
                // Accepted only after its sender has given up.
                55..60 => {
                    let (world, subscription, email) = (world.clone(), subscription.clone(), email.to_owned());
                    tokio::task::spawn_local(async move {
                        tokio::time::sleep(PATIENCE).await;
                        world.wait_up_to(LATE).await;
                        accept(&world, &subscription, &email);
                    });
                    return self.unknown().await;
                }
                60..160 => {
                    let retry_after = (roll % 2 == 0).then(|| Duration::from_secs(3));
                    return Outcome::NotAccepted { reason: "injected".into(), retry_after, of_all: false };
                }
                _ => {}
            }
            let message_id = accept(world, subscription, email);
            world.dawdle().await;
            Outcome::Accepted { message_id }
        })
    }
}

impl Simulated {
    async fn unknown(&self) -> Outcome {
        let late = self.0.lock().random.u64(0..15_000);
        tokio::time::sleep(Duration::from_millis(late)).await;
        self.0.lock().ambiguous += 1;
        Outcome::Unknown { reason: "injected".into() }
    }
}

/// Takes a mail, and returns its message id.
fn accept(world: &World, subscription: &Subscription, email: &str) -> String {
    let id = format!("mail-{}", world.lock().mails.len());
    world.lock().mails.push(SentMail {
        id: id.clone(),
        at: now(),
        subscription: subscription.id(),
        delivery: subscription.delivery.to_string(),
        level: None,
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
