//! Consumes the notifications queue: one email for each recipient, and the subscription is used up.
//!
//! A conditional write on the subscription claims it before SES is asked, so of several messages about one subscription,
//! or several deliveries of one message, only one sends.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use display_error_chain::DisplayErrorChain;
use domain::unsubscribe::{SigningKey, token};
use domain::{Contact, ContactId, KnownLevel, Product, Sku, Subscription, SubscriptionId, sold_out_since};
use email::{Content, Envelope, Mailer, Renderer, SendError};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use queue::{Failure, Notification, Queues, Record, consume};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use store::{Claim, Claimed, LogKey, Milestone, Store};
use tracing::{error, info, warn};

/// Mails of one message that are on their way at a time.
const IN_FLIGHT: usize = 5;

pub struct App {
    pub store: Store,
    pub queues: Queues,
    pub renderer: Renderer,
    pub mailer: Mailer,
    pub signing_key: SigningKey,
    /// Where the API is reachable from outside, without a slash at the end.
    pub public_url: String,
    /// How long a claim holds; longer than an invocation can last.
    pub lease: Duration,
}

/// What became of one recipient.
enum Ended {
    /// A word for the integration log.
    As(&'static str),
    /// The log knows already.
    Counted,
    /// It is to be looked at again, not before that time has passed if there is one.
    Later { after: Option<Duration>, reason: String },
}

/// What the recipients of one message share.
struct Shared {
    contacts: HashMap<ContactId, Contact>,
    products: HashMap<(String, Sku), Product>,
    levels: Vec<KnownLevel>,
}

impl From<store::Error> for Ended {
    fn from(error: store::Error) -> Self {
        Self::Later { after: None, reason: DisplayErrorChain::new(&error).to_string() }
    }
}

impl App {
    pub async fn handle(&self, event: SqsEvent) -> SqsBatchResponse {
        consume(&self.queues, event, |record| self.process(record)).await
    }

    async fn process(&self, record: Record) -> Result<(), Failure> {
        let notification = Notification::parse(&record.body).map_err(|error| Failure::Malformed(error.to_string()))?;
        let retry = |error: store::Error| Failure::retry(&error);
        let subscriptions = self.current(&notification).await.map_err(retry)?;
        let shared = self.read(&notification.sku, &subscriptions).await.map_err(retry)?;

        let mails = subscriptions.iter().map(|subscription| async {
            self.mail(subscription, &notification, &shared).await.unwrap_or_else(|ended| ended)
        });
        let ended: Vec<Ended> = stream::iter(mails).buffer_unordered(IN_FLIGHT).collect().await;

        let mut outcomes = BTreeMap::new();
        let mut retry: Option<(Duration, String)> = None;
        for ended in ended {
            match ended {
                Ended::As(outcome) => *outcomes.entry(outcome).or_default() += 1,
                Ended::Counted => {}
                Ended::Later { after, reason } => {
                    let after = after.unwrap_or_default();
                    let latest = retry.as_ref().map_or(Duration::ZERO, |(latest, _)| *latest);
                    retry = Some((after.max(latest), reason));
                }
            }
        }
        let key = LogKey { sku: notification.sku.clone(), entry: notification.log_entry.clone() };
        if let Err(error) = self.store.log_mails(&key, &outcomes).await {
            // The mails are out; counting them is not worth sending the message round again.
            warn!(sku = %key.sku, error = %DisplayErrorChain::new(&error), "The log could not be written");
        }
        match retry {
            None => Ok(()),
            Some((after, reason)) => Err(Failure::Retry { after: (!after.is_zero()).then_some(after), reason }),
        }
    }

    /// The recipients' subscriptions that still exist and are the ones that were matched.
    async fn current(&self, notification: &Notification) -> Result<Vec<Subscription>, store::Error> {
        let ids: HashSet<SubscriptionId> = notification
            .recipients
            .iter()
            .map(|recipient| SubscriptionId { contact_id: recipient.contact_id, key: recipient.key })
            .collect();
        let mut found = self.store.subscriptions(&ids.into_iter().collect::<Vec<_>>()).await?;
        let recipients = notification.recipients.iter();
        Ok(recipients
            .filter_map(|recipient| {
                found
                    .remove(&SubscriptionId { contact_id: recipient.contact_id, key: recipient.key })
                    .filter(|subscription| subscription.instance == recipient.instance)
            })
            .collect())
    }

    async fn read(&self, sku: &Sku, subscriptions: &[Subscription]) -> Result<Shared, store::Error> {
        let locales: HashSet<_> = subscriptions.iter().map(|subscription| &subscription.locale).collect();
        let (contacts, products, levels) = tokio::try_join!(
            self.store.contacts(subscriptions.iter().map(|subscription| subscription.contact_id)),
            self.store.products(locales.iter().map(|locale| (*locale, sku))),
            self.store.levels(sku),
        )?;
        Ok(Shared { contacts, products, levels })
    }

    async fn mail(
        &self,
        subscription: &Subscription,
        notification: &Notification,
        shared: &Shared,
    ) -> Result<Ended, Ended> {
        // What holds now counts, not what held when the level was matched. The subscription stays for the next level.
        if sold_out_since(&shared.levels, &subscription.locale, subscription.external_id.as_ref()) {
            return Ok(Ended::As("soldOutAgain"));
        }
        let Some(contact) = shared.contacts.get(&subscription.contact_id) else {
            return Ok(Ended::As("contactGone"));
        };
        if let Some(refusal) = contact.refusal(subscription) {
            return Ok(Ended::As(refusal.as_str()));
        }
        let product = (subscription.locale.key().to_owned(), subscription.sku.clone());
        let Some(product) = shared.products.get(&product) else {
            return Ok(Ended::As("noProductData"));
        };
        let now = Timestamp::now();
        let claim = match self.store.claim(subscription, &notification.log_entry, now, self.lease).await? {
            Claimed::Yours(claim) => claim,
            Claimed::Gone => return Ok(Ended::As("subscriptionGone")),
            // It will most likely be gone the next time; if its sender died, the lease runs out while this backs off.
            Claimed::Busy => {
                return Ok(Ended::Later { after: None, reason: "another sender has claimed a subscription".into() });
            }
        };
        // After an attempt whose end was not known, SES may have told meanwhile that the mail is out.
        if claim.attempt > 1 && self.store.was_accepted(subscription.instance).await? {
            self.store.delete_instance(subscription).await?;
            return Ok(Ended::As("subscriptionGone"));
        }
        self.send(subscription, claim, notification, contact, product, now).await
    }

    async fn send(
        &self,
        subscription: &Subscription,
        claim: Claim,
        notification: &Notification,
        contact: &Contact,
        product: &Product,
        now: Timestamp,
    ) -> Result<Ended, Ended> {
        let delivery = subscription.instance.to_string();
        let log_entry = notification.log_entry.as_str();
        let unsubscribe_url = format!(
            "{}/unsubscribe/{}?lang={}",
            self.public_url,
            token(&self.signing_key, contact.id),
            subscription.locale
        );
        let content = Content {
            locale: &subscription.locale,
            product,
            first_name: contact.first_name.as_deref(),
            unsubscribe_url: &unsubscribe_url,
            now,
        };
        let rendered = match self.renderer.render(&content) {
            Ok(rendered) => rendered,
            Err(error) => {
                error!(delivery, error = %DisplayErrorChain::new(&error), "A mail could not be rendered");
                self.store.finish_failed(subscription, claim, log_entry, "not rendered", now).await?;
                return Ok(Ended::As(Milestone::Failed.as_str()));
            }
        };
        let envelope = Envelope {
            to: &contact.email,
            subscription: subscription.id(),
            delivery: &delivery,
            automation: &notification.automation,
            unsubscribe_url: &unsubscribe_url,
        };
        match self.mailer.send(&envelope, &rendered).await {
            Ok(message_id) => {
                info!(delivery, message_id, "SES accepted a mail");
                let news = self.store.finish_accepted(subscription, log_entry, &message_id, now).await?;
                // If the event was faster, whoever handled it has counted the mail.
                Ok(if news { Ended::As(Milestone::Accepted.as_str()) } else { Ended::Counted })
            }
            Err(SendError::Refused { reason }) => {
                error!(delivery, reason, "SES refused a mail for good");
                self.store.finish_failed(subscription, claim, log_entry, &reason, now).await?;
                Ok(Ended::As(Milestone::Failed.as_str()))
            }
            Err(SendError::NotAccepted { reason }) => {
                self.store.release(subscription, claim).await?;
                Ok(Ended::Later { after: None, reason })
            }
            // The claim stays, so nobody sends before the lease has run out.
            Err(SendError::Unknown { reason }) => Ok(Ended::Later { after: Some(self.lease), reason }),
        }
    }
}
